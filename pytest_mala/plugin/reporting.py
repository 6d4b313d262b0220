"""What the terminal and the reports tell about issues: header, words, sections, harness errors and the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprEntry

from pytest_mala.errors import Divergence, GateChangedError, MalaError
from pytest_mala.plugin.foreign import presentable
from pytest_mala.plugin.recording import CASSETTE, happened
from pytest_mala.plugin.stash import ISSUE, NOT_RUN, RESULT, SETTINGS
from pytest_mala.report.failure import sections
from pytest_mala.report.summary import (
    IssueRow,
    cassettes_line,
    header_line,
    natural_key,
    not_run_line,
    summary_rows,
)
from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "adapt_report",
    "collect_rows",
    "count_as_error",
    "header",
    "keep_not_run",
    "merge_not_run",
    "status",
    "write_lines",
    "write_summary",
]

NOT_RUN_OUTPUT = "mala_not_run"
"""Under this name an xdist worker sends home which issues were left out."""

HARNESS = "mala.error"
"""The property that names a harness error; its value decides the word in the terminal."""

LETTERS = {"DIVERGED": "D", "ERROR": "E"}
"""What stands for the word of a harness error in a run that shows no words."""


def header(config: pytest.Config) -> str:
    """The line in pytest's header."""
    settings = config.stash[SETTINGS]
    return header_line(
        lane=settings.lane,
        record=settings.record,
        roots=[settings.shown(root) for root in settings.roots],
        cassettes=settings.shown(settings.cassette_dir),
    )


def adapt_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Show harness errors by their message alone, and add the outputs of checks to the report of an issue."""
    if ISSUE not in item.stash:
        return
    if call.excinfo is not None and isinstance(call.excinfo.value, MalaError):
        _tell_harness_error(item, call.excinfo, report)
    if report.when == "call" and RESULT in item.stash:
        found = sections(item.stash[RESULT], item.name, failed=report.failed)
        report.sections += [(presentable(heading), presentable(text)) for heading, text in found]


def _tell_harness_error(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport
) -> None:
    error = excinfo.value
    word = "DIVERGED" if isinstance(error, (Divergence, GateChangedError)) else "ERROR"
    # the report's list is a copy, and JUnit reads that of the teardown
    item.user_properties.append((HARNESS, word))
    report.user_properties.append((HARNESS, word))
    text = presentable(str(error))
    shown = excinfo.getrepr(style="value", chain=False)
    # the message quotes files that anybody may have written; pytest would write its bytes as they are
    shown.reprtraceback.reprentries = [ReprEntry(text.split("\n"), None, None, None, "value")]
    if shown.reprcrash is not None:
        shown.reprcrash.message = f"{type(error).__name__}: {text}"
    report.longrepr = shown


def count_as_error(report: pytest.TestReport) -> None:
    """Report a harness error in the middle of a session as one of the test's set-up: nothing could be judged.

    What reads reports takes a failure of the phase "call" for one of the thing under test; JUnit XML writes it as
    `<failure>`. Plugins that look while the report is made still see the phase as it was.
    """
    if isinstance(report, pytest.TestReport) and report.when == "call" and _is_harness_error(report):
        report.when = "setup"


def status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Category, letter and word of an issue's report; None where pytest's own are right."""
    if not isinstance(report, pytest.TestReport) or report.when == "teardown" or hasattr(report, "wasxfail"):
        return None
    properties = _properties(report)
    if _is_harness_error(report):
        word = str(properties[HARNESS])
        return "error", LETTERS.get(word, "E"), word
    if report.when == "call" and report.passed and properties.get("mala.turns") is not None:
        return "passed", ".", f"PASSED ({counted(int(properties['mala.turns']), 'turn')})"
    return None


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
    """The section `issues`, unless the user asked for quiet or for no summary."""
    if config.get_verbosity() < 0 or config.getoption("no_summary"):
        return
    reports = [report for reports in terminal.stats.values() for report in reports]
    rows = collect_rows(reports)
    left_out = config.stash[NOT_RUN]
    if not (rows or left_out):
        return
    terminal.write_sep("=", "issues")
    for lines in summary_rows(rows):
        for line in lines:
            terminal.write_line(line)
    if left_out:
        terminal.write_line(not_run_line(left_out))
    if recorded := _recorded(reports):
        terminal.write_line(cassettes_line(recorded))


def collect_rows(reports: Iterable[object]) -> list[IssueRow]:
    """A row for each issue among the reports of a run, in natural order of the tests' ids."""
    phases: dict[str, list[pytest.TestReport]] = {}
    for report in reports:
        if isinstance(report, pytest.TestReport) and "mala.issue" in _properties(report):
            phases.setdefault(report.nodeid, []).append(report)
    return [_row(phases[nodeid]) for nodeid in sorted(phases, key=natural_key)]


def _row(phases: Sequence[pytest.TestReport]) -> IssueRow:
    told = _telling(phases)
    properties = _properties(told)
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
        notes=tuple(str(value) for name, value in told.user_properties if name == "mala.note"),
    )


def _telling(phases: Sequence[pytest.TestReport]) -> pytest.TestReport:
    """The report that says how it went: that of the call, or else of the set-up that did not pass."""
    calls = [one for one in phases if one.when == "call"]
    setups = [one for one in phases if one.when == "setup"]
    return [*calls, *(one for one in setups if not one.passed), *setups, *phases][0]


def _recorded(reports: Iterable[object]) -> list[tuple[str, str]]:
    """What happened to cassettes, as far as the reports know."""
    return [
        happened(str(value))
        for report in reports
        if isinstance(report, pytest.TestReport)
        for name, value in report.user_properties
        if name == CASSETTE
    ]


def _outcome(report: pytest.TestReport, properties: dict[str, Any]) -> str:
    if hasattr(report, "wasxfail"):
        return f"{properties.get('mala.outcome', 'not run')}, {'xfail' if report.skipped else 'xpass'}"
    if report.skipped:
        return "skipped"
    if _is_harness_error(report):
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


def _is_harness_error(report: pytest.TestReport) -> bool:
    return report.failed and HARNESS in _properties(report)


def _properties(report: pytest.TestReport) -> dict[str, Any]:
    return dict(report.user_properties)
