"""Cassettes of applications, written as a recorder would, and an application that knows nothing of us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import write

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "9d5ee1a4-0000-4000-8000-000000000001"

APP = '''\
import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage, query

seen = []


async def ask(prompt, **options):
    """What the agent answers to one question."""
    answer = None
    async for message in query(prompt=prompt, options=ClaudeAgentOptions(**options)):
        if isinstance(message, ResultMessage):
            answer = message.result
    return answer


async def ask_safely(prompt):
    try:
        return await ask(prompt)
    except Exception:
        return "sorry"


async def ask_badly(prompt):
    try:
        return await ask(prompt)
    except Exception as error:
        raise LookupError("no answer") from error


async def ask_twice(*prompts):
    return await asyncio.gather(*(ask(one) for one in prompts))


async def ask_client(client, prompt):
    await client.query(prompt)
    async for message in client.receive_response():
        if isinstance(message, ResultMessage):
            return message.result


async def chat(*prompts, transport=None, **options):
    async with ClaudeSDKClient(ClaudeAgentOptions(**options), transport=transport) as client:
        return [await ask_client(client, one) for one in prompts]
'''


class Tape:
    """The journal of an application's take, entry by entry; `at` a connection the calls speak of that one."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._time = 0.0
        self._count = self._current = 0

    def add(self, kind: str, after: float = 0.0, **entry: Any) -> Tape:
        self._time += after
        self.entries.append({"k": kind, "t": self._time, "c": self._current, **entry})
        return self

    def at(self, connection: int) -> Tape:
        self._current = connection
        return self

    def connect(self, body: str = "", hooks: Any = None, *, purpose: str = "application") -> Tape:
        self._count += 1
        self.at(self._count).add("connect", purpose=purpose, body=body)
        request = {"subtype": "initialize", "hooks": hooks}
        self.send({"type": "control_request", "request_id": f"req_1_{self._count:08x}", "request": request})
        answer = {"subtype": "success", "request_id": f"req_1_{self._count:08x}", "response": {"commands": []}}
        return self.recv({"type": "control_response", "response": answer}, after=0.3)

    def send(self, frame: dict[str, Any]) -> Tape:
        return self.add("send", m=frame)

    def recv(self, frame: dict[str, Any], after: float = 0.0) -> Tape:
        return self.add("recv", after, m=frame)

    def prompt(self, text: str, session: str = "") -> Tape:
        message = {"role": "user", "content": text}
        return self.send({"type": "user", "message": message, "parent_tool_use_id": None, "session_id": session})

    def text(self, text: str, after: float = 1.0) -> Tape:
        message = {"id": "msg_1", "role": "assistant", "model": "m", "content": [{"type": "text", "text": text}]}
        return self.recv({"type": "assistant", "message": message, "session_id": SESSION, "uuid": "u"}, after)

    def hook(self, answer: dict[str, Any]) -> Tape:
        given = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}}
        request = {"subtype": "hook_callback", "callback_id": "hook_0", "input": given, "tool_use_id": "toolu_1"}
        return self.asked(request, answer)

    def asked(self, request: dict[str, Any], answer: dict[str, Any]) -> Tape:
        name = f"cli-{len(self.entries)}"
        self.recv({"type": "control_request", "request_id": name, "request": request})
        body = {"subtype": "success", "request_id": name, "response": answer}
        return self.send({"type": "control_response", "response": body})

    def result(self, text: str, after: float = 1.0) -> Tape:
        frame = {"type": "result", "subtype": "success", "is_error": False, "duration_ms": 1, "duration_api_ms": 1}
        return self.recv({**frame, "num_turns": 1, "session_id": SESSION, "result": text, "uuid": "v"}, after)

    def end(self, how: str = "eof") -> Tape:
        return self.add("end", how=how)

    def answered(self, prompt: str, answer: str, **connect: Any) -> Tape:
        """One `query()`."""
        return self.connect(**connect).prompt(prompt).text(answer).result(answer).end()

    def chat(self, *turns: tuple[str, str]) -> Tape:
        """One `ClaudeSDKClient`."""
        self.connect()
        for prompt, answer in turns:
            self.prompt(prompt, "default").text(answer).result(answer)
        return self.end("closed")

    def store(self, root: Path, name: str) -> Path:
        path = root / "cassettes" / "applications" / f"{name}.yaml"
        head = TakeHead(issue=name, lane="scripted", sdk="0.2.187", start="2026-01-01T00:00:00+00:00")
        path.parent.mkdir(parents=True, exist_ok=True)
        # as a journal holds them
        write(path, assemble(head, json.loads(json.dumps(self.entries))))
        return path
