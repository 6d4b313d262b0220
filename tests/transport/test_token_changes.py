"""Whatever one token of what an application said is changed to: its replay is a divergence, nothing else."""

from __future__ import annotations

import copy
import logging
import random
from collections import Counter
from functools import cache
from typing import Any

import app_take
import pytest
from token_changes import Token, changed, choose, tokens

from pytest_mala.errors import Divergence
from pytest_mala.transport.cassette import dump
from pytest_mala.transport.cassette.schema import to_cassette
from pytest_mala.transport.cassette.strict import load
from pytest_mala.transport.wellformed import TakeError


@cache
def data() -> dict[str, Any]:
    found: dict[str, Any] = load(dump(app_take.recorded()), "app.yaml")
    return found


def slipped(number: int, token: Token) -> str:
    """What was not noticed; empty if the change is a divergence that names its place."""
    rng = random.Random(number)
    made = copy.deepcopy(data())
    before, after = changed(made["interactions"], token, rng)
    said = f"seed {number}: {token}: {before!r} -> {after!r}"
    try:
        app_take.replay(to_cassette(made).takes[0].interactions)
    except Divergence as error:
        return "" if str(error).startswith("cassettes/app.yaml: connection ") else f"{said}\n  {error}"
    except TakeError as error:
        return f"{said}\n  {error}" if token.is_text else ""  # what can't be played at all is told before the session
    except Exception as error:
        return f"{said}\n  {type(error).__name__}: {error}"
    return f"{said}\n  passed"


def test_the_application_says_something_of_each_kind() -> None:
    kinds = Counter(token.kind for token in tokens(data()["interactions"]))
    assert set(kinds) == {
        "answer to can_use_tool",
        "answer to hook_callback",
        "answer to mcp_message",
        "control request",
        "option",
        "prompt",
        "purpose",
        "session",
    }
    assert min(kinds.values()) > 1
    app_take.replay(to_cassette(data()).takes[0].interactions)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's reader logs each divergence as an error."""
    caplog.set_level(logging.CRITICAL, "claude_agent_sdk._internal.query")


def check(count: int, seed: int) -> None:
    chosen = choose({"app": [*tokens(data()["interactions"])]}, count, random.Random(seed))
    found = [slip for number, (_, token) in enumerate(chosen) if (slip := slipped(seed + number, token))]
    assert not found, f"{len(found)} of {count}:\n" + "\n".join(found)


@pytest.mark.usefixtures("quiet")
def test_some_changes_are_divergences() -> None:
    check(60, seed=1)


@pytest.mark.stress
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", range(1000, 9000, 1000))
def test_many_changes_are_divergences(seed: int) -> None:
    check(250, seed)
