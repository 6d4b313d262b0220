"""Reads `explained.toml`, which says why no test can notice some changes of the code, and writes drafts of it."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model import CannotJudge, Change, Explanation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXPLAINED = Path(__file__).with_name("explained.toml")

_SHARED = ("module", "function", "old", "why")
_OF_A_MUTANT = ("module", "function", "old", "new", "times")


def read(path: Path = EXPLAINED) -> list[Explanation]:
    """The explanations of a file; raises CannotJudge, with the file and the entry."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found: dict[Change, str] = {}
        explanations = []
        for place, fields in _entries(data):
            explanation = _explanation(place, fields)
            if first := found.get(explanation.change):
                raise ValueError(f"{place}: is explained by {first} already; `times` tells that it is made twice")
            found[explanation.change] = place
            explanations.append(explanation)
    except (OSError, ValueError) as error:
        raise CannotJudge(f"{path}: {error}") from None
    return explanations


def _entries(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each mutant with the name of its place; those of a group have what the group shares."""
    _only("the file", data, ("mutant", "group"))
    for number, fields in enumerate(_tables("mutant", data), start=1):
        place = f"mutant {number}"
        _only(place, fields, (*_OF_A_MUTANT, "why"))
        yield place, fields
    for number, group in enumerate(_tables("group", data), start=1):
        place = f"group {number}"
        _only(place, group, (*_SHARED, "mutants"))
        shared = {name: group[name] for name in _SHARED if name in group}
        members = _tables("mutants", group, f"{place}: ")
        if not members:
            raise ValueError(f"{place}: has no mutants")
        for position, fields in enumerate(members, start=1):
            inner = f"{place}, mutant {position}"
            _only(inner, fields, _OF_A_MUTANT)
            yield inner, shared | fields


def _tables(name: str, data: dict[str, Any], where: str = "") -> list[dict[str, Any]]:
    given = data.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ValueError(f"{where}{name!r}: expected a list of tables, got {given!r}")
    return given


def _only(place: str, fields: dict[str, Any], names: tuple[str, ...]) -> None:
    if unknown := sorted(fields.keys() - set(names)):
        raise ValueError(f"{place}: does not know {unknown[0]!r}; expected one of {', '.join(names)}")


def _explanation(place: str, fields: dict[str, Any]) -> Explanation:
    module, function, why = (_words(place, name, fields.get(name)) for name in ("module", "function", "why"))
    times = fields.get("times", 1)
    if type(times) is not int or times < 1:
        raise ValueError(f"{place}: 'times': expected a number from 1 on, got {times!r}")
    old, new = (_lines(place, name, fields.get(name)) for name in ("old", "new"))
    change = Change(module=module, function=function, old=old, new=new)
    return Explanation(change=change, why=why, times=times)


def _words(place: str, name: str, given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"{place}: {name!r}: expected a text, got {given!r}")
    return given


def _lines(place: str, name: str, given: object) -> tuple[str, ...]:
    """One line or several; an empty list says that there is none."""
    lines = [given] if isinstance(given, str) else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError(f"{place}: {name!r}: expected a text or a list of texts, got {given!r}")
    return tuple(lines)


def draft(changes: Iterable[Change]) -> str:
    """Entries for changes that are not explained yet, to be filled in; changes of the same text make a group."""
    return "\n".join(_draft_of(list(same)) for _, same in groupby(changes, _target))


def _target(change: Change) -> tuple[str, str, tuple[str, ...]]:
    return change.module, change.function, change.old


def _draft_of(changes: list[Change]) -> str:
    """An entry, or a group of entries that share everything but the new text."""
    counted = Counter(change.new for change in changes)
    first = changes[0]
    lines = ["[[mutant]]" if len(counted) == 1 else "[[group]]"]
    lines += [f"module = {_text(first.module)}", f"function = {_text(first.function)}", f"old = {_value(first.old)}"]
    if len(counted) == 1:
        lines += _fields(first.new, counted[first.new])
    lines.append('why = ""')
    if len(counted) > 1:
        members = [f"    {{ {', '.join(_fields(new, times))} }}," for new, times in counted.items()]
        lines += ["mutants = [", *members, "]"]
    return "\n".join(lines) + "\n"


def _fields(new: tuple[str, ...], times: int) -> list[str]:
    return [f"new = {_value(new)}", *([f"times = {times}"] if times > 1 else [])]


def _value(lines: tuple[str, ...]) -> str:
    return _text(lines[0]) if len(lines) == 1 else f"[{', '.join(map(_text, lines))}]"


def _text(text: str) -> str:
    """A TOML string: as it stands if it has neither quotes of that kind nor characters that must be escaped."""
    if ('"' in text or "\\" in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
