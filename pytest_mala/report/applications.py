"""Tell in the summary what is worth to know of cassettes of applications: remarks, and which were compared loosely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["application_lines"]

_IGNORED: Final = "ids, times, durations, hashes, temporary and home paths count as equal; issues are matched strictly"


def application_lines(notes: Iterable[str], loose: Iterable[str]) -> list[str]:
    """The lines of the summary, from remarks and the cassettes that were compared loosely.

    >>> application_lines(["c/a.yaml: 1 answer was never asked for"], [])
    ['note: c/a.yaml: 1 answer was never asked for']
    """
    lines = [f"note: {one}" for one in notes]
    if names := set(loose):
        lines.append(f"matching: loose for {counted(len(names), 'cassette')} of applications ({_IGNORED})")
    return lines
