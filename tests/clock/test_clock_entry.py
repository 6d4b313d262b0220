"""Entering and leaving a clock: what is refused, and that nothing is left on the loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_mala.clock import Clock, RealClock, VirtualClock
from pytest_mala.errors import UsageError

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _left_behind() -> set[str]:
    loop: Any = asyncio.get_running_loop()
    shadows = {"time", "run_in_executor", "_make_subprocess_transport"} & vars(loop).keys()
    return shadows | ({"select"} & vars(loop._selector).keys())


@pytest.mark.asyncio
async def test_nothing_is_left_on_the_loop(clock):
    loop = asyncio.get_running_loop()
    before = loop.time()
    with clock:
        assert _left_behind() == {"time", "run_in_executor", "_make_subprocess_transport", "select"}
        await asyncio.sleep(1000)
    assert _left_behind() == set()
    assert before <= loop.time() < before + 100
    assert loop._clock_resolution == time.get_clock_info("monotonic").resolution


@pytest.mark.asyncio
async def test_nothing_is_left_on_the_loop_after_an_error(frozen_clock):
    real = datetime.now(UTC)
    with pytest.raises(ZeroDivisionError), frozen_clock:
        await asyncio.sleep(1 / 0)
    assert _left_behind() == set()
    assert datetime.now(UTC) >= real


@pytest.mark.asyncio
async def test_attributes_that_were_shadowed_before_come_back(clock, witness):
    loop: Any = asyncio.get_running_loop()
    with witness():
        watched = loop._selector.select
        with clock:
            await asyncio.sleep(1)
        assert loop._selector.select is watched


@pytest.mark.asyncio
async def test_a_second_entry_starts_anew(clock):
    for _ in range(2):
        with clock:
            assert (clock.time(), clock.now(), clock.explanation, clock.last_jump) == (0, START, "", 0)
            await asyncio.sleep(30)
            assert clock.explanation
    assert clock.elapsed == 30


@pytest.mark.asyncio
async def test_the_same_clock_twice_is_refused(clock):
    with clock:
        with pytest.raises(UsageError) as caught, clock:
            pass
        await asyncio.sleep(5)
        assert clock.time() == 5
    assert str(caught.value) == "this virtual clock runs already; leave it before you enter it again"
    assert _left_behind() == set()


@pytest.mark.asyncio
async def test_a_second_clock_on_the_loop_is_refused(clock):
    with clock:
        with pytest.raises(UsageError) as caught, VirtualClock(START, frozen=False):
            pass
        await asyncio.sleep(5)
    assert clock.elapsed == 5
    assert str(caught.value) == "another virtual clock runs on this loop; a loop has one time, so share that clock"


def test_outside_of_a_loop_it_is_refused(clock):
    with pytest.raises(UsageError) as caught, clock:
        pass
    assert str(caught.value) == "a virtual clock is entered by a task of a running event loop; use it in a coroutine"


@pytest.mark.asyncio
async def test_a_callback_can_not_enter(clock):
    errors: asyncio.Queue[str] = asyncio.Queue()

    def enter() -> None:
        try:
            clock.__enter__()
        except UsageError as error:
            errors.put_nowait(str(error))

    asyncio.get_running_loop().call_soon(enter)
    assert await errors.get() == ("a virtual clock is entered by a task of a running event loop; use it in a coroutine")


class _LoopWithoutSelector(asyncio.SelectorEventLoop):
    """What uvloop looks like from outside."""

    hidden = False

    def __getattribute__(self, name: str) -> Any:
        if name == "_selector" and object.__getattribute__(self, "hidden"):
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_a_loop_without_a_selector_is_refused_with_a_remedy(clock):
    async def enter() -> None:
        loop = asyncio.get_running_loop()
        loop.hidden = True
        try:
            with clock:
                pass
        finally:
            loop.hidden = False

    with asyncio.Runner(loop_factory=_LoopWithoutSelector) as runner, pytest.raises(UsageError) as caught:
        runner.run(enter())
    assert str(caught.value) == (
        f"the running loop, {__name__}._LoopWithoutSelector, has no selector, so its time can't be virtual; run these "
        "tests on asyncio's: let `pytest_asyncio_loop_factories` in conftest.py return "
        '{"asyncio": asyncio.SelectorEventLoop} for items with the `mala` mark'
    )


def test_a_start_without_a_zone_is_refused():
    with pytest.raises(UsageError) as caught:
        VirtualClock(datetime(2026, 3, 1, 12))  # noqa: DTZ001
    assert str(caught.value) == (
        "virtual clock: expected a start with a time zone, got 2026-03-01 12:00:00; add tzinfo=datetime.UTC"
    )


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf"), 1e12])
@pytest.mark.parametrize("kind", [RealClock, lambda: VirtualClock(START)])
def test_a_recorded_length_that_can_not_be_is_refused(kind, seconds):
    with pytest.raises(UsageError) as caught, kind().stand(seconds):
        pass
    expected = f"clock.stand: expected recorded seconds from 0 to a century, or None, got {seconds!r}"
    assert str(caught.value) == expected


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("entry", [1, 2])
async def test_a_loop_that_outlives_the_test_can_be_used_again(clock, entry):
    with clock:
        await asyncio.sleep(100)
        assert await asyncio.to_thread(lambda: entry) == entry
    assert clock.elapsed >= 100
    assert _left_behind() == set()


@pytest.mark.asyncio
async def test_the_real_clock_is_the_same_interface():
    clock: Clock = RealClock()
    assert clock.elapsed == 0
    with clock:
        assert clock.now().tzinfo is UTC
        before = clock.time()
        with clock.hold(), clock.stand(1000), clock.stand(None):
            await asyncio.sleep(0)
        assert 0 <= clock.time() - before < 100
        assert 0 < clock.elapsed < 100
        assert (clock.explanation, clock.last_jump) == ("", 0)
    virtual: Clock = VirtualClock(START)
    virtual.describe = clock.describe = lambda: "a frame"


def test_importing_the_clock_does_not_import_freezegun_or_anyio():
    code = "import sys, pytest_mala.clock; print({'freezegun', 'anyio', 'pytest'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
