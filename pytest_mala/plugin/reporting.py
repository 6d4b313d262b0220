"""What the terminal and the reports tell about issues: header and summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.plugin.foreign import presentable
from pytest_mala.plugin.properties import HARNESS, LOOSE, NOTE, STALE, is_harness_error, properties_of
from pytest_mala.plugin.recording import CASSETTE, happened
from pytest_mala.plugin.stash import NOT_RUN, SETTINGS
from pytest_mala.report.applications import application_lines
from pytest_mala.report.summary import (
    IssueRow,
    cassettes_line,
    header_line,
    natural_key,
    not_run_line,
    summary_rows,
    takes_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "collect_rows",
    "header",
    "keep_not_run",
    "merge_not_run",
    "write_lines",
    "write_summary",
]

NOT_RUN_OUTPUT = "mala_not_run"
"""Under this name an xdist worker sends home which issues were left out."""


def header(config: pytest.Config) -> str:
    """The line in pytest's header."""
    settings = config.stash[SETTINGS]
    return header_line(
        lane=settings.lane,
        record=settings.record,
        roots=[settings.shown(root) for root in settings.roots],
        cassettes=settings.shown(settings.cassette_dir),
    )


def keep_not_run(config: pytest.Config) -> None:
    """On an xdist worker: send home which issues were left out; elsewhere nothing."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[NOT_RUN_OUTPUT] = config.stash[NOT_RUN]


def merge_not_run(config: pytest.Config, workeroutput: dict[str, Any]) -> None:
    """On xdist's controller: take in what a worker sent."""
    config.stash[NOT_RUN].update(workeroutput.get(NOT_RUN_OUTPUT, {}))


def write_lines(config: pytest.Config, lines: Iterable[str]) -> None:
    """Write lines to the terminal, if this process has one."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    for line in lines if terminal is not None else ():
        terminal.write_line(line)


def write_summary(terminal: Any, config: pytest.Config) -> None:
    """The section `issues`, and what was recorded, unless the user asked for quiet or for no summary."""
    if config.get_verbosity() < 0 or config.getoption("no_summary"):
        return
    reports = [report for reports in terminal.stats.values() for report in reports]
    rows = collect_rows(reports)
    left_out = config.stash.get(NOT_RUN, {})  # there are none in a run that is not about issues
    recorded = _recorded(reports)
    told = application_lines(_values(reports, NOTE), _values(reports, LOOSE))
    if not (rows or left_out or recorded or told):
        return
    terminal.write_sep("=", "issues" if rows or left_out else "sessions")
    for lines in summary_rows(rows):
        for line in lines:
            terminal.write_line(line)
    for line in takes_lines(rows):
        terminal.write_line(line)
    if left_out:
        terminal.write_line(not_run_line(left_out))
    if recorded:
        terminal.write_line(cassettes_line(recorded))
    for line in told:
        terminal.write_line(presentable(line))


def collect_rows(reports: Iterable[object]) -> list[IssueRow]:
    """A row for each issue among the reports of a run, in natural order of the tests' ids."""
    phases: dict[str, list[pytest.TestReport]] = {}
    for report in reports:
        if isinstance(report, pytest.TestReport) and "mala.issue" in properties_of(report):
            phases.setdefault(report.nodeid, []).append(report)
    return [_row(phases[nodeid]) for nodeid in sorted(phases, key=natural_key)]


def _row(phases: Sequence[pytest.TestReport]) -> IssueRow:
    told = _telling(phases)
    properties = properties_of(told)
    late = ", ERROR at teardown" if any(one.when == "teardown" and one.failed for one in phases) else ""
    return IssueRow(
        name=told.nodeid.split("::", 1)[-1],
        outcome=_outcome(told, properties) + late,
        checks=tuple(
            (name.removeprefix("check."), str(value).split(" (", 1)[0])
            for name, value in told.user_properties
            if name.startswith("check.")
        ),
        turns=properties.get("mala.turns"),
        cost_usd=properties.get("mala.cost_usd"),
        issue=str(properties.get("mala.issue", "")),
        take=properties.get("mala.take", 1),
        plays=properties.get("mala.plays", 1),
        parting=properties.get("mala.parting_turn"),
        stale=properties.get(STALE, ""),
        notes=tuple(str(value) for name, value in told.user_properties if name == "mala.note"),
    )


def _telling(phases: Sequence[pytest.TestReport]) -> pytest.TestReport:
    """The report that says how it went: the last before the teardown; a test that is run again has several."""
    in_order = sorted(phases, key=lambda one: one.start)
    return [*(one for one in in_order if one.when == "teardown"), *(one for one in in_order if one.when != "teardown")][
        -1
    ]


def _recorded(reports: Iterable[object]) -> list[tuple[str, str]]:
    """What happened to cassettes, as far as the reports know."""
    return [happened(value) for value in _values(reports, CASSETTE)]


def _values(reports: Iterable[object], wanted: str) -> list[str]:
    """The values of a property in all reports."""
    return [
        str(value)
        for report in reports
        if isinstance(report, pytest.TestReport)
        for name, value in report.user_properties
        if name == wanted
    ]


def _outcome(report: pytest.TestReport, properties: dict[str, Any]) -> str:
    if hasattr(report, "wasxfail"):
        return f"{properties.get('mala.outcome', 'not run')}, {'xfail' if report.skipped else 'xpass'}"
    if report.skipped:
        return "skipped"
    if is_harness_error(report):
        return str(properties[HARNESS])
    if report.when != "call" and report.passed:
        return "not finished"  # Ctrl-C, or a worker that died: of the test itself nothing was reported
    if "mala.outcome" not in properties:
        # as pytest says it: an error of the user's own code in the session's place is a failure to it
        return ("FAILED" if report.when == "call" else "ERROR") if report.failed else "passed"
    outcome = str(properties["mala.outcome"])
    if report.failed:
        return f"{outcome}, not expected"
    return outcome if outcome == "passed" else f"{outcome}, expected"
