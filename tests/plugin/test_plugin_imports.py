"""A project without issues pays nothing for the plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("claude_agent_sdk", "vcr", "yaml", "freezegun", "syrupy", "mcp", "pytest_mala.clock", "pytest_mala.issue"),
    *(f"pytest_mala.plugin.{name}" for name in ("hooks", "report_hooks", "harness", "reporting", "sessions")),
)

REPORT = """\
import sys

def pytest_unconfigure(config):
    print("plugin:", "pytest_mala.plugin" in sys.modules)
    print("heavy:", sorted(set(sys.modules) & set({heavy!r})))
"""


@pytest.mark.parametrize("target", ["test_own.py", "."])
def test_an_unrelated_run_imports_nothing_heavy(project, target):
    project.write("test_own.py", "def test_own(): pass\n")
    project.write("README.md", "---\nlayout: page\n---\n# Not ours\n")
    project.write("conftest.py", REPORT.format(heavy=HEAVY))
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "pytest_mala.plugin", "-c", "/dev/null", target]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plugin: True" in done.stdout
    assert "heavy: []" in done.stdout


def test_the_entry_point_is_found_and_can_be_switched_off(project, monkeypatch):
    """With autoload on, as users have it."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    project.issue("calc-1")
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:timeout", "--mala-issues=issues", "-v"]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "issues/calc-1.md::calc-1 PASSED (1 turn)" in done.stdout
    command = [sys.executable, "-m", "pytest", "-p", "no:mala", "--collect-only"]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    assert "mala:" not in done.stdout
