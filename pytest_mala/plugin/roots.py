"""Know which files below the roots are issues, and which folders are the agents' sources and no tests of this run."""

from __future__ import annotations

import fnmatch
import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mala.errors import IssueError
from pytest_mala.plugin.settings import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_mala.issue import Issue

__all__ = ["Roots", "is_issue"]

TRANSCRIPTS = "__transcripts__"
"""Folder of transcripts beside issue files; nothing in it is collected."""


class Roots:
    """The roots of one run; each issue file is read once, when it is first asked for."""

    def __init__(self, roots: Sequence[Path], *, skipped: Sequence[str], shown: Callable[[Path], str]) -> None:
        """`skipped` are patterns of folder names that are not entered; `shown` says what messages call a file."""
        self._roots = tuple(roots)
        self._shown = shown
        self._skipped = (*skipped, "__pycache__", TRANSCRIPTS)
        self._loaded: dict[Path, tuple[Issue, ...] | IssueError] = {}
        self._sources: frozenset[Path] | None = None
        self._claimed: dict[str, Issue] = {}

    def hold(self, path: Path) -> bool:
        """Whether the path is a root or lies below one."""
        return any(path.is_relative_to(root) for root in self._roots)

    def load(self, path: Path) -> tuple[Issue, ...]:
        """The issues of the file. Raises IssueError."""
        # YAML is loaded with the first issue file, so that a run without issues does not pay for it
        from pytest_mala.issue import load_issues

        if path not in self._loaded:
            try:
                self._loaded[path] = load_issues(path, shown=self._shown(path))
            except IssueError as error:
                self._loaded[path] = error
        found = self._loaded[path]
        if isinstance(found, IssueError):
            raise found
        return found

    def claim(self, issue: Issue) -> None:
        """Take the issue's id for this run. Raises IssueError if another issue has it already."""
        from pytest_mala.issue import check_unique  # late for the same reason as in load

        check_unique((self._claimed.setdefault(issue.id.casefold(), issue), issue))

    def ignore(self, path: Path) -> bool:
        """Whether collection must not enter this path: transcripts, and sources of workspaces below a root."""
        if path.name == TRANSCRIPTS:
            return True
        return bool(self._roots) and self.hold(path) and path.is_dir() and path in self.sources()

    def sources(self) -> frozenset[Path]:
        """The folders below the roots that an issue names as its workspace."""
        if self._sources is None:
            self._sources = frozenset(self._find_sources())
        return self._sources

    def has_issues(self, root: Path) -> bool:
        """Whether the root is an issue file, or a folder with at least one below it, broken or not."""
        return any(is_issue(file) for files in self._walk([root], set()) for file in files)

    def _find_sources(self) -> set[Path]:
        found: set[Path] = set()
        for files in self._walk(self._roots, found):
            for file in files:
                found.update(self._sources_named_in(file))
        return found

    def _walk(self, roots: Sequence[Path], left_out: set[Path]) -> Iterator[list[Path]]:
        """The Markdown files, folder by folder; breadth first, as `left_out` grows while they are looked at: a source
        is known before it is entered, so its README is never taken for an issue.
        """
        folders = deque(roots)
        while folders:
            folder = folders.popleft()
            if folder in left_out:
                continue
            files, below = _entries(folder)
            yield files
            folders.extend(path for path in below if not self._is_skipped(path.name))

    def _sources_named_in(self, file: Path) -> Iterator[Path]:
        try:
            issues = self.load(file) if is_issue(file) else ()
        except IssueError:
            return  # told when the file itself is collected
        for issue in issues:
            if issue.workspace.path is None:
                continue
            source = Path(os.path.normpath(file.parent / issue.workspace.path))
            # a source around the issues themselves must not hide them
            if self.hold(source) and source not in self._roots and not file.is_relative_to(source):
                yield source

    def _is_skipped(self, name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in self._skipped)


def is_issue(path: Path) -> bool:
    """Whether the file looks like an issue: the ending, and front matter at its start."""
    from pytest_mala.issue import looks_like_issue  # late for the same reason as in Roots.load

    return path.suffix in SUFFIXES and looks_like_issue(path)


def _entries(path: Path) -> tuple[list[Path], list[Path]]:
    """Files that may hold issues, and folders, in the order of their names; nothing where reading is not allowed."""
    if path.is_file():
        return [path], []
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return [], []
    files = [Path(entry.path) for entry in found if entry.name.endswith(SUFFIXES) and _is_file(entry)]
    return files, [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a symbolic link that leads to itself: pytest doesn't collect it either
        return False
