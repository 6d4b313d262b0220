"""Make foreign text (tool output, agent words) fit to be shown: no terminal control, bounded length."""

from __future__ import annotations

import re

__all__ = ["counted", "indented", "plain", "tail"]

# CSI and OSC sequences, then two-character escapes: a check's output must not recolour or retitle the reader's terminal
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    r"""The text without terminal escapes and control characters; line ends are ``\n``.

    >>> plain("\x1b[31mred\x1b[0m\r\nnext\x07")
    'red\nnext'
    """
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def tail(text: str, lines: int) -> tuple[str, int]:
    r"""The last `lines` lines of the text, and how many it had in all.

    >>> tail("a\nb\nc\n", 2)
    ('b\nc', 3)
    """
    rows = text.rstrip("\n").split("\n") if text.strip() else []
    return "\n".join(rows[-lines:]), len(rows)


def indented(text: str, margin: str) -> list[str]:
    """The lines of the text, each behind the margin; an empty line stays empty."""
    return [f"{margin}{line}".rstrip() for line in text.split("\n")]


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "turn"), counted(2, "turn")
    ('1 turn', '2 turns')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
