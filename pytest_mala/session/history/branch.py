"""Choose what was played among the entries of a log: prompts that were edited or sent again leave branches behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.session.history.lines import LogLine

__all__ = ["Branch", "played"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The entries of the last branch, in the order of the file.

    `abandoned` counts messages of other branches, `repeated` those whose id was there before, `unlinked` links to
    entries that are not in the file: there the entry before it in the file is taken.
    """

    lines: tuple[LogLine, ...]
    abandoned: int
    repeated: int
    unlinked: int


def played(lines: Sequence[LogLine]) -> Branch:
    """The branch that ends in the last message of these entries, which must be of one agent.

    Of one answer of the API, the CLI links tool calls that ran side by side, and their results, as branches: they
    belong to it all the same.
    """
    first: dict[str, LogLine] = {}
    known = [line for line in lines if line.uuid is None or first.setdefault(line.uuid, line) is line]
    chain, unlinked = _chain(known, {uuid: at for at, line in enumerate(known) if (uuid := line.uuid) is not None})
    chosen = chain | _beside(known, chain)
    kept = tuple(line for at, line in enumerate(known) if at in chosen and _is_told(line))
    messages = sum(line.is_message for line in known)
    return Branch(
        lines=kept,
        abandoned=messages - sum(line.is_message for line in kept),
        repeated=sum(line.is_message for line in lines) - messages,
        unlinked=unlinked,
    )


def _is_told(line: LogLine) -> bool:
    return line.is_message or line.is_boundary


def _chain(known: Sequence[LogLine], places: dict[str, int]) -> tuple[set[int], int]:
    """The places from the last message back to where it began."""
    at = next((at for at in range(len(known) - 1, -1, -1) if known[at].is_message), None)
    chain: set[int] = set()
    unlinked = 0
    before = _before(known)
    while at is not None and at not in chain:
        chain.add(at)
        line = known[at]
        parent = line.data.get("parentUuid") or (line.data.get("logicalParentUuid") if line.is_boundary else None)
        if isinstance(parent, str) and places.get(parent, at) != at:
            at = places[parent]
        elif parent is not None or "parentUuid" not in line.data or _goes_on(line):
            unlinked += parent is not None and before[at] is not None
            at = before[at]
        else:
            break
    return chain, unlinked


def _before(known: Sequence[LogLine]) -> list[int | None]:
    """For each place that of the nearest message or boundary before it."""
    found: list[int | None] = []
    last = None
    for at, line in enumerate(known):
        found.append(last)
        last = at if _is_told(line) else last
    return found


def _goes_on(line: LogLine) -> bool:
    """A compacted context begins a chain of its own in some versions; what it continues stands before it."""
    return line.is_boundary or line.data.get("isCompactSummary") is True


def _beside(known: Sequence[LogLine], chain: set[int]) -> set[int]:
    """What belongs to the answers of the chain but is linked beside it: more of the same answer, results of calls."""
    answers = {answer for at in chain if (answer := _answer(known[at])) is not None}
    found = {at for at, line in enumerate(known) if at not in chain and _answer(line) in answers}
    calls = {call for at in chain | found for call in _calls(known[at])}
    answered = {result for at in chain for result in _results(known[at])}
    for at, line in enumerate(known):
        results = _results(line)
        if at not in chain and results and all(one in calls and one not in answered for one in results):
            found.add(at)
            answered.update(results)
    return found


def _answer(line: LogLine) -> object:
    """The id of the API's answer that an entry is a part of."""
    answer = line.data["message"].get("id") if line.is_message and line.data.get("type") == "assistant" else None
    return answer if isinstance(answer, str) else None


def _results(line: LogLine) -> list[str]:
    ids = [block.get("tool_use_id") for block in line.blocks if block.get("type") == "tool_result"]
    return [one for one in ids if isinstance(one, str)]


def _calls(line: LogLine) -> list[str]:
    ids = [block.get("id") for block in line.blocks if block.get("type") == "tool_use"]
    return [one for one in ids if isinstance(one, str)]
