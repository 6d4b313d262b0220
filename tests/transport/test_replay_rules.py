"""Each rule of a replayed connection by itself: what is compared, what waits for what, and what must have come."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import BY_NAME, Play, Tape, names_of, turn

from pytest_mala.errors import Divergence

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio

REMEDY = "record it with: RECORD"
PLACE = "cassettes/x-1.yaml: connection 1 (work), turn 1, frame"
HOOKS = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}


async def allow(*_: Any) -> dict[str, Any]:
    return {}


def set_model(tape: Tape, model: str) -> Tape:
    request = {"subtype": "set_model", "model": model}
    tape.send({"type": "control_request", "request_id": "r2", "request": request})
    response = {"subtype": "success", "request_id": "r2", "response": {}}
    return tape.recv({"type": "control_response", "response": response})


def answer_to(request_id: str, response: dict[str, Any]) -> str:
    body = {"subtype": "success", "request_id": request_id, "response": response}
    return json.dumps({"type": "control_response", "response": body})


class TestWhatTheClientBegins:
    async def test_another_control_request(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(set_model(tape.connect(), "opus").end())
        with clock:
            async with play.client() as client:
                with pytest.raises(Divergence) as caught:
                    await client.set_model("haiku")
        assert str(caught.value) == (
            "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 3: "
            "the control request set_model is not what was recorded\n"
            f"  $.model: recorded 'opus', now 'haiku'\n{BY_NAME}\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 2\n{REMEDY}"
        )

    async def test_another_initialize_request(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().end()
        tape.entries[1]["m"]["request"]["skills"] = ["pdf"]
        with clock, pytest.raises(Divergence) as caught:
            async with Play(tape).client():
                pass
        assert str(caught.value) == (
            "cassettes/x-1.yaml: connection 1 (work), turn 0, frame 1: "
            "the control request initialize is not what was recorded\n"
            f"  $.skills: only recorded (['pdf'])\n{BY_NAME}\n"
            f"  no frame of 1 was played yet\n{REMEDY}"
        )

    async def test_a_control_request_that_was_never_recorded(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").end())
        with clock:
            async with play.client() as client:
                await client.query("please")
                with pytest.raises(Divergence) as caught:
                    await client.set_model("opus")
        assert str(caught.value) == (
            f"{PLACE} 3: the control request set_model was sent, but the recording ends here (1 of 1 frames played)"
            f"\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 1\n{REMEDY}"
        )

    async def test_a_prompt_to_another_session(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").result().end())
        with clock:
            async with play.client() as client:
                with pytest.raises(Divergence) as caught:
                    await client.query("please", session_id="other")
        assert str(caught.value) == (
            f"{PLACE} 3: the prompt goes to another session\n  recorded: default\n  this run: other\n{BY_NAME}\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 2\n{REMEDY}"
        )


class TestAnswers:
    def asked(self, tape: Tape) -> Tape:
        return tape.connect(hooks=HOOKS).prompt("please").hook(after=0.1)

    async def swallowed(self, play: Play, clock: VirtualClock, *answers: str) -> str:
        """What the end of the session says about answers that nobody else heard of."""
        with clock:
            async with play.client(hooks={"PreToolUse": [allow]}) as client:
                with pytest.raises(Divergence):
                    await client.query("please")
                    for answer in answers:
                        await client._transport.write(answer)
                    async for _ in client.receive_response():
                        pass
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        return str(caught.value)

    async def test_one_that_was_never_recorded(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.asked(tape).result(after=1).end())
        assert await self.swallowed(play, clock) == (
            f"{PLACE} 5: the hook PreToolUse[0] for toolu_1 was answered, but in the recording it never was\n"
            f"  last frame played: frame 4 (control_request hook_callback) at 0.400 s, 2 of 3\n{REMEDY}"
        )

    async def test_one_to_a_request_that_nobody_made(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.asked(tape).answer({}).result(after=1).end())
        assert await self.swallowed(play, clock, answer_to("nobody", {})) == (
            f"{PLACE} 3: the request nobody was answered, but in the recording it never was\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 3\n{REMEDY}"
        )

    async def test_one_that_is_given_twice(self, tape: Tape, clock: VirtualClock) -> None:
        self.asked(tape)
        again = answer_to(tape.entries[-1]["m"]["request_id"], {})
        play = Play(tape.answer({}).result(after=1).end())
        assert await self.swallowed(play, clock, again, again) == (
            f"{PLACE} 3: the hook PreToolUse[0] for toolu_1 was answered a second time\n"
            f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 3\n{REMEDY}"
        )

    async def test_a_difference_cuts_a_long_wait_short(self, tape: Tape, clock: VirtualClock) -> None:
        """The client need not read on until the next recorded frame to hear of it."""

        async def deny(*_: Any) -> dict[str, Any]:
            return {"decision": "block"}

        play = Play(self.asked(tape).answer({}).text("much later", after=600).result().end())
        with clock:
            async with play.client(hooks={"PreToolUse": [deny]}) as client:
                with pytest.raises(Divergence):
                    await turn(client, "please")
            assert clock.elapsed < 1

    async def test_a_difference_comes_before_a_frame_that_is_due_with_it(self, tape: Tape, clock: VirtualClock) -> None:
        """One write: a prompt, which makes the frame due at once, and an answer that was never recorded."""
        play = Play(tape.connect().prompt("one").text("x", after=60).prompt("two").result().end())
        prompt = {"type": "user", "message": {"role": "user", "content": "two"}, "session_id": "default"}
        with clock:
            async with play.client() as client:
                await client.query("one")
                await asyncio.sleep(1)
                await client._transport.write(json.dumps(prompt) + "\n" + answer_to("nobody", {}))
                with pytest.raises(Divergence, match="the request nobody was answered"):
                    await anext(client.receive_messages())

    async def test_a_difference_elsewhere_ends_a_wait_for_the_client(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("please").result().end())
        with clock:
            async with play.client() as client:
                reading = asyncio.ensure_future(anext(client.receive_messages()))
                await asyncio.sleep(1)
                play.player.diverge("something else is wrong")
                with pytest.raises(Divergence, match="something else is wrong"):
                    await reading

    async def test_a_long_text_is_shown_by_its_changed_words(self, tape: Tape, clock: VirtualClock) -> None:
        reason = "Read the file again before you edit it: it was changed on disk {} you read it last."
        tape = self.asked(tape).answer({"reason": reason.format("since")})

        async def told(*_: Any) -> dict[str, Any]:
            return {"reason": reason.format("after")}

        play = Play(tape.result(after=1).end())
        with clock, pytest.raises(Divergence) as caught:
            async with play.client(hooks={"PreToolUse": [told]}) as client:
                await turn(client, "please")
        assert str(caught.value) == (
            f"{PLACE} 5: the hook PreToolUse[0] for toolu_1 was answered otherwise than recorded\n"
            "  $.response.response.reason: edit it: it was changed on disk [-since-]{+after+} you read it last.\n"
            f"{BY_NAME}\n"
            f"  last frame played: frame 4 (control_request hook_callback) at 0.400 s, 2 of 3\n{REMEDY}"
        )

    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (ValueError("no such table: users"), "now it raised an error: no such table: users"),
            (ValueError(), "now it raised an error without a text"),
        ],
    )
    async def test_a_hook_that_raises_now(self, tape: Tape, clock: VirtualClock, error: Exception, shown: str) -> None:
        async def broken(*_: Any) -> dict[str, Any]:
            raise error

        play = Play(self.asked(tape).answer({}).result(after=1).end())
        with clock, pytest.raises(Divergence) as caught:
            async with play.client(hooks={"PreToolUse": [broken]}) as client:
                await turn(client, "please")
        assert str(caught.value) == (
            f"{PLACE} 5: the hook PreToolUse[0] for toolu_1 was answered otherwise than recorded\n  {shown}\n"
            f"  last frame played: frame 4 (control_request hook_callback) at 0.400 s, 2 of 3\n{REMEDY}"
        )

    async def test_a_hook_that_raised_already_and_says_something_else(self, tape: Tape, clock: VirtualClock) -> None:
        self.asked(tape)
        body = {"subtype": "error", "request_id": tape.entries[-1]["m"]["request_id"], "error": "ah"}
        play = Play(tape.send({"type": "control_response", "response": body}).result(after=1).end())

        async def broken(*_: Any) -> dict[str, Any]:
            raise ValueError("oh")

        with clock, pytest.raises(Divergence) as caught:
            async with play.client(hooks={"PreToolUse": [broken]}) as client:
                await turn(client, "please")
        assert str(caught.value) == (
            f"{PLACE} 5: the hook PreToolUse[0] for toolu_1 was answered otherwise than recorded\n"
            f"  $.response.error: recorded 'ah', now 'oh'\n{BY_NAME}\n"
            f"  last frame played: frame 4 (control_request hook_callback) at 0.400 s, 2 of 3\n{REMEDY}"
        )


async def seen_with_a_slow_hook(play: Play, clock: VirtualClock) -> list[str]:
    """What a client sees whose hook answers after 500 s, and when it did."""
    seen: list[str] = []

    async def slow(*_: Any) -> dict[str, Any]:
        await asyncio.sleep(500)
        seen.append("answered")
        return {}

    with clock:
        async with play.client(hooks={"PreToolUse": [slow]}) as client:
            await client.query("please")
            async for message in client.receive_response():
                seen.append(type(message).__name__)  # noqa: PERF401 - seen while it is read
    return seen


class TestWhatWaitsForWhat:
    async def test_frames_behind_a_decision_wait_for_it(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("please").init().add("decide", after=3, c=1, what="idle")
        play = Play(tape.text("after all", after=0.01).result().end())
        seen: list[str] = []

        async def read(client: Any) -> None:
            async for message in client.receive_response():
                seen.append(type(message).__name__)  # noqa: PERF401 - seen while it is read

        with clock:
            async with play.client() as client:
                await client.query("please")
                reading = asyncio.ensure_future(read(client))
                await asyncio.sleep(1000)
                before = list(seen)
                play.player.decide("idle")
                await reading
        assert before == ["SystemMessage"]
        assert seen == ["SystemMessage", "AssistantMessage", "ResultMessage"]
        play.player.finish()

    @pytest.mark.parametrize(
        ("recorded", "waited"),
        [(0.015, 0), (0.02, 0), (0.05, 0.03), (1, 0.98), (2, 1.98), (3, 2.97), (100, 99)],
    )
    async def test_a_gap_is_shortened_by_20_ms_or_1_percent(
        self, tape: Tape, clock: VirtualClock, recorded: float, waited: float
    ) -> None:
        play = Play(tape.connect().prompt("please").text("x", after=recorded).result().end())
        with clock:
            async with play.client() as client:
                began = clock.elapsed
                await turn(client, "please")
                assert clock.elapsed - began == pytest.approx(waited, abs=1e-6)

    async def test_a_client_ahead_of_the_recording_waits_no_more(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("one").init(after=60).text("working", after=60)
        play = Play(tape.prompt("two").text("both", after=60).result().end())
        with clock:
            async with play.client() as client:
                await client.query("one")
                await asyncio.sleep(1)
                await client.query("two")
                first = [type(await anext(client.receive_messages())).__name__ for _ in range(2)]
                assert clock.elapsed == pytest.approx(0.28 + 1, abs=1e-6)
                rest = names_of([message async for message in client.receive_response()])
                assert clock.elapsed == pytest.approx(0.28 + 1 + 59.4, abs=1e-6)
        assert first == ["SystemMessage", "AssistantMessage"]
        assert rest == ["AssistantMessage", "ResultMessage"]
        assert play.player.notes == [
            "connection 1 (work), turn 2, frame 6: a prompt came 2 frames earlier than recorded"
        ]
        play.player.finish()

    async def test_one_frame_earlier(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("one").init(after=60)
        play = Play(tape.prompt("two").result().end())
        with clock:
            async with play.client() as client:
                await client.query("one")
                await turn(client, "two")
        assert play.player.notes == [
            "connection 1 (work), turn 2, frame 5: a prompt came 1 frame earlier than recorded"
        ]

    async def test_a_client_in_time_is_no_remark(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(tape.connect().prompt("one").result(after=1).prompt("two").result(after=1).end())
        with clock:
            async with play.client() as client:
                await turn(client, "one")
                await turn(client, "two")
        assert play.player.notes == []

    async def test_what_may_be_missing_is_no_remark_either(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(set_model(tape.connect().prompt("one").result().text("late", after=60), "opus").end())
        with clock:
            async with play.client() as client:
                await turn(client, "one")
                await client.set_model("opus")
        assert play.player.notes == []
        play.player.finish()

    async def test_an_interrupt_overtakes_a_decision_without_a_remark(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect().prompt("one").add("decide", after=3, c=1, what="idle")
        tape.send({"type": "control_request", "request_id": "r9", "request": {"subtype": "interrupt"}})
        response = {"subtype": "success", "request_id": "r9", "response": {}}
        play = Play(tape.recv({"type": "control_response", "response": response}).end())
        with clock:
            async with play.client() as client:
                await client.query("one")
                interrupting = asyncio.ensure_future(client.interrupt())
                await asyncio.sleep(1)
                assert not interrupting.done()
                play.player.decide("idle")
                await interrupting
        assert play.player.notes == []
        play.player.finish()

    async def test_a_result_waits_for_every_answer_that_is_owed(self, tape: Tape, clock: VirtualClock) -> None:
        """A text between does not: it belongs to no tool of these hooks."""
        tape.connect(hooks=HOOKS).prompt("please").hook(tool="toolu_1").answer({}).text("between").result()
        play = Play(tape.end())
        seen = await seen_with_a_slow_hook(play, clock)
        assert seen == ["AssistantMessage", "answered", "ResultMessage"]
        play.player.finish()

    async def test_a_hook_of_no_tool_is_answered_before_any_frame(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect(hooks=HOOKS).prompt("please").hook(tool=None).answer({}).text("then").result()
        play = Play(tape.end())
        seen = await seen_with_a_slow_hook(play, clock)
        assert seen == ["answered", "AssistantMessage", "ResultMessage"]


class TestAllMustHaveCome:
    async def left(self, play: Play, clock: VirtualClock) -> str:
        with clock:
            async with play.client(hooks={"PreToolUse": [allow]}) as client:
                await turn(client, "please")
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        return str(caught.value)

    async def test_an_answer_that_was_never_given(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect(hooks=HOOKS).prompt("please").result()
        tape.send(json.loads(answer_to("nobody", {})))
        assert await self.left(Play(tape.end()), clock) == (
            f"{PLACE} 5: an answer was recorded and never came\n"
            f"  last frame played: frame 4 (result success) at 0.300 s, 2 of 2\n{REMEDY}"
        )

    async def test_a_decision_that_was_never_made(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect(hooks=HOOKS).prompt("please").result().add("decide", after=3, c=1, what="idle")
        assert await self.left(Play(tape.end()), clock) == (
            f"{PLACE} 4: the decision 'idle' was recorded and never came\n"
            f"  last frame played: frame 4 (result success) at 0.300 s, 2 of 2\n{REMEDY}"
        )

    async def test_a_control_request_that_was_never_made(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(set_model(tape.connect(hooks=HOOKS).prompt("please").result(), "opus").end())
        assert await self.left(play, clock) == (
            f"{PLACE} 5: the control request set_model was recorded and never came\n"
            f"  last frame played: frame 4 (result success) at 0.300 s, 2 of 3\n{REMEDY}"
        )

    async def test_a_trailing_hook_may_be_missing_with_its_answer(self, tape: Tape, clock: VirtualClock) -> None:
        tape.connect(hooks=HOOKS).prompt("please").result().hook(after=60).answer({})
        play = Play(tape.end())
        with clock:
            async with play.client(hooks={"PreToolUse": [allow]}) as client:
                await turn(client, "please")
        play.player.finish()

    async def test_a_hook_of_the_turn_may_not(self, tape: Tape, clock: VirtualClock) -> None:
        """The client was closed before the hook's answer could be sent."""
        tape.connect(hooks=HOOKS).prompt("please").hook().answer({}, after=60).result()
        play = Play(tape.end())

        async def silent(*_: Any) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        with clock:
            async with play.client(hooks={"PreToolUse": [silent]}) as client:
                await client.query("please")
                await asyncio.sleep(1)
        with pytest.raises(Divergence) as caught:
            play.player.finish()
        assert str(caught.value) == (
            f"{PLACE} 5: an answer was recorded and never came\n"
            "  not played:\n"
            "    an answer (connection 1 (work), turn 1, frame 5)\n"
            "    a frame result success (connection 1 (work), turn 1, frame 6)\n"
            f"  last frame played: frame 4 (control_request hook_callback) at 0.300 s, 2 of 3\n{REMEDY}"
        )
