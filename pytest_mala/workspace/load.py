"""Make the commits and tags of a cassette again, with the ids that were recorded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace.git import GitError
from pytest_mala.workspace.objects import encode_commit, encode_tag, message_text, write_loose
from pytest_mala.workspace.trees import FileChange, TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.workspace.snapshot import Change, Commit, Snapshot
    from pytest_mala.workspace.store import Ledger, Store

__all__ = ["load"]

_SEAL = "mark it as edited with `pytest-mala cassette seal`, or record the issue again"


def load(store: Store, ledger: Ledger, snapshots: Sequence[Snapshot], *, is_edited: bool) -> None:
    """Make all commits and tags of these snapshots, in one process, and compare their ids (unless edited).

    Raises WorkspaceError if the ids differ, a reference leads nowhere, or a commit that they stand on is missing.
    """
    commits = list({one.id: one for snapshot in snapshots for one in snapshot.commits}.values())
    plan = _Plan(referenced={_reference(change) for commit in commits for change in commit.changes if change.as_in})
    for commit in commits:
        plan.add(commit)
    try:
        trees = plan.builder.build(store.git)
    except GitError as error:
        raise WorkspaceError(
            f"{store.files}: the recorded commits can't be made again: {error.stderr}; "
            "they may stand on a commit that this clone does not have (shallow? use `fetch-depth: 0`)"
        ) from error
    turns = {one.id: snapshot.turn for snapshot in snapshots for one in snapshot.commits}
    turns |= {one.id: snapshot.turn for snapshot in snapshots for one in snapshot.tags}
    objects = store.ours / "objects"
    for commit, tree in zip(commits, trees, strict=True):
        parents = [ledger.real_id(one) for one in commit.parents]
        real = write_loose(objects, "commit", encode_commit(commit, tree, parents))
        _compare(commit.id, real, f"commit {_subject(commit)!r}", turns[commit.id], is_edited=is_edited)
        ledger.real[commit.id] = real
        ledger.commits[real] = dataclasses.replace(commit, id=real, parents=tuple(parents), changes=())
    for tag in (one for snapshot in snapshots for one in snapshot.tags):
        real = write_loose(objects, "tag", encode_tag(tag, ledger.real_id(tag.object)))
        _compare(tag.id, real, f"tag {tag.name!r}", turns[tag.id], is_edited=is_edited)
        ledger.real[tag.id] = real
        ledger.tags.add(real)


def _subject(commit: Commit) -> str:
    return message_text(commit).strip().partition("\n")[0]


def _compare(recorded: str, real: str, what: str, turn: int, *, is_edited: bool) -> None:
    if real != recorded and not is_edited:
        raise WorkspaceError(
            f"turn {turn}: {what} was recorded as {recorded[:12]} and is {real[:12]} when it is made again: "
            f"the tree in the cassette was changed; {_SEAL}"
        )


def _reference(change: Change) -> tuple[str, str]:
    return change.as_in or "", change.path if change.as_path is None else change.as_path


@dataclass(slots=True)
class _Plan:
    """The trees of all commits, with every content given once."""

    referenced: set[tuple[str, str]]
    builder: TreeBuilder = field(default_factory=TreeBuilder)
    marks: dict[str, int] = field(default_factory=dict)
    blobs: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, commit: Commit) -> None:
        parent = commit.parents[0] if commit.parents else None
        changes = [self._change(commit.id, one) for one in commit.changes]
        self.marks[commit.id] = self.builder.tree(changes, on=self.marks.get(parent, parent) if parent else None)

    def _change(self, commit: str, change: Change) -> FileChange:
        if change.mode is None:
            return FileChange(path=change.path, mode=None)
        content: bytes | int = change.content or b""
        here = (commit, change.path)
        if change.as_in is not None:
            content = self._blob(commit, change)
            self.blobs.setdefault(here, content)
        elif here in self.referenced:
            content = self.blobs[here] = self.builder.blob(change.content or b"")
        return FileChange(path=change.path, mode=change.mode, content=content)

    def _blob(self, commit: str, change: Change) -> int:
        try:
            return self.blobs[_reference(change)]
        except KeyError:
            there, path = _reference(change)
            raise WorkspaceError(
                f"commit {commit[:12]}: {change.path}: `as_in` names {path} of commit {there[:12]}, "
                f"which no earlier part of the cassette holds; put the content there, or record the issue again"
            ) from None
