"""What a session is configured with, given, and answers; field names and defaults are the reference's (session:1.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mala.errors import UsageError
from pytest_mala.session.messages import Usage
from pytest_mala.session.stream import MessageIterationState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from pytest_mala.agent.deadlock import DeadlockMonitor
    from pytest_mala.agent.lint import LintCache
    from pytest_mala.issue.model import EndReason
    from pytest_mala.session.commands import PromptValidationCommands
    from pytest_mala.session.context import (
        GateOutcome,
        LifecycleContext,
        RetryState,
        ReviewIssue,
        ReviewOutcome,
        TransitionResult,
    )
    from pytest_mala.session.lifecycle import ImplementerLifecycle
    from pytest_mala.session.models import IssueResolution
    from pytest_mala.session.stream import AgentTextCallback, ToolUseCallback

__all__ = [
    "DISCONNECT_TIMEOUT",
    "AgentSessionConfig",
    "AgentSessionInput",
    "AgentSessionOutput",
    "GateCheckCallback",
    "LogOffsetCallback",
    "ReviewCheckCallback",
    "ReviewEffectResult",
    "ReviewNoProgressCallback",
    "SessionCallbacks",
    "SessionConfig",
    "SessionConfigError",
    "SessionExecutionState",
    "SessionPrompts",
    "SessionUsage",
]

DISCONNECT_TIMEOUT = 10.0
LOG_POLL_SECONDS = 0.5

GateCheckCallback: TypeAlias = "Callable[[str, Path, RetryState], Coroutine[Any, Any, tuple[GateOutcome, int]]]"
ReviewCheckCallback: TypeAlias = (
    "Callable[[str, str | None, str | None, str | None, RetryState], Coroutine[Any, Any, ReviewOutcome]]"
)
ReviewNoProgressCallback: TypeAlias = "Callable[[Path, int, str | None, str | None], bool]"
LogOffsetCallback: TypeAlias = "Callable[[Path, int], int]"


class SessionConfigError(UsageError, ValueError):
    """A session can't be run with these settings."""


@dataclass(slots=True)
class SessionPrompts:
    """Templates of what is sent after the first prompt; placeholders as in `prompts.ALLOWED`."""

    gate_followup: str
    review_followup: str
    idle_resume: str
    checkpoint_request: str = ""
    continuation: str = ""


@dataclass(slots=True)
class AgentSessionConfig:
    """Settings of sessions: times in seconds, `max_..._retries` of gate and review in attempts, the others in retries.

    `SessionConfigError` for what could never work: negative numbers, a resume with nothing to say (session:B4).
    """

    repo_path: Path
    timeout_seconds: float
    prompts: SessionPrompts
    max_gate_retries: int = 3
    max_review_retries: int = 3
    review_enabled: bool = True
    log_file_wait_timeout: float = 60.0
    idle_timeout_seconds: float | None = None
    max_idle_retries: int = 2
    idle_retry_backoff: tuple[float, ...] = (0.0, 5.0, 15.0)
    lint_tools: frozenset[str] | None = None
    prompt_validation_commands: PromptValidationCommands | None = None
    context_restart_threshold: float = 0.90
    context_limit: int = 200_000
    deadlock_monitor: DeadlockMonitor | None = None
    max_context_restarts: int = 5
    max_crash_retries: int = 5
    crash_retry_backoff: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)

    def __post_init__(self) -> None:
        for name in (
            "max_gate_retries",
            "max_review_retries",
            "max_idle_retries",
            "max_crash_retries",
            "max_context_restarts",
        ):
            if (number := getattr(self, name)) < 0:
                raise SessionConfigError(f"{name}: expected 0 or more, got {number}")
        for name in ("idle_retry_backoff", "crash_retry_backoff"):
            if any(seconds < 0 for seconds in getattr(self, name)):
                raise SessionConfigError(f"{name}: expected seconds of 0 or more, got {getattr(self, name)}")
        for name in ("max_idle_retries", "max_crash_retries"):
            if (number := getattr(self, name)) > 0 and not self.prompts.idle_resume.strip():
                raise SessionConfigError(
                    f"prompts.idle_resume is empty, but {name} is {number}:"
                    f" give a prompt for the resumed agent, or set {name} to 0"
                )


@dataclass(slots=True)
class AgentSessionInput:
    """One issue to work on: `prompt` is sent first, the rest is for gate and review."""

    issue_id: str
    prompt: str
    baseline_commit: str | None = None
    issue_description: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUsage:
    """Tokens of all turns together, and what they cost in US dollars (None where no result told it)."""

    tokens: Usage = field(default_factory=Usage)
    cost_usd: float | None = None


@dataclass(slots=True)
class AgentSessionOutput:
    """How a session ended. `summary` is never empty after a failure; `reason` is always set by the runner.

    `other_messages` counts messages of kinds that the session does not act on, by class name.
    """

    success: bool
    summary: str
    session_id: str | None = None
    log_path: Path | None = None
    gate_attempts: int = 1
    review_attempts: int = 0
    resolution: IssueResolution | None = None
    duration_seconds: float = 0.0
    agent_id: str = ""
    review_log_path: str | None = None
    low_priority_review_issues: list[ReviewIssue] | None = None
    reason: EndReason | None = None
    usage: SessionUsage = field(default_factory=SessionUsage)
    last_review_issues: list[ReviewIssue] | None = None
    other_messages: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SessionCallbacks:
    """How a session reaches gate, review and log; one that is missing fails the session when it is needed.

    The offset callbacks and `get_log_path` work on the session log; `on_abort` is told of a reviewer's fatal error.
    """

    on_gate_check: GateCheckCallback | None = None
    on_review_check: ReviewCheckCallback | None = None
    on_review_no_progress: ReviewNoProgressCallback | None = None
    get_log_path: Callable[[str], Path] | None = None
    get_log_offset: LogOffsetCallback | None = None
    on_abort: Callable[[str], None] | None = None
    on_tool_use: ToolUseCallback | None = None
    on_agent_text: AgentTextCallback | None = None


@dataclass(slots=True)
class SessionConfig:
    """What one round of a session runs with, worked out from `AgentSessionConfig`."""

    agent_id: str
    options: object
    lint_cache: LintCache
    log_file_wait_timeout: float
    log_file_poll_interval: float
    idle_timeout_seconds: float | None


@dataclass(slots=True)
class SessionExecutionState:
    """Where a session stands, for the shell."""

    lifecycle: ImplementerLifecycle
    lifecycle_ctx: LifecycleContext
    session_id: str | None = None
    log_path: Path | None = None
    final_result: str = ""
    cerberus_review_log_path: str | None = None
    msg_state: MessageIterationState = field(default_factory=MessageIterationState)


@dataclass(slots=True)
class ReviewEffectResult:
    """What came of a review: a prompt to send, or the end, or (neither) another review."""

    pending_query: str | None
    should_break: bool
    cerberus_log_path: str | None
    transition_result: TransitionResult
