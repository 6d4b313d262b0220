"""Say why a comparison with one of these values does not hold, in lines for the person who reads a failed test."""

from __future__ import annotations

from pytest_mala.testing.gates import GateCheck
from pytest_mala.testing.outcome import Outcome

__all__ = ["explain"]


def explain(op: str, left: object, right: object) -> list[str] | None:
    """The lines, or None if neither side is one of ours or it is another comparison than `==` and `!=`."""
    if op not in ("==", "!="):
        return None
    for one, other in ((left, right), (right, left)):
        if isinstance(one, (Outcome, GateCheck)):
            return one.explained(op, other)
    return None
