"""Give the ids and paths of one run stable names, so that equal runs read equal on every machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Aliases"]

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_API_ID = r"(?:toolu|msg|req)_01[A-Za-z0-9]{20,}"
_FULL_COMMIT = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])")
_MIXED = re.compile(r"[a-f]+[0-9]|[0-9]+[a-f]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


class Aliases:
    """Replaces what differs from run to run: the values in `names`, then ids, numbered in order of appearance.

    `texts` is everything that will be shown, in order: a short commit id gets the alias of the full id it begins,
    also where the full id comes later. All patterns are ASCII, so the Python version makes no difference.

    >>> aliases = Aliases({"/tmp/x/ws": "${WORKSPACE}"}, texts=["42f3025 in /tmp/x/ws/a.py"])
    >>> aliases.apply("[main 42f3025] /tmp/x/ws/a.py")
    '[main <commit 1>] ${WORKSPACE}/a.py'
    """

    def __init__(self, names: Mapping[str, str], texts: Iterable[str]) -> None:
        self._names = {**_encoded_paths(names), **names}
        self._aliases: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}
        self._full_commits = sorted({commit for text in texts for commit in _FULL_COMMIT.findall(text)})
        self._pattern = re.compile("|".join([*map(_bounded, self._longest_first()), *_shapes()]))

    def apply(self, text: str) -> str:
        """The text with every known value replaced; terminal colours don't hide an id that follows them."""
        return "".join(self._pattern.sub(self._replace, part) for part in _COLOUR.split(text))

    def _longest_first(self) -> list[str]:
        return sorted((value for value in self._names if value), key=lambda value: (-len(value), value))

    def _replace(self, match: re.Match[str]) -> str:
        found = match.group()
        if (name := self._names.get(found)) is not None:
            return name
        if match.lastgroup == "commit":
            return self._commit(found)
        kind = "uuid" if match.lastgroup == "uuid" else found.split("_")[0]
        return self._alias({"toolu": "tool id", "msg": "message", "req": "request"}.get(kind, kind), found.lower())

    def _commit(self, found: str) -> str:
        full = next((commit for commit in self._full_commits if commit.startswith(found)), None)
        if full is None and not _MIXED.match(found):
            return found  # only digits or only letters: 1700000000 and `defaced` are no ids
        return self._alias("commit", full or found)

    def _alias(self, kind: str, value: str) -> str:
        if (kind, value) not in self._aliases:
            self._numbers[kind] = self._numbers.get(kind, 0) + 1
            self._aliases[kind, value] = f"<{kind} {self._numbers[kind]}>"
        return self._aliases[kind, value]


def _shapes() -> list[str]:
    before, after = "(?<![0-9A-Za-z_])", "(?![0-9A-Za-z_])"
    return [
        f"{before}(?P<uuid>{_UUID}){after}",
        f"{before}(?P<commit>[0-9a-f]{{40}}|[0-9a-f]{{7,12}}){after}",
        f"{before}(?P<api>{_API_ID}){after}",
    ]


def _bounded(value: str) -> str:
    """The value as a pattern: a path of several parts is found everywhere, a shorter value only as a whole word."""
    if value.startswith("/") and value.count("/") > 1:
        return re.escape(value)
    before = r"(?<![0-9A-Za-z_.-])" if value.startswith("/") else "(?<![0-9A-Za-z_])"
    return f"{before}{re.escape(value)}(?![0-9A-Za-z_])"


def _encoded_paths(names: Mapping[str, str]) -> dict[str, str]:
    """The form in which the CLI makes a folder name of a path: it occurs in the paths of logs."""
    deep = (value for value in names if value.startswith("/") and value.count("/") > 1)
    return {re.sub(r"[^A-Za-z0-9]", "-", value): names[value] for value in deep}
