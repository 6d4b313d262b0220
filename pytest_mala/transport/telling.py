"""Play a session that was imported from its log: the real SDK client reads what the log tells, turn after turn.

A log knows prompts and what came of them. What only a recording knows (options, hooks, control requests, times inside
a turn, trees) is not compared, since there is nothing to compare it with, and not made up.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import HarnessError
from pytest_mala.transport.takes import is_initiator
from pytest_mala.transport.wellformed import TakeError, check_interaction, frame_problem, place_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from pytest_mala.transport.cassette import Interaction
    from pytest_mala.transport.names import Names
    from pytest_mala.transport.record import Observer

__all__ = ["BLOCKS", "CONTENT", "SESSION", "TIME", "ToldStep", "problem_of", "read_told", "tell"]

CONTENT, SESSION, TIME = "content", "session", "time"
"""Headers of a prompt: in which form its body is, to which session it went, when it was sent."""

BLOCKS: Final = "blocks"
"""The form of a prompt whose body is JSON of content blocks, such as images; without it the body is a text."""

_METHODS: Final = ("CONNECT", "QUERY")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStep:
    """A prompt (`content` is a text or content blocks), or a frame that came `ms` milliseconds after the last step."""

    content: str | list[Any] | None = None
    session: str = ""
    time: datetime | None = None
    frame: Mapping[str, Any] | None = None
    ms: int = 0


def problem_of(frame: Mapping[str, Any]) -> str:
    """Why the installed SDK could not read a frame; empty if it can."""
    from claude_agent_sdk._internal.message_parser import parse_message  # late: the SDK costs 0.8 s

    if problem := frame_problem(frame):
        return problem
    try:
        parse_message(dict(frame))
    except Exception as error:  # its own error, and what else broken data makes of it
        return str(error) or type(error).__name__
    return ""


def read_told(recorded: Iterable[Interaction]) -> tuple[ToldStep, ...]:
    """The steps of an imported take. Raises TakeError for anything that no log tells."""
    steps: list[ToldStep] = []
    places: set[str] = set()
    for one in recorded:
        if one.method not in _METHODS:
            raise TakeError(one, (), f"a session log tells no {one.method}; expected {' or '.join(_METHODS)}")
        number = place_of(one)
        check_interaction(one)
        if one.uri in places or number != 1 or (one.method == "CONNECT") != (not places):
            raise TakeError(one, (), "expected one connection that begins the take, and each place once")
        places.add(one.uri)
        if "decisions" in one.response:
            raise TakeError(one, ("response", "decisions"), "a session log tells no decisions")
        if one.method == "QUERY":
            steps.append(_prompt(one))
        for at, item in enumerate(one.response.get("frames", [])):
            if "cli" not in item:
                raise TakeError(one, ("response", "frames", at), "a session log tells only frames of the CLI (`cli`)")
            steps.append(ToldStep(frame=item["cli"], ms=one.response["ms"][at]))
    return tuple(steps)


def _prompt(one: Interaction) -> ToldStep:
    for name in one.headers:
        if name not in (CONTENT, SESSION, TIME):
            raise TakeError(one, ("request", "headers", name), f"expected {CONTENT}, {SESSION} or {TIME}")
    form, content = one.headers.get(CONTENT), one.body
    if form is not None:
        content = _blocks(one, form)
    return ToldStep(content=content, session=one.headers.get(SESSION, ""), time=_time(one))


def _blocks(one: Interaction, form: str) -> Any:
    if form != BLOCKS:
        raise TakeError(one, ("request", "headers", CONTENT), f"expected {BLOCKS}, got {form[:80]!r}")
    try:
        blocks = json.loads(one.body)
    except (ValueError, RecursionError):
        blocks = None
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise TakeError(one, ("request", "body"), "expected the JSON of a list of content blocks")
    return blocks


def _time(one: Interaction) -> datetime | None:
    given = one.headers.get(TIME)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year < 3000:
        raise TakeError(one, ("request", "headers", TIME), f"expected a time with its zone, got {given[:80]!r}")
    return found.astimezone(UTC)


async def tell(
    steps: Sequence[ToldStep], *, names: Names, observer: Observer, now: Callable[[], datetime], where: str
) -> None:
    """Play all steps through the SDK's client; `observer` hears of each with real values, `now` is the clock's time.

    Raises HarnessError, with `where` before it, if the SDK can't read a frame or something was left untold.
    """
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient  # late: it costs 0.8 s

    transport = _TellingTransport(steps, names, observer)
    client = ClaudeSDKClient(ClaudeAgentOptions(), transport=transport)  # type: ignore[arg-type]
    await client.connect()
    try:
        await _together(_drain(client), _ask(client, transport, names, now))
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"{where}: the SDK can't read what the log tells: {error}; import the log anew") from error
    finally:
        await client.disconnect()
    if left := transport.left:
        raise HarnessError(f"{where}: {left} of {len(steps)} steps of the session were not played")


async def _together(*coroutines: Any) -> None:
    """All to their end, or to the first error, which is raised; none is left running."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _drain(client: Any) -> None:
    async for _ in client.receive_messages():
        pass


async def _ask(client: Any, transport: _TellingTransport, names: Names, now: Callable[[], datetime]) -> None:
    """Send each prompt when its time has come and all that was said before it has been read."""
    while (step := await transport.due()) is not None:
        if step.time is not None and (seconds := (step.time - now()).total_seconds()) > 0:
            await asyncio.sleep(seconds)
        await client.query(_frames(names.show(step.content)), session_id=step.session)


async def _frames(content: str | list[Any]) -> AsyncIterator[dict[str, Any]]:
    """A prompt in the form in which the SDK takes more than a text."""
    yield {"type": "user", "message": {"role": "user", "content": content}, "parent_tool_use_id": None}


class _TellingTransport:
    """The SDK's six-method transport over the steps of a log."""

    def __init__(self, steps: Sequence[ToldStep], names: Names, observer: Observer) -> None:
        self._steps = steps
        self._names = names
        self._observer = observer
        self._told = 0
        self._due: asyncio.Queue[ToldStep | None] = asyncio.Queue()
        self._inbox: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._ready = False

    @property
    def left(self) -> int:
        """How many steps were not played."""
        return len(self._steps) - self._told

    async def due(self) -> ToldStep | None:
        """The next prompt, when it is its turn; None at the end."""
        return await self._due.get()

    async def connect(self) -> None:
        """Nothing is started."""
        self._ready = True

    async def write(self, data: str) -> None:
        """Take what the client begins; it answers nothing, since nothing is asked of it."""
        for line in data.splitlines():
            frame = json.loads(line)
            if is_initiator(frame):
                self._inbox.put_nowait(frame)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """All frames in their order, each turn after its prompt; control requests get an empty answer."""
        yield await self._answered()  # to `initialize`, before which the client reads nothing
        for step in self._steps:
            if step.frame is None:
                self._due.put_nowait(step)
                while (frame := await self._inbox.get())["type"] != "user":
                    yield _empty_answer(frame)
                self._observer.frame("sdk", frame)
            else:
                await asyncio.sleep(step.ms / 1000)
                shown = dict(self._names.show(step.frame))
                self._observer.frame("cli", shown)
                yield shown
            self._told += 1
        self._due.put_nowait(None)

    async def _answered(self) -> dict[str, Any]:
        return _empty_answer(await self._inbox.get())

    async def close(self) -> None:
        """There is nothing to end."""
        self._ready = False

    def is_ready(self) -> bool:
        """Whether the connection is open."""
        return self._ready

    async def end_input(self) -> None:
        """The client will write nothing more."""


def _empty_answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the CLI said of itself is unknown."""
    response = {"subtype": "success", "request_id": request["request_id"], "response": {}}
    return {"type": "control_response", "response": response}
