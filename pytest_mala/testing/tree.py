"""The working tree that a session left, as long as its test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.case.imported import UnknownWorkspace
    from pytest_mala.workspace import CommitSummary, Workspace

__all__ = ["Tree"]


class Tree:
    """The agent's git tree as the session left it; it is deleted when the test ends.

    That of an imported session is unknown: `path` is an empty folder, the rest raises UsageError.
    """

    def __init__(self, workspace: Workspace | UnknownWorkspace) -> None:
        self._workspace = workspace

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._workspace.path

    def diff(self) -> str:
        """What the files are now against what the agent started from, as git shows it; untracked files included."""
        return self._workspace.diff()

    def commits(self) -> tuple[CommitSummary, ...]:
        """The commits of the session (`id`, `message`), oldest first."""
        return self._workspace.commits()

    def __repr__(self) -> str:
        """Its folder."""
        return f"<tree {self.path}>"
