"""Readers: each takes a value and gives it as one type, read from its text, or refuses it with what was expected."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from pytest_mala.issue import durations
from pytest_mala.issue.nodes import TextNode, describe
from pytest_mala.issue.value import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mala.issue.value import Value

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

ID = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
ID_WORDS = "a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"
"""What pytest can address on its command line, and what can be the name of a file."""

# no sign, no `1_000`, no other script's digits, and short enough for int() at any setting
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
# also what ends a line for some programs, and what a terminal obeys
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def line_text(value: Value, what: str = "a text") -> str:
    """A text of one line, without the white space around it."""
    text = value.written(what).strip()
    if _CONTROL.search(text):
        value.expected(f"{what} on one line, without control characters")
    return text


def long_text(value: Value) -> str:
    """A text of any number of lines."""
    return value.written("a text")


def optional(read: Callable[[Value], T]) -> Callable[[Value], T | None]:
    """A reader that also takes `null`, as None."""
    return lambda value: None if value.is_null else read(value)


def matching(pattern: str, what: str) -> Callable[[Value], str]:
    """A reader of texts that match the whole pattern."""

    def read(value: Value) -> str:
        text = value.written(what)
        if re.fullmatch(pattern, text, re.ASCII) is None:
            value.expected(what)
        return text

    return read


def whole_number(least: int, most: int) -> Callable[[Value], int]:
    """A reader of whole numbers in a range."""

    def read(value: Value) -> int:
        what = f"a whole number from {least} to {most}"
        text = value.written(what)
        if _WHOLE.fullmatch(text) is None or not least <= int(text) <= most:
            value.expected(what)
        return int(text)

    return read


def dollars(value: Value) -> float:
    """An amount of money above zero."""
    what = "an amount in US dollars above 0, like 2 or 0.50"
    text = value.written(what)
    if _AMOUNT.fullmatch(text) is None or float(text) == 0:
        value.expected(what)
    return float(text)


def flag(value: Value) -> bool:
    """true or false, and none of YAML's other words for them."""
    text = value.written("true or false")
    if text not in ("true", "false"):
        value.expected("true or false")
    return text == "true"


def choice(words: type[E]) -> Callable[[Value], E]:
    """A reader of an Enum's values."""
    read = word(tuple(str(one.value) for one in words))
    return lambda value: words(read(value))


def duration(value: Value) -> float:
    """Seconds from a duration with units."""
    text = value.written(durations.EXAMPLES)
    if durations.is_bare_number(text):
        value.expected(durations.EXAMPLES, f"; write the unit: '{text}s' or '{text}m'" if len(text) < 10 else "")
    return _bounded(durations.parse_seconds(text), value, durations.EXAMPLES)


def duration_or_off(value: Value) -> float | None:
    """Seconds from a duration with units, or None for `off`."""
    if isinstance(value.node, TextNode):
        if value.node.text == "off":
            return None
        if value.node.is_null or value.node.text in ("none", "never", "no", "false", "0"):
            value.expected(durations.EXAMPLES, "; write 'off' for no idle limit")
    return duration(value)


def seconds(value: Value) -> float:
    """Seconds from a number or a duration with units."""
    what = "seconds or a duration like 120, 90s or 5m"
    text = value.written(what)
    return _bounded(durations.parse_seconds(f"{text}s" if durations.is_bare_number(text) else text), value, what)


def _bounded(found: float | None, value: Value, what: str) -> float:
    if found is None:
        value.expected(what)
    if not 0 < found <= durations.LONGEST_SECONDS:
        value.expected("a duration above 0 and up to 720h")
    return found


def unique(read: Callable[[Value], T], what: str) -> Callable[[Value], tuple[T, ...]]:
    """A reader of lists, each item read by `read` and named once."""

    def read_all(value: Value) -> tuple[T, ...]:
        found: dict[T, None] = {}
        for item in value.items(what):
            if (one := read(item)) in found:
                item.fail(f"{describe(item.node)} is named twice")
            found[one] = None
        return tuple(found)

    return read_all


identifier = matching(ID, ID_WORDS)
"""A reader of names that can be an id."""


def inner_path(value: Value) -> str:
    """A path or pattern inside the workspace: relative, with `/`, and never out of it."""
    text = line_text(value, "a path inside the workspace")
    if text.startswith(("/", "~")) or "\\" in text or re.match(r"[A-Za-z]:", text) or ".." in text.split("/"):
        value.expected("a path inside the workspace, relative and with '/'")
    return text


def command_line(value: Value) -> str:
    """A command that is split into words and run without a shell."""
    import shlex  # an unrelated pytest run needs it as little as yaml

    text = line_text(value, "a command")
    try:
        words = shlex.split(text)
    except ValueError as error:
        value.expected("a command that can be split into words", f" ({str(error).lower()})")
    if not words or not words[0]:
        value.expected("a command")
    return text


def word(allowed: tuple[str, ...]) -> Callable[[Value], str]:
    """A reader of one of the allowed words."""
    what = f"one of {', '.join(allowed)}"

    def read(value: Value) -> str:
        text = value.written(what)
        if text not in allowed:
            value.expected(what, nearest(text, allowed))
        return text

    return read


def reason(value: Value) -> str:
    """Why something is so, in words."""
    text = line_text(value, "a reason in words")
    if text.casefold() in ("true", "false", "yes", "no", "on", "off"):
        value.expected("a reason in words")
    return text
