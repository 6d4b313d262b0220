"""The frozen clock: everybody's dates move in step with the loop, deadlines of children stay real."""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
import subprocess
import threading
import time

import _pytest.timing
import pytest

pytestmark = pytest.mark.asyncio

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
REAL = (time.monotonic, time.time)


async def test_dates_stand_still_and_jump_with_the_loop(frozen_clock):
    with frozen_clock:
        assert dt.datetime.now(dt.UTC) == START
        assert time.time() == START.timestamp()
        await asyncio.sleep(900)
        assert dt.datetime.now(dt.UTC) == frozen_clock.now() == START + dt.timedelta(seconds=900)
        assert time.time() == START.timestamp() + 900
        before = time.monotonic()
        await asyncio.sleep(60)
        assert time.monotonic() - before == pytest.approx(60)
    assert dt.datetime.now(dt.UTC) > START


async def test_many_small_steps_do_not_drift_apart(frozen_clock):
    with frozen_clock:
        for _ in range(500):
            await asyncio.sleep(0.0000013)
        assert dt.datetime.now(dt.UTC) == frozen_clock.now()
        assert frozen_clock.now() > START


async def test_hold_and_stand_move_the_date_as_well(frozen_clock):
    with frozen_clock:
        with frozen_clock.hold():
            threading.Event().wait(0.02)
        assert dt.datetime.now(dt.UTC) == frozen_clock.now() >= START + dt.timedelta(seconds=0.015)
        before = frozen_clock.now()
        with frozen_clock.stand(100):
            assert dt.datetime.now(dt.UTC) == before
        assert dt.datetime.now(dt.UTC) == frozen_clock.now()
        assert frozen_clock.now() - before == dt.timedelta(seconds=100)


async def test_without_freezing_the_date_stays_real(clock):
    with clock:
        await asyncio.sleep(1e6)
        assert abs(time.time() - REAL[1]()) < 100


async def test_the_durations_that_pytest_shows_stay_real(frozen_clock):
    before = _pytest.timing.Instant()
    with frozen_clock:
        await asyncio.sleep(1e6)
        assert before.elapsed().seconds < 100
        assert abs(_pytest.timing.time() - REAL[1]()) < 100


async def test_a_deadline_of_subprocess_run_in_a_thread_fires(frozen_clock):
    """Frozen without the exception for `subprocess`, it would wait for the child's own end."""
    began = REAL[0]()
    with frozen_clock:
        with pytest.raises(subprocess.TimeoutExpired):
            await asyncio.to_thread(subprocess.run, ["sleep", "30"], timeout=0.1, check=False)
        with pytest.raises(subprocess.TimeoutExpired):
            await asyncio.to_thread(subprocess.run, ["sleep", "30"], timeout=0.1, check=False, capture_output=True)
    assert REAL[0]() - began < 20


async def test_a_deadline_of_blocking_subprocess_run_fires(frozen_clock):
    began = REAL[0]()
    with frozen_clock, pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "30"], timeout=0.1, check=False)  # noqa: ASYNC221
    assert REAL[0]() - began < 20


async def test_waits_of_threading_and_queue_end(frozen_clock):
    with frozen_clock:
        assert not threading.Event().wait(0.01)
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=0.01)


async def test_a_second_frozen_entry_starts_at_the_same_date(frozen_clock):
    for _ in range(2):
        with frozen_clock:
            assert dt.datetime.now(dt.UTC) == START
            await asyncio.sleep(5)
