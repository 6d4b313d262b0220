"""A case whose cassette was imported from a session log: its session is played, and what no log tells stays unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pytest_mala.case.ending import Ending
from pytest_mala.case.settings import CaseResult
from pytest_mala.case.watch import Watch
from pytest_mala.errors import UsageError
from pytest_mala.issue import CommitRule
from pytest_mala.session.config import SessionUsage
from pytest_mala.session.transcript import Transcript
from pytest_mala.transport.cassette import UNKNOWN
from pytest_mala.transport.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_mala.case.stage import Stage
    from pytest_mala.clock import Clock
    from pytest_mala.issue import Issue
    from pytest_mala.transport.telling import ToldStep

__all__ = ["IMPORTED", "ImportedSession", "UnknownWorkspace", "gate_problems"]

IMPORTED: Final = (
    "imported from a session log: options, hook answers, timing inside a turn and workspace are unknown, "
    "and the prompts are those of the log, whatever the issue says"
)
"""What the summary tells about each such session."""


def gate_problems(issue: Issue) -> list[str]:
    """What the issue asserts that no log can show: whoever let it pass would invent a verdict."""
    found = [f"gate.checks.{check.name}" for check in issue.gate.checks if check.kind != "evidence"]
    return found if issue.gate.commit is CommitRule.ALLOWED else [f"gate.commit: {issue.gate.commit.value}", *found]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownWorkspace:
    """Stands where the agent's tree would be; the empty folder `path` is what paths of the log lead to."""

    path: Path

    def diff(self) -> str:
        """Raises UsageError."""
        self._refuse("diff")

    def commits(self) -> NoReturn:
        """Raises UsageError."""
        self._refuse("commits")

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(f"{what}() of an imported session: a session log does not tell its workspace")


class ImportedSession:
    """One session from a log, through the real SDK client; `run` is called once, in a running loop.

    Nothing of the runner takes part: a human was at its place. Raises UsageError for an issue that asserts what no log
    can show.
    """

    def __init__(
        self, issue: Issue, steps: Sequence[ToldStep], stage: Stage, clock: Clock, *, where: str, notes: Sequence[str]
    ) -> None:
        if problems := gate_problems(issue):
            raise UsageError(
                f"{issue.place}: {problems[0]}: {where} was imported from a session log, which does not tell the "
                "workspace, so this can't be judged; take it out (`gate: {commit: allowed}`), or record the session"
            )
        stage.workspace.mkdir()
        self.workspace = UnknownWorkspace(path=stage.workspace)
        self._issue = issue
        self._steps = steps
        self._names = stage.names()
        self._clock = clock
        self._where = where
        self._notes = tuple(notes)
        self._ending = Ending()
        names = {value: "${" + name + "}" for name, value in self._names.values.items()}
        self._watch = Watch(Transcript(issue.id, issue.title, names), clock, None)

    async def run(self) -> CaseResult:
        """Play the log to its end. Raises HarnessError if the SDK can't read it."""
        with self._clock as clock:
            clock.describe = lambda: "the session of a log is played"
            self.connection(1, UNKNOWN, None)
            await tell(self._steps, names=self._names, observer=self, now=clock.now, where=self._where)
            elapsed = clock.elapsed
        return self._result(elapsed)

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        """A log tells of one connection."""
        self._watch.connection(number, purpose, resumed)

    def frame(self, direction: str, frame: Any) -> None:
        """A frame went over the wire."""
        self._watch.frame(direction, frame)
        self._ending.frame(direction, frame)

    def decision(self, what: str) -> None:
        """No log tells of any."""

    def _result(self, elapsed: float) -> CaseResult:
        reason, why = self._ending.reason, self._ending.why
        self._watch.transcript.outcome(reason.value, why, elapsed)
        said = self._watch.conversation
        return CaseResult(
            outcome=reason,
            why=why,
            expected=self._issue.expect,
            checks=(),
            attempts=(),
            prompts=said.prompts,
            tools=said.tools,
            usage=SessionUsage(tokens=self._ending.usage),
            turns=len(said.prompts),
            gate_attempts=0,
            cost_usd=None,
            virtual_seconds=elapsed,
            transcript=self._watch.transcript.render(times=False),  # no times inside a turn are known
            notes=(IMPORTED, *self._notes, *self._watch.notes),
        )
