"""A spoilt take of an application with hooks, permissions and MCP tools replays to what it tells, or is refused."""

from __future__ import annotations

import logging
import random
from functools import cache
from typing import Any

import app_take
import pytest
from fuzzed_cassettes import spoilt_data

from pytest_mala.clock import Stalled
from pytest_mala.errors import Divergence
from pytest_mala.transport.cassette import dump
from pytest_mala.transport.cassette.schema import SchemaError, to_cassette
from pytest_mala.transport.cassette.strict import load
from pytest_mala.transport.wellformed import TakeError


@cache
def text() -> str:
    return dump(app_take.recorded())


def new_data() -> dict[str, Any]:
    found: dict[str, Any] = load(text(), "app.yaml")
    return found


def judged(seed: str) -> str:
    """What is wrong about how a spoilt take was played; empty if nothing is."""
    what, data = spoilt_data(new_data(), new_data(), random.Random(seed))
    said = f"seed {seed}: {what:.500}"
    try:
        take = to_cassette(data).takes[0]
        heard = app_take.replay(take.interactions)
    except (Divergence, TakeError, SchemaError) as error:
        return "" if str(error) else f"{said}\n  no words"
    except Exception as error:
        return "" if is_of_the_sdk(error) else f"{said}\n  {type(error).__name__}: {error}"
    told = [*app_take.told(take.interactions)]
    return "" if is_told(heard, told) else f"{said}\n  the take tells {told!s:.2000}\n  and the run {heard!s:.2000}"


def is_told(heard: list[Any], told: list[tuple[bool, Any]]) -> bool:
    """All that must come has come, in order; what came besides is trailing, and stands in its place."""
    left = iter(heard)
    now = next(left, None)
    for must_come, one in told:
        if one == now:
            now = next(left, None)
        elif must_come:
            return False
    return now is None


def is_of_the_sdk(error: Exception) -> bool:
    """What the SDK makes of a frame that no CLI sends, or of an answer that never comes; or that the application waits
    for ever, which is told at once.
    """
    return (
        isinstance(error, Stalled) or type(error).__module__.startswith("claude_agent_sdk") or type(error) is Exception
    )


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's reader logs each divergence as an error."""
    caplog.set_level(logging.CRITICAL, "claude_agent_sdk._internal.query")


def check(count: int, seed: int) -> None:
    found = [wrong for number in range(count) if (wrong := judged(f"{seed}.{number}"))]
    assert not found, f"{len(found)} of {count}:\n" + "\n".join(found)


@pytest.mark.usefixtures("quiet")
def test_some_spoilt_takes() -> None:
    check(40, seed=0)


@pytest.mark.stress
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", range(1, 5))
def test_a_thousand_spoilt_takes(seed: int) -> None:
    check(250, seed)
