"""Whether anything can still happen on an event loop: a replay in real time must not wait for ever (design D3)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pytest_mala.clock import VirtualClock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

__all__ = ["is_still", "is_virtual"]

_OWN_SOCKETS = 1  # by which a loop wakes itself


def is_virtual(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a `VirtualClock` runs on the loop; it notices by itself that nothing can happen any more."""
    return isinstance(getattr(loop.time, "__self__", None), VirtualClock)


def is_still(loop: Any, timers: Collection[asyncio.TimerHandle], threads_before: Collection[threading.Thread]) -> bool:
    """Whether nothing is ready, scheduled or awaited from outside: no timer but ours (`timers`), no socket, pipe or
    child, no thread that was not there before. False for a loop that does not tell.
    """
    ready, scheduled = getattr(loop, "_ready", None), getattr(loop, "_scheduled", None)
    selector = getattr(loop, "_selector", None)
    if ready is None or scheduled is None or selector is None or ready:
        return False
    if any(not one.cancelled() and one not in timers for one in scheduled):
        return False
    return len(selector.get_map()) <= _OWN_SOCKETS and all(one in threads_before for one in threading.enumerate())
