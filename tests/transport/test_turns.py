"""The end of a turn: whoever waits for it and whoever marks frames as trailing must mean the same frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import SESSION, Play, Tape, names_of

from pytest_mala.agent.client import SessionClient
from pytest_mala.errors import Divergence
from pytest_mala.transport.turns import TurnWatch

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

PLACE = "cassettes/x-1.yaml: connection 1 (work), turn 1, frame"
REMEDY = "record it with: RECORD"


def state(tape: Tape, what: str, after: float = 0.0, **more: Any) -> Tape:
    frame = {"type": "system", "subtype": "session_state_changed", "state": what, "session_id": SESSION, "uuid": "u5"}
    return tape.recv({**frame, **more}, after=after)


def tasks(tape: Tape, *ids: str, after: float = 0.0) -> Tape:
    listed = [{"task_id": one, "task_type": "local_bash"} for one in ids]
    frame = {"type": "system", "subtype": "background_tasks_changed", "tasks": listed}
    return tape.recv({**frame, "session_id": SESSION, "uuid": "u6"}, after=after)


def trailing(tape: Tape) -> list[str]:
    """The frames that may be missing, by their last word."""
    steps = tape.script().connections[0].steps
    return [step.value.get("state") or step.value["type"] for step in steps if step.trailing]


async def answered(play: Play, clock: VirtualClock, *prompts: str) -> list[str]:
    """The messages of a session's client, turn by turn, each until the client takes the turn for ended."""
    from claude_agent_sdk import ClaudeAgentOptions

    seen: list[str] = []
    with clock:
        made = SessionClient(ClaudeAgentOptions(), play.player, play.player.connection("work", object()))
        async with made as client:
            for prompt in prompts:
                await client.query(prompt)
                seen += names_of([message async for message in client.receive_response()])
    play.player.finish()
    return seen


def turn(tape: Tape) -> Tape:
    return state(tape.connect().prompt("please"), "running", after=1).text("x", after=1)


def over(tape: Tape) -> Tape:
    return tape.end().add("turn", turn=1, data={})


@pytest.mark.asyncio
class TestTheEndThatIsWaitedFor:
    async def test_idle_behind_the_result(self, tape: Tape, clock: VirtualClock) -> None:
        state(turn(tape).result(after=1), "idle", after=300)
        over(tape.text("late", after=60))
        assert trailing(tape) == ["assistant"]
        assert await answered(Play(tape), clock, "please") == [
            "SystemMessage",
            "AssistantMessage",
            "ResultMessage",
            "SystemMessage",
        ]
        assert clock.elapsed == pytest.approx(0.28 + 0.98 * 3 + 297, abs=1e-6)

    async def test_a_second_turn_of_the_agent_s_own_before_it_is_idle(self, tape: Tape, clock: VirtualClock) -> None:
        """A sub-agent in the background wakes it (sdk.md 0.2)."""
        over(state(turn(tape).result(after=1).text("more", after=9).result(after=1), "idle", after=9))
        assert trailing(tape) == []
        messages = await answered(Play(tape), clock, "please")
        assert messages[2:] == ["ResultMessage", "AssistantMessage", "ResultMessage", "SystemMessage"]

    async def test_idle_is_no_end_while_a_command_runs_in_the_background(self, tape: Tape, clock: VirtualClock) -> None:
        """Its end wakes the agent (session:B10)."""
        state(tasks(turn(tape), "b1", "b2").result(after=1), "idle", after=1)
        state(tasks(tasks(tape, "b2", after=60), after=60), "running", after=1)
        over(state(tape.text("more", after=1).result(after=1), "idle", after=1))
        assert trailing(tape) == []
        messages = await answered(Play(tape), clock, "please")
        assert messages[3:6] == ["ResultMessage", "SystemMessage", "SystemMessage"]
        assert messages[-3:] == ["AssistantMessage", "ResultMessage", "SystemMessage"]

    async def test_a_result_of_an_idle_cli_is_no_end_either(self, tape: Tape, clock: VirtualClock) -> None:
        state(tasks(turn(tape), "b1"), "idle", after=1).result(after=1)
        over(state(tasks(tape, after=9).result(after=1), "idle", after=1).text("late"))
        assert trailing(tape) == ["idle", "assistant"]
        assert (await answered(Play(tape), clock, "please"))[-2:] == ["SystemMessage", "ResultMessage"]

    async def test_the_result_of_a_cli_that_does_not_report(self, tape: Tape, clock: VirtualClock) -> None:
        over(state(tape.connect().prompt("please").text("x", after=1).result(after=1), "idle", after=300))
        assert trailing(tape) == ["idle"]
        assert await answered(Play(tape), clock, "please") == ["AssistantMessage", "ResultMessage"]

    async def test_the_result_of_a_cli_that_reports_to_the_sdk_only(self, tape: Tape, clock: VirtualClock) -> None:
        state(tape.connect().prompt("please"), "running", sdk_host_only=True).result(after=1)
        over(state(tape, "idle", after=300, sdk_host_only=True))
        assert trailing(tape) == ["idle"]
        assert await answered(Play(tape), clock, "please") == ["ResultMessage"]

    async def test_an_error(self, tape: Tape, clock: VirtualClock) -> None:
        over(state(turn(tape).result(after=1, is_error=True), "idle", after=300))
        assert trailing(tape) == ["idle"]
        assert (await answered(Play(tape), clock, "please"))[-1] == "ResultMessage"

    async def test_the_result_when_it_is_idle_already(self, tape: Tape, clock: VirtualClock) -> None:
        over(state(turn(tape), "idle", after=1).result(after=1).text("late", after=60))
        assert trailing(tape) == ["assistant"]
        assert (await answered(Play(tape), clock, "please"))[-2:] == ["SystemMessage", "ResultMessage"]

    async def test_two_prompts_of_one_client(self, tape: Tape, clock: VirtualClock) -> None:
        state(turn(tape).result(after=1), "idle", after=1)
        state(tape.prompt("again"), "running", after=1)
        over(state(tape.result(after=1), "idle", after=1))
        assert trailing(tape) == []
        assert (await answered(Play(tape), clock, "please", "again"))[4:] == [
            "SystemMessage",
            "ResultMessage",
            "SystemMessage",
        ]

    async def test_the_idle_of_a_turn_that_was_given_up_does_not_end_the_next(
        self, tape: Tape, clock: VirtualClock
    ) -> None:
        turn(tape).result(after=1)
        state(tape.prompt("again", after=1), "idle", after=1)
        state(tape, "running", after=1)
        over(state(tape.result(after=1), "idle", after=1))
        assert trailing(tape) == []
        from claude_agent_sdk import ClaudeAgentOptions

        play = Play(tape)
        with clock:
            made = SessionClient(ClaudeAgentOptions(), play.player, play.player.connection("work", object()))
            async with made as client:
                await client.query("please")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(4):
                        async for _ in client.receive_response():
                            pass
                await client.query("again")
                seen = names_of([message async for message in client.receive_response()])
        assert seen == ["SystemMessage", "SystemMessage", "ResultMessage", "SystemMessage"]
        play.player.finish()

    async def test_an_idle_that_was_waited_for_must_come(self, tape: Tape, clock: VirtualClock) -> None:
        from claude_agent_sdk import ClaudeAgentOptions

        over(state(turn(tape).result(after=1), "idle", after=300))
        play = Play(tape)
        with clock:
            made = SessionClient(ClaudeAgentOptions(), play.player, play.player.connection("work", object()))
            async with made as client:
                await client.query("please")
                async for message in client.receive_response():
                    if type(message).__name__ == "ResultMessage":
                        break
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        assert str(caught.value) == (
            f"{PLACE} 7: a frame system session_state_changed was recorded and never read\n"
            f"  last frame played: frame 6 (result success) at 3.300 s, 4 of 5\n{REMEDY}"
        )


class TestWhatIsTrailing:
    def test_frames_of_a_prompt_that_got_no_result_are_not(self, tape: Tape) -> None:
        tape.connect().prompt("a").result().prompt("b").text("x", after=1).end()
        assert trailing(tape) == []

    def test_frames_behind_a_result_without_idle_are(self, tape: Tape) -> None:
        turn(tape).result().text("late").end()
        assert trailing(tape) == ["assistant"]

    def test_a_later_result_counts_although_an_error_came_before(self, tape: Tape) -> None:
        turn(tape).result(is_error=True).result().text("late").end()
        assert trailing(tape) == ["assistant"]

    def test_a_late_idle_of_the_turn_before_is_no_end(self, tape: Tape) -> None:
        state(turn(tape).result().prompt("b"), "idle")
        state(tape, "running").text("x").end()
        assert trailing(tape) == []

    def test_nothing_is_without_a_result(self, tape: Tape) -> None:
        state(turn(tape), "idle").text("late").end()
        assert trailing(tape) == []


class TestTurnWatch:
    def test_a_turn_ends_once(self) -> None:
        watch = TurnWatch()
        assert [watch.state("running"), watch.result(is_error=False), watch.state("requires_action")] == [False] * 3
        assert watch.state("idle")
        assert not watch.state("idle")

    def test_a_prompt_forgets_a_result_but_not_that_states_are_reported(self) -> None:
        watch = TurnWatch()
        watch.state("running")
        watch.result(is_error=False)
        watch.begin()
        assert not watch.state("idle")
        assert not watch.state("running")
        assert not watch.result(is_error=False)
        assert watch.state("idle")
