"""The git tree that the agent works in, with what a session needs of it: capture, restore, clean, look for a commit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_mala.issue.mention import names_issue
from pytest_mala.workspace import capture as capturing, load as loading, restore as restoring
from pytest_mala.workspace.capture import Last
from pytest_mala.workspace.globs import Globs
from pytest_mala.workspace.objects import EMPTY_TREE
from pytest_mala.workspace.scan import Wanted
from pytest_mala.workspace.snapshot import CommitSummary
from pytest_mala.workspace.staged import Staged
from pytest_mala.workspace.store import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_mala.workspace.gitdir import GitState
    from pytest_mala.workspace.snapshot import Base, Snapshot
    from pytest_mala.workspace.store import Store

__all__ = ["Workspace"]


class Workspace:
    """One agent's tree, made by `prepare`. Not for use from two threads at once.

    While recording: `note_tree` before each tool hook, `capture` after each turn, `clean` after the checks. On replay:
    `load` once, then `switch` where a tree was noted and `restore` where a turn ended. All raise WorkspaceError.

    What a snapshot keeps: commits, branches, tags, HEAD, the index, and all files that git does not ignore. What it
    names in `kept_out`: ignored files (unless `include` means them), nested repositories and submodules, empty folders,
    pipes, excluded and too large files, other refs, hooks, configuration and half-done commands in `.git`. Not kept and
    not named: permissions other than the exec bit, modification times, owners, extended attributes, reflogs.
    """

    def __init__(
        self,
        *,
        store: Store,
        base: Base,
        state: GitState,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.base = base
        self.notes = notes
        self._store = store
        self._wanted = Wanted(include=Globs.of(include), exclude=Globs.of(exclude))
        self._ledger = Ledger()
        self._state = state
        self._noted: list[str] = []
        self._stamps = restoring.Stamps()
        self._last = Last(commit=base.commit, tree=base.tree, git=state, staged=Staged(content=None, tree=EMPTY_TREE))

    @property
    def path(self) -> Path:
        """The working tree, as a real path."""
        return self._store.files

    def begin(self) -> None:
        """Check out the base."""
        self._last = restoring.begin(self._store, self.base.commit, self._state, self._stamps.next(0))

    def capture(self, turn: int) -> Snapshot:
        """The state now, with every commit that no earlier snapshot of this workspace holds."""
        snapshot, self._last = capturing.capture(
            self._store, self._wanted, self._ledger, self._last, turn=turn, noted=self._noted, base=self._state
        )
        self._noted = []
        return snapshot

    def note_tree(self) -> str | None:
        """The id of a commit with the files as they are now, or None if they are as last captured or noted.

        The next snapshot holds the commit; HEAD and index of the moment are not kept.
        """
        _, now = capturing.take_files(self._store, self._wanted, self._last)
        if now.tree == self._last.tree:
            return None
        commit = self._store.commit(now.tree, (self._last.commit,), "tree\n")
        self._store.set_head(commit)
        self._last = dataclasses.replace(now, commit=commit)
        self._noted.append(commit)
        return commit

    def load(self, snapshots: Sequence[Snapshot], *, edited: bool = False) -> None:
        """Make the commits of a take and compare their ids; if it was edited, the recorded ids stay valid names."""
        loading.load(self._store, self._ledger, snapshots, is_edited=edited)

    def go_on(self, kept: Sequence[Snapshot]) -> None:
        """The agent works on from here, after the last of these snapshots: `capture` gives what they don't hold, also
        what a later part of their take did.
        """
        commits = {one.id for snapshot in kept for one in snapshot.commits}
        tags = {one.id for snapshot in kept for one in snapshot.tags}
        known = {name: one for name, one in self._ledger.commits.items() if name in commits}
        self._ledger = Ledger(commits=known, tags=self._ledger.tags & tags)

    def restore(self, snapshot: Snapshot) -> None:
        """The whole recorded state; whatever else is in the folder is removed, ignored files too."""
        stamp = self._stamps.next(snapshot.turn)
        self._store.make()
        self._last = restoring.restore(self._store, self._ledger, snapshot, self._state, stamp)

    def switch(self, commit_id: str) -> None:
        """The files of a noted tree; HEAD and index stay those of the turn's start."""
        commit = self._ledger.real_id(commit_id)
        restoring.show(self._store, commit, self._stamps.next())
        self._last = dataclasses.replace(self._last, commit=commit, tree=self._store.tree(commit))

    def clean(self) -> None:
        """Back to the last capture or restore, after checks ran: what they left goes, also in `.git`."""
        restoring.clean(self._store, self._wanted, self._last)

    def diff(self) -> str:
        """What differs between the files now and the base, as git shows it: committed or not, untracked ones too."""
        _, now = capturing.take_files(self._store, self._wanted, self._last)
        options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        return self._store.git.text("diff-tree", "-p", *options, self.base.tree, now.tree)

    def commits(self) -> tuple[CommitSummary, ...]:
        """The commits that HEAD of the last capture or restore has on top of the base, oldest first."""
        if self._last.git.head is None:
            return ()
        told = self._store.git.text(
            "log", "-z", "--reverse", "--topo-order", "--format=%H%n%B", self._last.git.head, f"^{self.base.commit}"
        )
        parts = (entry.partition("\n") for entry in told.split("\0") if entry)
        return tuple(CommitSummary(id=name, message=message) for name, _, message in parts)

    def commit_naming(self, issue_id: str) -> str | None:
        """The newest commit that HEAD contains whose message names the issue, letter for letter and as a whole word.

        `mala-1` is not named by `mala-10`, `x-mala-1` or `mala-1.2`, but by `mala-1.`
        """
        if self._last.git.head is None:
            return None
        options = ("-z", "--fixed-strings", f"--grep={issue_id}", "--format=%H%n%B")
        for entry in self._store.git.text("log", *options, self._last.git.head).split("\0"):
            commit, _, message = entry.partition("\n")
            if names_issue(message, issue_id):
                return commit
        return None
