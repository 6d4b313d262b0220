"""Recording: a transport around the SDK's own that writes every frame to the journal of a take (design D5)."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol

from pytest_mala.errors import HarnessError
from pytest_mala.transport.options import options_text, secret_options
from pytest_mala.transport.scrub import Outlet, Scrubber, check_tree, prove

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from pytest_mala.clock import Clock
    from pytest_mala.transport.names import Names

__all__ = ["Journal", "Observer", "Recorder", "RecordingTransport", "WireTransport"]

_TREE_EVENTS = ("PreToolUse", "PostToolUse")
_SHOWN = 5


class WireTransport(Protocol):
    """The SDK's six-method transport, as duck type: importing the SDK costs 0.8 s (sdk.md 0.10)."""

    async def connect(self) -> None: ...
    async def write(self, data: str) -> None: ...
    def read_messages(self) -> AsyncIterator[dict[str, Any]]: ...
    async def close(self) -> None: ...
    def is_ready(self) -> bool: ...
    async def end_input(self) -> None: ...


class Observer(Protocol):
    """Somebody who is told what happens on the wire, with real values: the transcript and the session log."""

    def connection(self, number: int, purpose: str, resumed: str | None) -> None: ...
    def frame(self, direction: str, frame: Mapping[str, Any]) -> None: ...
    def decision(self, what: str) -> None: ...


class Journal(Protocol):
    """Where entries go: append-only, safe against kill -9 (transport/cassette/journal.py)."""

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None: ...


class Recorder:
    """A take while it is recorded: one journal for all connections, trees and gates of a session.

    `start` makes the SDK's own transport for some options, `note_tree` is asked before each tool hook is handed on
    and says the commit id of the tree if it changed, `capture` gives the tree at the end of a turn as JSON (design
    D8). `scrubber` takes secrets out of everything before it is written (design D15); without one, those that have a
    shape. A recording that is not `is_kept` may have secrets in its trees: its journal lives beside the workspace.
    """

    def __init__(
        self,
        journal: Journal,
        names: Names,
        observer: Observer,
        *,
        clock: Clock,
        start: Callable[[Any], WireTransport],
        note_tree: Callable[[], str | None],
        capture: Callable[[int], Mapping[str, Any]],
        scrubber: Scrubber | None = None,
        is_kept: bool = True,
    ) -> None:
        self._journal = journal
        self._names = names
        self.observer = observer
        self._clock = clock
        self._start = start
        self._note_tree = note_tree
        self._capture = capture
        self._scrubber = scrubber if scrubber is not None else Scrubber(hide=names.hide)
        self._is_kept = is_kept
        self._outlet: Outlet[tuple[bool, bool]] = Outlet(self._scrubber)
        self._connections = 0
        self._turns = 0

    def connection(self, purpose: str, options: Any) -> RecordingTransport:
        """The transport of the session's next connection; nothing is started before it is connected."""
        self._connections += 1
        inner, stderr = self.start(options)
        self.observer.connection(self._connections, purpose, getattr(options, "resume", None))
        self.note("connect", c=self._connections, purpose=purpose, body=options_text(options))
        return RecordingTransport(self, self._connections, inner, stderr)

    def start(self, options: Any) -> tuple[WireTransport, list[str]]:
        """The SDK's own transport, not connected yet, and the list that its stderr goes to line by line."""
        for variables in secret_options(options):
            self._scrubber.learn(variables)
        stderr: list[str] = []
        return self._start(dataclasses.replace(options, stderr=_both(stderr.append, options.stderr))), stderr

    def go_on(self, kept: Sequence[dict[str, Any]], *, connections: int, turns: int) -> None:
        """The session began with what an earlier recording holds: `kept` are the journal entries of that, which were
        scrubbed and hidden when they were recorded; so many connections and turns are in it.
        """
        for number, entry in enumerate(kept, start=1):
            self._journal.append(entry, sync=number == len(kept))
        self._connections, self._turns = connections, turns

    def decide(self, what: str) -> None:
        """A timer of the runner decided something: a barrier for the frames that come after it (design D7)."""
        self.observer.decision(what)
        self.note("decide", c=self._connections, what=what)

    def state(self, text: str) -> None:
        """The lifecycle took a step."""
        self.note("state", text=text)

    def take(self, head: Mapping[str, Any]) -> None:
        """What is known of the take, first of all: a run that is killed leaves no more than its journal. Then the proof
        that secrets are found here. Raises HarnessError if it fails.
        """
        self._write(head, sync=False)
        proof = prove(self._scrubber)
        if not proof.is_whole:
            raise HarnessError(
                f"nothing is recorded: {len(proof.missed)} of {proof.planted} secrets that were planted to test the "
                f"scrubber were not found ({'; '.join(proof.missed[:_SHOWN])}), so a real one could be stored; "
                "this is a fault of pytest-mala or of rules that were added to it"
            )
        self._write({"k": "proof", **proof.to_data()}, sync=False)

    def base(self, base: Mapping[str, Any]) -> None:
        """The commit that the agent starts from, before anything else."""
        self._write({"k": "turn", "turn": 0, "data": {"base": base}}, sync=False)

    @property
    def turn(self) -> int:
        """How many turns have ended."""
        return self._turns

    def turn_ended(self) -> None:
        """Capture the tree that the agent left. Raises SecretFoundError, and writes nothing, if it holds a secret."""
        self._turns += 1
        tree = self._capture(self._turns)
        if self._is_kept:
            check_tree(tree, self._scrubber)
        self._write({"k": "turn", "turn": self._turns, "data": tree}, sync=True)

    def gate(self, attempt: int, rows: Sequence[Mapping[str, Any]], ms: Sequence[int]) -> None:
        """What the checks of one gate attempt gave."""
        # not hidden again: the rows hold names already, and hiding a name would double it
        self._write({"k": "gate", "attempt": attempt, "rows": list(rows), "ms": list(ms)}, sync=False)

    def note(self, kind: str, *, sync: bool = False, **entry: Any) -> None:
        """Append one entry, with known values under their names."""
        self._write({"k": kind, **entry}, sync=sync, hide=True)

    def _write(self, entry: Mapping[str, Any], *, sync: bool, hide: bool = False) -> None:
        """Secrets are taken out of the real text: a name inside of one would make it another."""
        timed = {**entry, "t": round(self._clock.elapsed, 3)}
        for clean, (is_synced, is_hidden) in self._outlet.put(timed, (sync, hide)):
            self._journal.append(self._names.hide(clean) if is_hidden else clean, sync=is_synced)

    def tree_if_changed(self, connection: int) -> None:
        """Hooks that read files see on replay the tree that they saw here (slice.md 4)."""
        tree = self._note_tree()
        if tree is not None:
            self._write({"k": "tree", "c": connection, "id": tree}, sync=False)


class RecordingTransport:
    """One connection of a recorded session: the SDK's transport with every frame written down first."""

    def __init__(self, recorder: Recorder, number: int, inner: WireTransport, stderr: Sequence[str]) -> None:
        self._recorder = recorder
        self._number = number
        self._inner = inner
        self._stderr = stderr
        self._ended = False
        self._is_input_ended = False

    async def connect(self) -> None:
        """Start what is inside; a failure, or that we waited no longer, is recorded as the connection's end."""
        try:
            await self._inner.connect()
        except asyncio.CancelledError:
            self._end("closed")  # the SDK closes no transport that was never connected
            raise
        except Exception as error:
            self._end("error", error)
            raise

    async def write(self, data: str) -> None:
        """Record each line, then send all of them. What the transport inside refuses never went over the wire."""
        if is_refused := self._is_input_ended or not self._inner.is_ready():
            await self._inner.write(data)
        for line in data.splitlines():
            if line.strip():
                frame = json.loads(line)
                self._recorder.note("send", c=self._number, m=frame)
                self._recorder.observer.frame("sdk", frame)
        if not is_refused:
            await self._inner.write(data)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """Hand on each frame after it was recorded; the end of the stream is recorded too, with its error."""
        try:
            async for frame in self._inner.read_messages():
                self._received(frame)
                yield frame
        except GeneratorExit:
            raise
        except Exception as error:
            self._end("error", error)
            raise
        self._end("eof")

    def _received(self, frame: Mapping[str, Any]) -> None:
        request = frame.get("request", {}) if frame.get("type") == "control_request" else {}
        if (
            request.get("subtype") == "hook_callback"
            and request.get("input", {}).get("hook_event_name") in _TREE_EVENTS
        ):
            self._recorder.tree_if_changed(self._number)
        self._recorder.note("recv", c=self._number, m=frame, sync=frame.get("type") == "result")
        self._recorder.observer.frame("cli", frame)

    async def close(self) -> None:
        """Close what is inside and record that it was us."""
        try:
            await self._inner.close()
        finally:
            self._end("closed")

    def is_ready(self) -> bool:
        """Whether what is inside can be written to."""
        return self._inner.is_ready()

    async def end_input(self) -> None:
        """Tell what is inside that nothing more will be written."""
        self._is_input_ended = True
        await self._inner.end_input()

    def terminate(self) -> None:
        """End what is inside at once, where it can be."""
        terminate = getattr(self._inner, "terminate", None)
        if terminate is not None:
            terminate()

    @property
    def is_ended(self) -> bool:
        """Whether the connection's end is recorded."""
        return self._ended

    def abandon(self) -> None:
        """Nobody closed the connection: end what is inside, and record that it was us."""
        self.terminate()
        self._end("closed")

    def _end(self, how: str, error: Exception | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        facts: dict[str, Any] = {"how": how}
        if error is not None:
            facts["error"] = {"type": type(error).__name__, "text": str(error)}
            facts["exit_status"] = getattr(error, "exit_code", None)
        self._recorder.note("end", c=self._number, stderr=list(self._stderr[-20:]), **facts)


def _both(first: Callable[[str], None], second: Callable[[str], None] | None) -> Callable[[str], None]:
    """A callback for lines of stderr that tells two; the second is the application's own, if it has one."""
    if second is None:
        return first

    def tell(line: str) -> None:
        first(line)
        second(line)

    return tell
