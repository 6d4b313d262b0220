"""Context pressure: rows P1-P10 of session:4, the restarts R39-R43, and the corrections Y1-Y6."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    HANG,
    AbleClient,
    AbleFactory,
    Fail,
    RateLimitEvent,
    ResultMessage,
    ScriptedClient,
    ScriptedFactory,
    TextBlock,
    UserMessage,
    Wait,
    World,
    answer,
    failing,
    finding,
    init,
    on_virtual_time,
    passing,
    reviewed,
    say,
    usage,
    use,
)

from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.config import AgentSessionInput
from pytest_mala.session.pressure import (
    DEFAULT_CHECKPOINT_TIMEOUT_SECONDS,
    CheckpointResult,
    ContextPressureConfig,
    ContextPressureHandler,
)
from pytest_mala.session.stream import ContextPressureError

if TYPE_CHECKING:
    from pathlib import Path

FULL = usage(190_000)
FULL_TURN = [init(), say("a", usage=FULL), ResultMessage()]
TURN_OK = [ResultMessage("s3")]
UNPAID = ResultMessage(usage=None)
NOTES = [say("<checkpoint>half done</checkpoint>"), UNPAID]


def handler(
    factory: ScriptedFactory, prompt: str = "notes?", template: str = "go on: {checkpoint} {x}"
) -> ContextPressureHandler:
    return ContextPressureHandler(ContextPressureConfig(prompt, template), factory)


def fetch(factory: ScriptedFactory, prompt: str = "notes?", seconds: float | None = None) -> CheckpointResult:
    return on_virtual_time(lambda: handler(factory, prompt).fetch_checkpoint("s1", "i1", {}, seconds))


def test_p1_a_tagged_checkpoint_is_asked_for_once() -> None:
    factory = AbleFactory(NOTES)
    assert fetch(factory) == CheckpointResult("half done")
    assert (factory.queries, factory.announced, factory.resumed) == ([("notes?", "s1")], ["checkpoint"], ["s1"])
    assert factory.created[0].calls == ["enter", "query", "exit"]


def test_p1_without_a_session_id_a_new_session_is_asked() -> None:
    factory = AbleFactory(NOTES)
    found = on_virtual_time(lambda: handler(factory).fetch_checkpoint("", "i1", {}))
    assert (found.checkpoint, factory.queries, factory.resumed) == ("half done", [("notes?", None)], [None])


def test_p2_several_lines_and_messages_are_joined() -> None:
    assert fetch(ScriptedFactory([say("<checkpoint>a\n"), say("b</checkpoint>")])).checkpoint == "a\nb"


def test_p3_without_a_prompt_nobody_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    factory = ScriptedFactory()
    assert fetch(factory, "") == CheckpointResult("")
    assert factory.created == []
    assert "i1: no checkpoint request prompt is configured, the checkpoint is empty" in caplog.messages


@pytest.mark.parametrize("where", ["enter", "query", "stream", "create"])
def test_p4_y4_trouble_gives_an_empty_checkpoint(where: str, caplog: pytest.LogCaptureFixture) -> None:
    client = ScriptedClient([say("lost"), Fail(OSError("broken"))] if where == "stream" else NOTES)
    if where in ("enter", "query"):
        client.fail_at[where] = OSError("broken")
    factory = ScriptedFactory(*([] if where == "create" else [client]))
    assert fetch(factory) == CheckpointResult("")
    error = IndexError("list index out of range") if where == "create" else OSError("broken")
    assert caplog.messages == [f"i1: the checkpoint failed: {error!r}"]


def test_p5_y5_what_came_before_the_timeout_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    assert fetch(ScriptedFactory([HANG]), seconds=5) == CheckpointResult("", timed_out=True)
    assert fetch(ScriptedFactory([say("<checkpoint>so far"), HANG])) == CheckpointResult("so far", timed_out=True)
    assert fetch(ScriptedFactory([say("no tags so far"), HANG])) == CheckpointResult("no tags so far", timed_out=True)
    assert caplog.messages == [f"i1: no complete checkpoint within {seconds} s" for seconds in (5, 30, 30)]


def test_p6_y5_without_tags_the_agents_whole_text_counts_and_nobody_elses() -> None:
    stream = [say("one "), UserMessage([TextBlock("not this")]), UserMessage("nor this"), use("t1"), say("two"), UNPAID]
    sub_agent = say("not mine", parent_tool_use_id="toolu_1")
    assert fetch(ScriptedFactory([*stream[:1], sub_agent, *stream[1:]])) == CheckpointResult("one two")


@pytest.mark.parametrize(
    ("said", "kept"), [("API Error: overloaded", ""), ("<checkpoint>all of it</checkpoint>", "all of it")]
)
def test_p4_an_error_result_is_no_checkpoint(said: str, kept: str, caplog: pytest.LogCaptureFixture) -> None:
    failed = ResultMessage(subtype="error_during_execution", is_error=True, result=said, usage=None)
    assert fetch(ScriptedFactory([say(said), failed])) == CheckpointResult(kept)
    assert caplog.messages == [f"i1: the checkpoint failed: {said} (error_during_execution)"]


def test_p4_what_the_agent_marked_is_kept_when_the_cli_dies() -> None:
    stream = [say("<checkpoint>so far</checkpoint> and"), Fail(OSError("broken"))]
    assert fetch(ScriptedFactory(stream)) == CheckpointResult("so far")


@pytest.mark.parametrize("ends", [True, False], ids=["answered", "after the timeout"])
def test_what_a_checkpoint_has_used_is_told(ends: bool) -> None:
    paid = ResultMessage("s1", usage=usage(7), total_cost_usd=0.5)
    client = AbleClient([say("a"), *([] if ends else [HANG])], after_interrupt=[paid])
    found = fetch(AbleFactory(client))
    assert (found.usage.input_tokens, found.costs_usd, found.timed_out) == (7, {"s1": 0.5}, not ends)


@pytest.mark.parametrize(("told", "counted"), [(None, "s1"), ("s9", "s9")])
def test_what_a_checkpoint_costs_is_that_of_the_session_its_result_names(told: str | None, counted: str) -> None:
    paid = ResultMessage(told, usage=None, total_cost_usd=0.5)
    assert fetch(ScriptedFactory([say("a"), paid])).costs_usd == {counted: 0.5}


def test_p7_the_continuation_is_plain_replacement() -> None:
    assert handler(ScriptedFactory()).build_continuation_prompt("{a}") == "go on: {a} {x}"
    assert (
        handler(ScriptedFactory(), template="").build_continuation_prompt("{a}") == "Continue from checkpoint:\n\n{a}"
    )


@pytest.mark.parametrize("count", [0, 5])
def test_p8_p9_a_pressure_error_becomes_a_prompt_and_a_count(count: int, caplog: pytest.LogCaptureFixture) -> None:
    error = ContextPressureError("s1", 1, 2, 3, 0.95)
    factory = AbleFactory(NOTES)
    result = on_virtual_time(lambda: handler(factory).handle_pressure_error(error, "i1", {"cwd": "/r"}, count, 100))
    assert result == ("go on: half done {x}", count + 1)
    assert factory.queries == [("notes?", "s1")]
    assert factory.created[0].options == {"cwd": "/r", "resume": "s1"}
    hung = ScriptedFactory([HANG])
    result = on_virtual_time(lambda: handler(hung).handle_pressure_error(error, "i1", {}, count, 3))
    assert result == ("go on:  {x}", count + 1)
    assert caplog.messages == ["i1: no complete checkpoint within 3 s"]


def test_p9_with_no_time_left_nothing_is_waited_for() -> None:
    async def timed() -> tuple[tuple[str, int], float]:
        error = ContextPressureError("s1", 1, 2, 3, 0.95)
        result = await handler(ScriptedFactory([HANG])).handle_pressure_error(error, "i1", {}, 0, -5)
        return result, asyncio.get_running_loop().time()

    assert on_virtual_time(timed) == (("go on:  {x}", 1), 0)


def test_p10_defaults() -> None:
    assert DEFAULT_CHECKPOINT_TIMEOUT_SECONDS == 30
    assert ContextPressureConfig("a", "b").checkpoint_timeout_seconds == 30
    assert CheckpointResult("a").timed_out is False


def test_harness_errors_pass_through_the_checkpoint() -> None:
    with pytest.raises(Divergence):
        fetch(ScriptedFactory([Fail(Divergence("other prompt"))]))


# Restarts


def test_r39_e12_a_full_turn_that_fails_its_gate_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    factory = AbleFactory(FULL_TURN, NOTES, [init("s2"), ResultMessage("s2")])
    world = World(tmp_path, factory, gates=[failing("tests fail", commit="c0"), passing()])
    output = world.run()
    assert (output.success, output.session_id, output.gate_attempts) == (True, "s2", 2)
    assert factory.announced == ["work", "checkpoint", "continuation"]
    assert factory.resumed == [None, "s1", None]
    prompt, session_id = factory.queries[2]
    assert prompt.startswith("go on from: half done\n\ngate 2/3 of i1:\n- tests fail")
    assert session_id is None
    assert world.sink.named("on_lifecycle_state")[1:4:2] == [("i1", "AWAITING_LOG"), ("i1", "AWAITING_LOG")]
    assert [event for event in world.sink.events if event == ("on_lifecycle_state", "i1", "PROCESSING")] == [
        world.sink.events[0]
    ] * 2
    assert world.sink.named("on_context_restart") == [("i1", 1, 5, 9, False)]
    # offset belongs to the log of the old session; attempt and commit are kept (Y2)
    assert world.called("gate")[1] == ("i1", "s2.jsonl", 2, 0, "c0")


def test_y3_a_full_turn_that_passes_its_gate_is_not_restarted(tmp_path: Path) -> None:
    factory = AbleFactory(FULL_TURN, [ResultMessage()])
    world = World(
        tmp_path, factory, gates=[passing(), passing("c2")], reviews=[reviewed(finding(0)), reviewed(passed=True)]
    )
    assert world.run().success
    assert factory.announced == ["work", "review retry"]


def test_r40_two_restarts_use_the_second_checkpoint(tmp_path: Path) -> None:
    second = [say("<checkpoint>nearly done</checkpoint>"), ResultMessage()]
    factory = AbleFactory(FULL_TURN, NOTES, FULL_TURN, second, TURN_OK)
    world = World(tmp_path, factory, gates=[failing("a"), failing("b"), passing()])
    assert world.run().success
    assert len(factory.created) == 5
    assert factory.queries[-1][0].startswith("go on from: nearly done\n\ngate 3/3 of i1:\n- b")


def test_r41_each_round_begins_initial(tmp_path: Path) -> None:
    world = World(tmp_path, AbleFactory(FULL_TURN, NOTES, TURN_OK), gates=[failing(), passing()])
    world.run()
    states = [state for _, state, _ in world.sink.named("on_state_entered")]
    assert states.count("INITIAL") == 1
    assert states[states.index("INITIAL") + 1] == "PROCESSING"
    assert len(world.factory.options_asked) == 2


def test_r42_a_checkpoint_without_tags_is_used_whole(tmp_path: Path) -> None:
    factory = AbleFactory(FULL_TURN, [say("plain notes")], TURN_OK)
    World(tmp_path, factory, gates=[failing(), passing()]).run()
    assert factory.queries[2][0].startswith("go on from: plain notes\n\n")


def test_pressure_in_mid_turn_interrupts_and_goes_on_without_a_gate(tmp_path: Path) -> None:
    client = AbleClient(
        [init(), use("t1", usage=FULL), answer("t1"), HANG], after_interrupt=[ResultMessage(is_error=True)]
    )
    factory = AbleFactory(client, NOTES, TURN_OK)
    world = World(tmp_path, factory)
    output = world.run()
    assert (output.success, output.gate_attempts) == (True, 1)
    assert client.calls == ["enter", "query", "decide pressure", "interrupt", "disconnect", "terminate", "exit"]
    assert [query[0] for query in factory.queries] == ["do it", "write a checkpoint", "go on from: half done"]
    assert world.elapsed == 0


def test_pressure_in_a_retry_turn_keeps_what_the_gate_asked_for(tmp_path: Path) -> None:
    in_turn = AbleClient([use("t1", usage=FULL), answer("t1"), HANG])
    factory = AbleFactory([init(), ResultMessage()], in_turn, NOTES, TURN_OK)
    assert World(tmp_path, factory, gates=[failing("a"), passing()]).run().success
    assert factory.queries[3][0].startswith("go on from: half done\n\ngate 2/3 of i1:\n- a")


@pytest.mark.parametrize("limit", [0, 2])
def test_y1_restarts_are_bounded(tmp_path: Path, limit: int) -> None:
    clients: list[Any] = []
    for _ in range(limit):
        clients += [FULL_TURN, NOTES]
    world = World(
        tmp_path, AbleFactory(*clients, FULL_TURN), gates=[failing() for _ in range(9)],
        settings={"max_context_restarts": limit, "max_gate_retries": 9},
    )  # fmt: skip
    output = world.run()
    assert (output.summary, output.reason) == (f"Context full: all {limit} restarts used", EndReason.CONTEXT)
    assert len(world.factory.created) == 2 * limit + 1


def test_y2_the_gate_budget_is_not_renewed_by_a_restart(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        AbleFactory(FULL_TURN, NOTES, FULL_TURN),
        gates=[failing(), failing()],
        settings={"max_gate_retries": 2},
    )
    output = world.run()
    assert (output.reason, output.gate_attempts) == (EndReason.GATE_FAILED, 2)


def test_y6_the_checkpoint_is_traced_and_told(tmp_path: Path) -> None:
    class Span:
        def __init__(self) -> None:
            self.messages: list[object] = []

        def log_message(self, message: object) -> None:
            self.messages.append(message)

    span = Span()
    world = World(tmp_path, AbleFactory(FULL_TURN, NOTES, TURN_OK), gates=[failing(), passing()])
    asyncio.run(world.runner().run_session(AgentSessionInput("i1", "do it"), span))  # type: ignore[arg-type]
    assert span.messages == [*FULL_TURN, *NOTES, *TURN_OK]


def test_y5_a_checkpoint_that_times_out_is_told_in_the_event(tmp_path: Path) -> None:
    world = World(tmp_path, AbleFactory(FULL_TURN, [HANG], TURN_OK), gates=[failing(), passing()])
    assert world.run().success
    assert world.sink.named("on_context_restart") == [("i1", 1, 5, 0, True)]
    assert world.elapsed == 30


def test_r43_all_rounds_share_one_budget_of_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    slow = [init(), Wait(40), say("a", usage=FULL), ResultMessage()]
    world = World(
        tmp_path, AbleFactory(slow, [Wait(10), *NOTES], [HANG]), gates=[failing()], settings={"timeout_seconds": 60}
    )
    output = world.run()
    assert output.summary.startswith("Timeout after 1 minutes: waiting for a frame after the prompt")
    assert (world.elapsed, output.session_id) == (60, "s1")


def test_r43_a_checkpoint_takes_at_most_the_time_that_is_left(tmp_path: Path) -> None:
    slow = [init(), Wait(50), say("a", usage=FULL), ResultMessage()]
    world = World(tmp_path, AbleFactory(slow, [HANG], [HANG]), gates=[failing()], settings={"timeout_seconds": 60})
    output = world.run()
    assert output.summary == "Timeout after 1 minutes: waiting for a checkpoint (state INITIAL, turn 1)"
    assert (output.reason, world.elapsed) == (EndReason.TIMEOUT, 60)


def test_what_was_used_before_a_restart_and_by_the_checkpoint_is_counted(tmp_path: Path) -> None:
    full = [init(), say("a", usage=usage(190_000)), ResultMessage(usage=usage(7), total_cost_usd=0.5)]
    notes = [say("notes"), ResultMessage(usage=usage(100), total_cost_usd=0.75)]  # of the session so far
    rest = [ResultMessage("s2", usage=usage(11), total_cost_usd=0.25)]
    world = World(tmp_path, AbleFactory(full, notes, rest), gates=[failing(), passing()])
    output = world.run()
    assert (output.usage.tokens.input_tokens, output.usage.cost_usd) == (118, 1.0)


def test_what_an_abandoned_attempt_has_used_is_counted(tmp_path: Path) -> None:
    interrupted = AbleClient([init(), HANG], after_interrupt=[ResultMessage(usage=usage(7), total_cost_usd=0.5)])
    rest = [ResultMessage(usage=usage(11), total_cost_usd=0.75)]
    output = World(tmp_path, AbleFactory(interrupted, rest)).run()
    assert (output.usage.tokens.input_tokens, output.usage.cost_usd) == (18, 0.75)


def test_messages_of_other_kinds_are_counted_over_restarts(tmp_path: Path) -> None:
    full = [init(), RateLimitEvent(), say("a", usage=usage(190_000)), ResultMessage()]
    rest = [init("s2"), ResultMessage("s2")]
    world = World(tmp_path, AbleFactory(full, [say("notes")], rest), gates=[failing(), passing()])
    assert world.run().other_messages == {"SystemMessage": 2, "RateLimitEvent": 1}


def test_the_share_of_the_context_that_is_too_much_is_a_setting(tmp_path: Path) -> None:
    half = [init(), say("a", usage=usage(100_000)), ResultMessage()]
    factory = AbleFactory(half, NOTES, TURN_OK)
    settings = {"context_restart_threshold": 0.5}
    assert World(tmp_path, factory, gates=[failing(), passing()], settings=settings).run().success
    assert factory.announced == ["work", "checkpoint", "continuation"]
