"""A recording that is stale from a turn on: the fresh turns are replayed, and only the rest is recorded (design D5)."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_mala.case.replaying import TO_RECORD
from pytest_mala.errors import StalePrompt, UsageError
from pytest_mala.transport.kept import CannotGoOnError
from pytest_mala.transport.tail import TailTape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.lane import LaneRun
    from pytest_mala.case.replaying import ReplayRun
    from pytest_mala.case.scripted import ScriptedRun
    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.errors import HarnessError
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import EndReason
    from pytest_mala.session.log import LogWriter
    from pytest_mala.transport.cassette import Cassette, Take
    from pytest_mala.transport.kept import Kept
    from pytest_mala.transport.record import Recorder
    from pytest_mala.workspace import Base, Snapshot, Workspace

__all__ = ["TailRun", "told", "why_whole"]


class TailRun:
    """The recorded take on lane replay, until a prompt has other words; from there on the lane that records.

    Nothing of the second lane is touched before. The session keeps its one clock: its time jumps while it is replayed,
    and passes as it does in the rest. A gate stands on it, so a deadline that is over by its end strikes then.
    """

    def __init__(self, replay: ReplayRun, rest: ScriptedRun) -> None:
        self.replay = replay
        self._rest = rest
        self._lane: LaneRun = replay
        self._parts = ExitStack()
        self._kept: Kept | None = None
        self.base: Base | None = None
        self.take = replay.take
        self.kept = ""

    def load(self) -> None:
        """Read the cassette."""
        self.replay.load()
        self.base = self.replay.base
        self.clock = self._rest.clock = self.replay.clock

    @property
    def where(self) -> str:
        """The cassette, as messages name it."""
        return self.replay.where

    @property
    def remedy(self) -> str:
        """How the session is recorded anew."""
        return self.replay.remedy

    @property
    def parting(self) -> int | None:
        """Of the take as it was read; a renewed one is another."""
        return self._lane.parting

    @property
    def is_live(self) -> bool:
        """Whether a CLI goes on with the session: what fails now would fail again."""
        return self._lane is self._rest

    @property
    def stale(self) -> str:
        """What is stale is recorded anew."""
        return self._lane.stale

    def begin(self, stage: Stage, workspace: Workspace) -> None:
        """Import the recorded trees."""
        self._stage = stage
        self._workspace = workspace
        self.replay.begin(stage, workspace)

    def log_writer(self) -> LogWriter:
        """The log is written from the recorded frames, until a CLI goes on with it."""
        self._log = self.replay.log_writer()
        return self._log

    @contextmanager
    def open(self, watch: Watch) -> Iterator[Tape]:
        """A player of the take, with whatever the rest needs."""
        self._watch = watch
        with self._parts, self.replay.open(watch):
            yield TailTape(self.replay.player, self.replay.recorded.interactions, _Rest(self))

    def go_on(self, kept: Kept) -> tuple[Recorder, Mapping[str, Any]]:
        """Real time passes from here; a recorder that holds what is kept, and the CLI's options."""
        if why := _why_whole(self.replay.cassette, self.replay.recorded, lane=self._rest.lane):
            raise CannotGoOnError(why)
        self._kept = kept
        self._parts.enter_context(self.clock.hold())
        try:
            self._rest.load()
        except UsageError as error:  # it is raised again, and by itself, where the session is recorded whole
            raise CannotGoOnError(str(error)) from None
        self._rest.begin(self._stage, self._workspace)
        snapshots = self.replay.restored
        self._workspace.go_on(snapshots)
        self._log.hand_over()
        recorder = self._parts.enter_context(self._rest.go_on(self._watch, self.replay.recorded, kept, snapshots))
        return recorder, self._rest.agent_settings()

    def resumed(self, cli: str) -> None:
        """The CLI has the session. Raises CannotGoOnError if the kept turns are of another one."""
        recorded = self.replay.recorded.cli or self.replay.cassette.cli
        if cli and cli != recorded:
            raise CannotGoOnError(f"they were recorded with CLI {recorded}, and now it is {cli}")
        self._lane = self._rest

    def agent_settings(self) -> dict[str, Any]:
        """Nothing: the tape adds what a CLI needs."""
        return {}

    def state(self, text: str) -> None:
        """Compare or record the lifecycle's step."""
        self._lane.state(text)

    def snapshot(self) -> Snapshot:
        """The tree of the turn that has ended."""
        return self._lane.snapshot()

    def recorded_seconds(self, attempt: int) -> float | None:
        """What the checks of this attempt took, if it was recorded."""
        return self._lane.recorded_seconds(attempt)

    def settle(self, attempt: int, now: Sequence[CheckResult]) -> Sequence[CheckResult]:
        """Compare or record the results."""
        return self._lane.settle(attempt, now)

    def finish(self, reason: EndReason, why: str) -> tuple[str, ...]:
        """Everything recorded was played; or the cassette is written, and it is told what that saved."""
        notes = self._lane.finish(reason, why)
        if self._kept is None:
            return notes
        self.kept = told(self._kept.prompts, len(self._watch.conversation.prompts), self._kept.cost_usd)
        return (self.kept, *notes)

    def describe(self) -> str:
        """What the session waits for."""
        return self._lane.describe()


class _Rest:
    """What a tape asks of the run."""

    def __init__(self, run: TailRun) -> None:
        self.begin = run.go_on
        self.is_resumed = run.resumed


def _why_whole(cassette: Cassette, take: Take, *, lane: str) -> str:
    """Why nothing of a take is kept, whatever its turns say: what its head says of it must be true of all of it."""
    installed, recorded = version("claude-agent-sdk"), take.sdk or cassette.sdk
    if recorded != installed:
        return f"they were recorded with SDK {recorded}, and now it is {installed}"
    if (before := take.lane or cassette.lane) != lane:
        return f"they were recorded in lane {before}, and this is lane {lane}"
    if cassette.edited:
        return "the cassette was edited by hand"
    return "" if cassette.complete else "the recording was cut short"


def told(kept: int, turns: int, cost_usd: float | None) -> str:
    """How much of a session was not recorded again.

    >>> told(3, 5, 0.1234)
    'turns 1 to 3 of 5 were kept, 2 recorded; $0.12 saved'
    >>> told(1, 2, 0.0012)
    'turn 1 of 2 was kept, 1 recorded; $0.0012 saved'
    >>> told(1, 2, None)
    'turn 1 of 2 was kept, 1 recorded'
    """
    turns_kept = f"turn 1 of {turns} was kept" if kept == 1 else f"turns 1 to {kept} of {turns} were kept"
    saved = "" if cost_usd is None else f"; ${cost_usd:.{2 if cost_usd >= 0.01 else 4}f} saved"
    return f"{turns_kept}, {turns - kept} recorded{saved}"


def why_whole(error: HarnessError) -> str:
    """The remark on a session that was recorded again from its first turn, because of this error."""
    match error:
        case CannotGoOnError():
            why = error.why
        case StalePrompt():
            why = error.freshness
        case _:
            why = str(error).partition("\n")[0].partition(TO_RECORD)[0]
    return f"recorded again from the first turn: {why}"
