"""Whether a text names an issue: its id as a whole word, letter for letter."""

from __future__ import annotations

import re

__all__ = ["names_issue"]


def names_issue(text: str, issue_id: str) -> bool:
    """Whether a text, such as a commit message, names the issue (gate:G8 corrected: no pattern, no part of a word).

    A hyphen or a dot joins words: `mala-1` is not named by `mala-1-b`, `x-mala-1` or `mala-1.2`, but by `mala-1.`

    >>> names_issue("mala-1: fix add()", "mala-1"), names_issue("bd-mala-10: other", "mala-1")
    (True, False)
    """
    return re.search(rf"(?<!\w)(?<!\w[.-]){re.escape(issue_id)}(?!\w|[.-]\w)", text) is not None
