"""In a run that records, the summary names the cassettes that were written and those that were not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from samples import copy_samples, edit, run_by_hand, run_samples

from pytest_mala.case import CaseSettings, Lane, RecordMode
from pytest_mala.plugin.recording import Watched
from pytest_mala.transport.cassette import Cassette, Take, write

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = Take(number=1, start=datetime(2026, 1, 1, tzinfo=UTC).isoformat(), interactions=())


def store(folder: Path, issue: str = "calc-1") -> None:
    write(folder / f"{issue}.yaml", Cassette(issue=issue, lane="scripted", sdk="1", cli="1", takes=(EMPTY,)))


def watched(root: Path, mode: RecordMode, folder: str = "tapes") -> Watched:
    settings = CaseSettings(
        lane=Lane.SCRIPTED,
        record=mode,
        cassettes=root / folder,
        prompts=None,
        frozen=True,
        rootdir=root / "project",
        record_command="",
    )
    return Watched(settings.cassettes / "calc-1.yaml", settings)


@pytest.mark.parametrize(
    ("mode", "is_there", "is_written", "word"),
    [
        (RecordMode.ALL, False, True, "written"),
        (RecordMode.ALL, True, True, "written"),
        (RecordMode.ONCE, False, True, "written"),
        (RecordMode.ONCE, True, False, "replayed"),
        (RecordMode.STALE, False, True, "written"),
        (RecordMode.STALE, True, True, "renewed"),
        (RecordMode.STALE, True, False, "replayed"),
    ],
)
def test_what_happened_to_a_cassette(tmp_path, mode, is_there, is_written, word):
    folder = tmp_path / "project" / "tapes"
    if is_there:
        store(folder)
    found = watched(tmp_path, mode, "project/tapes")
    assert found.properties(is_replayed=not is_written) == [("mala.cassette", f"{word} tapes/calc-1.yaml")]


def test_a_folder_elsewhere_is_named_whole_and_a_run_that_does_not_record_says_nothing(tmp_path):
    store(tmp_path / "tapes")
    assert watched(tmp_path, RecordMode.ONCE).properties(is_replayed=True) == [
        ("mala.cassette", f"replayed {tmp_path}/tapes/calc-1.yaml")
    ]
    assert watched(tmp_path, RecordMode.NONE).properties(is_replayed=True) == []


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])
def test_the_line_of_the_summary(project, workers):
    """From the properties of the tests, which cross to xdist's controller, whatever the outcome."""
    happened = {
        "calc-1": "written",
        "calc-10": "written",
        "calc-2": "renewed",
        "calc-3": "replayed",
        "calc-9": "written",
    }
    for name in happened:
        project.issue(name)
    project.issue("calc-5")
    project.play("return result(issue, 'idle' if issue.id == 'calc-10' else 'passed')")
    project.write(
        "issues/conftest.py",
        f"""\
        import pytest

        @pytest.fixture(autouse=True)
        def recorded(request):
            word = {happened}.get(request.node.name)
            if word:
                request.node.user_properties.append(("mala.cassette", f"{{word}} tapes/{{request.node.name}}.yaml"))
        """,
    )
    result = project.run_issues(*workers)
    line = (
        "cassettes written: tapes/calc-1.yaml, tapes/calc-9.yaml, tapes/calc-10.yaml; "
        "renewed: tapes/calc-2.yaml; replayed as they are: tapes/calc-3.yaml"
    )
    assert result.outlines.count(line) == 1
    assert "cassettes written" not in project.run_issues(*workers, "-q").stdout.str()


def test_cassettes_that_replay_are_told_as_such(project, tmp_path):
    """Real sessions; nothing has to be recorded."""
    copy_samples(project)
    for number in (2, 3):
        (project.path / "issues" / f"calc-{number}.md").unlink()
    done = run_samples(project, tmp_path, "--mala-lane=scripted", "--mala-record=stale")
    assert " 2 passed in " in done.stdout, done.stdout + done.stderr
    assert "\ncassettes replayed as they are: cassettes/calc-1.yaml, cassettes/calc-4.yaml\n" in done.stdout


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])
def test_those_of_hand_written_tests_are_told_without_any_issue(project, workers):
    """Real sessions; nothing has to be recorded."""
    copy_samples(project)
    text = """\
async def test_two(mala_session):
    await mala_session("issues/calc-4.md")
    await mala_session("issues/calc-4.md")


@pytest.mark.mala(issue="issues/calc-4.md")
async def test_one(mala_session):
    await mala_session()
"""
    result = run_by_hand(project, text, "--mala-lane=scripted", "--mala-record=once", *workers)
    result.assert_outcomes(passed=2)
    line = "cassettes replayed as they are: cassettes/calc-4.yaml"
    start = next(at for at, line in enumerate(result.outlines) if line.strip("=") == " sessions ")
    assert result.outlines[start + 1] == line
    assert "cassettes replayed" not in run_by_hand(project, text, *workers).stdout.str()


@pytest.mark.cli
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])
def test_cassettes_that_are_recorded_are_named(project, tmp_path, workers):
    copy_samples(project)
    (project.path / "issues" / "calc-2.md").unlink()
    (project.path / "cassettes" / "calc-1.yaml").unlink()
    edit(project.path / "cassettes" / "calc-3.yaml", "scripted", "scriptet")
    report = tmp_path / "out.xml"
    done = run_samples(
        project, tmp_path, "--mala-lane=scripted", "--mala-record=stale", f"--junitxml={report}", *workers
    )
    assert " 3 passed in " in done.stdout, done.stdout + done.stderr
    assert (
        "\ncassettes written: cassettes/calc-1.yaml; renewed: cassettes/calc-3.yaml; "
        "replayed as they are: cassettes/calc-4.yaml\n"
    ) in done.stdout
    told = [one.get("value") for one in ET.parse(report).iter("property") if one.get("name") == "mala.cassette"]
    assert sorted(map(str, told)) == [
        "renewed cassettes/calc-3.yaml",
        "replayed cassettes/calc-4.yaml",
        "written cassettes/calc-1.yaml",
    ]
    again = run_samples(project, tmp_path, "--mala-lane=scripted", "--mala-record=all", *workers)
    assert " 3 passed in " in again.stdout, again.stdout + again.stderr
    names = ", ".join(f"cassettes/calc-{number}.yaml" for number in (1, 3, 4))
    assert f"\ncassettes written: {names}\n" in again.stdout
