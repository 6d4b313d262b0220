"""One SDK client from connect to disconnect: a task of its own owns it, another one drains it into an unbounded inbox.

The session's task only reads the inbox and says when to leave. So cancelling the session, even twice, never cuts a
clean-up in half, and more than a hundred unread messages never block the SDK's control traffic (sdk.md 10).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError
from pytest_mala.session.abilities import ability, call, finish
from pytest_mala.session.config import DISCONNECT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pytest_mala.session.protocols import SDKClientProtocol

__all__ = ["Connection"]

logger = logging.getLogger(__name__)

INTERRUPT_TIMEOUT = 5.0
DRAIN_TIMEOUT = 5.0


class _Leaving(Enum):
    """How a connection is left."""

    AT_END = "the turn is over"
    GIVEN_UP = "the turn is given up"


class _End:
    """In the inbox after the last message: why there is no further one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Connection(AsyncIterator[object]):
    """An opened client, and the messages of its answer; whoever opened it must leave it, with `close` or `abandon`."""

    def __init__(self, client: SDKClientProtocol, prompt: str, session_id: str | None) -> None:
        self._client = client
        self._prompt = prompt
        self._session_id = session_id
        self._inbox: asyncio.Queue[object] = asyncio.Queue()
        self._leaving: asyncio.Future[_Leaving] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._drainer: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[None] | None = None
        self._harness_error: HarnessError | None = None
        self.is_connected = False

    async def open(self) -> None:
        """Connects and sends the prompt; raises what the client raises, which is then left already."""
        self._owner = asyncio.create_task(self._own(), name="session connection")
        try:
            await asyncio.shield(self._opened)
        except BaseException:
            # cancelled, or the client refused: nothing may stay open
            await self.abandon()
            raise

    async def __anext__(self) -> object:
        item = await self._inbox.get()
        if isinstance(item, _End):
            self._inbox.put_nowait(item)  # the end stays the end
            if item.error is not None:
                raise item.error
            raise StopAsyncIteration
        return item

    def decide(self, what: str) -> None:
        """A timer of the runner has decided something about this turn: the client is told at once (design D7)."""
        call(self._client, "decide", what)

    async def close(self) -> None:
        """Leaves the client after its turn has ended. Bounded; raises a `HarnessError` of the client's."""
        await self._leave(_Leaving.AT_END)

    async def abandon(self) -> list[object]:
        """Interrupts, drains, disconnects and terminates, each with its own bound; the messages that still came."""
        await self._leave(_Leaving.GIVEN_UP)
        return self._unread()

    async def _leave(self, how: _Leaving) -> None:
        if not self._leaving.done():
            self._leaving.set_result(how)
        if self._owner is None:
            return
        if not self._opened.done():
            self._owner.cancel()  # still connecting
        cancelled: asyncio.CancelledError | None = None
        while not self._owner.done():
            try:
                await asyncio.wait({self._owner})
            except asyncio.CancelledError as error:
                cancelled = error  # the owner is bounded: let it finish, then go on being cancelled
        if cancelled is not None:
            raise cancelled
        harness_error, self._harness_error = self._harness_error, None
        if harness_error is not None:
            raise harness_error

    def _unread(self) -> list[object]:
        items = []
        while not self._inbox.empty():
            item = self._inbox.get_nowait()
            if not isinstance(item, _End):
                items.append(item)
        return items

    async def _own(self) -> None:
        """The only task that enters, asks and leaves the client."""
        try:
            await self._client.__aenter__()
        except BaseException as error:  # whatever it is belongs to whoever opens the connection
            await self._terminate()
            self._refuse(error)
            return
        how = _Leaving.GIVEN_UP
        try:
            await self._ask()
            how = await self._leaving
        except BaseException as error:  # as above
            self._refuse(error)
        try:
            await self._let_go(how)
        except asyncio.CancelledError:
            # the loop is shut down while we clean up: what can be done at once is done
            call(self._client, "terminate")
            raise

    async def _ask(self) -> None:
        if self._session_id is None:
            await self._client.query(self._prompt)
        else:
            await self._client.query(self._prompt, session_id=self._session_id)
        self.is_connected = True
        self._drainer = asyncio.create_task(self._drain(), name="session drain")
        self._opened.set_result(None)

    def _refuse(self, error: BaseException) -> None:
        if self._opened.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self._opened.cancel()
        else:
            self._opened.set_exception(error)
            self._opened.exception()  # told to the opener, who may have been cancelled meanwhile

    async def _drain(self) -> None:
        stream = self._client.receive_response()
        end = _End(None)
        try:
            async for message in stream:
                self._inbox.put_nowait(message)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # it is raised where the messages are read
            end = _End(error)
        finally:
            aclose = getattr(stream, "aclose", None)
            if aclose is not None:
                await self._bounded("closing the stream", aclose, DRAIN_TIMEOUT)
            self._inbox.put_nowait(end)

    async def _let_go(self, how: _Leaving) -> None:
        """Every step is bounded, and none is skipped because another one failed."""
        if how is _Leaving.GIVEN_UP:
            if self._is_streaming() and ability(self._client, "interrupt") is not None:
                await self._bounded("interrupt", lambda: finish(call(self._client, "interrupt")), INTERRUPT_TIMEOUT)
                await self._wait_for_drain()
            await self._stop_drain()
            disconnect = getattr(self._client, "disconnect", None)
            if disconnect is not None:
                await self._bounded("disconnect", disconnect, DISCONNECT_TIMEOUT)
            await self._terminate()
        else:
            await self._wait_for_drain()
            await self._stop_drain()
        if not await self._bounded("leaving", lambda: self._client.__aexit__(None, None, None), DISCONNECT_TIMEOUT):
            await self._terminate()

    def _is_streaming(self) -> bool:
        return self._drainer is not None and not self._drainer.done()

    async def _wait_for_drain(self) -> None:
        assert self._drainer is not None  # the prompt was sent
        await asyncio.wait({self._drainer}, timeout=DRAIN_TIMEOUT)

    async def _stop_drain(self) -> None:
        if self._drainer is None:
            return
        self._drainer.cancel()
        await asyncio.wait({self._drainer}, timeout=DRAIN_TIMEOUT)

    async def _terminate(self) -> None:
        await self._bounded("terminate", lambda: finish(call(self._client, "terminate")), DISCONNECT_TIMEOUT)

    async def _bounded(self, what: str, step: Callable[[], Awaitable[Any]], seconds: float) -> bool:
        """Whether a step of the clean-up ended well within its bound; a `HarnessError` is kept for whoever leaves."""
        try:
            async with asyncio.timeout(seconds):
                await step()
        except TimeoutError:
            logger.warning("the client did not finish %s within %g s", what, seconds)
            return False
        except HarnessError as error:
            self._harness_error = self._harness_error or error
        except Exception as error:  # a client that is given up may fail in any way
            logger.debug("the client failed at %s: %r", what, error)
            return False
        return True
