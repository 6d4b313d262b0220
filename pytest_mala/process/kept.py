"""Keeps the two ends of an output that may be endless, and says what is missing between them."""

from __future__ import annotations

import codecs

__all__ = ["Kept"]

_SLACK_BYTES = 65_536  # how much more than the tail may pile up before it is cut, so that not each read cuts


class Kept:
    """The first and the last bytes of an output, however long it is."""

    def __init__(self, limit: int) -> None:
        self._head_limit, self._tail_limit = limit // 2, limit - limit // 2
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """The next bytes of the output."""
        self._total += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 4 * max(self._tail_limit, _SLACK_BYTES):
            del self._tail[: -self._tail_limit]

    def text(self) -> tuple[str, bool]:
        """The output as text, and whether something is missing; no character is cut in two at the gap."""
        if self._total <= self._head_limit + self._tail_limit:
            return (self._head + self._tail).decode(errors="replace"), False
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        head = decoder.decode(self._head)
        tail = self._tail[-self._tail_limit :]
        cut = next((n for n in range(min(4, len(tail))) if tail[n] & 0xC0 != 0x80), 0)
        missing = self._total - len(self._head) + len(decoder.getstate()[0]) - len(tail) + cut
        lines = "" if not head or head.endswith("\n") else "\n"
        return f"{head}{lines}[... {missing} bytes left out ...]\n{tail[cut:].decode(errors='replace')}", True
