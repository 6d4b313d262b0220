"""Decides how a connection that fell silent or died is tried again: resumed, asked again, afresh, or not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Attempt", "Cause", "Refused", "Retry", "backoff_seconds", "crash_cause", "decide_retry"]

_DEAD_CLIENT = frozenset({"ProcessError", "CLIConnectionError"})
_NOT_A_DEATH = frozenset({"CLINotFoundError", "ResultError"})


class Cause(Enum):
    """Why an attempt was given up."""

    IDLE = "idle"
    CRASH = "crash"
    STALE = "unknown session id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sending of a prompt: `resume` is the session it goes to, None a fresh one.

    `resumed_first` tells whether the turn's first sending went to an older session, whose history a fresh one lacks.
    """

    prompt: str
    resume: str | None
    resumed_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What is known when an attempt was given up: retries `used` of `allowed`, and what the agent had done.

    `answered` is whether the agent was heard since this prompt was sent; `tool_calls` counts those of the whole turn,
    which a session without memory would repeat.
    """

    used: int
    allowed: int
    session_id: str | None
    tool_calls: int
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again like this; `how` is for people."""

    attempt: Attempt
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No retry; `text` says why."""

    text: str


def decide_retry(
    cause: Cause, last: Attempt, spent: Spent, resume_prompt: str, turn_prompt: str | None = None
) -> Retry | Refused:
    """The next attempt after `last`, or why there is none.

    A fresh session gets `turn_prompt`, what the turn is about (None: the last prompt): it knows nothing to go on with.

    | cause | known | next |
    |---|---|---|
    | any | budget used up | refused |
    | idle, crash | session id, agent was heard | resume with `resume_prompt` |
    | idle, crash | session id, agent not heard | resume with the same prompt (session:X8) |
    | idle, crash | no session id, no tool call | the turn's prompt, fresh session |
    | idle, crash | no session id, tool calls | refused: a replay could repeat side effects |
    | stale | first prompt of a session, no tool call | the turn's prompt, fresh session (design D13) |
    | stale | otherwise | refused: the history would be lost |
    """
    own_prompt = last.prompt if turn_prompt is None else turn_prompt
    fresh = Retry(attempt=Attempt(prompt=own_prompt, resume=None, resumed_first=False), how="fresh session")
    what = "Agent idle" if cause is Cause.IDLE else f"Agent lost ({cause.value})"
    if spent.used >= spent.allowed:
        return Refused(text=f"{what}: all {spent.allowed} retries used")
    if cause is Cause.STALE:
        if last.resumed_first or spent.tool_calls:
            return Refused(
                text=f"{what}: session {last.resume} can't be resumed, and a fresh one would lose its history"
            )
        return fresh
    if spent.session_id is not None:
        prompt = resume_prompt if spent.answered else last.prompt
        how = "resumed" if spent.answered else "resumed, same prompt again"
        attempt = Attempt(prompt=prompt, resume=spent.session_id, resumed_first=last.resumed_first)
        return Retry(attempt=attempt, how=how)
    if spent.tool_calls:
        return Refused(
            text=f"{what} after {spent.tool_calls} tool calls without a session id: a retry could repeat them"
        )
    return fresh


def backoff_seconds(count: int, steps: tuple[float, ...]) -> float:
    """How long to wait before retry `count` (from 1); the last step holds for all later ones.

    >>> [backoff_seconds(count, (0.0, 5.0)) for count in (1, 2, 3)], backoff_seconds(1, ())
    ([0.0, 5.0, 5.0], 0.0)
    """
    return steps[min(count, len(steps)) - 1] if steps and count > 0 else 0.0


def crash_cause(error: Exception, *, is_connected: bool, resume: str | None) -> Cause | None:
    """What an error of the SDK means for a retry, read off class names; None: it is none of the agent's process.

    A process that did not even start (`is_connected` false) would not start the next time either, except that a resumed
    session may be unknown to it.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    if resume is not None and not is_connected and "ResultError" in names and "No conversation found" in str(error):
        return Cause.STALE
    if is_connected and names & _DEAD_CLIENT and not names & _NOT_A_DEATH:
        return Cause.CRASH
    return None
