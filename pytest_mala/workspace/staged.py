"""Read the agent's index: its tree, and what of it a tree can't hold."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import decode, encode
from pytest_mala.workspace.git import GitError
from pytest_mala.workspace.index import entries
from pytest_mala.workspace.objects import EMPTY_TREE
from pytest_mala.workspace.scan import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_mala.workspace.index import Entry
    from pytest_mala.workspace.store import Store

__all__ = ["Staged", "gitlinks_of", "read_staged"]

_GITLINK = 0o160000


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The staged tree; `content` is the index file that it was read from, `gitlinks` its repositories (path to commit).

    `is_merging` means that some paths were not merged: the tree has the agent's side of them.
    """

    content: bytes | None
    tree: str
    gitlinks: Mapping[str, str] = field(default_factory=dict)
    is_merging: bool = False
    notes: tuple[str, ...] = ()


def read_staged(store: Store, last: Staged, head_tree: str) -> Staged:
    """The agent's index now. A broken one counts as HEAD's tree and is named."""
    content = _content(store)
    if content == last.content:
        return last
    if content is None:
        return Staged(content=None, tree=EMPTY_TREE)  # no index at all: nothing is staged, all is deleted
    found = list(entries(content))
    gitlinks = gitlinks_of(found)
    notes = _flags(found)
    copy = store.ours / "agent-index"
    copy.write_bytes(content)
    for shared in store.theirs.glob("sharedindex.*"):
        shutil.copyfile(shared, store.ours / shared.name)
    if any(one.stage for one in found):
        tree = _merged(store, found)
        notes += named({one.path for one in found if one.stage}, "unmerged")
        return Staged(content=content, tree=tree, gitlinks=gitlinks, is_merging=True, notes=tuple(notes))
    try:
        tree = store.git.text("write-tree", GIT_INDEX_FILE=str(copy))
    except GitError as error:
        return Staged(content=content, tree=head_tree, notes=(f".git/index (unreadable: {error.stderr})",))
    return Staged(content=content, tree=tree, gitlinks=gitlinks, notes=tuple(notes))


def gitlinks_of(found: Iterable[Entry]) -> dict[str, str]:
    """The other repositories in an index: submodules and what was added as one."""
    return {one.path: one.id for one in found if one.mode == _GITLINK}


def _content(store: Store) -> bytes | None:
    try:
        return (store.theirs / "index").read_bytes()
    except OSError:
        return None


def _flags(found: Sequence[Entry]) -> list[str]:
    return [
        *named((one.path for one in found if one.is_assumed_unchanged), "assume-unchanged mark"),
        *named((one.path for one in found if one.is_skipped), "skip-worktree mark"),
        *named((one.path for one in found if one.is_intended), "intent-to-add mark"),
    ]


def _merged(store: Store, found: Sequence[Entry]) -> str:
    """A tree of an index in the middle of a merge: ours where the sides differ, else what there is."""
    chosen: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda one: (one.stage != 2, one.stage)):
        chosen.setdefault(entry.path, entry)
    lines = (f"{entry.mode:o} {entry.id} 0\t{name}\0" for name, entry in chosen.items())
    fresh = store.ours / "merged-index"
    fresh.unlink(missing_ok=True)
    store.git.run("update-index", "-z", "--index-info", stdin=encode("".join(lines)), GIT_INDEX_FILE=str(fresh))
    return decode(store.git.run("write-tree", GIT_INDEX_FILE=str(fresh))).strip()
