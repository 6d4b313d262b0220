"""Reads the YAML of a cassette as JSON data and nothing more: what YAML readers could take differently is refused.

It builds the data from the parser's events, so it keeps no graph of nodes, resolves no tags and never recurses.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette.canonical import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["line_of", "load"]

_CONSTANTS: Final = {"null": None, "true": True, "false": False}
_NUMBER = re.compile(r"(?!-0\Z)-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_GUESSED = re.compile(r"(?:[-+.0-9~=<].*|(?i:null|true|false|yes|no|on|off|y|n)|)\Z", re.DOTALL)
_NO_KEY: Final = object()


class _RefusedError(Exception):
    """What is wrong at the event that is being read; `load` adds the file and the line."""


def load(text: str, path: Path | str) -> Any:
    """The one document in the text, which must close with `...`; CassetteError with the line for anything else.

    `path` only names the file in errors.
    """
    import yaml  # here, since a plugin that is installed but not used must not pay for it

    parser = None
    try:
        parser = _parser(text)
        return _build(parser, path)
    except yaml.reader.ReaderError as error:
        raise CassetteError(path, f"is not YAML: {error.reason}", _line_of_position(text, error)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise CassetteError(path, f"is not YAML: {what}", mark.line + 1 if mark else None) from None
    finally:
        if parser is not None:
            parser.dispose()


def line_of(text: str, where: Sequence[str | int]) -> int | None:
    """The line, from 1, at which the value at this path of keys and indexes begins; for an entry, the line of its key.

    The text must be one that `load` accepts. It is read once more, since only a failure asks for lines.
    """
    wanted = list(where)
    place: list[str | int | None] = []  # None: the next scalar is a key
    for event in _events(text):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            place.pop()
            _step(place)
        elif kind in ("ScalarEvent", "MappingStartEvent", "SequenceStartEvent"):
            is_key = bool(place) and place[-1] is None
            if is_key:
                place[-1] = event.value
            if place == wanted:
                return int(event.start_mark.line) + 1
            if kind != "ScalarEvent":
                place.append(None if kind == "MappingStartEvent" else 0)
            elif not is_key:
                _step(place)
    return None


def _step(place: list[str | int | None]) -> None:
    """A value is complete: go on to the next key or the next index."""
    if place:
        place[-1] = place[-1] + 1 if isinstance(place[-1], int) else None


def _parser(text: str) -> Any:
    """libyaml's parser; without it the one in pure Python does the same, about fifteen times slower."""
    import yaml  # here: see load

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)


def _events(text: str) -> Iterator[Any]:
    parser = _parser(text)
    try:
        while (event := parser.get_event()) is not None:
            yield event
    finally:
        parser.dispose()


def _line_of_position(text: str, error: Any) -> int:
    """The parser in Python counts characters, libyaml counts bytes."""
    if error.encoding == "unicode":
        return text.count("\n", 0, error.position) + 1
    return text.encode().count(b"\n", 0, error.position) + 1


def _build(parser: Any, path: Path | str) -> Any:
    """One loop over the events. The open collections are a list, so nesting costs no stack of Python's."""
    from yaml import events  # here: see load

    scalar, mapping, sequence = events.ScalarEvent, events.MappingStartEvent, events.SequenceStartEvent
    is_end = frozenset({events.MappingEndEvent, events.SequenceEndEvent})
    opened: list[tuple[Any, Any]] = []
    root: list[Any] | None = None
    current: Any = None
    key: Any = _NO_KEY
    event: Any = None
    get_event = parser.get_event
    try:
        while (event := get_event()) is not None:
            kind = type(event)
            if kind is scalar:
                is_key = key is _NO_KEY and type(current) is dict
                value = _scalar(event, is_key=is_key)
                if is_key:
                    key = _new_key(current, value)
                    continue
            elif kind is mapping or kind is sequence:
                _refuse_collection(event, len(opened), is_key=key is _NO_KEY and type(current) is dict)
                opened.append((current, key))
                current, key = {} if kind is mapping else [], _NO_KEY
                continue
            elif kind in is_end:
                value = current
                current, key = opened.pop()
            else:
                _refuse_outline(event, has_root=root is not None)
                continue
            if current is None:
                root = [value]
            elif key is _NO_KEY:
                current.append(value)
            else:
                current[key] = value
                key = _NO_KEY
    except _RefusedError as refusal:
        assert event is not None
        raise CassetteError(path, str(refusal), event.start_mark.line + 1) from None
    if root is None:
        raise CassetteError(path, "holds no YAML document")
    return root[0]


def _new_key(mapping: dict[str, Any], key: str) -> str:
    if key in mapping:
        raise _RefusedError(f"the key {key[:80]!r} stands twice in one mapping")
    return key


def _refuse_collection(event: Any, depth: int, *, is_key: bool) -> None:
    if event.tag is not None or event.anchor is not None:
        _refuse_marks(event)
    if depth >= MAX_DEPTH:
        raise _RefusedError(f"nested deeper than {MAX_DEPTH} levels")
    if is_key:
        raise _RefusedError("a key must be a text; here it is a list or a mapping")


def _refuse_marks(event: Any) -> None:
    if event.tag is not None:
        raise _RefusedError(f"a YAML tag ({event.tag}) is not allowed; a cassette holds JSON data only")
    raise _RefusedError(f"an anchor (&{event.anchor}) is not allowed; write the value out where it is needed")


def _refuse_outline(event: Any, *, has_root: bool) -> None:
    """The events around the one document: streams, the document's ends, and aliases, which are never allowed."""
    kind = type(event).__name__
    if kind == "AliasEvent":
        raise _RefusedError(f"an alias (*{event.anchor}) is not allowed; write the value out where it is needed")
    if kind == "DocumentStartEvent":
        if has_root:
            raise _RefusedError("a second YAML document begins here; a cassette is one document")
        if event.version or event.tags:
            raise _RefusedError("YAML directives (%YAML, %TAG) are not allowed")
    if kind == "DocumentEndEvent" and not event.explicit:
        raise _RefusedError("the document does not close with `...`")


def _scalar(event: Any, *, is_key: bool) -> Any:
    if event.tag is not None or event.anchor is not None:
        _refuse_marks(event)
    text = event.value
    if event.style:
        return text
    if not is_key:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if match := _NUMBER.match(text):
            return _number(text, match)
    if _GUESSED.match(text):
        shown = f"`{text[:80]}`" if text else "an empty value"
        raise _RefusedError(f"{shown} means different things to YAML readers; put it in double quotes if it is a text")
    return text


def _number(text: str, match: re.Match[str]) -> int | float:
    try:
        value = float(text) if match[1] or match[2] else int(text)
    except ValueError:
        raise _RefusedError(f"a number of {len(text)} characters is too long") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _RefusedError(f"`{text[:80]}` is too large for a number")
    return value
