"""Make and read the `.git` folder of a workspace without starting git: the agent may have put anything into it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import decode, encode, is_readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["GitState", "make", "read_state", "unkept", "write_state"]

_ID = re.compile(r"[0-9a-f]{40}")
_HEADS = "refs/heads/"
_KEPT_REFS = (_HEADS, "refs/tags/")

_CONFIGURATION = f"""\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tsymlinks = true
\tignorecase = {str(sys.platform == "darwin").lower()}
\tprecomposeunicode = {str(sys.platform == "darwin").lower()}
\tautocrlf = false
\teol = lf
\tsafecrlf = false
\tfsmonitor = false
\thooksPath = {os.devnull}
[user]
\tname = agent
\temail = agent@localhost
[commit]
\tgpgsign = false
[tag]
\tgpgsign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""

_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding\n"
"""Bytes in the tree are bytes in the files, whatever the `.gitattributes` of the tree say."""

_OURS = {"HEAD", "config", "index", "info", "objects", "packed-refs", "refs", "shallow"}
_UNIMPORTANT = {
    "AUTO_MERGE",
    "COMMIT_EDITMSG",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "REBASE_HEAD",
    "branches",
    "description",
    "gc.log",
    "logs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """What HEAD and the refs say. `head` is None on a branch without commits, `branch` None if HEAD is detached.

    `refs` holds branches and tags; `notes` names refs that are not kept.
    """

    head: str | None
    branch: str | None
    refs: Mapping[str, str]
    notes: tuple[str, ...] = field(default=(), compare=False)


def make(git_dir: Path, *, objects: Iterable[Path], shallow: bytes | None) -> None:
    """A repository without commits that borrows the objects of others; costs no process, and reads no template."""
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (git_dir / folder).mkdir(parents=True, exist_ok=True)
    (git_dir / "config").write_text(_CONFIGURATION)
    (git_dir / "info" / "attributes").write_text(_ATTRIBUTES)
    (git_dir / "info" / "exclude").write_text("")
    (git_dir / "objects" / "info" / "alternates").write_bytes(b"".join(_alternate(folder) for folder in objects))
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    if shallow is not None:
        (git_dir / "shallow").write_bytes(shallow)


def _alternate(folder: Path) -> bytes:
    name = os.fsencode(folder)
    if name[:1] in b'"#' or b"\n" in name:
        name = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return name + b"\n"


def read_state(git_dir: Path) -> GitState | None:
    """HEAD and refs, or None if there is no repository of a kind that we can read."""
    if git_dir.is_symlink() or not (git_dir / "objects").is_dir():
        return None
    try:
        head = decode((git_dir / "HEAD").read_bytes()).strip()
        found = _packed(git_dir) | _loose(git_dir)
    except OSError:
        return None
    names = {name: _resolve(value, found) for name, value in found.items()}
    kept = {name: value for name, value in names.items() if value and name.startswith(_KEPT_REFS) and is_readable(name)}
    notes = tuple(f"{_shown(name)} (ref)" for name in sorted(names) if name not in kept)
    if head.startswith("ref: " + _HEADS):
        name = head.removeprefix("ref: ")
        if not is_readable(name, one_line=True):  # its commit is kept, as a detached HEAD
            return GitState(head=names[name], branch=None, refs=kept, notes=notes) if names.get(name) else None
        return GitState(head=names.get(name), branch=name.removeprefix(_HEADS), refs=kept, notes=notes)
    if _ID.fullmatch(head):
        return GitState(head=head, branch=None, refs=kept, notes=notes)
    return None


def _packed(git_dir: Path) -> dict[str, str]:
    try:
        lines = decode((git_dir / "packed-refs").read_bytes()).splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split(" ", 1) for line in lines if line[:1] not in ("#", "^", ""))
    return {name: value for value, name in (pair for pair in pairs if len(pair) == 2)}


def _loose(git_dir: Path) -> dict[str, str]:
    found = {}
    for folder, _, files in os.walk(git_dir / "refs"):
        for file in files:
            path = os.path.join(folder, file)  # noqa: PTH118 - hundreds of refs
            name = decode(os.fsencode(os.path.relpath(path, git_dir)))
            if not name.endswith(".lock"):
                with open(path, "rb") as stream:  # noqa: PTH123
                    found[name] = decode(stream.read(1024)).strip()
    return found


def _resolve(value: str, refs: Mapping[str, str]) -> str | None:
    for _ in range(5):  # git's own bound for links between refs
        if not value.startswith("ref: "):
            break
        value = refs.get(value.removeprefix("ref: "), "")
    return value if _ID.fullmatch(value) else None


def unkept(git_dir: Path) -> tuple[str, ...]:
    """What the agent put into `.git` that a snapshot does not hold, by name."""
    names = {one.name for one in git_dir.iterdir()} - _OURS - _UNIMPORTANT
    found = [f".git/{_shown(decode(os.fsencode(one)))}" for one in sorted(names)]
    config = git_dir / "config"
    if not config.is_file() or config.read_text(errors="replace") != _CONFIGURATION:
        found.append(".git/config (git configuration)")
    return tuple(found)


def write_state(git_dir: Path, state: GitState) -> None:
    """Make HEAD and refs those of `state`, drop what else a half-done command or a check left in `.git`."""
    for path in [one for one in git_dir.iterdir() if one.name not in _OURS]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(git_dir / "refs")
    for kind in ("heads", "tags"):
        (git_dir / "refs" / kind).mkdir(parents=True)
    lines = [encode(f"{value} {name}\n") for name, value in sorted(state.refs.items())]
    (git_dir / "packed-refs").write_bytes(b"# pack-refs with: sorted \n" + b"".join(lines))
    head = f"ref: {_HEADS}{state.branch}" if state.branch is not None else str(state.head)
    (git_dir / "HEAD").write_bytes(encode(head) + b"\n")


def _shown(name: str) -> str:
    return name if is_readable(name, one_line=True) else ascii(name)[1:-1]
