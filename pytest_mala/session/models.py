"""Values that gate and review hand to the session: a resolution, a gate result, a review and its findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GateResult", "IssueResolution", "ResolutionOutcome", "ReviewIssue", "ReviewResult"]


class ResolutionOutcome(Enum):
    """How an issue was resolved; all but SUCCESS come from a marker in the agent's text."""

    SUCCESS = "success"
    NO_CHANGE = "no_change"
    OBSOLETE = "obsolete"
    ALREADY_COMPLETE = "already_complete"


@dataclass(frozen=True, slots=True)
class IssueResolution:
    """An outcome with the agent's rationale for it."""

    outcome: ResolutionOutcome
    rationale: str


@dataclass(slots=True)
class GateResult:
    """What the gate says about the work: `failure_reasons` are sentences for the agent."""

    passed: bool
    failure_reasons: list[str] = field(default_factory=list)
    commit_hash: str | None = None
    validation_evidence: Any = None
    no_progress: bool = False
    resolution: IssueResolution | None = None


@dataclass(slots=True)
class ReviewIssue:
    """One finding of a review: `priority` 0 to 3 stands for P0 to P3, None for unranked; lines count from 1."""

    file: str
    line_start: int
    line_end: int
    priority: int | None
    title: str
    body: str
    reviewer: str


@dataclass(slots=True)
class ReviewResult:
    """What a reviewer says; `parse_error` is None when its answer could be read, `fatal_error` ends the session."""

    passed: bool
    issues: list[ReviewIssue] = field(default_factory=list)
    parse_error: str | None = None
    fatal_error: bool = False
    review_log_path: Path | None = None
