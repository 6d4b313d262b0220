"""The last gate before the disk: journal entries go in as they are, and come out in order and without secrets.

A secret may be cut apart by the deltas of a streamed message. So the entries of a streamed block are held back until
the block has ended, with all that comes after them, and its deltas are read as one text. A recording that is killed
loses the block that was being streamed; without partial messages nothing is held back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from pytest_mala.transport.scrub.scrubber import Scrubber

__all__ = ["Outlet"]

Note = TypeVar("Note")
_Block = tuple[Any, ...]

_TREES: Final = frozenset({"turn", "tree"})
"""What they hold is never changed (trees.py looks at it before)."""

_ALL_END: Final = frozenset({"turn", "gate"})
"""Entries that come when no message is being streamed any more."""


class Outlet(Generic[Note]):
    """Takes entries, each with a note that comes out beside it."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held: list[tuple[Mapping[str, Any], Note]] = []
        self._deltas: dict[_Block, list[int]] = {}
        self._streaming: set[_Block] = set()

    def put(self, entry: Mapping[str, Any], note: Note) -> list[tuple[dict[str, Any], Note]]:
        """The entries that may be written now: none while a block is streamed."""
        self._watch(entry)
        self._held.append((entry, note))
        return [] if self._streaming else self.flush()

    def flush(self) -> list[tuple[dict[str, Any], Note]]:
        """Everything that was held back."""
        entries = [entry for entry, _ in self._held]
        for places in self._deltas.values():
            self._clean_deltas(entries, places)
        notes = [note for _, note in self._held]
        self._held, self._deltas, self._streaming = [], {}, set()
        return [(self._cleaned(entry), note) for entry, note in zip(entries, notes, strict=True)]

    def _cleaned(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return dict(entry if entry.get("k") in _TREES else self._scrubber.clean(entry))

    def _watch(self, entry: Mapping[str, Any]) -> None:
        """Which blocks are being streamed after this entry."""
        kind, frame = entry.get("k"), entry.get("m")
        if kind in _ALL_END:
            self._streaming.clear()
        elif kind == "end" or (kind == "recv" and _type(frame) == "result"):
            self._end((entry.get("c"),))
        elif kind == "recv" and isinstance(frame, Mapping) and _type(frame) == "stream_event":
            self._watch_event((entry.get("c"), frame.get("parent_tool_use_id")), frame.get("event"))

    def _watch_event(self, message: _Block, event: Any) -> None:
        match _type(event):
            case "message_start" | "message_stop":
                self._end(message)
            case "content_block_start":
                self._streaming.add((*message, event.get("index")))
            case "content_block_delta":
                block = (*message, event.get("index"))
                self._streaming.add(block)
                self._deltas.setdefault((*block, _type(event.get("delta"))), []).append(len(self._held))
            case "content_block_stop":
                self._end((*message, event.get("index")))

    def _end(self, block: _Block) -> None:
        """This block, or all blocks of a message or a connection, will get no more deltas."""
        self._streaming = {one for one in self._streaming if one[: len(block)] != block}

    def _clean_deltas(self, entries: list[Mapping[str, Any]], places: list[int]) -> None:
        deltas = [entries[place]["m"]["event"]["delta"] for place in places]
        if not all(isinstance(delta, Mapping) for delta in deltas):
            return
        fields = {name: None for delta in deltas for name, text in delta.items() if isinstance(text, str)}
        for field in fields:
            texts = [text if isinstance(text := delta.get(field), str) else "" for delta in deltas]
            cleaned = texts if field == "type" else self._scrubber.clean_pieces(texts, field)
            for place, before, after in zip(places, texts, cleaned, strict=True):
                if before != after:
                    entries[place] = _with_delta(entries[place], field, after)


def _with_delta(entry: Mapping[str, Any], field: str, text: str) -> dict[str, Any]:
    """The entry with another text in its delta; the frame of the application is not touched."""
    event = entry["m"]["event"]
    return {**entry, "m": {**entry["m"], "event": {**event, "delta": {**event["delta"], field: text}}}}


def _type(value: Any) -> Any:
    return value.get("type") if isinstance(value, Mapping) else None
