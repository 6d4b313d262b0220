"""The findings of a review as text for the agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mala.session.context import ReviewIssue

__all__ = ["format_review_issues"]


def format_review_issues(issues: Iterable[ReviewIssue], base_path: Path | None = None) -> str:
    """Findings grouped by file, in the order of lines and priorities; paths below `base_path` are made relative."""
    groups: dict[str, list[ReviewIssue]] = {}
    for issue in sorted(issues, key=lambda issue: issue.file):
        groups.setdefault(_shown(issue.file, base_path), []).append(issue)
    if not groups:
        return "There are no specific issues."
    parts = ([f"File: {path}", *map(_entry, sorted(group, key=_order))] for path, group in groups.items())
    return "\n\n".join("\n".join(part) for part in parts)


def _order(issue: ReviewIssue) -> tuple[int, bool, int]:
    return (issue.line_start, issue.priority is None, issue.priority or 0)


def _entry(issue: ReviewIssue) -> str:
    lines = f"L{issue.line_start}" + (f"-{issue.line_end}" if issue.line_end != issue.line_start else "")
    reviewer = f"[{issue.reviewer}] " if issue.reviewer else ""
    body = "".join("\n" + f"    {line}".rstrip() for line in issue.body.splitlines())
    return f"  {lines}: {reviewer}{issue.title}{body}"


def _shown(file: str, base_path: Path | None) -> str:
    path = Path(file)
    if base_path is not None and path.is_absolute() and path.is_relative_to(base_path):
        return path.relative_to(base_path).as_posix()
    return file
