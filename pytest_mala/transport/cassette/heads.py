"""Look at the head of a cassette file: which takes it holds, without reading the sessions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["take_numbers"]

_HEAD_BYTES: Final = 64 * 1024
"""More than a head with some hundred takes has."""
_INTERACTIONS: Final = b"\ninteractions:"
_TAKE: Final = re.compile(rb"(?<=[{ ])take: ([1-9][0-9]{0,5})\b")


def take_numbers(path: Path) -> tuple[int, ...]:
    """The numbers of the takes that the file says it holds; none if there is no such file, or no head in it.

    Nothing is refused here: whoever reads the file finds out what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):  # a path with a null character
        return ()
    found = (int(match[1]) for match in _TAKE.finditer(head.partition(_INTERACTIONS)[0]))
    return tuple(sorted(set(found)))
