"""Event sinks to derive from: every event of `MalaEventSink` and the newer, optional ones, all doing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mala.issue.model import EndReason

__all__ = ["BaseEventSink", "NullEventSink"]


class BaseEventSink:
    """A sink that ignores everything; override what you want to hear of."""

    # Run
    def on_run_started(self, config: Any) -> None:
        """Does nothing."""

    def on_run_completed(
        self, success_count: int, total_count: int, run_validation_passed: bool | None, abort_reason: str | None = None
    ) -> None:
        """Does nothing."""

    def on_ready_issues(self, issue_ids: list[str]) -> None:
        """Does nothing."""

    def on_waiting_for_agents(self, count: int) -> None:
        """Does nothing."""

    def on_no_more_issues(self, reason: str) -> None:
        """Does nothing."""

    # Agent
    def on_agent_started(self, agent_id: str, issue_id: str) -> None:
        """Does nothing."""

    def on_agent_completed(
        self, agent_id: str, issue_id: str, success: bool, duration_seconds: float, summary: str
    ) -> None:
        """Does nothing."""

    def on_claim_failed(self, agent_id: str, issue_id: str) -> None:
        """Does nothing."""

    # Stream
    def on_tool_use(
        self, agent_id: str, tool_name: str, description: str = "", arguments: dict[str, Any] | None = None
    ) -> None:
        """Does nothing."""

    def on_agent_text(self, agent_id: str, text: str) -> None:
        """Does nothing."""

    # Gate
    def on_gate_started(
        self, agent_id: str | None, attempt: int, max_attempts: int, issue_id: str | None = None
    ) -> None:
        """Does nothing."""

    def on_gate_passed(self, agent_id: str | None, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_gate_failed(
        self, agent_id: str | None, attempt: int, max_attempts: int, issue_id: str | None = None
    ) -> None:
        """Does nothing."""

    def on_gate_retry(self, agent_id: str, attempt: int, max_attempts: int, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_gate_result(
        self, agent_id: str | None, passed: bool, failure_reasons: list[str] | None = None, issue_id: str | None = None
    ) -> None:
        """Does nothing."""

    # Review
    def on_review_started(self, agent_id: str, attempt: int, max_attempts: int, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_review_passed(self, agent_id: str, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_review_retry(
        self,
        agent_id: str,
        attempt: int,
        max_attempts: int,
        error_count: int | None = None,
        parse_error: str | None = None,
        issue_id: str | None = None,
    ) -> None:
        """Does nothing."""

    def on_review_warning(self, message: str, agent_id: str | None = None, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_review_skipped_no_progress(self, agent_id: str) -> None:
        """Does nothing."""

    # Fixer
    def on_fixer_started(self, attempt: int, max_attempts: int) -> None:
        """Does nothing."""

    def on_fixer_completed(self, result: str) -> None:
        """Does nothing."""

    def on_fixer_failed(self, reason: str) -> None:
        """Does nothing."""

    def on_fixer_text(self, attempt: int, text: str) -> None:
        """Does nothing."""

    def on_fixer_tool_use(self, attempt: int, tool_name: str, arguments: dict[str, Any] | None = None) -> None:
        """Does nothing."""

    # Issue
    def on_issue_closed(self, agent_id: str, issue_id: str) -> None:
        """Does nothing."""

    def on_issue_completed(
        self, agent_id: str, issue_id: str, success: bool, duration_seconds: float, summary: str
    ) -> None:
        """Does nothing."""

    def on_epic_closed(self, agent_id: str) -> None:
        """Does nothing."""

    def on_validation_started(self, agent_id: str, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_validation_result(self, agent_id: str, passed: bool, issue_id: str | None = None) -> None:
        """Does nothing."""

    def on_validation_step_running(self, step_name: str, agent_id: str | None = None) -> None:
        """Does nothing."""

    def on_validation_step_skipped(self, step_name: str, reason: str, agent_id: str | None = None) -> None:
        """Does nothing."""

    def on_validation_step_passed(self, step_name: str, duration_seconds: float, agent_id: str | None = None) -> None:
        """Does nothing."""

    def on_validation_step_failed(self, step_name: str, exit_code: int, agent_id: str | None = None) -> None:
        """Does nothing."""

    # Diagnostics
    def on_warning(self, message: str, agent_id: str | None = None) -> None:
        """Does nothing."""

    def on_log_timeout(self, agent_id: str, log_path: str) -> None:
        """Does nothing."""

    def on_locks_cleaned(self, agent_id: str, count: int) -> None:
        """Does nothing."""

    def on_locks_released(self, count: int) -> None:
        """Does nothing."""

    def on_issues_committed(self) -> None:
        """Does nothing."""

    def on_run_metadata_saved(self, path: str) -> None:
        """Does nothing."""

    def on_run_level_validation_disabled(self) -> None:
        """Does nothing."""

    def on_abort_requested(self, reason: str) -> None:
        """Does nothing."""

    def on_tasks_aborting(self, count: int, reason: str) -> None:
        """Does nothing."""

    # Epic
    def on_epic_verification_started(self, epic_id: str) -> None:
        """Does nothing."""

    def on_epic_verification_passed(self, epic_id: str, confidence: float) -> None:
        """Does nothing."""

    def on_epic_verification_failed(self, epic_id: str, unmet_count: int, remediation_ids: list[str]) -> None:
        """Does nothing."""

    def on_epic_remediation_created(self, epic_id: str, issue_id: str, criterion: str) -> None:
        """Does nothing."""

    # Lifecycle
    def on_lifecycle_state(self, agent_id: str, state: str) -> None:
        """Does nothing."""

    def on_log_waiting(self, agent_id: str) -> None:
        """Does nothing."""

    def on_log_ready(self, agent_id: str) -> None:
        """Does nothing."""

    def on_deadlock_detected(self, info: Any) -> None:
        """Does nothing."""

    # Optional events: looked up by name, so that a sink without them works too
    def on_state_entered(self, agent_id: str, state: str, effect: str) -> None:
        """After every transition: names of a `LifecycleState` and of the `Effect` that it orders."""

    def on_idle_retry(self, agent_id: str, attempt: int, max_attempts: int, how: str) -> None:
        """A connection was given up, and `how` it is tried again: resumed, asked again, or afresh."""

    def on_context_restart(
        self, agent_id: str, restart: int, max_restarts: int, checkpoint_chars: int, timed_out: bool
    ) -> None:
        """The context was full: the agent goes on in a new session from a checkpoint of that many characters."""

    def on_review_failed(self, agent_id: str, reason: str) -> None:
        """The review ended the session."""

    def on_session_ended(self, agent_id: str, reason: EndReason, summary: str) -> None:
        """The session is over; told once."""


class NullEventSink(BaseEventSink):
    """For those who listen to nothing."""
