"""Carries out the effects of gate and review: calls the callback, feeds the answer to the lifecycle, tells the sink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.session.config import ReviewEffectResult
from pytest_mala.session.context import Effect
from pytest_mala.session.models import ReviewResult
from pytest_mala.session.prompts import (
    format_gate_followup,
    format_review_followup,
    format_review_issues,
    get_default_validation_commands,
)
from pytest_mala.session.transitions import blocking_issues, unusable_text

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.session.config import (
        AgentSessionConfig,
        AgentSessionInput,
        SessionCallbacks,
        SessionExecutionState,
    )
    from pytest_mala.session.context import GateOutcome, ReviewOutcome, TransitionResult
    from pytest_mala.session.emit import SessionEvents

__all__ = ["GateEffectResult", "Judges"]

_FATAL = "the reviewer reported a fatal error"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEffectResult:
    """What came of a gate: the transition, and a prompt if the agent is sent back."""

    pending_query: str | None
    transition_result: TransitionResult


class Judges:
    """Gate and review of one session."""

    def __init__(
        self,
        config: AgentSessionConfig,
        callbacks: SessionCallbacks,
        events: SessionEvents,
        session_input: AgentSessionInput,
    ) -> None:
        self._config = config
        self._callbacks = callbacks
        self._events = events
        self._input = session_input

    async def gate(self, state: SessionExecutionState, log_path: Path) -> GateEffectResult:
        """Runs the gate; `ValueError` without the callback, after the gate was announced."""
        retry = state.lifecycle_ctx.retry_state
        attempt = retry.gate_attempt
        self._events.gate_started(attempt, self._config.max_gate_retries)
        if self._callbacks.on_gate_check is None:
            raise ValueError("on_gate_check callback must be set")
        gate, new_offset = await self._callbacks.on_gate_check(self._input.issue_id, log_path, retry)
        transition = state.lifecycle.on_gate_result(state.lifecycle_ctx, gate, new_offset)
        self._events.entered(transition)
        prompt = self._after_gate(state, gate, attempt, transition.effect)
        return GateEffectResult(pending_query=prompt, transition_result=transition)

    def _after_gate(self, state: SessionExecutionState, gate: GateOutcome, attempt: int, effect: Effect) -> str | None:
        limit = self._config.max_gate_retries
        if effect in (Effect.COMPLETE_SUCCESS, Effect.RUN_REVIEW):
            self._events.gate_passed()  # of every gate, also of one after a review retry (session:X4)
            return None
        if effect is Effect.COMPLETE_FAILURE:
            self._events.gate_failed(attempt, limit, gate.failure_reasons)
            return None
        next_attempt = state.lifecycle_ctx.retry_state.gate_attempt
        self._events.gate_retry(next_attempt, limit, gate.failure_reasons)
        return format_gate_followup(
            self._config.prompts.gate_followup,
            attempt=next_attempt,
            max_attempts=limit,
            failure_reasons=gate.failure_reasons,
            issue_id=self._input.issue_id,
            commands=self._config.prompt_validation_commands or get_default_validation_commands(),
        )

    async def review(self, state: SessionExecutionState, log_path: Path) -> ReviewEffectResult:
        """Runs the review, unless the agent changed nothing since the last one; `ValueError` without the callback."""
        if self._has_no_progress(state, log_path):
            return self._end_without_progress(state, log_path)
        ctx = state.lifecycle_ctx
        self._events.review_started(ctx.retry_state.review_attempt, self._config.max_review_retries)
        if self._callbacks.on_review_check is None:
            raise ValueError("on_review_check callback must be set")
        review = await self._callbacks.on_review_check(
            self._input.issue_id,
            self._input.issue_description,
            self._input.baseline_commit,
            ctx.session_id,
            ctx.retry_state,
        )
        if review.fatal_error and self._callbacks.on_abort is not None:
            self._callbacks.on_abort(review.parse_error or _FATAL)
        kept_log = getattr(review, "review_log_path", None)
        if kept_log is not None:
            state.cerberus_review_log_path = str(kept_log)
        transition = state.lifecycle.on_review_result(ctx, review, self._offset(log_path, state))
        self._events.entered(transition)
        return ReviewEffectResult(
            pending_query=self._after_review(state, review, transition.effect),
            should_break=transition.effect in (Effect.COMPLETE_SUCCESS, Effect.COMPLETE_FAILURE),
            cerberus_log_path=state.cerberus_review_log_path,
            transition_result=transition,
        )

    def _after_review(self, state: SessionExecutionState, review: ReviewOutcome, effect: Effect) -> str | None:
        if effect is Effect.COMPLETE_SUCCESS:
            self._events.review_passed()
        elif effect is Effect.RUN_REVIEW:
            self._events.review_again(unusable_text(review))
        elif effect is Effect.COMPLETE_FAILURE:
            self._events.review_failed(state.lifecycle_ctx.final_result)
        else:
            attempt, limit = state.lifecycle_ctx.retry_state.review_attempt, self._config.max_review_retries
            blocking = len(blocking_issues(review))
            self._events.review_retry(attempt, limit, blocking)
            return format_review_followup(
                self._config.prompts.review_followup,
                attempt=attempt,
                max_attempts=limit,
                review_issues=format_review_issues(review.issues, self._config.repo_path),
                issue_id=self._input.issue_id,
            )
        return None

    def _has_no_progress(self, state: SessionExecutionState, log_path: Path) -> bool:
        """Asked only when the agent has had a turn to answer a review (session:X2)."""
        ctx, ask = state.lifecycle_ctx, self._callbacks.on_review_no_progress
        if not ctx.review_answer_due or ask is None:
            return False
        gate = ctx.last_gate_result
        current = (gate.commit_hash or None) if gate is not None else None
        return ask(log_path, ctx.review_log_offset, ctx.reviewed_commit_hash, current)

    def _end_without_progress(self, state: SessionExecutionState, log_path: Path) -> ReviewEffectResult:
        self._events.review_skipped()
        transition = state.lifecycle.on_review_result(
            state.lifecycle_ctx, ReviewResult(passed=False), self._offset(log_path, state), no_progress=True
        )
        self._events.entered(transition)
        self._events.review_failed(state.lifecycle_ctx.final_result)
        return ReviewEffectResult(
            pending_query=None,
            should_break=True,
            cerberus_log_path=state.cerberus_review_log_path,
            transition_result=transition,
        )

    def _offset(self, log_path: Path, state: SessionExecutionState) -> int:
        ask = self._callbacks.get_log_offset
        return 0 if ask is None else ask(log_path, state.lifecycle_ctx.retry_state.log_offset)
