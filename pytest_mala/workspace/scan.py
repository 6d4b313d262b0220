"""Look at the agent's files: what changed since the last capture, and what a capture leaves out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace.fields import decode, encode, is_readable
from pytest_mala.workspace.git import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_mala.workspace.globs import Globs
    from pytest_mala.workspace.store import Store

__all__ = ["FILE_LIMIT_BYTES", "Oddities", "Scan", "Wanted", "named", "oddities", "scan", "update"]

FILE_LIMIT_BYTES = 16 * 1024 * 1024
"""A larger file is not captured: a cassette is text that people review."""

_NAMED_MAX = 20
_STATUS = (
    "status",
    "--porcelain=v1",
    "-z",
    "--untracked-files=all",
    "--ignored=matching",
    "--ignore-submodules=all",
    "--no-renames",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The rules of an issue about files: ignored ones that are captured all the same, and those never captured."""

    include: Globs
    exclude: Globs


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What `status` says. `changed` are tracked files; `fresh` are untracked and `forced` ignored ones to capture.

    `ignored` are files and whole folders (with a slash at the end), `nested` folders that are repositories, `excluded`
    and `large` changed files that are left out.
    """

    changed: tuple[str, ...]
    fresh: tuple[str, ...]
    forced: tuple[str, ...]
    ignored: tuple[str, ...]
    nested: tuple[str, ...]
    excluded: tuple[str, ...]
    large: tuple[str, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """The files that differ from our index and belong into it."""
        return tuple(sorted({*self.changed, *self.fresh, *self.forced}))

    @property
    def left(self) -> tuple[str, ...]:
        """Everything untracked that stays where it is."""
        return (*self.ignored, *self.nested, *self.excluded, *self.large)


def scan(store: Store, wanted: Wanted) -> Scan:
    """Compare the files with our index, in one process. The ignore rules of the agent's own exclude file count."""
    _copy_exclude_file(store)
    output = decode(store.git.run(*_STATUS))
    found: dict[str, list[str]] = {"changed": [], "fresh": [], "ignored": [], "nested": [], "excluded": [], "large": []}
    forced: list[str] = []
    for entry in output.split("\0")[:-1]:
        code, name = entry[:2], entry[3:]
        if code == "!!":
            kept = list(_included(store, name, wanted))
            forced += kept
            if kept != [name]:
                found["ignored"].append(name)
            continue
        if code[1] == " ":
            continue
        found[_kind(store, code, name, wanted)].append(name)
    kept_small = [name for name in forced if not _is_large(store, name)]
    found["large"] += [name for name in forced if name not in kept_small]
    return Scan(forced=tuple(kept_small), **{key: tuple(value) for key, value in found.items()})


def _kind(store: Store, code: str, name: str, wanted: Wanted) -> str:
    if code == "??" and name.endswith("/"):
        return "nested"
    if wanted.exclude.match(name):
        return "excluded"
    if _is_large(store, name):
        return "large"
    return "fresh" if code == "??" else "changed"


def _is_large(store: Store, name: str) -> bool:
    try:
        return store.path(name).lstat().st_size > FILE_LIMIT_BYTES
    except OSError:
        return False


def _included(store: Store, name: str, wanted: Wanted) -> Iterator[str]:
    """The files of an ignored entry that the issue wants kept."""
    if not wanted.include:
        return
    files = _below(store, name) if name.endswith("/") else [name]
    yield from (one for one in files if wanted.include.match(one) and not wanted.exclude.match(one))


def _below(store: Store, folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(store.path(folder)):
        folders[:] = sorted(one for one in folders if one != ".git")
        for file in sorted(files):
            yield decode(os.fsencode(os.path.relpath(os.path.join(place, file), store.files)))  # noqa: PTH118 - speed


def _copy_exclude_file(store: Store) -> None:
    try:
        text = (store.theirs / "info" / "exclude").read_bytes()
    except OSError:
        text = b""
    ours = store.ours / "info" / "exclude"
    if ours.read_bytes() != text:
        ours.write_bytes(text)


def update(store: Store, names: Sequence[str]) -> str:
    """Take these files into our index; the id of its tree. Raises WorkspaceError if one can't be read."""
    # a link or file in place of a folder takes away what was in it; git refuses to look behind a link
    present = {name for name in names if store.path(name).is_symlink() or store.path(name).is_file()}
    paths = [name for name in names if not any(one in present for one in _ancestors(name))]
    behind = [name for name in paths if any(store.path(one).is_symlink() for one in _ancestors(name))]
    try:
        if behind:
            lines = "".join(f"0 {'0' * 40} 0\t{name}\0" for name in behind)
            store.git.run("update-index", "-z", "--index-info", stdin=encode(lines))
        if len(paths) > len(behind):
            stdin = b"".join(encode(name) + b"\0" for name in paths if name not in behind)
            store.git.run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=stdin)
        return store.git.text("write-tree")
    except GitError as error:
        raise WorkspaceError(
            f"{store.files}: the files can't be captured: {error.stderr}; "
            "make the file readable, or name it under `workspace.exclude`"
        ) from error


def _ancestors(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


@dataclass(slots=True)
class Oddities:
    """What git passes over in silence: empty folders, pipes and the like, `.git` of inner folders."""

    empty: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)


def oddities(store: Store, found: Scan | None) -> Oddities:
    """Walk through the files that are neither ignored nor another repository's."""
    odd = Oddities()
    left = () if found is None else (*found.ignored, *found.nested)
    passed = {name.rstrip("/") for name in left if name.endswith("/")}
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(store.path(place)) as listing:
            children = list(listing)
        if not children and place:
            odd.empty.append(place + "/")
        for child in children:
            name = decode(os.fsencode(child.name))
            name = f"{place}/{name}" if place else name
            if child.name == ".git":
                odd.inner += [name] if place else []
            elif child.is_dir(follow_symlinks=False):
                waiting += [name] if name not in passed else []
            elif not child.is_file(follow_symlinks=False) and not child.is_symlink():
                odd.special.append(name)
    return odd


def named(names: Iterable[str], why: str) -> list[str]:
    """What is left out, for people: a bounded list, the rest counted."""
    ordered = sorted(names)
    shown = [
        f"{name if is_readable(name, one_line=True) else ascii(name)[1:-1]} ({why})" for name in ordered[:_NAMED_MAX]
    ]
    return shown + ([f"{len(ordered) - _NAMED_MAX} more ({why})"] if len(ordered) > _NAMED_MAX else [])
