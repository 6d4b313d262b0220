"""The table of rows is whole and true of the code as it is; its run tells survivors, and is not fooled (design 5c)."""

from __future__ import annotations

import ast
import dataclasses
from itertools import chain
from queue import SimpleQueue

import pytest
from traceability.__main__ import main, try_all
from traceability.copies import Copy, StaleMutant, Verdict, apply
from traceability.model import PROJECT, RUNNER, Kind, Mutant, Row, mutant
from traceability.report import PAGE, group, page
from traceability.rows import CANARY, ROWS

COUNTS = {
    "row": 22, "L": 21, "S": 19, "P": 10, "T": 6, "E": 14, "R": 44, "D": 10, "A": 8, "H": 9, "N": 3, "B": 39, "X": 16,
    "Y": 6,
}  # fmt: skip
TESTED = [row for row in ROWS if row.kind is Kind.TESTED]
BY_ID = {row.id: row for row in ROWS}


def changed(row: Row, **parts: str) -> Row:
    """The same row with another mutant."""
    assert row.mutant is not None
    return dataclasses.replace(row, mutant=dataclasses.replace(row.mutant, **parts))


# The data


def test_every_row_of_the_contract_is_there_once() -> None:
    wanted = [f"session:{letters}{number}" for letters, count in COUNTS.items() for number in range(1, count + 1)]
    assert sorted(row.id for row in ROWS) == sorted(wanted)


def test_a_row_is_tested_or_says_why_not() -> None:
    for row in ROWS:
        assert row.says
        is_tested = row.kind is Kind.TESTED
        assert (bool(row.tests), row.mutant is not None) == (is_tested, is_tested), row.id
        assert bool(row.reason) is (row.kind is Kind.NOT_APPLICABLE), row.id


def test_only_the_agents_guards_are_left_for_later() -> None:
    later = {row.id.removeprefix("session:") for row in ROWS if row.kind is Kind.LATER}
    guards = chain.from_iterable([f"{letter}{n}" for n in range(1, COUNTS[letter] + 1)] for letter in "DAH")
    assert later == {*guards, "X13", "X15", *[f"B{number}" for number in range(30, 40)]}


def test_every_named_test_exists() -> None:
    files = {test.partition("::")[0] for row in TESTED for test in row.tests}
    defined = set(chain.from_iterable(map(ids_of_tests_in, files)))
    assert {test for row in TESTED for test in row.tests} - defined == set()


def ids_of_tests_in(file: str) -> list[str]:
    """Node ids of the tests of a file, read off its text."""
    found = []
    for node in ast.parse((PROJECT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found += [f"{file}::{node.name}::{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(f"{file}::{node.name}")
    return found


@pytest.mark.parametrize("row", [*TESTED, CANARY], ids=lambda row: row.id)
def test_every_mutant_changes_one_place_and_compiles(row: Row) -> None:
    assert row.mutant is not None
    text = (PROJECT / row.mutant.file).read_text(encoding="utf-8")
    mutated = apply(row.mutant, text)
    assert mutated != text
    if row.mutant.file.endswith(".py"):
        compile(mutated, row.mutant.file, "exec")


def test_every_mutant_has_a_name_of_its_own_and_is_another_change() -> None:
    mutants = [row.mutant for row in TESTED if row.mutant is not None]
    assert len({one.name for one in mutants}) == len(mutants)
    assert len({(one.file, one.old, one.new) for one in mutants}) == len(mutants)


def test_the_page_is_that_of_the_rows_with_every_mutant_killed() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(ROWS, {row.id: "killed" for row in TESTED})


def test_a_mutant_whose_text_is_gone_is_named() -> None:
    gone = Mutant(name="the gate is open", file="pytest_mala/x.py", old="shut", new="open")
    with pytest.raises(
        StaleMutant, match=r"^pytest_mala/x\.py: expected the text of mutant 'the gate is open' once, found it 2 times$"
    ):
        apply(gone, "shut shut")


# The run


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture
def free(copy: Copy) -> SimpleQueue[Copy]:
    queue: SimpleQueue[Copy] = SimpleQueue()
    queue.put(copy)
    return queue


def test_three_rows_are_told_and_a_planted_survivor_fails_the_run(
    free: SimpleQueue[Copy], capsys: pytest.CaptureFixture[str]
) -> None:
    planted = dataclasses.replace(CANARY, id="session:planted")
    status, outcomes = try_all([BY_ID["session:R2"], planted, BY_ID["session:B20"]], free, 1)
    assert status == 1
    assert [(outcome.verdict, outcome.detail) for outcome in outcomes] == [
        (Verdict.KILLED, "test_r2_the_first_query_is_the_prompt_alone"),
        (Verdict.SURVIVED, "no test failed"),
        (Verdict.KILLED, "test_b20_the_review_followup_names_no_mark_and_no_commands_of_one_language"),
    ]
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(" | ")[0] for line in told] == [
        "session:canary", "session:R2", "session:planted", "session:B20",
    ]  # fmt: skip
    assert told[1].startswith(
        "session:R2 | test_r2_the_first_query_is_the_prompt_alone | pytest_mala/session/iteration.py: "
        "an empty session id goes with the first query | killed: test_r2_the_first_query_is_the_prompt_alone ("
    )


def test_a_canary_that_is_noticed_stops_the_run(free: SimpleQueue[Copy], capsys: pytest.CaptureFixture[str]) -> None:
    row = BY_ID["session:R2"]
    assert try_all([row], free, 1, canary=row) == (2, [])
    assert capsys.readouterr().err == "the canary changes nothing, and did not survive: this run proves nothing\n"


def test_tests_that_fail_unchanged_stop_the_run(
    copy: Copy, free: SimpleQueue[Copy], capsys: pytest.CaptureFixture[str]
) -> None:
    row = BY_ID["session:R2"]
    assert row.mutant is not None
    with copy.changed(row.mutant):
        assert try_all([row], free, 1) == (2, [])
    assert capsys.readouterr().err == (
        "the tests fail without any mutant: test_r2_the_first_query_is_the_prompt_alone\n"
    )


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"new": "_ENDS = no_such_name"}, "pytest ended with status 4: "),
        ({"old": "no such text"}, "pytest_mala/session/run.py: expected the text of mutant "),
        (
            {"file": "pytest_mala/report/__init__.py", "old": "plain text out", "new": "text out"},
            "pytest_mala/report/__init__.py was never imported by the tests",
        ),
    ],
    ids=["does not import", "is stale", "is never seen"],
)
def test_a_mutant_that_could_not_be_tried_is_broken_not_killed(copy: Copy, change: dict[str, str], detail: str) -> None:
    outcome = copy.try_row(changed(CANARY, **change))
    assert outcome.verdict is Verdict.BROKEN
    assert outcome.detail.startswith(detail)


def test_the_package_itself_is_never_changed(copy: Copy) -> None:
    row = BY_ID["session:R2"]
    assert row.mutant is not None
    before = (PROJECT / row.mutant.file).read_text(encoding="utf-8")
    with copy.changed(row.mutant):
        assert (copy.folder / row.mutant.file).read_text(encoding="utf-8") != before
        assert (PROJECT / row.mutant.file).read_text(encoding="utf-8") == before
    assert (copy.folder / row.mutant.file).read_text(encoding="utf-8") == before


def test_modules_from_elsewhere_are_noticed(copy: Copy) -> None:
    seen = [str(copy.folder / "pytest_mala/__init__.py"), "/elsewhere/pytest_mala/session/run.py"]
    told = copy._wrongly_imported(seen, "pytest_mala/__init__.py")
    assert told == "imported from elsewhere: /elsewhere/pytest_mala/session/run.py"


def test_temporary_folders_of_a_run_are_the_copys_own(copy: Copy) -> None:
    assert copy.try_row(CANARY).verdict is Verdict.SURVIVED
    assert list(copy.folder.glob("pytest-of-*/pytest-*/test_*"))


def test_an_unknown_row_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["R2", "Q1"]) == 2
    assert capsys.readouterr().err == "no such row: session:Q1\n"


def test_files_of_mutants_are_those_of_the_package_or_its_prompts() -> None:
    assert mutant("a", "session/run.py", "b", "c").file == "pytest_mala/session/run.py"
    assert mutant("a", "prompts/x.md", "b", "c").file == "prompts/x.md"
    assert RUNNER.startswith("tests/session/")


@pytest.mark.stress
@pytest.mark.parametrize("letters", sorted({group(row) for row in TESTED}))
def test_every_mutant_is_killed(letters: str) -> None:
    assert main(["-j", "2", *[row.id for row in ROWS if group(row) == letters]]) == 0
