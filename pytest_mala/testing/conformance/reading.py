"""What is checked about connecting, reading and writing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.testing.conformance.exchange import Ends, Hears, HearsTheEnd, Says
from pytest_mala.testing.conformance.wire import END, BrokenRuleError, in_words, is_sdk_error, lines

if TYPE_CHECKING:
    from pytest_mala.testing.conformance.wire import Bench

MANY: Final = 150
"""Frames that nobody reads for a while: more than the hundred that the SDK's client keeps (sdk.md 10)."""

_LONG: Final = 300_000
"""Characters of a frame that fills each pipe and buffer on its way."""


def prompt(text: str) -> dict[str, Any]:
    """What the SDK's client writes for a prompt."""
    message = {"role": "user", "content": text}
    return {"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "default"}


def answer(text: str, **more: Any) -> dict[str, Any]:
    """A message of the agent."""
    message = {"id": "msg_1", "role": "assistant", "model": "m", "content": [{"type": "text", "text": text}]}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": "s", **more}


ASK: Final = prompt("please")
_ODD: Final = (
    answer('quotes " and \\ and\nlines\r\n\t, \u2028 and \u2029, 日本語 🙂, \x1b[31m and \x7f'),
    answer("numbers", numbers=[0, -1, 1.0, 1, True, None, 1e-9, 10**20, -0.5], empty=["", [], {}], deep=[[[[{}]]]]),
    answer("long " * (_LONG // 5)),
    answer("and a short one"),
)


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, BrokenRuleError):
        await task


async def six_methods(bench: Bench) -> None:
    wire = await bench.wire()
    for name in ("connect", "write", "read_messages", "close", "is_ready", "end_input"):
        if not callable(getattr(wire.transport, name, None)):
            raise BrokenRuleError(f"a method {name}", "none")
    reader: object = wire.read()
    if not hasattr(reader, "__anext__"):
        if isinstance(reader, Coroutine):
            reader.close()
        raise BrokenRuleError("an asynchronous iterator from read_messages()", type(reader).__name__)


async def not_connected(bench: Bench) -> None:
    wire = await bench.wire(Hears(frame=ASK))
    wire.must_be_ready(False, "before connect()")
    await wire.refuses("write() before connect()", wire.transport.write(lines(ASK)))
    got = await wire.next_of(wire.read())
    if not (isinstance(got, Exception) and is_sdk_error(got)):
        raise BrokenRuleError("a CLIConnectionError of the SDK from reading before connect()", in_words(got))


async def readiness(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK))
    wire.must_be_ready(True, "after connect()")
    await wire.close()
    wire.must_be_ready(False, "after close()")


async def refused_connect(bench: Bench) -> None:
    wire = await bench.wire(is_refused=True)
    await wire.refuses("connect() to what is not there", wire.transport.connect())
    wire.must_be_ready(False, "after a connect() that failed")
    await wire.close()


async def frames_in_order(bench: Bench) -> None:
    said = [answer(f"number {number}") for number in range(20)]
    wire = await bench.connected(Hears(frame=ASK), *(Says(frame=frame) for frame in said), Ends())
    await wire.write(ASK)
    await wire.gives(wire.read(), *said, END)


async def frames_unchanged(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK), *(Says(frame=frame) for frame in _ODD), Ends())
    await wire.write(ASK)
    await wire.gives(wire.read(), *_ODD, END)


async def writes_unchanged(bench: Bench) -> None:
    asked = [prompt(f"{frame['message']['content'][0]['text']}") for frame in _ODD]
    wire = await bench.connected(*(Hears(frame=frame) for frame in asked), Says(frame=answer("heard")))
    for frame in asked:
        await wire.write(frame)
    await wire.gives(wire.read(), answer("heard"))


async def several_lines(bench: Bench) -> None:
    asked = [prompt(f"number {number}") for number in range(3)]
    wire = await bench.connected(*(Hears(frame=frame) for frame in asked), Says(frame=answer("heard all")))
    await wire.write(*asked)
    await wire.gives(wire.read(), answer("heard all"))


async def both_ways(bench: Bench) -> None:
    asked = [prompt(f"number {number} " * 1000) for number in range(20)]
    wire = await bench.connected(*(Hears(frame=frame) for frame in asked), Says(frame=answer("heard all")))
    reading = asyncio.create_task(wire.next_of(wire.read()))
    await asyncio.sleep(0)
    try:
        await asyncio.gather(*(wire.write(frame) for frame in asked))
        if (got := await reading) != answer("heard all"):
            raise BrokenRuleError("a frame that answers what was written meanwhile", in_words(got))
    finally:
        await cancelled(reading)


async def unread_frames(bench: Bench) -> None:
    said = [answer(f"number {number}") for number in range(MANY)]
    wire = await bench.connected(*map(_says, said), Hears(frame=ASK), Says(frame=answer("heard")))
    await asyncio.sleep(0.05)  # they are on their way, and nobody reads
    await wire.write(ASK)
    await wire.gives(wire.read(), *said, answer("heard"))


def _says(frame: dict[str, Any]) -> Says:
    return Says(frame=frame)


async def ended_input(bench: Bench) -> None:
    steps = (Hears(frame=ASK), Says(frame=answer("one")), HearsTheEnd(), Says(frame=answer("two")), Ends())
    wire = await bench.connected(*steps)
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("one"))
    await wire.end_input()
    await wire.end_input()
    await wire.refuses("write() after end_input()", wire.transport.write(lines(ASK)))
    await wire.gives(reader, answer("two"), END)


async def one_error(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK), Says(frame=answer("one")), Ends(is_error=True))
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("one"))
    got = await wire.next_of(reader)
    if not isinstance(got, Exception):
        raise BrokenRuleError("an error where the stream of the other end ended with one", in_words(got))
    if (got := await wire.next_of(reader)) != END:
        raise BrokenRuleError("that the error is raised once and the stream is over", in_words(got))
    await wire.close()


async def cancelled_reader(bench: Bench) -> None:
    wire = await bench.connected(
        Hears(frame=ASK), Says(frame=answer("one")), Hears(frame=ASK), Says(frame=answer("two"))
    )
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("one"))
    reading = asyncio.create_task(wire.next_of(reader))
    await asyncio.sleep(0)
    await cancelled(reading)
    with suppress(BrokenRuleError):  # a transport that is closed by that refuses
        await wire.write(ASK)
    got = await wire.next_of(wire.read())
    is_closed = got == END or (isinstance(got, Exception) and is_sdk_error(got))
    if got != answer("two") and not is_closed:
        raise BrokenRuleError(
            "after a reader was cancelled: the next frame from a new one, the end, or a CLIConnectionError",
            in_words(got),
        )
