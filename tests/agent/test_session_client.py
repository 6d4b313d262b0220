"""The client of a session: its options, the end of its turns, and what goes wrong around them."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.agent.client import ControlTimeoutError, SDKClients
from pytest_mala.clock import VirtualClock
from pytest_mala.errors import Divergence, WorkspaceError
from pytest_mala.transport.live import CLITransport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio


RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "duration_ms": 1,
    "duration_api_ms": 1,
    "num_turns": 1,
    "session_id": "s",
}


def state(what: str) -> dict[str, Any]:
    return {"type": "system", "subtype": "session_state_changed", "state": what, "session_id": "s", "uuid": "u"}


class Wire:
    """A transport that answers nothing."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Any] = asyncio.Queue()

    async def connect(self) -> None:
        pass

    async def write(self, data: str) -> None:
        self.asked.put_nowait(json.loads(data))

    async def read_messages(self) -> Any:
        for message in ():
            yield message

    async def close(self) -> None:
        pass

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        pass


class Speaking(Wire):
    """One that answers the first request and says these frames, and then nothing more."""

    def __init__(self, *frames: dict[str, Any]) -> None:
        super().__init__()
        self.frames = frames

    async def read_messages(self) -> Any:
        request = await self.asked.get()
        answer = {"subtype": "success", "request_id": request["request_id"], "response": {}}
        for frame in ({"type": "control_response", "response": answer}, *self.frames):
            yield frame
        await asyncio.Event().wait()


class Tape:
    """Counts the turns that ended."""

    def __init__(self, wire: Wire, error: Exception | None = None) -> None:
        self.wire, self.error, self.ended = wire, error, 0

    def connection(self, purpose: str, options: Any) -> Any:
        return self.wire

    def decide(self, what: str) -> None:
        pass

    def turn_ended(self) -> None:
        self.ended += 1
        if self.error is not None:
            raise self.error


def client(tape: Tape) -> Any:
    clients = SDKClients(tape, settings={}, overrides={})
    return clients.create(clients.create_options(cwd="/"))


async def test_a_tree_that_can_not_be_taken_is_no_outcome_of_the_session() -> None:
    tape = Tape(Wire(), OSError("disk full"))
    with pytest.raises(WorkspaceError) as caught:
        await client(tape).__aexit__(None, None, None)
    assert str(caught.value) == ("the tree at the end of a turn could not be captured or restored: OSError: disk full")


async def test_a_divergence_at_a_turn_s_end_stays_what_it_is() -> None:
    error = Divergence("turn 1 left no recorded tree")
    tape = Tape(Wire(), error)
    with pytest.raises(Divergence) as caught:
        await client(tape).__aexit__(None, None, None)
    assert caught.value is error


async def test_a_turn_has_ended_although_the_connection_can_not_be_closed() -> None:
    class Stuck(Speaking):
        async def close(self) -> None:
            raise OSError("can't close")

    tape = Tape(Stuck())
    made = client(tape)
    with pytest.raises(OSError, match=r"^can't close$"):
        async with made:
            pass
    assert tape.ended == 1
    made._client._query.close_receive_stream()  # which the SDK leaves open then


async def test_a_control_request_without_an_answer_is_told_in_words() -> None:
    class Silent(Wire):
        async def read_messages(self) -> Any:
            await asyncio.Event().wait()
            yield {}

    with VirtualClock(datetime(2026, 1, 1, tzinfo=UTC), frozen=False), pytest.raises(ControlTimeoutError) as caught:
        await client(Tape(Silent())).__aenter__()
    assert str(caught.value) == "the CLI did not answer the control request initialize within 60 s"


def options(settings: dict[str, Any] | None = None, overrides: dict[str, Any] | None = None, **asked: Any) -> Any:
    return SDKClients(Tape(Wire()), settings=settings or {}, overrides=overrides or {}).create_options(**asked)


class TestOptions:
    async def test_what_is_asked_for_unless_somebody_says_otherwise(self) -> None:
        from claude_agent_sdk import ClaudeAgentOptions

        assert options(cwd="/ws", env={"SECRET": "x"}) == ClaudeAgentOptions(
            cwd="/ws",
            permission_mode="bypassPermissions",
            model="opus",
            system_prompt={"type": "preset", "preset": "claude_code"},
            setting_sources=["project"],
            max_buffer_size=64 * 1024 * 1024,
        )

    async def test_a_line_longer_than_the_sdk_s_own_limit_can_be_read(self, tmp_path: Path) -> None:
        """A mebibyte is its default, and a longer line kills its reader for good (sdk.md 1.2)."""
        program = tmp_path / "cli"
        program.write_text(f"#!{sys.executable} -IS\nprint('{{\"type\": \"' + 'x' * 3_000_000 + '\"}}')\n")
        program.chmod(0o700)
        cli = CLITransport(options({"cli_path": program}, cwd=str(tmp_path)))
        await cli.connect()
        try:
            assert [len(frame["type"]) async for frame in cli.read_messages()] == [3_000_000]
        finally:
            await cli.close()

    async def test_the_issue_beats_the_runner(self) -> None:
        made = options({"model": "sonnet", "max_turns": 3}, cwd="/", model="haiku")
        assert (made.model, made.max_turns) == ("sonnet", 3)

    async def test_overrides_beat_the_issue_and_the_runner(self) -> None:
        made = options({"model": "sonnet", "max_turns": 3}, {"model": "opus", "cwd": "/there"}, cwd="/", model="haiku")
        assert (made.model, made.max_turns, made.cwd) == ("opus", 3, "/there")

    async def test_an_empty_list_of_setting_sources_stays_empty(self) -> None:
        assert options(cwd="/", setting_sources=[]).setting_sources == []

    async def test_a_session_to_resume_is_the_only_change(self) -> None:
        clients = SDKClients(Tape(Wire()), settings={}, overrides={})
        made = options(cwd="/ws")
        resumed: Any = clients.with_resume(made, "abc")
        assert (made.resume, resumed.resume, resumed.cwd) == (None, "abc", "/ws")


class TestTheEndOfATurn:
    """A CLI that reports its state ends a turn with `idle` (more in tests/transport/test_turns.py)."""

    async def seen(self, *frames: dict[str, Any]) -> list[str]:
        """What the client reads of a CLI that says this, and then nothing more."""

        wire, seen = Speaking(*frames), []
        with VirtualClock(datetime(2026, 1, 1, tzinfo=UTC), frozen=False):
            async with client(Tape(wire)) as it, asyncio.timeout(60):
                async for message in it.receive_response():
                    seen.append(type(message).__name__)  # noqa: PERF401 - what was seen before the limit counts
        return seen

    async def test_idle_behind_the_result(self) -> None:
        assert await self.seen(state("running"), RESULT, state("running"), state("idle"), RESULT) == [
            "SystemMessage",
            "ResultMessage",
            "SystemMessage",
            "SystemMessage",
        ]

    async def test_idle_before_the_result(self) -> None:
        assert await self.seen(state("idle"), RESULT, RESULT) == ["SystemMessage", "ResultMessage"]

    async def test_the_result_where_no_state_is_reported(self) -> None:
        assert await self.seen(RESULT, state("idle")) == ["ResultMessage"]

    async def test_an_error(self) -> None:
        assert await self.seen(state("running"), {**RESULT, "is_error": True}, state("idle")) == [
            "SystemMessage",
            "ResultMessage",
        ]

    async def test_a_result_whose_idle_never_comes_does_not_end_it(self) -> None:
        with pytest.raises(TimeoutError):
            await self.seen(state("running"), RESULT)
