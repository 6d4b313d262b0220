"""Make the terminal's summary of issues: one row each with outcome, checks, turns and cost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.report.failure import verdict_word
from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CASSETTE_WORDS", "IssueRow", "cassettes_line", "header_line", "natural_key", "not_run_line", "summary_rows"]

CASSETTE_WORDS = {"written": "written", "renewed": "renewed", "replayed": "replayed as they are"}
"""What can happen to a cassette in a run that records, and how the summary says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRow:
    """What the summary tells about one issue; `checks` are pairs of name and verdict, `cost_usd` is in US dollars."""

    name: str
    outcome: str
    checks: tuple[tuple[str, str], ...] = ()
    turns: int | None = None
    cost_usd: float | None = None
    stale: str = ""
    notes: tuple[str, ...] = ()


def summary_rows(rows: Sequence[IssueRow]) -> list[list[str]]:
    """The lines of each row, columns aligned over all rows; notes follow their row."""
    names = max((len(row.name) for row in rows), default=0)
    outcomes = max((len(row.outcome) for row in rows), default=0)
    checks = max((len(_checks(row)) for row in rows), default=0)
    lines = []
    for row in rows:
        cells = f"{row.name:<{names}}  {row.outcome:<{outcomes}}  {_checks(row):<{checks}}  {_effort(row)}"
        remarks = [*([f"stale: {row.stale}"] if row.stale else []), *(f"note: {note}" for note in row.notes)]
        lines.append([cells.rstrip(), *(f"{'':<{names}}  {remark}" for remark in remarks)])
    return lines


def header_line(*, lane: str, record: str, roots: Sequence[str], cassettes: str) -> str:
    """The line in pytest's header.

    >>> header_line(lane="replay", record="none", roots=["issues"], cassettes="cassettes")
    'mala: lane replay, 1 root (issues), cassettes in cassettes'
    """
    recording = f", recording {record}" if record != "none" else ""
    where = f"{counted(len(roots), 'root')} ({', '.join(roots)})" if roots else "no roots"
    return f"mala: lane {lane}{recording}, {where}, cassettes in {cassettes}"


def cassettes_line(happened: Sequence[tuple[str, str]]) -> str:
    """The line about cassettes in a run that records; pairs of a key of `CASSETTE_WORDS` and the cassette's name.

    >>> cassettes_line([("written", "c/calc-10.yaml"), ("replayed", "c/calc-3.yaml"), ("written", "c/calc-9.yaml")])
    'cassettes written: c/calc-9.yaml, c/calc-10.yaml; replayed as they are: c/calc-3.yaml'
    """
    parts = []
    for key, words in CASSETTE_WORDS.items():
        if names := sorted({name for what, name in happened if what == key}, key=natural_key):
            parts.append(f"{words}: {', '.join(names)}")
    return "cassettes " + "; ".join(parts)


def not_run_line(reasons: Mapping[str, str]) -> str:
    """The line about issues that were left out, in natural order.

    >>> not_run_line({"calc-10": "closed", "calc-9": "an epic"})
    'not run: calc-9 (an epic), calc-10 (closed)'
    """
    return "not run: " + ", ".join(f"{name} ({reasons[name]})" for name in sorted(reasons, key=natural_key))


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """A sorting key by which `calc-9` comes before `calc-10`.

    >>> sorted(["calc-10", "calc-9"], key=natural_key)
    ['calc-9', 'calc-10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _checks(row: IssueRow) -> str:
    return ", ".join(f"{name} {verdict_word(verdict)}" for name, verdict in row.checks)


def _effort(row: IssueRow) -> str:
    turns = [counted(row.turns, "turn")] if row.turns is not None else []
    cost = [f"${row.cost_usd:.2f}"] if row.cost_usd is not None else []
    return ", ".join(turns + cost)
