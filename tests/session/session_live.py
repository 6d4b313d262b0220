"""A live world: somebody outside says step by step what agent, gate and reviewer do next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from session_agents import BREAKS, CLEAN_UP, AbleAgent, Agent, Cue, Played, Talk
from session_peers import START
from session_worlds import World, played_by, runner_of

from pytest_mala.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pytest_mala.session.models import GateResult, ReviewResult


class LiveAgent(AbleAgent):
    """Says what it is handed, until "end"."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.words: asyncio.Queue[str] = asyncio.Queue()
        self.is_streaming = False

    async def _words(self) -> AsyncIterator[str]:
        self.is_streaming = True
        while (word := await self.words.get()) != "end":
            self.is_streaming = word not in BREAKS
            yield word
        self.is_streaming = False

    async def interrupt(self) -> None:
        await super().interrupt()
        self.words.put_nowait("end")

    async def __aexit__(self, *_: object) -> None:
        self.is_streaming = False
        await super().__aexit__()


class LiveWorld(World):
    """Its agents, gate and reviewer wait to be told; `settle` runs until all wait, `pass_time` lets time pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.agents: list[LiveAgent] = []
        self.asked: dict[str, asyncio.Future[str]] = {}
        self._loop = asyncio.new_event_loop()
        self._clock = VirtualClock(START, frozen=False)
        self._loop.run_until_complete(self._begin())
        self.settle()

    async def _begin(self) -> None:
        self._clock.__enter__()
        self.runner = runner_of([self])
        self.task = asyncio.create_task(self.runner.run_session(self.given()))

    def _make(self, number: int, talk: Talk, resume: str | None) -> Agent:
        self.agents.append(LiveAgent(self, number, talk, resume))
        return self.agents[-1]

    async def _await(self, what: str) -> Cue:
        self.asked[what] = asyncio.get_running_loop().create_future()
        try:
            return Cue(await self.asked[what])
        finally:
            del self.asked[what]

    async def gate(self, path: Path, retry: Any) -> tuple[GateResult, int]:
        self._gates = await self._await("gate")
        return await super().gate(path, retry)

    async def review(self, retry: Any) -> ReviewResult:
        self._reviews = await self._await("review")
        return await super().review(retry)

    @property
    def speaker(self) -> LiveAgent | None:
        return self.agents[-1] if self.agents and self.agents[-1].is_streaming else None

    @property
    def is_over(self) -> bool:
        return self.task is not None and self.task.done()

    @property
    def messages(self) -> Any:
        return self._messages()

    def settle(self) -> None:
        self._loop.run_until_complete(self._steps())

    async def _steps(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        self._loop.run_until_complete(asyncio.sleep(seconds))
        self.settle()

    def cancel_now(self) -> None:
        self._loop.run_until_complete(self._cancel())
        self.settle()

    async def _cancel(self) -> None:
        self.cancel()

    def finish(self) -> Played:
        """Lets time pass until the session is over, and ends the loop."""
        if not self.is_over:
            self.pass_time(self.script.timeout + CLEAN_UP)
        left = asyncio.all_tasks(self._loop)
        assert not left, f"tasks left behind: {left}"
        self._clock.__exit__(None, None, None)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        return played_by(self)
