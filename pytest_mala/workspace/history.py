"""Read the commits and tags that no snapshot holds yet, with the contents of their files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace.fields import decode
from pytest_mala.workspace.git import GitError
from pytest_mala.workspace.objects import parse_commit, parse_tag
from pytest_mala.workspace.scan import FILE_LIMIT_BYTES
from pytest_mala.workspace.snapshot import Change, Commit, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_mala.workspace.store import Ledger, Store

__all__ = ["History", "read_history"]

_EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
_GITLINK = "160000"
_LOG = (
    "log",
    "--stdin",
    "--ignore-missing",
    "--topo-order",
    "--reverse",
    "--raw",
    "-r",
    "-z",
    "--no-renames",
    "--no-abbrev",
    "--diff-merges=first-parent",
    "--format=tformat:commit %H",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """New objects, parents first. `lost` are refs that point to something which is neither commit nor tag of one."""

    commits: tuple[Commit, ...]
    tags: tuple[Tag, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Raw:
    path: str
    mode: str
    blob: str
    is_deleted: bool


def read_history(
    store: Store,
    ledger: Ledger,
    *,
    noted: Sequence[str],
    tips: Iterable[str],
    known: Iterable[str],
    refs: Mapping[str, str],
) -> History:
    """The `noted` trees, and what is reachable from `tips` and `refs` and not from `known`; added to the ledger.

    Raises WorkspaceError if objects are missing, or a committed file is too large for a cassette.
    """
    excluded = set(known)
    passed = excluded | ledger.tags | ledger.commits.keys()
    wanted = [one for one in dict.fromkeys([*noted, *tips, *refs.values()]) if one not in passed]
    if not wanted:
        return History(commits=(), tags=(), lost=())
    try:
        found = _log(store, wanted, sorted(excluded), ledger)
        # as they came to be: what a tool wrote stands first, commits refer to it
        found = {name: found[name] for name in sorted(found, key=lambda one: one not in noted)}
        blobs = [raw.blob for raws in found.values() for raw in raws if _needs_content(raw, ledger)]
        objects = _objects(store, [*found, *dict.fromkeys(blobs), *(one for one in wanted if one not in found)])
    except GitError as error:
        raise WorkspaceError(
            f"{store.files}: the agent's commits can't be read: {error.stderr}; "
            "its repository is damaged, see `git fsck` there"
        ) from error
    commits = tuple(_commit(name, raws, objects, ledger) for name, raws in found.items())
    ledger.commits |= {one.id: dataclasses.replace(one, changes=()) for one in commits}
    tags = _tags(store, objects, ledger)
    usable = {*passed, *ledger.tags, *(name for name, (kind, _) in objects.items() if kind == "commit")}
    lost = tuple(name for name, value in refs.items() if value not in usable)
    return History(commits=commits, tags=tags, lost=lost)


def _log(store: Store, wanted: Sequence[str], excluded: Sequence[str], ledger: Ledger) -> dict[str, list[_Raw]]:
    """The new commits, parents first, with what `log --raw` says about each."""
    revisions = "".join([*(f"{one}\n" for one in wanted), *(f"^{one}\n" for one in excluded)])
    parts = iter(decode(store.git.run(*_LOG, stdin=revisions.encode())).split("\0"))
    found: dict[str, list[_Raw]] = {}
    current: list[_Raw] = []
    for part in parts:
        text = part.removeprefix("\n")
        if text.startswith("commit "):
            current = found.setdefault(text.removeprefix("commit "), [])
        elif text.startswith(":"):
            _, mode, _, blob, status = text.split(" ")
            current.append(_Raw(next(parts), mode, blob, status == "D"))
    return {name: raws for name, raws in found.items() if name not in ledger.commits}


def _needs_content(raw: _Raw, ledger: Ledger) -> bool:
    return not raw.is_deleted and raw.mode != _GITLINK and raw.blob not in ledger.blobs


def _objects(store: Store, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Type and content of each object."""
    if not names:
        return {}
    output = store.git.run("cat-file", "--batch", stdin="".join(f"{one}\n" for one in names).encode())
    found = {}
    at = 0
    for name in names:
        end = output.index(b"\n", at)
        header = output[at:end].decode().split(" ")
        if len(header) != 3:
            raise GitError("cat-file", store.files, 0, f"object {name} is missing")
        size = int(header[2])
        found[name] = (header[1], output[end + 1 : end + 1 + size])
        at = end + size + 2
    return found


def _commit(name: str, raws: Sequence[_Raw], objects: Mapping[str, tuple[str, bytes]], ledger: Ledger) -> Commit:
    commit = parse_commit(name, objects[name][1])
    if commit is None:
        raise WorkspaceError(f"commit {name}: it has a form that git itself never writes; remove it from the branches")
    return dataclasses.replace(commit, changes=tuple(_change(name, raw, objects, ledger) for raw in raws))


def _change(commit: str, raw: _Raw, objects: Mapping[str, tuple[str, bytes]], ledger: Ledger) -> Change:
    if raw.is_deleted:
        return Change(path=raw.path, mode=None)
    if raw.mode == _GITLINK:
        return Change(path=raw.path, mode=raw.mode, content=raw.blob.encode())
    stands = ledger.blobs.get(raw.blob)
    if stands is not None:
        there, path = stands
        return Change(path=raw.path, mode=raw.mode, as_in=there, as_path=path if path != raw.path else None)
    content = objects[raw.blob][1]
    if len(content) > FILE_LIMIT_BYTES:
        raise WorkspaceError(
            f"commit {commit[:12]}: {raw.path} has {len(content) / 1e6:.1f} MB, and a cassette holds files up to "
            f"{FILE_LIMIT_BYTES / 1e6:.1f} MB; have the agent leave it uncommitted, or ignored"
        )
    if raw.blob != _EMPTY_BLOB:  # nothing is shorter than a reference
        ledger.blobs[raw.blob] = (commit, raw.path)
    return Change(path=raw.path, mode=raw.mode, content=content)


def _tags(store: Store, objects: Mapping[str, tuple[str, bytes]], ledger: Ledger) -> tuple[Tag, ...]:
    """The annotated tags among the objects, and those that they point to; what they point to comes first."""
    found: list[Tag] = []
    waiting = {name: data for name, (kind, data) in objects.items() if kind == "tag"}
    while waiting:
        parsed = [tag for name, data in waiting.items() if (tag := parse_tag(name, data)) is not None]
        found = [*(tag for tag in parsed if tag.kind in ("commit", "tag")), *found]
        inner = [tag.object for tag in parsed if tag.kind == "tag" and tag.object not in ledger.tags]
        waiting = {name: data for name, (_, data) in _objects(store, inner).items()}
    unique = tuple({tag.id: tag for tag in found}.values())
    ledger.tags |= {tag.id for tag in unique}
    return unique
