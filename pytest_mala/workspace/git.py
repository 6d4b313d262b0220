"""Run git in an environment that is made, not inherited: no GIT_* variable, user or system configuration has a say."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Git", "GitError", "made_environment"]

DEADLINE_SECONDS = 600.0
"""Real seconds after which a git process is killed: far above the largest checkout, low enough to end a hung run."""

_STDERR_SHOWN = 300

_CONFIGURATION = {
    # a checkout in a container often belongs to another user; we only read it and run nothing of its configuration
    "safe.directory": "*",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "core.autocrlf": "false",
    "core.compression": "1",
    "core.fsync": "none",  # a workspace lives in a temporary folder: nothing has to survive a power cut
    "fastimport.unpackLimit": "1",
    "gc.auto": "0",
    "i18n.logOutputEncoding": "UTF-8",
    "index.version": "2",
    "log.showSignature": "false",
}


def made_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a git process; of `parent` only the program path and the temporary folder are used."""
    environment = {name: parent[name] for name in ("PATH", "TMPDIR") if name in parent}
    environment |= {
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_COUNT": str(len(_CONFIGURATION)),
    }
    for number, (key, value) in enumerate(_CONFIGURATION.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


class GitError(WorkspaceError):
    """A git command failed. `exit_status` is negative if a signal ended it; `stderr` is what it said, on one line."""

    def __init__(self, command: str, folder: Path, exit_status: int, stderr: str) -> None:
        what = stderr or "it said nothing"
        super().__init__(f"git {command} failed in {folder} (exit status {exit_status}): {what}")
        self.command = command
        self.exit_status = exit_status
        self.stderr = stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Runs git in one folder. `variables` (GIT_DIR and the like) are set on top of the made environment."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    parent: Mapping[str, str] = field(default_factory=lambda: os.environ)
    deadline_seconds: float = DEADLINE_SECONDS

    def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> bytes:
        """What the command wrote. Raises GitError if it failed, WorkspaceError if there is no git or it hung."""
        environment = made_environment(self.parent) | dict(self.variables) | variables
        try:
            child = subprocess.Popen(
                ["git", *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # cwd and env can both raise FileNotFoundError; told apart below
            )
        except FileNotFoundError as error:
            raise self._not_started() from error
        late = threading.Event()
        # not `communicate(timeout=)`: under a frozen clock it waits for ever (slice.md 3.1)
        timer = threading.Timer(self.deadline_seconds, _end, (child, late))
        timer.daemon = True
        timer.start()
        try:
            output, error_output = child.communicate(stdin)
        finally:
            timer.cancel()
        if late.is_set():
            raise WorkspaceError(
                f"git {arguments[0]} in {self.folder} did not end within {self.deadline_seconds:g} s and was killed; "
                "look for a slow disk or a program that hangs in place of git"
            )
        if child.returncode:
            raise GitError(arguments[0], self.folder, child.returncode, _one_line(error_output))
        return output

    def text(self, *arguments: str, stdin: bytes = b"", **variables: str) -> str:
        """The same as text without the last line end."""
        return self.run(*arguments, stdin=stdin, **variables).decode("utf-8", "surrogateescape").rstrip("\n")

    def _not_started(self) -> WorkspaceError:
        if not self.folder.is_dir():
            return WorkspaceError(
                f"{self.folder}: git can't run there, the folder is gone; was it deleted by the agent or a check?"
            )
        return WorkspaceError("git was not found on PATH; workspaces are git trees: install git 2.31 or newer")


def _end(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _one_line(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    text = "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in lines)
    return text if len(text) <= _STDERR_SHOWN else text[:_STDERR_SHOWN] + "..."
