"""The text of a failed test: read whole."""

from __future__ import annotations

from types import SimpleNamespace

from pytest_mala.issue import EndReason
from pytest_mala.report.failure import check_value, gates_failed, outcome_differs, sections


def check(name, verdict="passed", reason="", output=""):
    return SimpleNamespace(name=name, verdict=verdict, reason=reason, output=output, seconds=1.0)


def result(outcome, *checks, **more):
    values = {"turns": 1, "gate_attempts": 1, "cost_usd": None, "virtual_seconds": 1.0, "why": ""}
    values |= {"expected": (EndReason.PASSED,), "transcript": "", "notes": ()}
    return SimpleNamespace(outcome=outcome, checks=checks, **(values | more))


def test_all_checks_stand_in_one_table():
    ended = result(
        EndReason.GATE_FAILED,
        check("lint"),
        check(
            "types", "failed", "exit status 1, expected 0", "\n".join(f"p.py:{n}: error" for n in range(1, 25)) + "\n"
        ),
        check("test", "timed-out", "killed after 120 s"),
        check("docs", "error", "make: no such\nprogram", "\x1b[31mhint\x1b[0m\n"),
        why="the retries are used up",
        turns=5,
        gate_attempts=4,
    )
    assert gates_failed(ended).splitlines() == [
        "3 of 4 checks failed: types, test, docs",
        "ok         lint",
        "FAILED     types  exit status 1, expected 0",
        "             ... (last 12 of 24 lines)",
        *(f"             p.py:{number}: error" for number in range(13, 25)),
        "TIMED OUT  test   killed after 120 s",
        "ERROR      docs   make: no such program",
        "             hint",
        "expected passed, got gate-failed after 4 gate attempts, 5 turns: the retries are used up",
    ]


def test_another_outcome_says_expected_got_and_why():
    ended = result(EndReason.IDLE, expected=(EndReason.PASSED, EndReason.OBSOLETE), why="silent for\n 15 minutes")
    assert outcome_differs(ended) == "expected passed or obsolete, got idle: silent for 15 minutes"


def test_another_outcome_with_checks_that_passed():
    ended = result(EndReason.PASSED, check("test"), expected=(EndReason.GATE_FAILED,), gate_attempts=2)
    assert outcome_differs(ended).splitlines() == [
        "expected gate-failed, got passed: no reason was given",
        "the checks passed in gate attempt 2:",
        "ok  test",
    ]


def test_a_property_is_one_short_line():
    assert check_value(check("test", "passed", "quite well")) == "passed"
    assert check_value(check("test", "failed")) == "failed"
    assert check_value(check("test", "failed", "exit status 1\n")) == "failed (exit status 1)"
    assert len(check_value(check("test", "failed", "x" * 1000))) == 129


def test_sections_of_a_failure_add_what_the_text_does_not_say():
    ended = result(
        EndReason.GATE_FAILED,
        check("lint", output="fine"),
        check("types", "failed", output="short"),
        check("test", "failed", output="line\n" * 21),
        transcript="".join(f"{number}\n" for number in range(100)),
        notes=("the words of lint differ",),
    )
    found = sections(ended, "calc-1", failed=True)
    assert [heading for heading, _ in found] == [
        "check test of calc-1: FAILED",
        "notes on calc-1",
        "transcript of calc-1 (last 60 of 100 lines)",
    ]
    assert found[0][1] == "line\n" * 20 + "line"
    assert found[1][1] == "the words of lint differ"
    assert found[2][1].splitlines() == [str(number) for number in range(40, 100)]


def test_sections_of_a_pass_are_the_outputs_of_all_checks():
    ended = result(EndReason.PASSED, check("lint", output="fine\n"), check("types"), transcript="1\n")
    assert sections(ended, "calc-1", failed=False) == [("check lint of calc-1: ok", "fine")]


def test_a_short_transcript_is_shown_whole():
    ended = result(EndReason.IDLE, transcript="one\ntwo\n")
    assert sections(ended, "calc-1", failed=True) == [("transcript of calc-1 (2 lines)", "one\ntwo")]


def test_an_output_that_fits_is_told_whole_and_once():
    failed = check("test", "failed", "exit status 1", "".join(f"line {number}\n" for number in range(20)))
    ended = result(EndReason.GATE_FAILED, failed)
    assert gates_failed(ended).count("line ") == 20
    assert sections(ended, "calc-1", failed=True) == []
