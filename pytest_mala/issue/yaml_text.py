"""Read YAML into nodes, from its events and without recursion: no anchors, aliases or tags, and bounded nesting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_mala.issue.front_matter import FrontMatterError
from pytest_mala.issue.nodes import Entry, ListNode, MapNode, Node, TextNode, describe, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 10
"""The deepest field of an issue (`gate.checks.NAME.env.NAME`) is half as deep."""

_NO_CHARACTER = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
_COLON_HINT = "; put quotes around a text that holds ': '"


def read_nodes(text: str, first_line: int = 1) -> Node | None:
    """The document that the text holds, or None if it holds none; lines count from `first_line`.

    Raises `FrontMatterError` with the line for text that is not YAML, or is YAML that is not allowed here.

    >>> read_nodes("id: 0012")
    MapNode(entries=(Entry(name='id', line=1, value=TextNode(text='0012', line=1, plain=True)),), line=1)
    """
    import yaml  # not at module level: an unrelated pytest run must not pay for it (design section 3)

    lines = _Lines(text=text, first=first_line)
    if fast := getattr(yaml, "CSafeLoader", None):
        try:
            return _build(yaml.parse(text, Loader=fast), lines)
        except yaml.YAMLError:
            pass  # libyaml is fourteen times as fast, but the words of an error must not depend on having it
    return _build(_in_plain_python(text, lines), lines)


def _in_plain_python(text: str, lines: _Lines) -> Iterator[Any]:
    import yaml  # see read_nodes

    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        raise FrontMatterError(
            lines.at(error.position), f"not valid YAML: the character U+{error.character:04X} is not allowed"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise FrontMatterError(_error_line(error, lines), f"not valid YAML: {_words(error, lines)}") from None
    except (ValueError, OverflowError):  # PyYAML lets chr() fail on an escape, and doesn't say where
        found = _NO_CHARACTER.search(text)
        line = lines.at(found.start() if found else 0)
        raise FrontMatterError(line, "not valid YAML: an escape names no Unicode character") from None


def _error_line(error: Any, lines: _Lines) -> int:
    return lines.at((error.problem_mark or error.context_mark).index)


def _words(error: Any, lines: _Lines) -> str:
    problem = " ".join(str(error.problem).split())
    if problem == "mapping values are not allowed here":
        return problem + _COLON_HINT
    if error.context and error.context_mark:
        return f"{problem} ({error.context} that starts on line {lines.at(error.context_mark.index)})"
    return problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Finds the line of a position. PyYAML's own count also ends lines at U+0085 and U+2028, editors don't."""

    text: str
    first: int

    def at(self, index: int) -> int:
        return self.first + self.text.count("\n", 0, min(index, max(0, len(self.text) - 1)))


@dataclass(slots=True, kw_only=True)
class _Open:
    """A list or mapping that is still being read; in a mapping names and values take turns in `items`."""

    is_mapping: bool
    line: int
    items: list[Node] = field(default_factory=list)
    lines_by_name: dict[str, int] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        if self.is_mapping and len(self.items) % 2 == 0:
            self._check_name(node)
        self.items.append(node)

    def _check_name(self, node: Node) -> None:
        if not isinstance(node, TextNode):
            raise FrontMatterError(node.line, f"a field's name must be a text, got {describe(node)}")
        if first := self.lines_by_name.get(node.text):
            raise FrontMatterError(node.line, f"{_name(node.text)}: repeated field, the first is on line {first}")
        self.lines_by_name[node.text] = node.line

    def close(self) -> Node:
        if not self.is_mapping:
            return ListNode(items=tuple(self.items), line=self.line)
        pairs = zip(self.items[::2], self.items[1::2], strict=True)
        entries = tuple(
            Entry(name=name.text, line=name.line, value=value) for name, value in pairs if isinstance(name, TextNode)
        )
        return MapNode(entries=entries, line=self.line)


def _build(events: Iterator[Any], lines: _Lines) -> Node | None:
    """Put the nodes together with a stack of our own: nesting can't exhaust the interpreter's."""
    stack = [_Open(is_mapping=False, line=lines.first)]
    for event in events:
        kind = type(event).__name__
        line = lines.at(event.start_mark.index)
        _check_allowed(kind, event, line)
        if kind == "ScalarEvent":
            stack[-1].add(_text(event, line))
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(stack) > DEEPEST:
                raise FrontMatterError(line, f"nested too deeply: expected at most {DEEPEST} levels")
            stack.append(_Open(is_mapping=kind == "MappingStartEvent", line=line))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            node = stack.pop().close()
            stack[-1].add(node)
    return stack[0].items[0] if stack[0].items else None


def _check_allowed(kind: str, event: Any, line: int) -> None:
    if getattr(event, "anchor", None) is not None:
        mark = "*" if kind == "AliasEvent" else "&"
        _refuse(line, f"YAML anchors and aliases ({mark}{event.anchor}) are not allowed: write the value out")
    if getattr(event, "tag", None) is not None:
        _refuse(line, f"YAML tags ({quoted(event.tag)}) are not allowed: every value is read as the type of its field")
    if kind == "DocumentStartEvent" and event.explicit:
        _refuse(line, "the front matter must be one YAML document, found the start of another")


def _text(event: Any, line: int) -> TextNode:
    text: str = event.value
    if bad := next((character for character in text if character == "\0" or "\ud800" <= character <= "\udfff"), None):
        _refuse(line, f"the character U+{ord(bad):04X} can't stand in a text")
    return TextNode(text=text, line=line, plain=not event.style)


def _refuse(line: int, what: str) -> NoReturn:
    raise FrontMatterError(line, what)


def _name(text: str) -> str:
    return text if text.isidentifier() else quoted(text)
