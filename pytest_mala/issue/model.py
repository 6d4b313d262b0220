"""What an issue is: plain values with the defaults of design section 5; `read.py` gets them from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_SECONDS = 1800.0
CHECK_TIMEOUT_SECONDS = 120.0


class EndReason(Enum):
    """How a session ended: exactly one of these (design D12)."""

    PASSED = "passed"
    NO_CHANGE = "no-change"
    OBSOLETE = "obsolete"
    ALREADY_COMPLETE = "already-complete"
    GATE_FAILED = "gate-failed"
    REVIEW_FAILED = "review-failed"
    NO_PROGRESS = "no-progress"
    NO_LOG = "no-log"
    IDLE = "idle"
    TIMEOUT = "timeout"
    CONTEXT = "context"
    BUDGET = "budget"
    AGENT_ERROR = "agent-error"
    ABORTED = "aborted"
    DEADLOCK_VICTIM = "deadlock-victim"
    UNJUDGED = "unjudged"  # only of a session that was imported from a log: it ended well, and nothing could judge it


class CommitRule(Enum):
    """Whether the gate wants a commit of the agent's that names the issue."""

    REQUIRED = "required"
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


class IssueType(Enum):
    """What sort of work an issue is; an epic only groups others and is never run."""

    TASK = "task"
    BUG = "bug"
    FEATURE = "feature"
    CHORE = "chore"
    EPIC = "epic"


class IssueStatus(Enum):
    """Where the work on an issue stands; only open work is run."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DEFERRED = "deferred"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One assertion about the work: a command that we run, or evidence that the agent ran one (design D9).

    `command` is the command line to run for `run`, and the command to find in the session log for `evidence`;
    `timeout` is in seconds, `cwd` is relative to the workspace. Only `run` uses the fields after `command`.
    """

    name: str
    kind: Literal["run", "evidence"] = "run"
    command: str
    timeout: float = CHECK_TIMEOUT_SECONDS
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    expect_exit: int = 0
    shell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """What the gate asserts: the checks, in the order of the file, and the commit rule."""

    commit: CommitRule = CommitRule.REQUIRED
    checks: tuple[Check, ...] = ()

    @property
    def can_fail(self) -> bool:
        """Whether any work at all could fail this gate."""
        return bool(self.checks) or self.commit is not CommitRule.ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSource:
    """Where the agent's working tree comes from (design D8).

    `path` is relative to the issue file, None is the repository that holds the file. `revision` None is HEAD. Issues
    with the same `shared` name work in one clone. `include` and `exclude` are patterns relative to the tree.
    """

    path: str | None = None
    revision: str | None = None
    shared: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChoice:
    """Which agent works on the issue, and what it may use."""

    model: str = "sonnet"
    permission_mode: str = "bypassPermissions"
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReview:
    """Nobody reads the work after the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandReview:
    """A command reads the work: JSON in, JSON out."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReview:
    """A second agent session reads the work."""

    agent: AgentChoice


Review: TypeAlias = NoReview | CommandReview | AgentReview


def idle_seconds_for(timeout: float) -> float:
    """How long an agent may be silent if the issue doesn't say, from the session's timeout; both in seconds.

    >>> idle_seconds_for(1800), idle_seconds_for(60), idle_seconds_for(36000)
    (360.0, 300.0, 900.0)
    """
    return min(900.0, max(300.0, timeout / 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a session may use up. `timeout` and `idle` are in seconds; idle None is off, turns and budget None no limit.

    An issue file that gives only `timeout` gets the idle time of `idle_seconds_for`.
    """

    timeout: float = TIMEOUT_SECONDS
    idle: float | None = idle_seconds_for(TIMEOUT_SECONDS)
    gate_retries: int = 3
    review_retries: int = 3
    idle_retries: int = 2
    restarts: int = 5
    turns: int | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One unit of work: what to do, how it is judged, and what it may use.

    `body` is the Markdown after the front matter, `acceptance_criteria` the text of its section of that name or "".
    `path` is the file as it was given, `shown` how messages call it, `line` where the issue starts in it (from 1).
    """

    id: str
    title: str
    body: str
    path: Path
    line: int = 1
    shown: str = ""
    acceptance_criteria: str = ""
    type: IssueType = IssueType.TASK
    status: IssueStatus = IssueStatus.OPEN
    priority: int = 2
    labels: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    workspace: WorkspaceSource = WorkspaceSource()
    gate: GateRule = GateRule()
    review: Review = NoReview()
    agent: AgentChoice = AgentChoice()
    limits: Limits = Limits()
    expect: tuple[EndReason, ...] = (EndReason.PASSED,)
    xfail: str | None = None
    skip: str | None = None

    @property
    def place(self) -> str:
        """File and line as messages show them."""
        return f"{self.shown or self.path}:{self.line}"

    @property
    def is_deselected_reason(self) -> str | None:
        """Why the issue is not run, in one word, or None if it is to be run."""
        if self.type is IssueType.EPIC:
            return str(self.type.value)
        if self.status in (IssueStatus.CLOSED, IssueStatus.BLOCKED, IssueStatus.DEFERRED):
            return str(self.status.value)
        return None
