"""A value of an issue file with its place, so that every refusal names file, line and field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pytest_mala.errors import IssueError
from pytest_mala.issue.nodes import ListNode, MapNode, Node, TextNode, describe, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One node with its place: the file as messages show it, and the dotted name of the field."""

    shown: Path | str
    name: str
    node: Node

    def fail(self, what: str, line: int | None = None) -> NoReturn:
        """Refuse the value, at its own line if no other is given."""
        where = f"{self.name}: " if self.name else ""
        raise IssueError(self.shown, line or self.node.line, f"{where}{what}")

    def expected(self, what: str, hint: str = "") -> NoReturn:
        """Refuse the value because it is not `what`."""
        self.fail(f"expected {what}, got {describe(self.node)}{hint}")

    def written(self, what: str) -> str:
        """The text of a scalar that must be `what`; neither null nor nothing nor blank."""
        text = self.scalar(what)
        if not text.strip():
            self.expected(what)
        return text

    def scalar(self, what: str) -> str:
        """The text of a scalar that must be `what`; empty only if it is written as ""."""
        if not isinstance(self.node, TextNode) or self.node.is_null or (self.node.plain and not self.node.text):
            self.expected(what)
        return self.node.text

    @property
    def is_null(self) -> bool:
        """Whether the value says `null`."""
        return isinstance(self.node, TextNode) and self.node.is_null

    @property
    def is_text(self) -> bool:
        """Whether the value is one scalar."""
        return isinstance(self.node, TextNode)

    def child(self, name: str, node: Node) -> Value:
        """The value of a field inside this one."""
        return Value(shown=self.shown, name=f"{self.name}.{name}" if self.name else name, node=node)

    def items(self, what: str) -> tuple[Value, ...]:
        """The values of a list that must be `what`."""
        if not isinstance(self.node, ListNode):
            self.expected(what)
        return tuple(Value(shown=self.shown, name=self.name, node=item) for item in self.node.items)

    def entries(self, what: str) -> tuple[tuple[str, Value], ...]:
        """Names and values of a mapping that must be `what`; the names are not checked."""
        if not isinstance(self.node, MapNode):
            self.expected(what)
        return tuple((entry.name, self.child(entry.name, entry.value)) for entry in self.node.entries)

    def fields(self, allowed: Sequence[str], what: str) -> Fields:
        """The fields of a mapping that must be `what`; a name that is not allowed is refused."""
        values = dict(self.entries(what))
        assert isinstance(self.node, MapNode)
        for entry in self.node.entries:
            if entry.name not in allowed:
                unknown = self.child(_shown_name(entry.name), entry.value)
                question = nearest(entry.name, allowed) or "."
                unknown.fail(f"unknown field{question} Allowed: {', '.join(allowed)}", entry.line)
        return Fields(values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields that a mapping has, by name."""

    values: dict[str, Value]

    def get(self, name: str, read: Callable[[Value], T], default: D) -> T | D:
        """The field as `read` reads it, or the default if the file doesn't name it."""
        return read(self.values[name]) if name in self.values else default


def nearest(name: str, allowed: Collection[str]) -> str:
    """The allowed name that is most like this one, as a question, or ""."""
    import difflib  # only a wrong file needs it

    near = difflib.get_close_matches(name[:100], allowed, n=1)
    return f", did you mean '{near[0]}'?" if near else ""


def _shown_name(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]{1,60}", name) else quoted(name)
