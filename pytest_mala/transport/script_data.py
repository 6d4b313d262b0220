"""A take that is ready to be played as JSON data, and back: what is kept between runs (transport/cassette/kept.py)."""

from __future__ import annotations

from typing import Any

from pytest_mala.transport.takes import ConnectionScript, GateScript, Step, TakeScript

__all__ = ["from_data", "to_data"]


def to_data(script: TakeScript) -> dict[str, Any]:
    """The script as JSON data; a step is the list of its fields."""
    return {
        "connections": [[one.number, one.purpose, one.options, one.steps] for one in script.connections],
        "trees": list(script.trees.items()),
        "gates": [[one.attempt, one.rows, one.ms] for one in script.gates.values()],
        "decisions": script.decisions,
    }


def from_data(data: dict[str, Any]) -> TakeScript:
    """The script again. Raises KeyError, TypeError or ValueError for data that `to_data` has not made."""
    connections = tuple(
        ConnectionScript(number=number, purpose=purpose, options=options, steps=tuple(map(Step._make, steps)))
        for number, purpose, options, steps in data["connections"]
    )
    gates = (GateScript(attempt=attempt, rows=tuple(rows), ms=tuple(ms)) for attempt, rows, ms in data["gates"])
    return TakeScript(
        connections=connections,
        trees=dict(data["trees"]),
        gates={one.attempt: one for one in gates},
        decisions=tuple(data["decisions"]),
    )
