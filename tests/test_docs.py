"""The documents say what the code does: commands, tables and links in them are checked."""

from __future__ import annotations

import doctest
import importlib
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from pytest_mala.issue import load_issue
from pytest_mala.plugin.options import options_table
from pytest_mala.session.prompts import ALLOWED

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_options_is_the_code_s() -> None:
    assert options_table().strip() in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_the_table_of_placeholders_is_the_code_s() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text.partition("## Prompts")[2], flags=re.MULTILINE))
    told = {name: frozenset(re.findall(r"\{(\w+)\}", places)) for name, places in rows.items()}
    later = {"fixer", "reviewer"}  # read, and not yet sent by anything
    assert told == {"checkpoint_request": frozenset()} | {name: ALLOWED[name] for name in ALLOWED if name not in later}


def test_the_wrapper_in_the_reference_keeps_transcripts(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "reference.md").read_text("utf-8"), flags=re.DOTALL)
    (wrapper,) = [block for block in blocks if "def mala_case(" in block]
    pytester.makeconftest(wrapper)
    for name in ("issues", "cassettes", "prompts"):
        shutil.copytree(ROOT / name, pytester.path / name)
    done = pytester.runpytest_subprocess("--mala-issues", "issues/calc-1.md", "-p", "no:randomly")
    done.assert_outcomes(passed=1)
    assert (pytester.path / "transcripts" / "calc-1.txt").read_text(encoding="utf-8").endswith("\n")


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
