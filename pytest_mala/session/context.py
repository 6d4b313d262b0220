"""What the lifecycle works on: its states and effects, its limits, and the context that its transitions write to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.issue.model import EndReason
    from pytest_mala.session.models import IssueResolution

__all__ = [
    "TRACKING_DISABLED",
    "ContextUsage",
    "Effect",
    "GateOutcome",
    "LifecycleConfig",
    "LifecycleContext",
    "LifecycleState",
    "RetryState",
    "ReviewIssue",
    "ReviewOutcome",
    "TransitionResult",
]

TRACKING_DISABLED = -1


@runtime_checkable
class GateOutcome(Protocol):
    """What the lifecycle reads of a gate's answer."""

    @property
    def passed(self) -> bool: ...
    @property
    def failure_reasons(self) -> list[str]: ...
    @property
    def commit_hash(self) -> str | None: ...
    @property
    def no_progress(self) -> bool: ...
    @property
    def resolution(self) -> IssueResolution | None: ...


class ReviewIssue(Protocol):
    """What the lifecycle reads of a finding."""

    @property
    def file(self) -> str: ...
    @property
    def line_start(self) -> int: ...
    @property
    def line_end(self) -> int: ...
    @property
    def priority(self) -> int | None: ...
    @property
    def title(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def reviewer(self) -> str: ...


@runtime_checkable
class ReviewOutcome(Protocol):
    """What the lifecycle reads of a reviewer's answer."""

    @property
    def passed(self) -> bool: ...
    @property
    def parse_error(self) -> str | None: ...
    @property
    def fatal_error(self) -> bool: ...
    @property
    def issues(self) -> Sequence[ReviewIssue]: ...


class LifecycleState(Enum):
    """Where a session stands."""

    INITIAL = auto()
    PROCESSING = auto()
    AWAITING_LOG = auto()
    RUNNING_GATE = auto()
    RUNNING_REVIEW = auto()
    SUCCESS = auto()
    FAILED = auto()


class Effect(Enum):
    """What the shell must do now."""

    CONTINUE = auto()
    WAIT_FOR_LOG = auto()
    RUN_GATE = auto()
    RUN_REVIEW = auto()
    SEND_GATE_RETRY = auto()
    SEND_REVIEW_RETRY = auto()
    COMPLETE_SUCCESS = auto()
    COMPLETE_FAILURE = auto()


@dataclass(slots=True)
class LifecycleConfig:
    """Limits: `max_..._retries` count attempts (3 means three passes), `max_context_restarts` counts restarts."""

    max_gate_retries: int = 3
    max_review_retries: int = 3
    review_enabled: bool = True
    max_context_restarts: int = 5


@dataclass(slots=True)
class RetryState:
    """Where the attempts stand; callbacks are given the live object.

    `log_offset` is the byte of the session log where the current attempt's evidence begins; `baseline_timestamp`
    (seconds since 1970) is kept for callbacks and decides nothing. A reviewer has no memory of its own (session:B18):
    `previous_findings` are those that the agent was sent back with, `agent_reply` is what it said last.
    """

    gate_attempt: int = 1
    review_attempt: int = 0
    log_offset: int = 0
    previous_commit_hash: str | None = None
    baseline_timestamp: int = 0
    previous_findings: tuple[ReviewIssue, ...] = ()
    agent_reply: str = ""


@dataclass(slots=True)
class ContextUsage:
    """Token counts of the last result message."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def tracking_disabled(self) -> bool:
        """Whether the last result message told no usage."""
        return self.input_tokens == TRACKING_DISABLED

    def disable_tracking(self) -> None:
        """From now on, until counters are written again, nothing is known."""
        self.input_tokens = TRACKING_DISABLED

    def pressure_ratio(self, limit: int) -> float:
        """Input and output over `limit`, not clamped; cache reads never count here (see the stream for the true size).

        >>> ContextUsage(50_000, 30_000, 20_000).pressure_ratio(200_000)
        0.4
        """
        if limit <= 0 or self.tracking_disabled:
            return 0.0
        return (self.input_tokens + self.output_tokens) / limit


@dataclass(slots=True)
class LifecycleContext:
    """What a session knows about itself; written by transitions and, for id, result and usage, by the stream.

    `reason` is set by the transition that ends the session. `review_answer_due` is true from a review retry until the
    next review answers: only then can "no progress" be asked (session:X2), since `reviewed_commit_hash` and since
    `review_log_offset` of the session log, whatever a gate retry in between has moved on.
    """

    retry_state: RetryState = field(default_factory=RetryState)
    session_id: str | None = None
    final_result: str = ""
    success: bool = False
    last_gate_result: GateOutcome | None = None
    last_review_result: ReviewOutcome | None = None
    resolution: IssueResolution | None = None
    low_priority_review_issues: list[ReviewIssue] = field(default_factory=list)
    context_usage: ContextUsage = field(default_factory=ContextUsage)
    reason: EndReason | None = None
    context_restarts: int = 0
    review_answer_due: bool = False
    reviewed_commit_hash: str | None = None
    review_log_offset: int = 0


@dataclass(frozen=True, slots=True)
class TransitionResult:
    """Where a transition led, what must be done now, and a word about it."""

    state: LifecycleState
    effect: Effect
    message: str | None = None
