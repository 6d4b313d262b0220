"""Compare two cassettes step by step: what was said, done and judged, without the times that no two runs share."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pytest_mala.cli.showing import transcripts
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["differences"]


def differences(one: Path, other: Path) -> list[str]:
    """A unified diff of the stories, empty if they are the same; sessions, calls and commits are numbered in both.

    Raises CassetteError for a file that can't be read.
    """
    was, now = _lines(one), _lines(other)
    return list(difflib.unified_diff(was, now, escaped(str(one)), escaped(str(other)), lineterm="", n=3))


def _lines(path: Path) -> list[str]:
    return "\n".join(transcripts(path, times=False)).splitlines()
