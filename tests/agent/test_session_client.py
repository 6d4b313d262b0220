"""The client of a session: a tree that can't be taken at a turn's end is trouble of ours, never an outcome."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mala.agent.client import ControlTimeoutError, SDKClients
from pytest_mala.errors import WorkspaceError

pytestmark = pytest.mark.asyncio


class Wire:
    """A transport that answers nothing, and may refuse to close."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    async def connect(self) -> None:
        pass

    async def write(self, data: str) -> None:
        pass

    async def read_messages(self) -> Any:
        for message in ():
            yield message

    async def close(self) -> None:
        if self.fails:
            raise OSError("can't close")

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        pass


class Tape:
    """Counts the turns that ended."""

    def __init__(self, wire: Wire, error: Exception | None = None) -> None:
        self.wire, self.error, self.ended = wire, error, 0

    def connection(self, purpose: str, options: Any) -> Any:
        return self.wire

    def decide(self, what: str) -> None:
        pass

    def turn_ended(self) -> None:
        self.ended += 1
        if self.error is not None:
            raise self.error


def client(tape: Tape) -> Any:
    clients = SDKClients(tape, settings={"model": "sonnet"}, overrides={"model": "opus"})
    options = clients.create_options(cwd="/")
    assert options.model == "opus"  # type: ignore[attr-defined]
    return clients.create(options)


async def test_a_tree_that_can_not_be_taken_is_no_outcome_of_the_session() -> None:
    with pytest.raises(WorkspaceError) as caught:
        await client(Tape(Wire(), OSError("disk full"))).__aexit__(None, None, None)
    assert str(caught.value) == ("the tree at the end of a turn could not be captured or restored: OSError: disk full")


async def test_a_control_request_without_an_answer_is_told_in_words() -> None:
    from datetime import UTC, datetime

    from pytest_mala.clock import VirtualClock

    class Silent(Wire):
        async def read_messages(self) -> Any:
            import asyncio

            await asyncio.Event().wait()
            yield {}

    with VirtualClock(datetime(2026, 1, 1, tzinfo=UTC), frozen=False), pytest.raises(ControlTimeoutError) as caught:
        await client(Tape(Silent())).__aenter__()
    assert str(caught.value) == "the CLI did not answer the control request initialize within 60 s"
