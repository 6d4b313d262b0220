"""A spoilt cassette is refused with file and line; with a right digest it replays to the story that it tells, or is
refused: never a changed story, a hang, or an error of ours.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from broken_cassettes import issue_text, recorded, resealed, sealed
from case_project import ROOT
from sample_replays import SAMPLES, data_of, replay, spoilt_bytes, spoilt_data, text_of
from told_stories import Ear, differences, in_file, in_run

from pytest_mala.errors import CassetteError, Divergence, GateChangedError, HarnessError
from pytest_mala.issue import load_issues
from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "quick-1"
"""calc-1 with its quick check only."""

NAMES = (QUICK, "calc-4", "calc-5", "calc-6", "calc-7", "calc-8")
MOST_SECONDS = 20.0
"""In real time: a replay waits for nothing but its checks; a slow machine is no hang."""


def test_a_spoilt_file_is_refused_with_its_line(tmp_path: Path) -> None:
    check_bytes(tmp_path, 40, seed=0)


@pytest.mark.stress
def test_a_thousand_spoilt_files_are_refused_with_their_line(tmp_path: Path) -> None:
    check_bytes(tmp_path, 1000, seed=1)


def check_bytes(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(count):
        name, other = rng.sample(SAMPLES, 2)
        content = text_of(name).encode()
        spoilt = spoilt_bytes(content, text_of(other).encode(), rng)
        if spoilt == content:
            continue
        path = folder / f"{name}.yaml"
        path.write_bytes(spoilt)
        with pytest.raises(CassetteError) as caught:
            read(path)
        line = caught.value.line
        assert line is not None, (seed, number, str(caught.value))
        assert 1 <= line <= spoilt.count(b"\n") + 1, (seed, number, str(caught.value))
        assert str(caught.value).startswith(f"{path}:{line}: ")
        assert "\n" not in str(caught.value)


def test_a_spoilt_take_tells_its_own_story_or_is_refused(tmp_path: Path) -> None:
    check_stories(tmp_path, 12, seed=0)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(1, 21))
def test_a_thousand_spoilt_takes_tell_their_own_story_or_are_refused(tmp_path: Path, seed: int) -> None:
    check_stories(tmp_path, 50, seed)


def check_stories(folder: Path, count: int, seed: int) -> None:
    wrong = []
    for number in range(count):
        what, name, text = spoilt(random.Random(f"{seed}.{number}"))
        if found := judged(folder, name, text):
            wrong.append(f"seed {seed}.{number}, {name}: {what:.500}\n  {found}")
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong)


def spoilt(rng: random.Random) -> tuple[str, str, str | bytes]:
    """What was done, to which sample, and the file, with a right digest."""
    name, other = rng.sample(NAMES, 2)
    if rng.random() < 0.25:
        content = spoilt_bytes(whole(name).encode(), whole(other).encode(), rng)
        try:
            return "bytes", name, resealed(content.decode()) if b"# sha256:" in content else content
        except UnicodeDecodeError:
            return "bytes", name, content
    what, data = spoilt_data(data_in(name), data_in(other), rng)
    return what, name, sealed(data)


def data_in(name: str) -> dict[str, Any]:
    return recorded(name) if name == QUICK else data_of(name)


@cache
def whole(name: str) -> str:
    return sealed(data_in(name)) if name == QUICK else text_of(name)


def judged(folder: Path, name: str, content: str | bytes) -> str:
    """What is wrong about how this file was played; empty if nothing is."""
    issue = None
    if name == QUICK:
        path = folder / "issues" / f"{name}.md"
        if not path.is_file():
            (folder / "issues" / "repos").mkdir(parents=True)
            (folder / "issues" / "repos" / "calc").symlink_to(ROOT / "issues" / "repos" / "calc")
            path.write_text(issue_text(name), encoding="utf-8")
        issue = load_issues(path)[0]
    ear = Ear()
    played, hide = replay(folder, name, content, seconds=MOST_SECONDS, issue=issue, ear=ear)
    if played.error is not None:
        return refused_wrongly(played.error, f"cassettes/{name}.yaml")
    if played.tasks_left:
        return f"tasks are left: {played.tasks_left}"
    assert isinstance(content, str)
    notes = played.result.notes
    told = in_run(played.result, ear, hide)
    found = [differences(in_file(content, with_trailing=with_trailing), told, notes) for with_trailing in (False, True)]
    return "" if [] in found else "\n  ".join(found[0])


def refused_wrongly(error: BaseException, place: str) -> str:
    said = str(error)
    if not isinstance(error, HarnessError):
        return f"{type(error).__name__}: {said}"
    if not said.startswith((f"{place}:", f"{place} ")):
        return f"names no place: {type(error).__name__}: {said}"
    if isinstance(error, CassetteError) and error.line is None:
        return f"names no line: {said}"
    if isinstance(error, CassetteError) and "\n" in said:
        return f"more than one line: {said}"
    assert isinstance(error, Divergence | GateChangedError | HarnessError)
    return ""
