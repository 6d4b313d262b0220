"""A take that is played up to a prompt with new words, and recorded from there: the CLI resumes the played session and
only the rest is asked of it (design D5).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol

from pytest_mala.transport.hooks import HookIds
from pytest_mala.transport.kept import CannotGoOnError, kept_before
from pytest_mala.transport.record import RecordingTransport
from pytest_mala.transport.resumed import ResumedWire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pytest_mala.transport.cassette import Interaction
    from pytest_mala.transport.kept import Kept
    from pytest_mala.transport.play import Player
    from pytest_mala.transport.record import Recorder, WireTransport
    from pytest_mala.transport.replay import ReplayTransport
    from pytest_mala.transport.takes import ConnectionScript

__all__ = ["Rest", "TailTape"]


class Rest(Protocol):
    """The lane that records what is not kept."""

    def begin(self, kept: Kept) -> tuple[Recorder, Mapping[str, Any]]:
        """Make ready: the recorder, which holds what is kept, and the options that the CLI is started with. Raises
        CannotGoOnError.
        """

    def is_resumed(self, cli: str) -> None:
        """A CLI of this version goes on with the session: it is live from here. Raises CannotGoOnError."""


class TailTape:
    """The tape of a session whose take may be stale from its second prompt on: a player, and from there a recorder."""

    def __init__(self, player: Player, recorded: Sequence[Interaction], rest: Rest) -> None:
        self.player = player
        self._recorded = recorded
        self._rest = rest
        self._recorder: Recorder | None = None
        self._settings: Mapping[str, Any] = {}

    def connection(self, purpose: str, options: Any) -> WireTransport:
        """The transport of the session's next connection."""
        if self._recorder is not None:
            return self._recorder.connection(purpose, self.with_cli(options))
        replay = self.player.connection(purpose, options)
        return TailTransport(self, replay, self.player.newest, options)

    def with_cli(self, options: Any) -> Any:
        """The options with what the CLI needs; a played connection has no CLI, so the session does not know it."""
        return dataclasses.replace(options, **self._settings)

    def begin(self, connection: int, options: Any) -> Recorder:
        """Give up the recording before the first prompt of this connection. Raises CannotGoOnError."""
        kept = kept_before(self._recorded, connection, getattr(options, "resume", None))
        self.player.leave(kept.script)
        recorder, self._settings = self._rest.begin(kept)
        return recorder

    def goes_on(self, recorder: Recorder, cli: str) -> None:
        """The CLI has taken up the session."""
        self._rest.is_resumed(cli)
        self._recorder = recorder

    def decide(self, what: str) -> None:
        """A timer of the runner decided something."""
        (self._recorder or self.player).decide(what)

    def turn_ended(self) -> None:
        """Put back the recorded tree of the turn, or capture the new one. Raises what the recording did not hold."""
        self.player.raise_pending()
        (self._recorder or self.player).turn_ended()


class TailTransport:
    """One connection that is played; it becomes one to a real CLI if its prompt has new words."""

    def __init__(self, tape: TailTape, replay: ReplayTransport, script: ConnectionScript, options: Any) -> None:
        self._tape = tape
        self._replay = replay
        self._script = script
        self._options = options
        self._prompts = 0
        self._initialize: dict[str, Any] = {}
        self._wire: ResumedWire | None = None
        self._recording: RecordingTransport | None = None
        self._is_asked = asyncio.Event()  # the new prompt is recorded: what the CLI says comes behind it

    async def connect(self) -> None:
        """Nothing is started yet."""
        await self._replay.connect()

    async def write(self, data: str) -> None:
        """To the recording, or to the CLI. Raises CannotGoOnError where there is new wording and no going on."""
        for line in data.splitlines():
            if line.strip():
                await self._write(json.loads(line), line + "\n")

    async def _write(self, frame: dict[str, Any], line: str) -> None:
        if frame.get("request", {}).get("subtype") == "initialize":
            self._initialize = frame
        if self._wire is None and self._is_stale(frame):
            await self._go_on()
        if self._wire is None or self._recording is None or self._is_kept(frame):
            await self._replay.write(line)
        elif self._wire.owes(frame):
            await self._wire.write(line)  # an answer to what was not recorded
        else:
            await self._recording.write(line)
            self._is_asked.set()

    def _is_kept(self, frame: Mapping[str, Any]) -> bool:
        """Whether this answers a recorded request, which a hook or tool may do when we have gone on already."""
        answered = frame.get("response", {}).get("request_id") if frame.get("type") == "control_response" else None
        return answered is not None and any(
            step.kind == "cli" and step.value.get("request_id") == answered for step in self._script.steps
        )

    def _is_stale(self, frame: Mapping[str, Any]) -> bool:
        """Whether this prompt has other words than the recorded one, and there are turns before it to keep."""
        if frame.get("type") != "user":
            return False
        self._prompts += 1
        step = next((step for step in self._script.steps if step.kind == "query"), None)
        if step is None or step.turn == 1 or self._prompts > 1:
            return False
        difference = self._tape.player.matching.prompt(step, frame)
        return difference is not None and difference.is_stale

    async def _go_on(self) -> None:
        number = self._script.number
        recorder = self._tape.begin(number, self._options)
        inner, stderr = recorder.start(self._tape.with_cli(self._options))
        self._wire = ResumedWire(inner, self._initialize, self._hooks())
        self._recording = RecordingTransport(recorder, number, self._wire, stderr)
        self._replay.leave()  # its reader ends, and ours goes over to the CLI
        cli = await self._wire.greet()
        self._tape.goes_on(recorder, cli)

    def _hooks(self) -> HookIds:
        """The ids of hooks as the recording of this connection knows them."""
        for step in self._script.steps:
            if step.kind == "control" and (request := json.loads(step.value)).get("subtype") == "initialize":
                return HookIds.match(request.get("hooks"), self._initialize["request"].get("hooks"))
        raise CannotGoOnError("the connection was never initialized")

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """The recorded frames, then those of the CLI."""
        async for frame in self._replay.read_messages():
            yield frame
        if self._wire is None or self._recording is None:
            return
        async for frame in self._wire.greeting():
            yield frame
        await self._is_asked.wait()
        async for frame in self._recording.read_messages():
            yield self._wire.as_live(frame)

    async def close(self) -> None:
        """Close whatever is open."""
        self._is_asked.set()
        await self._replay.close()
        if self._recording is not None:
            await self._recording.close()

    def is_ready(self) -> bool:
        """Whether there is something to write to."""
        return self._replay.is_ready() if self._recording is None else self._recording.is_ready()

    async def end_input(self) -> None:
        """Nothing more will be written."""
        if self._recording is not None:
            await self._recording.end_input()

    def terminate(self) -> None:
        """End the CLI at once, if there is one."""
        if self._recording is not None:
            self._recording.terminate()
