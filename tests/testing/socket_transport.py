"""A transport as somebody else might write one, over a socket: the one that docs/conformance.md speaks of."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import CLIConnectionError, ProcessError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SocketTransport:
    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._is_input_ended = False
        self._is_closed = False
        self._lock = asyncio.Lock()

    async def connect(self) -> None:
        try:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**26)
        except OSError as error:
            raise CLIConnectionError(f"nobody listens on port {self._port}") from error

    async def write(self, data: str) -> None:
        async with self._lock:
            if self._streams is None or self._is_closed or self._is_input_ended:
                raise CLIConnectionError("not ready for writing")
            self._streams[1].write(data.encode())
            await self._streams[1].drain()

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        if self._streams is None:
            raise CLIConnectionError("not connected")
        while line := await self._streams[0].readline():
            frame = json.loads(line)
            if frame["type"] == "crashed":
                raise ProcessError("the other end crashed", exit_code=1)
            yield frame

    async def close(self) -> None:
        self._is_closed = True
        if self._streams is not None:
            self._streams[0].feed_eof()
            self._streams[1].close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._streams[1].wait_closed()

    def is_ready(self) -> bool:
        return self._streams is not None and not self._is_closed

    async def end_input(self) -> None:
        if self._streams is not None and not self._is_input_ended:
            self._is_input_ended = True
            self._streams[1].write_eof()
