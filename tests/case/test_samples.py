"""The sample issues replay to their outcomes, the same everywhere, and fail where they are made to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from case_tapes import JUDGED, STARTED, SUCCEEDED, SessionTape, only_issue, play
from golden_transcripts import NAMES, path_of

from pytest_mala.issue import EndReason, load_issue
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from case_project import Project

ISSUES = ("--mala-issues", "issues")
NO_NETWORK = ["unshare", "-n"]


def can_unshare() -> bool:
    return (
        bool(shutil.which("unshare"))
        and subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    )


def test_the_samples_pass_with_their_checks_in_the_summary(project: Project) -> None:
    done = project.run(*ISSUES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"8 passed in", done.stdout)
    rows = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("calc-")]
    assert [row[:2] for row in rows] == [
        ["calc-1", "passed"],
        ["calc-2", "passed"],
        ["calc-3", "gate-failed,"],
        ["calc-4", "no-change,"],
        *([f"calc-{number}", "passed"] for number in range(5, 9)),
    ]
    assert "test ok" in " ".join(rows[0])
    assert "compiles ok" in " ".join(rows[0])


def test_the_sample_repository_s_own_tests_are_not_collected(project: Project) -> None:
    done = project.run(*ISSUES, "--collect-only", "-q")
    assert done.returncode == 0, done.stdout
    assert [line for line in done.stdout.splitlines() if "::" in line] == [
        f"issues/calc-{number}.md::calc-{number}" for number in range(1, 9)
    ]


def test_transcripts_are_equal_whatever_is_around_them(project: Project, tmp_path: Path) -> None:
    """Another working directory, workers, hash seed, terminal, TMPDIR and caller's variables change no byte, and this
    machine is like any other: if a change was meant, `python -m tests.case.golden_transcripts` renews the files.
    """
    project.run(*ISSUES)
    first = project.read_transcripts()
    assert {name: text.encode() for name, text in first.items()} == {name: path_of(name).read_bytes() for name in NAMES}

    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    odd = tmp_path / "sp äce"
    odd.mkdir()
    (tmp_path / "link").symlink_to(odd)
    noise = {
        "COLUMNS": "200",
        "CI": "true",
        "FORCE_COLOR": "1",
        "PYTHONHASHSEED": "77",
        "TMPDIR": str(tmp_path / "link"),
        "GIT_DIR": "/nowhere",
        "GIT_INDEX_FILE": "/nowhere/index",
        "GIT_WORK_TREE": "/nowhere",
    }
    done = project.run(
        "-c",
        str(project.root / "pyproject.toml"),
        "--rootdir",
        str(project.root),
        "--mala-issues",
        str(project.root / "issues"),
        "-p",
        "no:cacheprovider",
        env=noise,
        cwd=elsewhere,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.read_transcripts() == first

    done = project.run(*ISSUES, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.read_transcripts() == first


def test_a_caller_s_addopts_reach_no_check(project: Project) -> None:
    """Here nothing has this name; in the check it is the one test that is asked for."""
    addopts = "--deselect=test_calc.py::test_add"
    done = project.run("--mala-issues", "issues/calc-1.md", env={"PYTEST_ADDOPTS": addopts})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not can_unshare(), reason="this system lets nobody make a network namespace")
def test_a_replay_needs_no_network_at_all(project: Project) -> None:
    command = [*NO_NETWORK, sys.executable, "-m", "pytest", "-p", "no:randomly", *ISSUES]
    env = {"PATH": os.environ["PATH"], "HOME": str(project.root.parent), "TRANSCRIPTS": str(project.transcripts)}
    done = subprocess.run(command, cwd=project.root, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


AUDIT = """
import json
import os
import sys

LOG = os.environ["AUDIT"]
STARTS = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn",
    "subprocess.Popen",
}


def hook(event, args):
    if event in STARTS or event.startswith("socket."):
        with open(LOG, "a") as file:
            print(json.dumps([event, *args], default=str), file=file)


sys.addaudithook(hook)
"""
SOCKETS_OF_A_LOOP = ["socket.__new__", int(socket.AF_UNIX), int(socket.SOCK_STREAM), 0]
"""Each event loop wakes itself by a pair of sockets, which are connected from the beginning."""


def test_a_replay_starts_checks_and_git_and_nothing_else(project: Project, tmp_path: Path) -> None:
    """No CLI and no socket: what the interpreter itself saw, not what we say. Its own `_posixsubprocess` it does not
    see; nothing of ours or of the SDK's uses that but through `subprocess`.
    """
    with (project.root / "conftest.py").open("a") as file:
        file.write(AUDIT)
    log = tmp_path / "audit"
    done = project.run(*ISSUES, env={"AUDIT": str(log)})
    assert done.returncode == 0, done.stdout + done.stderr
    issues = [load_issue(path) for path in (project.root / "issues").glob("*.md")]
    issues = [issue for issue in issues if issue.id != "calc-4"]  # it ends with a marker, for which no check runs
    checks = {tuple(shlex.split(check.command)) for issue in issues for check in issue.gate.checks}
    started = set()
    for event, *arguments in map(json.loads, log.read_text().splitlines()):
        if event == "subprocess.Popen":
            program, argv = arguments[:2]
            assert program == argv[0]
            started.add(tuple(argv) if program != "git" else "git")
        else:
            assert [event, *arguments[1:]] == SOCKETS_OF_A_LOOP
    assert started == {"git", *checks}


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts)
    }


def test_the_user_s_repository_stays_as_it_was_and_nothing_is_left(project: Project, tmp_path: Path) -> None:
    hooks = project.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-checkout", "post-commit"):
        (hooks / name).write_text('#!/bin/sh\ntouch "$HOME/hook-ran"\nexit 1\n')
        (hooks / name).chmod(0o755)
    (project.root / "issues" / "dirty.txt").write_text("not committed")
    before = fingerprint(project.root)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = project.run(*ISSUES, "-p", "no:cacheprovider", env={"TMPDIR": str(scratch)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert fingerprint(project.root) == before
    assert not (project.root.parent / "hook-ran").exists()
    assert [path.name for path in scratch.iterdir() if path.name.startswith("mala-")] == []


def test_a_workspace_does_not_see_the_project_s_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that ran below the project would find its pytest.ini, as its repository has none (slice.md 2.3)."""
    template = tmp_path / "template"
    template.mkdir()
    (template / "test_x.py").write_text("def test_x(pytestconfig):\n    assert pytestconfig.inipath is None\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p missing_plugin_xyz\n")
    monkeypatch.chdir(tmp_path)
    check = "python -m pytest -q -p no:cacheprovider -p no:asyncio"
    tape = SessionTape().first_turn().text("hi", after=1).result()
    assert isinstance(tape, SessionTape)
    issue = only_issue(tmp_path)
    recorded = prepare(issue.workspace, issue_path=issue.path, root=tmp_path.parent / f"{tmp_path.name}-recorded")
    start, left = json.loads(json.dumps([dataclasses.asdict(recorded.base), recorded.capture(1).to_data()]))
    tape.over(left=left).gate(command=check).states(STARTED, *JUDGED, SUCCEEDED)
    played = play(tmp_path, tape, check=check, start=start)
    assert played.error is None, played.told
    assert played.result.outcome is EndReason.PASSED


def test_junit_has_a_testcase_per_issue_and_a_property_per_check(project: Project, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = project.run(*ISSUES, f"--junitxml={report}")
    assert done.returncode == 0, done.stdout
    cases = ET.parse(report).getroot().findall(".//testcase")
    assert [case.get("name") for case in cases] == [f"calc-{number}" for number in range(1, 9)]
    found = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.findall("properties/property")}
        for case in cases
    }
    assert found["calc-1"]["check.test"] == "passed"
    assert found["calc-1"]["check.compiles"] == "passed"
    assert found["calc-3"]["check.test"] == "failed (exit status 1, expected 0)"


class TestChanged:
    """What no longer fits its recording is told, never passed over."""

    def test_one_word_of_a_prompt(self, project: Project) -> None:
        prompt = project.root / "prompts" / "implementer_prompt.md"
        text = prompt.read_text(encoding="utf-8")
        assert "one issue" in text
        prompt.write_text(text.replace("one issue", "one single issue", 1), encoding="utf-8")
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "the prompt is not what was recorded" in done.stdout
        assert "one{+ single+} issue" in done.stdout
        assert "pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all" in done.stdout
        assert "DIVERGED" in done.stdout
        assert "Traceback" not in done.stdout

    def test_a_fix_taken_out_of_the_recorded_tree(self, project: Project) -> None:
        cassette = project.root / "cassettes" / "calc-1.yaml"
        text = cassette.read_text(encoding="utf-8")
        tree = text.index("method: TREE", text.index("method: QUERY"))
        edited = text[:tree] + text[tree:].replace("return a + b", "return a - b", 1)
        assert edited != text
        cassette.write_text(edited, encoding="utf-8")
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "edited by hand" in done.stdout
        assert "pytest-mala cassette seal" in done.stdout

        sealed = subprocess.run(
            [sys.executable, "-m", "pytest_mala.cli", "cassette", "seal", str(cassette)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert sealed.returncode == 0, sealed.stderr
        assert sealed.stdout == f"{cassette}: sealed, marked as edited\n"
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "the gate changed its mind" in done.stdout
        assert "assert -1 == 5" in done.stdout

    def test_a_changed_sample_repository(self, project: Project) -> None:
        source = project.root / "issues" / "repos" / "calc" / "calc.py"
        source.write_text(source.read_text() + "\n# a remark\n")
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "calc.py" in done.stdout
        assert "--mala-record=all" in done.stdout

    def test_a_missing_cassette_names_the_command_that_records_it(self, project: Project) -> None:
        (project.root / "cassettes" / "calc-1.yaml").unlink()
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert (
            "cassettes/calc-1.yaml: there is no cassette for calc-1; record it with: "
            "pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all"
        ) in done.stdout
        assert "1 error" in done.stdout

    def test_another_model(self, project: Project) -> None:
        issue = project.root / "issues" / "calc-1.md"
        issue.write_text(issue.read_text().replace("priority: 1", "priority: 1\nagent: {model: opus}"))
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "the agent's options are not the recorded ones" in done.stdout

    def test_fewer_gate_attempts(self, project: Project) -> None:
        issue = project.root / "issues" / "calc-2.md"
        issue.write_text(issue.read_text().replace("---\n`divide", "limits: {gate_retries: 1}\n---\n`divide"))
        done = project.run("--mala-issues", "issues/calc-2.md")
        assert done.returncode == 1
        assert "the lifecycle decided otherwise" in done.stdout

    def test_expectations_do_not_absorb_a_divergence(self, project: Project) -> None:
        issue = project.root / "issues" / "calc-1.md"
        issue.write_text(issue.read_text().replace("priority: 1", "priority: 1\nxfail: known"))
        prompt = project.root / "prompts" / "implementer_prompt.md"
        prompt.write_text(prompt.read_text(encoding="utf-8") + "\nOne more sentence.\n", encoding="utf-8")
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert "xfailed" not in done.stdout

    @pytest.mark.parametrize("name", ["env", "cli_path"])
    def test_options_that_would_replace_the_lane_s_environment(self, project: Project, name: str) -> None:
        """A scripted session whose environment came from a fixture could reach the real API with the user's key."""
        with (project.root / "conftest.py").open("a") as file:
            file.write(f"\n\n@pytest.fixture\ndef mala_agent_options():\n    return {{{name!r}: {{}}}}\n")
        done = project.run("--mala-issues", "issues/calc-1.md")
        assert done.returncode == 1
        assert (
            f"mala_agent_options: {name} can't be set: the lane starts the CLI with an environment of its own, "
            "so that no key and no other address reaches it; take it out"
        ) in done.stdout
