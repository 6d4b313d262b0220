"""Findings as text for the agent (session:T6)."""

from __future__ import annotations

from pathlib import Path

from pytest_mala.session.models import ReviewIssue
from pytest_mala.session.review_text import format_review_issues


def found(file: str, line: int) -> ReviewIssue:
    return ReviewIssue(file, line, line, 1, f"bug {line}", "because", "critic")


def test_t6_a_file_has_one_group_however_its_path_is_written() -> None:
    text = format_review_issues([found("/r/a.py", 9), found("a.py", 3), found("/r/b.py", 1)], Path("/r"))
    assert text == (
        "File: a.py\n  L3: [critic] bug 3\n    because\n  L9: [critic] bug 9\n    because\n\n"
        "File: b.py\n  L1: [critic] bug 1\n    because"
    )


def test_t6_findings_of_one_line_stand_in_the_order_of_their_priorities() -> None:
    ranked = [ReviewIssue("a.py", 3, 3, priority, f"P{priority}", "", "") for priority in (None, 2, 1, 0)]
    assert format_review_issues(ranked) == "File: a.py\n  L3: P0\n  L3: P1\n  L3: P2\n  L3: PNone"
