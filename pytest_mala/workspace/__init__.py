"""Git trees: prepare the agent's workspace, capture what it left, and put it back on replay."""

from __future__ import annotations

from pytest_mala.workspace.prepare import prepare
from pytest_mala.workspace.snapshot import Base, BaseKind, Change, Commit, CommitSummary, Snapshot, Tag
from pytest_mala.workspace.workspace import Workspace

__all__ = [
    "Base",
    "BaseKind",
    "Change",
    "Commit",
    "CommitSummary",
    "Snapshot",
    "Tag",
    "Workspace",
    "prepare",
]
