"""The keys under which the plugin keeps its values on pytest's own objects; there are no module globals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from weakref import WeakSet

    from pytest_mala.case import CaseResult
    from pytest_mala.errors import MalaError
    from pytest_mala.issue import Issue
    from pytest_mala.plugin.applications import InUse
    from pytest_mala.plugin.roots import Roots
    from pytest_mala.plugin.settings import Settings

__all__ = [
    "APPLICATION",
    "BARE_ERRORS",
    "ISSUE",
    "LABEL_MARKS",
    "NOTED",
    "NOT_RUN",
    "RECORDED_BY",
    "RESULT",
    "ROOTS",
    "SESSION_ERRORS",
    "SETTINGS",
]

SETTINGS: Final[pytest.StashKey[Settings]] = pytest.StashKey()
"""On the config: what this run was asked for."""

ROOTS: Final[pytest.StashKey[Roots]] = pytest.StashKey()
"""On the config of a run that is about issues: the files they come from."""

NOT_RUN: Final[pytest.StashKey[dict[str, str]]] = pytest.StashKey()
"""On the config: the name of each issue that was left out, and why."""

LABEL_MARKS: Final[pytest.StashKey[set[str]]] = pytest.StashKey()
"""On the config: the marks that were registered for labels."""

ISSUE: Final[pytest.StashKey[Issue]] = pytest.StashKey()
"""On a test: the issue that it was made from."""

RESULT: Final[pytest.StashKey[CaseResult]] = pytest.StashKey()
"""On a test that ran: how its session ended."""

NOTED: Final[pytest.StashKey[list[tuple[str, object]]]] = pytest.StashKey()
"""On a test: the properties that this run of it has given it."""

SESSION_ERRORS: Final[pytest.StashKey[WeakSet[MalaError]]] = pytest.StashKey()
"""On a test written by hand that may run sessions: what they raised; weak, as errors hold whole frames."""

APPLICATION: Final[pytest.StashKey[InUse]] = pytest.StashKey()
"""On a test: the cassette that answers the SDK calls of its own code, from its set-up to its teardown."""

BARE_ERRORS: Final[pytest.StashKey[WeakSet[MalaError]]] = pytest.StashKey()
"""On a test with a cassette for its SDK calls: errors that no line of the user's code has raised."""

RECORDED_BY: Final[pytest.StashKey[dict[str, str]]] = pytest.StashKey()
"""On the config: the test that recorded a cassette of an application in this run, by the cassette's name."""
