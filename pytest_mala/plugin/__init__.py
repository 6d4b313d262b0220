"""The pytest plugin: options and fixtures; most hooks stand in modules that a run loads when it needs them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

# before the module is imported: pytest does not rewrite the asserts of an editable install by itself
pytest.register_assert_rewrite("pytest_mala.testing")

from pytest_mala.plugin import options  # noqa: E402
from pytest_mala.plugin.fixtures import (  # noqa: E402
    mala_agent_options,
    mala_case,
    mala_cassette,
    mala_clock,
    mala_events,
    mala_issue,
    mala_prompts,
    mala_session,
    mala_settings,
    mala_take,
)
from pytest_mala.plugin.properties import HARNESS, LETTERS, LOOSE, NOTE  # noqa: E402
from pytest_mala.plugin.stash import SETTINGS  # noqa: E402

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "mala_agent_options",
    "mala_case",
    "mala_cassette",
    "mala_clock",
    "mala_events",
    "mala_issue",
    "mala_prompts",
    "mala_session",
    "mala_settings",
    "mala_take",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.declare(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    options.add_named_roots(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    settings = options.start(config)
    if settings.has_issues:
        # what collects and reports is loaded by runs that need it
        from pytest_mala.plugin import hooks, report_hooks

        config.pluginmanager.register(hooks, "mala-hooks")
        config.pluginmanager.register(report_hooks, "mala-report-hooks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("mala_cassette") is not None:
            from pytest_mala.plugin import marked

            marked.ask_for(item, "mala_cassette")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    # not with the other hooks around reports, as xdist's controller sets up no fixture that would load them
    given = getattr(report, "user_properties", None)
    if not given or not any((HARNESS, word) in given for word in LETTERS):
        return None
    from pytest_mala.plugin import harness

    return harness.status(report)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    settings = config.stash[SETTINGS]
    if settings.has_issues or settings.record != "none" or _is_anything_told(terminalreporter):
        from pytest_mala.plugin import reporting

        reporting.write_summary(terminalreporter, config)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    testing = sys.modules.get("pytest_mala.testing")  # who has none of its values has not loaded it
    return testing.explain(op, left, right) if testing is not None else None


def _is_anything_told(terminalreporter: Any) -> bool:
    """Whether a test has a property for the summary; on xdist's controller nothing else shows that there was one."""
    return any(
        name in (LOOSE, NOTE)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, _ in getattr(report, "user_properties", ())
    )
