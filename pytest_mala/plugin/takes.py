"""Which takes of an issue are tests of this run: `calc-1`, `calc-1[take2]`, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mala.transport.cassette.heads import take_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mala.plugin.settings import Settings

__all__ = ["take_marks"]


def take_marks(issue_id: str, settings: Settings) -> list[pytest.MarkDecorator]:
    """The mark that makes a test of each take; none for an issue with its first take only.

    Replayed is what the cassette holds. Recorded are as many takes as were asked for, else those that are there; the
    modes once and stale leave none out that is there (design D6).
    """
    numbers = _numbers(issue_id, settings)
    if numbers == [1]:
        return []
    return [pytest.mark.parametrize("mala_take", list(map(_parameter, numbers)))]


def _numbers(issue_id: str, settings: Settings) -> list[int]:
    recorded = take_numbers(settings.cassette_dir / f"{issue_id}.yaml")
    asked: Iterable[int] = range(1, (settings.takes or 0) + 1)
    if settings.lane == "replay":
        found = {*recorded}
    elif settings.record == "all":
        found = {*(asked or recorded)}
    else:
        found = {*asked, *recorded} if settings.record != "none" else set()
    return sorted(found) or [1]


def _parameter(number: int) -> object:
    """The first take has the name of the issue alone, also where there are others."""
    return pytest.param(number, id=pytest.HIDDEN_PARAM if number == 1 else f"take{number}")
