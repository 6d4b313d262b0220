"""The errors of pytest-mala: the type says whose fault it is, the message says what to do next.

An error that must inherit from a foreign base (pytest, vcrpy) stands in the room that may import that base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CassetteError",
    "CassetteMissingError",
    "Divergence",
    "FlakyReplayError",
    "GateChangedError",
    "HarnessError",
    "IssueError",
    "MalaError",
    "StalePrompt",
    "UsageError",
    "WorkspaceError",
]


class MalaError(Exception):
    """Root of every error that pytest-mala raises on purpose."""


class UsageError(MalaError):
    """An option, ini value, marker or fixture was used in a way that can't work; the caller can change it."""


class IssueError(MalaError):
    """An issue file can't be used.

    `path` is shown as given, `line` counts from 1; the text reads `path:line: what`.
    """

    def __init__(self, path: Path | str, line: int, what: str) -> None:
        super().__init__(f"{path}:{line}: {what}")
        self.path = path
        self.line = line
        self.what = what


class HarnessError(MalaError):
    """The session could not be judged, and not by its own fault (design D12): never absorbed by `expect` or `xfail`."""


class WorkspaceError(HarnessError):
    """A git workspace could not be prepared, captured or restored."""


class CassetteError(HarnessError):
    """A cassette file exists but can't be trusted: broken, edited, of another version, or not a cassette."""

    def __init__(self, path: Path | str, what: str, line: int | None = None) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {what}")
        self.path = path
        self.line = line
        self.what = what


class CassetteMissingError(HarnessError):
    """There is no cassette for the issue; the text holds the exact command that records it."""


class Divergence(HarnessError):
    """The run asked for something that the cassette does not hold (design D7).

    The text is `where: what`, then `detail` (expected and got, may be several lines), then `remedy` (what to do next).
    """

    def __init__(self, what: str, *, where: str = "", detail: str = "", remedy: str = "") -> None:
        first = f"{where}: {what}" if where else what
        indented = "\n".join(f"  {line}".rstrip() for line in detail.splitlines())
        super().__init__("\n".join(part for part in (first, indented, remedy) if part))
        self.what = what
        self.where = where
        self.detail = detail
        self.remedy = remedy


class StalePrompt(Divergence):
    """A prompt of the run has another wording than the recorded one: from that turn on the recording is stale.

    `freshness` says how far it is not, in turns (design D7).
    """

    def __init__(self, what: str, *, freshness: str, where: str = "", detail: str = "", remedy: str = "") -> None:
        super().__init__(f"{what} ({freshness})", where=where, detail=detail, remedy=remedy)
        self.freshness = freshness


class GateChangedError(HarnessError):
    """A check's verdict on the replayed tree differs from the recorded one: "the gate changed its mind" (design D9)."""


class FlakyReplayError(HarnessError):
    """Two plays of one take differ: replay has to be deterministic, so neither tells anything about the agent."""
