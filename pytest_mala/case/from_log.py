"""Turn the story of a session log into a cassette: scrubbed and named like a recording, with nothing made up."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import HarnessError
from pytest_mala.session.history import Prompt
from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import MAX_MS, SESSION_LOG, UNKNOWN
from pytest_mala.transport.names import Names
from pytest_mala.transport.scrub import Outlet, Scrubber, prove
from pytest_mala.transport.telling import BLOCKS, CONTENT, TIME, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mala.session.history import Said, Story
    from pytest_mala.transport.cassette import Cassette

__all__ = ["NO_TIME", "Imported", "LogNames", "Unplayable", "import_story"]

NO_TIME: Final = "1970-01-01T00:00:00Z"
"""The start of a take whose log tells no time."""

_HOME: Final = re.compile(r"(/home/[^/]+|/Users/[^/]+|/root|[A-Za-z]:[\\/]Users[\\/][^\\/]+)(?=[\\/]|\Z)")
_BEFORE: Final = r"(?:(?<![\w.~-])|(?<=\\[bfnrt])|(?<=\s-[A-Za-z]))"
"""What stands before a path: no part of a longer one, but a line end in escaped text, or an option as in `-I/home`."""

_SLUG_MIN: Final = 3
"""Folders of a path from which on the name that the CLI makes of it is long enough to be known in a text."""


class LogNames(Names):
    """Names for the paths of the machine that wrote a log; a path is found only where no longer one goes on.

    >>> names = LogNames.of("/home/ann/app")
    >>> names.hide("/home/ann/app/x.py, /home/ann/apple, /home/anna")
    '${WORKSPACE}/x.py, ${HOME}/apple, /home/anna'
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        longest_first = sorted(self._by_value, key=lambda value: (-len(value), value))
        paths = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._hide = re.compile(rf"\$(?=\{{)|{_BEFORE}(?:{paths})(?![\w-]|\.\w)")

    @classmethod
    def of(cls, folder: str | None) -> LogNames:
        """The names for a session that worked in this folder; its home is known if it leads there."""
        parts = [part for part in re.split(r"[\\/]", folder or "") if part]
        if folder is None or not parts:
            return cls({})
        values = {"WORKSPACE": folder.rstrip("\\/")}
        if (home := _HOME.match(folder)) is not None and home[1] != values["WORKSPACE"]:
            values["HOME"] = home[1]
        if len(parts) >= _SLUG_MIN:
            values["WORKSPACE_SLUG"] = re.sub(r"[^A-Za-z0-9]", "-", values["WORKSPACE"])
        return cls(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplayable:
    """An entry that the SDK could not read: its line, the file of the sub-agent if it stands in one, and why."""

    number: int
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A cassette made of a log, with the scrubber that looked at it, and what was left out of the story."""

    cassette: Cassette
    scrubber: Scrubber
    names: LogNames
    unplayable: tuple[Unplayable, ...]
    has_times: bool


def import_story(story: Story, *, issue: str, environment: Mapping[str, str]) -> Imported:
    """The cassette of the story. Raises HarnessError if secrets can't be kept out of it.

    Secrets are known by their shape, and by the values of `environment`: the log may be this machine's own.
    """
    names = LogNames.of(story.folder)
    scrubber = Scrubber(public=names.values.values(), hide=names.hide)
    scrubber.learn(environment)
    turns, unplayable = _turns(story.steps)
    start = next((found for turn in turns if (found := _first(turn)) is not None), None)
    head = TakeHead(issue=issue, lane=UNKNOWN, sdk=UNKNOWN, start=NO_TIME if start is None else _written(start))
    entries = list(_clean(_entries(head, scrubber, turns), scrubber, names))
    cassette = replace(assemble(head, entries), cli=", ".join(story.versions) or UNKNOWN, source=SESSION_LOG)
    return Imported(
        cassette=cassette, scrubber=scrubber, names=names, unplayable=unplayable, has_times=start is not None
    )


_Turn = list["Prompt | Said"]


def _turns(steps: Sequence[Prompt | Said]) -> tuple[list[_Turn], tuple[Unplayable, ...]]:
    """What can be played, in parts that begin with a prompt; the first one may lack it."""
    turns: list[_Turn] = [[]]
    unplayable = []
    for step in steps:
        if isinstance(step, Prompt):
            turns.append([step])
        elif why := problem_of(step.frame):
            unplayable.append(Unplayable(number=step.number, name=step.name, why=why))
        else:
            turns[-1].append(step)
    return [turn for turn in turns if turn], tuple(unplayable)


def _first(turn: _Turn) -> datetime | None:
    return next((step.time for step in turn if step.time is not None), None)


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entries(head: TakeHead, scrubber: Scrubber, turns: Sequence[_Turn]) -> Iterator[dict[str, Any]]:
    """As a recorder writes them to its journal; a turn's time stands at its last frame, as no other is known."""
    yield {**head.to_entry(), "t": 0.0}
    proof = prove(scrubber)
    if not proof.is_whole:
        missed = ", ".join(proof.missed[:5])
        raise HarnessError(f"nothing is imported: the scrubber misses secrets that were planted to test it ({missed})")
    yield {"k": "proof", **proof.to_data(), "t": 0.0}
    yield {"k": "connect", "c": 1, "purpose": UNKNOWN, "body": UNKNOWN, "t": 0.0}
    at = 0.0
    for turn in turns:
        for number, step in enumerate(turn):
            if number == len(turn) - 1:
                at += _seconds(turn)
            if isinstance(step, Prompt):
                yield {"k": "send", "c": 1, "m": _prompt(step), "headers": _headers(step), "t": at}
            else:
                yield {"k": "recv", "c": 1, "m": step.frame, "t": at}


def _seconds(turn: _Turn) -> float:
    """From a turn's prompt to its latest entry; 0 where the log does not tell it, or tells what can't be."""
    times = [step.time for step in turn if step.time is not None]
    if turn[0].time is None or len(turn) < 2:
        return 0.0
    seconds = (max(times) - turn[0].time).total_seconds()
    return seconds if 0 <= seconds * 1000 <= MAX_MS else 0.0


def _prompt(step: Prompt) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": step.content}, "session_id": step.session or ""}


def _headers(step: Prompt) -> dict[str, str]:
    form = {CONTENT: BLOCKS} if not isinstance(step.content, str) else {}
    return form | ({TIME: _written(step.time)} if step.time is not None else {})


def _clean(entries: Iterator[dict[str, Any]], scrubber: Scrubber, names: Names) -> Iterator[dict[str, Any]]:
    """Without secrets first, then with names: a name inside of a secret would make it another (record.py)."""
    outlet: Outlet[bool] = Outlet(scrubber)
    for entry in entries:
        for clean, is_hidden in outlet.put(entry, entry["k"] not in ("take", "proof")):
            yield names.hide(clean) if is_hidden else clean
    for clean, is_hidden in outlet.flush():
        yield names.hide(clean) if is_hidden else clean
