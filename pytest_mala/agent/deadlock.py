"""Finds agents that wait for each other's locks, from what they tell of their locks, and names who has to give way.

Pure: it takes no locks and stops nobody. Where the reference was wrong (session:X13): a wait that was given up is taken
back, a cycle is told once for as long as it lasts, and waiting for one's own lock is no deadlock.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AgentInfo",
    "DeadlockCallback",
    "DeadlockInfo",
    "DeadlockMonitor",
    "LockEvent",
    "LockEventType",
    "WaitForGraph",
]

logger = logging.getLogger(__name__)


class LockEventType(Enum):
    """What an agent did with a lock. WITHDRAWN (not of the contract, last): it waits no longer, and has no lock."""

    ACQUIRED = "acquired"
    WAITING = "waiting"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


@dataclass(slots=True)
class LockEvent:
    """One agent and one lock; `timestamp` in seconds, of any clock: it decides nothing."""

    event_type: LockEventType
    agent_id: str
    lock_path: str
    timestamp: float


@dataclass(slots=True)
class DeadlockInfo:
    """Agents that wait for each other, in walking order, and the one that has to give way.

    `blocked_on` is the lock that the victim waits for, `blocker_id` who holds it; issue ids as they were registered.
    """

    cycle: list[str]
    victim_id: str
    victim_issue_id: str | None
    blocked_on: str
    blocker_id: str
    blocker_issue_id: str | None


@dataclass(slots=True)
class AgentInfo:
    """An agent at work; of those in a cycle, the one with the latest `start_time` (seconds) gives way."""

    agent_id: str
    issue_id: str | None
    start_time: float


DeadlockCallback: TypeAlias = Callable[[DeadlockInfo], Awaitable[None] | None]


class WaitForGraph:
    """Who holds which lock, and who waits for which: a lock has one holder, an agent waits for one lock at most."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._waits: dict[str, str] = {}

    def add_hold(self, agent_id: str, lock_path: str) -> None:
        """The agent has the lock, whoever had it before, and waits for it no longer."""
        before = self._holders.get(lock_path)
        if before not in (None, agent_id):
            logger.warning("%s has the lock %s, which %s was known to hold", agent_id, lock_path, before)
        self._holders[lock_path] = agent_id
        self.remove_wait(agent_id, lock_path)

    def add_wait(self, agent_id: str, lock_path: str) -> None:
        """The agent waits for the lock, and no longer for another one; waiting for its own lock changes nothing."""
        if self._holders.get(lock_path) == agent_id:
            logger.warning("%s waits for the lock %s, which it holds: ignored", agent_id, lock_path)
            return
        before = self._waits.get(agent_id)
        if before not in (None, lock_path):
            logger.warning("%s waits for the lock %s, and no longer for %s", agent_id, lock_path, before)
        self._waits[agent_id] = lock_path

    def remove_hold(self, agent_id: str, lock_path: str) -> None:
        """The agent gave the lock back; if it is not the holder nothing changes."""
        if self._holders.get(lock_path) != agent_id:
            logger.warning("%s gave back the lock %s, which it does not hold: ignored", agent_id, lock_path)
            return
        del self._holders[lock_path]

    def remove_wait(self, agent_id: str, lock_path: str) -> None:
        """The agent waits for this lock no longer; a wait for another one stays."""
        if self._waits.get(agent_id) == lock_path:
            del self._waits[agent_id]

    def remove_agent(self, agent_id: str) -> None:
        """The agent is gone, with its wait and all its holds."""
        self._waits.pop(agent_id, None)
        self._holders = {lock: holder for lock, holder in self._holders.items() if holder != agent_id}

    def get_holder(self, lock_path: str) -> str | None:
        """Who has the lock, if anybody."""
        return self._holders.get(lock_path)

    def get_waited_lock(self, agent_id: str) -> str | None:
        """What the agent waits for, if for anything."""
        return self._waits.get(agent_id)

    def detect_cycle(self) -> list[str] | None:
        """The first cycle that is found walking from each waiting agent, in the order in which they began to wait."""
        return next(iter(self.cycles()), None)

    def cycles(self) -> list[list[str]]:
        """All of them; no agent is in two, since each waits for one lock."""
        found: list[list[str]] = []
        walked: set[str] = set()
        for first in self._waits:
            path: list[str] = []
            agent: str | None = first
            while agent is not None and agent not in walked:
                walked.add(agent)
                path.append(agent)
                waited = self._waits.get(agent)
                agent = None if waited is None else self._holders.get(waited)
            if agent in path:
                found.append(path[path.index(agent) :])
        return found


class DeadlockMonitor:
    """Is told of locks, and tells `on_deadlock` of each deadlock, once for as long as it lasts."""

    def __init__(self) -> None:
        self.on_deadlock: DeadlockCallback | None = None
        self._graph = WaitForGraph()
        self._agents: dict[str, AgentInfo] = {}
        self._told: set[frozenset[tuple[str, str | None]]] = set()

    def register_agent(self, agent_id: str, issue_id: str | None, start_time: float) -> None:
        """An agent begins to work; only a registered one can be made to give way."""
        self._agents[agent_id] = AgentInfo(agent_id, issue_id, start_time)

    def unregister_agent(self, agent_id: str) -> None:
        """It is gone, and all its locks with it; an unknown one is no trouble."""
        self._agents.pop(agent_id, None)
        self._graph.remove_agent(agent_id)
        self._forget_what_is_over()

    async def handle_event(self, event: LockEvent) -> DeadlockInfo | None:
        """Keeps what happened; a deadlock that is there when an agent begins to wait is told and returned.

        What `on_deadlock` raises passes; a coroutine that it returns is awaited, nothing else is.
        """
        if event.agent_id not in self._agents:
            logger.warning("lock event of the unknown agent %s", event.agent_id)
        self._keep(event)
        self._forget_what_is_over()
        if event.event_type is not LockEventType.WAITING:
            return None
        found = [info for cycle in self._graph.cycles() if (info := self._new_deadlock(cycle)) is not None]
        for info in found:
            told = self.on_deadlock(info) if self.on_deadlock is not None else None
            if inspect.iscoroutine(told):
                await told
        return found[0] if found else None

    def _keep(self, event: LockEvent) -> None:
        change = {
            LockEventType.ACQUIRED: self._graph.add_hold,
            LockEventType.WAITING: self._graph.add_wait,
            LockEventType.RELEASED: self._graph.remove_hold,
            LockEventType.WITHDRAWN: self._graph.remove_wait,
        }[event.event_type]
        change(event.agent_id, event.lock_path)

    def _edges(self, cycle: Sequence[str]) -> frozenset[tuple[str, str | None]]:
        """The same for one cycle wherever the walk began; another one as soon as somebody waits for something else."""
        return frozenset((agent, self._graph.get_waited_lock(agent)) for agent in cycle)

    def _forget_what_is_over(self) -> None:
        self._told &= {self._edges(cycle) for cycle in self._graph.cycles()}

    def _new_deadlock(self, cycle: list[str]) -> DeadlockInfo | None:
        """Who gives way: the youngest, the first of equals. None if it was told before, or nobody of it is known."""
        edges = self._edges(cycle)
        known = [self._agents[agent] for agent in cycle if agent in self._agents]
        if edges in self._told or not known:
            return None
        self._told.add(edges)
        victim = max(known, key=lambda agent: agent.start_time)
        blocked_on = self._graph.get_waited_lock(victim.agent_id)
        assert blocked_on is not None, "an agent of a cycle waits"
        blocker_id = self._graph.get_holder(blocked_on)
        assert blocker_id is not None, "for a lock that the next one holds"
        blocker = self._agents.get(blocker_id)
        return DeadlockInfo(
            cycle=cycle,
            victim_id=victim.agent_id,
            victim_issue_id=victim.issue_id,
            blocked_on=blocked_on,
            blocker_id=blocker_id,
            blocker_issue_id=blocker.issue_id if blocker is not None else None,
        )
