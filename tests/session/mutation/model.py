"""What a mutation run is about: a change of a function, what became of it, and why it may stay unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

PROJECT = Path(__file__).resolve().parents[3]
PACKAGE = "pytest_mala"
ROOM = "session"
COMMAND = "python -m tests.session.mutation"
NOT_MUTATED = ("session/events.py", "session/protocols.py", "session/diagram.py")
"""Declarations without work of their own, and the page of the diagram, which is compared as a whole."""


class CannotJudge(Exception):
    """Nothing can be said about the mutants; the command ends with status 2 and this text."""


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TYPE_CHECK = "caught by a type check"
    TIMEOUT = "timed out"
    SURVIVED = "survived"
    NO_TESTS = "reached by no test"
    SKIPPED = "skipped"
    SUSPICIOUS = "suspicious"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    NOT_CHECKED = "not checked"


NOTICED = frozenset({Verdict.KILLED, Verdict.TYPE_CHECK, Verdict.TIMEOUT})
"""A mutant that hangs is noticed: no suite that hangs passes. All others need an explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed text of a function, in lines without indentation: it stays the same where lines or numbers move.

    `module` is relative to the package, as "session/stream.py"; `function` reads "function" or "Class.method".
    """

    module: str
    function: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    change: Change
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why no test can notice a change; `times` tells how often it is made (a text may stand in a function twice)."""

    change: Change
    why: str
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How many mutants had which verdict, and the mutants that were not simply killed."""

    counts: Counter[Verdict]
    told: tuple[Mutant, ...]


def modules() -> list[str]:
    """The modules that are mutated, relative to the package."""
    package = PROJECT / PACKAGE
    found = (path.relative_to(package).as_posix() for path in (package / ROOM).rglob("*.py"))
    return sorted(name for name in found if name not in NOT_MUTATED)
