"""The hooks around the reports of tests with sessions; loaded with the first such test, or by a run about issues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mala.plugin import harness
from pytest_mala.plugin.properties import forget
from pytest_mala.plugin.stash import RESULT

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # a test that is run again begins anew
    forget(item)
    if RESULT in item.stash:
        del item.stash[RESULT]


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest's own of xfail, whose verdict may have to be undone
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    harness.adapt_report(item, call, report)
    return report


@pytest.hookimpl(tryfirst=True)  # before whatever counts or writes reports
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    harness.count_as_error(report)
