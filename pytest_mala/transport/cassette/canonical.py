"""Writes JSON data as canonical YAML: equal data is equal text, in a form made for review (design D6).

Only what every YAML 1.1 reader takes for the same value is written: no tags, no anchors, no plain word that some reader
guesses a meaning into. Text with several lines stands in literal blocks, prose is folded at its sentences.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["MAX_DEPTH", "dumps", "ensure_writable"]

MAX_DEPTH = 64
"""How deep lists and mappings may be nested in a cassette."""

_WIDTH = 100
_PROSE_WIDTH = 110
_INTS_PER_LINE = 20
_SIMPLE_KEY = 1000  # YAML reads a longer key only behind a question mark (the limit is 1024 characters)
_DIGITS_MAX = 4000  # Python refuses to read more digits than 4300

_FIRST = (
    *("version", "mala", "interactions"),
    *("type", "subtype", "role", "name", "id", "parents", "author", "committer", "message", "path", "mode"),
    *("file_path", "old_string", "new_string"),
    *("format", "issue", "lane", "sdk", "cli", "trailing", "edited", "complete", "takes", "take", "start"),
    *("method", "uri", "body", "headers", "ms"),
)
_RANK = {key: rank for rank, key in enumerate(_FIRST)}
_LAST = "frames"
_UNRANKED = len(_FIRST)

# The skeleton of a file is never squeezed into one line: interactions and frames begin at fixed columns.
_BLOCKS = frozenset({"mala", "interactions", "shared", "request", "response", "frames"})
_OPENS = _BLOCKS | {"cli", "sdk", "trailing"}

_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_/.@$-]*\Z")
_WORDS = frozenset(
    word
    for lower in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
    for word in (lower, lower.capitalize(), lower.upper())
)
# What may stand in a block: printable in YAML 1.1, and no line break but LF.
_NOT_LITERAL = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NOT_FOLDED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NOT_QUOTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SENTENCE = re.compile(r"(?<=[.!?;:]) (?=[^ ])")
_WORD_GAP = re.compile(r"(?<=[^ ]) (?=[^ ])")
_quote_json = json.JSONEncoder(ensure_ascii=False).encode


def dumps(data: dict[str, Any]) -> str:
    """The mapping as canonical YAML, with a line feed at the end; ValueError for what is not JSON data.

    >>> print(dumps({"b": [1, 2], "a": "two\\nlines", "type": "no"}), end="")
    type: "no"
    a: |-
      two
      lines
    b: [1, 2]
    """
    ensure_writable(data)
    out: list[str] = []
    _entries(data, 0, "", out)
    return "".join(out) if data else "{}\n"


def ensure_writable(data: Any) -> None:
    """ValueError, with the place, for what a cassette can't hold: anything but JSON data, or nested too deep."""
    stack: list[tuple[str, Any, int]] = [("", data, 1)]
    while stack:
        place, value, depth = stack.pop()
        kind = type(value)
        if kind is dict or kind is list:
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels at {place[:200]}")
            children = value.items() if kind is dict else enumerate(value)
            for key, child in children:
                if kind is dict:
                    _ensure_scalar(f"a key of {place or 'the top level'}", key, keys=True)
                stack.append((f"{place}.{key}" if place else str(key), child, depth + 1))
        else:
            _ensure_scalar(place, value)


def _ensure_scalar(place: str, value: Any, *, keys: bool = False) -> None:
    kind = type(value)
    if kind is str:
        if _SURROGATE.search(value):
            raise ValueError(f"half a surrogate pair in the text at {place[:200]}")
    elif keys or kind not in (int, float, bool, type(None)):
        raise ValueError(f"{kind.__name__} is not JSON data, at {place[:200]}")
    elif kind is float and not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number, at {place[:200]}")
    elif kind is int and value.bit_length() > 3 * _DIGITS_MAX:
        raise ValueError(f"a number of more than {_DIGITS_MAX} digits at {place[:200]}")


def _in_order(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(mapping.items(), key=lambda item: (_rank(item[0]), item[0]))


def _rank(key: str) -> int:
    return _UNRANKED + 1 if key == _LAST else _RANK.get(key, _UNRANKED)


def _emit(value: Any, column: int, lead: str, out: list[str]) -> None:
    """Write a value behind `lead`, which already holds `key:` or `-` of an entry that begins at `column`."""
    if isinstance(value, str):
        out.append(_text(value, column + 2, lead))
    elif not isinstance(value, dict | list):
        out.append(f"{lead} {_scalar(value)}\n")
    elif not value or (lead.lstrip(" -").rstrip(":") not in _BLOCKS and _room(value, _WIDTH) >= 0):
        out.append(f"{lead} {_flow(value)}\n")
    elif isinstance(value, dict):
        if lead.endswith("-"):
            _entries(value, column + 2, lead + " ", out)
        else:
            out.append(f"{lead}\n")
            _entries(value, column + 2, " " * (column + 2), out)
    elif all(type(item) is int for item in value):
        out.append(f"{lead} [{_int_lines(value, column + 2)}]\n")
    else:
        out.append(f"{lead}\n")
        inner = column + 2 if lead.endswith("-") else column
        for item in value:
            _emit(item, inner, " " * inner + "-", out)


def _entries(mapping: dict[str, Any], column: int, first: str, out: list[str]) -> None:
    """The entries of a mapping at `column`; `first` stands before the first: the dash of a list item, or blanks."""
    lead = first
    for key, value in _in_order(mapping):
        name = _quoted(key)
        if len(name) > _SIMPLE_KEY:
            out.append(f"{lead}? {name}\n")
            lead, name = " " * column, ""
        _emit(value, column, f"{lead}{name}:", out)
        lead = " " * column


def _int_lines(values: list[int], column: int) -> str:
    rows = (values[start : start + _INTS_PER_LINE] for start in range(0, len(values), _INTS_PER_LINE))
    return (",\n" + " " * column).join(", ".join(map(str, row)) for row in rows)


def _text(text: str, column: int, lead: str) -> str:
    if "\n" in text:
        if text.strip("\n") and not _NOT_LITERAL.search(text):
            return _literal(text, column, lead)
        if len(text) > 60:
            return _continued(text, column, lead)
    elif len(text) > _WIDTH and (lines := _prose(text)):
        return f"{lead} >-\n" + "".join(f"{' ' * column}{line}\n" for line in lines)
    return f"{lead} {_quoted(text)}\n"


def _literal(text: str, column: int, lead: str) -> str:
    if not text.endswith("\n"):
        keep, body = "-", text
    else:
        keep, body = "+" if text.endswith("\n\n") else "", text[:-1]
    # The reader takes the indentation from the first line that is not empty; where that would mislead, it is told.
    hint = "2" if body[:1] == "\n" or body.lstrip("\n")[:1] in (" ", "\t") else ""
    pad = " " * column
    lines = "\n".join(pad + line if line else "" for line in body.split("\n"))
    return f"{lead} |{hint}{keep}\n{lines}\n"


def _continued(text: str, column: int, lead: str) -> str:
    """Text with control characters: double quoted, and still one line of the file for each line of the text."""
    lines = [_quoted_inside(line) for line in text.split("\n")]
    # A blank at the start of a line would be taken for indentation.
    escaped = [lines[0], *("\\" + line if line[:1] == " " else line for line in lines[1:])]
    return f'{lead} "' + ("\\n\\\n" + " " * column).join(escaped) + '"\n'


def _prose(text: str) -> list[str]:
    """One long line as lines that YAML folds back; a sentence keeps its own lines, so that an edit stays local.

    Empty if the text can't be folded without a change.
    """
    if text[0] == " " or text[-1] == " " or _NOT_FOLDED.search(text):
        return []
    lines: list[str] = []
    for sentence in _SENTENCE.split(text):
        line = ""
        for word in _WORD_GAP.split(sentence):
            if line and len(line) + 1 + len(word) > _PROSE_WIDTH:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines if len(lines) > 1 else []


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    return str(value) if isinstance(value, int) else _quoted(value)


def _float(value: float) -> str:
    """YAML 1.1 wants a point and a signed exponent: 1e16 is a text to it, 1.0e+16 is a number."""
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _quoted(text: str) -> str:
    """One line: the bare word where no reader guesses, else double quoted."""
    if len(text) <= _WIDTH and text not in _WORDS and _PLAIN.match(text):
        return text
    return f'"{_quoted_inside(text)}"'


def _quoted_inside(text: str) -> str:
    return _NOT_QUOTED.sub(lambda match: f"\\u{ord(match.group()):04x}", _quote_json(text)[1:-1])


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_flow(item)}" for key, item in _in_order(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _room(value: Any, room: int) -> int:
    """What is left of `room` characters when the value stands on one line; negative if it can't or should not."""
    if isinstance(value, str):
        return -1 if "\n" in value else room - len(value) - 2
    if not isinstance(value, dict | list):
        return room - 6
    for item in value:
        if isinstance(value, dict):
            if value[item] and item in _OPENS and isinstance(value[item], dict | list):
                return -1
            room = _room(value[item], room - len(item) - 4) if room >= 0 else -1
        else:
            room = _room(item, room - 2) if room >= 0 else -1
        if room < 0:
            return -1
    return room
