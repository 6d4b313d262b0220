"""Issues and the files they are read from: `load_issues(path)` gives plain values or one `IssueError`."""

from pytest_mala.issue.model import (
    AgentChoice,
    AgentReview,
    Check,
    CommandReview,
    CommitRule,
    EndReason,
    GateRule,
    Issue,
    IssueStatus,
    IssueType,
    Limits,
    NoReview,
    Review,
    WorkspaceSource,
)
from pytest_mala.issue.read import check_unique, load_issue, load_issues, looks_like_issue

__all__ = [
    "AgentChoice",
    "AgentReview",
    "Check",
    "CommandReview",
    "CommitRule",
    "EndReason",
    "GateRule",
    "Issue",
    "IssueStatus",
    "IssueType",
    "Limits",
    "NoReview",
    "Review",
    "WorkspaceSource",
    "check_unique",
    "load_issue",
    "load_issues",
    "looks_like_issue",
]
