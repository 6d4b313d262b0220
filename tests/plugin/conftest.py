"""A project in a temporary folder, in which the tests of this folder run pytest."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

# Before any in-process run: pytester forgets modules that such a run imports, and yaml's C part can't be loaded twice.
import yaml  # noqa: F401

import pytest_mala.case
import pytest_mala.clock
import pytest_mala.issue
import pytest_mala.plugin  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYPROJECT = """\
[tool.pytest]
strict = true
filterwarnings = ["error"]
asyncio_default_fixture_loop_scope = "function"
"""

CONFTEST = """\
import pytest
from dataclasses import MISSING, fields
from pytest_mala.case import CaseResult, CheckRow
from pytest_mala.errors import CassetteError, CassetteMissingError, Divergence, GateChangedError
from pytest_mala.errors import HarnessError, UsageError, WorkspaceError
from pytest_mala.issue import EndReason

GIVEN = ("outcome", "why", "expected", "checks")


def row(name, verdict="passed", reason="", output=""):
    return CheckRow(name=name, verdict=verdict, reason=reason, output=output, seconds=0.5)


def result(issue, outcome="passed", *checks, why="", **more):
    plain = dict(turns=1, gate_attempts=1, cost_usd=None, virtual_seconds=2.5)
    plain |= dict(transcript="", notes=())
    # what else there is, these tests do not look at
    needed = [one.name for one in fields(CaseResult) if one.default is MISSING is one.default_factory]
    plain = {name: () for name in needed if name not in GIVEN} | plain
    return CaseResult(
        outcome=EndReason(outcome), why=why, expected=issue.expect, checks=checks, **(plain | more)
    )


def play(issue):
    return result(issue, "passed", row("test"), row("lint"))


@pytest.fixture
def mala_case(mala_issue):
    async def run():
        return play(mala_issue)
    return run
"""


class Project:
    """Writes issue files and runs pytest on them; plugins are named one by one, so that nothing else takes part."""

    plugins: Sequence[str] = ("pytest_asyncio.plugin", "pytest_mala.plugin")

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        self.write("pyproject.toml", PYPROJECT)
        self.write("conftest.py", CONFTEST)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def ini(self, line: str) -> None:
        self.write("pyproject.toml", f"{PYPROJECT}{line}\n")

    def issue(self, issue_id: str, *lines: str, file: str | None = None) -> Path:
        """An issue file with a check, and the lines as further front matter."""
        front = [f"id: {issue_id}", f"title: Do {issue_id}", *lines]
        if not any(line.startswith("gate:") for line in lines):
            front.append("gate: {checks: {test: python -m pytest -q}}")
        text = "\n".join(["---", *front, "---", f"Please do {issue_id}.", ""])
        return self.write(file or f"issues/{issue_id}.md", text)

    def play(self, body: str) -> None:
        """How sessions end: the body of a function of `issue`, which may use `result` and `row`."""
        self.write("conftest.py", CONFTEST + "\n\ndef play(issue):\n" + textwrap.indent(textwrap.dedent(body), "    "))

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process; with `-n` its workers are processes all the same."""
        names = [*self.plugins, "xdist.plugin"] if "-n" in args else self.plugins
        return self.pytester.runpytest_inprocess(*(part for name in names for part in ("-p", name)), *args)

    def run_issues(self, *args: str) -> pytest.RunResult:
        return self.run("--mala-issues=issues", *args)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return Project(pytester)
