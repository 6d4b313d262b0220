"""A session that was run by a hand-written test, with everything that can be asserted about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.report.text import counted
from pytest_mala.testing.gates import Gates
from pytest_mala.testing.outcome import Outcome
from pytest_mala.testing.prompts import Prompts
from pytest_mala.testing.tools import ToolCalls

if TYPE_CHECKING:
    from pytest_mala.case import CaseResult
    from pytest_mala.issue import Issue
    from pytest_mala.session.config import SessionUsage
    from pytest_mala.session.sinks import RecordingSink
    from pytest_mala.testing.tree import Tree

__all__ = ["SessionRun"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class SessionRun:
    """How a session went: its result as the harness has it, the events that it told, and the tree that it left."""

    issue: Issue
    result: CaseResult
    events: RecordingSink
    workspace: Tree

    @property
    def outcome(self) -> Outcome:
        """How it ended; compares with a string such as `passed`."""
        return Outcome(self.result.outcome, self.result.why)

    @property
    def gates(self) -> Gates:
        """The checks of the last gate attempt, by name."""
        return Gates(self.result.attempts)

    @property
    def turns(self) -> int:
        """How many prompts were sent."""
        return self.result.turns

    @property
    def prompts(self) -> Prompts:
        """What was sent, and why."""
        return Prompts(self.result.prompts)

    @property
    def tools(self) -> ToolCalls:
        """The tool calls, with name, input, result and turn."""
        return ToolCalls(self.result.tools, folder=str(self.workspace.path))

    @property
    def usage(self) -> SessionUsage:
        """Tokens of all turns."""
        return self.result.usage

    @property
    def cost_usd(self) -> float | None:
        """What the session cost in US dollars, None where nothing told it."""
        return self.result.cost_usd

    @property
    def seconds(self) -> float:
        """How long it took on the session's clock."""
        return self.result.virtual_seconds

    @property
    def transcript(self) -> str:
        """The session as text."""
        return self.result.transcript

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that are no failures."""
        return self.result.notes

    def __repr__(self) -> str:
        """One line: issue, outcome, turns, gate attempts."""
        attempts = counted(self.gates.attempts, "gate attempt")
        return f"<session {self.issue.id}: {self.outcome!s}, {counted(self.turns, 'turn')}, {attempts}>"
