"""Say what a run that records did to the cassette of an issue: written, renewed, or replayed as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.plugin.foreign import presentable

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.case import CaseSettings
    from pytest_mala.issue import Issue

__all__ = ["CASSETTE", "Watched", "happened"]

CASSETTE = "mala.cassette"
"""The property that tells it; its value is a word and the cassette's name."""


class Watched:
    """The cassette of an issue, looked at before its session; a file that is written is another file afterwards."""

    def __init__(self, issue: Issue, settings: CaseSettings) -> None:
        self._settings = settings
        self._path = settings.cassettes / f"{issue.id}.yaml"
        self._before = _identity(self._path)

    def properties(self) -> list[tuple[str, object]]:
        """What happened, as a property of the test; nothing in a run that does not record."""
        mode = self._settings.record.value
        if mode == "none":
            return []
        if _identity(self._path) == self._before:
            word = "replayed"
        else:
            word = "renewed" if mode == "stale" and self._before is not None else "written"
        return [(CASSETTE, f"{word} {presentable(self._shown)}")]

    @property
    def _shown(self) -> str:
        root = self._settings.rootdir
        return str(self._path.relative_to(root) if self._path.is_relative_to(root) else self._path)


def happened(value: str) -> tuple[str, str]:
    """The word and the name in the value of a property.

    >>> happened("written my cassettes/calc-1.yaml")
    ('written', 'my cassettes/calc-1.yaml')
    """
    word, _, name = value.partition(" ")
    return word, name


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Cassettes are put in place by a rename, so a new one has another number even on a coarse clock."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
