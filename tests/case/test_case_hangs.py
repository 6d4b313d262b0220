"""A session that hangs under a limit of 30 minutes is told at once, with the cause in words, without any real wait.

Each hang is planted in a take or in the code around it; what runs on it is the real runner, SDK client, player and
clock. "At once" is proven by counting: no test here lets the loop sleep in a `select` for longer than no time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from case_tapes import (
    FAILED,
    JUDGED,
    PLACE,
    REMEDY,
    SESSION,
    STARTED,
    SUCCEEDED,
    Played,
    Session,
    SessionTape,
    options_with,
    play,
)

from pytest_mala.clock import Stalled
from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from case_project import Project

    Hook = Callable[..., Awaitable[dict[str, Any]]]

NOTHING_ELSE = "nothing else could have happened: "
WORK = f"{PLACE}: connection 1 (work), turn 1, frame"


@pytest.fixture
def tape() -> SessionTape:
    return SessionTape()


def no_real_wait(played: Played) -> Played:
    """Nothing was waited for in real time, and nothing goes on after the end."""
    assert played.real_waits == []
    assert played.tasks_left == []
    return played


def ended(played: Played, reason: EndReason, seconds: float) -> str:
    """Why it ended, for this reason, after so many virtual seconds."""
    assert played.error is None, played.told
    result = no_real_wait(played).result
    assert result.outcome is reason
    assert result.virtual_seconds == pytest.approx(seconds, abs=0.5)
    return str(result.why)


def diverged(played: Played) -> str:
    assert isinstance(no_real_wait(played).error, Divergence), played
    return played.told


async def never(*_: object) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


def hooks(*each: Hook) -> dict[str, Any]:
    """Options that register these hooks for every tool."""
    from claude_agent_sdk import HookMatcher

    return {"hooks": {"PreToolUse": [HookMatcher(hooks=list(each))]}}  # type: ignore[arg-type]


def registered(count: int = 1) -> dict[str, Any]:
    """The same, as the CLI is told."""
    return {"PreToolUse": [{"matcher": None, "hookCallbackIds": [f"hook_{number}" for number in range(count)]}]}


# The agent is silent, as it was when it was recorded


def test_a_tool_that_never_ends_is_cut_off_by_the_session_s_limit(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().tool_use("toolu_7").decided("timeout").interrupt().over().failed()
    assert ended(play(tmp_path, tape), EndReason.TIMEOUT, 1800) == (
        f"Timeout after 30 minutes: {NOTHING_ELSE}waiting for a frame after `tool_use Bash (toolu_7)`; "
        "idle timer off, tools pending: Bash (toolu_7) (state PROCESSING, turn 1); "
        "the recording waits for the session to decide 'timeout'"
    )


def test_of_two_tools_only_the_one_without_a_result_is_pending(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().tool_use("toolu_1", "Read").tool_use("toolu_2").tool_result("toolu_1")
    tape.decided("timeout").interrupt().over().failed()
    assert ended(play(tmp_path, tape), EndReason.TIMEOUT, 1800) == (
        f"Timeout after 30 minutes: {NOTHING_ELSE}waiting for a frame after `tool_result Read (toolu_1)`; "
        "idle timer off, tools pending: Bash (toolu_2) (state PROCESSING, turn 1); "
        "the recording waits for the session to decide 'timeout'"
    )


def test_an_agent_that_says_no_more_is_idle(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("let me think", after=1).decided("idle").interrupt().over().failed()
    assert ended(play(tmp_path, tape), EndReason.IDLE, 361) == (
        "Agent idle: all 0 retries used (Agent idle for 360 seconds): "
        f"{NOTHING_ELSE}waiting for a frame after `text`; idle timer on (360 s) (state PROCESSING, turn 1); "
        "the recording waits for the session to decide 'idle'"
    )


def test_one_that_is_silent_again_after_each_retry(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("hm", after=1).decided("idle").interrupt().over(1)
    tape.connect("idle resume", options_with(resume=f'"{SESSION}"')).prompt("go on", SESSION)
    tape.decided("idle").interrupt(answered=False).over(2).failed()
    assert ended(play(tmp_path, tape, limits="{idle: 20s, idle_retries: 1}"), EndReason.IDLE, 52) == (
        "Agent idle: all 1 retries used (Agent idle for 20 seconds): "
        f"{NOTHING_ELSE}waiting for a frame after the prompt; idle timer on (20 s) (state PROCESSING, turn 1); "
        "the recording waits for the session to decide 'idle'"
    )


def test_an_interrupt_that_is_never_answered_costs_its_bound_and_no_more(tape: SessionTape, tmp_path: Path) -> None:
    """5 s for the answer and 5 s for the turn to end, both virtual."""
    tape.first_turn().text("hm", after=1).decided("idle").interrupt(answered=False).over().failed()
    assert "waiting for a frame after `text`" in ended(play(tmp_path, tape), EndReason.IDLE, 361 + 10)


def test_a_cli_that_never_answers_initialize(tape: SessionTape, tmp_path: Path) -> None:
    tape.unanswered_connect().end()
    tape.failed()
    why = "the CLI did not answer the control request initialize within 60 s"
    assert ended(play(tmp_path, tape), EndReason.AGENT_ERROR, 60) == why


def test_a_session_whose_time_is_up_before_it_is_connected(tape: SessionTape, tmp_path: Path) -> None:
    """Here the decision comes after the end of the connection: it is left before anybody asks why."""
    tape.unanswered_connect().end().add("decide", c=1, what="timeout")
    tape.failed()
    assert ended(play(tmp_path, tape, limits="{timeout: 30s}"), EndReason.TIMEOUT, 30) == (
        f"Timeout after 30 seconds: {NOTHING_ELSE}connecting (state PROCESSING, turn 1); "
        "the recording waits for the session to decide 'timeout'"
    )


# Code of ours or of the user hangs now, and did not when the session was recorded


def test_a_hook_that_never_answers(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn(hooks=registered()).tool_use().hook().answer({}).tool_result().result().over().passed()
    hook = "the hook PreToolUse[0] for toolu_1 was not answered"
    assert diverged(play(tmp_path, tape, options=hooks(never))) == (
        f"{WORK} 8: the session decided 'timeout' here; "
        f"the recorded one waited 1,000 ms for the next frame and went on; {hook}\n"
        "  waiting for a frame after `tool_use Bash (toolu_1)`; "
        f"idle timer off, tools pending: Bash (toolu_1) (state PROCESSING, turn 1); {hook}\n"
        f"  last frame played: frame 6 (control_request hook_callback) at 1.400 s, 4 of 6\n{REMEDY}"
    )


def test_two_hooks_that_wait_for_each_other(tape: SessionTape, tmp_path: Path) -> None:
    """The first holds the lock and waits for a word of the second, which waits for the lock."""
    lock, word = asyncio.Lock(), asyncio.Event()

    async def first(*_: object) -> dict[str, Any]:
        async with lock:
            await word.wait()
        return {}

    async def second(*_: object) -> dict[str, Any]:
        async with lock:
            word.set()
        return {}

    tape.first_turn(hooks=registered(2)).tool_use("toolu_1").tool_use("toolu_2", "Read")
    tape.hook(0, "toolu_1", request_id="a").hook(1, "toolu_2", request_id="b").answered({}, "b").answered({}, "a")
    tape.tool_result("toolu_1").tool_result("toolu_2").result().over().passed()
    both = "the hook PreToolUse[0] for toolu_1 and the hook PreToolUse[1] for toolu_2 were not answered"
    assert diverged(play(tmp_path, tape, options=hooks(first, second))) == (
        f"{WORK} 11: the session decided 'timeout' here; "
        f"the recorded one waited 1,000 ms for the next frame and went on; {both}\n"
        "  waiting for a frame after `tool_use Read (toolu_2)`; idle timer off, "
        f"tools pending: Bash (toolu_1), Read (toolu_2) (state PROCESSING, turn 1); {both}\n"
        f"  last frame played: frame 9 (control_request hook_callback) at 2.400 s, 6 of 9\n{REMEDY}"
    )


def test_a_tool_of_an_mcp_server_that_never_answers(tape: SessionTape, tmp_path: Path) -> None:
    from claude_agent_sdk import create_sdk_mcp_server, tool

    @tool("slow", "never comes back", {})
    async def slow(arguments: dict[str, Any]) -> dict[str, Any]:
        return await never()

    def asked(request_id: str, **message: Any) -> None:
        request = {"subtype": "mcp_message", "server_name": "srv", "message": {"jsonrpc": "2.0", **message}}
        tape.asked(request, request_id)

    version = {"protocolVersion": "2025-06-18"}
    hello = {**version, "capabilities": {}, "clientInfo": {"name": "cli", "version": "1"}}
    server = {
        **version,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "srv", "version": "1.0.0"},
    }
    tape.first_turn(body=options_with(mcp_servers='{"srv": {"name": "srv", "type": "sdk"}}'))
    tape.tool_use(name="mcp__srv__slow")
    asked("a", id=1, method="initialize", params=hello)
    tape.answered({"mcp_response": {"jsonrpc": "2.0", "id": 1, "result": server}}, "a")
    asked("b", method="notifications/initialized")
    tape.answered({"mcp_response": {"jsonrpc": "2.0", "result": {}}}, "b")
    asked("c", id=2, method="tools/call", params={"name": "slow", "arguments": {}})
    tape.answered({"mcp_response": {"jsonrpc": "2.0", "id": 2, "result": {"content": []}}}, "c")
    tape.tool_result().result().over().passed()
    played = play(tmp_path, tape, options={"mcp_servers": {"srv": create_sdk_mcp_server("srv", tools=[slow])}})
    call = "the MCP request tools/call slow to the server srv was not answered"
    assert diverged(played) == (
        f"{WORK} 12: the session decided 'timeout' here; "
        f"the recorded one waited 1,000 ms for the next frame and went on; {call}\n"
        "  waiting for a frame after `tool_use mcp__srv__slow (toolu_1)`; "
        f"idle timer off, tools pending: mcp__srv__slow (toolu_1) (state PROCESSING, turn 1); {call}\n"
        f"  last frame played: frame 10 (control_request mcp_message) at 1.700 s, 6 of 8\n{REMEDY}"
    )


def test_a_permission_callback_that_never_answers(tape: SessionTape, tmp_path: Path) -> None:
    body = options_with(can_use_tool='"<function>"', permission_mode='"default"')
    tape.first_turn(body).tool_use()
    tape.asked({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "toolu_1"})
    tape.answered({"behavior": "allow", "updatedInput": {}}).tool_result().result().over().passed()
    asked = "the request can_use_tool for toolu_1 was not answered"
    assert diverged(play(tmp_path, tape, options={"can_use_tool": never, "permission_mode": "default"})) == (
        f"{WORK} 8: the session decided 'timeout' here; "
        f"the recorded one waited 1,000 ms for the next frame and went on; {asked}\n"
        "  waiting for a frame after `tool_use Bash (toolu_1)`; "
        f"idle timer off, tools pending: Bash (toolu_1) (state PROCESSING, turn 1); {asked}\n"
        f"  last frame played: frame 6 (control_request can_use_tool) at 1.500 s, 4 of 6\n{REMEDY}"
    )


def test_a_gate_that_waits_for_an_event_that_nobody_sets(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("x").result().over().states(STARTED, *JUDGED, FAILED)
    session = Session(tmp_path, tape, gate=never)  # type: ignore[arg-type]
    output = no_real_wait(session.play()).result
    assert (output.reason, output.success, session.elapsed) == (EndReason.TIMEOUT, False, 1800)
    assert output.summary == (
        f"Timeout after 30 minutes: {NOTHING_ELSE}waiting for the gate (state RUNNING_GATE, turn 1); "
        "the recording ends here (4 of 4 frames played)"
    )


def test_a_gate_that_hangs_where_the_recorded_one_passed(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("x").result().over().passed()
    played = no_real_wait(Session(tmp_path, tape, gate=never).play())  # type: ignore[arg-type]
    assert isinstance(played.error, Divergence)
    assert played.told == (
        f"{PLACE}: step 4: the lifecycle decided otherwise\n"
        f"  recorded: {SUCCEEDED}\n"
        f"  this run: {FAILED}, because of TimeoutError in the state RUNNING_GATE\n{REMEDY}"
    )


def test_a_gate_that_swallows_the_deadline_and_waits_on(tape: SessionTape, tmp_path: Path) -> None:
    """The one way left to hang for ever: even the session's own limit has struck and was not heard."""

    async def deaf(*_: object) -> Any:
        try:
            await never()
        except asyncio.CancelledError:
            await never()

    tape.first_turn().text("x").result().over().states(STARTED, *JUDGED, FAILED)
    played = no_real_wait(Session(tmp_path, tape, gate=deaf).play())
    assert isinstance(played.error, Stalled)
    assert played.told == (
        "stalled after 1800.000 s of virtual time: nothing is ready, scheduled or pending, so nothing can happen any "
        "more: waiting for the gate (state RUNNING_GATE, turn 1); the recording ends here (4 of 4 frames played); "
        "if a thread of yours is at work, wrap it in `with clock.hold():`"
    )


def test_a_session_log_that_never_comes(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("x").result().over().states(STARTED, JUDGED[0], FAILED)
    log = tmp_path / "else" / "where.jsonl"
    session = Session(tmp_path, tape, log=log)
    output = no_real_wait(session.play()).result
    assert output.reason is EndReason.NO_LOG
    assert session.elapsed == pytest.approx(60, abs=0.5)
    assert output.summary == f"Session log not ready in time: {log} (the file does not exist)"


def test_a_limit_that_strikes_while_the_log_is_awaited_names_it(tape: SessionTape, tmp_path: Path) -> None:
    """The log of a replay is written from the frames; an echo of a prompt is not written, and comes last here."""
    echo = {"type": "user", "message": {"role": "user", "content": "do it"}, "isReplay": True, "uuid": "u4"}
    tape.first_turn().text("x").recv({**echo, "session_id": SESSION}).result().over().passed()
    assert diverged(play(tmp_path, tape, limits="{timeout: 30s}")) == (
        f"{PLACE}: step 3: the lifecycle decided otherwise\n"
        "  recorded: RUNNING_GATE RUN_GATE\n"
        f"  this run: {FAILED}, because of TimeoutError in the state AWAITING_LOG\n{REMEDY}"
    )


@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")  # what the SDK leaves when it can't close
def test_a_connection_whose_close_never_returns(
    tape: SessionTape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Sticky:
        def __init__(self, transport: Any) -> None:
            self._transport = transport

        def __getattr__(self, name: str) -> Any:
            return getattr(self._transport, name)

        async def close(self) -> None:
            await never()

    tape.first_turn().text("x").result().over().states(STARTED, *JUDGED, SUCCEEDED)
    session = Session(tmp_path, tape, wrap=Sticky)
    with caplog.at_level(logging.WARNING, "pytest_mala.session.connection"):
        output = no_real_wait(session.play()).result
    assert (output.reason, output.summary) == (EndReason.PASSED, "done")
    assert session.elapsed == pytest.approx(10, abs=0.5)
    assert session.turns == [1]  # its tree is there for the gate all the same
    assert "the client did not finish leaving within 10 s" in caplog.messages


# The recording does not go on, or goes on otherwise


def test_a_take_that_ends_where_the_session_waits(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("hm", after=1).over().states(STARTED, FAILED)
    assert diverged(play(tmp_path, tape)) == (
        f"{WORK} 5: the session decided 'idle' here, but the recording ends here (3 of 3 frames played)\n"
        "  waiting for a frame after `text`; idle timer on (360 s) (state PROCESSING, turn 1); "
        f"the recording ends here (3 of 3 frames played)\n"
        f"  last frame played: frame 5 (assistant) at 1.400 s, 3 of 3\n{REMEDY}"
    )


def test_a_stream_that_broke_off_is_an_outcome(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().tool_use("toolu_7").over(how="eof").failed()
    why = "Agent error: the stream ended without a result, after tool_use Bash (toolu_7)"
    assert ended(play(tmp_path, tape), EndReason.AGENT_ERROR, 1) == why


def test_a_recorded_idle_decision_that_never_comes_because_idle_is_off(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().text("hm", after=1).decided("idle").interrupt().over().failed()
    assert diverged(play(tmp_path, tape, limits="{idle: off}")) == (
        f"{WORK} 5: the session decided 'timeout' here; the recorded one decided 'idle'\n"
        "  waiting for a frame after `text`; idle timer off (state PROCESSING, turn 1); "
        f"the recording waits for the session to decide 'idle'\n"
        f"  last frame played: frame 5 (assistant) at 1.400 s, 3 of 5\n{REMEDY}"
    )


def test_a_recorded_silence_that_is_longer_than_the_limit(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().tool_use().tool_result(after=7200).result().over().passed()
    assert diverged(play(tmp_path, tape)) == (
        f"{WORK} 6: the session decided 'timeout' here; "
        "the recorded one waited 7,200,000 ms for the next frame and went on\n"
        "  waiting for a frame after `tool_use Bash (toolu_1)`; "
        "idle timer off, tools pending: Bash (toolu_1) (state PROCESSING, turn 1); "
        f"the next recorded thing is a frame user (connection 1 (work), turn 1, frame 6)\n"
        f"  last frame played: frame 5 (assistant) at 1.400 s, 3 of 5\n{REMEDY}"
    )


def test_a_prompt_that_is_recorded_and_never_sent(tape: SessionTape, tmp_path: Path) -> None:
    tape.first_turn().prompt("and then?").text("x").result().over().passed()
    assert diverged(play(tmp_path, tape)) == (
        f"{PLACE}: connection 1 (work), turn 2, frame 5: the session decided 'idle' where the recording has a prompt\n"
        "  waiting for a frame after `SystemMessage`; idle timer on (360 s) (state PROCESSING, turn 1); "
        f"the next recorded thing is a prompt (connection 1 (work), turn 2, frame 5)\n"
        f"  last frame played: frame 4 (system init) at 0.400 s, 2 of 4\n{REMEDY}"
    )


# How pytest tells it


STALLS = """
import asyncio

import pytest


@pytest.fixture
def mala_case(mala_clock):
    async def run():
        mala_clock.describe = lambda: "waiting for a frame after `text`"
        with mala_clock:
            await asyncio.Event().wait()

    return run
"""


def test_pytest_tells_a_stall_as_an_error_that_xfail_does_not_take(project: Project) -> None:
    (project.root / "conftest.py").write_text(STALLS, encoding="utf-8")
    path = project.root / "issues" / "calc-1.md"
    path.write_text(path.read_text(encoding="utf-8").replace("type: bug", "type: bug\nxfail: known"), encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-1.md")
    assert done.returncode == 1, done.stdout
    assert "1 error in" in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if line.startswith("calc-1")] == [["calc-1", "ERROR"]]
    assert (
        "stalled after 0.000 s of virtual time: nothing is ready, scheduled or pending, so nothing can happen any "
        "more: waiting for a frame after `text`; if a thread of yours is at work, wrap it in `with clock.hold():`\n"
    ) in done.stdout
    assert "Traceback" not in done.stdout
