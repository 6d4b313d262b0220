"""What is checked about closing, and about what is left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_mala.testing.conformance.exchange import Ends, Hears, HearsTheEnd, Says
from pytest_mala.testing.conformance.leftovers import Leftovers
from pytest_mala.testing.conformance.reading import ASK, answer, cancelled
from pytest_mala.testing.conformance.wire import END, BrokenRuleError, in_words, lines

if TYPE_CHECKING:
    from pytest_mala.testing.conformance.wire import Bench, Wire

_SETTLES: Final = 2.0
"""Seconds in which the loop gives back what was closed."""


async def ends_reading(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK), Says(frame=answer("one")))
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("one"))
    reading = asyncio.create_task(wire.next_of(reader))
    await asyncio.sleep(0)
    try:
        await wire.close()
        got = await reading
        if got != END and not isinstance(got, Exception):
            raise BrokenRuleError("that reading ends, with or without an error, when close() is called", in_words(got))
    finally:
        await cancelled(reading)


async def close_again(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK))
    await wire.close()
    await wire.close()
    never = await bench.wire(Hears(frame=ASK))
    await never.close()
    never.must_be_ready(False, "after close()")


async def close_stubborn(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK), is_stubborn=True)
    await wire.write(ASK)
    await wire.close()
    wire.must_be_ready(False, "after close()")


async def write_after_close(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK))
    await wire.close()
    await wire.refuses("write() after close()", wire.transport.write(lines(ASK)))


async def nothing_left(bench: Bench) -> None:
    await whole_life(bench)  # what is made once (a worker thread, an import) is nothing that is left behind
    before = Leftovers.now()
    await whole_life(bench)
    await short_life(bench)
    if left := await before.since(limit=min(bench.limit, _SETTLES)):
        raise BrokenRuleError("nothing that is left behind after close()", left)


async def whole_life(bench: Bench) -> None:
    wire = await bench.connected(Hears(frame=ASK), Says(frame=answer("one")), HearsTheEnd(), Ends())
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("one"))
    await wire.end_input()
    await wire.gives(reader, END)
    await wire.close()


async def short_life(bench: Bench) -> None:
    """A reader is cancelled, as the SDK's client does it, and frames stay unread."""
    wire: Wire = await bench.connected(Hears(frame=ASK), *(Says(frame=answer(f"{n}")) for n in range(10)))
    reader = wire.read()
    await wire.write(ASK)
    await wire.gives(reader, answer("0"))
    reading = asyncio.create_task(wire.next_of(reader))
    await asyncio.sleep(0)
    await cancelled(reading)
    await wire.close()
