"""The gate of a replayed case: recorded results are told, verdicts are earned anew, attempts are compared."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from case_tapes import (
    JUDGED,
    PLACE,
    PROMPTS,
    REMEDY,
    STARTED,
    SUCCEEDED,
    Played,
    SessionTape,
    only_issue,
    play,
)

from pytest_mala.errors import Divergence, GateChangedError, HarnessError
from pytest_mala.issue.model import EndReason
from pytest_mala.session.sinks import RecordingSink
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

FAILS: dict[str, Any] = {"verdict": "failed", "exit_status": 1, "reason": "exit status 1, expected 0"}
FAILED_GATE = "FAILED COMPLETE_FAILURE"
SENT_BACK = "PROCESSING SEND_GATE_RETRY"
TELL_WHY = dataclasses.replace(PROMPTS, gate_followup_prompt="{failure_reasons}")


def worked(says: str = "done") -> SessionTape:
    """A turn has ended, and its gate is next."""
    tape = SessionTape().first_turn().text(says, after=1).result()
    assert isinstance(tape, SessionTape)
    return tape


def result(played: Played) -> Any:
    assert played.error is None, played.told
    return played.result


class TestRecordedResults:
    def test_what_is_told_is_the_recording_and_other_words_are_a_note(self, tmp_path: Path) -> None:
        said: dict[str, Any] = {"output": "what it said then"}
        tape = worked().over().gate(command="echo what it says now", **said).states(STARTED, *JUDGED, SUCCEEDED)
        found = result(play(tmp_path, tape, check="echo what it says now"))
        assert found.outcome is EndReason.PASSED
        assert [row.output for row in found.checks] == ["what it said then"]
        assert found.notes == ("check 'ok': passed as recorded, in other words than the recorded ones",)

    def test_a_failure_is_told_in_the_recorded_words(self, tmp_path: Path) -> None:
        tape = worked().over().gate(**FAILS, command="sh -c 'echo now; exit 1'", output="then")
        tape.states(STARTED, *JUDGED, FAILED_GATE)
        found = result(
            play(tmp_path, tape, check="sh -c 'echo now; exit 1'", limits="{gate_retries: 1, idle_retries: 0}")
        )
        assert (found.outcome, [row.output for row in found.checks]) == (EndReason.GATE_FAILED, ["then"])
        assert "then" in found.transcript
        assert "now\n" not in found.transcript

    def test_the_recorded_time_of_the_checks_passes_on_the_clock(self, tmp_path: Path) -> None:
        found = result(play(tmp_path, worked().over().gate(ms=90_000).states(STARTED, *JUDGED, SUCCEEDED)))
        assert found.virtual_seconds == pytest.approx(91.5, abs=1)
        assert [row.seconds for row in found.checks] == [90.0]


class TestChangedMind:
    def test_the_message_names_the_cassette_the_attempt_and_the_remedy(self, tmp_path: Path) -> None:
        check = "sh -c 'echo boom; exit 1'"
        played = play(tmp_path, worked().over().gate(command=check).states(STARTED, *JUDGED, SUCCEEDED), check=check)
        assert isinstance(played.error, GateChangedError)
        assert played.told == (
            f"{PLACE}: gate attempt 1: the gate changed its mind "
            f"(checks run by Python {platform.python_version()} now)\n"
            f"  check 'ok' (`{check}`): recorded passed (exit status 0, as expected); "
            "now failed (exit status 1, expected 0)\n"
            "    the output now ends with:\n"
            "      boom\n"
            f"undo what changed, or, if it is meant, {REMEDY}"
        )

    def test_a_second_attempt_is_named_as_such(self, tmp_path: Path) -> None:
        tape = worked().over().gate(**FAILS, command="false").retry().text("now", after=1).result().over(2)
        tape.gate(2, command="false").states(STARTED, *JUDGED, SENT_BACK, *JUDGED, SUCCEEDED)
        played = play(tmp_path, tape, check="'false'")
        assert played.told.startswith(f"{PLACE}: gate attempt 2: the gate changed its mind ")

    def test_another_expected_exit_status_is_told(self, tmp_path: Path) -> None:
        tape = worked().over().gate().states(STARTED, *JUDGED, SUCCEEDED)
        played = play(tmp_path, tape, check="{run: 'true', exit: 3}")
        assert "recorded passed (exit status 0, as expected); now failed (exit status 0, expected 3)\n" in played.told


@pytest.fixture
def changed(tmp_path: Path) -> dict[str, Any]:
    """The tree of a turn in which the agent wrote a file."""
    root = tmp_path / "elsewhere"
    issue = only_issue(tmp_path)
    workspace = prepare(issue.workspace, issue_path=issue.path, root=root)
    (workspace.path / "more.txt").write_text("more\n", encoding="utf-8")
    data = workspace.capture(1).to_data()
    again: dict[str, Any] = json.loads(json.dumps(data))
    return again


class TestProgress:
    """Two attempts of a check that never passes: whether there is a third depends on what the agent did."""

    def ended(self, tmp_path: Path, second: Callable[[SessionTape], Any], left: dict[str, Any] | None = None) -> Any:
        tape = worked().over().gate(**FAILS, command="false").retry()
        second(tape)
        tape.result().over(2, left=left).gate(2, **FAILS, command="false")
        played = play(tmp_path, tape.states(STARTED, *JUDGED, SENT_BACK, *JUDGED, FAILED_GATE), check="'false'")
        if played.error is not None:
            assert isinstance(played.error, Divergence)
            assert f"recorded: {FAILED_GATE}\n  this run: {SENT_BACK}" in played.told
            return "a third attempt"
        return played.result.outcome

    def test_nothing_done_is_no_progress(self, tmp_path: Path) -> None:
        assert self.ended(tmp_path, lambda tape: tape.text("hm", after=1)) is EndReason.NO_PROGRESS

    def test_a_command_is_progress(self, tmp_path: Path) -> None:
        assert self.ended(tmp_path, lambda tape: tape.tool_use().tool_result()) == "a third attempt"

    def test_a_command_of_the_attempt_before_is_not(self, tmp_path: Path) -> None:
        tape = SessionTape().first_turn().tool_use().tool_result().result()
        assert isinstance(tape, SessionTape)
        tape.over().gate(**FAILS, command="false").retry().text("hm", after=1).result().over(2)
        tape.gate(2, **FAILS, command="false").states(STARTED, *JUDGED, SENT_BACK, *JUDGED, FAILED_GATE)
        assert result(play(tmp_path, tape, check="'false'")).outcome is EndReason.NO_PROGRESS

    def test_a_changed_file_is_progress(self, tmp_path: Path, changed: dict[str, Any]) -> None:
        assert self.ended(tmp_path, lambda tape: tape.text("hm", after=1), left=changed) == "a third attempt"


PRINTS = (
    "pwd; echo $HOME/h $TMPDIR/t ${PWD%workspace}config/c; python -c 'import sys; print(sys.prefix)'; "
    "echo '${FOO} ${WORKSPACE} ${PYTHON}'; printf '%0390d' 0; pwd; exit 1"
)
KEPT = [
    "${WORKSPACE}",
    "${HOME}/h ${TMPDIR}/t ${CONFIG}/c",
    "${PYTHON}",
    "${$}{FOO} ${$}{WORKSPACE} ${$}{PYTHON}",
    "0" * 390 + "${WORKSPAC... (2 more characters)",
]


class TestPaths:
    """Paths of a machine have names in what is kept; the agent is told real ones, and no other machine diverges."""

    def played(self, folder: Path, events: Any = None) -> Any:
        check = json.dumps({"run": PRINTS, "shell": True})
        row: dict[str, Any] = {**FAILS, "command": PRINTS, "output": "\n".join(KEPT)}
        told = f"- check 'ok' failed: `{PRINTS}`: exit status 1, expected 0".replace("${", "${$}{")
        lines = [line.replace("TMPDIR", "TMP") for line in KEPT[:-1]] + [KEPT[-1].replace("${", "${$}{")]
        tape = worked().over().gate(**row).retry("\n    ".join([told, *lines])).text("ISSUE_NO_CHANGE: no")
        assert isinstance(tape, SessionTape)
        tape.result().over(2).states(STARTED, *JUDGED, SENT_BACK, *JUDGED, SUCCEEDED)
        return result(play(folder, tape, check=check, prompts=TELL_WHY, events=events))

    @pytest.mark.parametrize("where", ["s", "a folder/with a name that is much longer than the other one"])
    def test_are_kept_and_told_the_same_on_any_stage(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        place = tmp_path / where
        place.mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        sink = RecordingSink()
        found = self.played(tmp_path, sink)
        assert found.notes == ()  # what the check prints now is what was kept
        (reason,) = sink.named("on_gate_result")[0].arguments["failure_reasons"]
        first, *lines = reason.split("\n    ")
        root = Path(lines[0]).parent
        assert (root.parent, root.name[:5]) == (place, "mala-")
        assert first == f"check 'ok' failed: `{PRINTS}`: exit status 1, expected 0"
        assert lines == [
            f"{root}/workspace",
            f"{root}/home/h {root}/tmp/t {root}/config/c",
            sys.prefix,
            "${FOO} ${WORKSPACE} ${PYTHON}",
            KEPT[-1],
        ]

    def test_a_system_s_python_is_no_difference(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its prefix is never hidden, and yet a name for it may stand in a cassette."""
        monkeypatch.setattr(sys, "prefix", "/usr")
        assert self.played(tmp_path).notes == ("check 'ok': failed as recorded, in other words than the recorded ones",)

    def test_the_transcript_reads_as_the_check_wrote(self, tmp_path: Path) -> None:
        tape = worked().over().gate(**FAILS, command="false", output="${WORKSPACE} ${$}{FOO}")
        tape.states(STARTED, *JUDGED, FAILED_GATE)
        limits = "{gate_retries: 1, idle_retries: 0}"
        found = result(play(tmp_path, tape, check="'false'", limits=limits))
        assert "${WORKSPACE} ${FOO}\n" in found.transcript
        assert [row.output for row in found.checks] == ["${WORKSPACE} ${FOO}"]


def test_what_a_check_left_running_is_a_note(tmp_path: Path) -> None:
    command = "sleep 60 >/dev/null 2>&1 & true"
    check = json.dumps({"run": command, "shell": True})
    tape = worked().over().gate(command=command).states(STARTED, *JUDGED, SUCCEEDED)
    found = result(play(tmp_path, tape, check=check))
    assert found.notes == ("check 'ok' left processes behind; they were ended",)


def test_what_a_check_leaves_is_gone_after_the_gate(tmp_path: Path) -> None:
    command = "echo x > left.txt; rm hello.txt"
    check = json.dumps({"run": command, "shell": True})
    tape = worked().over().gate(command=command).states(STARTED, *JUDGED, SUCCEEDED)
    left: list[str] = []
    result(play(tmp_path, tape, check=check, look=lambda case: left.append(case.workspace.diff())))
    assert left == [""]


def test_a_folder_that_is_missing_for_the_checks_is_no_failure_of_theirs(tmp_path: Path) -> None:
    """The first check takes away the home of all checks, as a full disk might keep it from being there."""
    command = 'rm -r "${HOME%/*/*}"'
    check = f"{json.dumps({'run': command, 'shell': True})}, next: 'true'"
    played = play(tmp_path, worked().over().gate(command=command).states(STARTED, *JUDGED, SUCCEEDED), check=check)
    assert isinstance(played.error, HarnessError)
    assert isinstance(played.error.__cause__, FileNotFoundError)
    what = f"the checks could not be run: {played.error.__cause__}; free what is missing and run again"
    assert played.told == what


class TestMarkers:
    def test_a_marker_is_judged_without_a_check(self, tmp_path: Path) -> None:
        tape = worked("ISSUE_NO_CHANGE: it is right").over().states(STARTED, *JUDGED, SUCCEEDED)
        found = result(play(tmp_path, tape, check="'false'"))
        assert found.outcome is EndReason.NO_CHANGE
        assert [(row.name, row.verdict) for row in found.checks] == [("resolution", "passed")]

    def test_a_marker_with_work_left_in_the_tree_is_refused(self, tmp_path: Path, changed: dict[str, Any]) -> None:
        tape = worked("ISSUE_NO_CHANGE: it is right").over(left=changed).states(STARTED, *JUDGED, FAILED_GATE)
        found = result(play(tmp_path, tape, limits="{gate_retries: 1, idle_retries: 0}"))
        assert found.outcome is EndReason.GATE_FAILED
        assert found.why == (
            "Quality gate failed: NO_CHANGE, but there is uncommitted work: more.txt; take it back or drop the marker"
        )

    def test_a_marker_of_the_attempt_before_does_not_count_again(self, tmp_path: Path) -> None:
        tape = worked("ISSUE_NO_CHANGE:").over().retry().text("then I did it", after=1).result().over(2)
        tape.gate(2).states(STARTED, *JUDGED, SENT_BACK, *JUDGED, SUCCEEDED)
        assert result(play(tmp_path, tape)).outcome is EndReason.PASSED

    def test_already_complete_needs_a_commit_that_says_so(self, tmp_path: Path) -> None:
        tape = worked("ISSUE_ALREADY_COMPLETE: long ago").over().states(STARTED, *JUDGED, FAILED_GATE)
        found = result(play(tmp_path, tape, limits="{gate_retries: 1, idle_retries: 0}"))
        assert found.why == "Quality gate failed: ALREADY_COMPLETE, but no commit in the history names 'x-1'"
