"""Report what could not be judged as an error, whatever a mark says, and keep foreign text off the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _pytest._code.code import ReprEntry
from _pytest.skipping import xfailed_key

from pytest_mala.errors import Divergence, FlakyReplayError, GateChangedError, MalaError, StalePrompt
from pytest_mala.plugin.foreign import clean, presentable, text_of
from pytest_mala.plugin.properties import HARNESS, LETTERS, STALE, is_harness_error, note, properties_of
from pytest_mala.plugin.stash import BARE_ERRORS, ISSUE, RESULT, SESSION_ERRORS
from pytest_mala.report.failure import sections
from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from weakref import WeakSet

__all__ = ["adapt_report", "count_as_error", "status"]


def adapt_report(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Tell harness errors as such, and add the outputs of checks to the report of an issue.

    An issue's test shows such an error by its message alone; a test written by hand keeps its traceback, which says
    which call it was, if there was one.
    """
    error = _harness_error(item, call.excinfo.value) if call.excinfo is not None else None
    if error is not None and not _is_expected(item, error, report):
        _tell(item, error, report)
    if SESSION_ERRORS in item.stash:
        clean(report)
        # a recorded outcome is a text: xdist sends no types of ours between processes
        report.user_properties = [
            (name, str(value) if type(value).__module__.startswith("pytest_mala.testing") else value)
            for name, value in report.user_properties
        ]
    is_bare = ISSUE in item.stash or error in item.stash.get(BARE_ERRORS, ())
    if error is not None and call.excinfo is not None and is_bare:
        _show_message_alone(call.excinfo, report)
    if ISSUE not in item.stash:
        return
    if report.when == "call" and RESULT in item.stash:
        found = sections(item.stash[RESULT], item.name, failed=report.failed)
        report.sections += [(presentable(heading), presentable(text)) for heading, text in found]


def count_as_error(report: pytest.TestReport) -> None:
    """Report a harness error in the middle of a session as one of the test's set-up: nothing could be judged.

    What reads reports takes a failure of the phase "call" for one of the thing under test; JUnit XML writes it as
    `<failure>`. Plugins that look while the report is made still see the phase as it was.
    """
    if isinstance(report, pytest.TestReport) and report.when == "call" and is_harness_error(report):
        report.when = "setup"


def status(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Category, letter and word of a report; None where pytest's own are right."""
    if not isinstance(report, pytest.TestReport) or report.when == "teardown" or hasattr(report, "wasxfail"):
        return None
    properties = properties_of(report)
    if is_harness_error(report):
        word = str(properties[HARNESS])
        return "error", LETTERS.get(word, "E"), word
    if report.when == "call" and report.passed and properties.get("mala.turns") is not None:
        return "passed", ".", f"PASSED ({counted(int(properties['mala.turns']), 'turn')})"
    return None


def _harness_error(item: pytest.Item, raised: BaseException) -> MalaError | None:
    """The error of ours that ended the phase; in a test written by hand only what a session of it has raised."""
    if ISSUE in item.stash:
        return raised if isinstance(raised, MalaError) else None
    return _one_of(raised, item.stash[SESSION_ERRORS]) if SESSION_ERRORS in item.stash else None


def _one_of(raised: BaseException, errors: WeakSet[MalaError]) -> MalaError | None:
    if isinstance(raised, BaseExceptionGroup):  # of a task group
        found = (_one_of(one, errors) for one in raised.exceptions)
        return next((error for error in found if error is not None), None)
    return raised if isinstance(raised, MalaError) and raised in errors else None


def _is_expected(item: pytest.Item, error: MalaError, report: pytest.TestReport) -> bool:
    """Whether the test's xfail names this error as one of ours; a general one never covers it (design D12)."""
    xfail = item.stash.get(xfailed_key, None)
    if xfail is None or not hasattr(report, "wasxfail"):
        return False
    named = xfail.raises if isinstance(xfail.raises, tuple) else (xfail.raises,)
    return any(isinstance(one, type) and issubclass(one, MalaError) and isinstance(error, one) for one in named)


def _tell(item: pytest.Item, error: MalaError, report: pytest.TestReport) -> None:
    if hasattr(report, "wasxfail"):
        del report.wasxfail
        report.outcome = "failed"
    told: list[tuple[str, object]] = [(HARNESS, _word(error))]
    if isinstance(error, StalePrompt):
        told.append((STALE, error.freshness))
    note(item, told)
    report.user_properties += told  # a copy of the test's list, and JUnit reads that of the teardown


def _word(error: MalaError) -> str:
    if isinstance(error, FlakyReplayError):
        return "FLAKED"
    return "DIVERGED" if isinstance(error, (Divergence, GateChangedError)) else "ERROR"


def _show_message_alone(excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
    text = presentable(text_of(excinfo.value))
    shown = excinfo.getrepr(style="no", chain=False)  # "value" would ask the error for its text
    # the message quotes files that anybody may have written; pytest would write its bytes as they are
    shown.reprtraceback.reprentries = [ReprEntry(text.split("\n"), None, None, None, "value")]
    if shown.reprcrash is not None:
        shown.reprcrash.message = f"{type(excinfo.value).__name__}: {text}"
    report.longrepr = shown
