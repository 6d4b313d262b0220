"""The properties that tests carry to JUnit XML, to the summary and over to xdist's controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_mala.plugin.stash import NOTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

__all__ = [
    "HARNESS",
    "LETTERS",
    "LOOSE",
    "NOTE",
    "STALE",
    "forget",
    "is_harness_error",
    "note",
    "properties_of",
]

HARNESS: Final = "mala.error"
"""The property that names a harness error; its value decides the word in the terminal."""

STALE: Final = "mala.stale"
"""The property that says from which turn on a recording answers prompts that no longer exist."""

LETTERS: Final = {"DIVERGED": "D", "ERROR": "E", "FLAKED": "E"}
"""The words of harness errors, and what stands for each in a run that shows no words."""

LOOSE: Final = "mala.match"
"""The property of a test whose cassette was compared loosely; its value names the cassette."""

NOTE: Final = "mala.cassette_note"
"""The property that holds a remark about the cassette of an application."""


def note(item: pytest.Item, properties: Iterable[tuple[str, object]]) -> None:
    """Give the test properties of this run of it."""
    noted = list(properties)
    item.user_properties += noted
    item.stash.setdefault(NOTED, []).extend(noted)


def forget(item: pytest.Item) -> None:
    """Take away what an earlier run of the same test noted; plugins that repeat failed tests keep the test itself."""
    noted = item.stash.get(NOTED, [])
    item.user_properties[:] = [one for one in item.user_properties if one not in noted]
    noted.clear()


def properties_of(report: pytest.TestReport) -> dict[str, Any]:
    """The report's properties by name."""
    return dict(report.user_properties)


def is_harness_error(report: pytest.TestReport) -> bool:
    """Whether the report is one of a session that could not be judged."""
    return report.failed and HARNESS in properties_of(report)
