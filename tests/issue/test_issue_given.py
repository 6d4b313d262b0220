"""Keywords instead of front matter: read and refused as a file is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_mala.errors import UsageError
from pytest_mala.issue import Issue, Limits, WorkspaceSource
from pytest_mala.issue.given import LIMITS, PARTS, issue_of_prompt, with_given

ISSUE = Issue(id="x-1", title="T", body="Do it.", path=Path("issues/x-1.md"), limits=Limits(idle=7.0, gate_retries=9))


CIRCLE: dict = {}
CIRCLE["checks"] = CIRCLE


def given(**keywords):
    return with_given(ISSUE, keywords, shown="t.py:3")


def test_without_keywords_it_is_the_same_issue():
    assert given() is ISSUE


def test_a_limit_is_replaced_and_the_others_stay():
    assert given(timeout="1h") == dataclasses.replace(ISSUE, limits=dataclasses.replace(ISSUE.limits, timeout=3600.0))
    assert given(idle="30s", gate_retries=1).limits == dataclasses.replace(ISSUE.limits, idle=30.0, gate_retries=1)


def test_none_takes_a_limit_away():
    assert given(idle=None).limits.idle is None
    assert given(turns=None, budget_usd=None).limits == ISSUE.limits


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_can_be_given(name):
    value = "90s" if name in ("timeout", "idle") else 2
    assert getattr(given(**{name: value}).limits, name) == (90.0 if value == "90s" else 2)


def test_the_idle_time_follows_a_new_timeout_unless_it_was_set():
    usual = dataclasses.replace(ISSUE, limits=Limits())
    assert with_given(usual, {"timeout": "3h"}, shown="t.py:3").limits.idle == 900.0
    assert with_given(usual, {"timeout": "3h", "idle": "5s"}, shown="t.py:3").limits.idle == 5.0
    assert given(timeout="3h").limits.idle == 7.0


def test_any_text_stays_as_it_is():
    title = "Fix the \U0001f41b: \x85 \u2028 'now'"
    issue = dataclasses.replace(ISSUE, title=title)
    assert with_given(issue, {"turns": 3}, shown="t.py:3").title == title
    assert issue_of_prompt(title, {}, issue_id="a", path=Path("t.py"), shown="t.py:3").body == title


def test_a_field_is_replaced_as_a_whole():
    issue = given(workspace={"path": "../repo", "revision": "v1"}, agent={"model": "opus"})
    assert issue.workspace == WorkspaceSource(path="../repo", revision="v1")
    assert issue.agent.model == "opus"
    assert issue.gate == ISSUE.gate
    assert set(PARTS) == {"workspace", "gate", "agent"}


def test_a_prompt_becomes_an_issue():
    path = Path("tests/test_y.py")
    issue = issue_of_prompt("\nFix it: now\n\n- all", {"idle": "5s"}, issue_id="test_y-it", path=path, shown="t.py:3")
    assert (issue.id, issue.title, issue.body, issue.path) == ("test_y-it", "Fix it: now", "Fix it: now\n\n- all", path)
    assert issue.limits.idle == 5.0
    assert len(issue_of_prompt("x " * 99, {}, issue_id="a", path=path, shown="t.py:3").title) == 99


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"gate_retry": 1},
            "unknown keyword 'gate_retry', did you mean 'gate_retries'? Allowed: timeout, idle, gate_retries, "
            "review_retries, idle_retries, restarts, turns, budget_usd, workspace, gate, agent",
        ),
        ({"timeout": None}, "limits.timeout: expected a duration like 90s, 5m or 1h, got null"),
        ({"gate_retries": True}, "limits.gate_retries: expected a whole number from 0 to 1000, got 'true'"),
        ({"agent": 7.5}, "agent: expected a mapping of model, permission_mode, allowed_tools, disallowed_tools, "
         "system_prompt, got '7.5'"),
        ({"workspace": {"path": "x", "branch": "y"}}, "workspace.branch: unknown field. Allowed: path, revision, "
         "shared, include, exclude"),
        ({"workspace": {(1, 2): 2}}, "workspace: expected texts as names, got one of type tuple"),
        ({"gate": {"checks": {"t": print}}}, "gate.checks.t: expected a text, number, list or mapping, got a value of "
         "type builtin_function_or_method"),
        ({"gate": CIRCLE}, "gate.checks.checks.checks.checks.checks.checks.checks.checks...: nested too deeply: at "
         "most 10 levels are read"),
        ({"gate": {"checks": {"a": "\x07"}}}, "gate.checks.a: expected a command on one line, without control "
         "characters, got '\\x07'"),
    ],
)  # fmt: skip
def test_what_a_file_could_not_say_is_refused(keywords, message):
    with pytest.raises(UsageError) as caught:
        given(**keywords)
    assert str(caught.value) == f"t.py:3: mala: {message}"
