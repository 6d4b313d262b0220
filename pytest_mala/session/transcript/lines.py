"""Turn foreign text into lines that can be shown and compared: escaped, bounded, indented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Piece", "bounded", "cut", "escaped"]

LINE_LENGTH = 400
"""Characters of one line that are shown."""

# controls, bidirectional and invisible marks, line separators, half surrogate pairs; a fixed list, as what Python calls
# printable changes with its version. Joiners (200c, 200d) stay: scripts and emoji need them.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A text of a transcript's body as it came, with how it is to be shown.

    `mark` stands before the first line, `margin` before the others; of more than `head + tail` lines the middle is
    left out.
    """

    text: str
    mark: str = ""
    margin: str = ""
    head: int = 20
    tail: int = 10


def escaped(text: str) -> str:
    r"""The text with control characters spelt out; newlines and tabs stay.

    >>> escaped("\x1b[31mred\x1b[0m")
    '\\x1b[31mred\\x1b[0m'
    """
    return _UNSAFE.sub(_spelt, text)


def bounded(lines: Sequence[str], *, head: int, tail: int) -> list[str]:
    """The lines, each cut to a sensible length, with the middle left out and its size stated.

    >>> bounded(["a", "b", "c", "d"], head=1, tail=1)
    ['a', '... (2 lines left out)', 'd']
    """
    left_out = len(lines) - head - tail
    if left_out > 1:  # one line is as long as the statement that it is missing
        note = f"... ({left_out} lines left out)"
        return [*map(cut, lines[:head]), note, *map(cut, lines[len(lines) - tail :])]
    return [cut(line) for line in lines]


def cut(line: str) -> str:
    """The line, or its start and how much more there is."""
    if len(line) <= LINE_LENGTH:
        return line
    return f"{line[:LINE_LENGTH]}... ({len(line) - LINE_LENGTH} more characters)"


def _spelt(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == 0x0D:
        return "\\r"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
