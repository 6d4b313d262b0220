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
    from collections.abc import Callable, Iterator

if sys.platform == "linux":
    import resource

__all__ = ["Family", "Mark", "can_see_the_dead", "kill_marked", "new_mark", "why_unmarked"]

_PROC = Path("/proc")
_LOCKS = 10  # RLIMIT_LOCKS, for which the module `resource` has no name
_UNLIMITED = -1
# Nine digits, as long as the word `unlimited` that tools print for what is there without us.
_OUTER_MARKS = range(500_000_000, 1_000_000_000)
_INNER_MARKS = range(100_000_000, 500_000_000)
# A lower hard limit is somebody's own, as in a hardened container: too few numbers are left that nobody else has.
_LOWEST_CEILING = 200_000_000
_LISTINGS_MAX = 50
_KILL_ROUNDS = 20
_KILL_ROUNDS_MAX = 200
_KILL_STEP_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A number that a command and all its descendants carry, whatever they do to their groups, sessions and parents.

    It is their soft limit of file locks (RLIMIT_LOCKS), which children inherit and which Linux enforces no more (since
    2.4.25). A variable in the environment would be seen by the command (design D9: nothing else is in it), and would be
    lost where a daemon gets an environment of its own or writes its title over it. `ceiling` is the hard limit;
    `hidden` is what tools print without us.
    """

    number: int
    ceiling: int
    hidden: str = "unlimited"

    def put_on(self) -> None:
        """Marks the calling process, between fork and exec; where that is refused, the group is all we know."""
        if sys.platform == "linux":
            try:
                resource.setrlimit(_LOCKS, (self.number, self.ceiling))
            except (OSError, ValueError):
                pass

    def may_be_on(self, pid: int) -> bool:
        """Whether a process carries the mark, or has gone before we asked; other users' tell only root."""
        try:
            return self.number in _limits(pid)
        except ProcessLookupError:
            return True
        except OSError:
            return False

    def is_refused(self, pid: int) -> bool:
        """Whether a process that should carry the mark says that it does not; some sandboxes let nobody set it."""
        try:
            return self.number not in _limits(pid)
        except OSError:
            return False

    def carriers(self) -> Iterator[int]:
        """Who carries the mark and runs, each as soon as it is found, the youngest first: they may not live long.

        One listing of the processes could miss a child whose parent forks after the listing and is dead before we ask
        it. Hence another one as long as somebody who may have been such a parent is dead.
        """
        asked: set[int] = set()
        for _ in range(_LISTINGS_MAX):
            fresh = _pids() - asked
            is_certain = True
            for pid in sorted(fresh, reverse=True):
                if self.may_be_on(pid):
                    if _runs(pid):
                        yield pid
                    else:
                        is_certain = False
            if is_certain:
                break
            asked |= fresh

    def send(self, pid: int, number: signal.Signals) -> None:
        """Signals a process if it carries the mark, never another one that got its id meanwhile."""
        try:
            handle = os.pidfd_open(pid) if sys.platform == "linux" else -1
        except ProcessLookupError:
            return
        except (AttributeError, OSError):  # before Linux 5.3, or a sandbox without it: as near as one can get
            if self.may_be_on(pid):
                _send(lambda: os.kill(pid, number))
            return
        try:
            if self.may_be_on(pid):  # asked by its id: who is neither dead nor marked can't be whom the handle means
                _send(lambda: signal.pidfd_send_signal(handle, number))
        finally:
            os.close(handle)

    def hidden_in(self, text: str) -> str:
        """The output of a command that printed its limits, as it would be without us, and so the same in each run."""
        return text.replace(str(self.number), self.hidden)


def new_mark() -> Mark | None:
    """A mark that no other command has; None where there can be none (see `why_unmarked`).

    If we are in a marked command ourselves, our mark becomes the hard limit of what we start: so the outer run finds it
    as well, should it have to end us in the middle.
    """
    if why_unmarked():
        return None
    soft, ceiling = _limits(0)[0], _ceiling()
    inner = range(_INNER_MARKS.start, min(_INNER_MARKS.stop, ceiling))
    hidden = "unlimited" if soft == _UNLIMITED or soft in _OUTER_MARKS else str(soft)
    return Mark(number=secrets.choice(_OUTER_MARKS if ceiling == _UNLIMITED else inner), ceiling=ceiling, hidden=hidden)


def why_unmarked() -> str:
    """Why what we start can have no mark; empty where it can."""
    if sys.platform != "linux" or not hasattr(resource, "prlimit") or not can_see_the_dead():
        return "only Linux with /proc tells what descends from a command"
    if _UNLIMITED < (ceiling := _ceiling()) < _LOWEST_CEILING:
        return f"the limit of file locks is {ceiling} (`ulimit -H -x`), expected none, or {_LOWEST_CEILING} and more"
    return ""


def _ceiling() -> int:
    soft, hard = _limits(0)
    return soft if hard == _UNLIMITED and soft in _OUTER_MARKS else hard


def _limits(pid: int) -> tuple[int, int]:
    if sys.platform == "linux":
        return resource.prlimit(pid, _LOCKS)
    raise OSError


class Family:
    """A command's process group and, where they can be marked, its descendants outside of the group."""

    def __init__(self, group: int, mark: Mark | None) -> None:
        self._group, self._mark = group, mark

    def is_alive(self) -> bool:
        """Whether one of them runs; the dead whom nobody reaps (containers without an init) don't count."""
        return (self._is_group_ours() and _is_group_alive(self._group)) or any(self._carriers())

    def _is_group_ours(self) -> bool:
        """Whether the group's id can't be somebody else's meanwhile: as long as nobody has reaped its leader.

        Where that can't be told and there are no marks, we must believe it.
        """
        return self._mark is None or _is_unreaped(self._group)

    def _carriers(self) -> Iterator[int]:
        return self._mark.carriers() if self._mark else iter(())

    def send(self, number: signal.Signals) -> set[int]:
        """Signals each of them once; returns who was found by the mark."""
        is_ours, found = self._is_group_ours(), set()
        if is_ours and _is_group_alive(self._group):  # without marks it may be somebody else's: look before we shoot
            _send(lambda: os.killpg(self._group, number))
        for pid in self._carriers():
            found.add(pid)
            if self._mark and not (is_ours and _stat(pid)[1] == self._group):
                self._mark.send(pid, number)
        return found


def kill_marked(mark: Mark) -> None:
    """Kills who carries the mark, where we were interrupted before we knew the process; takes a fifth of a second.

    Not less, since the process may just have been forked and take its mark a little later; up to two seconds more if
    the dying take their time.
    """
    for turn in range(_KILL_ROUNDS_MAX):
        found = list(mark.carriers())
        if turn >= _KILL_ROUNDS and not found:
            break
        for pid in found:
            mark.send(pid, signal.SIGKILL)
        threading.Event().wait(_KILL_STEP_SECONDS)


def _send(kill: Callable[[], None]) -> None:
    try:
        kill()
    except (ProcessLookupError, PermissionError):
        pass  # nobody there, another user's, or (macOS) only the dead


def _is_unreaped(pid: int) -> bool:
    """Whether it is our child, alive or dead; after that its id can become anybody's."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform == "linux"
    if not can_see_the_dead():
        return True
    return any(_stat(pid)[1] == group and _runs(pid) for pid in _pids())


def can_see_the_dead() -> bool:
    """Whether a process that is dead and not reaped can be told from one that runs."""
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
