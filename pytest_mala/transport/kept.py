"""What of a take can be kept when one of its prompts has new words: everything before it, if a CLI can go on from there
(design D5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError
from pytest_mala.transport.takes import read_take

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mala.transport.cassette import Interaction
    from pytest_mala.transport.takes import Step, TakeScript

__all__ = ["CannotGoOnError", "Kept", "kept_before"]

_INTERRUPTED = "error_during_execution"
"""Subtype of the result of a turn that we interrupted; the CLI's session can be resumed after it."""


_MESSAGES = ("assistant", "user")


class CannotGoOnError(HarnessError):
    """The fresh part of a take can't be kept, `why` says the reason: the session has to be recorded whole."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the fresh turns can't be kept: {why}; record the session whole")
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The fresh part of a take: its interactions, and the same as a script.

    It ends on an open connection, before its first prompt. `prompts` is how many prompts were sent before, `cost_usd`
    what they cost as far as results told it, `session` the session that the connection resumes.
    """

    interactions: tuple[Interaction, ...]
    script: TakeScript
    prompts: int
    cost_usd: float | None
    session: str | None

    @property
    def connection(self) -> int:
        """The number of the connection that goes on."""
        return len(self.script.connections)

    @property
    def frames(self) -> list[Mapping[str, Any]]:
        """All that the CLI said, in order."""
        return [step.value for step in self._steps() if step.kind == "cli"]

    @property
    def is_cut(self) -> bool:
        """Whether the last turn was given up while the model was silent: it was asked, and said nothing any more."""
        last = [step for step in self._steps() if step.turn == self.prompts]
        if not any(step.kind == "decision" for step in last):
            return False
        spoken = [step.value["type"] for step in last if step.kind == "cli" and step.value["type"] in _MESSAGES]
        return not spoken or spoken[-1] == "user"

    def _steps(self) -> Iterator[Step]:
        return (step for one in self.script.connections for step in one.steps)


def kept_before(recorded: Sequence[Interaction], connection: int, session: str | None) -> Kept:
    """What of a take stands before the first prompt of a connection, which resumes `session` (None: a new one).

    Raises CannotGoOnError if the CLI could not take up the session there as it did when it was recorded.
    """
    place = f"/connection/{connection}/query/1"
    index = next(index for index, one in enumerate(recorded) if one.uri.endswith(place))
    kept = tuple(recorded[:index])
    script = read_take(kept)
    found = Kept(
        interactions=kept,
        script=script,
        prompts=script.turns,
        cost_usd=_cost(script),
        session=session,
    )
    if session is not None:
        _check_resumable(found, session)
    return found


def _cost(script: TakeScript) -> float | None:
    """A result tells what its session cost so far, also on an earlier connection."""
    costs: dict[str, float] = {}
    for step in (step for one in script.connections for step in one.steps):
        cost = step.value.get("total_cost_usd") if step.kind == "cli" else None
        if isinstance(cost, int | float):
            costs[step.value.get("session_id", "")] = cost
    return sum(costs.values()) if costs else None


def _check_resumable(kept: Kept, session: str) -> None:
    frames = [one for one in kept.frames if one.get("session_id") == session and not one.get("parent_tool_use_id")]
    results = [one for one in frames if one.get("type") == "result"]
    if not frames:
        raise CannotGoOnError(f"the recording holds nothing of session {session}")
    if any(one.get("subtype") == "compact_boundary" for one in frames):
        raise CannotGoOnError("the history was compacted, and a recording does not hold what it was compacted to")
    if results and results[-1].get("is_error") and results[-1].get("subtype") != _INTERRUPTED:
        raise CannotGoOnError(f"turn {kept.prompts} ended in an error")
    if open_calls := _called(frames) - _answered(frames):
        raise CannotGoOnError(f"turn {kept.prompts} ended while a tool was at work ({', '.join(sorted(open_calls))})")


def _called(frames: Sequence[Mapping[str, Any]]) -> set[str]:
    return {block["id"] for block in _blocks(frames, "tool_use") if isinstance(block.get("id"), str)}


def _answered(frames: Sequence[Mapping[str, Any]]) -> set[str]:
    return {block["tool_use_id"] for block in _blocks(frames, "tool_result") if "tool_use_id" in block}


def _blocks(frames: Sequence[Mapping[str, Any]], kind: str) -> Iterator[Mapping[str, Any]]:
    for frame in frames:
        message = frame.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        yield from (one for one in content or () if isinstance(one, dict) and one.get("type") == kind)
