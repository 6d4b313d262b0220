"""Every row of the session contract once, in the contract's order; kept by hand, checked by `test_traceability.py`."""

from __future__ import annotations

from . import rows_corrections, rows_lifecycle, rows_runner, rows_turn
from .model import RUNNER, Kind, Row, later, mutant, tested

DEADLOCK = (
    later("D1", "one hold or one wait is no cycle"),
    later("D2", "cycles of two and three agents are found"),
    later("D3", "acquiring ends the wait"),
    later("D4", "agents and holds are removed"),
    later("D5", "acquiring and releasing find nothing"),
    later("D6", "the victim is the youngest"),
    later("D7", "who has unregistered is in no cycle"),
    later("D8", "an agent may have no issue"),
    later("D9", "the callback is called once, plain or awaited"),
    later("D10", "ties, agents that are not registered, and what is told again"),
)
RUNTIME = (
    later("A1", "the builder gives a runtime"),
    later("A2", "the environment has the required variables"),
    later("A3", "given variables are merged in"),
    later("A4", "every step returns the builder"),
    later("A5", "the guards come first, in their order"),
    later("A6", "the stop hook is there unless switched off"),
    later("A7", "a deadlock monitor adds a hook before and one after a tool"),
    later("A8", "lint tools, servers, tools, hooks and environment are passed on"),
)
HOOKS = (
    later("H1", "dangerous commands are blocked"),
    later("H2", "tools that are not allowed are blocked"),
    later("H3", "a file is written only by who holds its lock"),
    later("H4", "a file that has not changed is not read again"),
    later("H5", "a lint run that has passed is not repeated"),
    later("H6", "waiting for a lock is told before it begins"),
    later("H7", "what became of a lock is told after the command"),
    later("H8", "the locks are released at the end"),
    later("H9", "the lint cache knows on which state a run has passed"),
)

ROWS: tuple[Row, ...] = (
    *rows_lifecycle.ROWS,
    *[row for row in rows_turn.ROWS if not row.id.startswith("session:N")],
    *rows_runner.ROWS,
    *DEADLOCK,
    *RUNTIME,
    *HOOKS,
    *[row for row in rows_turn.ROWS if row.id.startswith("session:N")],
    *rows_corrections.ROWS,
)

CANARY = tested(
    "canary",
    "a change that changes nothing must be told as survived",
    [RUNNER + "test_r2_the_first_query_is_the_prompt_alone"],
    mutant(
        "two ends in another order",
        "session/run.py",
        "_ENDS = (Effect.COMPLETE_SUCCESS, Effect.COMPLETE_FAILURE)",
        "_ENDS = (Effect.COMPLETE_FAILURE, Effect.COMPLETE_SUCCESS)",
    ),
)
"""Planted: a run that does not let it survive can't be believed."""


def of_kind(kind: Kind) -> list[Row]:
    return [row for row in ROWS if row.kind is kind]
