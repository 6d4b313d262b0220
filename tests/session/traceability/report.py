"""The table as text: a line per mutant while it runs, and the page `docs/traceability.md`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .model import PROJECT, Kind, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .copies import Outcome

PAGE = PROJECT / "docs" / "traceability.md"
COMMAND = "python -m tests.session.traceability"

_INTRO = f"""\
# Traceability of the session core

Every row of the contract of the session core, with the tests that show it and one named change of the code (a mutant)
that makes one of them fail. This page is made by `{COMMAND}`, which applies each mutant to a copy of the
package, runs the row's tests on it in a child process, and ends with status 1 if a mutant survives. A planted change
that changes nothing (the canary) must survive in each run. The data is in `tests/session/traceability/`.

"Issue 6" stands for what the agent gets (guards, locks, deadlock), which is built later.
"""
_SECTIONS = {
    "row": "Transitions (rows 11 to 18 as design D10 has them)",
    "L": "Lifecycle",
    "S": "Stream",
    "P": "Checkpoints",
    "T": "Prompts",
    "E": "Orders of events",
    "R": "Runner",
    "D": "Deadlock",
    "A": "Agent runtime",
    "H": "Hooks",
    "N": "Telemetry",
    "B": "Defects of the reference that it corrected later",
    "X": "Defects that it still has",
    "Y": "Defects of its restarts",
}


def group(row: Row) -> str:
    """The letters of a row's id: `session:R13` is in group R."""
    return row.id.removeprefix("session:").rstrip("0123456789")


def line(outcome: Outcome) -> str:
    """One mutant for a terminal."""
    row = outcome.row
    assert row.mutant is not None
    tests = ", ".join(test.rpartition("::")[2] for test in row.tests)
    return (
        f"{row.id} | {tests} | {row.mutant.file}: {row.mutant.name} | "
        f"{outcome.verdict.value}: {outcome.detail} ({outcome.seconds:.1f} s)"
    )


def summary(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> str:
    """The counts, each with what it is counted of."""
    kinds = Counter(row.kind for row in rows)
    verdicts = Counter(outcome.verdict.value for outcome in outcomes)
    told = ", ".join(f"{kinds[kind]} {kind.value}" for kind in Kind)
    return f"{len(rows)} rows: {told}; {len(outcomes)} mutants: " + ", ".join(
        f"{count} {verdict}" for verdict, count in sorted(verdicts.items())
    )


def page(rows: Sequence[Row], verdicts: Mapping[str, str]) -> str:
    """The whole page; `verdicts` has a word for each tested row's id."""
    kinds = Counter(row.kind for row in rows)
    counts = "| rows | " + " | ".join(kind.value for kind in Kind) + " |\n" + "|---" * (len(Kind) + 1) + "|"
    counts += f"\n| {len(rows)} | " + " | ".join(str(kinds[kind]) for kind in Kind) + " |\n"
    parts = [_INTRO, counts]
    for letters, title in _SECTIONS.items():
        found = [row for row in rows if group(row) == letters]
        lines = [_line(row, verdicts) for row in found]
        parts.append(
            f"## {title}\n\n| row | says | tests | mutant | result |\n|---|---|---|---|---|\n" + "".join(lines)
        )
    return "\n".join(parts)


def _line(row: Row, verdicts: Mapping[str, str]) -> str:
    if row.mutant is None:
        return f"| {row.id} | {_cell(row.says)} | {row.kind.value} | {_cell(row.reason)} | |\n"
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in row.tests)
    mutant = f"{_cell(row.mutant.name)} (`{row.mutant.file}`)"
    return f"| {row.id} | {_cell(row.says)} | {tests} | {mutant} | {verdicts[row.id]} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
