"""Lane replay: a recorded take through the real SDK client, with no CLI, no socket and no key."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_mala.case.left_out import left_out
from pytest_mala.case.loading import load_take
from pytest_mala.case.settings import RecordMode, model_script
from pytest_mala.clock import Clock, VirtualClock
from pytest_mala.errors import CassetteError, CassetteMissingError, WorkspaceError
from pytest_mala.gate import CheckResult, compare_verdicts, notes
from pytest_mala.session.log import LogWriter
from pytest_mala.transport.play import Player

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.settings import CaseSettings
    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.issue import EndReason, Issue
    from pytest_mala.transport.cassette import Cassette, Take
    from pytest_mala.transport.telling import ToldStep
    from pytest_mala.workspace import Base, Snapshot, Workspace

__all__ = ["TO_RECORD", "ReplayRun"]

TO_RECORD = "; to record it anew: "
"""Stands in the message about a cassette that is refused, before the command."""


class ReplayRun:
    """A recorded take through the real SDK client: no CLI, no socket, no key."""

    kept = ""  # nothing is renewed

    def __init__(self, issue: Issue, settings: CaseSettings) -> None:
        self._issue = issue
        self._settings = settings
        self._path = settings.cassettes / f"{issue.id}.yaml"
        self._notes: list[str] = []
        self.base: Base | None = None
        self.take = settings.take
        self.parting: int | None = None
        self.imported: Sequence[ToldStep] | None = None  # the steps of a cassette that was not recorded

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the cassette, once it is loaded."""
        return tuple(self._notes)

    def load(self) -> None:
        """Read the cassette. Raises CassetteMissingError with what records it, CassetteError if it can't be trusted."""
        try:
            found = load_take(
                self._path,
                self._issue.id,
                take=self.take,
                allow_incomplete=self._settings.allow_incomplete,
                keeps_ignored=bool(self._issue.workspace.include),
                kept_in=self._settings.kept_in if self._settings.record is RecordMode.NONE else None,
            )
        except CassetteMissingError:
            raise CassetteMissingError(self._missing()) from None
        except CassetteError as error:
            raise self._refused(error) from None
        self._cassette = found.cassette
        self._is_edited, self.parting, self.imported = found.is_edited, found.parting, found.imported
        if not found.is_complete:
            self._notes.append("the recording was cut short: this is as far as it goes")
        if found.recorded is not None:
            self._take = found.recorded
            self.base = self._take.base
        start = datetime.fromisoformat(found.start)
        self.clock: Clock = VirtualClock(start, frozen=self._settings.frozen)

    def _missing(self) -> str:
        """The command that records works only where there is a model script, so that comes first."""
        script = model_script(self._issue)
        first = f"write its model script {self._settings.shown(script)} first (the format: docs/model-script.md), then "
        return (
            f"{self.where}: there is no cassette for {self._issue.id}; {'' if script.is_file() else first}{self.remedy}"
        )

    def _refused(self, error: CassetteError) -> CassetteError:
        command = self._settings.record_command.format(issue=self._issue.id)
        return CassetteError(self.where, f"{error.what}{TO_RECORD}{command}", error.line)

    @property
    def where(self) -> str:
        """The cassette, as messages name it."""
        return self._settings.shown(self._path)

    @property
    def remedy(self) -> str:
        """How the session is recorded anew."""
        return f"record it with: {self._settings.record_command.format(issue=self._issue.id)}"

    def begin(self, stage: Stage, workspace: Workspace) -> None:
        """Import all recorded trees at once (slice.md 1)."""
        self._stage = stage
        self._workspace = workspace
        with self._named():
            workspace.load(list(self._take.snapshots.values()), edited=self._is_edited)

    def log_writer(self) -> LogWriter:
        """The log is written from the recorded frames."""
        return LogWriter(self._stage.config, self._stage.workspace, now=lambda: self.clock.now())

    @contextmanager
    def open(self, watch: Watch) -> Iterator[Tape]:
        """A player of the take; nothing has to be closed."""
        self.player = Player(
            self._take.script,
            self._stage.names(),
            watch,
            switch_tree=self._switch,
            restore_turn=self._restore,
            where=self.where,
            remedy=self.remedy,
            explain=self.clock.describe or str,
            environment=os.environ,
            tolerates_stale=self._settings.tolerates_stale,
        )
        yield self.player

    def _switch(self, commit: str) -> None:
        with self._named():
            self._workspace.switch(commit)

    def _restore(self, turn: int) -> None:
        with self._named(f" turn {turn}:"):
            self._workspace.restore(self._take.snapshots[turn])

    @contextmanager
    def _named(self, place: str = "") -> Iterator[None]:
        """What git can't do with a recorded tree is told as a matter of this cassette."""
        try:
            yield
        except WorkspaceError as error:
            raise WorkspaceError(f"{self.where}:{place} {error}; {self.remedy}") from None

    def agent_settings(self) -> dict[str, Any]:
        """Nothing: no CLI is started."""
        return {}

    def state(self, text: str) -> None:
        """The lifecycle's step must be the recorded one."""
        self.player.state(text)

    def snapshot(self) -> Snapshot:
        """The recorded tree of the turn that has ended."""
        return self._take.snapshots[self.player.turn]

    def recorded_seconds(self, attempt: int) -> float | None:
        """What the checks of this attempt took."""
        return sum(self.player.gate(attempt).ms) / 1000

    def settle(self, attempt: int, now: Sequence[CheckResult]) -> Sequence[CheckResult]:
        """The recorded results, if the verdicts are the same now. Raises GateChangedError otherwise."""
        gate = self.player.gate(attempt)
        recorded = [CheckResult.from_data(row, ms / 1000) for row, ms in zip(gate.rows, gate.ms, strict=True)]
        compare_verdicts(recorded, now, where=f"{self.where}: gate attempt {attempt}", remedy=self.remedy)
        self._notes += notes(recorded, now)
        return recorded

    def finish(self, reason: EndReason, why: str) -> tuple[str, ...]:
        """Everything recorded must have been played."""
        self.player.finish()
        kept_out = (name for snapshot in self._take.snapshots.values() for name in snapshot.kept_out)
        return (*left_out(self._workspace.notes, kept_out), *self._notes, *self.player.notes)

    @property
    def stale(self) -> str:
        """From which turn on the take answers prompts that no longer exist."""
        return self.player.freshness

    @property
    def cassette(self) -> Cassette:
        """What was read."""
        assert self._cassette is not None, "what is to be recorded anew is read from its file"
        return self._cassette

    @property
    def recorded(self) -> Take:
        """The take that is played."""
        take = self.cassette.take(self.take)
        assert take is not None, "or it could not have been read"
        return take

    @property
    def restored(self) -> tuple[Snapshot, ...]:
        """The trees of all turns that have ended."""
        return tuple(one for turn, one in sorted(self._take.snapshots.items()) if turn <= self.player.turn)

    def describe(self) -> str:
        """What the playing connection waits for."""
        return self.player.describe()
