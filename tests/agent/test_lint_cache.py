"""The lint cache: what counts as a lint run, and on which state it passed (session:8.2, X14)."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_mala.agent.lint import DEFAULT_LINT_TOOLS, LintCache

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "ruff check ."


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*args: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *args], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "a.py").write_text("a = 1\n")
    git("add", "-A")
    git("commit", "-qm", "base")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("ruff check .", "ruff"),
        ("cd src && uvx ruff check .", "ruff"),
        ("RUFF_CACHE_DIR=/tmp/x uvx ruff check .", "ruff"),
        ("uv run ty check", "ty"),
        ("npx eslint src | tee out", "eslint"),
        ("python -m ruff check", "ruff"),
        ("./node_modules/.bin/eslint .", "eslint"),
        ("Ruff check", "ruff"),
        ("golangci-lint run\necho done", "golangci-lint"),
        ("echo ruff", None),
        ("echo 'ruff check'", None),
        ("cat ruff.toml", None),
        ("echo 'unclosed", None),
        ("", None),
        ("&& ruff", "ruff"),
        ("A=1", None),
    ],
)
def test_lint_commands_are_recognised(command: str, tool: str | None) -> None:
    assert LintCache().detect_lint_command(command) == tool


def test_a_tool_of_several_words_counts_as_a_whole() -> None:
    cache = LintCache(lint_tools=["npm run lint", "NPM"])
    assert cache.detect_lint_command("npm run lint") == "npm run lint"
    assert cache.detect_lint_command("npm test") == "npm"
    assert cache.detect_lint_command("ruff check") is None


def test_no_tools_mean_the_default_ones() -> None:
    assert LintCache(lint_tools=[]).lint_tools == LintCache().lint_tools == DEFAULT_LINT_TOOLS


def test_a_passed_run_is_redundant_until_something_changes(repository: Path) -> None:
    cache = LintCache(repository)
    assert cache.check_and_update("ruff", COMMAND) == (False, "")
    cache.mark_started("ruff", COMMAND)
    cache.mark_success("ruff", COMMAND)
    told = "ruff has passed on exactly these files; nothing has changed since"
    assert cache.check_and_update("ruff", COMMAND) == (True, told)
    assert cache.check_and_update("ruff", "ruff check src") == (False, "")
    assert (cache.skipped_count, cache.cache_size) == (1, 1)
    (repository / "a.py").write_text("a = 2\n")
    assert cache.check_and_update("ruff", COMMAND) == (False, "")


def test_x14_contents_of_untracked_files_count(repository: Path) -> None:
    cache = LintCache(repository)
    (repository / "new.py").write_text("b = 1\n")
    cache.mark_success("ruff", COMMAND)
    assert cache.check_and_update("ruff", COMMAND)[0]
    (repository / "new.py").write_text("b = 2\n")
    assert not cache.check_and_update("ruff", COMMAND)[0]


def test_x14_links_and_odd_names_count_too(repository: Path) -> None:
    cache = LintCache(repository)
    (repository / "ä \n.py").write_text("x")
    (repository / "link").symlink_to("nowhere")
    cache.mark_success("ruff", COMMAND)
    assert cache.check_and_update("ruff", COMMAND)[0]
    (repository / "link").unlink()
    (repository / "link").symlink_to("elsewhere")
    assert not cache.check_and_update("ruff", COMMAND)[0]


def test_what_can_not_be_read_counts_by_its_name(repository: Path) -> None:
    (repository / "nested").mkdir()
    subprocess.run(["git", "init", "-q", "nested"], cwd=repository, check=True)
    cache = LintCache(repository)
    cache.mark_success("ruff", COMMAND)
    assert cache.check_and_update("ruff", COMMAND)[0]


def test_x14_the_state_that_counts_is_the_one_before_the_command(repository: Path) -> None:
    cache = LintCache(repository)
    cache.mark_started("ruff", COMMAND)
    (repository / "a.py").write_text("changed while it ran\n")
    cache.mark_success("ruff", COMMAND)
    assert not cache.check_and_update("ruff", COMMAND)[0]


@pytest.mark.parametrize(
    "command",
    ["ruff check | tee out", "ruff check || true", "ruff check ; true", "ruff check & wait", "ruff check\ntrue"],
)
def test_x14_a_status_that_proves_nothing_is_not_remembered(repository: Path, command: str) -> None:
    cache = LintCache(repository)
    cache.mark_success("ruff", command)
    assert cache.cache_size == 0


def test_a_chain_of_ands_proves_each_part(repository: Path) -> None:
    cache = LintCache(repository)
    cache.mark_success("ruff", "cd . && ruff check")
    assert cache.cache_size == 1


def test_runs_can_be_forgotten(repository: Path) -> None:
    cache = LintCache(repository)
    for tool in ("ruff", "ty"):
        cache.mark_success(tool, COMMAND)
    cache.invalidate("ruff")
    assert cache.cache_size == 1
    cache.invalidate()
    assert cache.cache_size == 0


def test_where_git_can_not_tell_nothing_is_remembered(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        cache = LintCache(folder)
        cache.mark_started("ruff", COMMAND)
        cache.mark_success("ruff", COMMAND)
        assert (cache.cache_size, cache.check_and_update("ruff", COMMAND)) == (0, (False, ""))
