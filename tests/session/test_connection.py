"""A connection is left by its owner, bounded, whatever happens to whoever reads it (design D2, D13, D14)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import HANG, AbleClient, Fail, ResultMessage, ScriptedClient, Wait, on_virtual_time, say

from pytest_mala.errors import Divergence
from pytest_mala.session.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def within(
    client: ScriptedClient, work: Callable[[Connection], Awaitable[Any]], session_id: str | None = None
) -> tuple[Any, float]:
    """What `work` answers, and the virtual seconds it took."""

    async def timed() -> tuple[Any, float]:
        result = await work(Connection(client, "do it", session_id))
        return result, asyncio.get_running_loop().time()

    return on_virtual_time(timed)


async def read_all(connection: Connection) -> list[object]:
    await connection.open()
    messages = [message async for message in connection]
    await connection.close()
    return messages


def test_messages_come_in_order_and_the_end_stays_the_end() -> None:
    async def read_twice(connection: Connection) -> list[object]:
        messages = await read_all(connection)
        return [*messages, *[message async for message in connection]]

    client = ScriptedClient([say("a"), ResultMessage()])
    assert within(client, read_twice, "s1") == ([say("a"), ResultMessage()], 0)
    assert client.queries == [("do it", "s1")]
    assert client.calls == ["enter", "query", "exit"]


def test_an_error_of_the_stream_comes_where_it_is_read() -> None:
    async def read(connection: Connection) -> None:
        await connection.open()
        assert await anext(connection) == say("a")
        with pytest.raises(OSError, match="broken"):
            await anext(connection)
        await connection.abandon()

    within(ScriptedClient([say("a"), Fail(OSError("broken"))]), read)


def test_unread_messages_are_handed_over_when_the_turn_is_given_up() -> None:
    async def give_up(connection: Connection) -> list[object]:
        await connection.open()
        await asyncio.sleep(1)
        return await connection.abandon()

    assert within(ScriptedClient([say("a"), Wait(0.5), say("b"), HANG]), give_up) == ([say("a"), say("b")], 1)


def test_leaving_twice_is_leaving_once() -> None:
    async def twice(connection: Connection) -> None:
        await connection.open()
        await connection.close()
        await connection.abandon()

    client = ScriptedClient([ResultMessage()])
    within(client, twice)
    assert client.calls == ["enter", "query", "exit"]


def test_a_connection_that_was_never_opened_can_be_left() -> None:
    assert within(ScriptedClient([]), lambda connection: connection.abandon()) == ([], 0)


def test_a_turn_that_does_not_end_after_its_result_is_drained_for_five_seconds() -> None:
    async def close(connection: Connection) -> None:
        await connection.open()
        assert await anext(connection) == ResultMessage()
        await connection.close()

    client = AbleClient([ResultMessage(), HANG])
    assert within(client, close) == (None, 5)
    assert client.calls == ["enter", "query", "exit"]


def test_a_client_that_does_not_leave_is_terminated() -> None:
    client = AbleClient([ResultMessage()])
    client.hang_at = frozenset({"exit"})
    assert within(client, read_all)[1] == 10
    assert client.calls == ["enter", "query", "exit", "terminate"]


@pytest.mark.parametrize("where", ["enter", "query"])
@pytest.mark.parametrize("error", [OSError("refused"), Divergence("other prompt")])
def test_a_client_that_refuses_is_left_at_once(where: str, error: Exception) -> None:
    async def refused(connection: Connection) -> None:
        with pytest.raises(type(error)):
            await connection.open()

    client = AbleClient([])
    client.fail_at[where] = error
    within(client, refused)
    ends = {"enter": ["enter", "terminate"], "query": ["enter", "query", "disconnect", "terminate", "exit"]}
    assert client.calls == ends[where]


@pytest.mark.parametrize("where", ["enter", "query"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_client_that_is_still_connecting_can_be_left(where: str, after: float) -> None:
    async def cancelled(connection: Connection) -> None:
        task = asyncio.create_task(connection.open())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client = AbleClient([])
    client.hang_at = frozenset({where})
    within(client, cancelled)
    assert client.calls[-1:] in ([], ["terminate"], ["exit"])


def test_a_client_that_fails_to_leave_is_terminated() -> None:
    client = AbleClient([ResultMessage()])
    client.fail_at["exit"] = OSError("gone already")
    within(client, read_all)
    assert client.calls == ["enter", "query", "exit", "terminate"]


def test_the_loops_shutdown_terminates_what_still_hangs() -> None:
    client = AbleClient([HANG])
    client.hang_at = frozenset({"disconnect"})

    async def leave_it_open() -> None:
        connection = Connection(client, "do it", None)
        await connection.open()
        task = asyncio.create_task(connection.abandon())
        for _ in range(20):
            await asyncio.sleep(0)
        assert client.calls[-1] == "disconnect"
        del task

    asyncio.run(leave_it_open())
    assert client.calls[-1] == "terminate"


def test_the_loops_shutdown_leaves_an_open_client() -> None:
    client = AbleClient([HANG])

    async def leave_it_open() -> None:
        connection = Connection(client, "do it", None)
        await connection.open()

    asyncio.run(leave_it_open())
    # an interrupt before that only if the loop did not cancel the drain first
    assert client.calls[-3:] == ["disconnect", "terminate", "exit"]


def test_the_first_harness_error_of_the_clean_up_is_raised_after_it() -> None:
    async def give_up(connection: Connection) -> None:
        await connection.open()
        with pytest.raises(Divergence, match="first"):
            await connection.abandon()

    client = AbleClient([HANG])
    client.fail_at = {"disconnect": Divergence("first"), "exit": Divergence("second")}
    within(client, give_up)
    assert client.calls == ["enter", "query", "interrupt", "disconnect", "terminate", "exit"]


def test_the_stream_is_closed_when_the_turn_is_given_up() -> None:
    closed: list[str] = []

    class Careful(ScriptedClient):
        async def receive_response(self) -> Any:
            try:
                yield say("a")
                await asyncio.sleep(1e6)
            finally:
                closed.append("stream")

    class Refusing(ScriptedClient):
        """Its stream stands still at a yield when reading fails, and is only closed by whoever reads it."""

        def receive_response(self) -> Any:
            inner = super().receive_response()

            class Messages:
                def __aiter__(self) -> Any:
                    return self

                async def __anext__(self) -> object:
                    raise OSError("broken")

                async def aclose(self) -> None:
                    closed.append("refusing")
                    await inner.aclose()

            return Messages()

    async def give_up(connection: Connection) -> None:
        await connection.open()
        await asyncio.sleep(1)
        await connection.abandon()

    within(Careful([]), give_up)
    within(Refusing([]), give_up)
    assert closed == ["stream", "refusing"]


def test_an_owner_that_is_cancelled_while_connecting_cancels_the_opener() -> None:
    async def cancel_the_owner(connection: Connection) -> None:
        opening = asyncio.create_task(connection.open())
        await asyncio.sleep(1)
        [owner] = [task for task in asyncio.all_tasks() if task.get_name() == "session connection"]
        owner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    client = AbleClient([])
    client.hang_at = frozenset({"enter"})
    within(client, cancel_the_owner)
    assert client.calls == ["enter", "terminate"]


def test_a_stream_needs_no_aclose() -> None:
    class Plain(ScriptedClient):
        def receive_response(self) -> Any:
            class Messages:
                left = [ResultMessage()]  # noqa: RUF012 - one use only

                def __aiter__(self) -> Any:
                    return self

                async def __anext__(self) -> object:
                    if not self.left:
                        raise StopAsyncIteration
                    return self.left.pop()

            return Messages()

    assert within(Plain([]), read_all)[0] == [ResultMessage()]


# What the clean-up bears, and what it says


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "pytest_mala.session.connection"]


def test_every_step_that_fails_is_named_and_hinders_none(caplog: pytest.LogCaptureFixture) -> None:
    class Silent:
        """A stream that says nothing and can't be closed."""

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> object:
            return await asyncio.sleep(1e6)

        async def aclose(self) -> None:
            raise OSError("aclose")

    class Broken(AbleClient):
        def receive_response(self) -> Any:
            return Silent()

        def terminate(self) -> None:
            super().terminate()
            raise OSError("terminate")

    async def give_up(connection: Connection) -> None:
        await connection.open()
        await asyncio.sleep(1)
        await connection.abandon()

    client = Broken([])
    client.fail_at = {step: OSError(step) for step in ("interrupt", "disconnect", "exit")}
    caplog.set_level("DEBUG", "pytest_mala.session")
    assert within(client, give_up)[1] == 1 + 5
    assert client.calls == ["enter", "query", "interrupt", "disconnect", "terminate", "exit", "terminate"]
    assert logged(caplog) == [
        ("DEBUG", "the client failed at interrupt: OSError('interrupt')"),
        ("DEBUG", "the client failed at closing the stream: OSError('aclose')"),
        ("DEBUG", "the client failed at disconnect: OSError('disconnect')"),
        ("DEBUG", "the client failed at terminate: OSError('terminate')"),
        ("DEBUG", "the client failed at leaving: OSError('exit')"),
        ("DEBUG", "the client failed at terminate: OSError('terminate')"),
    ]


def test_a_stream_that_can_not_be_closed_is_left_after_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    class Ended:
        """A stream that is over, and whose close hangs."""

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> object:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            await asyncio.sleep(1e6)

    class Sticky(ScriptedClient):
        def receive_response(self) -> Any:
            return Ended()

    assert within(Sticky([]), read_all) == ([], 5)
    assert logged(caplog) == [("WARNING", "the client did not finish closing the stream within 5 s")]


def test_a_stream_that_ignores_its_cancellation_is_left_after_five_seconds() -> None:
    class Deaf(ScriptedClient):
        async def receive_response(self) -> Any:
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                await asyncio.sleep(8)
            for message in ():
                yield message

    async def give_up(connection: Connection) -> float:
        await connection.open()
        await asyncio.sleep(1)
        await connection.abandon()
        left = asyncio.get_running_loop().time()
        await asyncio.sleep(10)  # for the stream's own end
        return left

    assert within(Deaf([]), give_up)[0] == 1 + 5


def test_a_client_needs_nothing_but_the_members_that_are_used() -> None:
    class Bare:
        """One that takes leaving at its word, and has no `disconnect`."""

        calls: list[str] = []  # noqa: RUF012 - one use only

        async def __aenter__(self) -> object:
            return self

        async def __aexit__(self, kind: None, error: None, trace: None) -> None:
            self.calls.append("exit")

        async def query(self, prompt: str) -> None:
            self.calls.append(f"query {prompt}")

        def receive_response(self) -> Any:
            return ScriptedClient([HANG]).receive_response()

    async def give_up(connection: Connection) -> list[object]:
        assert connection.is_connected is False
        await connection.open()
        assert connection.is_connected is True
        return await connection.abandon()

    assert within(Bare(), give_up) == ([], 0)  # type: ignore[arg-type]
    assert Bare.calls == ["query do it", "exit"]


def test_the_tasks_of_a_connection_have_names() -> None:
    async def look(connection: Connection) -> set[str]:
        await connection.open()
        names = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        await connection.abandon()
        return names

    assert within(ScriptedClient([HANG]), look)[0] == {"session connection", "session drain"}
