"""What a session is waiting for, in one line: for people who wonder why it does not go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.session.context import LifecycleState

if TYPE_CHECKING:
    from pytest_mala.session.config import SessionExecutionState
    from pytest_mala.session.stream import MessageIterationState

__all__ = ["describe_wait"]


def describe_wait(session: SessionExecutionState, turns: int, activity: str, idle_seconds: float | None) -> str:
    """`turns` have begun; `activity` is what the reader of the turn does, `idle_seconds` its idle timeout."""
    state, messages = session.lifecycle.state, session.msg_state
    match state:
        case LifecycleState.AWAITING_LOG:
            what = f"waiting for the session log {session.log_path}"
        case LifecycleState.RUNNING_GATE:
            what = "waiting for the gate"
        case LifecycleState.RUNNING_REVIEW:
            what = "waiting for the review"
        case LifecycleState.PROCESSING if activity == "reading":
            after = f"`{messages.last_seen}`" if messages.last_seen else "the prompt"
            timers = _timers(messages, idle_seconds)
            return f"waiting for a frame after {after}; {timers} (state {state.name}, turn {turns})"
        case LifecycleState.PROCESSING:
            what = activity or "about to connect"
        case LifecycleState.INITIAL:
            what = "waiting for a checkpoint" if turns else "not started"
        case _:
            what = "ended"
    return f"{what} (state {state.name}, turn {turns})"


def _timers(messages: MessageIterationState, idle_seconds: float | None) -> str:
    behind = f", in the background: {', '.join(messages.background)}" if messages.background else ""
    pending = [f"{messages.tool_names.get(id_, 'tool')} ({id_})" for id_ in sorted(messages.pending_tool_ids)]
    if pending:
        return f"idle timer off, tools pending: {', '.join(pending)}{behind}"
    return ("idle timer off" if idle_seconds is None else f"idle timer on ({idle_seconds:g} s)") + behind
