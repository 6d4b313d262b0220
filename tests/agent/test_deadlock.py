"""Deadlocks among agents that lock files: rows D1-D10 of session:7, and the corrections of session:X13."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from pytest_mala.agent.deadlock import (
    AgentInfo,
    DeadlockInfo,
    DeadlockMonitor,
    LockEvent,
    LockEventType,
    WaitForGraph,
)
from pytest_mala.session.protocols import DeadlockInfoProtocol

ACQUIRED, WAITING, RELEASED, WITHDRAWN = LockEventType


def graph(holds: str = "", waits: str = "") -> WaitForGraph:
    """`graph("A:1 B:2", "A:2")`: A holds lock 1, B holds 2, and A waits for 2."""
    made = WaitForGraph()
    for pair in holds.split():
        made.add_hold(*pair.split(":"))
    for pair in waits.split():
        made.add_wait(*pair.split(":"))
    return made


class Told:
    """A monitor with the agents of `ages` (id to start time), and what it told."""

    def __init__(self, **ages: float) -> None:
        self.monitor = DeadlockMonitor()
        self.calls: list[DeadlockInfo] = []
        self.monitor.on_deadlock = self.calls.append
        for agent, start in ages.items():
            self.monitor.register_agent(agent, f"issue-{agent}", start)

    def feed(self, kind: LockEventType, *pairs: str) -> list[DeadlockInfo | None]:
        return [self.one(kind, *pair.split(":")) for pair in pairs]

    def one(self, kind: LockEventType, agent: str, lock: str) -> DeadlockInfo | None:
        return asyncio.run(self.monitor.handle_event(LockEvent(kind, agent, lock, 1.0)))


def two_that_wait(**ages: float) -> tuple[Told, DeadlockInfo | None]:
    told = Told(**ages)
    told.feed(ACQUIRED, "A:1", "B:2")
    return told, told.feed(WAITING, "A:2", "B:1")[-1]


# The graph


@pytest.mark.parametrize(
    ("holds", "waits"),
    [("", ""), ("A:1", ""), ("", "A:1"), ("A:1", "B:1"), ("A:1 B:2", "A:3 B:1"), ("A:1 B:2", "A:2")],
)
def test_d1_no_cycle(holds: str, waits: str) -> None:
    assert graph(holds, waits).detect_cycle() is None


@pytest.mark.parametrize(
    ("holds", "waits", "cycle"),
    [
        ("A:1 B:2", "A:2 B:1", ["A", "B"]),
        ("A:1 B:2 C:3", "A:2 B:3 C:1", ["A", "B", "C"]),
        ("B:2 C:3", "A:2 B:3 C:2", ["B", "C"]),
        ("A:1 B:2", "B:1 A:2", ["B", "A"]),
    ],
)
def test_d2_cycles_begin_at_the_agent_that_is_met_again(holds: str, waits: str, cycle: list[str]) -> None:
    assert graph(holds, waits).detect_cycle() == cycle


def test_d2_cycles_of_others_are_found_too() -> None:
    assert graph("A:1 B:2 C:3 D:4", "A:2 B:1 C:4 D:3 E:4").cycles() == [["A", "B"], ["C", "D"]]


def test_d3_acquiring_ends_the_wait_for_that_lock_only() -> None:
    made = graph("", "A:1 B:9")
    made.add_hold("A", "1")
    made.add_hold("B", "2")
    assert (made.get_waited_lock("A"), made.get_waited_lock("B")) == (None, "9")


def test_d4_holders_are_replaced_released_and_removed(caplog: pytest.LogCaptureFixture) -> None:
    made = graph("A:1 A:2 B:3", "A:3")
    made.add_hold("B", "1")
    made.remove_hold("B", "2")
    made.remove_hold("A", "none")
    assert [made.get_holder(lock) for lock in ("1", "2", "3", "none")] == ["B", "A", "B", None]
    made.remove_hold("B", "1")
    made.remove_agent("A")
    made.remove_agent("nobody")
    assert [made.get_holder(lock) for lock in ("1", "2", "3")] == [None, None, "B"]
    assert made.get_waited_lock("A") is None
    assert caplog.messages == [
        "B has the lock 1, which A was known to hold",
        "B gave back the lock 2, which it does not hold: ignored",
        "A gave back the lock none, which it does not hold: ignored",
    ]


def test_a_lock_taken_twice_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    made = graph("A:1 A:1", "B:1 B:1")
    assert (made.get_holder("1"), made.get_waited_lock("B"), caplog.messages) == ("A", "1", [])


def test_an_agent_waits_for_one_lock(caplog: pytest.LogCaptureFixture) -> None:
    made = graph("A:1 B:2 C:3", "A:2 B:9 A:3 C:1")
    assert (made.get_waited_lock("A"), made.detect_cycle()) == ("3", ["A", "C"])
    assert caplog.messages == ["A waits for the lock 3, and no longer for 2"]


def test_x13_waiting_for_an_own_lock_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    made = graph("A:1", "A:2 A:1")
    assert (made.get_waited_lock("A"), made.detect_cycle()) == ("2", None)
    assert caplog.messages == ["A waits for the lock 1, which it holds: ignored"]


def test_x13_a_wait_can_be_taken_back() -> None:
    made = graph("A:1 B:2", "A:2 B:1")
    made.remove_wait("A", "other")
    assert made.detect_cycle() == ["A", "B"]
    made.remove_wait("A", "2")
    made.remove_wait("A", "2")
    assert (made.detect_cycle(), made.get_waited_lock("A"), made.get_waited_lock("B")) == (None, None, "1")


# The monitor


def test_values_have_the_contract_s_order_and_fit_the_protocol() -> None:
    assert [kind.value for kind in LockEventType] == ["acquired", "waiting", "released", "withdrawn"]
    event = LockEvent(ACQUIRED, "A", "/x", 2.5)
    assert (event.event_type, event.agent_id, event.lock_path, event.timestamp) == (ACQUIRED, "A", "/x", 2.5)
    assert AgentInfo("A", None, 1.0) == AgentInfo(agent_id="A", issue_id=None, start_time=1.0)
    assert isinstance(DeadlockInfo(["A"], "A", None, "/x", "B", None), DeadlockInfoProtocol)
    assert DeadlockMonitor().on_deadlock is None


def test_d5_only_waiting_tells() -> None:
    told = Told(A=1, B=2)
    assert told.feed(ACQUIRED, "A:1", "B:2") == [None, None]
    assert told.feed(WAITING, "A:2") == [None]
    assert told.feed(RELEASED, "B:2") == [None]
    assert told.feed(WITHDRAWN, "A:2") == [None]
    assert told.calls == []


def test_d6_d9_the_youngest_gives_way_and_is_told_once() -> None:
    told, found = two_that_wait(A=10, B=5)
    assert found == DeadlockInfo(["A", "B"], "A", "issue-A", "2", "B", "issue-B")
    assert len(told.calls) == 1
    assert told.calls[0] is found


def test_d7_an_agent_that_has_gone_waits_for_nobody() -> None:
    told = Told(A=1, B=2)
    told.feed(ACQUIRED, "A:1", "B:2")
    told.feed(WAITING, "A:2")
    told.monitor.unregister_agent("A")
    told.monitor.unregister_agent("A")
    assert told.feed(WAITING, "B:1") == [None]


def test_d8_agents_may_have_no_issue() -> None:
    told = Told()
    for agent, start in (("A", 1), ("B", 2)):
        told.monitor.register_agent(agent, None, start)
    told.feed(ACQUIRED, "A:1", "B:2")
    found = told.feed(WAITING, "A:2", "B:1")[-1]
    assert found == DeadlockInfo(["A", "B"], "B", None, "1", "A", None)


def test_d9_a_coroutine_is_awaited_and_nothing_else() -> None:
    heard: list[Any] = []

    async def later(info: DeadlockInfo) -> None:
        await asyncio.sleep(0)
        heard.append(info)

    told = Told(A=1, B=2)
    told.monitor.on_deadlock = later
    told.feed(ACQUIRED, "A:1", "B:2")
    found = told.feed(WAITING, "A:2", "B:1")[-1]
    assert heard == [found]

    class Never:
        def __await__(self) -> Any:
            raise AssertionError("only coroutines are awaited")

    other, _ = two_that_wait(A=1, B=2)
    other.feed(WITHDRAWN, "B:1")
    other.monitor.on_deadlock = lambda info: Never()
    assert other.feed(WAITING, "B:1") != [None]


def test_d9_without_a_callback_it_is_still_returned() -> None:
    told = Told(A=1, B=2)
    told.monitor.on_deadlock = None
    told.feed(ACQUIRED, "A:1", "B:2")
    assert told.feed(WAITING, "A:2", "B:1")[-1] is not None


def test_what_a_callback_raises_passes() -> None:
    def broken(info: DeadlockInfo) -> None:
        raise RuntimeError(f"can't stop {info.victim_id}")

    told = Told(A=1, B=2)
    told.monitor.on_deadlock = broken
    told.feed(ACQUIRED, "A:1", "B:2")
    with pytest.raises(RuntimeError, match=r"^can't stop B$"):
        told.feed(WAITING, "A:2", "B:1")


def test_d10_the_first_of_equals_gives_way() -> None:
    _, found = two_that_wait(A=5, B=5)
    assert found is not None
    assert (found.cycle, found.victim_id) == (["A", "B"], "A")


def test_d10_only_a_registered_agent_gives_way(caplog: pytest.LogCaptureFixture) -> None:
    _, found = two_that_wait(A=1)
    assert found == DeadlockInfo(["A", "B"], "A", "issue-A", "2", "B", None)
    assert caplog.messages == ["lock event of the unknown agent B"] * 2
    told, found = two_that_wait()
    assert (found, told.calls) == (None, [])


def test_d10_a_deadlock_of_unknown_agents_is_told_when_one_becomes_known() -> None:
    told, _ = two_that_wait()
    told.monitor.register_agent("A", "issue-A", 1)
    found = told.feed(WAITING, "X:9")[-1]
    assert found is not None
    assert found.victim_id == "A"


def test_x13_a_deadlock_is_told_once_while_it_lasts() -> None:
    told, _ = two_that_wait(A=1, B=2, C=3)
    assert told.feed(WAITING, "C:1", "B:1", "A:2") == [None, None, None]
    assert len(told.calls) == 1


@pytest.mark.parametrize(
    ("over", "again"),
    [
        ((WITHDRAWN, "B:1"), ()),
        ((RELEASED, "A:1"), ((ACQUIRED, "A:1"),)),
        ((WAITING, "B:9"), ()),
    ],
)
def test_x13_a_deadlock_that_comes_again_is_told_again(over: Any, again: Any) -> None:
    told, first = two_that_wait(A=1, B=2)
    told.feed(*over)
    for event in again:
        told.feed(*event)
    assert told.feed(WAITING, "B:1") == [first]
    assert len(told.calls) == 2


def test_x13_a_victim_that_has_gone_and_comes_back_is_a_new_deadlock() -> None:
    told, first = two_that_wait(A=1, B=2)
    told.monitor.unregister_agent("B")
    told.monitor.register_agent("B", "issue-B", 2)
    told.feed(ACQUIRED, "B:2")
    assert told.feed(WAITING, "B:1") == [first]


def test_x13_a_wait_that_was_given_up_makes_no_false_deadlock() -> None:
    told = Told(A=1, B=2)
    told.feed(ACQUIRED, "A:1", "B:2")
    told.feed(WAITING, "A:2")
    told.feed(WITHDRAWN, "A:2")
    assert told.feed(WAITING, "B:1") == [None]


def test_x13_waiting_for_an_own_lock_is_no_deadlock() -> None:
    told = Told(A=1)
    told.feed(ACQUIRED, "A:1")
    assert told.feed(WAITING, "A:1") == [None]


def test_every_new_deadlock_is_told_and_the_first_is_returned() -> None:
    """One that began when a lock was taken is found by the next agent that waits."""
    told = Told(A=1, B=2, C=3, D=4)
    told.feed(ACQUIRED, "A:1", "C:3", "D:4")
    told.feed(WAITING, "A:2", "B:1", "C:4")
    told.feed(ACQUIRED, "B:2")
    assert told.calls == []
    found = told.feed(WAITING, "D:3")[-1]
    assert found is told.calls[0]
    assert [info.cycle for info in told.calls] == [["A", "B"], ["C", "D"]]


def test_the_monitor_only_warns_through_its_logger(caplog: pytest.LogCaptureFixture) -> None:
    Told().feed(RELEASED, "A:1")
    assert {record.name for record in caplog.records} == {"pytest_mala.agent.deadlock"}
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
