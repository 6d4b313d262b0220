"""Show the results of a gate as a table: what failed first, then a row per check with its output where it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.gate.output import last_lines
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mala.gate.results import CheckResult

__all__ = ["gate_table"]

OUTPUT_LINES = 30
"""Lines of a failed check's output in the table."""


def gate_table(results: Sequence[CheckResult]) -> str:
    """The table, without a newline at the end."""
    return "\n".join([_headline(results), *(line for row in results for line in _row(row))])


def _headline(results: Sequence[CheckResult]) -> str:
    failed = [row.name for row in results if not row.is_passed]
    checks = f"{len(results)} {'check' if len(results) == 1 else 'checks'}"
    return f"{len(failed)} of {checks} failed: {', '.join(failed)}" if failed else f"{checks} passed"


def _row(row: CheckResult) -> Iterator[str]:
    if row.is_passed:
        yield f"ok    {row.name}"
        return
    yield escaped(f"FAIL  {row.name}: {row.reason}").replace("\n", " ")
    yield from (f"        {escaped(line)}".rstrip() for line in last_lines(row.output, OUTPUT_LINES))
