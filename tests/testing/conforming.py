"""Transports whose other end plays an exchange: one in memory that keeps every rule, and one to a program."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_mala.testing.conformance import Exchange, PeerError, play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def sdk_error(text: str) -> Exception:
    from claude_agent_sdk import CLIConnectionError

    return CLIConnectionError(text)


class MemoryTransport:
    """The reference: the other end is a task of the same loop."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.peer: asyncio.Task[None] | None = None
        self.is_input_ended = False
        self.is_closed = False

    async def connect(self) -> None:
        if self.exchange.is_refused:
            raise sdk_error("nobody is there")
        self.peer = asyncio.create_task(self._play())

    async def _play(self) -> None:
        try:
            if await play(self.exchange, say=self.said.put, hear=self.heard.get):
                await self.said.put(None)
        except PeerError as error:
            await self.said.put(error)
        while self.exchange.is_stubborn:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    async def write(self, data: str) -> None:
        if not self.is_ready() or self.is_input_ended:
            raise sdk_error("not ready for writing")
        for line in data.splitlines():
            await self.heard.put(json.loads(line))

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        if self.peer is None:
            raise sdk_error("not connected")
        while not self.is_closed:
            said = await self.said.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                return
            yield said

    async def close(self) -> None:
        self.is_closed = True
        if self.peer is not None:
            self.exchange = Exchange()  # even a stubborn peer of a memory has an end
            self.peer.cancel()
            with suppress(asyncio.CancelledError):
                await self.peer
        self.said.put_nowait(None)

    def is_ready(self) -> bool:
        return self.peer is not None and not self.is_closed

    async def end_input(self) -> None:
        if not self.is_input_ended:
            self.is_input_ended = True
            await self.heard.put(None)


PROGRAM = """\
#!{python} -IS
import json, signal, sys, time

exchange = json.loads({exchange!r})
for kind, step in exchange["steps"]:
    if kind == "Says":
        sys.stdout.buffer.write(json.dumps(step["frame"], ensure_ascii=False).encode() + b"\\n")
        sys.stdout.flush()
    elif kind == "Ends":
        sys.exit(int(step["is_error"]))
    else:
        line = sys.stdin.buffer.readline()
        expected = step.get("frame")
        if (json.loads(line) if line else None) != expected:
            sys.exit(f"expected {{expected}}, got {{line[:200]}}")
if exchange["is_stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)
sys.stdin.buffer.read()
"""


def program(folder: Path, exchange: Exchange) -> Path:
    """A program in the place of the CLI that plays the exchange on its standard streams."""
    path = folder / f"cli-{len([*folder.glob('cli-*')])}"
    if exchange.is_refused:
        return path
    steps = [(type(step).__name__, asdict(step)) for step in exchange.steps]
    text = json.dumps({"steps": steps, "is_stubborn": exchange.is_stubborn})
    path.write_text(PROGRAM.format(python=sys.executable, exchange=text), encoding="utf-8")
    path.chmod(0o755)
    return path
