"""Tells the event sink what a session does: one method per moment, with its events in their order (session:6.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.session.abilities import call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.issue.model import EndReason
    from pytest_mala.session.context import LifecycleState, TransitionResult
    from pytest_mala.session.protocols import MalaEventSink

__all__ = ["SessionEvents"]


class SessionEvents:
    """The events of one session; without a sink nobody is told. What a sink raises passes through."""

    def __init__(self, sink: MalaEventSink | None, issue_id: str) -> None:
        self._sink = sink
        self._id = issue_id

    def entered(self, transition: TransitionResult) -> None:
        """After every transition (optional event)."""
        self._optional("on_state_entered", transition.state.name, transition.effect.name)

    def lifecycle_state(self, state: LifecycleState) -> None:
        """After the start and after every turn."""
        if self._sink is not None:
            self._sink.on_lifecycle_state(self._id, state.name)

    def log_waiting(self) -> None:
        if self._sink is not None:
            self._sink.on_log_waiting(self._id)

    def log_ready(self) -> None:
        if self._sink is not None:
            self._sink.on_log_ready(self._id)

    def log_timeout(self, log_path: str) -> None:
        if self._sink is not None:
            self._sink.on_log_timeout(self._id, log_path)

    def gate_started(self, attempt: int, max_attempts: int) -> None:
        if self._sink is not None:
            self._sink.on_validation_started(self._id, issue_id=self._id)
            self._sink.on_gate_started(self._id, attempt, max_attempts, issue_id=self._id)

    def gate_passed(self) -> None:
        if self._sink is not None:
            self._sink.on_gate_passed(self._id, issue_id=self._id)
            self._sink.on_validation_result(self._id, passed=True, issue_id=self._id)

    def gate_failed(self, attempt: int, max_attempts: int, reasons: Sequence[str]) -> None:
        if self._sink is not None:
            self._sink.on_gate_failed(self._id, attempt, max_attempts, issue_id=self._id)
            self._gate_said_no(self._sink, reasons)

    def gate_retry(self, attempt: int, max_attempts: int, reasons: Sequence[str]) -> None:
        if self._sink is not None:
            self._sink.on_gate_retry(self._id, attempt, max_attempts, issue_id=self._id)
            self._gate_said_no(self._sink, reasons)

    def _gate_said_no(self, sink: MalaEventSink, reasons: Sequence[str]) -> None:
        sink.on_gate_result(self._id, passed=False, failure_reasons=list(reasons), issue_id=self._id)
        sink.on_validation_result(self._id, passed=False, issue_id=self._id)

    def review_started(self, attempt: int, max_attempts: int) -> None:
        if self._sink is not None:
            self._sink.on_review_started(self._id, attempt, max_attempts, issue_id=self._id)

    def review_passed(self) -> None:
        if self._sink is not None:
            self._sink.on_review_passed(self._id, issue_id=self._id)

    def review_again(self, text: str) -> None:
        if self._sink is not None:
            self._sink.on_warning(f"Review without a usable answer, asking again: {text}", agent_id=self._id)

    def review_retry(self, attempt: int, max_attempts: int, blocking: int) -> None:
        if self._sink is not None:
            self._sink.on_review_retry(
                self._id,
                attempt,
                max_attempts,
                error_count=blocking or None,
                parse_error=None,  # an answer that could not be read sends nobody back
                issue_id=self._id,
            )

    def review_skipped(self) -> None:
        if self._sink is not None:
            self._sink.on_review_skipped_no_progress(self._id)

    def review_failed(self, reason: str) -> None:
        """The review ended the session (optional event, session:X5)."""
        self._optional("on_review_failed", reason)

    def idle_retry(self, attempt: int, max_attempts: int, how: str) -> None:
        """A connection is tried again (optional event)."""
        self._optional("on_idle_retry", attempt, max_attempts, how)

    def context_restart(self, restart: int, max_restarts: int, checkpoint_chars: int, timed_out: bool) -> None:
        """The agent goes on from a checkpoint (optional event)."""
        self._optional("on_context_restart", restart, max_restarts, checkpoint_chars, timed_out)

    def ended(self, reason: EndReason, summary: str) -> None:
        """The session is over (optional event)."""
        self._optional("on_session_ended", reason, summary)

    def _optional(self, name: str, *args: object) -> None:
        if self._sink is not None:
            call(self._sink, name, self._id, *args)
