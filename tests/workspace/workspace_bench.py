"""A small source in two forms, an agent that runs shell commands, and a picture of what is in a working tree."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.issue import WorkspaceSource
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from pathlib import Path

AGENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "LANG": "C.UTF-8",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "sub/data.txt": "one\ntwo\n",
    "run.sh": "#!/bin/sh\necho hello\n",
    ".gitignore": "build/\n*.log\n.env\n__pycache__/\n",
}


def sh(folder: Path, script: str, **variables: str) -> str:
    """Run a script as an agent would; its output."""
    done = subprocess.run(
        ["sh", "-ec", script], cwd=folder, env={**AGENT, **variables}, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def write_source(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "run.sh").chmod(0o755)
    return folder


def make_repository(folder: Path) -> Path:
    """Two commits, a tag on the first."""
    folder.mkdir(parents=True, exist_ok=True)
    sh(folder, "git init -q -b main; git config user.name user; git config user.email user@example.org")
    (folder / "old.txt").write_text("old\n")
    sh(folder, "git add -A; git commit -qm first; git tag v1; git rm -q old.txt")
    write_source(folder)
    sh(folder, "git add -A; git commit -qm second")
    return folder


@dataclass(frozen=True)
class Bench:
    """Makes workspaces from sources in a temporary folder."""

    root: Path
    issues: Path

    def source(self, name: str) -> Path:
        return self.issues / name

    @property
    def issue(self) -> Path:
        return self.issues / "one.md"

    def prepare(self, room: str, path="template", *, recorded=None, revision=None, include=(), exclude=()):
        wanted = WorkspaceSource(path=path, revision=revision, include=tuple(include), exclude=tuple(exclude))
        return prepare(wanted, issue_path=self.issue, root=self.root / room, recorded=recorded)


def files(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Every file and link outside of `.git`: what it is, and its content."""
    found = {}
    for path in folder.rglob("*"):
        shown = path.relative_to(folder)
        mode = path.lstat().st_mode
        if ".git" in shown.parts:
            continue
        if stat.S_ISLNK(mode):
            found[str(shown)] = ("link", os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            found[str(shown)] = ("x" if mode & 0o100 else "-", path.read_bytes())
    return found


COMMANDS = {
    "head": "git symbolic-ref HEAD || git rev-parse HEAD",
    "refs": "git for-each-ref --format='%(objectname) %(refname)' refs/heads refs/tags",
    "log": "git log --all --format='%H %P %an %ae %ad %cn %ce %cd %B' --date=raw",
    "index": "git ls-files -s",
    "status": "git status --porcelain --untracked-files=all",
    "phantom": "git diff-files --name-only",
    "fsck": "git fsck --no-dangling --no-progress",
}


def repository(folder: Path) -> dict[str, str]:
    """What the agent's own git says about HEAD, refs, index and files."""
    script = "\n".join(f"printf '\\001'; {command} 2>/dev/null || echo failed" for command in COMMANDS.values())
    return dict(zip(COMMANDS, sh(folder, script).split("\1")[1:], strict=True))


def digest(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below, `.git` included, with mode, time and bytes: equal means untouched."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
