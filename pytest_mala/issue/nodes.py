"""What YAML text says before anybody decides what it means: texts, lists and mappings, each with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNode:
    """A scalar as it is written, never yet a number, date or truth value; `plain` is one without quotes."""

    text: str
    line: int
    plain: bool = True

    @property
    def is_null(self) -> bool:
        """Whether it says "no value" in the way of YAML 1.2 and JSON."""
        return self.plain and self.text in ("null", "~")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field of a mapping; `line` is the line of its name."""

    name: str
    line: int
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A mapping whose names are different texts, in the order of the file."""

    entries: tuple[Entry, ...]
    line: int


Node: TypeAlias = TextNode | ListNode | MapNode


def describe(node: Node) -> str:
    """The node in a few words of one line, for "got ..." in a message.

    >>> describe(TextNode(text="soon", line=1)), describe(TextNode(text="", line=1))
    ("'soon'", 'nothing')
    """
    match node:
        case TextNode(text="", plain=True):
            return "nothing"
        case TextNode(is_null=True):
            return "null"
        case TextNode(text=text):
            return quoted(text)
    return "a list" if isinstance(node, ListNode) else "a mapping"


def quoted(text: str, longest: int = 60) -> str:
    """The text in quotes, on one line, cut to `longest` characters."""
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")
