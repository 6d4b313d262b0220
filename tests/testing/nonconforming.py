"""One transport for each rule that breaks it, and as little else as can be."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conforming import MemoryTransport, sdk_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ReadsAList(MemoryTransport):
    async def read_messages(self) -> Any:  # type: ignore[override]
        return [frame async for frame in super().read_messages()]


class WritesUnconnected(MemoryTransport):
    async def write(self, data: str) -> None:
        if self.peer is not None:
            await super().write(data)


class AlwaysReady(MemoryTransport):
    def is_ready(self) -> bool:
        return True


class FailsOtherwise(MemoryTransport):
    async def connect(self) -> None:
        if self.exchange.is_refused:
            raise OSError("nobody is there")
        await super().connect()


class LastFirst(MemoryTransport):
    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self.said = asyncio.LifoQueue()


class OnlyAscii(MemoryTransport):
    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        async for frame in super().read_messages():
            text = json.dumps(frame, ensure_ascii=False).encode("ascii", "replace")
            yield json.loads(text)


class WholeNumbers(MemoryTransport):
    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        async for frame in super().read_messages():
            yield json.loads(json.dumps(frame), parse_float=lambda text: int(float(text)))


class CutsLongLines(MemoryTransport):
    async def write(self, data: str) -> None:
        frame = json.loads(data)
        frame["message"]["content"] = frame["message"]["content"][:65536]
        await super().write(json.dumps(frame))


class FirstLineOnly(MemoryTransport):
    async def write(self, data: str) -> None:
        await super().write(data.partition("\n")[0])


class OneAtATime(MemoryTransport):
    """A writer waits for the reader."""

    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self.lock = asyncio.Lock()

    async def write(self, data: str) -> None:
        async with self.lock:
            await super().write(data)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        reader = super().read_messages()
        while True:
            async with self.lock:
                frame = await anext(reader, None)
            if frame is None:
                return
            yield frame


class WaitsForReaders(MemoryTransport):
    async def write(self, data: str) -> None:
        if self.said.qsize() > 100:
            await asyncio.Event().wait()
        await super().write(data)


class LeavesReaders(MemoryTransport):
    async def close(self) -> None:
        await super().close()
        self.said.get_nowait()


class ClosesOnce(MemoryTransport):
    async def close(self) -> None:
        if self.is_closed:
            raise sdk_error("closed already")
        await super().close()


class ClosesTheConnected(MemoryTransport):
    async def close(self) -> None:
        assert self.peer is not None
        await super().close()


class WaitsForThePeer(MemoryTransport):
    async def close(self) -> None:
        try:
            if self.exchange.is_stubborn:
                await asyncio.Event().wait()
        finally:
            await super().close()


class WritesAnyway(MemoryTransport):
    async def write(self, data: str) -> None:
        if not self.is_closed:
            await super().write(data)


class EndsReadingToo(MemoryTransport):
    async def end_input(self) -> None:
        await super().end_input()
        self.said.put_nowait(None)


class EndsOnce(MemoryTransport):
    async def end_input(self) -> None:
        if self.is_input_ended:
            raise ValueError("I/O operation on closed file")
        await super().end_input()


class SwallowsErrors(MemoryTransport):
    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        with suppress(Exception):
            async for frame in super().read_messages():
                yield frame


class BeginsAnew(MemoryTransport):
    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self.kept: list[dict[str, Any]] = []

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        for frame in [*self.kept]:
            yield frame
        async for frame in super().read_messages():
            self.kept.append(frame)
            yield frame


class LeavesATask(MemoryTransport):
    async def connect(self) -> None:
        await super().connect()
        self.watch = asyncio.create_task(asyncio.Event().wait())


class LeavesADescriptor(MemoryTransport):
    async def connect(self) -> None:
        await super().connect()
        self.file = os.open(os.devnull, os.O_RDONLY)

    def __del__(self) -> None:
        with suppress(AttributeError):
            os.close(self.file)


BREAKS = {
    "six-methods": (ReadsAList,),
    "connect-first": (WritesUnconnected, AlwaysReady),
    "ready": (AlwaysReady,),
    "connect-refused": (FailsOtherwise, AlwaysReady),
    "in-order": (LastFirst,),
    "frames-unchanged": (OnlyAscii, WholeNumbers),
    "writes-unchanged": (CutsLongLines,),
    "several-lines": (FirstLineOnly,),
    "both-ways": (OneAtATime,),
    "unread-frames": (WaitsForReaders,),
    "close-ends-reading": (LeavesReaders,),
    "close-again": (ClosesOnce, ClosesTheConnected),
    "close-bounded": (WaitsForThePeer,),
    "write-after-close": (WritesAnyway,),
    "end-input": (EndsReadingToo, EndsOnce),
    "error-once": (SwallowsErrors,),
    "cancelled-reader": (BeginsAnew,),
    "nothing-left": (LeavesATask, LeavesADescriptor),
}
