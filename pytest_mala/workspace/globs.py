"""Patterns of `workspace.include` and `workspace.exclude`: which paths they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Globs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Globs:
    """Matches paths relative to the tree: `*` and `?` stay within a folder, `**` does not, a folder means all below it.

    A pattern without a slash means a name at any depth, as in `.gitignore`.

    >>> keep = Globs.of(["*.env", "build/**/out", "docs/"])
    >>> [path for path in ("a/.env", "build/out", "build/x/y/out/z", "docs/a.md", "env") if keep.match(path)]
    ['a/.env', 'build/out', 'build/x/y/out/z', 'docs/a.md']
    """

    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Globs:
        """From the texts of an issue file."""
        sources = [_source(one) for one in patterns]
        return cls(pattern=re.compile("|".join(sources), re.DOTALL) if sources else None)

    def __bool__(self) -> bool:
        return self.pattern is not None

    def match(self, path: str) -> bool:
        """Whether the path, or a folder that it lies in, is meant."""
        return self.pattern is not None and self.pattern.fullmatch(path) is not None


_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", re.DOTALL)


def _source(pattern: str) -> str:
    text = pattern.removeprefix("./").rstrip("/")
    anywhere = "" if "/" in text else "(?:.*/)?"
    return f"(?:{anywhere}{''.join(_part(found[0]) for found in _PARTS.finditer(text.lstrip('/')))}(?:/.*)?)"


def _part(text: str) -> str:
    match text:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if text.startswith("[") and len(text) > 1:
            inside = text[1:-1].replace("\\", r"\\")
            return f"[^{inside[1:]}/]" if inside.startswith("!") else f"[{inside}]"
        case _:
            return re.escape(text)
