"""`pytest-mala cassette show` and `diff`: the story that a cassette tells."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from golden_texts import golden, without

from pytest_mala.cli.styling import styled_story
from pytest_mala.transport.cassette import read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"calc-{number}" for number in range(1, 9)]


@pytest.mark.parametrize("name", NAMES)
def test_the_story_is_the_transcript_of_a_replay(name: str, command: Callable[..., Said]) -> None:
    """But for what only a run has (title, commit rule, outcome), and what only the file tells (trees, ends)."""
    said = command("cassette", "show", "--no-times", ROOT / "cassettes" / f"{name}.yaml")
    assert (said.status, said.err) == (0, "")
    head, empty, heading, *told = said.out.splitlines()
    assert head == f"{ROOT}/cassettes/{name}.yaml: lane scripted, SDK 0.2.187, CLI 2.1.330"
    assert (empty, heading) == ("", f"session {name}: as recorded")
    notes = ("* the work after turn ", "* the CLI ended in an error: ")
    assert without(told, "gate attempt ", *notes) == without(golden(name), "gate attempt ")


def test_gates_are_told_with_what_was_recorded(command: Callable[..., Said]) -> None:
    """The rules about commits are judged anew by each replay, and stand in no cassette."""
    told = command("cassette", "show", "--no-times", ROOT / "cassettes" / "calc-2.yaml").out.splitlines()
    at = told.index("gate attempt 1: 1 of 1 check failed: test")
    assert told[at - 1 : at + 3] == [
        "",
        "gate attempt 1: 1 of 1 check failed: test",
        "    FAILED  test: exit status 1, expected 0",
        "          F                                                                        [100%]",
    ]
    assert "gate attempt 2: 1 check passed" in told


def test_trees_and_ends_are_told(command: Callable[..., Said]) -> None:
    told = command("cassette", "show", ROOT / "cassettes" / "calc-7.yaml").out.splitlines()
    notes = [re.sub(r"^ +[\d.]+  ", "", line) for line in told]
    at = notes.index("* the CLI ended in an error: ProcessError: Command failed with exit code -9 (exit code: -9)")
    assert notes[at + 1] == "               Error output: Check stderr output for details"
    assert notes[at + 2] == "* the work after turn 1: 0 commits, something uncommitted"
    at = notes.index("* the work after turn 2: 1 commit, nothing uncommitted")
    assert notes[at + 1] == "               <commit 1> calc-7: add negate()"


def test_times_are_those_of_the_recording(command: Callable[..., Said], cassette: Path) -> None:
    told = command("cassette", "show", cassette).out
    times = [float(found) for found in re.findall(r"^ +(\d+\.\d{3})  ", told, re.MULTILINE)]
    assert times == sorted(times)
    first = next(one for one in read(cassette).takes[0].interactions if one.method == "CONTROL")
    assert f"\n    {first.response['ms'][0] / 1000:.3f}  turn 1, connection 1: prompt (work)\n" in told


def test_json_has_the_facts(command: Callable[..., Said], cassette: Path, another: Path) -> None:
    said = command("cassette", "show", "--json", cassette, another)
    told, more = map(json.loads, said.out.splitlines())
    assert (said.status, more["issue"]) == (0, "calc-1")
    [take] = told.pop("takes")
    assert told == {
        "path": str(cassette), "issue": "calc-4", "lane": "scripted", "sdk": "0.2.187", "cli": "2.1.330",
        "edited": False, "complete": True, "source": None,
    }  # fmt: skip
    assert take.pop("transcript").startswith("session calc-4: as recorded\n    0.000  state PROCESSING")
    assert take == {
        "take": 1, "start": "2026-01-01T00:00:00+00:00", "connections": 1, "turns": 1, "gates": 0, "frames": 9,
        "cost_usd": 0.0006,
    }  # fmt: skip


def test_marks_of_the_file_are_told(command: Callable[..., Said], cassette: Path) -> None:
    write(cassette, replace(read(cassette), edited=True, complete=False))
    head = command("cassette", "show", cassette).out.splitlines()[0]
    assert head == f"{cassette}: lane scripted, SDK 0.2.187, CLI 2.1.330, edited, incomplete"


def test_a_file_that_a_replay_would_refuse_is_refused(command: Callable[..., Said], cassette: Path) -> None:
    cassette.write_text(cassette.read_text().replace("ISSUE_NO_CHANGE", "ISSUE_OBSOLETE"))
    said = command("cassette", "show", cassette, "nowhere.yaml")
    first, second = said.err.splitlines()
    assert (said.status, said.out) == (1, "")
    assert first.startswith(f"error: {cassette}:")
    assert "the text does not match its digest" in first
    assert second == "error: nowhere.yaml: there is no cassette"


def test_a_terminal_gets_colours_and_nothing_else_does() -> None:
    path = str(ROOT / "cassettes" / "calc-3.yaml")
    arguments = [sys.executable, "-m", "pytest_mala.cli", "cassette", "show", path]
    plain = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout
    leader, follower = pty.openpty()
    with subprocess.Popen(arguments, stdout=follower, env={**os.environ, "TERM": "xterm"}) as running:
        os.close(follower)
        shown = b""
        while data := _read(leader):
            shown += data
        assert running.wait(60) == 0
    os.close(leader)
    coloured = shown.decode().replace("\r\n", "\n")
    assert "\x1b" not in plain
    assert click.unstyle(coloured) == plain
    assert coloured == styled_story(plain)


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux: the other side is closed
        return b""


def test_what_stands_out() -> None:
    lines = {
        "    0.381  turn 1, connection 1: prompt (work)": {"bold": True},
        "gate attempt 1: 1 of 2 checks failed: test": {"bold": True},
        "    4.462  * the session decided: idle": {"fg": "yellow", "bold": True},
        "               FAILED  test: exit status 1, expected 0": {"fg": "red"},
        "               ok      test": {"fg": "green"},
        "               | Do it.": {"dim": True},
        "    0.381  agent": {},
        "               turn 1, said the agent": {},
    }
    for line, how in lines.items():
        assert styled_story(line) == (click.style(line, **how) if how else line), line


def test_two_recordings_that_tell_the_same_have_no_difference(
    command: Callable[..., Said], cassette: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copy(cassette, tmp_path / "again.yaml"))
    slower = read(again)
    [take] = slower.takes
    interactions = tuple(
        replace(one, response={**one.response, "ms": [ms + 50 for ms in one.response["ms"]]})
        if "ms" in one.response
        else one
        for one in take.interactions
    )
    write(again, replace(slower, takes=(replace(take, interactions=interactions),)))
    assert again.read_bytes() != cassette.read_bytes()
    assert command("cassette", "diff", cassette, again) == command("cassette", "diff", cassette, cassette)
    said = command("cassette", "diff", "--json", cassette, again)
    assert (said.status, json.loads(said.out)) == (0, {"same": True, "diff": []})


def test_a_difference_is_told_by_its_step(command: Callable[..., Said], cassette: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = cassette.read_text()
    assert text.count("I will check the claim.") == 1
    found = read(cassette)
    other.write_text(text.replace("I will check the claim.", "I look."))
    assert command("cassette", "seal", _renamed(other, found.issue)).status == 0
    said = command("cassette", "diff", cassette, _renamed(other, found.issue))
    assert said.status == 1
    assert [line for line in said.out.splitlines() if line[:1] in "-+"] == [
        f"--- {cassette}",
        f"+++ {_renamed(other, found.issue)}",
        "-    I will check the claim.",
        "+    I look.",
    ]


def _renamed(path: Path, issue: str) -> Path:
    """In a folder of its own, since the name of a cassette is its issue's."""
    place = path.parent / "other" / f"{issue}.yaml"
    if path.exists():
        place.parent.mkdir()
        path.rename(place)
    return place


def test_a_file_that_can_not_be_read_is_no_difference(command: Callable[..., Said], cassette: Path) -> None:
    said = command("cassette", "diff", cassette, "nowhere.yaml")
    assert (said.status, said.out, said.err) == (2, "", "error: nowhere.yaml: there is no cassette\n")


def test_two_takes_of_a_file_are_compared(command: Callable[..., Said], cassette: Path) -> None:
    found = read(cassette)
    (first,) = found.takes
    told = json.dumps([one.response for one in first.interactions]).replace("check the claim", "look at it")
    interactions = tuple(
        replace(one, uri=one.uri.replace("calc-4/1/", "calc-4/2/"), response=response)
        for one, response in zip(first.interactions, json.loads(told), strict=True)
    )
    write(cassette, replace(found, takes=(first, replace(first, number=2, interactions=interactions))))
    said = command("cassette", "diff", cassette, "--takes", "1", "2")
    assert said.status == 1
    lines = said.out.splitlines()
    assert lines[:2] == [f"--- {cassette} take 1", f"+++ {cassette} take 2"]
    assert [line for line in lines[2:] if line.startswith(("-", "+"))] == [
        "-    I will check the claim.",
        "+    I will look at it.",
    ]
    assert command("cassette", "diff", cassette, cassette, "--takes", "2", "2") == command(
        *("cassette", "diff", cassette, "--takes", "1", "1")
    )
    said = command("cassette", "diff", cassette, "--takes", "1", "3")
    assert (said.status, said.err) == (2, f"error: {cassette}: there is no take 3, expected one of 1, 2\n")
    shown = command("cassette", "show", cassette).out
    assert [line for line in shown.splitlines() if line.startswith("session ")] == [
        "session calc-4: as recorded (take 1)",
        "session calc-4: as recorded (take 2)",
    ]
