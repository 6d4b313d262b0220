"""Prompt templates: which placeholders there are, and filling them in; only a plain `{name}` is a placeholder.

Every other brace is text, so JSON can stand in a prompt; `{{name}}` stands for a literal `{name}`. Values are put in
once and never looked at again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PromptError", "check", "fill", "pattern_of"]

_PLAIN = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")
_FANCY = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)(?:[!:.]|\[)[^{}\n]*\}")


class PromptError(UsageError):
    """A prompt file has a placeholder that nothing fills; `path`, `line` (from 1) and `name` say which."""

    def __init__(self, path: str, line: int, name: str, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}")
        self.path = path
        self.line = line
        self.name = name


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with every placeholder replaced; `KeyError` for one that has no value.

    >>> fill('{a} {{a}} {"json": {"b": 1}}', {"a": "{a}"})
    '{a} {a} {"json": {"b": 1}}'
    """

    def replace(match: re.Match[str]) -> str:
        literal, name = match.groups()
        return f"{{{literal}}}" if literal else values[name]

    return _PLAIN.sub(replace, template)


def pattern_of(template: str) -> re.Pattern[str]:
    """What every text looks like that `fill` can make of the template, whatever the values.

    >>> bool(pattern_of("Fix {issue} in {{repo}}.").fullmatch("Fix it, now in {repo}."))
    True
    """
    parts, end = [], 0
    for match in _PLAIN.finditer(template):
        parts += [re.escape(template[end : match.start()]), re.escape(f"{{{match[1]}}}") if match[1] else ".*"]
        end = match.end()
    return re.compile("".join([*parts, re.escape(template[end:])]), re.DOTALL)


def check(template: str, path: str, allowed: frozenset[str]) -> None:
    """Refuses placeholders other than `allowed`, and those with a format: `PromptError` with the line."""
    for line, text in enumerate(template.splitlines(), start=1):
        for found in _FANCY.finditer(text):
            name = found[1]
            remedy = f"only a plain {{name}} is filled; write {{{name}}} or change the braces"
            raise PromptError(path, line, name, f"placeholder {found[0]} has a format or an attribute: {remedy}")
        for name in _names(text):
            if name not in allowed:
                known = f"expected one of {', '.join(sorted(allowed))}; write {{{{{name}}}}} for the literal text"
                raise PromptError(path, line, name, f"unknown placeholder {{{name}}}: {known}")


def _names(text: str) -> Iterator[str]:
    for match in _PLAIN.finditer(text):
        if match[2]:
            yield match[2]
