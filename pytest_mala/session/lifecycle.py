"""The session's state machine: one literal table, total over state and event; the cells stand in `transitions.py`.

An event that can't happen in a state is ILLEGAL: it raises and changes nothing. One that comes too late is `Ignored`:
it changes nothing and says so. The public methods only wrap their arguments into an event and look up its cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_mala.errors import MalaError
from pytest_mala.issue.model import EndReason
from pytest_mala.session import happenings as happened, transitions as cell
from pytest_mala.session.context import (
    TRACKING_DISABLED,
    ContextUsage,
    Effect,
    GateOutcome,
    LifecycleConfig,
    LifecycleContext,
    LifecycleState,
    RetryState,
    ReviewIssue,
    ReviewOutcome,
    TransitionResult,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ILLEGAL",
    "LATE",
    "TABLE",
    "TRACKING_DISABLED",
    "ContextUsage",
    "Effect",
    "GateOutcome",
    "Ignored",
    "Illegal",
    "IllegalTransition",
    "ImplementerLifecycle",
    "LifecycleConfig",
    "LifecycleContext",
    "LifecycleState",
    "RetryState",
    "ReviewIssue",
    "ReviewOutcome",
    "TransitionResult",
]


class IllegalTransition(MalaError, ValueError):
    """The event can't happen in this state; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event comes too late: nothing changes, and the reason is told."""

    reason: str


@dataclass(frozen=True, slots=True)
class Illegal:
    """The event can't happen here."""


Cell: TypeAlias = Callable[[LifecycleConfig, LifecycleContext, Any], cell.Move] | Ignored | Illegal

ILLEGAL: Final = Illegal()
LATE: Final = Ignored("the session is in a terminal state")

_S = LifecycleState
TABLE: Mapping[LifecycleState, Mapping[type[happened.Event], Cell]] = {
    _S.INITIAL: {
        happened.Started: cell.start,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: cell.timed_out,
        happened.WentIdle: cell.went_idle,
        happened.Erred: cell.erred,
        happened.Aborted: cell.aborted,
    },
    _S.PROCESSING: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: cell.turn_ended,
        happened.TurnFailed: cell.turn_failed,
        happened.TurnBroken: cell.turn_broken,
        happened.ContextFilled: cell.context_filled,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: cell.timed_out,
        happened.WentIdle: cell.went_idle,
        happened.Erred: cell.erred,
        happened.Aborted: cell.aborted,
    },
    _S.AWAITING_LOG: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: cell.log_ready,
        happened.LogTimedOut: cell.log_timed_out,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: cell.timed_out,
        happened.WentIdle: cell.went_idle,
        happened.Erred: cell.erred,
        happened.Aborted: cell.aborted,
    },
    _S.RUNNING_GATE: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: cell.gate_answered,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: cell.timed_out,
        happened.WentIdle: cell.went_idle,
        happened.Erred: cell.erred,
        happened.Aborted: cell.aborted,
    },
    _S.RUNNING_REVIEW: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: cell.review_answered,
        happened.TimedOut: cell.timed_out,
        happened.WentIdle: cell.went_idle,
        happened.Erred: cell.erred,
        happened.Aborted: cell.aborted,
    },
    _S.SUCCESS: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: LATE,
        happened.WentIdle: LATE,
        happened.Erred: LATE,
        happened.Aborted: LATE,
    },
    _S.FAILED: {
        happened.Started: ILLEGAL,
        happened.TurnEnded: ILLEGAL,
        happened.TurnFailed: ILLEGAL,
        happened.TurnBroken: ILLEGAL,
        happened.ContextFilled: ILLEGAL,
        happened.LogReady: ILLEGAL,
        happened.LogTimedOut: ILLEGAL,
        happened.GateAnswered: ILLEGAL,
        happened.ReviewAnswered: ILLEGAL,
        happened.TimedOut: LATE,
        happened.WentIdle: LATE,
        happened.Erred: LATE,
        happened.Aborted: LATE,
    },
}


class ImplementerLifecycle:
    """Where one session stands; every method takes the context, writes to it, and says what must be done now.

    A method raises `ValueError` when its event can't happen in the present state; state and context are then unchanged.
    """

    def __init__(self, config: LifecycleConfig) -> None:
        self.config = config
        self._state = LifecycleState.INITIAL

    @property
    def state(self) -> LifecycleState:
        """The present state."""
        return self._state

    @property
    def is_terminal(self) -> bool:
        """Whether the session is over."""
        return self._state in (LifecycleState.SUCCESS, LifecycleState.FAILED)

    def start(self) -> TransitionResult:
        """The session begins, or begins anew after `on_context_filled`."""
        return self._feed(LifecycleContext(), happened.Started())

    def on_messages_complete(self, ctx: LifecycleContext, has_session_id: bool) -> TransitionResult:
        """The agent's turn ended with a result that is no error."""
        return self._feed(ctx, happened.TurnEnded(has_session_id=has_session_id))

    def on_turn_failed(self, ctx: LifecycleContext, reason: EndReason, text: str) -> TransitionResult:
        """The agent's turn ended with an error result."""
        return self._feed(ctx, happened.TurnFailed(reason=reason, text=text))

    def on_turn_broken(self, ctx: LifecycleContext, text: str) -> TransitionResult:
        """The stream ended and there was no result."""
        return self._feed(ctx, happened.TurnBroken(text=text))

    def on_context_filled(self, ctx: LifecycleContext) -> TransitionResult:
        """The context is full and there is work left: back to INITIAL, with all budgets kept, or FAILED."""
        return self._feed(ctx, happened.ContextFilled())

    def on_log_ready(self, ctx: LifecycleContext) -> TransitionResult:
        """The session log holds the turn."""
        return self._feed(ctx, happened.LogReady())

    def on_log_timeout(self, ctx: LifecycleContext, log_path: str, detail: str = "") -> TransitionResult:
        """The session log did not come in time."""
        return self._feed(ctx, happened.LogTimedOut(log_path=log_path, detail=detail))

    def on_gate_result(self, ctx: LifecycleContext, gate_result: GateOutcome, new_log_offset: int) -> TransitionResult:
        """The gate has judged; `new_log_offset` is where the next attempt's evidence begins."""
        return self._feed(ctx, happened.GateAnswered(gate=gate_result, new_log_offset=new_log_offset))

    def on_review_result(
        self, ctx: LifecycleContext, review_result: ReviewOutcome, new_log_offset: int, no_progress: bool = False
    ) -> TransitionResult:
        """The reviewer has judged (design D10), or with `no_progress` there was nothing new to review."""
        event = happened.ReviewAnswered(review=review_result, new_log_offset=new_log_offset, no_progress=no_progress)
        return self._feed(ctx, event)

    def on_timeout(self, ctx: LifecycleContext, timeout_minutes: float, detail: str = "") -> TransitionResult:
        """The session's time is used up; a part of a minute is told in seconds."""
        return self._feed(ctx, happened.TimedOut(minutes=timeout_minutes, detail=detail))

    def on_idle(self, ctx: LifecycleContext, error: BaseException) -> TransitionResult:
        """The agent was silent for too long, and no retry is left or possible."""
        return self._feed(ctx, happened.WentIdle(error=error))

    def on_error(self, ctx: LifecycleContext, error: BaseException) -> TransitionResult:
        """Something broke; an error without text is told by its type."""
        return self._feed(ctx, happened.Erred(error=error))

    def on_abort(self, ctx: LifecycleContext, text: str, reason: EndReason = EndReason.ABORTED) -> TransitionResult:
        """Somebody outside stopped the session."""
        return self._feed(ctx, happened.Aborted(text=text, reason=reason))

    def _feed(self, ctx: LifecycleContext, event: happened.Event) -> TransitionResult:
        found = TABLE[self._state][type(event)]
        if isinstance(found, Illegal):
            raise IllegalTransition(self._illegal_text(event))
        if isinstance(found, Ignored):
            text = f"{found.reason} ({self._state.name}); ignored: {cell.told(event)}"
            return TransitionResult(self._state, Effect.COMPLETE_FAILURE, text)
        move = found(self.config, ctx, event)
        for name, value in move.context.items():
            setattr(ctx, name, value)
        for name, value in move.retry.items():
            setattr(ctx.retry_state, name, value)
        self._state = move.state
        return TransitionResult(move.state, move.effect, move.message)

    def _illegal_text(self, event: happened.Event) -> str:
        if isinstance(event, happened.Started):
            return f"Cannot start from state {self._state.name}: a session is started once"
        return f"Unexpected state {self._state.name} for {type(event).__name__}: nothing was changed"
