"""What the table of rows is made of: a row of the contract, its tests, and the change of the code that they notice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]

IDLE = "tests/session/test_idle.py::"
STREAM = "tests/session/test_stream.py::"
LIFECYCLE = "tests/session/test_lifecycle.py::"
PRESSURE = "tests/session/test_pressure.py::"
PROMPTS = "tests/session/test_prompts.py::"
RUNNER = "tests/session/test_runner.py::"
ITERATION = "tests/session/test_iteration.py::"
EFFECTS = "tests/session/test_effects.py::"
PROTOCOLS = "tests/session/test_session_protocols.py::"
CORRECTIONS = "tests/session/test_session_rows_corrections.py::"


class Kind(Enum):
    """How a row is accounted for."""

    TESTED = "tested"
    LATER = "issue 6"
    NOT_APPLICABLE = "does not apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One named change of one file: `old` stands in it exactly once. `file` is relative to the project."""

    name: str
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the contract in our own words; tested ones have tests (node ids) and a mutant that fails one of them."""

    id: str
    says: str
    kind: Kind
    tests: tuple[str, ...] = ()
    mutant: Mutant | None = None
    reason: str = ""


def mutant(name: str, file: str, old: str, new: str) -> Mutant:
    """`file` is relative to the package, or lies in the folder of prompts."""
    return Mutant(name=name, file=file if file.startswith("prompts/") else f"pytest_mala/{file}", old=old, new=new)


def tested(id_: str, says: str, tests: list[str], change: Mutant) -> Row:
    return Row(id=f"session:{id_}", says=says, kind=Kind.TESTED, tests=tuple(tests), mutant=change)


def later(id_: str, says: str) -> Row:
    return Row(id=f"session:{id_}", says=says, kind=Kind.LATER)


def not_applicable(id_: str, says: str, reason: str) -> Row:
    return Row(id=f"session:{id_}", says=says, kind=Kind.NOT_APPLICABLE, reason=reason)
