"""Compare re-earned verdicts with the recorded ones: another verdict is an error, other words under it are a note."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from pytest_mala.errors import GateChangedError
from pytest_mala.gate.output import last_lines, readable
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mala.gate.results import CheckResult

__all__ = ["compare_verdicts", "notes"]

OUTPUT_LINES = 20
"""Lines of the output of now that the error shows."""


def compare_verdicts(
    recorded: Sequence[CheckResult],
    now: Sequence[CheckResult],
    *,
    where: str,
    remedy: str,
    python: str = platform.python_version(),
) -> None:
    """Raises GateChangedError unless the same checks ended with the same verdicts (design D9).

    `where` names the recorded attempt and `remedy` says how to record it anew; `python` is the version that runs the
    checks now, as a hint: other tools often mean another verdict.
    """
    remedy = f"undo what changed, or, if it is meant, {remedy}"
    if [row.name for row in recorded] != [row.name for row in now]:
        was, now_is = (", ".join(row.name for row in rows) or "none" for rows in (recorded, now))
        raise GateChangedError(
            f"{where}: the gate has other checks than the recorded one: recorded {was}; now {now_is}\n{remedy}"
        )
    changed = [(was, row) for was, row in zip(recorded, now, strict=True) if was.verdict is not row.verdict]
    if changed:
        told = "\n".join(line for was, row in changed for line in _told(was, row))
        raise GateChangedError(
            f"{where}: the gate changed its mind (checks run by Python {python} now)\n{told}\n{remedy}"
        )


def notes(recorded: Sequence[CheckResult], now: Sequence[CheckResult]) -> tuple[str, ...]:
    """One line for each check that ended with the recorded verdict, but with another exit status or in other words."""
    pairs = [(was, row) for was, row in zip(recorded, now, strict=True) if was.verdict is row.verdict]
    return tuple(note for was, row in pairs for note in _note(was, row))


def _told(was: CheckResult, row: CheckResult) -> Iterator[str]:
    command = f"`{row.command}`" if was.command == row.command else f"`{row.command}`, recorded `{was.command}`"
    yield f"  check {row.name!r} ({command}): recorded {_ended(was)}; now {_ended(row)}"
    lines = last_lines(readable(row.output), OUTPUT_LINES)
    yield "    the output now ends with:" if lines else "    it prints nothing now"
    yield from (f"      {escaped(line)}".rstrip() for line in lines)


def _ended(row: CheckResult) -> str:
    """The reason of a failure says what was expected, which is all that differs if only that was changed."""
    status = readable(row.reason)
    if not status and row.exit_status is not None:
        status = f"exit status {row.exit_status}{', as expected' if row.is_passed else ''}"
    return f"{row.verdict.value} ({status})" if status else row.verdict.value


def _note(was: CheckResult, row: CheckResult) -> Iterator[str]:
    if was.command != row.command:
        yield f"check {row.name!r}: the command is `{row.command}` now; recorded `{was.command}`"
    if was.exit_status != row.exit_status:
        yield f"check {row.name!r}: {row.verdict.value} as recorded, now {_ended(row)}; recorded {_ended(was)}"
    elif was.output != row.output:
        yield f"check {row.name!r}: {row.verdict.value} as recorded, in other words than the recorded ones"
