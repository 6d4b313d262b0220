"""The gate's verdict: marker first, then the commit rule, then the checks; every reason as the agent reads it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_mala.gate.commit import commit_naming, commit_result, uncommitted
from pytest_mala.gate.judge import NO_PROGRESS, Since, judge
from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.issue import Check, CommitRule, GateRule, Issue
from pytest_mala.issue.mention import names_issue
from pytest_mala.session.models import IssueResolution, ResolutionOutcome

HEAD = "a" * 40
LINT = Check(name="lint", command="ruff check .")
TEST = Check(name="test", command="python -m pytest -q")


def issue(*checks, commit=CommitRule.REQUIRED):
    return Issue(id="calc-1", title="t", body="b", path=Path("i.md"), gate=GateRule(commit=commit, checks=checks))


def snapshot(*messages, dirty=()):
    """Stands for workspace.Snapshot: the newest of `messages` is HEAD's, `dirty` the files of the work commit."""
    ahead = tuple(SimpleNamespace(id=f"{number:040x}", message=text) for number, text in enumerate(messages, 1))
    head = ahead[-1].id if ahead else HEAD
    work = "f" * 40 if dirty else head
    changes = tuple(SimpleNamespace(path=path) for path in dirty)
    commits = (SimpleNamespace(id=work, changes=changes),) if dirty else ()
    return SimpleNamespace(head=head, index=head, work=work, ahead=ahead, clean=not dirty, commits=commits)


def result(check, verdict=Verdict.PASSED, **given):
    return CheckResult(name=check.name, kind="run", command=check.command, verdict=verdict, **given)


def judged(**given):
    given = {"issue": issue(), "attempt": 1, "results": (), "snapshot": snapshot("calc-1: fix")} | given
    return judge(**given)


FAILED = result(TEST, Verdict.FAILED, exit_status=1, reason="exit status 1, expected 0", output="E  assert\n\n1 failed")


class TestTheCommitRule:
    @pytest.mark.parametrize(
        "message",
        ["calc-1", "calc-1: fix", "fix calc-1.", "Fix\n\nCloses #calc-1", "(calc-1) x", "calc-1, x", "a/calc-1/b"],
    )
    def test_a_message_names_the_issue(self, message):
        assert names_issue(message, "calc-1")

    @pytest.mark.parametrize(
        "message",
        ["", "calc-10: x", "calc-1-b", "calc-1.2", "my-calc-1", "x.calc-1", "Calc-1", "calc.1", "calc_1", "calc"],
    )
    def test_a_message_that_names_another_one_does_not(self, message):
        assert not names_issue(message, "calc-1")

    def test_an_id_is_no_pattern(self):
        assert names_issue("v1.0+x: fix", "v1.0+x")
        assert not names_issue("v1a0+x: fix", "v1.0+x")

    def test_the_newest_commit_that_names_the_issue_is_taken(self):
        commits = snapshot("calc-1: one", "calc-1: two", "other")
        assert commit_naming(commits, "calc-1") == f"{2:040x}"
        assert commit_naming(commits, "calc-2") is None

    def test_passed(self):
        row = commit_result(CommitRule.REQUIRED, "calc-1", snapshot("calc-1: fix"))
        assert row == CheckResult(name="commit", kind="commit", command="required", verdict=Verdict.PASSED)
        assert commit_result(CommitRule.ALLOWED, "calc-1", snapshot(dirty=["a"])) is None
        assert commit_result(CommitRule.FORBIDDEN, "calc-1", snapshot(dirty=["a"])).is_passed

    @pytest.mark.parametrize(
        ("rule", "tree", "reason"),
        [
            (
                CommitRule.REQUIRED,
                snapshot(dirty=["a.py"]),
                "no commit names the issue: expected a commit whose message contains 'calc-1', got no commit",
            ),
            (
                CommitRule.REQUIRED,
                snapshot("fix\n\nbody", "calc-10: x"),
                "no commit names the issue: expected a commit whose message contains 'calc-1', "
                "got 2: 'fix', 'calc-10: x'",
            ),
            (
                CommitRule.REQUIRED,
                snapshot("calc-1: fix", dirty=["b.py", "a.py"]),
                "uncommitted work: a.py, b.py; commit it or remove it",
            ),
            (
                CommitRule.REQUIRED,
                snapshot("calc-1: fix", dirty=[f"{n:02}" for n in range(12)]),
                "uncommitted work: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more; commit it or remove it",
            ),
            (CommitRule.FORBIDDEN, snapshot("calc-1: fix"), "this issue allows no commit, got 1: 'calc-1: fix'"),
        ],
    )
    def test_failed(self, rule, tree, reason):
        row = commit_result(rule, "calc-1", tree)
        assert (row.verdict, row.reason) == (Verdict.FAILED, reason)

    def test_odd_file_names_can_be_shown(self):
        assert uncommitted(snapshot(dirty=["a\nb", "\udcff.py"])) == ("a\\nb", "\\udcff.py")

    def test_uncommitted_files_that_the_snapshot_can_t_name(self):
        tree = snapshot("calc-1: fix")
        tree.clean = False
        assert uncommitted(tree) == ()
        row = commit_result(CommitRule.REQUIRED, "calc-1", tree)
        assert row.reason == "uncommitted work: some files; commit it or remove it"


class TestWithoutAMarker:
    def test_passes_when_all_pass(self):
        gate = judged(issue=issue(LINT, TEST), results=[result(LINT), result(TEST)])
        assert (gate.passed, gate.failure_reasons, gate.no_progress, gate.resolution) == (True, [], False, None)
        assert gate.commit_hash == f"{1:040x}"
        assert [row.name for row in gate.validation_evidence] == ["commit", "lint", "test"]

    def test_every_failure_is_a_reason_and_the_commit_rule_comes_first(self):
        late = result(LINT, Verdict.TIMED_OUT, reason="did not end within 5 s and was killed")
        gate = judged(issue=issue(LINT, TEST), results=[late, FAILED], snapshot=snapshot())
        assert not gate.passed
        assert gate.commit_hash is None
        assert gate.failure_reasons == [
            "no commit names the issue: expected a commit whose message contains 'calc-1', got no commit",
            "check 'lint' timed out: `ruff check .`: did not end within 5 s and was killed",
            "check 'test' failed: `python -m pytest -q`: exit status 1, expected 0\n    E  assert\n\n    1 failed",
        ]

    def test_a_long_output_gives_its_end(self):
        failed = result(TEST, Verdict.FAILED, reason="r", output="\n".join(map(str, range(50))))
        gate = judged(issue=issue(TEST), results=[failed])
        lines = gate.failure_reasons[0].split("\n")
        assert lines[1] == "    ... (30 lines left out)"
        assert lines[2:] == [f"    {number}" for number in range(30, 50)]

    def test_a_check_without_a_result_fails(self):
        gate = judged(issue=issue(LINT, TEST), results=[result(LINT)])
        reason = "check 'test' could not be run: `python -m pytest -q`: there is no result: the check was not run"
        assert gate.failure_reasons == [reason]

    def test_without_a_rule_uncommitted_work_is_fine(self):
        rules = issue(TEST, commit=CommitRule.ALLOWED)
        gate = judged(issue=rules, results=[result(TEST)], snapshot=snapshot(dirty=["a"]))
        assert (gate.passed, gate.commit_hash) == (True, None)


class TestWithAMarker:
    @pytest.mark.parametrize("outcome", [ResolutionOutcome.NO_CHANGE, ResolutionOutcome.OBSOLETE])
    def test_a_reason_and_an_untouched_tree_are_enough(self, outcome):
        resolution = IssueResolution(outcome, "why")
        gate = judged(issue=issue(TEST), snapshot=snapshot(), resolution=resolution)
        assert (gate.passed, gate.failure_reasons, gate.commit_hash) == (True, [], None)
        assert gate.resolution == resolution

    @pytest.mark.parametrize(
        ("outcome", "rationale", "tree", "reason"),
        [
            (
                "NO_CHANGE",
                "",
                snapshot(),
                "NO_CHANGE requires a rationale on the marker's line: `ISSUE_NO_CHANGE: why`",
            ),
            (
                "NO_CHANGE",
                "why",
                snapshot(dirty=["a.py"]),
                "NO_CHANGE, but there is uncommitted work: a.py; take it back or drop the marker",
            ),
            (
                "OBSOLETE",
                "why",
                snapshot("calc-1: fix"),
                "OBSOLETE, but there are commits of this session (1); take them back or drop the marker",
            ),
            ("ALREADY_COMPLETE", "why", snapshot(), "ALREADY_COMPLETE, but no commit in the history names 'calc-1'"),
        ],
    )
    def test_what_contradicts_it_fails(self, outcome, rationale, tree, reason):
        resolution = IssueResolution(ResolutionOutcome[outcome], rationale)
        gate = judged(snapshot=tree, resolution=resolution)
        assert (gate.passed, gate.failure_reasons, gate.resolution) == (False, [reason], None)
        assert [row.name for row in gate.validation_evidence] == ["resolution"]

    def test_already_complete_needs_a_commit_of_any_age(self):
        resolution = IssueResolution(ResolutionOutcome.ALREADY_COMPLETE, "since last week")
        gate = judged(snapshot=snapshot(), resolution=resolution, already_complete_commit=HEAD)
        assert (gate.passed, gate.commit_hash, gate.resolution) == (True, HEAD, resolution)

    def test_checks_are_not_looked_at(self):
        resolution = IssueResolution(ResolutionOutcome.NO_CHANGE, "why")
        gate = judged(issue=issue(TEST), results=[FAILED], snapshot=snapshot(), resolution=resolution)
        assert gate.passed


class TestNoProgress:
    IDLE = Since(previous_commit=f"{1:040x}", is_tree_changed=False, has_run_commands=False)

    def gate(self, **given):
        return judged(**{"issue": issue(TEST), "attempt": 2, "results": [FAILED], "since": self.IDLE} | given)

    def test_the_same_again_ends_the_retries(self):
        gate = self.gate()
        assert gate.no_progress
        assert gate.failure_reasons[-1] == NO_PROGRESS
        assert NO_PROGRESS == (
            "No progress: the same commit as in the attempt before, the same files, and no command ran; "
            "another attempt would end the same"
        )

    def test_without_any_commit_in_both(self):
        since = Since(previous_commit=None, is_tree_changed=False, has_run_commands=False)
        assert self.gate(since=since, snapshot=snapshot()).no_progress

    @pytest.mark.parametrize(
        "given",
        [
            {"attempt": 1},
            {"since": None},
            {"since": Since(previous_commit=None, is_tree_changed=False, has_run_commands=False)},
            {"since": Since(previous_commit=f"{1:040x}", is_tree_changed=True, has_run_commands=False)},
            {"since": Since(previous_commit=f"{1:040x}", is_tree_changed=False, has_run_commands=True)},
            {"snapshot": snapshot()},
            {"results": [result(TEST)]},
        ],
    )
    def test_anything_new_is_progress(self, given):
        gate = self.gate(**given)
        assert not gate.no_progress
        assert NO_PROGRESS not in gate.failure_reasons
