"""The wire to a CLI that takes up a session in the middle of a connection: it is initialized by us, for the client
believes that it has done so (transport/tail.py).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.kept import CannotGoOnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pytest_mala.transport.hooks import HookIds
    from pytest_mala.transport.record import WireTransport

__all__ = ["ResumedWire"]


class ResumedWire:
    """A transport around the one to the CLI: `greet` it while somebody reads `greeting`, then use it like any other.

    `initialize` is the request that the client made; the CLI is sent the same. Ids of hooks are the recorded ones in
    what is read here; `as_live` gives a frame those of this run.
    """

    def __init__(self, inner: WireTransport, initialize: Mapping[str, Any], hooks: HookIds) -> None:
        self._inner = inner
        self._initialize = initialize
        self._hooks = hooks
        self._frames: AsyncIterator[dict[str, Any]] | None = None
        self._started = asyncio.Event()
        self._greeted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._owed: set[str] = set()

    async def greet(self) -> str:
        """Start the CLI and initialize it; the answer is its version. Raises CannotGoOnError if it can't go on with the
        session.
        """
        try:
            await self._inner.connect()
            await self._inner.write(json.dumps(self._initialize) + "\n")
        except Exception as error:
            self._refuse(error)
        else:
            self._frames = self._inner.read_messages()
        finally:
            self._started.set()
        return await self._greeted

    async def greeting(self) -> AsyncIterator[dict[str, Any]]:
        """What the CLI has to say before it answers: it may ask MCP servers of the client's process."""
        await self._started.wait()
        try:
            async for frame in self._frames or _nothing():
                if self._is_answer(frame):
                    self._take(frame["response"])
                    break
                if frame.get("type") == "result":
                    said = frame.get("errors") or frame.get("result") or frame.get("subtype")
                    self._refuse(" ".join(said) if isinstance(said, list) else said)
                    break
                if frame.get("type") == "control_request":
                    self._owed.add(frame["request_id"])
                yield self.as_live(self._recorded(frame))
        except Exception as error:
            self._refuse(error)
        self._refuse("it ended")
        if refused := self._greeted.exception():
            raise refused

    def _is_answer(self, frame: Mapping[str, Any]) -> bool:
        wanted = self._initialize["request_id"]
        return frame.get("type") == "control_response" and frame["response"].get("request_id") == wanted

    def _take(self, response: Mapping[str, Any]) -> None:
        if response.get("subtype") == "error":
            self._refuse(response.get("error"))
        elif not self._greeted.done():
            said = response.get("response")
            self._greeted.set_result(str(said.get("claude_code_version", "")) if isinstance(said, dict) else "")

    def _refuse(self, why: object) -> None:
        if not self._greeted.done():
            self._greeted.set_exception(CannotGoOnError(f"the CLI could not take up the session: {why}"))
            self._greeted.exception()  # whoever waits for it may have been cancelled

    def owes(self, frame: Mapping[str, Any]) -> bool:
        """Whether this answers a request that came before the CLI was initialized; such a one is not recorded."""
        asked = frame.get("response", {}).get("request_id") if frame.get("type") == "control_response" else None
        is_owed = asked in self._owed
        self._owed.discard(str(asked))
        return is_owed

    def as_live(self, frame: dict[str, Any]) -> dict[str, Any]:
        """The frame as this run's client understands it."""
        return _with_callback(frame, self._hooks.live)

    def _recorded(self, frame: dict[str, Any]) -> dict[str, Any]:
        return _with_callback(frame, self._hooks.recorded)

    async def connect(self) -> None:
        """It was connected by `greet`."""

    async def write(self, data: str) -> None:
        """Send lines to the CLI."""
        await self._inner.write(data)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """What the CLI says after its greeting."""
        async for frame in self._frames or _nothing():
            yield self._recorded(frame)

    async def close(self) -> None:
        """Let the CLI end."""
        await self._inner.close()

    def is_ready(self) -> bool:
        """Whether the CLI can be written to."""
        return self._inner.is_ready()

    async def end_input(self) -> None:
        """Nothing more will be written."""
        await self._inner.end_input()

    def terminate(self) -> None:
        """End the CLI at once."""
        terminate = getattr(self._inner, "terminate", None)
        if terminate is not None:
            terminate()


def _with_callback(frame: dict[str, Any], named: Any) -> dict[str, Any]:
    request = frame.get("request")
    if not isinstance(request, dict) or request.get("subtype") != "hook_callback":
        return frame
    return {**frame, "request": {**request, "callback_id": named(request["callback_id"])}}


async def _nothing() -> AsyncIterator[dict[str, Any]]:
    """The CLI never started."""
    nothing: tuple[dict[str, Any], ...] = ()
    for frame in nothing:
        yield frame
