"""Who listens while a session runs: the transcript, the session log of a replay, and the sums for the report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.session.conversation import Conversation
from pytest_mala.session.events import BaseEventSink
from pytest_mala.session.sinks import AnySink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_mala.clock import Clock
    from pytest_mala.session.log import LogWriter
    from pytest_mala.session.transcript import Transcript

__all__ = ["Sinks", "StateWatch", "Watch"]

_KNOWN_FRAMES: Final = frozenset(
    {
        "assistant",
        "control_cancel_request",
        "control_request",
        "control_response",
        "conversation_reset",
        "keep_alive",
        "rate_limit_event",
        "result",
        "stream_event",
        "system",
        "transcript_mirror",
        "user",
    }
)
"""What the SDK reads or is known to skip; it drops any other frame of the CLI without a word."""


class Watch:
    """Told of every frame of the session with real values; writes them down where they are needed.

    `log` is there on replay only: with a real CLI the log is the CLI's own.
    """

    def __init__(self, transcript: Transcript, clock: Clock, log: LogWriter | None) -> None:
        self.transcript = transcript
        self.conversation = Conversation()
        self._clock = clock
        self._log = log
        self._unknown: Counter[str] = Counter()
        self.session_id: str | None = None

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        """A connection is opened; a resumed session goes on in its own log."""
        self.transcript.connection(number, purpose, self._clock.elapsed)
        self.conversation.connection(purpose)
        self.session_id = resumed
        if self._log is not None:
            self._log.connection(resumed)

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        """A frame went over the wire: `cli` from the CLI, `sdk` to it."""
        self.transcript.frame("cli" if direction == "cli" else "sdk", frame, self._clock.elapsed)
        self.conversation.frame(direction, frame)
        if direction == "sdk":
            self._sent(frame)
        else:
            self._received(frame)

    def decision(self, what: str) -> None:
        """A timer of the runner decided something."""
        self.transcript.note(f"the session decided: {what}", self._clock.elapsed)

    def _sent(self, frame: Mapping[str, Any]) -> None:
        if frame.get("type") != "user":
            return
        content = frame.get("message", {}).get("content")
        if self._log is not None and isinstance(content, str):
            self._log.prompt(content, self.session_id)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the report: frames of the CLI that nobody here understands."""
        return tuple(
            f"{count} {'frame' if count == 1 else 'frames'} of unknown type {kind!r}: newer than this version's SDK?"
            for kind, count in sorted(self._unknown.items())
        )

    def _received(self, frame: Mapping[str, Any]) -> None:
        if frame.get("type") not in _KNOWN_FRAMES:
            self._unknown[str(frame.get("type"))] += 1
        if isinstance(frame.get("session_id"), str):
            self.session_id = frame["session_id"]
        if self._log is not None:
            self._log.frame(frame)


class Sinks(AnySink):
    """One event sink that tells several others, in their order; a sink needs only the events that it knows."""

    def __init__(self, *sinks: object) -> None:
        self._sinks = sinks

    def told(self, name: str, *args: Any, **named: Any) -> None:
        """Tells each sink in the same words."""
        for sink in self._sinks:
            if (heard := getattr(sink, name, None)) is not None:
                heard(*args, **named)


class StateWatch(BaseEventSink):
    """Hears of each lifecycle step, for tape and transcript."""

    def __init__(self, on_state: Callable[[str, str], None]) -> None:
        self._on_state = on_state

    def on_state_entered(self, agent_id: str, state: str, effect: str) -> None:
        """The lifecycle entered a state and asked for an effect."""
        self._on_state(state, effect)
