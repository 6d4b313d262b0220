"""The folders of one case: the workspace and what the CLI and the checks need beside it, all outside of any project."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_mala.transport.names import Names

__all__ = ["Stage"]

_SYSTEM_PREFIXES = ("/usr", "/usr/local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A temporary folder with the workspace, the CLI's home, configuration and temporary folder, and the home of the
    checks.

    The path is real (no links in it): the CLI and git see real paths, and names must match what they say.
    """

    root: Path

    @classmethod
    def make(cls) -> Stage:
        """A new stage in the system's temporary folder."""
        stage = cls(root=Path(tempfile.mkdtemp(prefix="mala-")).resolve())
        for folder in (stage.home, stage.config, stage.tmp, stage.check_home):
            folder.mkdir()
        return stage

    @property
    def workspace(self) -> Path:
        """The git working tree that the agent changes."""
        return self.root / "workspace"

    @property
    def home(self) -> Path:
        """The CLI's HOME."""
        return self.root / "home"

    @property
    def config(self) -> Path:
        """The CLI's configuration folder, where session logs are."""
        return self.root / "config"

    @property
    def tmp(self) -> Path:
        """TMPDIR of the CLI and of the checks."""
        return self.root / "tmp"

    @property
    def check_home(self) -> Path:
        """The empty HOME of the checks."""
        return self.root / "check-home"

    def names(self) -> Names:
        """What stands for this machine's paths in a cassette."""
        slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in str(self.workspace))
        values = {
            "WORKSPACE": str(self.workspace),
            "WORKSPACE_SLUG": slug,
            "CONFIG": str(self.config),
            "HOME": str(self.home),
            "TMP": str(self.tmp),
            # where the CLI keeps what background tasks write: it puts the user's number behind its own name
            "CLI_TMP": str(self.tmp / f"claude-{os.getuid() if hasattr(os, 'getuid') else 0}"),
            "CHECK_HOME": str(self.check_home),
            "STAGE": str(self.root),
        }
        # A system's own prefix is too short and too common to be replaced wherever it stands. But the name must stand
        # for something: a recording from elsewhere may have it, and what is shown must be hidden to the same again.
        values["PYTHON"] = str(self.root / "python") if sys.prefix in _SYSTEM_PREFIXES else sys.prefix
        return Names(values)

    def remove(self) -> None:
        """Delete everything, also what a check left read-only, and folders inside of each other without end."""
        try:
            if sys.version_info >= (3, 12):
                shutil.rmtree(self.root, onexc=_make_writable)
            else:
                shutil.rmtree(self.root, onerror=_make_writable)
        except RecursionError:
            _remove_deep(self.root)


def _remove_deep(root: Path) -> None:
    """Each folder is moved to the top before it is emptied, so that no path and no stack gets long."""
    waiting = [root]
    moved = 0
    with suppress(OSError):  # what can't be deleted stays for the system to clean
        while waiting:
            folder = waiting.pop()
            with os.scandir(folder) as entries:
                found = list(entries)
            for entry in found:
                path = Path(entry.path)
                if not entry.is_dir(follow_symlinks=False):
                    path.unlink()
                    continue
                path.chmod(0o700)
                moved += 1
                waiting.append(path if folder == root else path.rename(root / f".deep-{moved}"))
            if folder != root:
                folder.rmdir()
        root.rmdir()


def _make_writable(remove: object, path: str, _error: object) -> None:
    """Second try for an entry of a read-only folder; what still can't be deleted stays for the system to clean."""
    place = Path(path)
    try:
        place.parent.chmod(0o700)
        place.chmod(0o700)
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink(missing_ok=True)
    except OSError:
        return
