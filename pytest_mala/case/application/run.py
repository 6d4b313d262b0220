"""A cassette in use by the test of an application: opened before the test, checked and closed after it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pytest_mala.case.application.heard import Heard
from pytest_mala.case.application.recording import RecordedApplication
from pytest_mala.case.application.replaying import ReplayedApplication
from pytest_mala.case.settings import Lane, RecordMode
from pytest_mala.errors import CassetteError, MalaError, UsageError
from pytest_mala.transport.quiet import quiet_reader
from pytest_mala.transport.substitute import substituted

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.case.application.asked import Asked
    from pytest_mala.case.application.lane import ApplicationLane
    from pytest_mala.session.conversation import Prompt, ToolCall
    from pytest_mala.transport.record import WireTransport

__all__ = ["Application"]


class Application:
    """What the fixture `mala_cassette` gives: the cassette of this test, behind every connection that its code opens.

    Nothing of it has to be called: `transport` is for code that passes one on by itself, the rest is to look at.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._heard = Heard()
        self._lane: ApplicationLane | None = None
        self._stack = ExitStack()
        self._error: MalaError | None = None
        self._is_checked = False

    def __repr__(self) -> str:
        return f"<mala_cassette {self._asked.where}>"

    @property
    def path(self) -> Path:
        """The file of the cassette."""
        return self._asked.cassette

    @property
    def is_recording(self) -> bool:
        """Whether a CLI answers in this run, and not the cassette."""
        return isinstance(self._lane, RecordedApplication)

    @property
    def is_stored(self) -> bool:
        """Whether the cassette was written."""
        return isinstance(self._lane, RecordedApplication) and self._lane.is_stored

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that were sent so far."""
        return self._heard.conversation.prompts

    @property
    def tools(self) -> tuple[ToolCall, ...]:
        """The tool calls of the agent so far."""
        return self._heard.conversation.tools

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._heard.connections

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that are no failures."""
        return self._lane.notes if self._lane is not None else ()

    def transport(self, options: Any, *, prompt: str | None = None) -> WireTransport:
        """A transport for `ClaudeSDKClient(options, transport=...)` or `query(..., transport=...)`, for code that takes
        one. `options` are those of the client; `prompt` tells side-by-side `query()` calls apart.
        """
        return self._transport(prompt, options)

    def _transport(self, prompt: object, options: Any) -> WireTransport:
        assert self._lane is not None, "open() comes first"
        try:
            return self._lane.transport(options, prompt if isinstance(prompt, str) else None)
        except MalaError as error:
            self._error = self._error or error
            raise

    def open(self) -> None:
        """Read the cassette or the script, and stand between the SDK and its CLI. Raises HarnessError or UsageError."""
        self._lane = self._first_lane()
        with ExitStack() as stack:
            stack.enter_context(self._lane.open())
            stack.enter_context(quiet_reader())
            stack.enter_context(substituted(self._transport))
            self._stack = stack.pop_all()

    def _first_lane(self) -> ApplicationLane:
        settings = self._asked.settings
        if settings.lane is Lane.LIVE:
            raise UsageError("lane live: this version has no live lane yet; use --mala-lane=scripted or replay")
        replay = ReplayedApplication(self._asked, self._heard)
        is_kept = settings.record in (RecordMode.ONCE, RecordMode.STALE) and self.path.is_file()
        if settings.lane is Lane.REPLAY or is_kept:
            try:
                replay.load()
            except CassetteError:
                if settings.record is not RecordMode.STALE:
                    raise
            else:
                return replay
        recording = RecordedApplication(self._asked, self._heard, store=settings.record is not RecordMode.NONE)
        recording.load()
        return recording

    @property
    def pending(self) -> MalaError | None:
        """What the application was told already, and may have swallowed."""
        if self._error is None and self._lane is not None:
            try:
                self._lane.raise_pending()
            except MalaError as error:
                self._error = error
        return self._error

    def check(self) -> None:
        """After the test's own code, if it has not failed: raise what it left out, unless a fixture still has a
        connection open.
        """
        assert self._lane is not None, "open() comes first"
        if self._lane.all_closed():
            self._is_checked = True
            self._lane.check()

    def finish(self, *, has_failed: bool = False) -> None:
        """After the test's fixtures: check what had to wait for them, and store what was recorded."""
        assert self._lane is not None, "open() comes first"
        if not has_failed and not self._is_checked:
            self._lane.check()
        self._lane.store(has_failed=has_failed)

    def describe(self) -> str:
        """What the recording waits for, in words."""
        return self._lane.describe() if self._lane is not None else "the cassette is not open"

    def close(self) -> None:
        """Give the SDK its transport back, and delete what was made for the test."""
        self._stack.close()
