"""Hangs on the virtual clock: each is told at once, in the given words, without any real waiting."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from pytest_mala.clock import Stalled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WORDS = "waiting for a frame after `tool_use Bash (toolu_0007)`; idle timer off, tools pending"
STALLED = (
    "stalled after {seconds} s of virtual time: nothing is ready, scheduled or pending, so nothing can happen any "
    "more: {words}; if a thread of yours is at work, wrap it in `with clock.hold():`"
)


async def _event_nobody_sets() -> None:
    await asyncio.Event().wait()


async def _queue_nobody_fills() -> None:
    await asyncio.Queue[int]().get()


async def _future_nobody_resolves() -> None:
    await asyncio.get_running_loop().create_future()


async def _lock_held_by_itself() -> None:
    lock = asyncio.Lock()
    async with lock, lock:
        pass


async def _gather_of_two_waits() -> None:
    await asyncio.gather(_event_nobody_sets(), _queue_nobody_fills())


async def _condition_nobody_notifies() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


async def _reader_without_writer() -> None:
    await asyncio.StreamReader().read()


async def _semaphore_that_is_used_up() -> None:
    semaphore = asyncio.Semaphore(1)
    async with semaphore, semaphore:
        pass


async def _task_that_waits_for_us() -> None:
    us = asyncio.current_task()

    async def other() -> None:
        await us

    await asyncio.create_task(other())


async def _task_that_waits_for_us_in_a_gather() -> None:
    us = asyncio.current_task()

    async def other() -> None:
        await us

    await asyncio.gather(other())


async def _task_group_with_a_waiting_child() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_event_nobody_sets())


async def _sleep_without_end() -> None:
    await anyio.sleep_forever()


async def _anyio_stream_without_sender() -> None:
    sender, receiver = anyio.create_memory_object_stream[int](0)
    with sender, receiver:
        await receiver.receive()


async def _listener_without_callers() -> None:
    """An open socket is no reason to hope: nobody inside the session can write to it."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        await server.serve_forever()


async def _after_a_timer() -> None:
    await asyncio.sleep(12.5)
    await _event_nobody_sets()


HANGS: list[Callable[[], Awaitable[None]]] = [
    _event_nobody_sets,
    _queue_nobody_fills,
    _future_nobody_resolves,
    _lock_held_by_itself,
    _gather_of_two_waits,
    _condition_nobody_notifies,
    _reader_without_writer,
    _semaphore_that_is_used_up,
    _task_group_with_a_waiting_child,
    _sleep_without_end,
    _anyio_stream_without_sender,
    _listener_without_callers,
]


@pytest.mark.asyncio
@pytest.mark.parametrize("hang", HANGS)
async def test_a_hang_is_told_at_once(clock, witness, hang):
    clock.describe = lambda: WORDS
    with witness() as waits:
        with pytest.raises(Stalled) as caught, clock:
            await hang()
        assert waits == []
    assert str(caught.value) == STALLED.format(seconds="0.000", words=WORDS)
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("hang", HANGS)
async def test_a_hang_under_a_limit_ends_in_the_limit_and_says_why(clock, witness, hang):
    """30 minutes of limit pass in one jump; whoever meets the timeout can tell what nobody was waiting for."""
    clock.describe = lambda: WORDS
    with witness() as waits, clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1800):
                await hang()
        assert waits == []
        assert (clock.elapsed, clock.last_jump) == (1800, 1800)
        assert clock.explanation == f"nothing else could have happened: {WORDS}"


@pytest.mark.asyncio
async def test_a_hang_after_some_virtual_time_names_it(clock):
    clock.describe = lambda: WORDS
    with pytest.raises(Stalled) as caught, clock:
        await _after_a_timer()
    assert str(caught.value) == STALLED.format(seconds="12.500", words=WORDS)


@pytest.mark.asyncio
@pytest.mark.parametrize("hang", [_task_that_waits_for_us, _task_that_waits_for_us_in_a_gather])
async def test_a_task_that_waits_for_us_is_told(clock, witness, hang):
    """asyncio itself can't cancel such a pair: it asks one after the other until the recursion limit."""
    clock.describe = lambda: WORDS

    async def session() -> None:
        with clock:
            await hang()

    with witness() as waits:
        with pytest.raises(Stalled) as caught:
            await asyncio.create_task(session())
        assert waits == []
    assert str(caught.value) == STALLED.format(seconds="0.000", words=WORDS)
    assert await _all_others_end() == set()


async def _all_others_end() -> set[asyncio.Task[object]]:
    for _ in range(5):
        await asyncio.sleep(0)
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    return rest


@pytest.mark.asyncio
async def test_without_words_the_waiting_line_is_named(clock):
    with pytest.raises(Stalled) as caught, clock:
        await _gather_of_two_waits()
    line = _gather_of_two_waits.__code__.co_firstlineno + 1
    name = asyncio.current_task().get_name()
    place = f"{name} waits at test_clock_hangs.py:{line} in _gather_of_two_waits"
    assert str(caught.value) == STALLED.format(seconds="0.000", words=place)


@pytest.mark.asyncio
async def test_a_description_that_fails_does_not_hide_the_hang(clock):
    clock.describe = lambda: str(1 / 0)
    with pytest.raises(Stalled) as caught, clock:
        await asyncio.get_running_loop().create_future()
    assert "; describe() raised ZeroDivisionError: division by zero; if a thread" in str(caught.value)


@pytest.mark.asyncio
async def test_the_place_of_the_hang_is_the_cause(clock):
    with pytest.raises(Stalled) as caught, clock:
        await _event_nobody_sets()
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


@pytest.mark.asyncio
async def test_a_small_jump_is_not_explained(clock):
    asked = []
    clock.describe = lambda: asked.append(1) or WORDS
    with clock:
        await asyncio.sleep(0.9)
        assert (asked, clock.explanation, clock.last_jump) == ([], "", 0.9)
        await asyncio.sleep(1.1)
        assert (len(asked), clock.last_jump) == (1, 1.1)


@pytest.mark.asyncio
async def test_how_far_a_jump_must_be_can_be_set(clock):
    clock.notice_after = 600
    with clock:
        await asyncio.sleep(599)
        assert clock.explanation == ""
        await asyncio.sleep(601)
        assert clock.explanation != ""


@pytest.mark.asyncio
async def test_the_session_may_clean_up_and_the_hang_is_still_told(clock):
    cleaned: list[float] = []

    async def session() -> None:
        try:
            await _event_nobody_sets()
        finally:
            await asyncio.sleep(10)
            cleaned.append(clock.time())

    with pytest.raises(Stalled), clock:
        await session()
    assert cleaned == [10]


@pytest.mark.asyncio
async def test_a_session_that_swallows_the_cancellation_is_still_told(clock):
    async def session() -> None:
        try:
            await _event_nobody_sets()
        except asyncio.CancelledError:
            pass

    with pytest.raises(Stalled), clock:
        await session()
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.asyncio
async def test_a_session_that_ends_otherwise_is_still_told_with_the_other_error_as_cause(clock):
    async def session() -> None:
        try:
            await _event_nobody_sets()
        except asyncio.CancelledError:
            raise ValueError("closed") from None

    with pytest.raises(Stalled) as caught, clock:
        await session()
    assert str(caught.value.__cause__) == "closed"


@pytest.mark.asyncio
async def test_the_keyboard_wins_over_a_hang(clock):
    async def session() -> None:
        try:
            await _event_nobody_sets()
        except asyncio.CancelledError:
            raise SystemExit from None

    with pytest.raises(SystemExit), clock:
        await session()


@pytest.mark.asyncio
async def test_a_clean_up_that_hangs_as_well_is_cancelled_again(clock):
    async def session() -> None:
        try:
            await _event_nobody_sets()
        finally:
            await _event_nobody_sets()

    with pytest.raises(Stalled), clock:
        await session()
    assert asyncio.current_task().cancelling() == 0


def test_a_session_that_can_not_be_cancelled_ends_the_loop_and_leaves_it_clean(clock):
    clock.describe = lambda: WORDS
    stubborn = True

    async def session() -> None:
        with clock:
            while stubborn:
                try:
                    await _event_nobody_sets()
                except asyncio.CancelledError:
                    pass

    loop = asyncio.new_event_loop()
    task = loop.create_task(session())
    try:
        with pytest.raises(Stalled) as caught:
            loop.run_until_complete(task)
        assert "time" not in vars(loop)
        assert "select" not in vars(loop._selector)
        stubborn = False
        task.cancel()
        with pytest.raises(Stalled):
            loop.run_until_complete(task)
    finally:
        loop.close()
    expected = STALLED.format(seconds="0.000", words=WORDS) + " (cancelled 3 times, and it still waits)"
    assert str(caught.value) == expected


@pytest.mark.asyncio
async def test_a_cancellation_from_outside_stays_one(clock):
    async def session() -> None:
        with clock:
            await asyncio.sleep(1000)

    task = asyncio.create_task(session())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_cancellation_from_outside_wins_over_a_hang(clock):
    async def session() -> None:
        with clock:
            try:
                await _event_nobody_sets()
            finally:
                task.cancel()
                await asyncio.sleep(0)

    task = asyncio.create_task(session())
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_threads_that_were_there_before_are_not_waited_for(clock, witness):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with witness() as waits:
            with pytest.raises(Stalled), clock:
                await _event_nobody_sets()
            assert waits == []
    finally:
        done.set()
        thread.join()


@pytest.mark.asyncio
async def test_idle_threads_of_executor_and_anyio_are_not_waited_for(clock, witness):
    async def session() -> None:
        await asyncio.to_thread(int)
        await anyio.to_thread.run_sync(int)
        waits.clear()
        await _event_nobody_sets()

    with witness() as waits:
        with pytest.raises(Stalled), clock:
            await session()
        assert waits == []


@pytest.mark.asyncio
async def test_a_new_thread_gets_a_short_real_grace(clock):
    """The thread answers when the loop has begun to wait for it."""
    loop = asyncio.get_running_loop()
    begun = threading.Event()
    with clock:
        answer = loop.create_future()
        selector_wait = clock._real_select

        def select(timeout):
            if timeout != 0:
                begun.set()
            return selector_wait(timeout)

        clock._real_select = select

        def work():
            begun.wait()
            loop.call_soon_threadsafe(answer.set_result, "done")

        thread = threading.Thread(target=work)
        thread.start()
        assert await answer == "done"
    thread.join()


@pytest.mark.asyncio
async def test_a_new_thread_that_never_answers_is_waited_for_only_shortly(clock, witness):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)

    async def session() -> None:
        thread.start()
        await _event_nobody_sets()

    try:
        with witness() as waits:
            with pytest.raises(Stalled), clock:
                await session()
            assert waits == [0.05]
    finally:
        done.set()
        thread.join()
