"""Starts a command in a session of its own, marked, bound to our life; says in one line why it can't be started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import MalaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_mala.process.family import Mark

__all__ = ["ProcessError", "shown", "start"]

_PR_SET_PDEATHSIG = 1


class ProcessError(MalaError):
    """The command could not be started; the text is one line and says why."""


def start(
    argv: Sequence[str], cwd: str | os.PathLike[str], env: Mapping[str, str], *, has_input: bool, mark: Mark | None
) -> subprocess.Popen[bytes]:
    """The started command, leader of a group and session of its own; `mark` is what it and its descendants carry."""
    if not argv:
        raise ProcessError("can't start a command: it is empty; name a program")
    with _interrupts_held_back():
        try:
            return subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                bufsize=0,
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_before_exec(mark),
            )
        except (OSError, ValueError) as error:
            raise ProcessError(f"can't start {shown(argv)}: {_why(argv[0], cwd, env, error)}") from error


def shown(argv: Sequence[str]) -> str:
    """The command as messages name it."""
    return repr(argv[0]) if argv else "a command"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Lets Ctrl-C wait: Python swallows a KeyboardInterrupt in the hooks that it runs after a fork (`logging` has one).

    Only the main thread hears of it, so in any other nothing is done.
    """
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda *what: heard.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if heard:
            usual(*heard[0])


def _why(program: str, cwd: str | os.PathLike[str], env: Mapping[str, str], error: OSError | ValueError) -> str:
    folder = os.fspath(cwd)
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not Path(folder).is_dir():
        return f"the working directory {folder} does not exist or is no directory; create it or name another"
    if isinstance(error, FileNotFoundError) and "/" not in program:
        return f"no such program on PATH ({env.get('PATH', os.defpath)}); install it or name its path"
    if isinstance(error, FileNotFoundError):
        return f"no such file (seen from {folder}), or the interpreter in its first line is missing; check the path"
    if isinstance(error, PermissionError):
        return f"permission denied in {folder}; make the file executable (chmod +x) and the directory accessible"
    return f"{error.strerror if isinstance(error, OSError) else error}; check the program, its arguments and env"


def _before_exec(mark: Mark | None) -> Callable[[], None] | None:
    """What the child does before exec: it asks the kernel to kill it when we die, however we die, and takes the mark.

    Code between fork and exec is dangerous if it takes a lock that another thread held when we forked. This takes none:
    the C function was looked up when the module was loaded, and `PyDLL` keeps the GIL during the call, as setting a
    limit does. The signal comes when the *thread* that forked ends, which is why `run` may not return, and doesn't,
    before the child is dead. The kernel tells the child only: what it started we end, in every case but our own KILL.
    """
    if _PRCTL is None:
        return None
    parent, prctl, kill = os.getpid(), _PRCTL, int(signal.SIGKILL)

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, kill)
        if os.getppid() != parent:  # it died before we could ask
            os.kill(os.getpid(), kill)
        if mark is not None:
            mark.put_on()

    return die_with_parent


def _find_prctl() -> Any:
    if sys.platform != "linux":
        return None
    prctl = ctypes.PyDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    return prctl


_PRCTL = _find_prctl()
