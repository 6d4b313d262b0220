"""What the virtual clock costs: run `python benchmarks/bench_clock.py`; only its ratios compare between machines."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_mala.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REAL = (time.perf_counter,)  # in a tuple, or freezegun would replace it
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SILENCE_SECONDS = 900
TURNS = 2000
ROUNDS = 9


async def _empty_turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _silences() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(SILENCE_SECONDS)


async def _timeouts() -> None:
    for _ in range(TURNS):
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await asyncio.Event().wait()
        except TimeoutError:
            pass


async def _frames_in_one_silence() -> None:
    """15 minutes, a frame each second, each awaited under a deadline: what an idle timer over a stream does."""
    for _ in range(SILENCE_SECONDS):
        async with asyncio.timeout(300):
            await asyncio.sleep(1)


async def _milliseconds(work: Callable[[], Awaitable[None]], *, frozen: bool) -> float:
    """The best of several rounds: what else the machine does only ever adds."""
    spent = []
    for _ in range(ROUNDS):
        with VirtualClock(START, frozen=frozen, describe=lambda: "a frame"):
            began = REAL[0]()
            await work()
            spent.append((REAL[0]() - began) * 1000)
    return min(spent)


async def _entry_milliseconds(*, frozen: bool) -> tuple[float, float]:
    spent = []
    for _ in range(ROUNDS):
        began = REAL[0]()
        with VirtualClock(START, frozen=frozen):
            await asyncio.sleep(SILENCE_SECONDS)
        spent.append((REAL[0]() - began) * 1000)
    return spent[0], statistics.median(spent[1:])


async def main() -> None:
    entries = [await _entry_milliseconds(frozen=frozen) for frozen in (False, True)]  # before anything is imported
    turn = await _milliseconds(_empty_turns, frozen=False) / TURNS
    print(f"an empty turn of the loop     {turn * 1000:8.1f} us    1.0 x")
    for name, work, count in (
        ("a silence of 15 minutes", _silences, TURNS),
        ("a timeout of 15 minutes", _timeouts, TURNS),
        ("15 min in 900 frames", _frames_in_one_silence, 1),
    ):
        for frozen in (False, True):
            each = await _milliseconds(work, frozen=frozen) / count
            label = f"{name}{', frozen' if frozen else ''}"
            print(f"{label:30}{each * 1000:8.1f} us {each / turn:6.1f} x {SILENCE_SECONDS * 1000 / each:13,.0f} : 1")
    for (first, later), label in zip(entries, ("enter, 15 min, leave", "the same, frozen"), strict=True):
        print(f"{label:30}{first:8.3f} ms the first time, {later:.3f} ms later ({later / turn:.0f} x)")


if __name__ == "__main__":
    asyncio.run(main())
