"""The settings of a run as one frozen value; `options.py` reads it from the command line and the ini file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SUFFIXES", "LaneName", "MatchName", "RecordName", "Settings", "StaleName"]

# names and no Enum: those are the case's, whose room a run without issues does not load
LaneName = Literal["replay", "scripted"]
RecordName = Literal["none", "once", "all", "stale"]
StaleName = Literal["fail", "warn"]
MatchName = Literal["strict", "loose"]

SUFFIXES = (".md",)
"""Endings of files that may hold issues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line and the ini file ask for; all paths are absolute."""

    lane: LaneName
    record: RecordName
    match: MatchName
    """How cassettes of applications are compared; issues are always matched strictly."""
    roots: tuple[Path, ...]
    cassette_dir: Path
    prompts_dir: Path | None
    frozen: bool
    stale: StaleName
    takes: int | None
    plays: int
    allow_incomplete: bool
    rootdir: Path
    invocation_dir: Path
    has_issues: bool
    """Whether there are roots or an issue file is named; else the plugin takes no part in the run."""

    def shown(self, path: Path) -> str:
        """The path as the user can type it: relative to where pytest was started, if it lies below."""
        return str(path.relative_to(self.invocation_dir)) if path.is_relative_to(self.invocation_dir) else str(path)
