"""What a good issue file means: every field in every shape, the defaults, and the files around it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_mala
from pytest_mala.errors import IssueError
from pytest_mala.issue import (
    AgentChoice,
    AgentReview,
    Check,
    CommandReview,
    CommitRule,
    EndReason,
    GateRule,
    Issue,
    IssueStatus,
    IssueType,
    Limits,
    NoReview,
    WorkspaceSource,
    check_unique,
    load_issue,
    load_issues,
    looks_like_issue,
)

WHOLE = """\
---
id: calc-1
title: add() subtracts
type: bug                  # a comment
status: in_progress
priority: P1
labels: [arithmetic, no, 012, "null"]
depends_on: [calc-0]
workspace: repos/calc
gate:
  commit: allowed
  checks:
    test: python -m pytest -q
    lint: {run: ruff check ., timeout: 90, env: {A: "", B: 1}, cwd: src, exit: 1, shell: false}
    types: {evidence: mypy}
review: none
agent: {model: opus, permission_mode: plan, allowed_tools: [Read], disallowed_tools: [Bash], system_prompt: null}
limits: {timeout: 1h30m, idle: 90s, gate_retries: 0, review_retries: 1, idle_retries: 4, restarts: 6, turns: 60, \
budget_usd: 2.5}
expect: [passed, no-change]
xfail: not yet
skip: later
---

What to do.

## Acceptance criteria

- it adds
"""


@pytest.fixture
def load(tmp_path: Path):
    def load(front: str = "", body: str = "Do it.\n") -> Issue:
        path = tmp_path / "x.md"
        path.write_bytes(f"---\nid: calc-1\ntitle: add()\n{front}\n---\n{body}".encode())
        return load_issue(path)

    return load


def test_every_field_is_read_as_its_own_type(tmp_path: Path) -> None:
    path = tmp_path / "calc.md"
    path.write_text(WHOLE, encoding="utf-8")
    assert load_issues(path, shown="issues/calc.md") == (
        Issue(
            id="calc-1",
            title="add() subtracts",
            body="What to do.\n\n## Acceptance criteria\n\n- it adds",
            acceptance_criteria="- it adds",
            path=path,
            line=1,
            shown="issues/calc.md",
            type=IssueType.BUG,
            status=IssueStatus.IN_PROGRESS,
            priority=1,
            labels=("arithmetic", "no", "012", "null"),
            depends_on=("calc-0",),
            workspace=WorkspaceSource(path="repos/calc"),
            gate=GateRule(
                commit=CommitRule.ALLOWED,
                checks=(
                    Check(name="test", command="python -m pytest -q"),
                    Check(
                        name="lint",
                        command="ruff check .",
                        timeout=90.0,
                        env={"A": "", "B": "1"},
                        cwd="src",
                        expect_exit=1,
                    ),
                    Check(name="types", kind="evidence", command="mypy"),
                ),
            ),
            review=NoReview(),
            agent=AgentChoice(
                model="opus", permission_mode="plan", allowed_tools=("Read",), disallowed_tools=("Bash",)
            ),
            limits=Limits(
                timeout=5400.0,
                idle=90.0,
                gate_retries=0,
                review_retries=1,
                idle_retries=4,
                restarts=6,
                turns=60,
                budget_usd=2.5,
            ),
            expect=(EndReason.PASSED, EndReason.NO_CHANGE),
            xfail="not yet",
            skip="later",
        ),
    )


def test_an_issue_of_id_title_and_body_has_the_defaults_of_the_design(load) -> None:
    issue = load()
    assert issue == Issue(id="calc-1", title="add()", body="Do it.", path=issue.path, shown=str(issue.path))
    assert issue.type is IssueType.TASK
    assert issue.status is IssueStatus.OPEN
    assert issue.priority == 2
    assert issue.gate == GateRule(commit=CommitRule.REQUIRED, checks=())
    assert issue.review == NoReview()
    assert issue.agent == AgentChoice(model="sonnet", permission_mode="bypassPermissions")
    assert issue.limits == Limits(
        timeout=1800.0,
        idle=360.0,
        gate_retries=3,
        review_retries=3,
        idle_retries=2,
        restarts=5,
        turns=None,
        budget_usd=None,
    )
    assert issue.expect == (EndReason.PASSED,)


@pytest.mark.parametrize("written", ["0012", "1e3", "no", "true", "2001-01-01", "bd-a1b2.1", "_x", "0x1F", "A" * 100])
def test_an_id_is_its_text_and_never_a_guess(tmp_path: Path, written: str) -> None:
    path = tmp_path / "x.md"
    for text in (written, f'"{written}"'):
        path.write_text(f"---\nid: {text}\ntitle: a\n---\nx\n", encoding="utf-8")
        assert load_issue(path).id == written


@pytest.mark.parametrize(("written", "priority"), [("0", 0), ("4", 4), ("P0", 0), ("p3", 3), ('"2"', 2)])
def test_a_priority_is_a_digit_with_or_without_p(load, written: str, priority: int) -> None:
    assert load(f"priority: {written}").priority == priority


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("../calc", WorkspaceSource(path="../calc")),
        ("no", WorkspaceSource(path="no")),
        ("{}", WorkspaceSource()),
        ("{path: null, revision: ~, shared: null}", WorkspaceSource()),
        (
            "{path: a, revision: v1.0, shared: team, include: [dist/**, .env], exclude: [secrets.txt]}",
            WorkspaceSource(
                path="a", revision="v1.0", shared="team", include=("dist/**", ".env"), exclude=("secrets.txt",)
            ),
        ),
    ],
)
def test_a_workspace_is_a_path_or_a_mapping(load, written: str, source: WorkspaceSource) -> None:
    assert load(f"workspace: {written}").workspace == source


@pytest.mark.parametrize(
    ("written", "check"),
    [
        ("mypy --strict 'my package'", Check(name="c", command="mypy --strict 'my package'")),
        ("yes", Check(name="c", command="yes")),
        ("{run: a, timeout: 1m}", Check(name="c", command="a", timeout=60.0)),
        ("{run: a, timeout: 0.5}", Check(name="c", command="a", timeout=0.5)),
        ("{run: a, timeout: 250s}", Check(name="c", command="a", timeout=250.0)),
        ("{run: 'echo ''a', shell: true}", Check(name="c", command="echo 'a", shell=True)),
        ("{run: a, cwd: null}", Check(name="c", command="a")),
        ("{evidence: python -m pytest}", Check(name="c", kind="evidence", command="python -m pytest")),
    ],
)
def test_a_check_is_a_command_or_a_mapping(load, written: str, check: Check) -> None:
    assert load(f"gate:\n  checks:\n    c: {written}").gate.checks == (check,)


def test_a_check_for_the_shell_may_have_several_lines(load) -> None:
    front = "gate:\n  checks:\n    c:\n      shell: true\n      run: |\n        a\n        b\n"
    assert load(front).gate.checks == (Check(name="c", command="a\nb\n", shell=True),)


@pytest.mark.parametrize("rule", CommitRule)
def test_a_commit_rule_is_one_of_three_words(load, rule: CommitRule) -> None:
    assert load(f"gate: {{commit: {rule.value}, checks: {{a: b}}}}").gate.commit is rule


@pytest.mark.parametrize(
    ("written", "review"),
    [
        ("none", NoReview()),
        ("{command: python review.py}", CommandReview(command="python review.py")),
        ("{agent: 'claude-opus-5[1m]'}", AgentReview(agent=AgentChoice(model="claude-opus-5[1m]"))),
        ("{agent: {}}", AgentReview(agent=AgentChoice())),
        ("{agent: {allowed_tools: [Read]}}", AgentReview(agent=AgentChoice(allowed_tools=("Read",)))),
    ],
)
def test_a_review_is_none_or_a_command_or_an_agent(load, written: str, review: object) -> None:
    assert load(f"review: {written}").review == review


@pytest.mark.parametrize(
    ("written", "timeout", "idle"),
    [
        ("{}", 1800.0, 360.0),
        ("{timeout: 10s}", 10.0, 300.0),
        ("{timeout: 50m}", 3000.0, 600.0),
        ("{timeout: 720h}", 2_592_000.0, 900.0),
        ("{idle: off}", 1800.0, None),
        ("{idle: 'off'}", 1800.0, None),
        ("{timeout: 1m, idle: 1.5s}", 60.0, 1.5),
    ],
)
def test_the_idle_time_follows_the_timeout_unless_it_is_given(
    load, written: str, timeout: float, idle: float | None
) -> None:
    limits = load(f"limits: {written}").limits
    assert (limits.timeout, limits.idle) == (timeout, idle)


def test_turns_and_budget_may_be_null(load) -> None:
    limits = load("limits: {turns: null, budget_usd: ~}").limits
    assert (limits.turns, limits.budget_usd) == (None, None)


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_can_be_expected(load, reason: EndReason) -> None:
    assert load(f"expect: {reason.value}").expect == (reason,)
    assert load(f"expect:\n  - {reason.value}").expect == (reason,)


def test_reasons_may_be_null_and_a_system_prompt_may_be_long(load) -> None:
    issue = load("xfail: null\nskip: ~\nagent:\n  system_prompt: |\n    a\n    b\n")
    assert (issue.xfail, issue.skip, issue.agent.system_prompt) == (None, None, "a\nb\n")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf---\nid: a\ntitle: b\n---\nOne\ntwo\n",
        b"---\r\nid: a\r\ntitle: b\r\n---\r\n\r\nOne\r\ntwo\r\n",
        b"---\rid: a\rtitle: b\r---\rOne\rtwo",
        b"--- \t\nid: a\ntitle: b\n---  \n\n\nOne\ntwo\n\n\n",
    ],
)
def test_byte_order_mark_and_line_ends_change_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(content)
    issue = load_issue(path)
    assert (issue.id, issue.title, issue.body) == ("a", "b", "One\ntwo")


def test_a_rule_in_the_body_is_body(load) -> None:
    assert load(body="One\n\n---\n\ntwo\n").body == "One\n\n---\n\ntwo"


def test_a_place_is_the_path_as_given_unless_messages_call_it_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("---\nid: a\ntitle: b\n---\nx\n", encoding="utf-8")
    assert load_issue(path).place == f"{path}:1"
    assert load_issue(path, shown="issues/x.md").place == "issues/x.md:1"
    assert Issue(id="a", title="b", body="c", path=Path("d.md")).place == "d.md:1"


def _message(path: Path) -> str:
    with pytest.raises(IssueError) as caught:
        load_issues(path, shown="issues/x.md")
    return str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert _message(tmp_path / "x.md") == "issues/x.md:1: no such file"
    assert _message(tmp_path / "x\0.md") == "issues/x.md:1: no such file"


def test_a_directory_is_told(tmp_path: Path) -> None:
    assert _message(tmp_path) == "issues/x.md:1: is a directory: expected a Markdown file"


def test_a_pipe_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.md")
    assert _message(tmp_path / "x.md") == "issues/x.md:1: is a pipe, socket or device: expected a Markdown file"
    assert looks_like_issue(tmp_path / "x.md")


def test_a_file_that_the_system_refuses_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.symlink_to(path)
    assert _message(path) == f"issues/x.md:1: can't be read: {os.strerror(errno.ELOOP)}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(WHOLE, encoding="utf-8")
    path.chmod(0)
    assert _message(path) == f"issues/x.md:1: can't be read: {os.strerror(errno.EACCES)}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"---\nid: a\ntitle: \xff\n---\nx",
            "issues/x.md:3: is not UTF-8: byte 0xff at offset 17; save the file as UTF-8",
        ),
        (b"---\nid: a\x00", "issues/x.md:2: is a binary file: expected UTF-8 text, got a NUL byte"),
        ("---\nid: a".encode("utf-16"), "issues/x.md:1: is UTF-16 text: save it as UTF-8"),
        (b"---\n" + b"x" * 1024 * 1024, "issues/x.md:1: is too large: expected at most 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(content)
    assert _message(path) == message


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    head = b"---\nid: a\ntitle: b\n---\n"
    path.write_bytes(head + b"x" * (1024 * 1024 - len(head)))
    assert load_issue(path).id == "a"


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"---\nid: a\n---\n", True),
        (b"---", True),
        (b"---\r\nid", True),
        (b"---\rid", True),
        (b"\xef\xbb\xbf---\n", True),
        ("---\nid: a".encode("utf-16"), True),
        ("---\nid: a".encode("utf-16-be"), True),
        (b"\n \n---\nid: a\n", True),
        (b"", False),
        (b"# Read me\n\n---\nid: a\n", False),
        (b"----\n", False),
        (b"--- a\n", False),
        (b"\xff\x00\x01", False),
    ],
)
def test_a_file_with_front_matter_looks_like_an_issue(tmp_path: Path, content: bytes, answer: bool) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(content)
    assert looks_like_issue(path) is answer


def test_what_cannot_be_looked_at_is_left_to_loading(tmp_path: Path) -> None:
    loop = tmp_path / "x.md"
    loop.symlink_to(loop)
    assert looks_like_issue(loop)
    assert looks_like_issue(tmp_path / "missing.md")
    assert looks_like_issue(tmp_path / "x\0.md")


def _issue(issue_id: str, path: str, line: int = 1) -> Issue:
    return Issue(id=issue_id, title="t", body="b", path=Path(f"/somewhere/{path}"), line=line, shown=path)


def test_different_ids_and_one_issue_collected_twice_are_fine() -> None:
    check_unique([])
    check_unique([_issue("a", "x.md"), _issue("b", "y.md"), _issue("a", "x.md")])


@pytest.mark.parametrize(
    ("issues", "message"),
    [
        (
            [_issue("a", "x.md"), _issue("b", "y.md"), _issue("a", "z.md")],
            "z.md:1: id: 'a' must be the only one of its name, but the same id is used in x.md:1",
        ),
        (
            [_issue("a", "x.jsonl", 1), _issue("a", "x.jsonl", 7)],
            "x.jsonl:7: id: 'a' must be the only one of its name, but the same id is used in x.jsonl:1",
        ),
        (
            [_issue("Calc-1", "x.md"), _issue("calc-1", "y.md")],
            "y.md:1: id: 'calc-1' must be the only one of its name, "
            "but 'Calc-1', which some file systems take for the same name, is used in x.md:1",
        ),
    ],
)
def test_a_duplicate_id_is_told_with_both_places(issues: list[Issue], message: str) -> None:
    with pytest.raises(IssueError) as caught:
        check_unique(issues)
    assert str(caught.value) == message


def test_importing_the_room_imports_no_yaml() -> None:
    code = "import sys, pytest_mala.issue; print([m for m in ('yaml', 'difflib', 'shlex') if m in sys.modules])"
    root = Path(pytest_mala.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
