"""How long something may take, as people write it: `90s`, `5m`, `1h`, `1h30m`, `0.5s`."""

from __future__ import annotations

import re

EXAMPLES = "a duration like 90s, 5m or 1h"
LONGEST_SECONDS = 30 * 24 * 3600.0
"""No limit needs more, and much more is more than the operating system's timers take."""

# each unit at most once, the larger before the smaller; `1:30` and a bare number are no durations: nobody can tell
# whether minutes or seconds were meant
_PATTERN = re.compile(
    r"(?:(?P<h>\d{1,9}(?:\.\d{1,9})?)h)?(?:(?P<m>\d{1,9}(?:\.\d{1,9})?)m)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?", re.ASCII
)
_BARE = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def is_bare_number(text: str) -> bool:
    """Whether the text is a number without a unit."""
    return _BARE.fullmatch(text) is not None


def parse_seconds(text: str) -> float | None:
    """The seconds that the text means, or None if it is no duration with units.

    >>> parse_seconds("90s"), parse_seconds("1h30m"), parse_seconds("0.5s"), parse_seconds("1:30"), parse_seconds("5")
    (90.0, 5400.0, 0.5, None, None)
    """
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, seconds = (float(match[unit] or 0) for unit in "hms")
    return hours * 3600 + minutes * 60 + seconds
