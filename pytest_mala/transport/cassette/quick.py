"""Reads what stands exactly as `canonical` writes it, several times as fast as a YAML parser does.

It knows the few forms that canonical YAML uses and gives up on everything else, which `strict` must read then. What it
gives is what `strict` would give: a property test compares the two on changed texts.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NotCanonicalError", "forget_lines", "quick_list", "quick_mapping"]

_DEPTH: Final = 24  # of blocks, and again of brackets on one line: together well below what `strict` allows
_KEY_MAX: Final = 1000  # characters; YAML reads a longer key only behind a question mark
_WORD: Final = r"[A-Za-z_/$][A-Za-z0-9_/.@$-]*+"
_STRING: Final = r'"(?:[^"\\\n]|\\[^\n])*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,20}+)?(?![0-9.eE])"

_key_line = re.compile(rf"( *+)({_WORD}|{_STRING}):(?: (.++))?").fullmatch
_is_flow = re.compile(rf"(?:{_STRING}|{_WORD}|{_NUMBER}|[\[\]{{}}]|, (?! )|: (?! ))++").fullmatch
_is_word = re.compile(_WORD).fullmatch
_is_number = re.compile(_NUMBER).fullmatch
_is_numbers = re.compile(r"\[(?:0|[1-9][0-9]{0,17}+)(?:, (?:0|[1-9][0-9]{0,17}+))*+\]").fullmatch
_words_and_strings = re.compile(rf"{_STRING}|{_WORD}")
_CONSTANTS: Final = {"null": None, "true": True, "false": False}
_GUESSED: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})

_CACHED_MAX: Final = 160  # characters of a line: most lines of a recording have been there before

_NESTED, _SCALAR, _FLAT, _DEEP, _BLOCK, _NUMBERS, _NO_KEY = range(7)
"""What stands behind a key: nothing, a value, a list or mapping of values, one of such, a text of several lines, whole
numbers on several lines."""

_Made = TypeVar("_Made")
_Entry = tuple[int, str, int, Any]  # column of the key, the key, which of these, and the value or what tells it

_USUAL: Final = bytes(range(0x20, 0x7F)) + b"\t\n"
_has_unusual = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
).search
_has_doubtful = re.compile(r"\\u[dD]|\\/").search  # half pairs; an escape that old YAML has not


class NotCanonicalError(Exception):
    """The text is not in the form that is read here; it may be right all the same."""


def quick_list(content: bytes, column: int) -> list[Any]:
    """The items of a block list whose dashes stand at this column; NotCanonicalError if `strict` must read it.

    `content` are whole lines of UTF-8.
    """
    return _read(content, lambda lines: _list(lines, 0, column, 0))


def quick_mapping(content: bytes) -> dict[str, Any]:
    """The block mapping whose keys stand at column 0; NotCanonicalError if `strict` must read it.

    `content` are whole lines of UTF-8, without comments.
    """
    return _read(content, lambda lines: _mapping(lines, 0, 0, 0))


def _read(content: bytes, read: Callable[[list[str]], tuple[_Made, int]]) -> _Made:
    text = content.decode()
    if content.translate(None, _USUAL) and _has_unusual(text):
        raise NotCanonicalError
    if "\\" in text and _has_doubtful(text):
        raise NotCanonicalError
    lines = text.split("\n")
    try:
        made, end = read(lines)
    except (ValueError, RecursionError):
        raise NotCanonicalError from None
    if end != len(lines) - 1:  # behind the last line feed stands an empty one
        raise NotCanonicalError
    return made


def _list(lines: list[str], at: int, column: int, depth: int) -> tuple[list[Any], int]:
    """The list whose first dash stands at this column of this line, and the number of the line behind it."""
    made: list[Any] = []
    dash = " " * column + "- "
    under = column + 2
    while (line := lines[at]).startswith(dash):
        rest = line[under:]
        entry = _entry(" " * under + rest)
        value: Any
        if entry[2] != _NO_KEY:
            lines[at] = " " * under + rest
            value, at = _mapping(lines, at, under, depth + 1)
        else:
            _, _, kind, told = _told(0, "", rest)
            value, at = _value(lines, at + 1, kind, told, column)
        made.append(value)
    return made, at


def _mapping(lines: list[str], at: int, column: int, depth: int) -> tuple[dict[str, Any], int]:
    """The mapping whose keys stand at this column, the first on this line; and the line behind it."""
    if depth > _DEPTH:
        raise NotCanonicalError
    made: dict[str, Any] = {}
    while True:
        line = lines[at]
        where, key, kind, told = _entry(line) if len(line) < _CACHED_MAX else _entry.__wrapped__(line)
        if where != column:
            break
        if key in made:
            raise NotCanonicalError
        at += 1
        if kind == _SCALAR:
            made[key] = told
        elif kind != _NESTED:
            made[key], at = _value(lines, at, kind, told, column)
        elif lines[at].startswith(" " * column + "- "):
            made[key], at = _list(lines, at, column, depth + 1)
        else:
            made[key], at = _mapping(lines, at, column + 2, depth + 1)
    if not made:
        raise NotCanonicalError
    return made, at


@lru_cache(maxsize=4096)
def _entry(line: str) -> _Entry:
    """What a line says about a key; without one its column is -1."""
    match = _key_line(line)
    if match is None:
        return -1, "", _NO_KEY, None
    blanks, key, rest = match.groups()
    if key[0] == '"':
        key = _string(key)
    elif key.lower() in _GUESSED:
        raise NotCanonicalError
    if len(key) > _KEY_MAX:
        raise NotCanonicalError
    return (len(blanks), key, _NESTED, None) if rest is None else _told(len(blanks), key, rest)


def _told(column: int, key: str, rest: str) -> _Entry:
    """With what the rest of a line says about a value."""
    first = rest[:1]
    if first == '"':
        return column, key, _SCALAR, _string(rest)
    if first in ("{", "["):
        return (column, key, _NUMBERS, rest) if rest[-1] == "," else (column, key, *_flow(rest))
    if first in ("|", ">"):
        return column, key, _BLOCK, rest
    if _is_word(rest):
        if rest.lower() not in _GUESSED:
            return column, key, _SCALAR, rest
        if rest in _CONSTANTS:
            return column, key, _SCALAR, _CONSTANTS[rest]
    elif _is_number(rest):
        return column, key, _SCALAR, float(rest) if "." in rest else int(rest)
    raise NotCanonicalError


def _value(lines: list[str], at: int, kind: int, told: Any, column: int) -> tuple[Any, int]:
    """The value that was told of, as new data, and the line behind it; `column` is that of its parent."""
    if kind == _BLOCK:
        return _block(lines, at, told, column + 2)
    if kind == _NUMBERS:
        return _numbers_on_lines(lines, at, told, column + 2)
    if kind == _DEEP:
        return json.loads(told), at
    return (told.copy() if kind == _FLAT else told), at


def _string(quoted: str) -> str:
    """JSON and YAML agree about what stands in double quotes on one line."""
    value, end = scanstring(quoted, 1)
    if end != len(quoted):
        raise NotCanonicalError
    return str(value)


def _flow(rest: str) -> tuple[int, Any]:
    """A list or mapping on one line: JSON, once its words are quoted."""
    if len(rest) > _KEY_MAX or not _is_flow(rest) or rest.count("[") + rest.count("{") > _DEPTH:
        raise NotCanonicalError
    given = _words_and_strings.sub(_quoted, rest)
    value = json.loads(given, object_pairs_hook=_unique)
    is_deep = any(type(one) in (dict, list) for one in (value.values() if type(value) is dict else value))
    return (_DEEP, given) if is_deep else (_FLAT, value)


def _quoted(match: re.Match[str]) -> str:
    word = match.group()
    if word[0] == '"' or word in _CONSTANTS:
        return word
    if word.lower() in _GUESSED:
        raise NotCanonicalError
    return f'"{word}"'


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotCanonicalError
    return made


def _numbers_on_lines(lines: list[str], at: int, first: str, column: int) -> tuple[list[int], int]:
    pad = " " * column
    rows = [first]
    while rows[-1][-1:] == ",":
        if not lines[at].startswith(pad):
            raise NotCanonicalError
        rows.append(lines[at][column:])
        at += 1
    told = " ".join(rows)
    if not _is_numbers(told):
        raise NotCanonicalError
    return json.loads(told), at


def _block(lines: list[str], at: int, style: str, column: int) -> tuple[str, int]:
    """A text of several lines that stand at this column."""
    pad = " " * column
    end = at
    while (line := lines[end]).startswith(pad) or not line:
        end += 1
        if end == len(lines):
            end -= 1  # the empty line behind the last line feed is none of the text
            break
    told = [line[column:] for line in lines[at:end]]
    if not told:
        raise NotCanonicalError
    begins_late = told[0][:1] in ("", " ", "\t")
    if style == ">-":
        if any(line[:1] in ("", " ", "\t") for line in told):
            raise NotCanonicalError
        return " ".join(told), end
    chomp = style[1:].removeprefix("2")
    if style[0] != "|" or chomp not in ("", "-", "+") or (begins_late and style[1:2] != "2"):
        raise NotCanonicalError
    if chomp == "+":
        return "\n".join(told) + "\n", end
    if not told[-1]:
        raise NotCanonicalError
    return "\n".join(told) + ("" if chomp else "\n"), end


def forget_lines() -> None:
    """Forget what lines said that were read before; only measurements need this."""
    _entry.cache_clear()
