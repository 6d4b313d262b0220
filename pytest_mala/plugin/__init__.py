"""The pytest plugin: options and fixtures; the hooks of runs that are about issues stand in `hooks.py`."""

from __future__ import annotations

import sys

import pytest

# before the module is imported: pytest does not rewrite the asserts of an editable install by itself
pytest.register_assert_rewrite("pytest_mala.testing")

from pytest_mala.plugin import options  # noqa: E402
from pytest_mala.plugin.fixtures import (  # noqa: E402
    mala_agent_options,
    mala_case,
    mala_clock,
    mala_events,
    mala_issue,
    mala_prompts,
    mala_session,
    mala_settings,
)

__all__ = [
    "mala_agent_options",
    "mala_case",
    "mala_clock",
    "mala_events",
    "mala_issue",
    "mala_prompts",
    "mala_session",
    "mala_settings",
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
        from pytest_mala.plugin import hooks

        config.pluginmanager.register(hooks, "mala-hooks")


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    testing = sys.modules.get("pytest_mala.testing")  # who has none of its values has not loaded it
    return testing.explain(op, left, right) if testing is not None else None
