"""The rows of the summary."""

from __future__ import annotations

from pytest_mala.report.summary import IssueRow, header_line, not_run_line, summary_rows, takes_lines


def test_columns_are_aligned_and_notes_follow_their_row():
    rows = [
        IssueRow(name="a", outcome="passed", checks=(("test", "passed"),), turns=1),
        IssueRow(name="longer", outcome="gate-failed, expected", checks=(("test", "failed"),), turns=3, cost_usd=1.005),
        IssueRow(name="b", outcome="DIVERGED", notes=("early by 1",)),
    ]
    assert summary_rows(rows) == [
        ["a       passed                 test ok      1 turn"],
        ["longer  gate-failed, expected  test FAILED  3 turns, $1.00"],
        ["b       DIVERGED", "        note: early by 1"],
    ]


def test_no_rows_are_no_lines():
    assert summary_rows([]) == []


def test_the_header_says_when_it_records():
    assert (
        header_line(lane="scripted", record="all", roots=[], cassettes="tapes")
        == "mala: lane scripted, recording all, no roots, cassettes in tapes"
    )


def test_issues_that_were_not_run_are_in_natural_order():
    assert not_run_line({"b-10": "closed", "b-9": "blocked", "a": "epic"}) == (
        "not run: a (epic), b-9 (blocked), b-10 (closed)"
    )


def take(number: int, outcome: str = "passed", **more: object) -> IssueRow:
    facts = {"turns": 2, "issue": "a", "take": number, "name": f"a[take{number}]", **more}
    return IssueRow(outcome=outcome, **facts)  # type: ignore[arg-type]


def test_takes_of_an_issue_are_summed_up():
    assert takes_lines([take(1), take(1, issue="b")]) == []
    assert takes_lines([take(1), take(2)]) == ["takes of a: 2 (2 passed); all tell the same"]
    assert takes_lines([take(1), take(2, "idle, not expected", parting=3), take(3, parting=1)]) == [
        "takes of a: 3 (2 passed, 1 idle, not expected); "
        "take 2 parts from take 1 at turn 3; take 3 parts from take 1 at turn 1"
    ]
    assert takes_lines([take(1), take(2, "DIVERGED", turns=None)]) == ["takes of a: 2 (1 passed, 1 DIVERGED)"]


def test_flakes_are_counted_among_what_was_played_more_than_once():
    assert takes_lines([take(1, plays=2), take(1, issue="b", plays=2)]) == [
        "plays: 2 takes, each played more than once: 0 harness flakes"
    ]
    assert takes_lines([take(1, "FLAKED", turns=None), take(1, issue="b", plays=2)]) == [
        "plays: 2 takes, each played more than once: 1 harness flake"
    ]
