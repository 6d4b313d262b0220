"""The hooks of a run that is about issues, each handing on to a module of this room; other runs never load this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.plugin import collect, harness, reporting
from pytest_mala.plugin.stash import ROOTS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    collect.start(config)


def pytest_report_header(config: pytest.Config) -> str:
    return reporting.header(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.stash[ROOTS].ignore(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, list[Any], list[Any]]:
    return collect.collect_file(file_path, parent, (yield))


@pytest.hookimpl(trylast=True)  # after -k and -m: the summary names only what would have been run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    collect.deselect(config, items)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    return collect.remarks(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    # xdist's controller collects nothing itself, and its workers have no terminal
    reporting.write_lines(config, collect.remarks(config))


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    return harness.status(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporting.keep_not_run(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    reporting.merge_not_run(node.config, getattr(node, "workeroutput", {}))
