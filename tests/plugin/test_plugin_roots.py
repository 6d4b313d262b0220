"""Which folders below the roots are sources of workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mala.errors import IssueError
from pytest_mala.plugin.roots import Roots, is_issue

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
---
id: {id}
title: t
workspace: {source}
gate: {{checks: {{test: make}}}}
---
body
"""


def write(path: Path, source: str = "repo", issue_id: str = "x-1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT.format(id=issue_id, source=source))
    return path


def roots_of(*paths: Path) -> Roots:
    return Roots(paths, skipped=[".*", "node_modules"], shown=lambda path: path.name)


def test_a_source_is_found_from_any_folder_below_the_root(tmp_path):
    write(tmp_path / "issues" / "deep" / "one.md", "../../repo")
    write(tmp_path / "issues" / "deep" / "two.md", "../src/lib")
    write(tmp_path / "issues" / ".hidden" / "three.md", "../never")
    roots = roots_of(tmp_path / "issues")
    # ../../repo lies beside the root: it may be the project's own source
    assert roots.sources() == {tmp_path / "issues" / "src" / "lib"}


def test_only_folders_are_ignored(tmp_path):
    write(tmp_path / "one.md", "lib")
    (tmp_path / "lib").mkdir()
    roots = roots_of(tmp_path)
    assert roots.ignore(tmp_path / "lib")
    assert not roots.ignore(tmp_path / "one.md")
    assert not roots.ignore(tmp_path)
    assert roots.ignore(tmp_path / "__transcripts__")


def test_without_roots_nothing_is_read(tmp_path):
    write(tmp_path / "one.md", "lib")
    (tmp_path / "lib").mkdir()
    assert not roots_of().ignore(tmp_path / "lib")


def test_a_root_may_be_a_file(tmp_path):
    file = write(tmp_path / "one.md", "lib")
    write(tmp_path / "two.md", "other")
    roots = roots_of(file)
    assert roots.hold(file)
    assert not roots.hold(tmp_path / "two.md")
    assert roots.sources() == frozenset()


def test_a_broken_file_hides_nothing_and_is_told_again(tmp_path):
    broken = tmp_path / "broken.md"
    broken.write_text("---\nid: x\n---\n")
    write(tmp_path / "one.md", "lib")
    roots = roots_of(tmp_path)
    assert roots.sources() == {tmp_path / "lib"}
    texts = set()
    for _ in range(2):
        with pytest.raises(IssueError) as caught:
            roots.load(broken)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_a_source_is_not_searched_for_issues(tmp_path):
    write(tmp_path / "z.md", "a")
    write(tmp_path / "a" / "inner.md", "../b")
    (tmp_path / "b").mkdir()
    assert roots_of(tmp_path).sources() == {tmp_path / "a"}


def test_a_loop_of_links_ends(tmp_path):
    write(tmp_path / "one.md", "lib")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert roots_of(tmp_path).sources() == {tmp_path / "lib"}


def test_an_id_is_claimed_once(tmp_path):
    roots = roots_of(tmp_path)
    [first] = roots.load(write(tmp_path / "one.md"))
    [same] = roots.load(tmp_path / "one.md")
    [second] = roots.load(write(tmp_path / "two.md", issue_id="X-1"))
    roots.claim(first)
    roots.claim(same)
    with pytest.raises(IssueError, match=r"^two\.md:.* one\.md:"):
        roots.claim(second)


def test_what_looks_like_an_issue(tmp_path):
    assert is_issue(write(tmp_path / "one.md"))
    (tmp_path / "README.md").write_text("# Title\n")
    assert not is_issue(tmp_path / "README.md")
    assert not is_issue(write(tmp_path / "one.txt"))


@pytest.mark.parametrize("is_stage", [True, False])
def test_a_check_that_runs_a_project_s_tests_runs_none_of_its_issues(project, is_stage):
    """They would be sessions inside of a session; what the command line names is meant."""
    folder = project.path / "mala-abc" / "workspace"
    (folder / "tests").mkdir(parents=True)
    if is_stage:
        (folder.parent / "workspace.git").mkdir()
    project.issue("calc-1", file="mala-abc/workspace/issues/calc-1.md")
    project.write("mala-abc/workspace/conftest.py", (project.path / "conftest.py").read_text())
    ini = (project.path / "pyproject.toml").read_text()
    project.write("mala-abc/workspace/pyproject.toml", ini + 'mala_issues = ["issues"]\ntestpaths = ["tests"]\n')
    project.write("mala-abc/workspace/tests/test_own.py", "def test_own():\n    pass\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        project.run("-q").assert_outcomes(passed=1 if is_stage else 2)
        project.run("-q", "--mala-issues=issues", "issues").assert_outcomes(passed=1)
