"""Read a git index without starting git (files just written, flags that a snapshot can't hold), and set times in it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import decode

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["Entry", "entries", "seal", "set_times"]

_FIXED = struct.Struct(">10I20sH")
_EXTENDED = 0x4000
_NAME_MAX = 0xFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in an index, which begins at `offset`; times are whole seconds."""

    path: str
    mode: int
    id: str
    mtime: int
    stage: int
    is_assumed_unchanged: bool
    is_skipped: bool
    is_intended: bool
    offset: int


def entries(data: bytes | bytearray) -> Iterator[Entry]:
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
            decode(bytes(data[start:end])),
            fixed[6],
            fixed[10].hex(),
            fixed[2],
            flags >> 12 & 3,
            bool(flags & 0x8000),
            bool(more & 0x4000),
            bool(more & 0x2000),
            at,
        )
        at += (end - at + 8) // 8 * 8


def set_times(index: bytearray, entry: Entry, status: os.stat_result) -> None:
    """Note in an index that a file has other times, and the same content."""
    times = (status.st_ctime_ns, status.st_mtime_ns)
    fields = [part & 0xFFFFFFFF for time in times for part in divmod(time, 1_000_000_000)]
    struct.pack_into(">4I", index, entry.offset, *fields)


def seal(index: bytearray) -> None:
    """Make the checksum at the end right."""
    index[-20:] = hashlib.sha1(index[:-20], usedforsecurity=False).digest()
