"""Playing a take to an application that knows nothing of us: in its own time, with connections side by side.

Its connections may be opened in another order than when they were recorded; each is known by its options, a
`query()` also by its prompt, and only then by its turn.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import UsageError
from pytest_mala.transport.play import Player
from pytest_mala.transport.standstill import is_still, is_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.transport.replay import ReplayTransport
    from pytest_mala.transport.takes import ConnectionScript, Step

__all__ = ["PURPOSE", "ApplicationPlayer", "is_of_application"]

PURPOSE: Final = "application"
"""Why a connection was opened, in the cassette of an application; sessions on issues have other purposes."""

LOOK_SECONDS: Final = 0.05
"""How often a connection that waits for the application looks whether anything can still happen."""


class ApplicationPlayer(Player):
    """A take that is played as fast as the application takes it, unless a virtual clock runs on its loop.

    Frames that it left unread when it closed a connection are told, but no divergence: how far the SDK has read ahead
    is a matter of chance.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timers: set[asyncio.TimerHandle] = set()
        self._threads = frozenset(threading.enumerate())

    may_be_unread = True

    @property
    def has_gaps(self) -> bool:  # type: ignore[override] # it may change from one wait to the next
        """Recorded gaps are only waited for where that costs no time."""
        return is_virtual(asyncio.get_running_loop())

    def left_unread(self, script: ConnectionScript, unread: Sequence[Step]) -> None:
        """A remark for the summary."""
        count = "1 recorded frame" if len(unread) == 1 else f"{len(unread)} recorded frames"
        first = f"the first of them frame {unread[0].index} of turn {unread[0].turn}"
        self.notes.append(f"connection {script.number}: the application closed it before {count}, {first}")

    async def wait(self, waiting: ReplayTransport, changed: asyncio.Event) -> None:
        """Wait until something changes. Where nothing can, the application waits for what never comes: a divergence."""
        loop = asyncio.get_running_loop()
        if is_virtual(loop):
            await changed.wait()
            return
        timer = loop.call_later(LOOK_SECONDS, waiting.wake)
        self._timers.add(timer)
        try:
            await changed.wait()
        finally:
            timer.cancel()
            self._timers.discard(timer)
        if loop.time() >= timer.when() and not waiting.is_closed and is_still(loop, self._timers, self._threads):
            waiting.diverge(f"the application waits, and nothing more can happen: {self.describe()}")

    def describe(self) -> str:
        """What the open connections wait for."""
        waiting = [one.describe() for one in self.opened if not one.is_closed]
        return "; ".join(waiting) or super().describe()

    def next_script(self, options: str, prompt: str | None) -> ConnectionScript | None:
        """The recorded connection that this one is: of those not yet opened the first with equal options, and if
        possible an equal first prompt; else the next one.
        """
        _must_be_asyncio()
        left = self.left
        same = [one for one in left if self.matching.options(one.options, options) is None]
        asked = [one for one in same if prompt is not None and self.matching.is_first_prompt(one, prompt)]
        return next(iter([*asked, *same, *left]), None)


def is_of_application(connections: tuple[ConnectionScript, ...]) -> bool:
    """Whether the take is one of an application and not of a session on an issue."""
    return bool(connections) and all(one.purpose == PURPOSE for one in connections)


def _must_be_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        what = "the application runs the SDK on another event loop than asyncio's (trio?): run it on asyncio"
        raise UsageError(f"mala_cassette: {what}, replay knows no other") from None
