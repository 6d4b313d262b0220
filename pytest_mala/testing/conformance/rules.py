"""Each rule about a transport: its name, what it says, where it comes from, and how it is checked.

The SDK's abstract class says little; what its own subprocess transport does, and what its client relies on, counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from pytest_mala.testing.conformance import closing, reading
from pytest_mala.testing.conformance.wire import Bench, BrokenRuleError, Make

__all__ = ["CONFORMANCE", "Rule"]

Check = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: `name`, the sentence that it is, its `source`, and the check."""

    name: str
    sentence: str
    source: str
    body: Check = field(repr=False)

    def __str__(self) -> str:
        return self.name

    async def check(self, make: Make, *, limit: float = 30.0) -> None:
        """Check transports that `make` gives for exchanges; `limit` is in seconds, for each single call.

        Raises BrokenRuleError, an AssertionError, if the rule is not kept.
        """
        bench = Bench(make, limit)
        try:
            await self.body(bench)
        except BrokenRuleError as error:
            raise BrokenRuleError(
                error.expected, error.got, rule=f"{self.name}: {self.sentence} ({self.source})"
            ) from error.__cause__
        finally:
            await bench.close()


_CLASS: Final = "claude_agent_sdk.Transport"
_OWN: Final = "the SDK's SubprocessCLITransport"
_CLIENT: Final = "the SDK's client"

CONFORMANCE: Final = (
    Rule(
        name="six-methods",
        sentence="it has the six methods, and read_messages() gives an asynchronous iterator without being awaited",
        source=_CLASS,
        body=reading.six_methods,
    ),
    Rule(
        name="connect-first",
        sentence="before connect() it is not ready, and writing and reading raise CLIConnectionError",
        source=_OWN,
        body=reading.not_connected,
    ),
    Rule(name="ready", sentence="it is ready from connect() to close()", source=_CLASS, body=reading.readiness),
    Rule(
        name="connect-refused",
        sentence="connect() raises CLIConnectionError where nothing is to connect to, and it can be closed then",
        source=f"{_OWN}; {_CLIENT} calls disconnect() after a connect() that failed",
        body=reading.refused_connect,
    ),
    Rule(
        name="in-order",
        sentence="frames come one by one in their order, and the stream ends where the other end ended it",
        source=_OWN,
        body=reading.frames_in_order,
    ),
    Rule(
        name="frames-unchanged",
        sentence="frames come as whole JSON objects and unchanged, whatever is in them and however long they are",
        source="sdk.md 1.2",
        body=reading.frames_unchanged,
    ),
    Rule(
        name="writes-unchanged",
        sentence="what is written arrives whole and unchanged, however long it is",
        source="sdk.md 1.2",
        body=reading.writes_unchanged,
    ),
    Rule(
        name="several-lines",
        sentence="one write() may hold several lines, and each arrives",
        source=_CLASS,
        body=reading.several_lines,
    ),
    Rule(
        name="both-ways",
        sentence="writes work while a reader waits; those that overlap arrive whole, in the order in which they began",
        source=f"{_CLIENT} answers hooks while it reads",
        body=reading.both_ways,
    ),
    Rule(
        name="unread-frames",
        sentence=f"{reading.MANY} frames that nobody reads hold up no write()",
        source="sdk.md 10",
        body=reading.unread_frames,
    ),
    Rule(
        name="close-ends-reading",
        sentence="close() ends a read that waits",
        source=f"{_OWN}; asyncio closes no generator that runs",
        body=closing.ends_reading,
    ),
    Rule(
        name="close-again",
        sentence="close() may be called twice, and without connect()",
        source=_OWN,
        body=closing.close_again,
    ),
    Rule(
        name="close-bounded",
        sentence="close() returns also when the other end takes no notice",
        source=f"{_CLASS}.close: implementations must bound their own awaits",
        body=closing.close_stubborn,
    ),
    Rule(
        name="write-after-close",
        sentence="write() after close() raises CLIConnectionError",
        source=_OWN,
        body=closing.write_after_close,
    ),
    Rule(
        name="end-input",
        sentence="end_input() may be called twice; write() raises CLIConnectionError then, and reading goes on",
        source=f"{_OWN}; query() ends its input before the answer came",
        body=reading.ended_input,
    ),
    Rule(
        name="error-once",
        sentence="an error of the other end is raised by the reader, after the frames before it, once",
        source=_OWN,
        body=reading.one_error,
    ),
    Rule(
        name="cancelled-reader",
        sentence="a reader that was cancelled loses and repeats no frame: a new one goes on, or it is closed",
        source=_OWN,
        body=reading.cancelled_reader,
    ),
    Rule(
        name="nothing-left",
        sentence="after close() no task, child process or file descriptor is left",
        source="design D14",
        body=closing.nothing_left,
    ),
)
"""All rules, in an order in which the first ones that are broken explain the others."""
