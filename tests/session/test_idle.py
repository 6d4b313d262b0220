"""The idle stream: rows S1-S4 of session:3 and the derivation R7."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import on_virtual_time

from pytest_mala.session.idle import IdleTimeoutError, IdleTimeoutStream, idle_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def slow(*gaps: float) -> AsyncIterator[int]:
    for number, seconds in enumerate(gaps):
        await asyncio.sleep(seconds)
        yield number


def read(stream: IdleTimeoutStream[Any]) -> list[Any]:
    async def collect() -> list[Any]:
        return [message async for message in stream]

    return on_virtual_time(collect)


def test_s1_messages_in_time_pass_unchanged() -> None:
    assert read(IdleTimeoutStream(slow(4, 4, 4), 5, set())) == [0, 1, 2]


def test_s2_silence_raises_with_the_rounded_timeout_and_its_cause() -> None:
    with pytest.raises(IdleTimeoutError, match="idle for 0 seconds") as caught:
        read(IdleTimeoutStream(slow(1), 0.01, set()))
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert not isinstance(caught.value, TimeoutError)


def test_s3_pending_tools_switch_the_timeout_off_until_the_next_message() -> None:
    pending = {"t1"}

    async def tools() -> AsyncIterator[int]:
        await asyncio.sleep(100)
        pending.clear()
        yield 1
        await asyncio.sleep(100)
        yield 2

    stream = IdleTimeoutStream(tools(), 5, pending)
    seen: list[int] = []

    async def collect() -> None:
        async for message in stream:
            seen.append(message)  # noqa: PERF401 - it raises before the end

    with pytest.raises(IdleTimeoutError):
        on_virtual_time(collect)
    assert seen == [1]


def test_s4_none_never_fires() -> None:
    assert read(IdleTimeoutStream(slow(1e6), None, set())) == [0]


def test_zero_gives_up_at_once_even_on_a_message_that_is_there() -> None:
    async def ready() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(IdleTimeoutError, match="idle for 0 seconds"):
        read(IdleTimeoutStream(ready(), 0.0, set()))
    assert read(IdleTimeoutStream(slow(0.3), 0.5, set())) == [0]


@pytest.mark.parametrize(
    ("timeout", "pending", "error"),
    [(5.0, set(), IdleTimeoutError), (5.0, {"t"}, IdleTimeoutError), (None, set(), TimeoutError)],
)
def test_the_inner_streams_own_timeout_is_told_as_idle_where_a_timeout_is_set(
    timeout: float | None, pending: set[str], error: type
) -> None:
    async def broken() -> AsyncIterator[int]:
        raise TimeoutError("inner")
        yield 1

    with pytest.raises(error):
        read(IdleTimeoutStream(broken(), timeout, pending))


def test_the_stream_is_its_own_iterator() -> None:
    stream = IdleTimeoutStream(slow(), 1, set())
    assert aiter(stream) is stream


@pytest.mark.parametrize(
    ("configured", "timeout", "seconds"),
    [
        (None, 3000, 600),
        (None, 600, 300),
        (None, 6000, 900),
        (0, 3000, None),
        (-1, 3000, None),
        (0.5, 3000, 0.5),
        (42.5, 3000, 42.5),
    ],
)
def test_r7_the_idle_timeout_is_derived(configured: float | None, timeout: float, seconds: float | None) -> None:
    assert idle_seconds(configured, timeout) == seconds
