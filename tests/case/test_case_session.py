"""What a case hands to its session and what it makes of it: limits, options, clock, listeners, and remarks."""

from __future__ import annotations

import logging
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from case_tapes import (
    FAILED,
    JUDGED,
    PLACE,
    STARTED,
    SUCCEEDED,
    Played,
    SessionTape,
    only_issue,
    options_with,
    play,
    tree,
)
from transport_tapes import START

from pytest_mala.case.left_out import SHOWN, left_out
from pytest_mala.case.watch import Sinks
from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.events import BaseEventSink
from pytest_mala.session.sinks import AnySink, RecordingSink

if TYPE_CHECKING:
    from pathlib import Path

SDK_READER = "claude_agent_sdk._internal.query"
SENT_BACK = "PROCESSING SEND_GATE_RETRY"
FAILS: dict[str, Any] = {
    "verdict": "failed",
    "exit_status": 1,
    "reason": "exit status 1, expected 0",
    "command": "false",
}


def passing(body: str | None = None) -> SessionTape:
    tape = SessionTape().first_turn(body).text("hi", after=1).result()
    assert isinstance(tape, SessionTape)
    return tape.over().passed()


def result(played: Played) -> Any:
    assert played.error is None, played.told
    return played.result


class TestLimits:
    def test_a_full_context_ends_a_session_that_has_no_restarts(self, tmp_path: Path) -> None:
        tape = SessionTape().first_turn().tool_use()
        assert isinstance(tape, SessionTape)
        usage = {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 199_000}
        tape.entries[-1]["m"]["message"]["usage"] = usage
        tape.tool_result().decided("pressure", after=0).interrupt().over().failed()
        found = result(play(tmp_path, tape, limits="{restarts: 0}"))
        assert (found.outcome, found.why) == (EndReason.CONTEXT, "Context full: all 0 restarts used")

    def test_attempts_of_the_gate(self, tmp_path: Path) -> None:
        tape = SessionTape().first_turn().text("hi", after=1).result()
        assert isinstance(tape, SessionTape)
        tape.over().gate(**FAILS).states(STARTED, *JUDGED, FAILED)
        found = result(play(tmp_path, tape, check="'false'", limits="{gate_retries: 1, idle_retries: 0}"))
        assert (found.outcome, found.gate_attempts) == (EndReason.GATE_FAILED, 1)

    def test_turns_and_money_go_to_the_cli(self, tmp_path: Path) -> None:
        limits = "{turns: 3, budget_usd: 1.5, idle_retries: 0}"
        tape = passing(options_with(max_turns="3", max_budget_usd="1.5"))
        assert result(play(tmp_path, tape, limits=limits)).outcome is EndReason.PASSED
        assert isinstance(play(tmp_path, tape).error, Divergence)


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("permission_mode", '"plan"'), ("allowed_tools", '["Read"]'), ("system_prompt", '"Be brief."')],
    )
    def test_what_the_issue_asks_for_goes_to_the_cli(self, tmp_path: Path, name: str, value: str) -> None:
        more = f"agent: {{{name}: {value}}}\n"
        assert result(play(tmp_path, passing(options_with(**{name: value})), more=more)).outcome is EndReason.PASSED
        played = play(tmp_path, passing(), more=more)
        assert isinstance(played.error, Divergence)
        first, *lines = played.told.splitlines()
        assert first == f"{PLACE}: connection 1: the agent's options are not the recorded ones"
        (line,) = (line for line in lines if line.strip(" {+").startswith(f"{name}: "))
        assert "{+" in line

    def test_tools_that_the_issue_takes_away_come_on_top_of_the_runner_s_own(self, tmp_path: Path) -> None:
        tape = passing(options_with(disallowed_tools='["TodoWrite", "WebSearch"]'))
        more = "agent: {disallowed_tools: [WebSearch, TodoWrite]}\n"
        assert result(play(tmp_path, tape, more=more)).outcome is EndReason.PASSED

    def test_the_fixture_has_the_last_word(self, tmp_path: Path) -> None:
        tape = passing(options_with(disallowed_tools='["Bash"]'))
        more = "agent: {disallowed_tools: [WebSearch]}\n"
        played = play(tmp_path, tape, more=more, options={"disallowed_tools": ["Bash"]})
        assert result(played).outcome is EndReason.PASSED


class Times(BaseEventSink):
    """Looks at the wall clock when the gate has passed."""

    def __init__(self) -> None:
        self.seen: list[datetime] = []

    def on_gate_passed(self, agent_id: str | None, issue_id: str | None = None) -> None:
        self.seen.append(datetime.now(UTC))


@pytest.mark.parametrize("frozen", [True, False])
def test_the_wall_clock_stands_still_with_the_loop_if_it_is_to(tmp_path: Path, frozen: bool) -> None:
    times = Times()
    before = datetime.now(UTC)
    assert result(play(tmp_path, passing(), events=times, frozen=frozen)).outcome is EndReason.PASSED
    (seen,) = times.seen
    if frozen:
        assert START + timedelta(seconds=1) < seen < START + timedelta(seconds=3)
    else:
        assert before <= seen <= datetime.now(UTC)


class TestListeners:
    def test_a_sink_of_the_user_s_hears_all_and_the_tape_does_too(self, tmp_path: Path) -> None:
        sink = RecordingSink()
        assert result(play(tmp_path, passing(), events=sink)).outcome is EndReason.PASSED
        entered = [(one.arguments["state"], one.arguments["effect"]) for one in sink.named("on_state_entered")]
        assert [" ".join(each) for each in entered] == [STARTED, *JUDGED, SUCCEEDED]

    def test_a_sink_may_know_few_events_and_name_its_arguments_as_it_likes(self) -> None:
        class Small:
            def __init__(self) -> None:
                self.heard: list[Any] = []

            def on_gate_started(self, who: str, *rest: Any, **more: Any) -> None:
                self.heard.append((who, rest, more))

        small, second = Small(), RecordingSink()
        both = Sinks(small, second)
        both.on_gate_started("a", 1, 3, issue_id="a")
        both.on_gate_passed("a", issue_id="a")
        assert small.heard == [("a", (1, 3), {"issue_id": "a"})]
        assert second.names == ["on_gate_started", "on_gate_passed"]

    def test_a_sink_without_an_ear_says_so(self) -> None:
        class Deaf(AnySink):
            pass

        with pytest.raises(NotImplementedError) as caught:
            Deaf().on_gate_passed("a")
        assert str(caught.value) == "Deaf must define told(name, *args, **named)"


class Talker(BaseEventSink):
    """Writes to the SDK's log while the session runs."""

    def on_state_entered(self, agent_id: str, state: str, effect: str) -> None:
        logging.getLogger(SDK_READER).error("%s", state)


def test_only_the_sdk_s_word_about_an_error_that_we_raise_is_kept_from_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tape = SessionTape().first_turn().text("hi", after=1)
    assert isinstance(tape, SessionTape)
    tape.over(how="error", error={"type": "OddError", "text": "its cable is cut"}).failed()
    found = result(play(tmp_path, tape, events=Talker()))
    assert (found.outcome, found.why) == (EndReason.AGENT_ERROR, "its cable is cut")
    assert [record.getMessage() for record in caplog.records if record.name == SDK_READER] == ["PROCESSING", "FAILED"]
    logging.getLogger(SDK_READER).error("Fatal error in message reader: afterwards")
    assert caplog.messages[-1] == "Fatal error in message reader: afterwards"


class TestRemarks:
    def test_what_a_turn_left_out_is_told_once(self, tmp_path: Path) -> None:
        left = {**tree(), "kept_out": ["build/ (ignored)", "pipe (pipe, socket or device)"]}
        more = {**tree(), "kept_out": ["build/ (ignored)", ".git/hooks (hooks)"]}
        tape = SessionTape().first_turn().text("hi", after=1).result()
        assert isinstance(tape, SessionTape)
        tape.over(left=left).gate(**FAILS).retry().tool_use().tool_result().result().over(2, left=more)
        tape.gate(2, **FAILS).states(STARTED, *JUDGED, SENT_BACK, *JUDGED, FAILED)
        found = result(play(tmp_path, tape, check="'false'", limits="{gate_retries: 2, idle_retries: 0}"))
        assert found.notes == (
            "not in the cassette: build/ (ignored); checks on replay run without it; "
            "to keep it, name it under `workspace.include`",
            "not in the cassette: pipe (pipe, socket or device); checks on replay run without it",
            "not in the cassette: .git/hooks (hooks); checks on replay run without it",
        )

    def test_a_template_s_files_that_git_does_not_know(self, tmp_path: Path) -> None:
        only_issue(tmp_path)
        for arguments in (["init", "-q"], ["add", "template"]):
            subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
        (tmp_path / "template" / "new.txt").write_text("new\n", encoding="utf-8")
        assert result(play(tmp_path, passing())).notes == (
            "template: not tracked, so not in the workspace: new.txt; `git add` what belongs there",
        )

    def test_a_prompt_that_came_early(self, tmp_path: Path) -> None:
        tape = SessionTape().connect().init().prompt("do it").text("hi", after=1).result()
        assert isinstance(tape, SessionTape)
        assert result(play(tmp_path, tape.over().passed())).notes == (
            "connection 1 (work), turn 1, frame 4: a prompt came 1 frame earlier than recorded",
        )

    def test_no_more_than_a_screen_of_names(self) -> None:
        told = left_out(["a", "a"], [f"{number} (excluded)" for number in range(SHOWN + 5)])
        assert told[0] == "a"
        assert len(told) == SHOWN + 2
        assert told[-1] == "not in the cassette: 5 more; checks on replay run without them"
