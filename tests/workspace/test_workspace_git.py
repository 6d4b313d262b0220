"""Git as a child process: its environment, its failures, its deadline; and the patterns of include and exclude."""

from __future__ import annotations

import doctest
import os
import re
import time

import pytest
from freezegun import freeze_time
from workspace_bench import sh

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace import fields, globs, objects
from pytest_mala.workspace.git import Git, GitError, made_environment
from pytest_mala.workspace.globs import Globs
from pytest_mala.workspace.index import entries


def test_the_environment_is_made():
    parent = {
        "PATH": "/bin",
        "TMPDIR": "/t",
        "GIT_DIR": "/x",
        "GIT_TRACE": "1",
        "HOME": "/h",
        "LANG": "de_DE",
        "EDITOR": "e",
    }
    made = made_environment(parent)
    assert made["PATH"] == "/bin"
    assert made["TMPDIR"] == "/t"
    assert made["HOME"] == os.devnull
    assert made["GIT_CONFIG_GLOBAL"] == os.devnull
    assert not {"GIT_DIR", "GIT_TRACE", "LANG", "EDITOR"} & made.keys()


def test_a_failed_command_tells_what_git_said(tmp_path):
    with pytest.raises(GitError) as caught:
        Git(folder=tmp_path).run("rev-parse", "--verify", "x", GIT_DIR=str(tmp_path / "none"))
    assert str(caught.value) == (
        f"git rev-parse failed in {tmp_path} (exit status 128): not a git repository: '{tmp_path / 'none'}'"
    )


def program(folder, script):
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\n" + script)
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_a_hanging_git_is_killed(tmp_path):
    git = Git(folder=tmp_path, parent=program(tmp_path / "bin", "exec sleep 60"), deadline_seconds=0.2)
    start = time.monotonic()
    with pytest.raises(WorkspaceError) as caught:
        git.run("status")
    assert time.monotonic() - start < 20
    assert str(caught.value) == (
        f"git status in {tmp_path} did not end within 0.2 s and was killed; "
        "look for a slow disk or a program that hangs in place of git"
    )


def test_a_hanging_git_is_killed_while_the_clock_stands(tmp_path):
    git = Git(folder=tmp_path, parent=program(tmp_path / "bin", "exec sleep 60"), deadline_seconds=0.2)
    with freeze_time("2026-01-01"), pytest.raises(WorkspaceError, match="was killed"):
        git.run("status")


def test_what_a_failed_git_says_is_bounded_and_on_one_line(tmp_path):
    git = Git(folder=tmp_path, parent=program(tmp_path / "bin", "yes 'fatal: no' | head -500 >&2; exit 3"))
    with pytest.raises(GitError) as caught:
        git.run("x")
    assert str(caught.value).endswith("no; no...") or str(caught.value).endswith("...")
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)
    silent = Git(folder=tmp_path, parent=program(tmp_path / "bin2", "exit 3"))
    with pytest.raises(GitError, match=re.escape("(exit status 3): it said nothing")):
        silent.run("x")


def test_a_missing_git_is_told(tmp_path):
    with pytest.raises(WorkspaceError) as caught:
        Git(folder=tmp_path, parent={"PATH": str(tmp_path)}).run("status")
    assert str(caught.value) == "git was not found on PATH; workspaces are git trees: install git 2.31 or newer"


def test_a_missing_folder_is_told(tmp_path):
    folder = tmp_path / "gone"
    with pytest.raises(WorkspaceError) as caught:
        Git(folder=folder).run("status")
    assert str(caught.value) == (
        f"{folder}: git can't run there, the folder is gone; was it deleted by the agent or a check?"
    )


@pytest.mark.parametrize(
    ("pattern", "paths", "others"),
    [
        ("*.env", ["a.env", "x/y/.env"], ["a.env.bak", "env"]),
        ("build", ["build", "build/x", "a/build/y"], ["builder", "rebuild/x"]),
        ("build/", ["build/x"], ["builder"]),
        ("/top", ["top", "top/x"], []),
        ("a/*.txt", ["a/x.txt"], ["a/b/x.txt", "b/a/x.txt"]),
        ("a/**/x", ["a/x", "a/b/c/x", "a/b/x/y"], ["b/a/x"]),
        ("**", ["a", "a/b"], []),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("[ab].py", ["a.py", "x/b.py"], ["c.py"]),
        ("[!ab].py", ["c.py"], ["a.py", "/.py"]),
        ("x[", ["x["], ["x"]),
        ("./a.b+c", ["a.b+c"], ["aXb+c"]),
        ("line\nend", ["line\nend"], ["line"]),
    ],
)
def test_patterns(pattern, paths, others):
    wanted = Globs.of([pattern])
    assert [path for path in [*paths, *others] if wanted.match(path)] == paths


def test_no_pattern_means_nothing():
    assert not Globs.of([])
    assert not Globs.of([]).match("x")


def test_an_index_is_read_with_all_its_kinds_of_names(tmp_path):
    long = "d/" * 100 + "x" * 200
    names = ["a", "ab", "abc", "abcdefgh", "\u00e4", long, "/".join(["y" * 250] * 20)]
    sh(tmp_path, "git init -q")
    lines = "".join(f"100755 {'1' * 40} 0\t{name}\0" for name in names)
    git = Git(folder=tmp_path)
    git.run("update-index", "-z", "--index-info", stdin=lines.encode())
    found = list(entries((tmp_path / ".git" / "index").read_bytes()))
    assert sorted(one.path for one in found) == sorted(names)
    assert {(one.mode, one.id, one.stage) for one in found} == {(0o100755, "1" * 40, 0)}


@pytest.mark.parametrize("data", [b"", b"DIRC", b"junk" * 10, b"DIRC\0\0\0\4\0\0\0\1"])
def test_what_is_no_index_of_a_known_version_has_no_entries(data):
    assert list(entries(data)) == []


@pytest.mark.parametrize("module", [fields, globs, objects])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
