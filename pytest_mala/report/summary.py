"""Make the terminal's summary of issues: one row each with outcome, checks, turns and cost."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.report.failure import verdict_word
from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CASSETTE_WORDS",
    "FLAKED",
    "IssueRow",
    "cassettes_line",
    "header_line",
    "natural_key",
    "not_run_line",
    "summary_rows",
    "takes_lines",
]

FLAKED = "FLAKED"
"""The outcome of an issue whose take was played twice, not the same."""

CASSETTE_WORDS = {"written": "written", "renewed": "renewed", "replayed": "replayed as they are"}
"""What can happen to a cassette in a run that records, and how the summary says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRow:
    """What the summary tells about a session of an issue; `checks` are pairs of name and verdict, `cost_usd` is in US
    dollars. `parting` is the first turn in which a take tells something else than the first one, `plays` how often it
    was played.
    """

    name: str
    outcome: str
    checks: tuple[tuple[str, str], ...] = ()
    turns: int | None = None
    cost_usd: float | None = None
    issue: str = ""
    take: int = 1
    plays: int = 1
    parting: int | None = None
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


def takes_lines(rows: Sequence[IssueRow]) -> list[str]:
    """A line for each issue with several takes: how the agent varies. Then whether plays of the same take did, which is
    never the agent's doing.
    """
    lines = []
    for issue in dict.fromkeys(row.issue for row in rows):
        takes = [row for row in rows if row.issue == issue]
        if len(takes) > 1:
            lines.append(_takes_line(issue, takes))
    played = [row for row in rows if row.plays > 1 or row.outcome == FLAKED]
    if played:
        flakes = counted(sum(row.outcome == FLAKED for row in played), "harness flake")
        lines.append(f"plays: {counted(len(played), 'take')}, each played more than once: {flakes}")
    return lines


def _takes_line(issue: str, takes: Sequence[IssueRow]) -> str:
    outcomes = Counter(row.outcome for row in takes)
    ends = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    played = [row for row in takes if row.turns is not None]
    partings = [
        f"take {row.take} parts from take {takes[0].take} at turn {row.parting}"
        for row in played
        if row.parting is not None
    ]
    same = ["all tell the same"] if len(played) == len(takes) and not partings else []
    return "; ".join([f"takes of {issue}: {len(takes)} ({ends})", *partings, *same])


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
