"""A stream that gives up when the agent is silent for too long, unless a tool is still running."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_mala.session.stream import IdleTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["IdleTimeoutError", "IdleTimeoutStream", "idle_seconds"]

T = TypeVar("T")


def idle_seconds(configured: float | None, timeout_seconds: float) -> float | None:
    """The idle timeout: as configured, else a fifth of the session's time between 5 and 15 minutes; 0 or less is off.

    >>> idle_seconds(None, 3000), idle_seconds(0, 3000), idle_seconds(42.5, 3000)
    (600.0, None, 42.5)
    """
    seconds = min(900.0, max(300.0, timeout_seconds * 0.2)) if configured is None else configured
    return seconds if seconds > 0 else None


class IdleTimeoutStream(Generic[T]):
    """The messages of `stream`; `IdleTimeoutError` when none comes within `timeout_seconds` while no tool is pending.

    Whether a tool is pending is asked anew for each message, of the live set `pending_tool_ids`. None switches it off,
    0 gives up at once. An async generator is at its end after that; the runner's inbox can be read on.
    """

    def __init__(self, stream: AsyncIterator[T], timeout_seconds: float | None, pending_tool_ids: set[str]) -> None:
        self._stream = stream
        self._timeout = timeout_seconds
        self._pending = pending_tool_ids

    def __aiter__(self) -> IdleTimeoutStream[T]:
        return self

    async def __anext__(self) -> T:
        if self._timeout is None:
            return await anext(self._stream)
        limit = None if self._pending else self._timeout
        try:
            if limit is not None and limit <= 0:
                raise TimeoutError
            async with asyncio.timeout(limit):
                return await anext(self._stream)
        except TimeoutError as error:
            raise IdleTimeoutError(f"Agent idle for {self._timeout:.0f} seconds") from error
