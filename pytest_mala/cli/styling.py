"""Colours for people at a terminal; what is not a terminal gets none of them (click takes them out)."""

from __future__ import annotations

import re

import click

__all__ = ["styled_diff", "styled_story"]

_STEP = re.compile(r" {0,4}\d+\.\d{3}  (connection|turn|gate attempt|\*) |(connection|turn|gate attempt|\*) ")
_CHECK = re.compile(r" +(ok|FAILED) ")
_QUOTE = re.compile(r" +\| ")


def styled_story(text: str) -> str:
    """Where a connection, turn or gate begins stands out, what failed is red, what was asked is dim."""
    return "\n".join(map(_styled_line, text.split("\n")))


def styled_diff(lines: list[str]) -> str:
    """A unified diff as git colours it."""
    colours = {"-": "red", "+": "green", "@": "cyan"}
    return "\n".join(click.style(line, fg=colours[line[0]]) if line[:1] in colours else line for line in lines)


def _styled_line(line: str) -> str:
    if check := _CHECK.match(line):
        return click.style(line, fg="green" if check[1] == "ok" else "red")
    if _QUOTE.match(line):
        return click.style(line, dim=True)
    if step := _STEP.match(line):
        return click.style(line, fg="yellow" if "*" in step.groups() else None, bold=True)
    return line
