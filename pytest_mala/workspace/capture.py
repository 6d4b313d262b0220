"""Capture what the agent left, in the shape of a stash, without running anything that the agent configured."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.workspace import gitdir
from pytest_mala.workspace.fields import encode
from pytest_mala.workspace.history import read_history
from pytest_mala.workspace.objects import EMPTY_TREE, message_text
from pytest_mala.workspace.scan import FILE_LIMIT_BYTES, named, oddities, scan, update
from pytest_mala.workspace.snapshot import CommitSummary, Snapshot
from pytest_mala.workspace.staged import Staged, read_staged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mala.workspace.gitdir import GitState
    from pytest_mala.workspace.scan import Oddities, Scan, Wanted
    from pytest_mala.workspace.store import Ledger, Store

__all__ = ["Last", "capture", "take_files"]

_REMOVED = ".git (removed or made unreadable by the agent; its state is that of the last capture)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The state that the workspace was in when it was captured, noted, restored or switched last.

    `commit` and `tree` are the files; `git` and `staged` the agent's repository; `left` what was there and stays.
    """

    commit: str
    tree: str
    git: GitState
    staged: Staged
    left: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()
    is_git_there: bool = True


def take_files(store: Store, wanted: Wanted, last: Last, *, is_changed: bool = False) -> tuple[Scan, Last]:
    """Take the files that changed into our index; `last` with their tree, and still with its old commit.

    `is_changed` says that our index is another one already.
    """
    found = scan(store, wanted)
    tree = update(store, found.taken) if found.taken or is_changed else last.tree
    forced = last.forced | frozenset(found.forced)
    return found, dataclasses.replace(last, tree=tree, left=frozenset(found.left), forced=forced)


def capture(
    store: Store, wanted: Wanted, ledger: Ledger, last: Last, *, turn: int, noted: Sequence[str], base: GitState
) -> tuple[Snapshot, Last]:
    """The snapshot of the workspace, and the state to compare with from now on.

    `noted` are the trees inside the turn, `base` the branches and tags that the workspace began with.
    Six processes at most in the usual case, one if nothing changed. Raises WorkspaceError if git data is damaged.
    """
    seen = gitdir.read_state(store.theirs)
    state = seen or last.git
    head = state.head
    head_tree = store.tree(head) if head is not None else EMPTY_TREE
    staged = read_staged(store, last.staged, head_tree) if seen is not None else last.staged
    is_changed = _take_gitlinks(store, last.staged.gitlinks, staged.gitlinks)
    found, now = take_files(store, wanted, last, is_changed=is_changed)
    now = dataclasses.replace(now, git=state, staged=staged, is_git_there=seen is not None)

    index = _index_commit(store, head, head_tree, staged.tree)
    work = _work_commit(store, head, head_tree, index, now)
    known = [one for one in (base.head, last.git.head) if one is not None]
    known += [*last.git.refs.values(), *base.refs.values()]
    tips = [*([head] if head is not None else []), index, work]
    if seen is not None and (seen != last.git or staged is not last.staged):
        store.keep_objects()
    history = read_history(store, ledger, noted=noted, tips=tips, known=known, refs=state.refs)
    odd = oddities(store, found)
    snapshot = Snapshot(
        turn=turn,
        head=head,
        branch=state.branch,
        index=index,
        work=work,
        clean=seen is not None and _is_clean(store, now, head_tree, found),
        commits=history.commits,
        tags=history.tags,
        refs=_refs(state, base, history.lost),
        ahead=tuple(CommitSummary(id=one.id, message=message_text(one)) for one in ledger.ahead(head)),
        kept_out=_kept_out(store, found, odd, now, history.lost),
    )
    store.set_head(work)
    return snapshot, dataclasses.replace(now, commit=work, left=now.left | {*odd.empty, *odd.special})


def _index_commit(store: Store, head: str | None, head_tree: str, tree: str) -> str:
    if head is not None and tree == head_tree:
        return head
    return store.commit(tree, () if head is None else (head,), "index\n")


def _work_commit(store: Store, head: str | None, head_tree: str, index: str, now: Last) -> str:
    if head is not None and now.tree == head_tree:
        return head
    if now.tree == now.staged.tree:
        return index
    parents = tuple(dict.fromkeys(one for one in (head, index) if one is not None))
    return store.commit(now.tree, parents, "work\n")


def _take_gitlinks(store: Store, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Put the repositories that the agent has staged into our index, else they seem deleted; whether it changed."""
    if before == now:
        return False
    gone = "".join(f"0 {'0' * 40} 0\t{name}\0" for name in before if name not in now)
    there = "".join(f"160000 {commit} 0\t{name}\0" for name, commit in now.items())
    store.git.run("update-index", "-z", "--replace", "--index-info", stdin=encode(gone + there))
    return True


def _is_clean(store: Store, now: Last, head_tree: str, found: Scan) -> bool:
    """Whether the agent's own `git status` is empty: a file that only `include` brings in does not count."""
    if now.staged.tree != head_tree or now.staged.is_merging or found.nested:
        return False
    if now.tree == head_tree:
        return True
    if not now.forced:
        return False
    output = store.git.run("diff-tree", "-r", "-z", "--name-only", head_tree, now.tree)
    return {name for name in output.split(b"\0") if name} <= {encode(name) for name in now.forced}


def _refs(state: GitState, base: GitState, lost: Sequence[str]) -> dict[str, str | None]:
    """All branches, and the tags that differ from those of the base."""
    refs: dict[str, str | None] = {name: None for name in base.refs if name.startswith("refs/tags/")}
    refs |= state.refs
    same = {name for name, value in base.refs.items() if name.startswith("refs/tags/") and refs[name] == value}
    return {name: refs[name] for name in sorted(refs) if name not in same and name not in lost}


def _kept_out(store: Store, found: Scan, odd: Oddities, now: Last, lost: Sequence[str]) -> tuple[str, ...]:
    inner = [name for name in now.staged.gitlinks if any(store.path(name).glob("*"))]
    names = [
        *named(found.ignored, "ignored"),
        *named({*found.nested, *inner, *odd.inner}, "nested repository"),
        *named(odd.empty, "empty folder"),
        *named(odd.special, "pipe, socket or device"),
        *named(found.excluded, "excluded"),
        *named(found.large, f"larger than {FILE_LIMIT_BYTES / 1e6:.1f} MB"),
        *now.staged.notes,
        *named(lost, "a tag of neither commit nor tag"),
        *now.git.notes,
    ]
    return (*names, *(gitdir.unkept(store.theirs) if now.is_git_there else [_REMOVED]))
