"""Finds in the bytes of a cassette where its frames stand, so that a file of any size is open before they are read.

Canonical text makes that possible: an interaction begins at column 0 and a frame at column 4, and nothing inside of
them does. A file that lies about its outline gains nothing: a cut through a text leaves an open quote, which is
refused, and whatever is not as expected is read whole instead (see `opening`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Cut", "Outline", "outline"]

_INTERACTIONS: Final = b"\ninteractions:\n- request:\n"
_NEXT: Final = b"\n- request:\n"
_SHARED: Final = b"\nshared:\n"
_FRAMES: Final = b"\n    frames:\n"
_FRAME: Final = b"    - "
_NEXT_FRAME: Final = b"\n    - "


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The frames of one interaction: its index, where their lines begin and end in the file, and how many they are."""

    interaction: int
    start: int
    end: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The file without its frames; in their place stands a text that nothing else in the file can be: `mark` of it."""

    skeleton: bytes
    cuts: tuple[Cut, ...]
    seal: str

    def mark(self, number: int) -> str:
        """What stands in place of the frames of this cut, counted from 0."""
        return _mark(self.seal, number)


def outline(content: bytes, start: int, end: int, seal: str) -> Outline:
    """The outline of the lines between two places of a file.

    `seal` is the digest of the content: no file can hold its own.
    """
    pieces: list[bytes] = []
    cuts: list[Cut] = []
    kept_from = start
    for number, (begin, stop) in enumerate(_interactions(content, start, end)):
        head_end = content.find(_FRAMES, begin, stop)
        first = head_end + len(_FRAMES)
        if head_end < 0 or not content.startswith(_FRAME, first):
            continue
        mark = f'    frames: "{_mark(seal, len(cuts))}"\n'.encode()
        pieces += [content[kept_from : head_end + 1], mark]
        count = 1 + content.count(_NEXT_FRAME, first, stop)
        cuts.append(Cut(interaction=number, start=first, end=stop, count=count))
        kept_from = stop
    pieces.append(content[kept_from:end])
    return Outline(skeleton=b"".join(pieces), cuts=tuple(cuts), seal=seal)


def _mark(seal: str, number: int) -> str:
    return f"{number}-{seal}"


def _interactions(content: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where each interaction begins and ends."""
    found = content.find(_INTERACTIONS, start, end)
    if found < 0:
        return []
    begins = [found + len(_INTERACTIONS) - len(_NEXT) + 1]
    while (found := content.find(_NEXT, begins[-1], end)) >= 0:
        begins.append(found + 1)
    shared = content.find(_SHARED, begins[-1], end)
    ends = [*begins[1:], shared + 1 if shared >= 0 else end]
    return list(zip(begins, ends, strict=True))
