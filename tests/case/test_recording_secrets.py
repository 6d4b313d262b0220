"""Secrets in sessions of the real CLI: what it says is scrubbed, what it writes into the tree fails the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from broken_cassettes import told

from pytest_mala.transport.cassette import read
from pytest_mala.transport.proof import Proof

if TYPE_CHECKING:
    from case_project import Project

pytestmark = pytest.mark.cli

RECORD = ("--mala-issues", "issues/calc-4.md", "--mala-lane=scripted", "--mala-record=all", "-p", "no:cacheprovider")
VALUE = "known only here/7"
HALVES = ("gh", "p_a1B2c3D4e5a1B2c3D4e5a1B2c3D4e5a1B2c3D4e5")
"""A token that no file of the project holds in one piece, so that the script may."""


def script(project: Project, command: str) -> None:
    text = (
        f"answers:\n  - tool: {{name: Bash, input: {{command: {command!r}, description: Try}}}}\n"
        '  - say: "ISSUE_NO_CHANGE: it is right"\n'
    )
    (project.root / "issues" / "calc-4.model.yaml").write_text(text, encoding="utf-8")


def parts(project: Project) -> list[str]:
    return [path.name for path in (project.root / "cassettes").glob("*.part")]


def test_what_the_cli_says_is_scrubbed_and_replays(project: Project) -> None:
    first, rest = HALVES
    script(project, f"printf '%s%s\\n%s%s\\n' {first} {rest} 'known only ' here/7 | tee /dev/stderr | base64")
    done = project.run(*RECORD, env={"SOME_PASSWORD": VALUE})
    assert done.returncode == 0, done.stdout + done.stderr
    path = project.root / "cassettes" / "calc-4.yaml"
    text = path.read_text(encoding="utf-8")
    assert "<github-1>" in text
    assert "<secret-1>" in text
    assert VALUE not in text
    assert first + rest not in text
    assert read(path).scrub == Proof(rules=1, planted=174, found=174)
    done = project.run("--mala-issues", "issues/calc-4.md")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_secret_in_the_tree_stores_nothing_unless_the_file_is_excluded(project: Project) -> None:
    first, rest = HALVES
    script(project, f"printf 'TOKEN=%s%s\\n' {first} {rest} > local.env")
    path = project.root / "cassettes" / "calc-4.yaml"
    before = path.read_bytes()
    done = project.run(*RECORD)
    assert done.returncode == 1
    (error,) = told(done.stdout).values()
    assert error == (
        "turn 1: local.env (rule github) holds what looks like a secret, and a tree is never changed, so nothing was "
        "stored; name it under `workspace.exclude`, or keep the secret out of the workspace"
    )
    assert path.read_bytes() == before
    assert parts(project) == []

    done = project.run(*(one for one in RECORD if "record" not in one))
    assert "rule github" not in done.stdout, "nothing would have been stored"
    assert "local.env" in done.stdout

    issue = project.root / "issues" / "calc-4.md"
    given = issue.read_text(encoding="utf-8")
    issue.write_text(
        given.replace("workspace: repos/calc", "workspace: {path: repos/calc, exclude: ['*.env']}"), "utf-8"
    )
    done = project.run(*RECORD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert first + rest not in path.read_text(encoding="utf-8")
    assert "local.env (excluded)" in path.read_text(encoding="utf-8")
