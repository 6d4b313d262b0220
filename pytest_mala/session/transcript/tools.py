"""Show what the agent asked a tool to do, and what the tool answered, the way a person would write it down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.session.transcript.lines import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["as_json", "call_body", "content_body", "fields_body"]

MANY = 40
"""Blocks or keys of one tool call that are shown."""


def call_body(name: str, given: object) -> tuple[Piece, ...]:
    """The input of a tool call. Tools and inputs of unknown shape are shown key by key."""
    show = _TOOLS.get(name)
    if show is None or not isinstance(given, dict) or not show.needs <= _texts(given):
        return fields_body(given)
    used = show.needs | show.uses
    rest = {key: value for key, value in given.items() if key not in used and value not in (None, False)}
    return (*show.body(given), *_few([*_pairs(rest)]))


def fields_body(given: object) -> tuple[Piece, ...]:
    """An object key by key, sorted; another value as JSON, and nothing for None."""
    if not isinstance(given, dict):
        return () if given is None else (Piece(text=as_json(given)),)
    return _few([*_pairs(given)])


def content_body(content: object) -> tuple[Piece, ...]:
    """The content of a tool's result or of a message: a text, or a list of blocks."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Piece(text=content),) if content else ()
    if isinstance(content, list):
        return _few([_block(block) for block in content])
    return (Piece(text=as_json(content)),)


def as_json(value: object) -> str:
    """The value as JSON on one line, keys sorted: two recordings may have them in another order."""
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except (RecursionError, TypeError, ValueError):
        return "(a value that can't be shown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """How the input of one tool is shown: the text fields it needs, others it uses up, and the rest by `_pairs`."""

    needs: frozenset[str]
    uses: frozenset[str] = frozenset()
    body: Callable[[Mapping[str, Any]], list[Piece]]


def _command(given: Mapping[str, Any]) -> list[Piece]:
    return [Piece(text=given["command"], mark="$ ", margin="  ", head=30)]


def _edit(given: Mapping[str, Any]) -> list[Piece]:
    where = " (every occurrence)" if given.get("replace_all") is True else ""
    return [Piece(text=given["file_path"] + where), *_change(given)]


def _change(given: Mapping[str, Any]) -> list[Piece]:
    pairs = (("- ", given["old_string"]), ("+ ", given["new_string"]))
    return [Piece(text=text.removesuffix("\n"), mark=mark, margin=mark) for mark, text in pairs if text]


def _write(given: Mapping[str, Any]) -> list[Piece]:
    content = given["content"].removesuffix("\n")
    count = content.count("\n") + 1 if content else 0
    path = Piece(text=f"{given['file_path']} ({count} {'line' if count == 1 else 'lines'})")
    return [path, Piece(text=content, mark="+ ", margin="+ ")] if content else [path]


def _read(given: Mapping[str, Any]) -> list[Piece]:
    return [Piece(text=given["file_path"])]


_TOOLS = {
    "Bash": _Shown(needs=frozenset({"command"}), uses=frozenset({"description"}), body=_command),
    "Edit": _Shown(
        needs=frozenset({"file_path", "old_string", "new_string"}), uses=frozenset({"replace_all"}), body=_edit
    ),
    "Write": _Shown(needs=frozenset({"file_path", "content"}), body=_write),
    "Read": _Shown(needs=frozenset({"file_path"}), body=_read),
}


def _few(pieces: list[Piece]) -> tuple[Piece, ...]:
    if len(pieces) <= MANY:
        return tuple(pieces)
    return (*pieces[:MANY], Piece(text=f"... ({len(pieces) - MANY} more)"))


def _texts(given: Mapping[str, Any]) -> set[str]:
    return {key for key, value in given.items() if isinstance(value, str)}


def _pairs(given: Mapping[str, Any]) -> Iterator[Piece]:
    for key in sorted(given, key=str):
        value = given[key]
        text = value if isinstance(value, str) else as_json(value)
        yield Piece(text=text, mark=f"{key}: ", margin="  ")


def _block(block: object) -> Piece:
    if not isinstance(block, dict):
        return Piece(text=as_json(block))
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        return Piece(text=block["text"])
    source = block.get("source")
    if isinstance(source, dict) and isinstance(source.get("data"), str):
        kind = source.get("media_type", block.get("type"))
        return Piece(text=f"({kind}, {len(source['data'])} characters of {source.get('type')})")
    return Piece(text=as_json(block))
