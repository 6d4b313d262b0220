"""A transport while a rule is checked: each call has a deadline, and what is wrong is told as expected and got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.testing.conformance.exchange import Exchange, Step

if TYPE_CHECKING:
    from pytest_mala.transport.record import WireTransport

__all__ = ["END", "Bench", "BrokenRuleError", "Make", "Wire", "is_sdk_error"]

Make = Callable[[Exchange], "WireTransport | Awaitable[WireTransport]"]
"""Makes a transport that is not connected yet, whose other end plays the exchange."""

END: Final = "the end of the stream"
_SHOWN: Final = 300


class BrokenRuleError(AssertionError):
    """A transport does not keep a rule; the text says which one, what was expected, and what came instead."""

    def __init__(self, expected: str, got: str, *, rule: str = "") -> None:
        super().__init__(f"{rule}\n  expected: {expected}\n  got: {got}" if rule else f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got


def is_sdk_error(error: BaseException, name: str = "CLIConnectionError") -> bool:
    """Whether it is this error of the SDK, or a kind of it; by its name, since importing the SDK takes most of a
    second.
    """
    return any(kind.__name__ == name for kind in type(error).__mro__)


def in_words(value: object) -> str:
    """A result or an error, bounded."""
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text) - _SHOWN:,} more characters)"


class Bench:
    """Makes the transports of one check and closes them at its end; `limit` in seconds of real time for each call."""

    def __init__(self, make: Make, limit: float) -> None:
        self._make = make
        self.limit = limit
        self._made: list[Wire] = []

    async def wire(self, *steps: Step, is_refused: bool = False, is_stubborn: bool = False) -> Wire:
        """A transport that is not connected."""
        made = self._make(Exchange(steps=steps, is_refused=is_refused, is_stubborn=is_stubborn))
        transport = await made if isinstance(made, Awaitable) else made
        self._made.append(Wire(transport, self.limit))
        return self._made[-1]

    async def connected(self, *steps: Step, is_stubborn: bool = False) -> Wire:
        """A transport that is connected."""
        made = await self.wire(*steps, is_stubborn=is_stubborn)
        await made.connect()
        return made

    async def close(self) -> None:
        """Close what a broken rule left open; whether that works is the matter of other rules."""
        for one in self._made:
            try:
                async with asyncio.timeout(self.limit):
                    await one.transport.close()
            except Exception:  # noqa: S112 - told by the rules about closing
                continue


class Wire:
    """One transport under test."""

    def __init__(self, transport: WireTransport, limit: float) -> None:
        self.transport = transport
        self._limit = limit

    async def connect(self) -> None:
        """Connect, which must work."""
        await self._works("connect()", self.transport.connect())

    async def write(self, *frames: Mapping[str, Any]) -> None:
        """Write frames at once, one on a line, which must work."""
        await self._works("write()", self.transport.write(lines(*frames)))

    async def close(self) -> None:
        """Close, which must work."""
        await self._works("close()", self.transport.close())

    async def end_input(self) -> None:
        """End the input, which must work."""
        await self._works("end_input()", self.transport.end_input())

    async def refuses(self, doing: str, call: Coroutine[Any, Any, object]) -> None:
        """The call must raise a CLIConnectionError."""
        try:
            got: object = await self._bounded(doing, call)
        except Exception as error:
            if isinstance(error, BrokenRuleError):
                raise
            if is_sdk_error(error):
                return
            got = error
        raise BrokenRuleError(f"a CLIConnectionError of the SDK from {doing}", in_words(got) if got else "no error")

    def must_be_ready(self, is_ready: bool, when: str) -> None:
        """What `is_ready()` says."""
        if (got := self.transport.is_ready()) is not is_ready:
            raise BrokenRuleError(f"is_ready() is {is_ready} {when}", in_words(repr(got)))

    def read(self) -> AsyncIterator[Mapping[str, Any]]:
        """A new iteration over what comes."""
        return self.transport.read_messages()

    async def next_of(self, reader: AsyncIterator[Mapping[str, Any]]) -> object:
        """The next frame, an error that came in its place, or END."""
        try:
            return await self._bounded("the next frame", anext(reader, END))
        except BrokenRuleError:
            raise
        except Exception as error:
            return error

    async def gives(self, reader: AsyncIterator[Mapping[str, Any]], *expected: object) -> None:
        """The next frames are these; END means that the stream must end, without an error."""
        for number, one in enumerate(expected, 1):
            got = await self.next_of(reader)
            if _as_json(got) != _as_json(one):
                raise BrokenRuleError(f"as number {number} of {len(expected)}: {in_words(one)}", in_words(got))

    async def _works(self, doing: str, call: Awaitable[object]) -> None:
        try:
            await self._bounded(doing, call)
        except BrokenRuleError:
            raise
        except Exception as error:
            raise BrokenRuleError(f"{doing} works", in_words(error)) from error

    async def _bounded(self, doing: str, call: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._limit) as deadline:
                return await call
        except TimeoutError:
            if not deadline.expired():
                raise
            raise BrokenRuleError(f"{doing} within {self._limit:g} s", "nothing in that time") from None


def lines(*frames: Mapping[str, Any]) -> str:
    """As the SDK's client writes them."""
    return "".join(json.dumps(frame) + "\n" for frame in frames)


def _as_json(value: object) -> object:
    """Equal only for equal JSON: to Python, true, 1 and 1.0 are equal."""
    return value if isinstance(value, str | BaseException) else json.dumps(value, sort_keys=True)
