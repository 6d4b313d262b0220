"""The cells of the lifecycle's table: small pure functions from limits, context and event to the move to make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mala.issue.model import EndReason
from pytest_mala.session.context import ContextUsage, Effect, LifecycleState
from pytest_mala.session.models import ResolutionOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.session.context import (
        GateOutcome,
        LifecycleConfig,
        LifecycleContext,
        ReviewIssue,
        ReviewOutcome,
    )
    from pytest_mala.session.happenings import (
        Aborted,
        ContextFilled,
        Erred,
        GateAnswered,
        LogReady,
        LogTimedOut,
        ReviewAnswered,
        Started,
        TimedOut,
        TurnBroken,
        TurnEnded,
        TurnFailed,
        WentIdle,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A transition worked out but not yet made: what to write to the context and to its retry state."""

    state: LifecycleState
    effect: Effect
    message: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    retry: Mapping[str, Any] = field(default_factory=dict)


_REVIEW_FAILED = "External review failed: "
_ENDED_WELL: Mapping[ResolutionOutcome, EndReason] = {
    ResolutionOutcome.NO_CHANGE: EndReason.NO_CHANGE,
    ResolutionOutcome.OBSOLETE: EndReason.OBSOLETE,
    ResolutionOutcome.ALREADY_COMPLETE: EndReason.ALREADY_COMPLETE,
}


def blocking_issues(review: ReviewOutcome) -> list[ReviewIssue]:
    """Findings that must be fixed."""
    return [issue for issue in review.issues if is_blocking(issue)]


def is_blocking(issue: ReviewIssue) -> bool:
    """P0 and P1 must be fixed; a negative priority counts as P0, an unranked finding does not."""
    return issue.priority is not None and issue.priority <= 1


def unusable_text(review: ReviewOutcome) -> str:
    """What is wrong with an answer that is no usable one."""
    if review.parse_error is None:
        return "the reviewer said no and named nothing"
    return review.parse_error or "the reviewer's answer could not be read"


def _failed(reason: EndReason, result: str, message: str, **context: Any) -> Move:
    changes = {**context, "final_result": result, "success": False, "reason": reason}
    return Move(state=LifecycleState.FAILED, effect=Effect.COMPLETE_FAILURE, message=message, context=changes)


def start(config: LifecycleConfig, ctx: LifecycleContext, event: Started) -> Move:
    """The agent is asked: with the first prompt, or after a context restart with the continuation.

    - always: PROCESSING, CONTINUE
    """
    return Move(state=LifecycleState.PROCESSING, effect=Effect.CONTINUE, message="Session started")


def turn_ended(config: LifecycleConfig, ctx: LifecycleContext, event: TurnEnded) -> Move:
    """Without a session id there is no log to look for.

    - a session id is known: AWAITING_LOG, WAIT_FOR_LOG
    - no session id: FAILED, COMPLETE_FAILURE
    """
    if not event.has_session_id:
        text = "No session ID received from the agent"
        return _failed(EndReason.AGENT_ERROR, text, "The turn ended with a missing session id (no session ID)")
    return Move(state=LifecycleState.AWAITING_LOG, effect=Effect.WAIT_FOR_LOG)


def turn_failed(config: LifecycleConfig, ctx: LifecycleContext, event: TurnFailed) -> Move:
    """An error result never reaches the gate (session:B5).

    - always: FAILED, COMPLETE_FAILURE
    """
    return _failed(event.reason, f"Agent error: {event.text}", f"The turn ended with an error: {event.text}")


def turn_broken(config: LifecycleConfig, ctx: LifecycleContext, event: TurnBroken) -> Move:
    """A stream that just ends is never a success.

    - always: FAILED, COMPLETE_FAILURE
    """
    return _failed(EndReason.AGENT_ERROR, f"Agent error: {event.text}", event.text)


def context_filled(config: LifecycleConfig, ctx: LifecycleContext, event: ContextFilled) -> Move:
    """All budgets are kept over a restart (session:Y2).

    - restarts are left: INITIAL, CONTINUE
    - no restarts left: FAILED, COMPLETE_FAILURE
    """
    used, limit = ctx.context_restarts, config.max_context_restarts
    if used >= limit:
        return _failed(EndReason.CONTEXT, f"Context full: all {limit} restarts used", "No context restarts left")
    changes = {"context_restarts": used + 1, "session_id": None, "context_usage": ContextUsage()}
    message = f"Context restart {used + 1}/{limit}"
    return Move(state=LifecycleState.INITIAL, effect=Effect.CONTINUE, message=message, context=changes)


def log_ready(config: LifecycleConfig, ctx: LifecycleContext, event: LogReady) -> Move:
    """The gate can read what the agent did.

    - always: RUNNING_GATE, RUN_GATE
    """
    return Move(state=LifecycleState.RUNNING_GATE, effect=Effect.RUN_GATE)


def log_timed_out(config: LifecycleConfig, ctx: LifecycleContext, event: LogTimedOut) -> Move:
    """Without the log nothing is proven.

    - always: FAILED, COMPLETE_FAILURE
    """
    detail = f" ({event.detail})" if event.detail else ""
    text = f"Session log not ready in time: {event.log_path}{detail}"
    return _failed(EndReason.NO_LOG, text, "Log timeout: the session log did not come")


def gate_answered(config: LifecycleConfig, ctx: LifecycleContext, event: GateAnswered) -> Move:
    """The gate's result and its resolution are always kept.

    - passed, and there is a commit to review: RUNNING_REVIEW, RUN_REVIEW
    - passed, nothing to review: SUCCESS, COMPLETE_SUCCESS
    - failed, attempts left: PROCESSING, SEND_GATE_RETRY
    - failed, no progress or no attempts left: FAILED, COMPLETE_FAILURE
    """
    gate, retry = event.gate, ctx.retry_state
    kept = {"last_gate_result": gate, "resolution": gate.resolution}
    if gate.passed:
        return _gate_passed(config, ctx, gate, kept)
    if retry.gate_attempt < config.max_gate_retries and not gate.no_progress:
        attempt = retry.gate_attempt + 1
        return Move(
            state=LifecycleState.PROCESSING,
            effect=Effect.SEND_GATE_RETRY,
            message=f"Gate retry {attempt}/{config.max_gate_retries}",
            context=kept,
            retry={
                "gate_attempt": attempt,
                "log_offset": event.new_log_offset,
                "previous_commit_hash": gate.commit_hash,
            },
        )
    reason = EndReason.NO_PROGRESS if gate.no_progress else EndReason.GATE_FAILED
    text = "Quality gate failed: " + "; ".join(gate.failure_reasons)
    return _failed(reason, text, "Quality gate failed, no retries left", **kept)


def _gate_passed(config: LifecycleConfig, ctx: LifecycleContext, gate: GateOutcome, kept: Mapping[str, Any]) -> Move:
    ended_well = _ENDED_WELL.get(gate.resolution.outcome) if gate.resolution is not None else None
    if config.review_enabled and gate.commit_hash and ended_well is None:
        attempt = ctx.retry_state.review_attempt or 1
        return Move(
            state=LifecycleState.RUNNING_REVIEW,
            effect=Effect.RUN_REVIEW,
            message=f"Gate passed, review {attempt}/{config.max_review_retries}",
            context=kept,
            retry={"review_attempt": attempt, "agent_reply": ctx.final_result},
        )
    return _succeeded("Quality gate passed", {**kept, "reason": ended_well or EndReason.PASSED})


def _succeeded(message: str, context: Mapping[str, Any]) -> Move:
    changes = {"reason": EndReason.PASSED, **context, "success": True}
    return Move(state=LifecycleState.SUCCESS, effect=Effect.COMPLETE_SUCCESS, message=message, context=changes)


def review_answered(config: LifecycleConfig, ctx: LifecycleContext, event: ReviewAnswered) -> Move:
    """Design D10: the first of these that holds decides; the review itself is always kept.

    An answer that can't be read, and a no that names nothing, are no usable answers.

    - no progress since the last review: FAILED, COMPLETE_FAILURE
    - fatal error: FAILED, COMPLETE_FAILURE
    - no usable answer, attempts left: RUNNING_REVIEW, RUN_REVIEW
    - no usable answer, none left: FAILED, COMPLETE_FAILURE
    - a P0 or P1 finding, attempts left: PROCESSING, SEND_REVIEW_RETRY
    - a P0 or P1 finding, none left: FAILED, COMPLETE_FAILURE
    - passed, or only lesser findings: SUCCESS, COMPLETE_SUCCESS
    """
    review = event.review
    issues = list(review.issues)
    kept = {"last_review_result": review, "review_answer_due": False}
    if event.no_progress:
        text = "No progress since the last review"
        return _failed(EndReason.NO_PROGRESS, _REVIEW_FAILED + text, "Review failed: no progress detected", **kept)
    if review.fatal_error:
        text = review.parse_error or "the reviewer reported a fatal error"
        return _failed(EndReason.REVIEW_FAILED, _REVIEW_FAILED + text, "Review failed: unrecoverable error", **kept)
    if review.parse_error is not None:
        return _review_again(config, ctx, "Review parse error", unusable_text(review), kept)
    blocking = blocking_issues(review)
    if blocking:
        return _review_blocked(config, ctx, event, blocking, kept)
    if review.passed or issues:
        count = f" with {len(issues)} low-priority issues" if issues else ""
        return _succeeded(f"Review passed{count}", {**kept, "low_priority_review_issues": issues})
    return _review_again(config, ctx, "Review unclear", unusable_text(review), kept)


def _review_again(
    config: LifecycleConfig, ctx: LifecycleContext, what: str, text: str, kept: Mapping[str, Any]
) -> Move:
    attempt, limit = ctx.retry_state.review_attempt, config.max_review_retries
    if attempt < limit:
        message = f"{what}, review again {attempt + 1}/{limit}: {text}"
        retry = {"review_attempt": attempt + 1}
        state, effect = LifecycleState.RUNNING_REVIEW, Effect.RUN_REVIEW
        return Move(state=state, effect=effect, message=message, context=kept, retry=retry)
    return _failed(EndReason.REVIEW_FAILED, _REVIEW_FAILED + text, f"{what}, no retries left", **kept)


def _review_blocked(
    config: LifecycleConfig,
    ctx: LifecycleContext,
    event: ReviewAnswered,
    blocking: list[ReviewIssue],
    kept: Mapping[str, Any],
) -> Move:
    attempt, limit = ctx.retry_state.review_attempt, config.max_review_retries
    if attempt < limit:
        retry: dict[str, Any] = {
            "log_offset": event.new_log_offset,
            "review_attempt": attempt + 1,
            "previous_findings": tuple(event.review.issues),
        }
        if ctx.last_gate_result:
            retry["previous_commit_hash"] = ctx.last_gate_result.commit_hash
        reviewed = retry.get("previous_commit_hash", ctx.retry_state.previous_commit_hash)
        return Move(
            state=LifecycleState.PROCESSING,
            effect=Effect.SEND_REVIEW_RETRY,
            message=f"Review retry {attempt + 1}/{limit}",
            context={
                **kept,
                "review_answer_due": True,
                "reviewed_commit_hash": reviewed,
                "review_log_offset": event.new_log_offset,
            },
            retry=retry,
        )
    named = "; ".join(f"{issue.file}:{issue.line_start}: {issue.title}" for issue in blocking[:3])
    return _failed(EndReason.REVIEW_FAILED, _REVIEW_FAILED + named, "Review failed, no retries left", **kept)


def timed_out(config: LifecycleConfig, ctx: LifecycleContext, event: TimedOut) -> Move:
    """One budget for agent, gate, review and waits.

    - always: FAILED, COMPLETE_FAILURE
    """
    text = _timeout_text(event)
    return _failed(EndReason.TIMEOUT, text, text)


def went_idle(config: LifecycleConfig, ctx: LifecycleContext, event: WentIdle) -> Move:
    """The idle retries of the turn are used up, or none is safe.

    - always: FAILED, COMPLETE_FAILURE
    """
    return _failed(EndReason.IDLE, _error_text(event.error), f"Agent idle: {_error_text(event.error)}")


def erred(config: LifecycleConfig, ctx: LifecycleContext, event: Erred) -> Move:
    """Whatever it was, the session ends with its text.

    - always: FAILED, COMPLETE_FAILURE
    """
    return _failed(EndReason.AGENT_ERROR, _error_text(event.error), f"Error: {_error_text(event.error)}")


def aborted(config: LifecycleConfig, ctx: LifecycleContext, event: Aborted) -> Move:
    """Not the session's own doing.

    - always: FAILED, COMPLETE_FAILURE
    """
    return _failed(event.reason, event.text, f"Aborted: {event.text}")


def _timeout_text(event: TimedOut) -> str:
    seconds = round(event.minutes * 60, 3)
    whole = seconds >= 60 and seconds % 60 == 0
    amount = f"{int(seconds // 60)} minutes" if whole else f"{seconds:g} seconds"
    return f"Timeout after {amount}" + (f": {event.detail}" if event.detail else "")


def _error_text(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def told(event: TimedOut | WentIdle | Erred | Aborted | object) -> str:
    """An event in a few words, for one that came too late."""
    error = getattr(event, "error", None)
    if isinstance(error, BaseException):
        return _error_text(error)
    return str(getattr(event, "text", "")) or type(event).__name__
