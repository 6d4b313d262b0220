"""The rows of the summary."""

from __future__ import annotations

from pytest_mala.report.summary import IssueRow, header_line, not_run_line, summary_rows


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
