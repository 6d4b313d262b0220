"""What a take says, ready to be replayed: its connections step by step, its trees, gates and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_mala.transport.names import EVERYWHERE, Places, named_places

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ConnectionScript", "GateScript", "Step", "TakeScript", "names_in"]

_NOTHING: Mapping[str, Any] = {}


class Step(NamedTuple):  # and no dataclass: a long take has tens of thousands, and making them is what loading costs
    """One thing that happens on a recorded connection.

    `kind`: query, control (the SDK begins), cli (a frame arrives), sdk (an answer of ours), tree, decision, end.
    `index` counts the frames of the connection from 1, as messages name them; `ms` is the gap before it; `named` are
    the places of names in a frame that is to be delivered (transport/names.py).
    """

    kind: str
    index: int  # type: ignore[assignment]  # a tuple has a method of that name, which nobody calls here
    turn: int
    value: Any
    ms: int = 0
    trailing: bool = False
    headers: Mapping[str, str] = _NOTHING
    extra: Mapping[str, Any] = _NOTHING
    named: Places = EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionScript:
    """One recorded connection: why it was opened, with which options, and what happened on it in order."""

    number: int
    purpose: str
    options: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateScript:
    """One recorded gate attempt: a row of JSON and a duration in milliseconds for each check."""

    attempt: int
    rows: tuple[Mapping[str, Any], ...]
    ms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeScript:
    """All that a take says, ready to be replayed: connections, trees by turn, gates by attempt, the lifecycle's
    decisions.
    """

    connections: tuple[ConnectionScript, ...]
    trees: Mapping[int, Mapping[str, Any]]
    gates: Mapping[int, GateScript]
    decisions: tuple[str, ...]

    @property
    def turns(self) -> int:
        """How many prompts were sent."""
        return sum(step.kind == "query" for one in self.connections for step in one.steps)


def names_in(frame: Mapping[str, Any]) -> Places:
    """The places of names in a frame. Control frames get ids of this run in places of their own: all of such a frame is
    made anew.
    """
    return EVERYWHERE if frame.get("type") in ("control_request", "control_response") else named_places(frame)
