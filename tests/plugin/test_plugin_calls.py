"""How `mala_session` is called: what a prompt is and is called, what is refused, and what is left behind: nothing."""

from __future__ import annotations

import re
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from samples import HEAD, PYTEST, copy_samples, environment, errors_shown, run_by_hand

from pytest_mala.issue.readers import ID
from pytest_mala.plugin.made_id import made_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def samples(project):
    copy_samples(project)
    return project


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    made = tmp_path / "home" / "scratch"
    made.mkdir(parents=True)
    return made


def id_of(node: str, number: int = 1) -> str:
    parent, _, name = node.rpartition("::")
    return made_id(SimpleNamespace(parent=SimpleNamespace(nodeid=parent), name=name), number)


@pytest.mark.parametrize(
    ("node", "made"),
    [
        ("test_x.py::test_s", "test_x-test_s"),
        ("tests/test_x.py::TestA::test_s", "tests-test_x-TestA-test_s"),
        ("src/x_test.py::TestA::TestB::test_s[one]", "src-x_test-TestA-TestB-test_s-one"),
        ("tests/test_x.py::test_s[a/b]", "tests-test_x-test_s-a-b-f8d6a9e0"),
        ("tests/test_x.py::test_s[a-b]", "tests-test_x-test_s-a-b-3f8e0d61"),
        ("../test_x.py::test_s", "test_x-test_s-0"),
        ("été.py::été", "t-t-0"),
        ("ж.py::ж", "0"),
    ],
)
def test_a_prompt_is_named_after_its_test(node, made):
    """What is not plain has a hash behind it, eight characters long."""
    found = id_of(node)
    if re.search(r"(^|-)(0|[0-9a-f]{8})$", made):
        assert re.fullmatch(re.sub(r"(0|[0-9a-f]{8})$", "[0-9a-f]{8}", made), found)
    else:
        assert found == made
    assert id_of(node, 2) == f"{found}-2"


def test_no_two_tests_have_one_id():
    """In two classes, folders, files; parameters that differ in what can't stand in an id; words that change places."""
    long = "x" * 90
    nodes = [
        f"{folder}{file}.py::{place}{name}{parameter}"
        for folder in ("", "a/", "b/", "a/b/", "a-b/", "a_b/", "test_x/", "x_test/", "../")
        for file in ("test_x", "x_test", "a-test_x", "b", "TestA", "test_x.a")
        for place in ("", "TestA::", "TestB::", "TestA::TestB::", "test_s::", "a::")
        for name in ("test_s", "testA", "test_x", "TestA", "a", "é", f"test_{long}", f"test_{long}y")
        for parameter in ("", "[a/b]", "[a-b]", "[a b]", "[a]", "[a.]", "[test_s]", "[]")
    ]
    made = [id_of(node) for node in nodes]
    assert len(set(made)) == len(set(nodes)) == len(nodes)
    assert all(re.fullmatch(ID, one, re.ASCII) for one in made)
    assert all(re.fullmatch(ID, id_of(node, 1000), re.ASCII) for node in nodes)


def test_two_tests_of_one_name_have_a_cassette_each(samples):
    test = (
        "    @pytest.mark.asyncio\n    @pytest.mark.parametrize('p', ['a/b', 'a-b'])\n"
        "    async def test_s(self, mala_session, p):\n"
        "        await mala_session('Make it so.', workspace='issues/repos/calc')\n"
    )
    for folder in ("one", "two"):
        samples.write(f"{folder}/test_{folder}.py", "")
        samples.write(f"{folder}/test_same.py", f"import pytest\n\nclass TestA:\n{test}\nclass TestB:\n{test}")
    plugins = [part for name in samples.plugins for part in ("-p", name)]
    result = samples.pytester.runpytest_subprocess(*plugins, "--import-mode=importlib", "one", "two")
    result.assert_outcomes(errors=8)
    said = set(re.findall(r"cassettes/(\S+)\.yaml: there is no cassette", result.stdout.str()))
    assert len(said) == 8
    assert {one.rpartition("-")[0] for one in said} == {
        f"{folder}-test_same-Test{letter}-test_s-a-b" for folder in ("one", "two") for letter in "AB"
    }


def test_what_is_a_prompt_and_what_is_refused(samples):
    (samples.path / "my issues").mkdir()
    (samples.path / "my issues" / "calc 4.md").write_bytes((samples.path / "issues" / "calc-4.md").read_bytes())
    result = run_by_hand(
        samples,
        """\
CALC = {"workspace": "issues/repos/calc"}


async def test_ends_in_md(mala_session):
    await mala_session("Rewrite notes.md", **CALC)


async def test_long(mala_session):
    await mala_session("Please! " * 9999 + "\\0\\ud800\\n.md", **CALC)


async def test_spaces(mala_session):
    await mala_session("my issues/calc 4.md", workspace="nowhere")


async def test_two_issues(mala_session):
    await mala_session("issues/calc-1.md", issue="issues/calc-2.md")


async def test_number(mala_session):
    await mala_session("issues/calc-1.md", issue=5)


async def test_only_number(mala_session):
    await mala_session(issue=5)


@pytest.mark.mala(isue="issues/calc-1.md")
async def test_misspelt(mala_session):
    await mala_session()


async def test_self(mala_session):
    await mala_session(self=1)


async def test_newline(mala_session):
    await mala_session(__import__("pathlib").Path("issues/calc\\n-1.md"))


async def test_folder(mala_session):
    await mala_session(__import__("pathlib").Path("issues"))


async def test_gather(mala_session):
    import asyncio

    await asyncio.gather(mala_session("issues/calc-3.md"), mala_session("issues/calc-4.md"))


KEPT = []


async def test_keeps(mala_session):
    await mala_session("issues/calc-4.md")
    KEPT.append(mala_session)


async def test_late():
    await KEPT[0]("issues/calc-4.md")
""",
    )
    result.assert_outcomes(errors=11, passed=1, failed=1)
    said = {name: lines[0] for name, lines in errors_shown(result).items()}
    how = "name one: `mala_session('issues/calc-1.md')`, `mala_session('What to do')` or `@pytest.mark.mala(issue=...)`"
    words = (
        "Allowed: issue, timeout, idle, gate_retries, review_retries, idle_retries, restarts, turns, budget_usd, "
        "workspace, gate, agent"
    )
    usage, place = "pytest_mala.errors.UsageError: ", "test_by_hand.py"
    missing = "pytest_mala.errors.CassetteMissingError: cassettes/test_by_hand-{0}.yaml: there is no cassette for "
    for name in ("test_ends_in_md", "test_long"):
        assert said.pop(name).startswith(missing.format(name))
    assert "my issues/" in said.pop("test_spaces")
    both = "got an issue and `issue=` too; leave out one of them"
    assert said == {
        "test_two_issues": f"{usage}{place}:20: mala_session: {both}",
        "test_number": f"{usage}{place}:24: mala_session: {both}",
        "test_only_number": f"{usage}{place}:28: mala_session: there is no issue to work on, got 5; {how}",
        "test_misspelt": f"{usage}{place}:32: mala: unknown keyword 'isue', did you mean 'issue'? {words}",
        "test_self": f"{usage}{place}:37: mala: unknown keyword 'self'. {words}",
        "test_newline": (
            f"{usage}{place}:41: mala_session: no such file: 'issues/calc\\n-1.md'; correct the path, which starts at "
            f"the root folder '{samples.path}'"
        ),
        "test_folder": "pytest_mala.errors.IssueError: issues:1: is a directory: expected a Markdown file",
        "test_gather": (
            f"{usage}{place}:49: mala_session: one session at a time in a test: await the first before the next begins"
        ),
        "test_late": (
            f"{usage}{place}:58: mala_session: the test is over, and its sessions with it; await it inside of the test"
        ),
    }


def run_with(project, scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTEST, *arguments],
        cwd=project.path,
        env=environment(scratch),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def left_in(scratch: Path) -> list[str]:
    return [path.name for path in scratch.iterdir() if path.name.startswith("mala-")]


def test_calls_after_the_test_and_calls_at_once_leave_no_folder(samples, scratch):
    text = """\
import asyncio

KEPT = []


async def test_keeps(mala_session):
    KEPT.append(mala_session)
    await asyncio.gather(mala_session("issues/calc-3.md"), mala_session("issues/calc-4.md"))


async def test_late():
    await KEPT[0]("issues/calc-4.md")
"""
    samples.write("test_by_hand.py", HEAD + text)
    done = run_with(samples, scratch, "test_by_hand.py")
    assert " 1 failed, 1 error in " in done.stdout, done.stdout + done.stderr
    assert left_in(scratch) == []


INTERRUPTS = """\
import sys

import pytest

WAITING = []


def pytest_runtest_teardown():
    WAITING.append("an interrupt")


def interrupt(event, arguments):
    if event == "shutil.rmtree" and "/mala-" in str(arguments[0]) and WAITING:
        WAITING.clear()
        raise KeyboardInterrupt


sys.addaudithook(interrupt)
"""
"""The user's Ctrl-C, as it comes while the first folder is deleted."""


@pytest.mark.parametrize("target", ["test_by_hand.py", "issues/calc-4.md"])
def test_an_interrupt_while_folders_are_deleted_leaves_none(samples, scratch, target):
    samples.write("conftest.py", INTERRUPTS)
    text = """\
async def test_three(mala_session):
    for _ in range(3):
        await mala_session("issues/calc-4.md")
"""
    samples.write("test_by_hand.py", HEAD + text)
    done = run_with(samples, scratch, target)
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    assert "KeyboardInterrupt" in done.stdout
    assert left_in(scratch) == []


def test_no_session_is_run_by_a_check_of_another(project):
    folder = project.path / "mala-abc" / "workspace"
    (folder.parent / "workspace.git").mkdir(parents=True)
    project.write("mala-abc/workspace/pyproject.toml", (project.path / "pyproject.toml").read_text())
    text = 'import pytest\n\n\n@pytest.mark.asyncio\nasync def test_it(mala_session):\n    await mala_session("a b")\n'
    project.write("mala-abc/workspace/test_by_hand.py", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = project.run("-rs")
    result.assert_outcomes(skipped=1)
    why = "this is the workspace of a session, whose checks run no sessions of their own"
    result.stdout.fnmatch_lines([f"SKIPPED*: {why}"])


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["plain", "n1"])
def test_an_outcome_can_be_recorded_as_a_property(project, workers):
    copy_samples(project)
    project.write(
        "test_by_hand.py",
        """\
        import pytest


        @pytest.mark.asyncio
        async def test_it(mala_session, record_property):
            run = await mala_session("issues/calc-4.md")
            record_property("outcome", run.outcome)
        """,
    )
    project.run("test_by_hand.py", "--junitxml=out.xml", "-o", "junit_family=xunit1", *workers).assert_outcomes(
        passed=1
    )
    assert '<property name="outcome" value="no-change"' in (project.path / "out.xml").read_text(encoding="utf-8")
