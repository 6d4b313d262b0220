"""Find what an issue's `workspace:` means, and read it without ever writing to it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace.fields import decode
from pytest_mala.workspace.git import Git, GitError
from pytest_mala.workspace.trees import FileChange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Repository", "Source", "Template", "enclosing", "locate", "read_repository", "read_template"]

_CACHES = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"})


class Source(Protocol):
    """What is needed of `pytest_mala.issue.WorkspaceSource`."""

    @property
    def path(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def include(self) -> tuple[str, ...]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The files of a plain folder, as they are now; `notes` names what was left out."""

    folder: Path
    files: tuple[FileChange, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A commit of the user's repository. `shallow` is the file of that name, None if history is whole."""

    folder: Path
    objects: Path
    shallow: bytes | None
    commit: str
    tree: str
    branch: str | None
    tags: dict[str, str]


def enclosing(folder: Path) -> Path | None:
    """The nearest folder, this one or above, that has a `.git`."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def locate(source: Source, issue_path: Path) -> tuple[Path, bool]:
    """The folder that the issue means and whether it is a repository (else a template).

    Raises WorkspaceError if there is no such folder.
    """
    home = issue_path.absolute().parent.resolve()
    if source.path is None:
        found = enclosing(home)
        if found is None:
            raise WorkspaceError(
                f"{issue_path}: workspace: the file is in no git repository; name one, or a folder: `workspace: PATH`"
            )
        return found, True
    folder = (home / source.path).resolve()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise WorkspaceError(
            f"{issue_path}: workspace: {source.path} {what} (looked for the folder {folder}); "
            "the path is relative to the issue file"
        )
    is_bare = all((folder / name).exists() for name in ("HEAD", "objects", "refs"))
    return folder, is_bare or (folder / ".git").exists()


def read_template(folder: Path) -> Template:
    """The files of a folder: those that the enclosing repository tracks, with the contents of the working tree.

    If it tracks none of them (or there is no repository), all files but caches. Raises WorkspaceError if a file can't
    be read.
    """
    tracked, others = _tracked(folder) if enclosing(folder) is not None else ({}, ())
    notes = []
    if tracked and others:
        shown = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")
        notes.append(f"{folder.name}: not tracked, so not in the workspace: {shown}; `git add` what belongs there")
    names = tracked or dict.fromkeys(_walk(folder))
    files = []
    for name in sorted(names):
        if names[name] == "160000":
            notes.append(f"{folder.name}: {name} (submodule) is not in the workspace")
            continue
        found = _read(folder, name, names[name])
        files += [] if found is None else [found]
    return Template(folder=folder, files=tuple(files), notes=tuple(notes))


def _tracked(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    git = Git(folder=folder)
    output = git.run("ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard")
    tracked, others = {}, []
    for line in decode(output).split("\0")[:-1]:
        if line.startswith("? "):
            others.append(line[2:])
            continue
        fields, name = line.split("\t", 1)
        tracked[name] = fields.split()[1]
    return tracked, tuple(others)


def _walk(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _CACHES)
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 - speed
        for name in (*files, *links):
            if name not in _CACHES and not name.endswith((".pyc", ".pyo")):
                yield decode(os.fsencode(os.path.relpath(os.path.join(place, name), folder)))  # noqa: PTH118


def _read(folder: Path, name: str, mode: str | None) -> FileChange | None:
    """A file as it is now, None if it is gone or neither file nor link. A tracked file keeps the index's exec bit."""
    path = folder / os.fsdecode(name.encode("utf-8", "surrogateescape"))
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return FileChange(path=name, mode="120000", content=os.fsencode(path.readlink()))
        if not stat.S_ISREG(status.st_mode):
            return None
        now = "100755" if status.st_mode & stat.S_IXUSR else "100644"
        # a checkout without links (core.symlinks=false) holds the target as the text of a file
        return FileChange(path=name, mode=mode or now, content=path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise WorkspaceError(
            f"{path}: a file of the template can't be read: {error.strerror}; "
            "make it readable, or take it out of the index"
        ) from error


def read_repository(folder: Path, revision: str) -> Repository:
    """A commit of a repository, by any name that git knows.

    Raises WorkspaceError if the folder is no usable repository or the commit is not in it.
    """
    git = Git(folder=folder)
    try:
        places = git.text("rev-parse", "--path-format=absolute", "--git-common-dir", "--show-object-format")
    except GitError as error:
        raise WorkspaceError(
            f"{folder}: not a usable git repository: {error.stderr}; check it with `git status`"
        ) from error
    git_dir, object_format = places.rsplit("\n", 1)
    if object_format != "sha1":
        raise WorkspaceError(
            f"{folder}: the repository's ids are {object_format}; only sha1 repositories can be workspaces"
        )
    shallow = _content(folder / git_dir / "shallow")
    commit, tree = _resolve(git, revision, is_shallow=shallow is not None)
    return Repository(
        folder=folder,
        objects=(folder / git_dir / "objects").resolve(),
        shallow=shallow,
        commit=commit,
        tree=tree,
        branch=_branch(git),
        tags=_tags(git, commit),
    )


def _resolve(git: Git, revision: str, *, is_shallow: bool) -> tuple[str, str]:
    try:
        found = git.text("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return found, git.text("rev-parse", "--verify", f"{found}^{{tree}}")
    except GitError as error:
        if revision == "HEAD":
            raise WorkspaceError(
                f"{git.folder}: the repository has no commit yet; make one, or remove its .git to use it as a template"
            ) from error
        remedy = (
            "the clone is shallow: get all history (actions/checkout: `fetch-depth: 0`, or `git fetch --unshallow`)"
            if is_shallow
            else "fetch it (`git fetch --all --tags`), or correct `revision:`, or record the issue again"
        )
        raise WorkspaceError(f"{git.folder}: commit {revision} is not in this repository; {remedy}") from error


def _branch(git: Git) -> str | None:
    try:
        return git.text("symbolic-ref", "--quiet", "HEAD").removeprefix("refs/heads/")
    except GitError:
        return None


def _tags(git: Git, commit: str) -> dict[str, str]:
    output = git.text("for-each-ref", "--merged", commit, "--format=%(objectname) %(refname)", "refs/tags")
    return {name: value for value, name in (line.split(" ", 1) for line in output.splitlines())}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
