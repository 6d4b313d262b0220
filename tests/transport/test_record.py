"""A recording holds what went over the wire: recording a replay gives the take that it was played from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import Listener, Play, Tape, turn

from pytest_mala.transport.names import Names
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.takes import interactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio


class Entries:
    """A journal in memory."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def append(self, entry: Any, *, sync: bool = False) -> None:
        self.all.append({**entry, "synced": sync})


def recorder_into(
    journal: Entries, clock: VirtualClock, start: Callable[[Any], Any], listener: Listener | None = None
) -> Recorder:
    """A recorder of a session that leaves no trees."""
    return Recorder(
        journal,
        Names({}),
        listener or Listener(),
        clock=clock,
        start=start,
        note_tree=lambda: None,
        capture=lambda number: {},
    )


async def record(
    tape: Tape, clock: VirtualClock, *, hooks: dict[str, Any] | None = None, names: dict[str, str] | None = None
) -> Entries:
    """Play the tape as if it were the CLI, and record that."""
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, HookMatcher

    play, journal = Play(tape, names), Entries()
    trees = iter(["tree-1", None, None, None])
    recorder = Recorder(
        journal,
        Names(names or {}),
        Listener(),
        clock=clock,
        start=lambda options: play.player.connection("work", object()),
        note_tree=lambda: next(trees),
        capture=lambda number: {"head": f"head-{number}"},
    )
    given = {event: [HookMatcher(hooks=[one])] for event, one in (hooks or {}).items()}
    options = ClaudeAgentOptions(hooks=given or None)  # type: ignore[arg-type]
    with clock:
        transport = recorder.connection("work", options)
        async with ClaudeSDKClient(options, transport=transport) as client:
            await turn(client, "please")
        recorder.turn_ended()
    if play.player.script.trees:
        play.player.turn_ended()
    play.player.finish()
    return journal


def taken(entries: list[dict[str, Any]]) -> list[Any]:
    made = interactions(entries, issue="x-1", take=1, canonical=lambda value, _: value)
    return [
        (
            one.method,
            one.uri,
            one.body if one.method != "CONTROL" else "",
            [dict(item) for item in one.response.get("frames", [])],
        )
        for one in made
    ]


async def test_recording_a_replay_gives_its_take(tape: Tape, clock: VirtualClock) -> None:
    tape.connect().prompt("please").init(after=0.1).text("working", after=2).result(after=1).end()
    tape.add("turn", turn=1, data={})
    journal = await record(tape, clock)
    was, now = taken(tape.entries), taken(journal.all)
    assert [one[:3] for one in now] == [one[:3] for one in was]
    assert now[2] == was[2]


async def test_known_values_are_written_under_their_names(tape: Tape, clock: VirtualClock) -> None:
    tape.connect().prompt("please").text("wrote ${WORKSPACE}/a.py").result().end()
    journal = await record(tape, clock, names={"WORKSPACE": "/tmp/ws-1"})
    assert "/tmp/ws-1" not in str(journal.all)
    assert "wrote ${WORKSPACE}/a.py" in str(journal.all)


async def test_each_result_is_on_the_disk_before_the_session_goes_on(tape: Tape, clock: VirtualClock) -> None:
    journal = await record(tape.connect().prompt("please").text("x").result().end(), clock)
    assert [entry["m"]["type"] for entry in journal.all if entry["synced"] and entry["k"] == "recv"] == ["result"]
    assert [entry["k"] for entry in journal.all if entry["synced"]] == ["recv", "turn"]


async def test_a_tree_is_noted_before_a_tool_hook_and_only_if_it_changed(tape: Tape, clock: VirtualClock) -> None:
    hooks = {"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}
    tape.connect(hooks=hooks).prompt("please").hook().answer({}).hook(tool="toolu_2").answer({}).result().end()

    async def allow(*_: Any) -> dict[str, Any]:
        return {}

    journal = await record(tape, clock, hooks={"PreToolUse": allow})
    kinds = [entry["k"] + (":" + entry["m"]["type"] if "m" in entry else "") for entry in journal.all]
    assert kinds.count("tree") == 1
    assert kinds.index("tree") == kinds.index("recv:control_request") - 1


async def test_an_end_tells_how_it_came(tape: Tape, clock: VirtualClock) -> None:
    from claude_agent_sdk import ProcessError

    error = {"type": "ProcessError", "text": "it died"}
    tape.connect().prompt("please").end("error", error=error, exit_status=-9)
    journal = Entries()
    play = Play(tape)
    recorder = recorder_into(journal, clock, lambda options: play.player.connection("work", object()))
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

    with clock:
        with pytest.raises(ProcessError):
            async with ClaudeSDKClient(
                ClaudeAgentOptions(), transport=recorder.connection("work", ClaudeAgentOptions())
            ) as client:
                await turn(client, "please")
        await asyncio.sleep(0)
    end = journal.all[-1]
    assert (end["k"], end["how"], end["exit_status"]) == ("end", "error", -9)
    assert end["error"]["type"] == "ProcessError"
    assert end["error"]["text"].startswith("it died")


async def test_what_was_refused_was_never_sent(tape: Tape, clock: VirtualClock) -> None:
    from claude_agent_sdk import ClaudeAgentOptions, CLIConnectionError

    play, journal = Play(tape.connect().prompt("please").end()), Entries()
    recorder = recorder_into(journal, clock, lambda options: play.player.connection("work", object()))
    asked = '{"type": "user", "message": {"role": "user", "content": "please"}}\n'
    with clock:
        transport = recorder.connection("work", ClaudeAgentOptions())
        with pytest.raises(CLIConnectionError):
            await transport.write(asked)
        await transport.connect()
        await transport.end_input()
        with pytest.raises(CLIConnectionError):
            await transport.write(asked)
        await transport.close()
        with pytest.raises(CLIConnectionError):
            await transport.write(asked)
    assert [entry["k"] for entry in journal.all] == ["connect", "end"]


async def test_decisions_states_and_gates_are_entries(clock: VirtualClock) -> None:
    journal, listener = Entries(), Listener()
    recorder = recorder_into(journal, clock, lambda options: None, listener)
    recorder.base({"commit": "abc"})
    recorder.decide("idle")
    recorder.state("A B")
    recorder.gate(1, [{"name": "test"}], [5])
    assert [(entry["k"], entry["t"]) for entry in journal.all] == [
        ("turn", 0),
        ("decide", 0),
        ("state", 0),
        ("gate", 0),
    ]
    assert listener.heard == [("decision", "idle")]


async def test_a_start_that_was_given_up_is_recorded_and_plays_again(tape: Tape, clock: VirtualClock) -> None:
    """The SDK closes no transport that was never connected, so nobody else would say how the connection ended."""
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

    class Hanging:
        async def connect(self) -> None:
            await asyncio.Event().wait()

    journal = Entries()
    recorder = recorder_into(journal, clock, lambda options: Hanging())
    with clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                options = ClaudeAgentOptions()
                await ClaudeSDKClient(options, transport=recorder.connection("work", options)).connect()
        recorder.decide("timeout")
    assert [(entry["k"], entry["t"], entry.get("how", entry.get("what"))) for entry in journal.all] == [
        ("connect", 0, None),
        ("end", 30, "closed"),
        ("decide", 30, "timeout"),
    ]

    tape.entries = journal.all
    play = Play(tape)
    with clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(40), play.client():
                pass
        play.player.decide("timeout")
    play.player.finish()
