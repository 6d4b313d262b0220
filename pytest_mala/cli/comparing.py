"""Compare two cassettes step by step: what was said, done and judged, without the times that no two runs share."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pytest_mala.cli.showing import transcripts
from pytest_mala.errors import CassetteError
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["differences"]


def differences(one: Path, other: Path, takes: tuple[int, int] | None = None) -> list[str]:
    """A unified diff of the stories, empty if they are the same; sessions, calls and commits are numbered in both.

    `takes` are the numbers of a take of each file, else whole files are compared. Raises CassetteError for a file that
    can't be read or has no such take.
    """
    if takes is None:
        return _diff(_lines(one), _lines(other), str(one), str(other))
    was, now = (_lines_of(path, take) for path, take in zip((one, other), takes, strict=True))
    return _diff(was, now, f"{one} take {takes[0]}", f"{other} take {takes[1]}")


def _diff(was: list[str], now: list[str], one: str, other: str) -> list[str]:
    return list(difflib.unified_diff(was, now, escaped(one), escaped(other), lineterm="", n=3))


def _lines(path: Path) -> list[str]:
    return "\n".join(transcripts(path, times=False).values()).splitlines()


def _lines_of(path: Path, take: int) -> list[str]:
    """Without the heading, which names the take."""
    found = transcripts(path, times=False)
    if take not in found:
        raise CassetteError(path, f"there is no take {take}, expected one of {', '.join(map(str, found))}")
    return found[take].splitlines()[1:]
