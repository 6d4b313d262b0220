"""Find the agent's own word that an issue needs no work: a resolution marker with its rationale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mala.session.log import assistant_texts, main_thread, read_entries
from pytest_mala.session.models import IssueResolution, ResolutionOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["MARKERS", "find_marker", "marker_in_log"]

MARKERS = {
    "ISSUE_NO_CHANGE": ResolutionOutcome.NO_CHANGE,
    "ISSUE_OBSOLETE": ResolutionOutcome.OBSOLETE,
    "ISSUE_ALREADY_COMPLETE": ResolutionOutcome.ALREADY_COMPLETE,
}

_MARKER = re.compile(rf"[ \t]*[*_]{{0,3}}({'|'.join(MARKERS)})[*_]{{0,3}}:(.*)")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
_PLACEHOLDER = re.compile(r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\.\.\.|…")


def marker_in_log(path: Path, offset: int = 0) -> IssueResolution | None:
    """The last marker that the agent itself wrote at or after a byte offset of the session log."""
    return find_marker(assistant_texts(main_thread(read_entries(path, offset))))


def find_marker(texts: Iterable[str]) -> IssueResolution | None:
    """The last marker in the agent's texts, or None; the last one is the agent's final word.

    A marker stands on a line of its own, with nothing around it but blanks and emphasis, outside of fenced code and
    quotes: `ISSUE_NO_CHANGE: rationale`. The rationale is the rest of the line and may be missing, which the gate
    then objects to; a line that only repeats the instructions (`ISSUE_NO_CHANGE: <rationale>`) is no marker.

    >>> find_marker(["Nothing to do here.", "**ISSUE_NO_CHANGE**: add() is right as it is"]).rationale
    'add() is right as it is'
    """
    found = None
    for text in texts:
        for line in _prose(text):
            found = _marker(line) or found
    return found


def _marker(line: str) -> IssueResolution | None:
    match = _MARKER.fullmatch(line)
    if match is None:
        return None
    rationale = match.group(2).strip(" \t*_")
    if _PLACEHOLDER.fullmatch(rationale):
        return None
    return IssueResolution(MARKERS[match.group(1)], rationale)


def _prose(text: str) -> Iterator[str]:
    """The lines outside of fenced code; a fence that is never closed runs to the end of the text."""
    fence = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _FENCE.fullmatch(line)
        if match and not fence:
            fence = match.group(1)
        elif match and match.group(1).startswith(fence) and not match.group(2).strip():
            fence = ""
        elif not fence:
            yield line
