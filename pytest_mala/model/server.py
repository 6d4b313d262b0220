"""The loopback Messages API: serves a script to the CLI from a thread of its own, and contacts nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError, UsageError
from pytest_mala.model.application import application
from pytest_mala.model.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import uvicorn

    from pytest_mala.model.answers import Script
    from pytest_mala.model.application import Pause
    from pytest_mala.model.request import Request

__all__ = ["Server", "serve"]

HOST = "127.0.0.1"
START_SECONDS = 10.0
STOP_SECONDS = 5.0
_LOGGERS = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running scripted model; read it at any time, also after it stopped."""

    port: int
    ledger: Ledger

    @property
    def url(self) -> str:
        """The base URL for `ANTHROPIC_BASE_URL`."""
        return f"http://{HOST}:{self.port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, in order of arrival."""
        return tuple(self.ledger.requests)

    @property
    def calls(self) -> int:
        """How many requests of the conversation there were so far, answered or not."""
        return self.ledger.answered

    @property
    def problems(self) -> tuple[str, ...]:
        """What did not go as the script says, one line each. Where there is one, the session proves nothing."""
        return tuple(self.ledger.problems)

    @property
    def unused(self) -> int:
        """How many answers of the script nobody has asked for yet."""
        return max(0, len(self.ledger.script.entries) - self.ledger.answered)


@contextlib.contextmanager
def serve(script: Script, names: Mapping[str, str], *, used: int = 0, host: str = HOST) -> Iterator[Server]:
    """Answer from a script on a free loopback port until the block is left; that takes STOP_SECONDS at most.

    `names` are the values of the placeholders: {"WORKSPACE": "/tmp/..."} replaces `${WORKSPACE}`. `used` answers were
    given already, to a session that goes on here.
    Raises ModelScriptError for a placeholder without a value, UsageError for a host other than 127.0.0.1.
    """
    if host != HOST:
        raise UsageError(f"the scripted model listens on {HOST} only: expected that host, got {host!r}")
    tools = sum(max(len(one.tools) for one in entry.choices) for entry in script.entries[:used])
    ledger = Ledger(script=script.with_names(names), answered=used, tools_called=tools)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
        listener.bind((HOST, 0))
        # it listens from now on: a client that comes before the loop runs is kept waiting, not refused
        listener.listen(128)
        thread = _Thread(ledger, listener)
        thread.start()
        try:
            thread.wait_until_ready()
            yield Server(port=listener.getsockname()[1], ledger=ledger)
        finally:
            thread.stop()


class _Thread(threading.Thread):
    """Runs the web server in a loop of its own; a thread that is not the main one gets no signal handlers."""

    def __init__(self, ledger: Ledger, listener: socket.socket) -> None:
        super().__init__(name="mala-scripted-model", daemon=True)
        self._ledger = ledger
        self._listener = listener
        self._web = _web_server(ledger, self._pause)
        self._ready = threading.Event()
        self._loop = asyncio.SelectorEventLoop()
        self._stopping = asyncio.Event()

    def run(self) -> None:
        with _quiet_logs(self._ledger), asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        if not self._ready.wait(seconds):
            raise HarnessError(f"the scripted model did not start within {seconds:g} s; run the test again")

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        # RuntimeError: the loop ended by itself and is closed
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._order_stop)
        self.join(seconds)
        if self.is_alive():
            self._ledger.add_problem(f"the scripted model did not stop within {seconds:g} s")

    async def _main(self) -> None:
        self._loop.set_exception_handler(self._on_loop_error)
        self._ready.set()
        await self._web.serve(sockets=[self._listener])

    def _order_stop(self) -> None:
        self._stopping.set()
        self._web.should_exit = True

    async def _pause(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._ledger.add_problem(f"the scripted model failed: {context.get('exception', context['message'])!r}")


@contextlib.contextmanager
def _quiet_logs(ledger: Ledger) -> Iterator[None]:
    """Keep the web server's records of this thread from the user's log handlers; an error among them is a problem."""
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        if record.thread == thread and record.levelno >= logging.ERROR:
            cause = record.exc_info[1] if record.exc_info else None
            ledger.add_problem(f"the scripted model failed: {cause!r}" if cause else record.getMessage())
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


def _web_server(ledger: Ledger, pause: Pause) -> uvicorn.Server:
    try:
        import uvicorn  # slow to import, and only this lane needs it

        app = application(ledger, pause)
    except ImportError as error:
        raise UsageError(
            f"the scripted model needs the package {error.name!r}, which comes with claude-agent-sdk; "
            "install that again: python -m pip install --force-reinstall claude-agent-sdk"
        ) from None
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
