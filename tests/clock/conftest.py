"""Fixtures for the clock's tests: a virtual clock with a fixed start, and a witness for real waiting."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    """Not frozen, so that a test sees nothing but the loop."""
    return VirtualClock(START, frozen=False)


@pytest.fixture
def frozen_clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def witness() -> Callable[[], AbstractContextManager[list[float | None]]]:
    """Stands below the clock, at the selector: lists every timeout with which the loop really waited."""

    @contextmanager
    def watch() -> Iterator[list[float | None]]:
        selector: Any = asyncio.get_running_loop()._selector
        select, waits = selector.select, []

        def watched(timeout: float | None = None) -> Any:
            if timeout != 0:
                waits.append(timeout)
            return select(timeout)

        selector.select = watched
        try:
            yield waits
        finally:
            del selector.select

    return watch
