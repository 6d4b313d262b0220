"""Turns that need more than one connection: rows R30-R38 of session:6 and the corrections B1-B7, X8, D13."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    HANG,
    AbleClient,
    AbleFactory,
    Fail,
    ProcessError,
    ResultError,
    ResultMessage,
    ScriptedClient,
    ScriptedFactory,
    Wait,
    World,
    answer,
    failing,
    init,
    passing,
    say,
    usage,
    use,
)

from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.config import SessionCallbacks

if TYPE_CHECKING:
    from pathlib import Path

TURN = [say("working"), ResultMessage()]
IDLE = {"idle_timeout_seconds": 100.0, "idle_retry_backoff": ()}


def world_of(tmp_path: Path, factory: ScriptedFactory, **settings: Any) -> World:
    return World(tmp_path, factory, settings={**IDLE, **settings})


def test_r30_a_hung_stream_fails_as_idle_and_says_what_was_awaited(tmp_path: Path) -> None:
    world = world_of(tmp_path, ScriptedFactory([init(), say("a"), HANG]), max_idle_retries=0)
    output = world.run()
    assert output.summary == (
        "Agent idle: all 0 retries used (Agent idle for 100 seconds): "
        "waiting for a frame after `text`; idle timer on (100 s) (state PROCESSING, turn 1)"
    )
    assert (output.reason, world.elapsed) == (EndReason.IDLE, 100)
    assert world.sink.named("on_idle_retry") == []


@pytest.mark.parametrize("idle", [100.0, 0])
def test_r31_messages_in_time_or_no_timeout_are_no_idleness(tmp_path: Path, idle: float) -> None:
    gap = 99 if idle else 2000
    world = world_of(
        tmp_path,
        ScriptedFactory([Wait(gap), say("a"), Wait(gap if idle else 0), ResultMessage()]),
        idle_timeout_seconds=idle,
    )
    assert world.run().success


def test_r32_b1_a_hang_after_a_result_is_resumed(tmp_path: Path) -> None:
    factory = AbleFactory([ResultMessage("s7"), HANG], [ResultMessage("s7")])
    world = world_of(tmp_path, factory)
    assert world.run().success
    assert factory.created[0].calls == ["enter", "query", "disconnect", "exit"]
    assert factory.queries == [("do it", None), ("go on with i1", "s7")]
    assert (factory.resumed, factory.announced) == ([None, "s7"], ["work", "idle resume"])
    assert world.sink.named("on_idle_retry") == [("i1", 1, 2, "resumed")]


def test_a_factory_without_resume_gets_the_same_options(tmp_path: Path) -> None:
    factory = ScriptedFactory([ResultMessage("s7"), HANG], TURN)
    world_of(tmp_path, factory).run()
    assert factory.created[0].options is factory.created[1].options
    assert factory.queries[1] == ("go on with i1", "s7")


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_r33_the_idle_budget_is_kept_and_every_client_is_disconnected(tmp_path: Path, retries: int) -> None:
    factory = ScriptedFactory(*[[HANG] for _ in range(retries + 1)])
    output = world_of(tmp_path, factory, max_idle_retries=retries).run()
    assert output.reason is EndReason.IDLE
    assert f"all {retries} retries used" in output.summary
    assert [client.calls for client in factory.created] == [["enter", "query", "disconnect", "exit"]] * (retries + 1)


def test_r34_a_hang_with_no_message_is_asked_again_afresh(tmp_path: Path) -> None:
    factory = AbleFactory([HANG], TURN)
    world = world_of(tmp_path, factory)
    assert world.run().success
    assert factory.queries == [("do it", None), ("do it", None)]
    assert factory.resumed == [None, None]
    assert world.sink.named("on_idle_retry") == [("i1", 1, 2, "fresh session")]


def test_r35_a_pending_tool_is_ended_by_the_sessions_timeout_only(tmp_path: Path) -> None:
    factory = ScriptedFactory([init(), use("toolu_0007"), HANG])
    world = world_of(tmp_path, factory, timeout_seconds=1800)
    output = world.run()
    assert output.summary == (
        "Timeout after 30 minutes: waiting for a frame after `tool_use Bash (toolu_0007)`; "
        "idle timer off, tools pending: Bash (toolu_0007) (state PROCESSING, turn 1)"
    )
    assert (output.reason, world.elapsed, len(factory.created)) == (EndReason.TIMEOUT, 1800, 1)


def test_b2_after_its_result_a_tool_is_not_pending_any_more(tmp_path: Path) -> None:
    factory = ScriptedFactory([init(), use("t1"), Wait(500), answer("t1"), HANG], TURN)
    world = world_of(tmp_path, factory)
    assert world.run().success
    assert world.elapsed == 600


def test_r36_retries_back_off(tmp_path: Path) -> None:
    factory = ScriptedFactory([HANG], [HANG], [HANG], TURN)
    world = world_of(tmp_path, factory, max_idle_retries=3, idle_retry_backoff=(0.0, 5.0))
    assert world.run().success
    assert world.elapsed == 300 + 0 + 5 + 5


def test_r37_tool_calls_without_a_session_id_are_not_repeated(tmp_path: Path) -> None:
    factory = ScriptedFactory([use("t1"), use("t2"), answer("t1"), answer("t2"), HANG])
    output = world_of(tmp_path, factory).run()
    assert output.summary.startswith("Agent idle after 2 tool calls without a session id: a retry could repeat them")
    assert (output.reason, len(factory.queries)) == (EndReason.IDLE, 1)


@pytest.mark.parametrize("where", ["disconnect", "exit"])
def test_r38_a_client_that_does_not_leave_delays_ten_seconds(
    tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = ScriptedClient([HANG])
    client.hang_at = frozenset({where})
    world = world_of(tmp_path, ScriptedFactory(client, TURN))
    assert world.run().success
    assert world.elapsed == 110
    name = {"disconnect": "disconnect", "exit": "leaving"}[where]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [f"the client did not finish {name} within 10 s"]


def test_a_disconnect_that_fails_is_only_noted(tmp_path: Path) -> None:
    client = ScriptedClient([HANG])
    client.fail_at["disconnect"] = OSError("gone")
    assert world_of(tmp_path, ScriptedFactory(client, TURN)).run().success
    assert client.calls == ["enter", "query", "disconnect", "exit"]


def test_a_client_needs_no_disconnect(tmp_path: Path) -> None:
    client = ScriptedClient([HANG])
    client.disconnect = None  # type: ignore[assignment, method-assign]
    assert world_of(tmp_path, ScriptedFactory(client, TURN)).run().success


def test_r13_the_idle_budget_is_per_prompt(tmp_path: Path) -> None:
    factory = ScriptedFactory([HANG], [HANG], TURN, [HANG], [HANG], TURN)
    world = world_of(tmp_path, factory)
    world.gates = [failing(), passing()]
    assert world.run().success


# D13: interrupt, drain, disconnect, terminate


def test_d13_an_able_client_is_interrupted_drained_disconnected_and_terminated(tmp_path: Path) -> None:
    client = AbleClient([say("a"), HANG], after_interrupt=[init("s5"), ResultMessage("s5", is_error=True)])
    factory = AbleFactory(client, TURN)
    world = world_of(tmp_path, factory)
    assert world.run().success
    assert client.calls == ["enter", "query", "decide idle", "interrupt", "disconnect", "terminate", "exit"]
    # the id that came while draining makes the resume possible (B7)
    assert factory.resumed == [None, "s5"]
    assert factory.queries[1] == ("go on with i1", "s5")


def test_d13_an_interrupt_that_hangs_is_bounded(tmp_path: Path) -> None:
    client = AbleClient([HANG])
    client.hang_at = frozenset({"interrupt", "disconnect"})
    world = world_of(tmp_path, AbleFactory(client, TURN))
    assert world.run().success
    assert world.elapsed == 100 + 5 + 5 + 10
    assert client.calls[-3:] == ["disconnect", "terminate", "exit"]


def test_d13_a_divergence_at_the_interrupt_leaves_the_runner_after_the_clean_up(tmp_path: Path) -> None:
    client = AbleClient([HANG])
    client.fail_at["interrupt"] = Divergence("nobody interrupted here")
    with pytest.raises(Divergence, match="nobody interrupted here"):
        world_of(tmp_path, AbleFactory(client, TURN)).run()
    assert client.calls[-3:] == ["disconnect", "terminate", "exit"]


def test_the_client_is_told_of_the_sessions_timeout_before_the_interrupt(tmp_path: Path) -> None:
    client = AbleClient([use("t1"), HANG])
    output = world_of(tmp_path, AbleFactory(client), timeout_seconds=200).run()
    assert output.reason is EndReason.TIMEOUT
    assert client.calls == ["enter", "query", "decide timeout", "interrupt", "disconnect", "terminate", "exit"]


def test_a_tool_that_was_called_while_draining_counts(tmp_path: Path) -> None:
    client = AbleClient([HANG], after_interrupt=[use("t1")])
    output = world_of(tmp_path, AbleFactory(client)).run()
    assert output.summary.startswith("Agent idle after 1 tool calls without a session id")


def test_tools_that_were_called_before_and_while_draining_count_together(tmp_path: Path) -> None:
    client = AbleClient([use("t1"), answer("t1"), HANG], after_interrupt=[use("t2")])
    output = world_of(tmp_path, AbleFactory(client)).run()
    assert output.summary.startswith("Agent idle after 2 tool calls without a session id")


@pytest.mark.parametrize(
    ("what", "steps", "settings"),
    [
        ("idle", [say("a"), HANG], {}),
        ("timeout", [use("t1"), HANG], {"timeout_seconds": 200}),
        ("pressure", [use("t1", usage=usage(190_000)), answer("t1"), HANG], {}),
    ],
)
def test_d7_a_client_that_does_not_agree_with_a_timer_is_left_all_the_same(
    tmp_path: Path, what: str, steps: list[Any], settings: dict[str, Any]
) -> None:
    class Diverging(AbleClient):
        def decide(self, what: str) -> None:
            super().decide(what)
            raise Divergence(f"nobody decided {what} here")

    client = Diverging(steps, after_interrupt=[ResultMessage()])
    with pytest.raises(Divergence, match=f"^nobody decided {what} here$"):
        world_of(tmp_path, AbleFactory(client), **settings).run()
    assert client.calls[2:] == [f"decide {what}", "interrupt", "disconnect", "terminate", "exit"]


class Stop(BaseException):
    """Not an error that a session may take for its own."""


@pytest.mark.parametrize("error", [RuntimeError("no more"), Divergence("no more"), Stop("no more")])
def test_b7_whatever_ends_a_turn_what_still_comes_is_counted(tmp_path: Path, error: BaseException) -> None:
    def refuse(*_: object) -> None:
        raise error

    client = AbleClient([say("a"), HANG], after_interrupt=[ResultMessage(total_cost_usd=0.5)])
    world = world_of(tmp_path, AbleFactory(client))
    world.callbacks = SessionCallbacks(on_agent_text=refuse)
    if isinstance(error, RuntimeError):
        output = world.run()
        assert (output.summary, output.usage.cost_usd) == ("no more", 0.5)
    else:
        with pytest.raises(type(error)) as caught:
            world.run()
        assert caught.value is error
    assert client.calls[2:] == ["interrupt", "disconnect", "terminate", "exit"]


def test_b7_what_still_comes_after_the_timeout_is_counted(tmp_path: Path) -> None:
    client = AbleClient([use("t1"), HANG], after_interrupt=[ResultMessage(total_cost_usd=0.5)])
    output = world_of(tmp_path, AbleFactory(client), timeout_seconds=200).run()
    assert (output.reason, output.usage.cost_usd, output.session_id) == (EndReason.TIMEOUT, 0.5, "s1")


# X8: what is sent again


def test_x8_a_prompt_that_was_never_answered_is_sent_again_into_the_same_session(tmp_path: Path) -> None:
    factory = AbleFactory([init(), *TURN], [HANG], TURN)
    world = world_of(tmp_path, factory)
    world.gates = [failing("a"), passing()]
    assert world.run().success
    assert factory.queries[1][0].startswith("gate 2/3 of i1")
    assert factory.queries[2] == factory.queries[1]
    assert factory.resumed == [None, "s1", "s1"]
    assert world.sink.named("on_idle_retry") == [("i1", 1, 2, "resumed, same prompt again")]


def test_x7_x8_an_id_from_the_first_frame_makes_the_first_turn_resumable(tmp_path: Path) -> None:
    factory = AbleFactory([init("s3"), HANG], [use("t1"), answer("t1"), HANG], TURN)
    assert world_of(tmp_path, factory).run().success
    assert factory.queries == [("do it", None), ("do it", "s3"), ("go on with i1", "s3")]


# B6: a dying CLI


def test_b6_a_dying_process_is_resumed_on_its_own_budget(tmp_path: Path) -> None:
    dies = [init(), use("t1"), Fail(ProcessError("exit -9"))]
    factory = AbleFactory(dies, dies, TURN)
    world = world_of(tmp_path, factory, max_idle_retries=0)
    assert world.run().success
    assert factory.queries == [("do it", None), ("go on with i1", "s1"), ("go on with i1", "s1")]
    assert factory.announced == ["work", "crash retry", "crash retry"]
    assert world.elapsed == 1 + 2
    assert world.sink.named("on_idle_retry") == [("i1", 1, 5, "resumed"), ("i1", 2, 5, "resumed")]


def test_b6_the_crash_budget_ends(tmp_path: Path) -> None:
    factory = ScriptedFactory(*[[Fail(ProcessError("exit -9"))] for _ in range(6)])
    world = world_of(tmp_path, factory)
    output = world.run()
    assert (output.summary, output.reason) == ("exit -9", EndReason.AGENT_ERROR)
    assert world.elapsed == 1 + 2 + 4 + 8 + 8


def test_b6_tool_calls_without_a_session_id_are_not_repeated_after_a_crash(tmp_path: Path) -> None:
    factory = ScriptedFactory([use("t1"), Fail(ProcessError("exit -9"))])
    assert world_of(tmp_path, factory).run().summary == "exit -9"
    assert len(factory.created) == 1


def test_b6_a_process_that_never_started_is_not_tried_again(tmp_path: Path) -> None:
    client = ScriptedClient(TURN)
    client.fail_at["enter"] = ProcessError("refuses to start as root")
    factory = ScriptedFactory(client)
    assert world_of(tmp_path, factory).run().summary == "refuses to start as root"
    assert client.calls == ["enter"]


def test_d13_a_session_that_was_never_saved_is_begun_again(tmp_path: Path) -> None:
    stale = ScriptedClient([])
    stale.fail_at["enter"] = ResultError("No conversation found with session ID s1")
    factory = AbleFactory([init(), HANG], stale, TURN)
    world = world_of(tmp_path, factory)
    assert world.run().success
    assert world.elapsed == 100
    assert [client.queries for client in factory.created] == [[("do it", None)], [], [("do it", None)]]
    assert factory.resumed == [None, "s1", None]


def test_d13_nothing_is_lost_or_repeated_by_a_fresh_start(tmp_path: Path) -> None:
    stale = ScriptedClient([])
    stale.fail_at["enter"] = ResultError("No conversation found with session ID s1")
    factory = AbleFactory([init(), use("t1"), answer("t1"), HANG], stale)
    output = world_of(tmp_path, factory).run()
    assert (output.summary, output.reason) == ("No conversation found with session ID s1", EndReason.AGENT_ERROR)
    assert len(factory.created) == 2


def test_announcements_come_before_the_client_is_made(tmp_path: Path) -> None:
    order: list[str] = []

    class Ordered(AbleFactory):
        def announce(self, purpose: str) -> None:
            order.append(purpose)

        def create(self, options: object) -> ScriptedClient:
            order.append("create")
            return super().create(options)

    world_of(tmp_path, Ordered([HANG], TURN)).run()
    assert order == ["work", "create", "idle resume", "create"]


def test_a_hundred_and_more_unread_messages_do_not_block_the_client(tmp_path: Path) -> None:
    read: list[int] = []

    class Counting(ScriptedClient):
        async def receive_response(self) -> Any:
            for number in range(500):
                read.append(number)
                yield say(str(number))
            yield ResultMessage()

    world = world_of(tmp_path, ScriptedFactory(Counting([])))
    heard_at_first: list[int] = []
    callbacks = world.all_callbacks()
    callbacks.on_agent_text = lambda *_: heard_at_first.append(len(read))
    world.callbacks = callbacks
    assert world.run().success
    assert heard_at_first[0] == 500
