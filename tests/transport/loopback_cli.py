"""The CLI's side of the wire, in memory: a script that reads what the SDK writes and says what the CLI would."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

SESSION = "519b86dd-f7df-4e4b-96ba-fe5e52cbc6a5"


class LoopbackCLI:
    """The SDK's six-method transport to a script of the CLI's; the stream ends where the script does."""

    def __init__(self, script: Callable[[LoopbackCLI], Coroutine[Any, Any, None]]) -> None:
        self._script = script
        self._said: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self._script(self)
        self._said.put_nowait(None)

    async def write(self, data: str) -> None:
        for line in data.splitlines():
            frame = json.loads(line)
            if frame["type"] == "control_response":
                self._answers.pop(frame["response"]["request_id"]).set_result(frame)
            else:
                self._heard.put_nowait(frame)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (frame := await self._said.get()) is not None:
            yield frame

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._said.put_nowait(None)

    def is_ready(self) -> bool:
        return self._task is not None

    async def end_input(self) -> None:
        pass

    # what a script says

    async def hear(self) -> dict[str, Any]:
        """The next prompt or control request."""
        return await self._heard.get()

    def say(self, **frame: Any) -> None:
        self._said.put_nowait(frame)

    async def answer_next(self, response: Mapping[str, Any]) -> None:
        """Answer the control request that comes next."""
        asked = await self.hear()
        answer = {"subtype": "success", "request_id": asked["request_id"], "response": response}
        self.say(type="control_response", response=answer)

    async def ask(self, number: int, **request: Any) -> dict[str, Any]:
        """Ask the SDK something, and wait for its answer."""
        request_id = f"327651f8-0000-4000-8000-{number:012d}"
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        self.say(type="control_request", request_id=request_id, request=request)
        return await answer

    def text(self, text: str, number: int) -> None:
        self.assistant([{"type": "text", "text": text}], number)

    def assistant(self, content: list[Any], number: int) -> None:
        message = {"id": f"msg_{number}", "role": "assistant", "model": "m", "content": content}
        self.say(
            type="assistant",
            message=message,
            parent_tool_use_id=None,
            session_id=SESSION,
            uuid=f"a19b86dd-0000-4000-8000-{number:012d}",
        )

    def result(self, number: int, **more: Any) -> None:
        frame = {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "duration_ms": 12,
            "duration_api_ms": 10,
            "num_turns": 1,
            "session_id": SESSION,
            "result": "done",
            "uuid": f"b19b86dd-0000-4000-8000-{number:012d}",
        }
        self.say(**frame | more)
