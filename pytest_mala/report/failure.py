"""Say why a session's test failed: the table of checks, or the outcome that nobody expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.report.text import counted, indented, plain, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.case import CaseResult, CheckRow

__all__ = ["check_table", "check_value", "failed_checks", "gates_failed", "outcome_differs", "sections", "verdict_word"]

WHOLE_LINES, OUTPUT_LINES = 20, 12
"""A failed check's output stands in the failure itself: all of it, if it has so many lines at most, or else so many of
its last lines, with the whole output as a report section.
"""

TRANSCRIPT_LINES = 60
"""Lines of the transcript that are shown with a failure."""

REASON_LENGTH = 120
"""Characters of a reason in a property: it becomes an attribute in JUnit XML."""

_WORDS = {"passed": "ok", "failed": "FAILED", "timed-out": "TIMED OUT", "error": "ERROR"}


def verdict_word(verdict: str) -> str:
    """The verdict as tables show it; what is not good is in capitals.

    >>> verdict_word("passed"), verdict_word("timed-out")
    ('ok', 'TIMED OUT')
    """
    return _WORDS.get(verdict, verdict.upper())


def check_value(row: CheckRow) -> str:
    """The value of a check's property: its verdict, with the reason if it did not pass."""
    if row.verdict == "passed" or not row.reason:
        return row.verdict
    return f"{row.verdict} ({_one_line(row.reason)[:REASON_LENGTH]})"


def failed_checks(rows: Sequence[CheckRow]) -> list[CheckRow]:
    """The checks that did not pass; a verdict that is not `passed` is a failure, whatever it is called."""
    return [row for row in rows if row.verdict != "passed"]


def check_table(rows: Sequence[CheckRow]) -> list[str]:
    """One line per check, with the end of the output below each that did not pass."""
    words = max((len(verdict_word(row.verdict)) for row in rows), default=0)
    names = max((len(row.name) for row in rows), default=0)
    lines: list[str] = []
    for row in rows:
        good = row.verdict == "passed"
        reason = "" if good else _one_line(row.reason)
        lines.append(f"{verdict_word(row.verdict):<{words}}  {row.name:<{names}}  {reason}".rstrip())
        lines += [] if good else _output_tail(row, " " * (words + 4))
    return lines


def gates_failed(result: CaseResult) -> str:
    """The text of a failure by checks: which ones, all rows, and how the session ended."""
    failed = failed_checks(result.checks)
    names = ", ".join(row.name for row in failed)
    head = f"{len(failed)} of {counted(len(result.checks), 'check')} failed: {names}"
    return "\n".join([head, *check_table(result.checks), _ending(result)])


def outcome_differs(result: CaseResult) -> str:
    """The text of a failure without a failed check: expected, got and why."""
    lines = [f"expected {_expected(result)}, got {result.outcome.value}: {_why(result)}"]
    if result.checks:
        lines.append(f"the checks passed in gate attempt {result.gate_attempts}:")
        lines += check_table(result.checks)
    return "\n".join(lines)


def sections(result: CaseResult, issue: str, *, failed: bool) -> list[tuple[str, str]]:
    """Headings and texts for the report: outputs of checks, notes and, after a failure, the end of the transcript.

    A failed check whose output stands in the failure as a whole is not shown a second time.
    """
    found = [
        (f"check {row.name} of {issue}: {verdict_word(row.verdict)}", plain(row.output).strip("\n"))
        for row in result.checks
        if row.output.strip() and not (failed and _is_told(row))
    ]
    if result.notes:
        found.append((f"notes on {issue}", "\n".join(result.notes)))
    if failed and result.transcript.strip():
        text, total = tail(plain(result.transcript), TRANSCRIPT_LINES)
        extent = f"last {TRANSCRIPT_LINES} of {total} lines" if total > TRANSCRIPT_LINES else counted(total, "line")
        found.append((f"transcript of {issue} ({extent})", text))
    return found


def _ending(result: CaseResult) -> str:
    attempts = counted(result.gate_attempts, "gate attempt")
    spent = f"{attempts}, {counted(result.turns, 'turn')}"
    return f"expected {_expected(result)}, got {result.outcome.value} after {spent}: {_why(result)}"


def _expected(result: CaseResult) -> str:
    return " or ".join(reason.value for reason in result.expected)


def _why(result: CaseResult) -> str:
    return _one_line(result.why) or "no reason was given"


def _output_tail(row: CheckRow, margin: str) -> list[str]:
    text, total = tail(plain(row.output), WHOLE_LINES)
    if not total:
        return []
    if total <= WHOLE_LINES:
        return indented(text, margin)
    text, _ = tail(text, OUTPUT_LINES)
    return [f"{margin}... (last {OUTPUT_LINES} of {total} lines)", *indented(text, margin)]


def _is_told(row: CheckRow) -> bool:
    return row.verdict == "passed" or tail(plain(row.output), WHOLE_LINES)[1] <= WHOLE_LINES


def _one_line(text: str) -> str:
    return " ".join(plain(text).split())
