"""The SDK's own transport, a CLI as child process, with a way to end it at once (lanes scripted and live)."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.substitute import own_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["CLITransport"]

_GRACE_SECONDS = 1.0


class CLITransport:
    """A transport that starts the CLI with these options when it is connected.

    The SDK configures a permission callback only on a transport that it made itself (sdk.md 1.1), so that is done here.
    """

    def __init__(self, options: Any) -> None:
        from claude_agent_sdk.types import _configure_can_use_tool

        self._inner = own_transport()(prompt=_no_prompt(), options=_configure_can_use_tool(options))

    async def connect(self) -> None:
        """Start the CLI."""
        await self._inner.connect()

    async def write(self, data: str) -> None:
        """Send lines to the CLI."""
        await self._inner.write(data)

    def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """What the CLI says, frame by frame."""
        return self._inner.read_messages()

    async def close(self) -> None:
        """Let the CLI end, then make it."""
        await self._inner.close()

    def is_ready(self) -> bool:
        """Whether the CLI runs and can be written to."""
        return self._inner.is_ready()

    async def end_input(self) -> None:
        """Nothing more will be written."""
        await self._inner.end_input()

    def terminate(self) -> None:
        """End the CLI's process group, if closing did not: first so that it ends its tools, then for certain (D14).

        The CLI leads a group of its own (agent/launch.py), its tools lead others; once it was closed there is nothing
        to end. Blocks until the CLI is gone, for a second at most.
        """
        process = self._inner._process  # noqa: SLF001 - the SDK has no public way to its child
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
                _wait_for_end(process.pid)


def _wait_for_end(pid: int) -> None:
    """Give a child the time to act on a signal, without reaping it: that is asyncio's part."""
    if sys.platform == "linux":  # elsewhere nobody tells
        try:
            ended = os.pidfd_open(pid)
        except OSError:
            return  # it was reaped meanwhile
        try:
            poll = select.poll()  # not select(): it can't look at a descriptor above 1,023
            poll.register(ended, select.POLLIN)
            poll.poll(_GRACE_SECONDS * 1000)
        finally:
            os.close(ended)


async def _no_prompt() -> AsyncIterator[dict[str, Any]]:
    """Prompts are written later, one by one."""
    nothing: tuple[dict[str, Any], ...] = ()
    for prompt in nothing:
        yield prompt
