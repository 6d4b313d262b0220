"""Read issue files: `load_issues(path)` gives the issues of a file, or one `IssueError` with line and remedy."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from pytest_mala.errors import IssueError
from pytest_mala.issue import front_matter
from pytest_mala.issue.issue_fields import issue_from
from pytest_mala.issue.value import Value
from pytest_mala.issue.yaml_text import read_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_mala.issue.model import Issue

LARGEST_BYTES = 1024 * 1024


def looks_like_issue(path: Path) -> bool:
    """Whether a Markdown file has front matter; one without (a README) is silently not an issue.

    True also for what can't be opened: loading it tells why.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return True
        with path.open("rb") as file:
            return front_matter.starts_front_matter(file.read(4096))
    except (OSError, ValueError):
        return True


def load_issues(path: Path, *, shown: str | None = None) -> tuple[Issue, ...]:
    """The issues of a file, in its order; a Markdown file holds one.

    `shown` is what messages call the file, by default the path as given. Raises `IssueError`.
    """
    return (load_issue(path, shown=shown),)


def load_issue(path: Path, *, shown: str | None = None) -> Issue:
    """The issue that a Markdown file holds. Raises `IssueError` for the first thing that is wrong with the file."""
    name = shown or str(path)
    try:
        parts = front_matter.split(_text(path, name))
        root = read_nodes(parts.yaml, parts.yaml_line)
    except front_matter.FrontMatterError as error:
        raise IssueError(name, error.line, error.what) from None
    if root is None:
        raise IssueError(name, 1, "the front matter is empty: expected fields like 'id: calc-1'")
    issue = issue_from(Value(shown=name, name="", node=root), path, parts.body)
    if not issue.body:
        raise IssueError(name, parts.body_line - 1, "the body is missing: write what to do below the front matter")
    return issue


def check_unique(issues: Iterable[Issue]) -> None:
    """Refuse two issues with one id, or with ids that differ only in case: `IssueError` names both places."""
    first: dict[str, Issue] = {}
    for issue in issues:
        other = first.setdefault(issue.id.casefold(), issue)
        if other is issue or (other.path, other.line) == (issue.path, issue.line):
            continue
        same = (
            "the same id" if other.id == issue.id else f"{other.id!r}, which some file systems take for the same name,"
        )
        what = f"id: {issue.id!r} must be the only one of its name, but {same} is used in {other.place}"
        raise IssueError(issue.shown or issue.path, issue.line, what)


def _text(path: Path, shown: str) -> str:
    data = _bytes(path, shown)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise IssueError(shown, 1, "is UTF-16 text: save it as UTF-8")
    if (position := data.find(b"\0")) >= 0:
        raise IssueError(shown, _line_at(data, position), "is a binary file: expected UTF-8 text, got a NUL byte")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; save the file as UTF-8"
        raise IssueError(shown, _line_at(data, error.start), what) from None


def _line_at(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _bytes(path: Path, shown: str) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # reading a pipe or a device might never end
            what = "a directory" if stat.S_ISDIR(mode) else "a pipe, socket or device"
            raise IssueError(shown, 1, f"is {what}: expected a Markdown file")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (FileNotFoundError, ValueError):  # a path with a NUL is a ValueError
        raise IssueError(shown, 1, "no such file") from None
    except OSError as error:
        raise IssueError(shown, 1, f"can't be read: {error.strerror}") from None
    if len(data) > LARGEST_BYTES:
        raise IssueError(shown, 1, f"is too large: expected at most {LARGEST_BYTES} bytes")
    return data
