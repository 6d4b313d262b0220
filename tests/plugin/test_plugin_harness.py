"""What a session of a hand-written test could not judge is told as that of an issue is: by words, JUnit and xfail."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from samples import copy_samples, edit, errors_shown, run_by_hand

from pytest_mala.plugin.foreign import text_of

WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])

TESTS = """\
import asyncio

from pytest_mala.errors import CassetteMissingError, Divergence, HarnessError

PROMPT = "Make it so."


async def test_diverged(mala_session):
    await mala_session("issues/calc-1.md")


@pytest.mark.xfail
async def test_absorbed(mala_session):
    await mala_session("issues/calc-1.md")


@pytest.mark.xfail(raises=(Exception, ValueError), strict=True)
async def test_missing(mala_session):
    await mala_session(PROMPT, workspace="issues/repos/calc")


@pytest.mark.xfail
async def test_group(mala_session):
    async with asyncio.TaskGroup() as group:
        group.create_task(mala_session("issues/calc-1.md"))


@pytest.mark.xfail
@pytest.mark.parametrize("broken", [1])
async def test_setup(given, broken):
    pass


@pytest.mark.xfail(raises=Divergence)
async def test_asked_for(mala_session):
    await mala_session("issues/calc-1.md")


@pytest.mark.xfail(raises=HarnessError)
async def test_other_asked_for(mala_session):
    await mala_session(PROMPT, workspace="issues/repos/calc")


@pytest.mark.xfail(raises=CassetteMissingError)
async def test_wrong_asked_for(mala_session):
    await mala_session("issues/calc-1.md")


@pytest.mark.xfail
async def test_by_hand(mala_session):
    raise Divergence("made by hand")


async def test_own(mala_session):
    raise Divergence("made by hand")


def test_later():
    raise Divergence("made by hand")
"""
WORDS = {
    "test_diverged": "DIVERGED",
    "test_absorbed": "DIVERGED",
    "test_missing": "ERROR",
    "test_group": "DIVERGED",
    "test_setup[1]": "DIVERGED",
    "test_asked_for": "XFAIL",
    "test_other_asked_for": "XFAIL",
    "test_wrong_asked_for": "DIVERGED",
    "test_by_hand": "XFAIL",
    "test_own": "FAILED",
    "test_later": "FAILED",
}


@pytest.fixture
def samples(project):
    """The prompt that the sessions send is not the recorded one, and has what a terminal would obey."""
    copy_samples(project)
    edit(
        project.path / "prompts" / "implementer_prompt.md", "You are working", "You \x1b]0;owned\x07\u202e are working"
    )
    project.write(
        "conftest.py",
        """\
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def given(mala_session):
            await mala_session("issues/calc-1.md")
        """,
    )
    return project


@WORKERS
def test_words_and_junit_are_those_of_an_issue_and_xfail_absorbs_none(samples, workers):
    result = run_by_hand(samples, TESTS, "-v", "--junitxml=out.xml", *workers)
    text = result.stdout.str()
    for name, word in WORDS.items():
        place = re.escape(f"test_by_hand.py::{name}")
        said = re.findall(rf"^{place} ([A-Z]+)\b|\] ([A-Z]+) {place} ", text, flags=re.MULTILINE)
        assert [one or other for one, other in said] == [word], name
    result.assert_outcomes(errors=6, xfailed=3, failed=2)
    tags = {"DIVERGED": ["properties", "error"], "ERROR": ["properties", "error"], "XFAIL": ["skipped"]}
    for case in ET.parse(samples.path / "out.xml").iter("testcase"):
        word = WORDS[case.get("name")]
        assert [child.tag for child in case] == tags.get(word, ["failure"]), case.get("name")
        told = {one.get("name"): one.get("value") for one in case.iter("property")}
        stale = {"mala.stale": "no turn is fresh; turn 1 of 1 answers a prompt that no longer exists"}
        expected = {"mala.error": word, **(stale if word == "DIVERGED" else {})}
        assert told == (expected if case[0].tag == "properties" else {})


@pytest.mark.parametrize("style", ["long", "short", "line", "native"])
def test_what_a_terminal_would_obey_is_spelt_out_and_the_call_stays(samples, style):
    text = """\
async def test_diverged(mala_session):
    await mala_session("issues/calc-1.md")


async def test_chained(mala_session):
    try:
        await mala_session("issues/calc-1.md")
    except Exception as error:
        text = str(error)
        raise ValueError(text) from error


async def test_told(mala_session):
    try:
        await mala_session("issues/calc-1.md")
    except Exception as error:
        pytest.fail(str(error), pytrace=False)
"""
    result = run_by_hand(samples, text, f"--tb={style}", "--showlocals", "--color=no")
    result.assert_outcomes(errors=1, failed=2)
    shown = result.stdout.str()
    for mark in ("\x1b", "\x07", "\u202e"):
        assert mark not in shown
    if style != "line":
        assert shown.count(r"You{+ \x1b]0;owned\x07\u202e+} are") >= 4
        assert shown.count('await mala_session("issues/calc-1.md")') >= 2
    if style == "long":
        assert errors_shown(result)["test_diverged"] == [
            "pytest_mala.errors.StalePrompt: cassettes/calc-1.yaml: connection 1 (work), turn 1, frame 3: the prompt "
            "is not what was recorded (no turn is fresh; turn 1 of 1 answers a prompt that no longer exists)",
            r"You{+ \x1b]0;owned\x07\u202e+} are working on one issue in a git",
            "closest recorded prompt: this one, 99 % of the words alike",
            "compared by name: the folders, ids and secrets that this run knows; everything else word by word",
            "last frame played: frame 2 (control_response) at 0.399 s, 1 of 16",
            "record it with: pytest test_by_hand.py::test_diverged --mala-lane=scripted --mala-record=all",
        ]


RERUNS = """\
import pytest
from _pytest.runner import runtestprotocol


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for run in (1, 2):
        item.run = run
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.failed and run == 1:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""
"""As plugins that run failed tests again do it, but for every test."""


def test_of_a_test_that_is_run_again_the_last_run_counts(project):
    for name in ("calc-1", "calc-2", "calc-3", "calc-4"):
        project.issue(name)
    project.play("""
        if issue.id == "calc-1" and ITEM[0].run == 1:
            raise Divergence("not yet")
        if issue.id == "calc-2" and ITEM[0].run == 2:
            raise GateChangedError("not again")
        if issue.id == "calc-3":
            ends = {1: "idle", 2: "gate-failed"}
            return result(issue, ends[ITEM[0].run], row("test", "failed", f"in run {ITEM[0].run}"))
        if issue.id == "calc-4" and ITEM[0].run == 2:
            1 / 0
        return result(issue, "passed" if ITEM[0].run == 2 else "idle")
    """)
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            "\n\nITEM = [None]\n\n\n@pytest.fixture(autouse=True)\ndef keep(request):\n    ITEM[0] = request.node\n\n\n"
            + RERUNS.replace("import pytest\n", "", 1)
        )
    result = project.run_issues("--junitxml=out.xml", "-rR")
    assert result.parseoutcomes() == {"rerun": 4, "passed": 1, "failed": 2, "errors": 1}
    start = result.outlines.index(next(line for line in result.outlines if line.strip("=") == " issues "))
    assert [line.rstrip() for line in result.outlines[start + 1 : start + 5]] == [
        "calc-1  passed                                  1 turn",
        "calc-2  DIVERGED",
        "calc-3  gate-failed, not expected  test FAILED  1 turn",
        "calc-4  FAILED",
    ]
    cases = {one.get("name"): one for one in ET.parse(project.path / "out.xml").iter("testcase")}
    told = [(one.get("name"), one.get("value")) for one in cases["calc-3"].iter("property")]
    assert told[0] == ("mala.issue", "calc-3")
    assert len(told) == len(dict(told)), told


def test_an_error_of_an_earlier_run_of_a_hand_written_test_is_forgotten(samples):
    with (samples.path / "conftest.py").open("a") as file:
        file.write("\n\n" + RERUNS)
    text = """\
async def test_it(mala_session, request):
    if request.node.run == 1:
        await mala_session("issues/calc-1.md")
    assert request.node.run == 1
"""
    result = run_by_hand(samples, text, "-v")
    assert result.parseoutcomes() == {"rerun": 1, "failed": 1}


def test_an_error_whose_message_can_not_be_read_is_told_all_the_same(project):
    project.issue("calc-1")
    project.play("""
        class Odd(HarnessError):
            def __str__(self):
                raise RuntimeError("no text")
        raise Odd()
    """)
    result = project.run_issues("-v")
    result.assert_outcomes(errors=1)
    message = "the message of this Odd can't be read: its __str__ raises RuntimeError"
    assert message in result.outlines
    assert f"ERROR issues/calc-1.md::calc-1 - Odd: {message}" in result.outlines
    assert text_of(ValueError("plain")) == "plain"
