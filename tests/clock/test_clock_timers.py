"""Timers on the virtual clock: they fire in order, at their exact times, and nobody really waits."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest

from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_long_sleep_takes_no_real_time(clock, witness):
    with witness() as waits, clock:
        await asyncio.sleep(900)
    assert clock.elapsed == 900
    assert waits == []


async def test_time_starts_at_zero_and_now_at_the_start(clock):
    with clock:
        assert (clock.time(), clock.elapsed, asyncio.get_running_loop().time()) == (0, 0, 0)
        assert clock.now() == START
        await asyncio.sleep(1.5)
        assert clock.now() == START + timedelta(seconds=1.5)
        assert clock.time() == asyncio.get_running_loop().time() == 1.5


async def test_a_start_in_another_zone_is_told_in_utc():
    clock = VirtualClock(datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), frozen=False)
    assert clock.now() == START
    assert clock.now().tzinfo is UTC


async def test_sleepers_wake_in_the_order_of_their_times(clock):
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, clock.time()))

    with clock:
        await asyncio.gather(sleeper("late", 3600), sleeper("early", 0.001), sleeper("middle", 60))
    assert woken == [("early", 0.001), ("middle", 60), ("late", 3600)]


async def test_a_timer_can_be_cancelled_and_the_next_one_counts(clock):
    with clock:
        loop, fired = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(10, fired.set).cancel()
        loop.call_later(20, fired.set)
        await fired.wait()
    assert clock.elapsed == 20


async def test_asyncio_timeout_fires_at_its_time(clock):
    with clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1800):
                await asyncio.sleep(3600)
        assert clock.time() == 1800


async def test_wait_for_fires_at_its_time(clock):
    with clock:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 77)
        assert clock.time() == 77


async def test_a_timeout_that_is_not_needed_costs_nothing(clock):
    with clock:
        async with asyncio.timeout(1800):
            await asyncio.sleep(3)
        assert clock.time() == 3


async def test_anyio_follows(clock):
    with clock:
        await anyio.sleep(5)
        with pytest.raises(TimeoutError), anyio.fail_after(100):
            await anyio.sleep(1000)
        with anyio.move_on_after(10) as scope:
            await anyio.Event().wait()
        assert scope.cancelled_caught
        assert anyio.current_time() == clock.time() == 115


async def test_a_sleep_of_several_days_is_one_jump(clock):
    with clock:
        await asyncio.sleep(3 * 86_400)
    assert clock.last_jump == clock.elapsed == 3 * 86_400


@pytest.mark.parametrize("years", [1, 10, 99])
async def test_after_years_due_timers_are_still_due(clock, years):
    """A float holds no nanoseconds beside such a time; a loop that compares with them would spin for ever."""
    with clock:
        await asyncio.sleep(years * 365 * 86_400)
        loop, fired = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(0, fired.set)
        await fired.wait()
        await asyncio.sleep(0.5)
    assert clock.elapsed == years * 365 * 86_400 + 0.5


async def test_a_thousand_steps_stay_exact(clock):
    with clock:
        for _ in range(1000):
            await asyncio.sleep(0.25)
    assert clock.elapsed == 250


async def test_traffic_inside_the_loop_is_seen_before_any_jump(clock):
    """A socket pair in one loop: data on its way is no reason to move the clock."""
    with clock:
        server = await asyncio.start_server(_echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(20):
            writer.write(b"ping\n")
            async with asyncio.timeout(0.5):
                assert await reader.readline() == b"ping\n"
        writer.close()
        await writer.wait_closed()
        server.close()
    assert clock.elapsed == 0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_timers_set_before_keep_their_distance(clock):
    """A loop of session scope has timers of its own: they take part, at the time that was left to them."""
    loop, fired = asyncio.get_running_loop(), []
    loop.call_later(50, lambda: fired.append(clock.time()))
    with clock:
        await asyncio.sleep(49)
        assert fired == []
        await asyncio.sleep(2)
    assert fired == [pytest.approx(50, abs=0.5)]


async def test_timers_left_over_keep_their_distance(clock):
    loop = asyncio.get_running_loop()
    with clock:
        await asyncio.sleep(5000)
        handle = loop.call_later(30, lambda: None)
    assert handle.when() - loop.time() == pytest.approx(30, abs=0.5)
    handle.cancel()


async def test_equal_runs_have_equal_times():
    async def run() -> list[float]:
        clock, times = VirtualClock(START, frozen=False), []
        with clock:
            for step in range(1, 50):
                await asyncio.sleep(math.pi / step)
                times.append(clock.time())
        return times

    assert await run() == await run()
