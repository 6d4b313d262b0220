"""What the session core asks of others: the SDK client and its factory, gate and review results, and the event sink.

New abilities of these are optional and looked up by name (`session/abilities.py`): `factory.with_resume(options, id)`,
`factory.announce(purpose)`, `client.interrupt()`, `client.terminate()`, `client.decide(what)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

__all__ = [
    "DeadlockInfoProtocol",
    "GateResultProtocol",
    "MalaEventSink",
    "ReviewIssueProtocol",
    "ReviewResultProtocol",
    "SDKClientFactoryProtocol",
    "SDKClientProtocol",
]


@runtime_checkable
class SDKClientProtocol(Protocol):
    """One connection to the agent: entered, asked once, read to its end, left."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None: ...

    async def query(self, prompt: str, session_id: str | None = None) -> None: ...

    def receive_response(self) -> AsyncIterator[object]: ...

    async def disconnect(self) -> None: ...


@runtime_checkable
class SDKClientFactoryProtocol(Protocol):
    """Makes clients and what they are configured with."""

    def create(self, options: object) -> SDKClientProtocol: ...

    def create_options(
        self,
        *,
        cwd: str,
        permission_mode: str = "bypassPermissions",
        model: str = "opus",
        system_prompt: dict[str, Any] | None = None,
        setting_sources: list[str] | None = None,
        mcp_servers: object | None = None,
        disallowed_tools: list[str] | None = None,
        env: dict[str, str] | None = None,
        hooks: dict[str, list[object]] | None = None,
    ) -> object: ...

    def create_hook_matcher(self, matcher: object | None, hooks: list[object]) -> object: ...


@runtime_checkable
class ReviewIssueProtocol(Protocol):
    """One finding of a review."""

    file: str
    line_start: int
    line_end: int
    priority: int | None
    title: str
    body: str
    reviewer: str


@runtime_checkable
class GateResultProtocol(Protocol):
    """What a gate answers."""

    passed: bool
    failure_reasons: list[str]
    commit_hash: str | None
    validation_evidence: Any
    no_progress: bool
    resolution: Any


@runtime_checkable
class ReviewResultProtocol(Protocol):
    """What a reviewer answers."""

    passed: bool
    issues: Sequence[ReviewIssueProtocol]
    parse_error: str | None
    fatal_error: bool
    review_log_path: Any


@runtime_checkable
class DeadlockInfoProtocol(Protocol):
    """A cycle of agents that wait for each other, and who has to give way."""

    cycle: list[str]
    victim_id: str
    victim_issue_id: str | None
    blocked_on: str
    blocker_id: str
    blocker_issue_id: str | None


@runtime_checkable
class MalaEventSink(Protocol):
    """Is told what happens, as it happens; the argument `agent_id` receives the issue id in per-issue events.

    The session core calls sixteen of these; newer events are optional methods of `BaseEventSink`.
    """

    # Run
    def on_run_started(self, config: Any) -> None: ...

    def on_run_completed(
        self, success_count: int, total_count: int, run_validation_passed: bool | None, abort_reason: str | None = None
    ) -> None: ...

    def on_ready_issues(self, issue_ids: list[str]) -> None: ...

    def on_waiting_for_agents(self, count: int) -> None: ...

    def on_no_more_issues(self, reason: str) -> None: ...

    # Agent
    def on_agent_started(self, agent_id: str, issue_id: str) -> None: ...

    def on_agent_completed(
        self, agent_id: str, issue_id: str, success: bool, duration_seconds: float, summary: str
    ) -> None: ...

    def on_claim_failed(self, agent_id: str, issue_id: str) -> None: ...

    # Stream
    def on_tool_use(
        self, agent_id: str, tool_name: str, description: str = "", arguments: dict[str, Any] | None = None
    ) -> None: ...

    def on_agent_text(self, agent_id: str, text: str) -> None: ...

    # Gate
    def on_gate_started(
        self, agent_id: str | None, attempt: int, max_attempts: int, issue_id: str | None = None
    ) -> None: ...

    def on_gate_passed(self, agent_id: str | None, issue_id: str | None = None) -> None: ...

    def on_gate_failed(
        self, agent_id: str | None, attempt: int, max_attempts: int, issue_id: str | None = None
    ) -> None: ...

    def on_gate_retry(self, agent_id: str, attempt: int, max_attempts: int, issue_id: str | None = None) -> None: ...

    def on_gate_result(
        self, agent_id: str | None, passed: bool, failure_reasons: list[str] | None = None, issue_id: str | None = None
    ) -> None: ...

    # Review
    def on_review_started(
        self, agent_id: str, attempt: int, max_attempts: int, issue_id: str | None = None
    ) -> None: ...

    def on_review_passed(self, agent_id: str, issue_id: str | None = None) -> None: ...

    def on_review_retry(
        self,
        agent_id: str,
        attempt: int,
        max_attempts: int,
        error_count: int | None = None,
        parse_error: str | None = None,
        issue_id: str | None = None,
    ) -> None: ...

    def on_review_warning(self, message: str, agent_id: str | None = None, issue_id: str | None = None) -> None: ...

    def on_review_skipped_no_progress(self, agent_id: str) -> None: ...

    # Fixer
    def on_fixer_started(self, attempt: int, max_attempts: int) -> None: ...

    def on_fixer_completed(self, result: str) -> None: ...

    def on_fixer_failed(self, reason: str) -> None: ...

    def on_fixer_text(self, attempt: int, text: str) -> None: ...

    def on_fixer_tool_use(self, attempt: int, tool_name: str, arguments: dict[str, Any] | None = None) -> None: ...

    # Issue
    def on_issue_closed(self, agent_id: str, issue_id: str) -> None: ...

    def on_issue_completed(
        self, agent_id: str, issue_id: str, success: bool, duration_seconds: float, summary: str
    ) -> None: ...

    def on_epic_closed(self, agent_id: str) -> None: ...

    def on_validation_started(self, agent_id: str, issue_id: str | None = None) -> None: ...

    def on_validation_result(self, agent_id: str, passed: bool, issue_id: str | None = None) -> None: ...

    def on_validation_step_running(self, step_name: str, agent_id: str | None = None) -> None: ...

    def on_validation_step_skipped(self, step_name: str, reason: str, agent_id: str | None = None) -> None: ...

    def on_validation_step_passed(
        self, step_name: str, duration_seconds: float, agent_id: str | None = None
    ) -> None: ...

    def on_validation_step_failed(self, step_name: str, exit_code: int, agent_id: str | None = None) -> None: ...

    # Diagnostics
    def on_warning(self, message: str, agent_id: str | None = None) -> None: ...

    def on_log_timeout(self, agent_id: str, log_path: str) -> None: ...

    def on_locks_cleaned(self, agent_id: str, count: int) -> None: ...

    def on_locks_released(self, count: int) -> None: ...

    def on_issues_committed(self) -> None: ...

    def on_run_metadata_saved(self, path: str) -> None: ...

    def on_run_level_validation_disabled(self) -> None: ...

    def on_abort_requested(self, reason: str) -> None: ...

    def on_tasks_aborting(self, count: int, reason: str) -> None: ...

    # Epic
    def on_epic_verification_started(self, epic_id: str) -> None: ...

    def on_epic_verification_passed(self, epic_id: str, confidence: float) -> None: ...

    def on_epic_verification_failed(self, epic_id: str, unmet_count: int, remediation_ids: list[str]) -> None: ...

    def on_epic_remediation_created(self, epic_id: str, issue_id: str, criterion: str) -> None: ...

    # Lifecycle
    def on_lifecycle_state(self, agent_id: str, state: str) -> None: ...

    def on_log_waiting(self, agent_id: str) -> None: ...

    def on_log_ready(self, agent_id: str) -> None: ...

    def on_deadlock_detected(self, info: Any) -> None: ...
