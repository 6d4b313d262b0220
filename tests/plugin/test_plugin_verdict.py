"""When a session's test passes, and as what it fails."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from pytest_mala.issue import EndReason
from pytest_mala.plugin.failures import GatesFailed, OutcomeDiffers
from pytest_mala.plugin.verdict import judge_case, result_properties

PASSED = (EndReason.PASSED,)


def check(name="test", verdict="passed", reason="", output=""):
    return SimpleNamespace(name=name, verdict=verdict, reason=reason, output=output, seconds=1.0)


def result(outcome, *checks, expected=PASSED, **more):
    values = {"turns": 1, "gate_attempts": 1, "cost_usd": None, "why": ""}
    values |= {
        "virtual_seconds": 1.23456,
        "transcript": "",
        "notes": (),
        "stale": "",
        "take": 1,
        "plays": 1,
        "parting": None,
    }
    return SimpleNamespace(outcome=outcome, expected=expected, checks=checks, **(values | more))


@pytest.mark.parametrize("outcome", EndReason)
def test_only_an_expected_outcome_passes(outcome):
    judge_case(result(outcome, expected=(EndReason.PASSED, outcome)))
    if outcome is not EndReason.PASSED:
        with pytest.raises(OutcomeDiffers):
            judge_case(result(outcome))


def test_an_expected_gate_failure_passes_with_failed_checks():
    judge_case(result(EndReason.GATE_FAILED, check(verdict="failed"), expected=(EndReason.GATE_FAILED,)))


@pytest.mark.parametrize("verdict", ["failed", "timed-out", "error", "never heard of"])
def test_whatever_is_not_passed_is_a_failed_check(verdict):
    with pytest.raises(GatesFailed):
        judge_case(result(EndReason.GATE_FAILED, check(verdict=verdict)))


def test_passing_checks_do_not_hide_another_outcome():
    with pytest.raises(OutcomeDiffers, match="expected gate-failed, got passed"):
        judge_case(result(EndReason.PASSED, check(), expected=(EndReason.GATE_FAILED,)))


@pytest.mark.parametrize("failure", [GatesFailed, OutcomeDiffers])
def test_a_failure_is_pytests_and_an_assertion(failure):
    error = failure("text")
    assert isinstance(error, AssertionError)
    assert isinstance(error, pytest.fail.Exception)
    assert error.pytrace is False
    assert str(error) == "text"
    assert failure.__module__ == "builtins"
    assert inspect.getmodule(type(error)) is not None


def test_properties():
    row = check("types", "error", "mypy: not found\nsee above")
    found = result_properties(result(EndReason.GATE_FAILED, check(), row, cost_usd=0.5, notes=("a note",)))
    assert found == [
        ("mala.outcome", "gate-failed"),
        ("mala.turns", 1),
        ("mala.virtual_s", 1.235),
        ("mala.cost_usd", 0.5),
        ("mala.note", "a note"),
        ("check.test", "passed"),
        ("check.types", "error (mypy: not found see above)"),
    ]
