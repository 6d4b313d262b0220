"""Real work under the virtual clock: `hold`, `stand`, executor jobs, anyio's threads and child processes.

The threads here wait for one another and not for time; where time has to pass, a child or a thread spends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest

pytestmark = pytest.mark.asyncio

FOREVER = 1e6  # seconds of virtual time: whoever jumps to it is wrong


def _spend(seconds: float = 0.05) -> None:
    threading.Event().wait(seconds)


async def test_an_executor_job_takes_its_real_time(clock):
    with clock:
        async with asyncio.timeout(600):
            await asyncio.to_thread(_spend)
        assert 0.045 < clock.elapsed < 20


async def test_a_job_of_a_pool_of_your_own_takes_its_real_time(clock):
    with ThreadPoolExecutor(1) as pool, clock:
        async with asyncio.timeout(600):
            await asyncio.get_running_loop().run_in_executor(pool, _spend)
        assert 0.045 < clock.elapsed < 20


async def test_a_thread_of_anyio_takes_its_real_time(clock):
    with clock:
        with anyio.fail_after(600):
            await anyio.to_thread.run_sync(_spend)
        assert 0.045 < clock.elapsed < 20


async def test_a_timer_fires_while_real_work_goes_on(clock):
    with clock:
        release = threading.Event()
        asyncio.get_running_loop().call_later(0.02, release.set)
        await asyncio.to_thread(release.wait)
        assert 0.02 <= clock.elapsed < 20


async def test_after_real_work_the_clock_jumps_again(clock, witness):
    with witness() as waits, clock:
        await asyncio.to_thread(int)
        await anyio.to_thread.run_sync(int)
        waits.clear()
        await asyncio.sleep(1000)
        assert waits == []
        assert 1000 <= clock.elapsed < 1020


async def test_a_cancelled_job_does_not_count_any_more(clock, witness):
    release = threading.Event()
    with witness() as waits, clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.to_thread(release.wait)
        waits.clear()
        await asyncio.sleep(1000)
        assert waits == []
        release.set()


async def test_a_job_that_ends_after_the_clock_was_left_changes_nothing(clock, witness):
    release = threading.Event()
    with clock:
        job = asyncio.get_running_loop().run_in_executor(None, release.wait)
        await asyncio.sleep(0)
    with witness() as waits, clock:
        await asyncio.sleep(1000)
        assert (waits, clock.elapsed) == ([], 1000)
        release.set()
    await job
    with clock:
        await asyncio.sleep(1000)
    assert clock.elapsed == 1000


async def test_hold_lets_time_pass_for_threads_that_the_loop_does_not_see(clock):
    loop = asyncio.get_running_loop()
    with clock:
        answer = loop.create_future()

        def work() -> None:
            _spend()
            loop.call_soon_threadsafe(answer.set_result, None)

        thread = threading.Thread(target=work)
        with clock.hold():
            thread.start()
            async with asyncio.timeout(600):
                await answer
        assert 0.045 < clock.elapsed < 20
        thread.join()


async def test_hold_counts_blocking_work_as_well(clock):
    with clock:
        with clock.hold():
            _spend()
            inside = clock.time()
        assert 0.045 < inside <= clock.elapsed < 20
        at_the_end = clock.elapsed
        _spend(0.01)
        assert clock.elapsed == at_the_end


async def test_holds_can_be_nested(clock):
    with clock, clock.hold():
        with clock.hold():
            pass
        before = clock.time()
        _spend(0.01)
        assert clock.time() - before >= 0.009


async def test_stand_holds_the_time_and_then_charges_the_recorded_one(clock):
    with clock:
        with clock.stand(12.5):
            await asyncio.to_thread(_spend, 0.01)
            assert clock.time() == 0
        assert clock.time() == 12.5
        await asyncio.sleep(1)
    assert clock.elapsed == 13.5


async def test_stand_wins_over_hold(clock):
    with clock:
        with clock.hold(), clock.stand(3):
            before = clock.time()
            await asyncio.to_thread(_spend, 0.01)
            await anyio.to_thread.run_sync(_spend, 0.01)
            assert clock.time() == before
        assert 3 <= clock.time() < 23


async def test_work_begun_inside_a_stand_does_not_count_after_it(clock, witness):
    """Its last steps come after the stand by machine speed, and equal runs must have equal times."""
    release = threading.Event()
    with witness() as waits, clock:
        with clock.stand(2):
            job = asyncio.get_running_loop().run_in_executor(None, release.wait)
            child = await asyncio.create_subprocess_exec("sleep", "30")
        waits.clear()
        await asyncio.sleep(1000)
        assert (waits, clock.elapsed) == ([], 1002)
        release.set()
        with clock.stand(0):
            await job
            child.kill()
            await child.wait()
    assert clock.elapsed == 1002


async def test_a_job_that_can_not_start_is_not_waited_for(clock, witness):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with witness() as waits, clock:
        with pytest.raises(RuntimeError, match="shutdown"):
            asyncio.get_running_loop().run_in_executor(pool, int)
        await asyncio.sleep(1000)
        assert waits == []


async def test_no_timer_fires_while_the_clock_stands(clock):
    fired = []
    with clock:
        asyncio.get_running_loop().call_later(0.001, lambda: fired.append(clock.time()))
        with clock.stand(0.5):
            await asyncio.to_thread(_spend, 0.02)
            assert fired == []
        await asyncio.sleep(0.001)
        assert fired == [0.5]


async def test_a_deadline_inside_the_charged_time_fires_after_it(clock):
    async def check_and_wait() -> None:
        with clock.stand(500):
            await asyncio.to_thread(int)
        await asyncio.Event().wait()

    with clock:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(check_and_wait(), 100)
        assert clock.elapsed == 500


async def test_stand_without_a_recorded_length_charges_the_real_one(clock):
    with clock:
        with clock.stand(None):
            await asyncio.to_thread(_spend)
            assert clock.time() == 0
        assert 0.045 < clock.time() < 20


async def test_stand_charges_also_when_the_work_fails(clock):
    with clock:
        with pytest.raises(OSError, match="broken"), clock.stand(7):
            raise OSError("broken")
        assert clock.time() == 7


async def test_overlapping_stands_charge_the_longest(clock):
    with clock:

        async def check(recorded: float) -> None:
            with clock.stand(recorded):
                await asyncio.to_thread(int)

        await asyncio.gather(check(3), check(5), check(1))
        assert clock.time() == 5
        with clock.stand(2):
            with clock.stand(1):
                pass
            assert clock.time() == 5
        assert clock.time() == 7


async def test_a_child_of_asyncio_takes_its_real_time(clock):
    with clock:
        async with asyncio.timeout(600):
            child = await asyncio.create_subprocess_exec("sleep", "0.1", stdout=asyncio.subprocess.PIPE)
            await child.communicate()
        assert 0.09 < clock.elapsed < 20


async def test_a_timeout_on_a_child_fires_at_its_real_time(clock):
    with clock:
        child = await asyncio.create_subprocess_exec("sleep", "30")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await child.wait()
        assert 0.1 <= clock.elapsed < 20
        child.kill()
        await child.wait()


async def test_a_child_while_the_clock_stands_takes_no_time(clock):
    with clock:
        with clock.stand(2):
            child = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
            assert await child.communicate() == (b"hello\n", None)
        assert clock.elapsed == 2


@pytest.mark.parametrize("attempt", range(5))
async def test_a_child_whose_pipe_outlives_it_is_waited_for(clock, attempt):
    """With the watcher of 3.12 the exit is seen first: a timeout on reading must not fire for that."""
    with clock:
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", "(sleep 0.1; echo late) & echo early", stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(600):
            assert await child.stdout.read() == b"early\nlate\n"
        await child.wait()
        assert clock.elapsed < 20


async def test_closing_the_transport_ends_the_waiting_for_a_daemon(clock, witness):
    with witness() as waits, clock:
        child = await asyncio.create_subprocess_exec("sh", "-c", "sleep 30 & echo $!", stdout=asyncio.subprocess.PIPE)
        daemon = int(await child.stdout.readline())
        child._transport.close()
        await child.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        waits.clear()
        await asyncio.sleep(1000)
        assert waits == []
    os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("attempt", range(5))
async def test_after_a_child_the_clock_jumps_again(clock, witness, attempt):
    with witness() as waits, clock:
        child = await asyncio.create_subprocess_exec("true")
        await child.wait()
        child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        await child.communicate(b"x")
        await asyncio.sleep(0)
        waits.clear()
        await asyncio.sleep(1000)
        assert waits == []


async def test_a_child_that_can_not_start_is_not_waited_for(clock, witness):
    with witness() as waits, clock:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("no-such-program-at-all")
        await asyncio.sleep(FOREVER)
        assert waits == []


async def test_a_child_of_anyio_takes_its_real_time(clock):
    with clock:
        with anyio.fail_after(600):
            done = await anyio.run_process([sys.executable, "-S", "-c", "print(1)"])
        assert done.stdout == b"1\n"
        assert clock.elapsed < 60
