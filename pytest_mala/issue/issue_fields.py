"""Read an issue from its front matter and body: the fields of design section 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.errors import IssueError
from pytest_mala.issue.gate_fields import gate_rule
from pytest_mala.issue.markdown import acceptance_criteria
from pytest_mala.issue.model import (
    AgentChoice,
    EndReason,
    GateRule,
    Issue,
    IssueStatus,
    IssueType,
    Limits,
    NoReview,
    WorkspaceSource,
)
from pytest_mala.issue.readers import choice, identifier, line_text, matching, optional, reason, unique
from pytest_mala.issue.session_fields import agent_choice, limits, review_choice, workspace_source

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.issue.value import Fields, Value

FIELDS = (
    "id", "title", "type", "status", "priority", "labels", "depends_on", "workspace", "gate", "review", "agent",
    "limits", "expect", "xfail", "skip",
)  # fmt: skip

_depends_on = unique(identifier, "a list of ids like [calc-0]")
_PRIORITY = matching(r"[Pp]?[0-4]", "a priority from 0 to 4, or P0 to P4")


def issue_from(front: Value, path: Path, body: str) -> Issue:
    """The issue that the front matter and the Markdown below it describe. Raises `IssueError`."""
    fields = front.fields(FIELDS, "fields like 'id: calc-1' in the front matter")
    for name, example in (("id", "calc-1"), ("title", "add() subtracts")):
        if name not in fields.values:
            raise IssueError(front.shown, 1, f"{name}: missing, every issue needs one like '{name}: {example}'")
    issue_id = fields.get("id", identifier, "")
    depends_on = fields.get("depends_on", _depends_on, ())
    if issue_id in depends_on:
        fields.values["depends_on"].fail(f"'{issue_id}' can't depend on itself")
    return Issue(
        id=issue_id,
        title=fields.get("title", line_text, ""),
        path=path,
        shown=str(front.shown),
        type=fields.get("type", choice(IssueType), IssueType.TASK),
        status=fields.get("status", choice(IssueStatus), IssueStatus.OPEN),
        priority=fields.get("priority", _priority, 2),
        labels=fields.get("labels", unique(line_text, "a list like [parser, docs]"), ()),
        depends_on=depends_on,
        workspace=fields.get("workspace", workspace_source, WorkspaceSource()),
        gate=fields.get("gate", lambda value: _gate_rule(value, fields), GateRule()),
        review=fields.get("review", review_choice, NoReview()),
        agent=fields.get("agent", agent_choice, AgentChoice()),
        limits=fields.get("limits", limits, Limits()),
        expect=_expected(fields),
        xfail=fields.get("xfail", optional(reason), None),
        skip=fields.get("skip", optional(reason), None),
        body=body.strip("\n").rstrip(),
        acceptance_criteria=acceptance_criteria(body),
    )


def _priority(value: Value) -> int:
    return int(_PRIORITY(value)[-1])


def _gate_rule(value: Value, fields: Fields) -> GateRule:
    """A session that is imported from a log can't be judged: all that its issue asserts is how it ended."""
    rule = gate_rule(value)
    if not rule.can_fail and EndReason.PASSED in _expected(fields):
        value.fail("this issue can't fail: name a check, or set commit to required or forbidden")
    return rule


def _expected(fields: Fields) -> tuple[EndReason, ...]:
    expected: tuple[EndReason, ...] = fields.get("expect", _expect, (EndReason.PASSED,))
    return expected


def _expect(value: Value) -> tuple[EndReason, ...]:
    if value.is_text:
        return (choice(EndReason)(value),)
    reasons = unique(choice(EndReason), "an outcome or a list of outcomes")(value)
    if not reasons:
        value.fail("expected at least one outcome, got an empty list")
    return reasons
