"""Finds and signals all that a command has started, also what has left its process group (design D14)."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform == "linux":
    import resource

__all__ = ["Family", "Mark", "kill_marked", "new_mark"]

_PROC = Path("/proc")
_LOCKS = 10  # RLIMIT_LOCKS, for which the module `resource` has no name
_UNLIMITED = -1
# Nine digits, as long as the word `unlimited` that tools print for what is there without us.
_OUTER_MARKS = range(500_000_000, 1_000_000_000)
_INNER_MARKS = range(100_000_000, 500_000_000)
_LISTINGS_MAX = 50
_KILL_ROUNDS = 20
_KILL_STEP_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A number that a command and all its descendants carry, whatever they do to their groups, sessions and parents.

    It is their soft limit of file locks (RLIMIT_LOCKS), which children inherit and which Linux enforces no more (since
    2.4.25). A variable in the environment would be seen by the command (design D9: nothing else is in it), and would be
    lost where a daemon gets an environment of its own or writes its title over it. `ceiling` is the hard limit.
    """

    number: int
    ceiling: int

    def put_on(self) -> None:
        """Marks the calling process, between fork and exec; where that is refused, the group is all we know."""
        if sys.platform == "linux":
            try:
                resource.setrlimit(_LOCKS, (self.number, self.ceiling))
            except (OSError, ValueError):
                pass

    def may_be_on(self, pid: int) -> bool:
        """Whether a process carries the mark, or has gone before we asked; other users' tell only root."""
        if sys.platform == "linux":
            try:
                return self.number in resource.prlimit(pid, _LOCKS)
            except ProcessLookupError:
                return True
            except OSError:
                pass
        return False

    def carriers(self) -> set[int]:
        """Who carries the mark and runs.

        One listing of the processes could miss a child whose parent forks after the listing and is dead before we ask
        it. Hence another one as long as somebody who may have been such a parent is dead.
        """
        asked: set[int] = set()
        found: set[int] = set()
        for _ in range(_LISTINGS_MAX):
            fresh = _pids() - asked
            suspects = {pid for pid in fresh if self.may_be_on(pid)}
            running = {pid for pid in suspects if _runs(pid)}
            found |= running
            if running == suspects:
                break
            asked |= fresh
        return found

    def hidden_in(self, text: str) -> str:
        """The output of a command that printed its limits, as it would be without us, and so the same in each run."""
        return text.replace(str(self.number), "unlimited")


def new_mark() -> Mark | None:
    """A mark that no other command has; None where processes can't be asked for theirs (macOS, no /proc).

    If we are in a marked command ourselves, our mark becomes the hard limit of what we start: so the outer run finds it
    as well, should it have to end us in the middle.
    """
    if sys.platform == "linux" and hasattr(resource, "prlimit") and _has_proc():
        soft, hard = resource.getrlimit(_LOCKS)
        ceiling = soft if hard == _UNLIMITED else hard
        marks = _OUTER_MARKS if ceiling == _UNLIMITED else _INNER_MARKS
        return Mark(number=secrets.choice(marks), ceiling=ceiling)
    return None


class Family:
    """A command's process group and, where they can be marked, its descendants outside of the group."""

    def __init__(self, group: int, mark: Mark | None) -> None:
        self._group, self._mark = group, mark

    def is_alive(self) -> bool:
        """Whether one of them runs; the dead whom nobody reaps (containers without an init) don't count."""
        return _is_group_alive(self._group) or bool(self._carriers())

    def _carriers(self) -> set[int]:
        return self._mark.carriers() if self._mark else set()

    def send(self, number: signal.Signals) -> None:
        """Signals each of them once."""
        strays = [pid for pid in self._carriers() if _stat(pid)[1] != self._group]
        if _is_group_alive(self._group):  # its id may be somebody else's once it is empty: look before we shoot
            _send(os.killpg, self._group, number)
        for pid in strays:
            _send(os.kill, pid, number)


def kill_marked(mark: Mark) -> None:
    """Kills who carries the mark, where we were interrupted before we knew the process; takes a fifth of a second.

    Not less, since the process may just have been forked and take its mark a little later.
    """
    for _ in range(_KILL_ROUNDS):
        for pid in mark.carriers():
            _send(os.kill, pid, signal.SIGKILL)
        threading.Event().wait(_KILL_STEP_SECONDS)


def _send(kill: Callable[[int, int], None], target: int, number: signal.Signals) -> None:
    try:
        kill(target, number)
    except (ProcessLookupError, PermissionError):
        pass  # nobody there, another user's, or (macOS) only the dead


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform == "linux"
    if not _has_proc():
        return True
    return any(_stat(pid)[1] == group and _runs(pid) for pid in _pids())


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _pids() -> set[int]:
    with os.scandir(_PROC) as entries:
        return {int(entry.name) for entry in entries if entry.name.isdigit()}


def _runs(pid: int) -> bool:
    return _stat(pid)[0] not in "ZX"


def _stat(pid: int) -> tuple[str, int]:
    """State (Z and X: dead) and process group."""
    try:
        state, _, group = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return "X", 0  # it ended while we looked
    return state, int(group)
