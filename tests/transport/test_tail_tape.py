"""A take with a stale prompt: played up to it, and recorded from it, with a CLI that takes up the session."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import SESSION, START, Listener, Tape

from pytest_mala.errors import Divergence, StalePrompt
from pytest_mala.transport.assemble import TakeHead, assemble, recovered
from pytest_mala.transport.kept import CannotGoOnError, Kept
from pytest_mala.transport.names import Names
from pytest_mala.transport.play import Player
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.tail import TailTape
from pytest_mala.transport.takes import kept_entry, read_take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio

HEAD = TakeHead(issue="x-1", lane="scripted", sdk="0.2.187", start=START.isoformat())
ALIAS = "00000001-0000-4000-8000-000000000001"
"""What the cassette calls the session."""
ANSWERED = {"commands": [], "claude_code_version": "2.1.330"}


class Cli:
    """The other end of a wire: it says what it was told to, after each thing that the client begins."""

    def __init__(self, greeting: list[Mapping[str, Any]], said: list[Mapping[str, Any]]) -> None:
        self._greeting = greeting
        self._said = said
        self._out: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []
        self.greeted = asyncio.Event()
        self.options: Any = None

    async def connect(self) -> None:
        self._out = asyncio.Queue()  # another start is another process

    async def write(self, data: str) -> None:
        frame = json.loads(data)
        self.heard.append(frame)
        request = frame.get("request", {})
        if request.get("subtype") == "initialize":
            self.greeted.set()
            for one in self._greeting:
                self._out.put_nowait(_answering(one, frame["request_id"]))
        elif frame["type"] == "user":
            for one in self._said:
                self._out.put_nowait(dict(one))

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (frame := await self._out.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame

    async def close(self) -> None:
        self._out.put_nowait(None)

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        pass


def _answering(frame: Mapping[str, Any] | Exception | None, request_id: str) -> Any:
    if isinstance(frame, dict) and frame.get("type") == "control_response":
        return {**frame, "response": {**frame["response"], "request_id": request_id}}
    return frame


def initialized(**more: Any) -> dict[str, Any]:
    return {"type": "control_response", "response": {"subtype": "success", "response": ANSWERED, **more}}


def said(tape: Callable[[Tape], Tape]) -> list[Mapping[str, Any]]:
    """The frames of the CLI that a tape writes down."""
    frames = [entry["m"] for entry in tape(Tape()).entries if entry["k"] == "recv"]
    return [frame | {"session_id": ALIAS} for frame in frames]


def two_turns(hooks: Mapping[str, Any] | None = None, **result: Any) -> Tape:
    tape = Tape()
    tape.connect(hooks=hooks).prompt("please").init(after=0.1).text("working", after=2)
    tape.result(after=1, total_cost_usd=0.25, **result).end().add("turn", turn=1, data={"head": "head-1"})
    tape.connect("gate retry", body=f'resume: "{SESSION}"', hooks=hooks).prompt("again", SESSION)
    tape.init(after=0.1).text("fixed", after=2).result(after=1, total_cost_usd=0.5).end()
    return tape.add("turn", turn=2, data={"head": "head-2"})


def better(tape: Tape) -> Tape:
    """What the CLI says in the new turn."""
    return tape.init().text("better").result(total_cost_usd=0.75)


class Run:
    """A session on a tape whose second lane is a CLI of this file."""

    def __init__(self, tape: Tape, cli: Cli | None = None) -> None:
        self.recorded = assemble(HEAD, tape.entries).takes[0].interactions
        self.listener = Listener()
        self.turns: list[int] = []
        self.player = Player(
            read_take(self.recorded),
            Names({}),
            self.listener,
            switch_tree=[].append,
            restore_turn=self.turns.append,
            where="cassettes/x-1.yaml",
            remedy="record it with: RECORD",
        )
        self.cli = cli or Cli([initialized()], said(better))
        self.version = ""
        self.kept: Kept | None = None
        self.entries: list[dict[str, Any]] = []
        self.tape = TailTape(self.player, self.recorded, self)

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None:
        self.entries.append(entry)

    def begin(self, kept: Kept) -> tuple[Recorder, Mapping[str, Any]]:
        self.kept = kept
        recorder = Recorder(
            self,
            Names({}),
            self.listener,
            clock=self.clock,
            start=self._start,
            note_tree=lambda: None,
            capture=lambda number: {"head": f"new head-{number}"},
        )
        recorder.take(HEAD.to_entry())
        entries = [kept_entry(one) for one in kept.interactions]
        recorder.go_on(entries, connections=kept.connection, turns=len(self.turns))
        return recorder, {"cli_path": "claude"}

    def _start(self, options: Any) -> Cli:
        self.cli.options = options
        return self.cli

    def is_resumed(self, cli: str) -> None:
        self.version = cli

    async def session(
        self,
        clock: VirtualClock,
        *prompts: str | tuple[str, ...],
        hooks: Mapping[str, Any] | None = None,
        before: asyncio.Event | None = None,
    ) -> list[str]:
        """A connection for each prompt, or for several, as the runner does it; the texts of the results."""
        from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, HookMatcher

        self.clock = clock
        given = {event: [HookMatcher(hooks=[one])] for event, one in (hooks or {}).items()}
        found = []
        with clock:
            for number, asked in enumerate(prompts):
                options = ClaudeAgentOptions(hooks=given or None, resume=ALIAS if number else None)  # type: ignore[arg-type]
                transport = self.tape.connection("gate retry" if number else "work", options)
                async with ClaudeSDKClient(options, transport=transport) as client:
                    if number and before is not None:
                        await before.wait()
                    for prompt in (asked,) if isinstance(asked, str) else asked:
                        await client.query(prompt, ALIAS if number else "default")
                        found += [str(getattr(one, "result", "")) async for one in client.receive_response()][-1:]
                self.tape.turn_ended()
        return found


async def test_what_is_fresh_is_kept_and_the_rest_is_recorded(clock: VirtualClock) -> None:
    run = Run(two_turns())
    assert await run.session(clock, "please", "once more") == ["done", "done"]
    made = assemble(HEAD, run.entries).takes[0].interactions
    places = [one.uri.removeprefix("claude-sdk://x-1/1/") for one in made]
    assert places[-4:] == ["connection/2/control/1", "connection/2/query/1", "connection/2/end", "turn/2/tree"]
    assert made[:-3] == run.recorded[:-3]
    assert made[-3].body == "once more"
    assert made[-3].headers == run.recorded[-3].headers
    assert made[-1].response == {"head": "new head-2"}
    frames = [item["cli"] for item in made[-3].response["frames"]]
    assert [frame.get("session_id") for frame in frames] == [ALIAS] * 3
    assert frames[1]["message"]["content"] == [{"type": "text", "text": "better"}]
    # what the client believed to have done was done for it, and nothing else was sent
    assert [one.get("request", {}).get("subtype", one["type"]) for one in run.cli.heard] == ["initialize", "user"]
    assert (run.cli.options.resume, run.cli.options.cli_path) == (ALIAS, "claude")
    assert (run.version, run.turns) == ("2.1.330", [1])
    assert run.kept is not None
    assert (run.kept.prompts, run.kept.cost_usd, run.kept.connection) == (1, 0.25, 2)


async def test_a_prompt_is_heard_once(clock: VirtualClock) -> None:
    """Also by those that listen: the played connection is not told of it."""
    run = Run(two_turns())
    await run.session(clock, "please", "once more")
    assert [one for one in run.listener.heard if one[:2] == ("sdk", "user")] == [("sdk", "user", None)] * 2
    assert [one for one in run.listener.heard if one[0] == "connection"] == [
        ("connection", 1, "work", None),
        ("connection", 2, "gate retry", ALIAS),
    ]


async def test_a_session_with_the_recorded_words_is_played_to_its_end(clock: VirtualClock) -> None:
    run = Run(two_turns())
    await run.session(clock, "please", "again")
    run.player.finish()
    assert (run.cli.heard, run.entries, run.turns) == ([], [], [1, 2])


async def test_connections_after_it_are_recorded_too(clock: VirtualClock) -> None:
    run = Run(two_turns())
    await run.session(clock, "please", "once more", "and again")
    made = assemble(HEAD, run.entries).takes[0].interactions
    assert [one.uri.removeprefix("claude-sdk://x-1/1/") for one in made[-5:]] == [
        "connection/3",
        "connection/3/control/1",
        "connection/3/query/1",
        "connection/3/end",
        "turn/3/tree",
    ]
    assert run.cli.options.cli_path == "claude"


async def test_a_journal_that_a_kill_leaves_holds_what_was_kept(clock: VirtualClock) -> None:
    run = Run(two_turns())
    await run.session(clock, "please", "once more")
    said_something = next(at for at, entry in enumerate(run.entries) if entry["k"] == "recv") + 1
    found = recovered(run.entries[:said_something])
    assert not found.complete
    assert found.takes[0].interactions[:-1] == run.recorded[:-3]
    assert len(found.takes[0].interactions[-1].response["frames"]) == 1


async def seen(call: Any, tool: Any, context: Any) -> dict[str, Any]:
    return {"systemMessage": call["hook_event_name"]}


async def test_hooks_that_are_registered_in_another_order_keep_their_recorded_ids(clock: VirtualClock) -> None:
    recorded = {"PreToolUse": [{"hookCallbackIds": ["hook_0"]}], "Stop": [{"hookCallbackIds": ["hook_1"]}]}
    run = Run(two_turns(hooks=recorded))
    asks = {"subtype": "hook_callback", "callback_id": "hook_0", "input": {"hook_event_name": "Stop"}}
    ask = {"type": "control_request", "request_id": "c-1", "request": asks}
    run.cli = Cli([initialized()], [*said(lambda one: one.init()), ask, *said(lambda one: one.result())])
    await run.session(clock, "please", "once more", hooks={"Stop": seen, "PreToolUse": seen})
    answers = [one["response"]["response"] for one in run.cli.heard if one["type"] == "control_response"]
    assert answers == [{"systemMessage": "Stop"}]
    (query,) = [one for one in assemble(HEAD, run.entries).takes[0].interactions if one.body == "once more"]
    frames = query.response["frames"]
    assert [item["cli"]["request"]["callback_id"] for item in frames if "request" in item.get("cli", {})] == ["hook_1"]
    assert [item["sdk"]["response"]["response"] for item in frames if "sdk" in item] == answers


async def test_what_the_cli_asks_before_it_answers_is_answered_and_not_recorded(clock: VirtualClock) -> None:
    """It opens the MCP servers of the client's process; the kept part of the recording holds that already."""
    asks = {"subtype": "hook_callback", "callback_id": "hook_0", "input": {"hook_event_name": "Setup"}}
    run = Run(two_turns(hooks={"Setup": [{"hookCallbackIds": ["hook_0"]}]}))
    ask = {"type": "control_request", "request_id": "c-1", "request": asks}
    run.cli = Cli([ask, initialized()], said(better))
    await run.session(clock, "please", "once more", hooks={"Setup": seen})
    answers = [one["response"]["request_id"] for one in run.cli.heard if one["type"] == "control_response"]
    assert answers == ["c-1"]
    assert "c-1" not in json.dumps(run.entries)


async def test_what_the_cli_asks_right_behind_its_answer_is_recorded_behind_the_prompt(clock: VirtualClock) -> None:
    asks = {"subtype": "hook_callback", "callback_id": "hook_0", "input": {"hook_event_name": "Setup"}}
    run = Run(two_turns(hooks={"Setup": [{"hookCallbackIds": ["hook_0"]}]}))
    ask = {"type": "control_request", "request_id": "c-1", "request": asks}
    run.cli = Cli([initialized(), ask], said(better))
    await run.session(clock, "please", "once more", hooks={"Setup": seen})
    made = assemble(HEAD, run.entries).takes[0].interactions
    assert made[:-3] == run.recorded[:-3]
    assert made[-3].response["frames"][0]["cli"]["request_id"] == "c-1"
    assert made[-3].response["frames"][1]["sdk"]["response"]["request_id"] == "c-1"


def asked_before_the_prompt() -> Tape:
    """A recording whose second connection asks a hook before its prompt is sent."""
    tape = two_turns(hooks={"Setup": [{"hookCallbackIds": ["hook_0"]}]})
    at = next(at for at, one in enumerate(tape.entries) if one["k"] == "send" and one["c"] == 2 and at > 8) + 2
    asks = Tape().hook(tool=None).answer({"systemMessage": "slow"}).entries
    tape.entries[at:at] = [one | {"c": 2, "t": tape.entries[at - 1]["t"]} for one in asks]
    return tape


@pytest.mark.parametrize("says", ["slow", "another"])
async def test_an_answer_to_a_recorded_question_may_come_when_we_went_on(clock: VirtualClock, says: str) -> None:
    """It is compared, and neither recorded a second time nor sent to a CLI that never asked."""
    run = Run(asked_before_the_prompt())
    asked = asyncio.Event()

    async def slow(call: Any, tool: Any, context: Any) -> dict[str, Any]:
        asked.set()
        await run.cli.greeted.wait()
        return {"systemMessage": says}

    async def session() -> None:
        await run.session(clock, "please", "once more", hooks={"Setup": slow}, before=asked)

    if says == "another":
        with pytest.raises(Divergence, match="was answered otherwise than recorded"):
            await session()
        return
    await session()
    made = assemble(HEAD, run.entries).takes[0].interactions
    assert made[:-3] == run.recorded[:-3]
    assert [one["type"] for one in run.cli.heard] == ["control_request", "user"]


REFUSALS = [
    ([{"type": "result", "subtype": "error", "errors": ["No conversation found"]}], "No conversation found"),
    ([{"type": "result", "subtype": "error_during_execution"}], "error_during_execution"),
    ([RuntimeError("exit code 1")], "exit code 1"),
    ([None], "it ended"),
    ([initialized(subtype="error", error="no hooks, please")], "no hooks, please"),
]


@pytest.mark.parametrize(("greeting", "why"), REFUSALS)
async def test_a_cli_that_does_not_take_up_the_session_is_told(
    clock: VirtualClock, greeting: list[Any], why: str
) -> None:
    run = Run(two_turns(), Cli(greeting, []))
    with pytest.raises(CannotGoOnError) as raised:
        await run.session(clock, "please", "once more")
    assert str(raised.value) == (
        f"the fresh turns can't be kept: the CLI could not take up the session: {why}; record the session whole"
    )
    assert run.version == ""


async def test_a_cli_that_does_not_start_is_told(clock: VirtualClock) -> None:
    class Missing(Cli):
        async def connect(self) -> None:
            raise FileNotFoundError("no such program")

    run = Run(two_turns(), Missing([], []))
    with pytest.raises(CannotGoOnError, match="could not take up the session: no such program; record"):
        await run.session(clock, "please", "once more")


async def test_a_changed_first_prompt_is_stale_as_ever(clock: VirtualClock) -> None:
    run = Run(two_turns())
    with pytest.raises(StalePrompt, match=r"no turn is fresh; turn 1 of 2"):
        await run.session(clock, "pretty please")


async def test_a_prompt_out_of_its_place_is_no_new_wording(clock: VirtualClock) -> None:
    run = Run(two_turns())
    with pytest.raises(Divergence, match="the prompt is not what was recorded"):
        await run.session(clock, "please", "please")
    assert run.cli.heard == []


async def test_a_later_prompt_of_a_connection_is_not_gone_on_from(clock: VirtualClock) -> None:
    tape = Tape().connect().prompt("please").init().result().prompt("and now").result().end()
    run = Run(tape.add("turn", turn=1, data={}))
    with pytest.raises(StalePrompt, match="fresh up to turn 1 of 2"):
        await run.session(clock, ("please", "and then"))
    assert run.cli.heard == []


async def test_a_session_that_came_on_another_way_is_not_gone_on_from(clock: VirtualClock) -> None:
    """Here: without the gate attempt that was recorded before."""
    tape = two_turns()
    at = next(at for at, entry in enumerate(tape.entries) if entry["k"] == "turn") + 1
    tape.entries.insert(at, {"k": "gate", "t": tape.entries[at]["t"], "attempt": 1, "rows": [], "ms": []})
    run = Run(tape)
    with pytest.raises(Divergence) as raised:
        await run.session(clock, "please", "once more")
    assert str(raised.value).splitlines()[:3] == [
        "cassettes/x-1.yaml: the session came here on another way than recorded",
        "  recorded: 1 gate attempts, 0 steps",
        "  this run: 0, 0",
    ]
