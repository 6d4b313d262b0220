"""The documents say what the code does: commands, tables and links in them are checked."""

from __future__ import annotations

import doctest
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from pytest_mala.issue import load_issue
from pytest_mala.plugin.options import options_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_options_is_the_code_s() -> None:
    assert options_table().strip() in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_example_issues_load(tmp_path: Path) -> None:
    for page in ("README.md", "docs/issue-files.md"):
        blocks = re.findall(r"```markdown\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
        assert blocks
        for number, text in enumerate(blocks):
            path = tmp_path / f"example-{number}.md"
            path.write_text(text, encoding="utf-8")
            assert load_issue(path).title


def test_the_readme_has_the_two_commands() -> None:
    """CI runs the first two console blocks of the README as they stand."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 2
    assert "--mala-issues issues/" in blocks[0]
    assert "-m pytest" in blocks[1]


def test_the_lock_file_holds_what_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / ".ci" / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[<>=]", one)[0].strip().lower().replace("_", "-") for one in wanted}
    assert names <= locked


MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "pytest_mala").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
