"""A recorded connection written by hand, and the real SDK client on it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.names import Names
from pytest_mala.transport.play import Player
from pytest_mala.transport.takes import TakeScript, interactions, read_take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

SESSION = "00000000-0000-4000-8000-000000000001"
BY_NAME = "  compared by name: the folders, ids and secrets that this run knows; everything else word by word"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        self.heard.append(("connection", number, purpose, resumed))

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        self.heard.append((direction, frame.get("type"), frame.get("subtype")))

    def decision(self, what: str) -> None:
        self.heard.append(("decision", what))


class Tape:
    """Writes the journal of a take, entry by entry, as a recorder would."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.at = 0.0
        self.c = 0

    def add(self, kind: str, *, after: float = 0.0, **entry: Any) -> Tape:
        self.at += after
        self.entries.append({"k": kind, "t": self.at, **entry})
        return self

    def connect(self, purpose: str = "work", body: str = "", hooks: Mapping[str, Any] | None = None) -> Tape:
        self.c += 1
        self.add("connect", c=self.c, purpose=purpose, body=body)
        request = {"subtype": "initialize", "hooks": hooks}
        self.send({"type": "control_request", "request_id": f"req_{self.c}", "request": request})
        answer = {"subtype": "success", "request_id": f"req_{self.c}", "response": {"commands": []}}
        return self.recv({"type": "control_response", "response": answer}, after=0.3)

    def send(self, frame: Mapping[str, Any], after: float = 0.0) -> Tape:
        return self.add("send", after=after, c=self.c, m=frame)

    def recv(self, frame: Mapping[str, Any], after: float = 0.0) -> Tape:
        return self.add("recv", after=after, c=self.c, m=frame)

    def prompt(self, text: str, session: str = "default", after: float = 0.0) -> Tape:
        message = {"role": "user", "content": text}
        return self.send(
            {"type": "user", "message": message, "parent_tool_use_id": None, "session_id": session}, after=after
        )

    def init(self, after: float = 0.0) -> Tape:
        return self.recv({"type": "system", "subtype": "init", "session_id": SESSION, "uuid": "u1"}, after=after)

    def text(self, text: str, after: float = 0.0) -> Tape:
        return self.assistant([{"type": "text", "text": text}], after=after)

    def assistant(self, content: list[Any], after: float = 0.0) -> Tape:
        message = {"id": "msg_1", "role": "assistant", "model": "m", "content": content}
        return self.recv(
            {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": SESSION, "uuid": "u2"},
            after=after,
        )

    def hook(self, number: int = 0, tool: str | None = "toolu_1", after: float = 0.0) -> Tape:
        request = {
            "subtype": "hook_callback",
            "callback_id": f"hook_{number}",
            "input": {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}},
            "tool_use_id": tool,
        }
        return self.recv(
            {"type": "control_request", "request_id": f"cli-{len(self.entries)}", "request": request}, after=after
        )

    def answer(self, response: Mapping[str, Any], after: float = 0.0) -> Tape:
        asked = next(
            one["m"]["request_id"] for one in reversed(self.entries) if one["m"].get("type") == "control_request"
        )
        body = {"subtype": "success", "request_id": asked, "response": response}
        return self.send({"type": "control_response", "response": body}, after=after)

    def result(self, text: str = "done", after: float = 0.0, **more: Any) -> Tape:
        frame = {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "duration_ms": 1,
            "duration_api_ms": 1,
            "num_turns": 1,
            "session_id": SESSION,
            "result": text,
            "uuid": "u3",
            **more,
        }
        return self.recv(frame, after=after)

    def end(self, how: str = "closed", **more: Any) -> Tape:
        return self.add("end", c=self.c, how=how, **more)

    def script(self) -> TakeScript:
        made = interactions(self.entries, issue="x-1", take=1, canonical=lambda value, connection: value)
        return read_take(made)


class Play:
    """A player of a tape, under a virtual clock, and the SDK clients on it."""

    def __init__(self, tape: Tape, names: Mapping[str, str] | None = None) -> None:
        self.listener = Listener()
        self.trees: list[str] = []
        self.turns: list[int] = []
        self.player = Player(
            tape.script(),
            Names(names or {}),
            self.listener,
            switch_tree=self.trees.append,
            restore_turn=self.turns.append,
            where="cassettes/x-1.yaml",
            remedy="record it with: RECORD",
        )

    @asynccontextmanager
    async def client(
        self, purpose: str = "work", hooks: Mapping[str, list[Callable[..., Any]]] | None = None
    ) -> AsyncIterator[Any]:
        from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, HookMatcher

        given = {event: [HookMatcher(hooks=[one]) for one in each] for event, each in (hooks or {}).items()}
        options = ClaudeAgentOptions(hooks=given or None)  # type: ignore[arg-type]
        transport = self.player.connection(purpose, object())
        async with ClaudeSDKClient(options, transport=transport) as client:
            yield client


def names_of(messages: list[Any]) -> list[str]:
    return [type(message).__name__ for message in messages]


async def turn(client: Any, prompt: str) -> list[Any]:
    await client.query(prompt)
    return [message async for message in client.receive_response()]
