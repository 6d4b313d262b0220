"""Put a state back: files, index, HEAD and refs; and take away what checks left behind."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace import gitdir
from pytest_mala.workspace.capture import Last
from pytest_mala.workspace.fields import encode
from pytest_mala.workspace.git import GitError
from pytest_mala.workspace.gitdir import GitState
from pytest_mala.workspace.index import entries, seal, set_times
from pytest_mala.workspace.scan import oddities, scan
from pytest_mala.workspace.staged import Staged, gitlinks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mala.workspace.scan import Wanted
    from pytest_mala.workspace.snapshot import Snapshot
    from pytest_mala.workspace.store import Ledger, Store

__all__ = ["Stamps", "begin", "clean", "restore", "show"]

_STAMP_START = 1_000_000_000
_STAMP_TURN = 1000
_REAL_TIME = 1_400_000_000
"""A modification time after this one is not a stamp of ours but that of a file just written."""


@dataclass(slots=True)
class Stamps:
    """Modification times that no two states share: 1e9 s, + 1000 s per turn, + 1 s per state inside the turn.

    Replay rewrites a file within the same second and with the same size; caches that compare size and whole seconds
    (`.pyc`) would keep the old content (slice.md 2.4).
    """

    turn: int = 0
    count: int = 0

    def next(self, turn: int | None = None) -> int:
        """The next stamp, of a new turn or of the same one."""
        if turn is not None and turn != self.turn:
            self.turn, self.count = turn, 0
        else:
            self.count = min(self.count + 1, _STAMP_TURN - 1)
        return _STAMP_START + self.turn * _STAMP_TURN + self.count


def show(store: Store, commit: str, stamp: int) -> None:
    """Make the files those of a commit, stamped; other files stay. Raises WorkspaceError if there is no such commit."""
    try:
        store.git.run("read-tree", "--reset", "-u", commit)
    except GitError as error:
        raise WorkspaceError(
            f"{store.files}: the tree of commit {commit[:12]} can't be restored: {error.stderr}; "
            "is it part of this cassette, and can the folder be written?"
        ) from error
    store.set_head(commit)
    index = bytearray(store.index.read_bytes())
    written = [one for one in entries(index) if one.mtime > _REAL_TIME]
    root = os.fsencode(store.files) + b"/"
    for entry in written:
        path = root + encode(entry.path)  # bytes: thousands of `Path` cost more than the calls
        os.utime(path, (stamp, stamp), follow_symlinks=False)
        # `update-index --refresh` would do it too, and read every file again
        set_times(index, entry, os.lstat(path))
    if written:
        seal(index)
        store.index.write_bytes(index)


def begin(store: Store, commit: str, state: GitState, stamp: int) -> Last:
    """Check out the base into an empty folder."""
    show(store, commit, stamp)
    return settle(store, commit, commit, state)


def restore(store: Store, ledger: Ledger, snapshot: Snapshot, base: GitState, stamp: int) -> Last:
    """The whole state of a snapshot: files, index, HEAD, branches, tags; nothing else stays, ignored files neither."""
    work, index = ledger.real_id(snapshot.work), ledger.real_id(snapshot.index)
    store.git.run("clean", "-ffdxq")
    _remove(store, oddities(store, None).special)
    show(store, work, stamp)
    head = None if snapshot.head is None else ledger.real_id(snapshot.head)
    state = GitState(head=head, branch=snapshot.branch, refs=_refs(ledger, snapshot.refs, base))
    return settle(store, work, index, state)


def settle(store: Store, work: str, index: str, state: GitState) -> Last:
    """Give the agent's repository this state; the files are those of `work` already."""
    gitdir.write_state(store.theirs, state)
    (store.theirs / "index").write_bytes(store.index.read_bytes())
    tree = store.tree(work)
    index_tree = tree if index == work else store.tree(index)
    if index_tree != tree:
        # keeps what is known about the files that are the same, so that plumbing sees no phantom changes
        store.git.run("read-tree", "--reset", index_tree, GIT_INDEX_FILE=str(store.theirs / "index"))
    content = (store.theirs / "index").read_bytes()
    staged = Staged(content=content, tree=index_tree, gitlinks=gitlinks_of(entries(content)))
    return Last(commit=work, tree=tree, git=state, staged=staged)


def _refs(ledger: Ledger, recorded: Mapping[str, str | None], base: GitState) -> dict[str, str]:
    refs: dict[str, str | None] = {name: value for name, value in base.refs.items() if name.startswith("refs/tags/")}
    refs |= recorded
    return {name: ledger.real_id(value) for name, value in refs.items() if value is not None}


def clean(store: Store, wanted: Wanted, last: Last) -> None:
    """Back to the last capture or restore: what checks left behind goes, what the agent had left out stays."""
    if last.is_git_there and gitdir.read_state(store.theirs) != last.git:
        store.make()
        gitdir.write_state(store.theirs, last.git)
    index = store.theirs / "index"
    if last.is_git_there and last.staged.content is not None:
        index.write_bytes(last.staged.content)
    found = scan(store, wanted)
    # first: a check may have put a file in place of a folder, or the other way round
    odd = oddities(store, found)
    present = (*found.fresh, *found.forced, *found.left, *odd.empty, *odd.special)
    _remove(store, (name for name in present if name not in last.left))
    if found.changed:
        names = "".join(f"{name}\0" for name in found.changed)
        store.git.run("checkout-index", "-f", "-u", "-z", "--stdin", stdin=names.encode("utf-8", "surrogateescape"))


def _remove(store: Store, names: Iterable[str]) -> None:
    """Delete files and whole folders, and the folders that are empty then."""
    for name in names:
        path = store.path(name.rstrip("/"))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == store.files or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
