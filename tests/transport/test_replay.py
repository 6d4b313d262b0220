"""Replay checks both directions: the frames come as recorded, and what the client sends is compared in place."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from transport_tapes import BY_NAME, Play, Tape, names_of, turn

from pytest_mala.clock import Stalled, VirtualClock
from pytest_mala.errors import Divergence

pytestmark = pytest.mark.asyncio

REMEDY = "record it with: RECORD"
PLACE = "cassettes/x-1.yaml: connection 1 (work), turn 1, frame"


def one_turn(tape: Tape, prompt: str = "please") -> Tape:
    return tape.connect().prompt(prompt).init(after=0.1).text("working", after=2).result(after=1).end()


async def allow(*_: Any) -> dict[str, Any]:
    return {}


async def test_the_real_client_gets_the_recorded_messages_at_their_recorded_times(
    tape: Tape, clock: VirtualClock
) -> None:
    play = Play(one_turn(tape))
    with clock:
        async with play.client() as client:
            messages = await turn(client, "please")
        elapsed = clock.elapsed
    assert names_of(messages) == ["SystemMessage", "AssistantMessage", "ResultMessage"]
    assert messages[-1].result == "done"
    assert elapsed == pytest.approx(0.3 + 0.1 + 2 + 1 - 4 * 0.02, abs=1e-6)
    play.player.finish()


async def test_listeners_hear_both_directions(tape: Tape, clock: VirtualClock) -> None:
    play = Play(one_turn(tape))
    with clock:
        async with play.client() as client:
            await turn(client, "please")
    assert play.listener.heard == [
        ("connection", 1, "work", None),
        ("sdk", "control_request", None),
        ("cli", "control_response", None),
        ("sdk", "user", None),
        ("cli", "system", "init"),
        ("cli", "assistant", None),
        ("cli", "result", "success"),
    ]


async def diverging(play: Play, clock: VirtualClock, prompt: str = "please", **client: Any) -> str:
    with pytest.raises(Divergence) as caught:
        with clock:
            async with play.client(**client) as it:
                await turn(it, prompt)
        play.player.finish()
    assert caught.value.__suppress_context__
    assert str(play.player.divergence) == str(caught.value)
    return str(caught.value)


async def test_another_prompt_is_a_divergence_with_a_word_diff(tape: Tape, clock: VirtualClock) -> None:
    said = await diverging(Play(one_turn(tape, "Fix the bug in add().")), clock, "Fix the small bug in add().")
    assert said == (
        f"{PLACE} 3: the prompt is not what was recorded "
        "(no turn is fresh; turn 1 of 1 answers a prompt that no longer exists)\n"
        f"  Fix the{{+ small+}} bug in add().\n"
        "  closest recorded prompt: this one, 92 % of the words alike\n"
        f"{BY_NAME}\n"
        f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 4\n{REMEDY}"
    )


async def test_known_values_are_no_difference(tape: Tape, clock: VirtualClock) -> None:
    play = Play(one_turn(tape, "Work in ${WORKSPACE} now"), {"WORKSPACE": "/tmp/other/place"})
    with clock:
        async with play.client() as client:
            assert names_of(await turn(client, "Work in /tmp/other/place now"))[-1] == "ResultMessage"
    play.player.finish()


async def test_frames_speak_of_this_run_s_values(tape: Tape, clock: VirtualClock) -> None:
    tape.connect().prompt("p").text("in ${WORKSPACE}/a.py, not ${$}{WORKSPACE}").result().end()
    with clock:
        async with Play(tape, {"WORKSPACE": "/ws"}).client() as client:
            messages = await turn(client, "p")
    assert messages[0].content[0].text == "in /ws/a.py, not ${WORKSPACE}"


async def test_a_prompt_of_another_turn_is_named(tape: Tape, clock: VirtualClock) -> None:
    one_turn(tape, "first")
    tape.connect("gate retry").prompt("second").result().end()
    said = await diverging(Play(tape), clock, "second")
    assert (
        said == f"{PLACE} 3: the prompt is not what was recorded\n"
        "  this is the prompt of turn 2, sent as turn 1\n"
        f"{BY_NAME}\n"
        f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 4\n{REMEDY}"
    )


async def test_one_prompt_too_many(tape: Tape, clock: VirtualClock) -> None:
    play = Play(one_turn(tape))
    with clock:
        async with play.client() as client:
            await turn(client, "please")
            with pytest.raises(Divergence) as caught:
                await client.query("more")
    assert str(caught.value) == (
        f"{PLACE} 6: a prompt was sent, but the recording ends here (4 of 4 frames played)\n"
        "  sent: 'more'\n"
        "  last recorded result: 'done'\n"
        f"  last frame played: frame 6 (result success) at 3.400 s, 4 of 4\n{REMEDY}"
    )


async def test_a_prompt_where_a_control_request_was_recorded(tape: Tape, clock: VirtualClock) -> None:
    request = {"subtype": "set_model", "model": "opus"}
    tape.connect().send({"type": "control_request", "request_id": "r2", "request": request}).end()
    said = await diverging(Play(tape), clock)
    assert said == (
        "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 3: "
        f"a prompt was sent where the recording has the control request set_model\n"
        f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 1\n{REMEDY}"
    )


async def test_an_answer_to_a_control_request_finds_its_way(tape: Tape, clock: VirtualClock) -> None:
    """The SDK makes its own request ids; the recorded answer must carry the live one."""
    tape.connect()
    tape.send({"type": "control_request", "request_id": "r2", "request": {"subtype": "set_model", "model": "opus"}})
    response = {"subtype": "success", "request_id": "r2", "response": {"model": "opus"}}
    tape.recv({"type": "control_response", "response": response}, after=3).end()
    play = Play(tape)
    with clock:
        async with play.client() as client:
            await client.set_model("opus")
    play.player.finish()


class TestHooks:
    def recorded(self, tape: Tape, answer: dict[str, Any]) -> Tape:
        hooks = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}
        tape.connect(hooks=hooks).prompt("please")
        tape.assistant([{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}])
        tape.hook().answer(answer, after=0.2)
        content = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt"}]
        tape.recv(
            {"type": "user", "message": {"role": "user", "content": content}, "session_id": "s", "uuid": "u9"}, after=1
        )
        return tape.result().end()

    async def test_the_same_answer(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.recorded(tape, {}))
        with clock:
            async with play.client(hooks={"PreToolUse": [allow]}) as client:
                assert names_of(await turn(client, "please")) == ["AssistantMessage", "UserMessage", "ResultMessage"]
        play.player.finish()

    async def test_another_answer(self, tape: Tape, clock: VirtualClock) -> None:
        async def deny(*_: Any) -> dict[str, Any]:
            return {"decision": "block"}

        said = await diverging(Play(self.recorded(tape, {})), clock, hooks={"PreToolUse": [deny]})
        assert said == (
            f"{PLACE} 6: the hook PreToolUse[0] for toolu_1 was answered otherwise than recorded\n"
            f"  $.response.response.decision: only now ('block')\n{BY_NAME}\n"
            f"  last frame played: frame 5 (control_request hook_callback) at 0.300 s, 3 of 5\n{REMEDY}"
        )

    async def test_a_hook_that_is_gone(self, tape: Tape, clock: VirtualClock) -> None:
        said = await diverging(Play(self.recorded(tape, {})), clock)
        where = "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1"
        assert said == (
            f"{where}: the hook PreToolUse[0] was recorded and is not registered now\n"
            f"  no frame of 5 was played yet\n{REMEDY}"
        )

    async def test_a_hook_more(self, tape: Tape, clock: VirtualClock) -> None:
        said = await diverging(Play(self.recorded(tape, {})), clock, hooks={"PreToolUse": [allow, allow]})
        where = "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1"
        assert said == (
            f"{where}: the hook PreToolUse[1] is registered now and was not when it was recorded\n"
            f"  no frame of 5 was played yet\n{REMEDY}"
        )

    async def test_hooks_are_paired_by_event_not_by_number(self, tape: Tape, clock: VirtualClock) -> None:
        """Callback ids are numbers in order of registration; a recorded hook_0 may be hook_1 now."""
        hooks = {
            "PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}],
            "Stop": [{"matcher": None, "hookCallbackIds": ["hook_1"]}],
        }
        tape.connect(hooks=hooks).prompt("please").hook(0).answer({"reason": "pre"}).result().end()

        async def pre(*_: Any) -> dict[str, Any]:
            return {"reason": "pre"}

        play = Play(tape)
        with clock:
            async with play.client(hooks={"Stop": [allow], "PreToolUse": [pre]}) as client:
                await turn(client, "please")
        play.player.finish()

    async def test_ids_that_no_client_gives_to_these_hooks(self, tape: Tape, clock: VirtualClock) -> None:
        """Else the frames that name hook_0 would call a hook that the recording does not have."""
        hooks = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_8"]}]}
        tape.connect(hooks=hooks).prompt("please").hook(0).answer({}).result().end()
        said = await diverging(Play(tape), clock, hooks={"PreToolUse": [allow]})
        where = "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1"
        assert said == (
            f"{where}: the hooks were recorded as hook_8, and are hook_0 now\n  no frame of 3 was played yet\n{REMEDY}"
        )

    async def test_no_hooks_are_told_in_one_way(self, tape: Tape, clock: VirtualClock) -> None:
        said = await diverging(Play(tape.connect(hooks={}).prompt("please").result().end()), clock)
        where = "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1"
        assert said == (
            f"{where}: the control request initialize is not what was recorded\n"
            "  $.hooks: recorded {}, now None\n"
            f"{BY_NAME}\n  no frame of 2 was played yet\n{REMEDY}"
        )

    @pytest.mark.parametrize(
        ("hooks", "told"),
        [({"Stop": []}, "Stop"), ({"Stop": [{"matcher": "B", "hookCallbackIds": []}]}, 'Stop {"matcher": "B"}')],
    )
    async def test_what_is_told_about_no_hook_at_all(
        self, tape: Tape, clock: VirtualClock, hooks: dict[str, Any], told: str
    ) -> None:
        said = await diverging(Play(tape.connect(hooks=hooks).prompt("please").result().end()), clock)
        where = "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1"
        assert said == (
            f"{where}: the hook {told}[0] was recorded and is not registered now\n"
            f"  no frame of 2 was played yet\n{REMEDY}"
        )

    async def test_a_hook_that_never_answers_is_the_cause_that_is_told(self, tape: Tape, clock: VirtualClock) -> None:
        async def silent(*_: Any) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        play = Play(self.recorded(tape, {}))
        clock.describe = play.player.describe
        with pytest.raises(Stalled, match=r"the hook PreToolUse\[0\] for toolu_1 was not answered"), clock:
            async with play.client(hooks={"PreToolUse": [silent]}) as client:
                await turn(client, "please")

    async def test_the_files_of_that_moment_are_there_when_a_hook_looks(self, tape: Tape, clock: VirtualClock) -> None:
        hooks = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}
        tape.connect(hooks=hooks).prompt("please").text("wait", after=1)
        tape.add("tree", c=1, id="abc").hook().answer({}).result().end()
        play = Play(tape)
        seen: list[list[str]] = []

        async def look(*_: Any) -> dict[str, Any]:
            seen.append(list(play.trees))
            return {}

        with clock:
            async with play.client(hooks={"PreToolUse": [look]}) as client:
                await turn(client, "please")
        assert seen == [["abc"]]
        play.player.finish()

    async def test_a_slow_hook_holds_back_only_what_belongs_to_its_tool(self, tape: Tape, clock: VirtualClock) -> None:
        """A hook may wait for another tool's frame, which must come although the first hook has not answered."""
        hooks = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}
        tape.connect(hooks=hooks).prompt("please").hook(tool="toolu_1")
        asked = tape.entries[-1]["m"]["request_id"]
        tape.hook(tool="toolu_2").answer({})
        response = {"subtype": "success", "request_id": asked, "response": {}}
        tape.send({"type": "control_response", "response": response}).result().end()
        other = asyncio.Event()

        async def waits_for_the_other(_: Any, tool: str | None, __: Any) -> dict[str, Any]:
            if tool == "toolu_1":
                await other.wait()
            else:
                other.set()
            return {}

        play = Play(tape)
        with clock:
            async with play.client(hooks={"PreToolUse": [waits_for_the_other]}) as client:
                await turn(client, "please")
        play.player.finish()


class TestDecisions:
    def recorded(self, tape: Tape, silence: float) -> Tape:
        tape.connect().prompt("please").init(after=0.1)
        tape.add("decide", after=silence, c=1, what="idle")
        tape.send({"type": "control_request", "request_id": "r9", "request": {"subtype": "interrupt"}})
        answer = {"subtype": "success", "request_id": "r9", "response": {"still_queued": []}}
        tape.recv({"type": "control_response", "response": answer}, after=0.01)
        return tape.result(is_error=True, after=0.01).end()

    async def idle(self, play: Play, limit: float) -> list[str]:
        async with play.client() as client:
            await client.query("please")
            seen = []
            try:
                async with asyncio.timeout(limit):
                    async for message in client.receive_response():
                        seen.append(type(message).__name__)  # noqa: PERF401 - what was seen before the limit counts
            except TimeoutError:
                play.player.decide("idle")
                await client.interrupt()
                seen += [type(message).__name__ async for message in client.receive_response()]
        return seen

    @pytest.mark.parametrize("limit", [3.0, 1.0, 1200.0])
    async def test_a_recorded_decision_may_come_at_another_time(
        self, tape: Tape, clock: VirtualClock, limit: float
    ) -> None:
        """The true length of a silence that we ended is not known, so limits may change (slice.md 5.2)."""
        play = Play(self.recorded(tape, 3.004))
        with clock:
            assert await self.idle(play, limit) == ["SystemMessage", "ResultMessage"]
        play.player.finish()

    async def test_an_idle_decision_twenty_minutes_early_is_a_divergence(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("please").init(after=0.1).text("working", after=1200).result().end()
        play = Play(tape)
        with clock, pytest.raises(Divergence) as caught:
            await self.idle(play, 3)
        assert str(caught.value) == (
            f"{PLACE} 5: the session decided 'idle' here; "
            f"the recorded one waited 1,200,000 ms for the next frame and went on\n"
            f"  last frame played: frame 4 (system init) at 0.400 s, 2 of 4\n{REMEDY}"
        )

    async def test_a_decision_where_the_recording_ends(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").init(after=0.1).end())
        with clock, pytest.raises(Divergence) as caught:
            await self.idle(play, 3)
        assert str(caught.value) == (
            f"{PLACE} 4: the session decided 'idle' here, but the recording ends here (2 of 2 frames played)\n"
            f"  last frame played: frame 4 (system init) at 0.400 s, 2 of 2\n{REMEDY}"
        )

    async def test_another_decision(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.recorded(tape, 3))
        with clock, pytest.raises(Divergence) as caught:
            async with play.client() as client:
                await client.query("please")
                async with asyncio.timeout(10):
                    async for _ in client.receive_response():
                        play.player.decide("timeout")
        assert str(caught.value) == (
            f"{PLACE} 4: the session decided 'timeout' here; the recorded one decided 'idle'\n"
            f"  last frame played: frame 4 (system init) at 0.400 s, 2 of 4\n{REMEDY}"
        )

    @pytest.mark.parametrize(("gap", "is_same"), [(2.999, True), (3.0, True), (3.02, True), (3.1, False)])
    async def test_jitter_of_a_recorded_gap_is_no_difference(
        self, tape: Tape, clock: VirtualClock, gap: float, is_same: bool
    ) -> None:
        """A recorded gap is shortened by max(20 ms, 1 %): with a limit of 3 s these outcomes are fixed."""
        tape.connect().prompt("please").init(after=0.1).text("x", after=gap).result().end()
        play = Play(tape)
        with clock:
            if is_same:
                assert (await self.idle(play, 3.1))[-1] == "ResultMessage"
            else:
                with pytest.raises(Divergence):
                    await self.idle(play, 3.05)


class TestEnds:
    async def test_a_stream_that_ended_ends(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").text("x").end("eof"))
        with clock:
            async with play.client() as client:
                assert names_of(await turn(client, "please")) == ["AssistantMessage"]
        play.player.finish()

    async def test_a_process_that_died_dies(self, tape: Tape, clock: VirtualClock) -> None:
        from claude_agent_sdk import ProcessError

        error = {"type": "ProcessError", "text": "Command failed with exit code -9"}
        play = Play(tape.connect().prompt("please").end("error", error=error, exit_status=-9))
        with clock, pytest.raises(ProcessError) as caught:
            async with play.client() as client:
                await turn(client, "please")
        assert caught.value.exit_code == -9

    async def test_an_error_of_another_type_is_told(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").end("error", error={"type": "OddError", "text": "why"}))
        with clock, pytest.raises(Exception, match=r"^why$"):
            async with play.client() as client:
                await turn(client, "please")

    @pytest.mark.parametrize(
        ("how", "more", "why"),
        [
            ("eof", {}, "Cannot write to terminated process (exit code: 0)"),
            (
                "error",
                {"error": {"type": "ProcessError", "text": "it died"}, "exit_status": 1},
                "Cannot write to process that exited with error: it died",
            ),
        ],
    )
    async def test_nothing_can_be_written_to_a_cli_that_has_ended(
        self, tape: Tape, clock: VirtualClock, how: str, more: dict[str, Any], why: str
    ) -> None:
        """The recorded prompt was written down and then refused, so the same one is refused again."""
        from claude_agent_sdk import CLIConnectionError, ProcessError

        play = Play(tape.connect().prompt("please").text("x").end(how, **more).prompt("go on"))
        with clock:
            async with play.client() as client:
                with suppress(ProcessError):
                    await turn(client, "please")
                with pytest.raises(CLIConnectionError) as caught:
                    await client.query("go on")
        assert str(caught.value) == why
        play.player.finish()

    async def test_a_connection_that_could_not_be_made(self, tape: Tape, clock: VirtualClock) -> None:
        from claude_agent_sdk import CLIConnectionError

        tape.c = 1
        tape.add("connect", c=1, purpose="work", body="")
        play = Play(tape.end("error", error={"type": "CLINotFoundError", "text": "no CLI"}))
        with clock, pytest.raises(CLIConnectionError, match="no CLI"):
            async with play.client():
                pass

    async def test_frames_left_unread_are_a_divergence(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").init().text("late", after=5).result().end())
        with clock:
            async with play.client() as client:
                await client.query("please")
                async for _ in client.receive_response():
                    break
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        assert str(caught.value) == (
            f"{PLACE} 5: a frame assistant was recorded and never read\n"
            f"  last frame played: frame 4 (system init) at 0.300 s, 2 of 4\n{REMEDY}"
        )

    async def test_trailing_frames_may_be_missed(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("please").result()
        idle = {"type": "system", "subtype": "session_state_changed", "state": "idle", "session_id": "s", "uuid": "u5"}
        play = Play(tape.recv(idle, after=1).end())
        with clock:
            async with play.client() as client:
                await turn(client, "please")
        play.player.finish()

    async def test_a_prompt_that_never_came(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(one_turn(tape))
        with clock:
            async with play.client():
                pass
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        assert str(caught.value) == (
            f"{PLACE} 3: a prompt was recorded and never came\n  not played:\n"
            "    a prompt 'please' (connection 1 (work), turn 1, frame 3)\n"
            "    3 frames (connection 1 (work), turn 1, frame 4)\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 4\n{REMEDY}"
        )

    async def test_a_connection_that_was_never_opened(self, tape: Tape, clock: VirtualClock) -> None:
        one_turn(tape)
        tape.connect("gate retry").end()
        play = Play(tape)
        with clock:
            async with play.client() as client:
                await turn(client, "please")
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        assert str(caught.value) == (
            f"cassettes/x-1.yaml: connection 2 (gate retry) was recorded and never opened\n{REMEDY}"
        )

    async def test_a_connection_that_was_never_recorded(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(one_turn(tape))
        with clock:
            async with play.client() as client:
                await turn(client, "please")
            with pytest.raises(Divergence) as caught:
                play.player.connection("gate retry", object())
        assert str(caught.value) == (
            "cassettes/x-1.yaml: connection 2 (gate retry) was never recorded\n"
            f"  the take ends with connection 1\n{REMEDY}"
        )

    async def test_a_connection_of_another_purpose(self, tape: Tape) -> None:
        play = Play(one_turn(tape))
        with pytest.raises(Divergence) as caught:
            play.player.connection("checkpoint", object())
        assert str(caught.value) == (
            "cassettes/x-1.yaml: connection 1: the connection has another purpose\n"
            f"  recorded: work\n  this run: checkpoint\n{REMEDY}"
        )
