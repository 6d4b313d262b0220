r"""Loose matching: what is left of a text when everything that looks as if no two runs shared it is taken out.

Only for applications that ask for it (`--mala-match=loose`): a shape says nothing about whether the value matters.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["IGNORED", "loosened"]

IGNORED: Final = (
    "ids, times, durations, hashes of 7 to 12 or 40 digits, temporary and home folders, colours, blanks at line ends"
)
"""What loose matching ignores, in words (cassettes.md 3.1)."""

_RULES: Final = tuple(
    (re.compile(pattern, re.MULTILINE), name)
    for pattern, name in (
        (r"\x1b\[[0-?]*[ -/]*[@-~]", ""),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b(?:toolu|msg|req)_[A-Za-z0-9_]+", "<id>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d\b)?", "<time>"),
        (r"(?<![\w.~-])(?:/private)?(?:/tmp|/var/folders)(?:/[^\s\"'`<>()\[\]{},;:]*)?(?![\w-])", "<tmp>"),
        (r"(?<![\w.~-])(?:/home|/Users)/[^/\s\"'`<>()\[\]{},;:]+", "<home>"),
        (r"\b[0-9a-f]{40}\b", "<hash>"),
        # a word (`defaced`) and a plain number are none
        (r"\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,12}\b", "<hash>"),
        (r"\b\d+(?:\.\d+)?\s?(?:ms|s|secs?|seconds?|mins?|minutes?|h|hours?)\b", "<duration>"),
        (r"[ \t\r]+$", ""),
    )
)


def loosened(text: str) -> str:
    """The text as loose matching sees it.

    >>> loosened("commit 1f3a9c2 took 1.5 s, see /tmp/pytest-7/x.log of /home/me/src  ")
    'commit <hash> took <duration>, see <tmp> of <home>/src'
    """
    for pattern, name in _RULES:
        text = pattern.sub(name, text)
    return text
