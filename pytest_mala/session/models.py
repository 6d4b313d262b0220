"""Values that gate and review hand to the session: a resolution, a gate result, a review and its findings.

`RetryConfig` and `ValidationArtifacts` belong to the same contract (session:1.6); the session itself does not use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "GateResult",
    "IssueResolution",
    "ResolutionOutcome",
    "RetryConfig",
    "ReviewIssue",
    "ReviewResult",
    "ValidationArtifacts",
]


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


@dataclass(slots=True)
class RetryConfig:
    """How often and how patiently something is tried again: all times in milliseconds, `max_retries` after the first.

    The wait before the first retry is `initial_delay_ms`, each later one `backoff_multiplier` times as long, at most
    `max_delay_ms`; `timeout_ms` is for one try.
    """

    max_retries: int = 2
    initial_delay_ms: int = 1000
    backoff_multiplier: float = 2.0
    max_delay_ms: int = 30000
    timeout_ms: int = 120000


@dataclass(slots=True)
class ValidationArtifacts:
    """Where a validation left its traces: logs, and what else it made, None where it made none."""

    log_dir: Path
    worktree_path: Path | None = None
    worktree_state: str | None = None
    coverage_report: Path | None = None
    e2e_fixture_path: Path | None = None
