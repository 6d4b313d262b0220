"""Read a git index without starting git: which files were just written, and which flags a snapshot can't hold."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "entries"]

_FIXED = struct.Struct(">10I20sH")
_EXTENDED = 0x4000
_NAME_MAX = 0xFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in an index; times are whole seconds."""

    path: str
    mode: int
    id: str
    mtime: int
    stage: int
    is_assumed_unchanged: bool
    is_skipped: bool
    is_intended: bool


def entries(data: bytes) -> Iterator[Entry]:
    """The entries of an index of version 2 or 3; nothing for another version, or for no index at all."""
    if len(data) < 12 or data[:4] != b"DIRC":
        return
    version, count = struct.unpack_from(">II", data, 4)
    if version not in (2, 3):
        return
    at = 12
    for _ in range(count):
        fixed = _FIXED.unpack_from(data, at)
        flags = fixed[11]
        start = at + _FIXED.size
        more = 0
        if flags & _EXTENDED:
            more = struct.unpack_from(">H", data, start)[0]
            start += 2
        length = flags & _NAME_MAX
        end = start + length if length < _NAME_MAX else data.index(b"\0", start)
        yield Entry(
            decode(data[start:end]),
            fixed[6],
            fixed[10].hex(),
            fixed[2],
            flags >> 12 & 3,
            bool(flags & 0x8000),
            bool(more & 0x4000),
            bool(more & 0x2000),
        )
        at += (end - at + 8) // 8 * 8
