"""Several takes of an issue: recorded side by side, each replayed as a test of its own, and compared."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from case_project import ROOT
from case_takes import add_take, as_take

from pytest_mala.case.story import parting
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Cassette, read, seal, write
from pytest_mala.transport.cassette.heads import take_numbers
from pytest_mala.transport.merging import locked, merged

if TYPE_CHECKING:
    from case_project import Project

SAMPLE = ROOT / "cassettes" / "calc-2.yaml"
RECORD = ("--mala-lane=scripted", "--mala-record=all")


def exact(text: str) -> str:
    return text.replace("must keep its fraction", "must be exact")


def summary(text: str) -> list[str]:
    """The lines of the section `issues`."""
    section = re.split(r"^=+ issues =+\n", text, flags=re.MULTILINE)[1]
    return [line.rstrip() for line in re.split(r"^=+ .* =+$", section, flags=re.MULTILINE)[0].splitlines()]


def numbers(path: Path) -> list[int]:
    return [take.number for take in read(path).takes]


# Replay


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_each_take_is_a_test_and_the_summary_says_where_they_part(project: Project, workers: tuple[str, ...]) -> None:
    add_take(project.root / "cassettes" / "calc-2.yaml", 2)
    add_take(project.root / "cassettes" / "calc-2.yaml", 3, exact)
    done = project.run("--mala-issues", "issues/calc-2.md", "--junitxml=report.xml", *workers)
    assert done.returncode == 0, done.stdout
    assert summary(done.stdout) == [
        "calc-2         passed  commit ok, test ok  2 turns, $0.00",
        "calc-2[take2]  passed  commit ok, test ok  2 turns, $0.00",
        "calc-2[take3]  passed  commit ok, test ok  2 turns, $0.00",
        "takes of calc-2: 3 (3 passed); take 3 parts from take 1 at turn 2",
    ]
    report = (project.root / "report.xml").read_text(encoding="utf-8")
    assert re.findall('name="mala.(take|parting_turn)" value="([0-9])"', report) == [
        *(("take", "2"), ("take", "3"), ("parting_turn", "2")),
    ]


def test_a_take_is_chosen_by_its_id_and_two_plays_of_it_are_equal(project: Project) -> None:
    add_take(project.root / "cassettes" / "calc-2.yaml", 2, exact)
    done = project.run("issues/calc-2.md::calc-2[take2]", "--mala-plays=2")
    assert done.returncode == 0, done.stdout
    assert summary(done.stdout) == [
        "calc-2[take2]  passed  commit ok, test ok  2 turns, $0.00",
        "plays: 1 take, each played more than once: 0 harness flakes",
    ]


def test_a_take_that_diverges_names_the_command_that_records_it(project: Project) -> None:
    add_take(project.root / "cassettes" / "calc-2.yaml", 2)
    prompt = project.root / "prompts" / "gate_followup.md"
    prompt.write_text(prompt.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-2.md")
    assert done.returncode == 1
    for name in ("issues/calc-2.md::calc-2", "'issues/calc-2.md::calc-2[take2]'"):
        assert f"\nrecord it with: pytest {name} --mala-lane=scripted --mala-record=all\n" in done.stdout
    assert summary(done.stdout)[-1] == "takes of calc-2: 2 (2 DIVERGED)"


def test_a_test_written_by_hand_chooses_its_takes(project: Project) -> None:
    add_take(project.root / "cassettes" / "calc-2.yaml", 2, exact)
    (project.root / "test_by_hand.py").write_text(
        """\
import pytest


@pytest.mark.asyncio
@pytest.mark.parametrize("mala_take", [1, 2, 3])
async def test_takes(mala_session, mala_take):
    run = await mala_session("issues/calc-2.md")
    assert (run.result.take, run.result.parting) == (mala_take, 2 if mala_take == 2 else None)
""",
        encoding="utf-8",
    )
    done = project.run("test_by_hand.py")
    assert done.returncode == 1
    assert "2 passed, 1 error" in done.stdout
    record = "record it anew: pytest 'test_by_hand.py::test_takes[3]' --mala-lane=scripted --mala-record=all"
    assert f"cassettes/calc-2.yaml: expected a take 3, got 1, 2; to {record}" in done.stdout


def test_a_damaged_take_is_told_with_its_line(project: Project) -> None:
    path = project.root / "cassettes" / "calc-2.yaml"
    add_take(path, 2)
    found = read(path)
    first, second = found.takes
    doubled = replace(second, interactions=(*second.interactions, second.interactions[-1]))
    write(path, replace(found, takes=(first, doubled)))
    line = path.read_text(encoding="utf-8").splitlines().index(f'    uri: "{second.interactions[-1].uri}"') + 1
    done = project.run("--mala-issues", "issues/calc-2.md")
    assert done.returncode == 1
    where = re.findall(
        r"^cassettes/calc-2.yaml:([0-9]+): .* this place stands twice in the take", done.stdout, re.MULTILINE
    )
    assert len(where) == 2  # neither take of a file that can't be trusted is played
    assert abs(int(where[0]) - line) <= 2


CANARY = '''
COUNTED = []


class _Counting(Transcript):
    """Says something else each time."""

    def render(self, *, times: bool = True) -> str:
        COUNTED.append(1)
        return super().render(times=times) + f"play {len(COUNTED)}\\n"


Transcript = _Counting
'''


def test_a_harness_that_flakes_is_found_out(project: Project, tmp_path: Path) -> None:
    """A copy of the package that tells another story each time."""
    copy = tmp_path / "canary"
    shutil.copytree(ROOT / "pytest_mala", copy / "pytest_mala", ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "pytest_mala" / "case" / "session.py"
    file.write_text(file.read_text(encoding="utf-8") + CANARY, encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-plays=3", env={"PYTHONPATH": str(copy)})
    assert done.returncode == 1, done.stdout
    assert re.search(
        r"^cassettes/calc-4\.yaml: take 1: plays 1 and 2 differ in line [0-9]+ of the transcript\n"
        r"  play 1\n  play 2\n"
        r"a hook, a tool or a sink of this project does something else each time; if there is none, it is a fault of "
        r"pytest-mala$",
        done.stdout,
        re.MULTILINE,
    ), done.stdout
    assert summary(done.stdout) == [
        "calc-4  FLAKED",
        "plays: 1 take, each played more than once: 1 harness flake",
    ]


# Recording


@pytest.mark.cli
def test_as_many_takes_as_asked_for_are_recorded_side_by_side(project: Project) -> None:
    done = project.run("--mala-issues", "issues/calc-4.md", *RECORD, "--mala-takes=3", "-n", "2")
    assert done.returncode == 0, done.stdout
    path = project.root / "cassettes" / "calc-4.yaml"
    assert numbers(path) == [1, 2, 3]
    assert summary(done.stdout)[-1] == (
        "cassettes written: cassettes/calc-4.yaml, cassettes/calc-4.yaml (take 2), cassettes/calc-4.yaml (take 3)"
    )
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(("calc-4.", "."))] == [path.name]
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-plays=2")
    assert done.returncode == 0, done.stdout
    assert summary(done.stdout)[-2:] == [
        "takes of calc-4: 3 (3 no-change, expected); all tell the same",
        "plays: 3 takes, each played more than once: 0 harness flakes",
    ]


@pytest.mark.cli
def test_takes_that_are_missing_are_added_and_the_others_stay(project: Project) -> None:
    path = project.root / "cassettes" / "calc-4.yaml"
    before = read(path)
    how = ("--mala-lane=scripted", "--mala-record=once", "--mala-takes=2")
    done = project.run("--mala-issues", "issues/calc-4.md", *how)
    assert done.returncode == 0, done.stdout
    assert summary(done.stdout)[-1] == (
        "cassettes written: cassettes/calc-4.yaml (take 2); replayed as they are: cassettes/calc-4.yaml"
    )
    assert numbers(path) == [1, 2]
    assert read(path).takes[0] == before.takes[0]
    done = project.run("issues/calc-4.md::calc-4", *RECORD)  # the first take alone
    assert done.returncode == 0, done.stdout
    assert numbers(path) == [1, 2]
    done = project.run("--mala-issues", "issues/calc-4.md", *RECORD, "--mala-takes=1")
    assert done.returncode == 0, done.stdout
    assert numbers(path) == [1]


@pytest.mark.cli
def test_recorded_anew_are_the_takes_that_are_there(project: Project) -> None:
    path = project.root / "cassettes" / "calc-4.yaml"
    add_take(path, 2, lambda text: text)
    before = path.read_bytes()
    done = project.run("--mala-issues", "issues/calc-4.md", *RECORD)
    assert done.returncode == 0, done.stdout
    assert numbers(path) == [1, 2]
    assert path.read_bytes() != before


# The file


def with_take(found: Cassette, number: int) -> Cassette:
    return replace(found, takes=(as_take(found, number),))


def test_a_take_replaces_the_one_of_its_number_and_leaves_the_others() -> None:
    found = read(SAMPLE)
    both = merged(SAMPLE, found, with_take(found, 2))
    assert [take.number for take in both.takes] == [1, 2]
    assert merged(SAMPLE, both, with_take(found, 2)) == both
    three = merged(SAMPLE, both, with_take(found, 3))
    assert [take.number for take in three.takes] == [1, 2, 3]
    assert merged(SAMPLE, three, with_take(found, 1), at_most=2) == both
    assert merged(SAMPLE, None, found) == merged(SAMPLE, found, found) == found


def test_takes_say_what_they_were_recorded_with_where_it_is_something_else(tmp_path: Path) -> None:
    found = read(SAMPLE)
    newer = replace(with_take(found, 2), sdk="9.9.9", cli="8.8.8", lane="live")
    both = merged(SAMPLE, found, newer)
    assert (both.sdk, both.cli, both.lane) == ("9.9.9", "8.8.8", "live")
    assert [(take.sdk, take.cli, take.lane) for take in both.takes] == [
        (found.sdk, found.cli, found.lane),
        (None, None, None),
    ]
    path = tmp_path / "calc-2.yaml"
    write(path, both)
    assert read(path) == both
    again = merged(path, both, replace(with_take(found, 1), sdk="9.9.9", cli="8.8.8", lane="live"))
    assert {take.sdk for take in again.takes} == {None}


def test_how_it_was_scrubbed_is_what_holds_for_all() -> None:
    found = read(SAMPLE)
    assert found.scrub is not None
    newer = replace(with_take(found, 2), scrub=replace(found.scrub, rules=found.scrub.rules + 1))
    assert merged(SAMPLE, found, newer).scrub == found.scrub
    assert merged(SAMPLE, replace(found, scrub=None), newer).scrub is None


def test_an_imported_session_stands_alone() -> None:
    found = read(SAMPLE)
    imported = replace(found, lane="unknown", sdk="unknown", source="session log")
    assert merged(SAMPLE, imported, found) == found
    with pytest.raises(CassetteError) as caught:
        merged(SAMPLE, imported, with_take(found, 2))
    assert str(caught.value) == (
        f"{SAMPLE}: was imported from a session log, and stands for one session; delete the file, or use another issue"
    )


def test_takes_of_another_issue_or_cut_short_can_not_stand_beside_a_new_one() -> None:
    found = read(SAMPLE)
    path = Path("cassettes/calc-2.yaml")
    with pytest.raises(CassetteError) as caught:
        merged(path, replace(found, complete=False), with_take(found, 2))
    told = "take 1 was cut short; record it anew before take 2, or delete the file"
    assert str(caught.value) == f"cassettes/calc-2.yaml: {told}"
    with pytest.raises(CassetteError) as caught:
        merged(path, replace(found, issue="x"), with_take(found, 2))
    assert str(caught.value) == "cassettes/calc-2.yaml: expected a cassette of issue 'calc-2', got 'x'"


def test_a_take_that_says_nonsense_about_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calc-2.yaml"
    found = read(SAMPLE)
    write(path, replace(found, takes=(replace(found.takes[0], lane="live"),)))
    text = path.read_text(encoding="utf-8").replace("lane: live", "lane: moon")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CassetteError) as caught:
        seal(path)
    assert str(caught.value) == f"{path}:9: mala.takes[0].lane: expected scripted or live, got 'moon'"


def test_what_a_file_says_about_its_takes_is_found_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "calc-2.yaml"
    assert take_numbers(path) == ()
    assert take_numbers(tmp_path) == ()
    assert take_numbers(Path("a\0b")) == ()
    shutil.copy(SAMPLE, path)
    assert take_numbers(path) == (1,)
    add_take(path, 7)
    assert take_numbers(path) == (1, 7)
    for number in range(8, 60):
        found = read(path)
        write(path, replace(found, takes=(*found.takes, replace(as_take(read(SAMPLE), number), interactions=()))))
    assert take_numbers(path) == (1, *range(7, 60))
    path.write_text("take: 3\n", encoding="utf-8")
    assert take_numbers(path) == ()


def test_only_one_at_a_time_changes_the_cassettes_of_a_folder(tmp_path: Path) -> None:
    """Each adds one to a number that all read and write."""
    folder = tmp_path / "cassettes"
    file = folder / "number"

    def add(_: int) -> None:
        with locked(folder):
            number = int(file.read_text()) if file.exists() else 0
            file.write_text(str(number + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    assert file.read_text() == "100"
    assert list(folder.iterdir()) == [file]


# Where takes part


def changed(found: Cassette, old: str, new: str) -> Cassette:
    other = as_take(found, 2, lambda text: text.replace(old, new))
    return replace(found, takes=(found.takes[0], other))


@pytest.mark.parametrize(
    ("old", "new", "turn"),
    [
        ("nowhere to be found", "", None),
        ("The floor division is the cause.", "It is the floor division.", 1),
        ("I have not run the tests.", "The tests pass.", 1),
        ("must keep its fraction", "must be exact", 2),
        ("00000001-0000-4000-8000", "00000001-0000-4000-9000", None),
    ],
)
def test_takes_part_at_the_turn_that_tells_something_else(old: str, new: str, turn: int | None) -> None:
    both = changed(read(SAMPLE), old, new)
    assert parting(both, *both.takes) == turn


def test_a_take_that_ends_early_parts_at_its_last_turn() -> None:
    found = read(SAMPLE)
    first = found.takes[0]
    at = [number for number, one in enumerate(first.interactions) if one.method == "CONNECT"][1]
    short = replace(as_take(found, 2), interactions=as_take(found, 2).interactions[:at])
    both = replace(found, takes=(first, short))
    assert parting(both, *both.takes) == 1
