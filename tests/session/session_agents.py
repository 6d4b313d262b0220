"""Scripts of generated sessions, their histories, and the agents that do what a script says.

A script is plain data that reads well in a failure and can be pasted into a test. What an agent says is a line of
words, see `Agent._message`; a peer that is asked more often than its script provides for behaves well.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from session_peers import (
    AssistantMessage,
    ProcessError,
    RateLimitEvent,
    ResultError,
    ResultMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    answer,
    init,
    say,
    use,
)

from pytest_mala.errors import Divergence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from session_worlds import World

    from pytest_mala.session.config import AgentSessionOutput

LIMIT = 1000
"""Tokens of the context in all worlds; `full` and `result#` reach it."""
CLEAN_UP = 60.0
"""Seconds that leaving a client may take at most: every step of it has its own bound."""
BREAKS = ("crash", "pipe", "boom", "divergence", "late")
GOOD = "init text result"
FAR = 1e6


class CLIConnectionError(Exception):
    """Like the SDK's."""


class Oddity:
    """A message of a kind that nobody knows."""


# Scripts


@dataclass(frozen=True)
class Talk:
    """One client: what its agent says, how connecting and asking go, and what goes wrong while it is left.

    `trouble` has words like "exit-hangs" or "disconnect-fails"; `after` is said after an interrupt that is obeyed; a
    `bare` client has only the members of the protocol.
    """

    says: str = GOOD
    connect: str = "works"
    ask: str = "works"
    trouble: str = ""
    after: str = ""
    obeys: bool = True
    bare: bool = False


@dataclass(frozen=True)
class Script:
    """A whole world; `gates`, `reviews`, `logs` and `progress` are lines of words too, used up one by one.

    `cancels` are numbers of history entries at which the session is cancelled, `cancel_after` is a time in seconds;
    `sink` is an event at which the sink fails, or "event!" for a harness error; `breaks` is another peer that fails.
    """

    talks: tuple[Talk, ...] = ()
    gates: str = ""
    reviews: str = ""
    logs: str = ""
    progress: str = ""
    timeout: float = 3000
    idle: float | None = 10
    idle_retries: int = 2
    crash_retries: int = 2
    gate_limit: int = 3
    review_limit: int = 3
    review: bool = True
    restarts: int = 2
    log_wait: float = 3
    checkpoints: bool = True
    resumes: bool = True
    cancels: tuple[int, ...] = ()
    cancel_after: float | None = None
    sink: str = ""
    breaks: str = ""


# Histories


class Entry(NamedTuple):
    """Something that happened: seconds since the session's start, what, the number of the client, and the facts."""

    at: float
    what: str
    client: int
    facts: dict[str, Any]


@dataclass
class Played:
    """What came of a script."""

    script: Script
    issue: str
    history: list[Entry]
    output: AgentSessionOutput | None = None
    error: BaseException | None = None


class Cue:
    """The words of a line, one by one; nothing when it is used up."""

    def __init__(self, line: str) -> None:
        self._words = line.split()

    def next(self, default: str) -> str:
        return self._words.pop(0) if self._words else default


# Peers


class Agent:
    """A client that does what its talk says."""

    def __init__(self, world: World, number: int, talk: Talk, resume: str | None) -> None:
        self._world = world
        self._number = number
        self._talk = talk
        self._resume = resume
        self._id = resume or f"{world.issue}-s{number}"
        self._interrupted = asyncio.Event()

    def _note(self, what: str, **facts: Any) -> None:
        self._world.note(what, self._number, **facts)

    async def _suffer(self, how: str) -> None:
        match how:
            case "hangs":
                await asyncio.sleep(FAR)
            case "lingers":
                await asyncio.sleep(4)
            case "fails":
                raise RuntimeError(f"client {self._number} fails")
            case "dies":
                raise ProcessError("exit status 1")
            case "lost":
                raise CLIConnectionError("the pipe is closed")
            case "diverges":
                raise Divergence("another prompt")
            case "forgets" if self._resume:
                raise ResultError(f"No conversation found with session ID {self._resume}")

    async def _leave(self, step: str) -> None:
        self._note(step)
        for word in self._talk.trouble.split():
            place, how = word.split("-")
            if place == step:
                await self._suffer(how)

    async def __aenter__(self) -> Agent:
        self._note("enter")
        await self._suffer(self._talk.connect)
        self._note("entered")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave("exit")

    async def query(self, prompt: str, session_id: str | None = None) -> None:
        # a client without the SDK's resume option learns here which session it goes on with
        self._id = session_id or self._id
        self._note("query", prompt=prompt, session=session_id)
        await self._suffer(self._talk.ask)
        self._note("asked")

    async def receive_response(self) -> AsyncIterator[object]:
        async for word in self._words():
            if word.startswith("wait") or word == "hang":
                await self._rest(float(word[4:] or FAR))
            else:
                yield await self._step(word)
            if self._interrupted.is_set() and self._talk.obeys:
                for last in self._talk.after.split():
                    yield await self._step(last)
                return

    async def _words(self) -> AsyncIterator[str]:
        for word in self._talk.says.split():
            yield word

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await (self._interrupted.wait() if self._talk.obeys else asyncio.sleep(FAR))
        except TimeoutError:
            pass

    async def _step(self, word: str) -> object:
        """A message, written down as said; or an error, raised."""
        if word in BREAKS:
            self._note("broke", word=word)
            if word == "late":
                raise TimeoutError("the SDK waited too long")
            await self._suffer({"crash": "dies", "pipe": "lost", "boom": "fails"}.get(word, "diverges"))
        message = self._message(word)
        blocks = message.content if isinstance(getattr(message, "content", None), list) else []
        self._note(
            "said",
            word=word,
            told=_told(message),
            heard=isinstance(message, AssistantMessage | ResultMessage)
            or any(isinstance(block, ToolResultBlock) for block in blocks),
            speaks=isinstance(message, AssistantMessage),
            used=[block.id for block in blocks if isinstance(block, ToolUseBlock)],
            answered=[block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)],
        )
        uuid = getattr(message, "uuid", None)
        if uuid is not None:
            self._world.uuids.setdefault(self._id, []).append(uuid)
        return message

    def _message(self, word: str) -> Any:
        uuid = f"{self._id}-{len(self._world.history)}"
        full = {"input_tokens": 2, "cache_read_input_tokens": LIMIT}
        match word:
            case "init":
                return init(self._id)
            case "fork":
                self._id += "b"
                return init(self._id)
            case "text":
                return say("well")
            case "uuid":
                return say("well", uuid=uuid)
            case "named":
                return say("well", session_id=self._id)
            case "think":
                return AssistantMessage([ThinkingBlock("hm")])
            case "full":
                return say("long", usage=full)
            case "use1" | "use2":
                return use(f"t{word[-1]}", uuid=uuid)
            case "fulluse1":
                return use("t1", usage=full)
            case "ok1" | "ok2" | "err1":
                return answer(f"t{word[-1]}", is_error=word == "err1", uuid=uuid)
            case "own1":
                return AssistantMessage([ToolResultBlock("t1", "ok")])
            case "user":
                return UserMessage("a plain text")
            case "sub":
                return AssistantMessage([TextBlock("sub")], usage=full, uuid=uuid, parent_tool_use_id="t1")
            case "odd":
                return Oddity()
            case "rate":
                return RateLimitEvent()
            case _:
                return self._result(word)

    def _result(self, word: str) -> ResultMessage:
        match word:
            case "result":
                return ResultMessage(self._id, "done")
            case "result?":
                return ResultMessage(None, "done")
            case "result~":
                return ResultMessage(self._id, None, usage=None)
            case "result#":
                return ResultMessage(self._id, "done", usage={"input_tokens": LIMIT, "output_tokens": 1})
            case "result!":
                return ResultMessage(self._id, "API Error: 529", is_error=True)
            case "result-":
                return ResultMessage(self._id, None, subtype="error_during_execution")
            case "result$":
                return ResultMessage(self._id, None, is_error=True, subtype="error_max_turns")
        raise AssertionError(f"no such word: {word}")

    async def disconnect(self) -> None:
        await self._leave("disconnect")


class AbleAgent(Agent):
    """With the optional abilities."""

    async def interrupt(self) -> None:
        await self._leave("interrupt")
        self._interrupted.set()

    async def terminate(self) -> None:
        await self._leave("terminate")

    def decide(self, what: str) -> None:
        self._note("decide", by=what)


def _told(message: Any) -> str | None:
    data = getattr(message, "data", None) or {}
    return getattr(message, "session_id", None) or data.get("session_id")
