"""Draws the lifecycle for the docs from its table: `python -m pytest_mala.session.diagram` renews docs/lifecycle.md.

Which events move which state is read from the table; where they lead, and if what, from the docstrings of the cells
(lines `- guard: STATE, EFFECT`). A test runs the cells and compares.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pytest_mala.errors import UsageError
from pytest_mala.session import happenings as happened
from pytest_mala.session.context import Effect, LifecycleState
from pytest_mala.session.lifecycle import TABLE, Cell, Ignored, Illegal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["COMMAND", "Way", "diagram", "generated", "renewed", "ways"]

COMMAND = "python -m pytest_mala.session.diagram"
BEGIN = f"<!-- generated from the table of the lifecycle; renew it with `{COMMAND}` -->"
END = "<!-- end of the generated part -->"

_WAY = re.compile(r"^- (?P<guard>[^:;]+): (?P<target>[A-Z_]+), (?P<effect>[A-Z_]+)$", re.MULTILINE)
_ALWAYS = "always"
_EVENTS: tuple[type[happened.Event], ...] = get_args(happened.Event)
_RUNNING = tuple(state for state in LifecycleState if state not in (LifecycleState.SUCCESS, LifecycleState.FAILED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way out of a state: the event, the condition, where it leads, and what the shell must do then."""

    state: LifecycleState
    event: type[happened.Event]
    guard: str
    target: LifecycleState
    effect: Effect


def ways(table: Mapping[LifecycleState, Mapping[type[happened.Event], Cell]] = TABLE) -> list[Way]:
    """All of them, in the order of states, events and conditions; `UsageError` for a cell that tells none."""
    return [way for state, row in table.items() for event, cell in row.items() for way in _ways_of(state, event, cell)]


def _ways_of(state: LifecycleState, event: type[happened.Event], cell: Cell) -> list[Way]:
    if isinstance(cell, Ignored | Illegal):
        return []
    found = [
        Way(
            state=state,
            event=event,
            guard=line["guard"],
            target=LifecycleState[line["target"]],
            effect=Effect[line["effect"]],
        )
        for line in _WAY.finditer(getdoc(cell) or "")
    ]
    if not found:
        raise UsageError(f"the docstring of the cell {cell!r} tells no way: write lines `- guard: STATE, EFFECT`")
    return found


def _everywhere() -> list[type[happened.Event]]:
    """Events that do the same in every running state: they are told once instead of drawn five times."""
    return [event for event in _EVENTS if len({TABLE[state][event] for state in _RUNNING}) == 1]


def diagram() -> str:
    """A Mermaid state diagram; ways between the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for way in ways():
        if way.event not in _everywhere():
            label = way.event.__name__ + ("" if way.guard == _ALWAYS else f" ({way.guard})")
            arrows.setdefault((way.state.name, way.target.name), []).append(label)
    shared = ", ".join(event.__name__ for event in _everywhere())
    return "\n".join([
        "stateDiagram-v2",
        "    [*] --> INITIAL",
        *[f"    {begin} --> {end}: {'<br/>'.join(labels)}" for (begin, end), labels in arrows.items()],
        "    SUCCESS --> [*]",
        "    FAILED --> [*]",
        "    note left of FAILED",
        "        from every state that is not an end",
        f"        {shared}",
        "    end note",
    ])  # fmt: skip


def generated() -> str:
    """What stands between the two markers: the diagram, and tables of the ways, the events and the other cells."""
    ignored = {cell.reason for row in TABLE.values() for cell in row.values() if isinstance(cell, Ignored)}
    return "\n\n".join([
        f"```mermaid\n{diagram()}\n```",
        "### Events that move",
        _ways_table(),
        "### What the events say",
        _table(("event", "what happened"), [(f"`{event.__name__}`", _summary(event)) for event in _EVENTS]),
        "### Ignored and illegal events",
        f"An ignored event changes nothing and says why ({', '.join(sorted(ignored))}); its effect is"
        " `COMPLETE_FAILURE`. An illegal one raises `IllegalTransition`, which is a `ValueError`, and changes nothing.",
        _cells_table(),
    ])  # fmt: skip


def _ways_table() -> str:
    everywhere = _everywhere()
    shown = [way for way in ways() if way.event not in everywhere or way.state is _RUNNING[0]]
    rows = [
        (
            "each that is not an end" if way.event in everywhere else f"`{way.state.name}`",
            f"`{way.event.__name__}`",
            way.guard,
            f"`{way.target.name}`",
            f"`{way.effect.name}`",
        )
        for way in sorted(shown, key=lambda way: way.event in everywhere)
    ]
    return _table(("in state", "event", "if", "new state", "effect"), rows)


def _cells_table() -> str:
    words = {Ignored: "ignored", Illegal: "illegal"}
    rows = [
        (f"`{event.__name__}`", *[words.get(type(TABLE[state][event]), "moves") for state in LifecycleState])
        for event in _EVENTS
    ]
    return _table(("event", *[f"`{state.name}`" for state in LifecycleState]), rows)


def _summary(event: type[happened.Event]) -> str:
    return (getdoc(event) or "").splitlines()[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def renewed(page: str) -> str:
    """The page with its generated part made anew; `UsageError` if it has not the two markers in their order."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"the page has no generated part: it begins with the line {BEGIN} and ends with {END}")
    return f"{before}{BEGIN}\n\n{generated()}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """Renews the page of that path, `docs/lifecycle.md` by default; leaves with one line if that is impossible."""
    page = Path(arguments[0] if arguments else "docs/lifecycle.md")
    try:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    except FileNotFoundError:
        raise SystemExit(f"{page} does not exist: run this at the top of a checkout, or give the path") from None
    except UsageError as error:
        raise SystemExit(f"{page}: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
