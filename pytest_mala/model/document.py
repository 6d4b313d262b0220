"""Reads the fields of a model script from YAML nodes, so that each mistake is told with its line and field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import MalaError
from pytest_mala.issue import durations
from pytest_mala.issue.front_matter import FrontMatterError
from pytest_mala.issue.nodes import ListNode, MapNode, TextNode, describe, quoted
from pytest_mala.issue.yaml_text import read_nodes

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pytest_mala.issue.nodes import Node

__all__ = ["Field", "ModelScriptError", "read_document"]

_MARKER = re.compile(r"^---(?:\s|$)", re.MULTILINE)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None, "": None}


class ModelScriptError(MalaError):
    """A model script can't be used; the text reads `path:line: field: expected ..., got ...`."""

    def __init__(self, path: Path | str, line: int | None, field: str, what: str) -> None:
        where = f"{path}" if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {field}: {what}" if field else f"{where}: {what}")
        self.path = path
        self.line = line
        self.field = field
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of the file, with the words that name it in messages."""

    path: Path
    name: str
    node: Node

    @property
    def line(self) -> int:
        """The line on which the value starts, counted from 1."""
        return self.node.line

    @property
    def is_text(self) -> bool:
        """Whether the value is one scalar."""
        return isinstance(self.node, TextNode)

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.node, ListNode)

    def refused(self, expected: str, got: str | None = None) -> ModelScriptError:
        """The error for a value that is not what was expected."""
        return ModelScriptError(
            self.path, self.line, self.name, f"expected {expected}, got {got or describe(self.node)}"
        )

    def mapping(self, allowed: Collection[str] | None = None) -> dict[str, Field]:
        """The fields of a mapping; a name outside `allowed` is refused."""
        if not isinstance(self.node, MapNode):
            raise self.refused(f"a mapping with {', '.join(allowed)}" if allowed else "a mapping")
        for entry in self.node.entries:
            if allowed is not None and entry.name not in allowed:
                what = f"expected one of {', '.join(allowed)}, got {quoted(entry.name)}"
                raise ModelScriptError(self.path, entry.line, self.name, what)
        return {
            entry.name: Field(path=self.path, name=f"{self.name}.{entry.name}".lstrip("."), node=entry.value)
            for entry in self.node.entries
        }

    def sequence(self) -> list[Field]:
        """The items of a list that is not empty, named `field[1]`, `field[2]`, ..."""
        if not isinstance(self.node, ListNode) or not self.node.items:
            raise self.refused("a list that is not empty", "an empty one" if self.is_list else None)
        return [
            Field(path=self.path, name=f"{self.name}[{number}]", node=node)
            for number, node in enumerate(self.node.items, 1)
        ]

    def text(self, expected: str = "a text") -> str:
        """The text of a scalar as it stands (`no` is "no" and `0012` is "0012"); an empty one is refused."""
        if not isinstance(self.node, TextNode) or not self.node.text:
            raise self.refused(expected)
        return self.node.text

    def integer(self, lowest: int, highest: int) -> int:
        """A whole number from `lowest` to `highest`."""
        expected = f"a whole number from {lowest} to {highest}"
        text = self.text(expected)
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
            raise self.refused(expected)
        return int(text)

    def choice(self, allowed: Collection[str]) -> str:
        """One of the words that are allowed."""
        expected = f"one of {', '.join(allowed)}"
        text = self.text(expected)
        if text not in allowed:
            raise self.refused(expected)
        return text

    def seconds(self) -> float:
        """A duration, written as in an issue file, in seconds."""
        expected = "a duration like 0.5s, 90s or 5m"
        found = durations.parse_seconds(self.text(expected))
        if found is None or found > durations.LONGEST_SECONDS:
            raise self.refused(expected)
        return found

    def json(self) -> Any:
        """The value as JSON: a scalar without quotes is a number, true, false or null only where JSON says so."""
        if isinstance(self.node, MapNode):
            return {entry.name: self._inner(entry.value).json() for entry in self.node.entries}
        if isinstance(self.node, ListNode):
            return [self._inner(item).json() for item in self.node.items]
        return _json_scalar(self.node.text) if self.node.plain else self.node.text

    def _inner(self, node: Node) -> Field:
        return Field(path=self.path, name=self.name, node=node)


def _json_scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    return float(text) if found[1] or found[2] else int(text)


def read_document(path: Path) -> Field:
    """The value that a file holds: one YAML document without tags, anchors or repeated names.

    Raises ModelScriptError with the line for a file that can't be read or says something else.
    """
    text = _text_of(path)
    if marker := _MARKER.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        raise ModelScriptError(path, line, "", "expected one YAML document, got a document marker '---'")
    try:
        node = read_nodes(text)
    except FrontMatterError as error:
        raise ModelScriptError(path, error.line, "", error.what) from None
    if node is None:
        raise ModelScriptError(path, 1, "", "expected a mapping with answers, got an empty file")
    return Field(path=path, name="", node=node)


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelScriptError(path, None, "", f"expected a readable file, got {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ModelScriptError(path, line, "", f"expected UTF-8, got byte 0x{error.object[error.start]:02x}") from None
