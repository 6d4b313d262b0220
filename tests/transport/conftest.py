"""Fixtures of the transport tests."""

from __future__ import annotations

import pytest
from transport_tapes import START, Tape

from pytest_mala.clock import VirtualClock


@pytest.fixture
def tape() -> Tape:
    """An empty tape to write on."""
    return Tape()


@pytest.fixture
def clock() -> VirtualClock:
    """A virtual clock that leaves the wall clock alone."""
    return VirtualClock(START, frozen=False)
