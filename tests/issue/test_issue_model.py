"""The values themselves: they can't be changed, and they know when they are not to be run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pickle
from pathlib import Path

import pytest

from pytest_mala.issue import (
    AgentChoice,
    AgentReview,
    Check,
    CommandReview,
    CommitRule,
    GateRule,
    Issue,
    IssueStatus,
    IssueType,
    Limits,
    NoReview,
    WorkspaceSource,
    model,
)

VALUES = [AgentChoice, AgentReview, Check, CommandReview, GateRule, Issue, Limits, NoReview, WorkspaceSource]


def _issue(**fields: object) -> Issue:
    return Issue(**{"id": "a", "title": "b", "body": "c", "path": Path("d.md"), **fields})


@pytest.mark.parametrize("value", VALUES)
def test_values_are_frozen_slotted_and_named(value: type) -> None:
    parameters = value.__dataclass_params__
    assert parameters.frozen
    assert "__slots__" in vars(value)
    assert all(field.kw_only for field in dataclasses.fields(value))


def test_a_worker_gets_the_issue_that_was_sent() -> None:
    issue = _issue(gate=GateRule(checks=(Check(name="test", command="pytest", env={"A": "b"}),)))
    assert pickle.loads(pickle.dumps(issue)) == issue


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"status": IssueStatus.IN_PROGRESS}, None),
        ({"status": IssueStatus.CLOSED}, "closed"),
        ({"status": IssueStatus.BLOCKED}, "blocked"),
        ({"status": IssueStatus.DEFERRED}, "deferred"),
        ({"type": IssueType.EPIC}, "epic"),
        ({"type": IssueType.EPIC, "status": IssueStatus.CLOSED}, "epic"),
    ],
)
def test_what_is_not_open_work_says_why_it_is_not_run(fields: dict[str, object], reason: str | None) -> None:
    assert _issue(**fields).is_deselected_reason == reason


@pytest.mark.parametrize(
    ("rule", "can_fail"),
    [
        (GateRule(), True),
        (GateRule(commit=CommitRule.FORBIDDEN), True),
        (GateRule(commit=CommitRule.ALLOWED), False),
        (GateRule(commit=CommitRule.ALLOWED, checks=(Check(name="a", command="b"),)), True),
    ],
)
def test_a_gate_that_asserts_nothing_cannot_fail(rule: GateRule, can_fail: bool) -> None:
    assert rule.can_fail is can_fail


def test_the_default_idle_time_is_the_one_of_the_default_timeout() -> None:
    assert Limits().idle == model.idle_seconds_for(Limits().timeout) == 360.0


def test_the_module_of_values_imports_nothing_that_acts() -> None:
    imports = [
        node for node in ast.parse(inspect.getsource(model)).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert {node.module for node in imports} == {"__future__", "dataclasses", "enum", "typing"}
