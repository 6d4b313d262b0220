"""Say what a run that records did to the cassette of an issue: written, renewed, or replayed as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.plugin.foreign import presentable
from pytest_mala.transport.cassette.heads import take_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.case import CaseSettings

__all__ = ["CASSETTE", "Watched", "happened"]

CASSETTE = "mala.cassette"
"""The property that tells it; its value is a word and the cassette's name."""


class Watched:
    """A cassette, looked at before its session."""

    def __init__(self, path: Path, settings: CaseSettings) -> None:
        self._settings = settings
        self._path = path
        self._was_there = self._path.exists() and settings.take in (take_numbers(self._path) or (settings.take,))

    def properties(self, *, is_replayed: bool, kept: str = "") -> list[tuple[str, object]]:
        """What happened to the take, as a property of the test; nothing in a run that does not record. `kept` says how
        much of a renewed one was not recorded again.
        """
        mode = self._settings.record.value
        if mode == "none":
            return []
        word = "renewed" if mode == "stale" and self._was_there else "written"
        more = f" ({kept})" if kept else ""
        return [(CASSETTE, f"{'replayed' if is_replayed else word} {presentable(self._shown)}{more}")]

    @property
    def _shown(self) -> str:
        take = self._settings.take
        return self._settings.shown(self._path) + (f" (take {take})" if take > 1 else "")


def happened(value: str) -> tuple[str, str]:
    """The word and the name in the value of a property.

    >>> happened("written my cassettes/calc-1.yaml")
    ('written', 'my cassettes/calc-1.yaml')
    """
    word, _, name = value.partition(" ")
    return word, name
