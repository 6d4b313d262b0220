"""Runs one command to its end or its deadline, and leaves none of its processes behind (design D14)."""

from __future__ import annotations

import asyncio
import codecs
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import MalaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Completed", "ProcessError", "run", "run_in_thread"]

# In a tuple: freezegun replaces module attributes that are functions of `time`, and deadlines must stay real.
_REAL = (time.monotonic,)
_PIPE_SECONDS = 0.5  # after the child's exit, for what it printed last and for its own children to end
_TERM_SECONDS = 1.0
_KILL_SECONDS = 1.0
_GONE_STEP_SECONDS = 0.01
_SELECT_SECONDS_MAX = 3600.0  # epoll refuses waits of more than 24 days
_READ_BYTES = 65_536
_PR_SET_PDEATHSIG = 1
_PROC = Path("/proc")


class ProcessError(MalaError):
    """The command could not be started; the text is one line and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended.

    `exit_status` is None if a signal or we ended it; `signal` is the number of the signal it died of. `output` is what
    it wrote to stdout and stderr, in that order, read as UTF-8; if `truncated`, a line in it says how many bytes of the
    middle were left out. `seconds` are real. `left_behind`: processes of its group outlived it (and were ended), or one
    outside of its group kept its output open (and lives on).
    """

    argv: tuple[str, ...]
    exit_status: int | None
    signal: int | None
    output: str
    truncated: bool
    seconds: float
    timed_out: bool
    left_behind: bool


def run(
    argv: Sequence[str],
    *,
    cwd: str | os.PathLike[str],
    env: Mapping[str, str],
    timeout: float,
    stdin: bytes | None = None,
    output_limit: int = 65_536,
) -> Completed:
    """Runs a command in a process group of its own; blocks, so call it in a thread (see `run_in_thread`).

    `env` is all that the command sees, and its PATH finds the program. After `timeout` real seconds, whatever clock is
    frozen, the group gets TERM and a second later KILL. What is left of the group after the command's own exit is ended
    as well. Of the output at most `output_limit` bytes are kept, half from its start and half from its end. Raises
    ProcessError if the command can't be started; how it ends is no error.
    """
    return _run(argv, cwd, env, timeout, stdin, output_limit, None)


async def run_in_thread(
    argv: Sequence[str],
    *,
    cwd: str | os.PathLike[str],
    env: Mapping[str, str],
    timeout: float,
    stdin: bytes | None = None,
    output_limit: int = 65_536,
) -> Completed:
    """`run` for a task: if the task is cancelled, the command's group is ended before the cancellation goes on."""
    heard, tell = os.pipe()
    loop = asyncio.get_running_loop()
    job = loop.run_in_executor(None, partial(_run, argv, cwd, env, timeout, stdin, output_limit, heard))

    def close(_: object) -> None:
        os.close(heard)
        os.close(tell)

    job.add_done_callback(close)
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        if not job.done():
            os.write(tell, b"x")
            await asyncio.wait([job])
        job.exception()
        raise


def _run(
    argv: Sequence[str],
    cwd: str | os.PathLike[str],
    env: Mapping[str, str],
    timeout: float,
    stdin: bytes | None,
    output_limit: int,
    stop: int | None,
) -> Completed:
    if not timeout > 0:
        raise ProcessError(f"can't start {_shown(argv)}: expected a timeout above 0 seconds, got {timeout}")
    began = _REAL[0]()
    process = _start(argv, cwd, env, has_input=stdin is not None)
    kept = _Kept(max(output_limit, 1))
    with _Child(process, stdin, kept, stop) as child:
        timed_out = not child.wait(timeout)
        left_behind = child.end() if timed_out else child.finish()
    status = process.returncode
    text, truncated = kept.text()
    return Completed(
        argv=tuple(argv),
        exit_status=None if timed_out or status is None or status < 0 else status,
        signal=-status if status is not None and status < 0 else None,
        output=text,
        truncated=truncated,
        seconds=_REAL[0]() - began,
        timed_out=timed_out,
        left_behind=left_behind,
    )


def _start(
    argv: Sequence[str], cwd: str | os.PathLike[str], env: Mapping[str, str], *, has_input: bool
) -> subprocess.Popen[bytes]:
    if not argv:
        raise ProcessError("can't start a command: it is empty; name a program")
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
            preexec_fn=_death_with_parent(),
        )
    except (OSError, ValueError) as error:
        raise ProcessError(f"can't start {_shown(argv)}: {_why(argv[0], cwd, env, error)}") from error


def _shown(argv: Sequence[str]) -> str:
    return repr(argv[0]) if argv else "a command"


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


def _death_with_parent() -> Callable[[], None] | None:
    """What the child does before exec so that the kernel kills it when we die, however we die; None where it can't.

    Code between fork and exec is dangerous if it takes a lock that another thread held when we forked. This takes none:
    the C function was looked up when the module was loaded, and `PyDLL` keeps the GIL during the call. The signal comes
    when the *thread* that forked ends, which is why `run` may not return, and doesn't, before the child is dead. The
    kernel tells the child only: its own children die with the group, and that we end in every case but our own KILL.
    """
    if _PRCTL is None:
        return None
    parent, prctl, kill = os.getpid(), _PRCTL, int(signal.SIGKILL)

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, kill)
        if os.getppid() != parent:  # it died before we could ask
            os.kill(os.getpid(), kill)

    return die_with_parent


def _find_prctl() -> Any:
    if sys.platform != "linux":
        return None
    prctl = ctypes.PyDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    return prctl


_PRCTL = _find_prctl()


class _Child:
    """A started child, watched from one thread: its output, its input, its exit, the call to stop."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes | None, kept: _Kept, stop: int | None) -> None:
        self._process, self._group = process, process.pid
        self._input, self._kept = memoryview(stdin or b""), kept
        self._has_exited = self._is_closed = self._is_stopped = False
        self._open = ExitStack()
        self._selector = self._open.enter_context(selectors.DefaultSelector())
        if stop is not None:
            self._selector.register(stop, selectors.EVENT_READ, self._stop)
        if process.stdin is not None:
            self._watch(process.stdin, selectors.EVENT_WRITE, self._write)
        if process.stdout is not None:
            self._watch(process.stdout, selectors.EVENT_READ, self._read)
        exit_read, exit_write = os.pipe()
        self._watch(os.fdopen(exit_read, "rb", buffering=0), selectors.EVENT_READ, self._exit)
        threading.Thread(target=_tell_exit, args=(process, exit_write), name="mala-exit", daemon=True).start()

    def _watch(self, file: Any, event: int, react: Callable[[Any], None]) -> None:
        os.set_blocking(file.fileno(), False)
        self._open.enter_context(file)
        self._selector.register(file, event, react)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._open:
            if error is not None:  # the keyboard, most likely
                self.end()

    def wait(self, seconds: float) -> bool:
        """Until the child exits; False if the time is over or we were told to stop."""
        self._pump(seconds, lambda: self._has_exited or self._is_stopped)
        return self._has_exited

    def finish(self) -> bool:
        """After the child's exit: takes the rest of its output and ends what it left behind; True if there was any."""
        self._await_end(_PIPE_SECONDS)
        is_left = self._is_alive() or not self._is_closed
        if is_left:
            self.end()
        return is_left

    def end(self) -> bool:
        """Ends the group, kindly first; True if something is left all the same."""
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            if not self._is_alive():
                break
            _send(self._group, number)
            self._await_end(seconds)
        return self._is_alive() or not self._is_closed

    def _is_alive(self) -> bool:
        # Until the leader is reaped its id can't become anybody else's; after that we look before we shoot.
        return not self._has_exited or _is_alive(self._group)

    def _await_end(self, seconds: float) -> None:
        until = _REAL[0]() + seconds
        self._pump(seconds, lambda: self._has_exited and self._is_closed)
        if self._has_exited:
            self._process.wait()
        while self._is_alive() and _REAL[0]() < until:
            threading.Event().wait(_GONE_STEP_SECONDS)  # nobody tells us when the last of a group is gone

    def _pump(self, seconds: float, until: Callable[[], bool]) -> None:
        deadline = _REAL[0]() + seconds
        while not until() and (left := deadline - _REAL[0]()) > 0:
            for key, _ in self._selector.select(min(left, _SELECT_SECONDS_MAX)):
                key.data(key.fileobj)

    def _read(self, pipe: Any) -> None:
        data = pipe.read(_READ_BYTES)
        if data:
            self._kept.add(data)
        elif data is not None:
            self._is_closed = True
            self._selector.unregister(pipe)

    def _write(self, pipe: Any) -> None:
        try:
            self._input = self._input[pipe.write(self._input) or 0 :]
        except BrokenPipeError:
            self._input = self._input[:0]  # it reads no further, which is its right
        if not self._input:
            self._selector.unregister(pipe)
            pipe.close()

    def _exit(self, pipe: Any) -> None:
        self._has_exited = True
        self._selector.unregister(pipe)

    def _stop(self, pipe: Any) -> None:
        self._is_stopped = True
        self._selector.unregister(pipe)


def _tell_exit(process: subprocess.Popen[bytes], tell: int) -> None:
    """Closes `tell` when the child has exited; without reaping it where the system can (macOS: from Python 3.13 on)."""
    try:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
    except ChildProcessError:
        pass  # somebody else reaped it, so it has exited
    finally:
        os.close(tell)


def _send(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # nobody there, or (macOS) only the dead


def _is_alive(group: int) -> bool:
    """Whether the group has members that run; the dead whom nobody reaps (containers without an init) don't count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform == "linux"
    if not (_PROC / "self" / "stat").exists():
        return True
    return any(_runs_in(entry, group) for entry in _PROC.iterdir() if entry.name.isdigit())


def _runs_in(entry: Path, group: int) -> bool:
    try:
        state, _, its_group = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False  # it ended while we looked
    return int(its_group) == group and state not in "ZX"


class _Kept:
    """The first and the last bytes of an output, however long it is."""

    def __init__(self, limit: int) -> None:
        self._head_limit, self._tail_limit = limit // 2, limit - limit // 2
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        self._total += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 4 * max(self._tail_limit, _READ_BYTES):
            del self._tail[: -self._tail_limit]

    def text(self) -> tuple[str, bool]:
        """The output as text, and whether something is missing; no character is cut in two at the gap."""
        if self._total <= self._head_limit + self._tail_limit:
            return (self._head + self._tail).decode(errors="replace"), False
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        head = decoder.decode(self._head)
        tail = self._tail[-self._tail_limit :]
        cut = next((n for n in range(min(4, len(tail))) if tail[n] & 0xC0 != 0x80), 0)
        missing = self._total - len(self._head) + len(decoder.getstate()[0]) - len(tail) + cut
        lines = "" if not head or head.endswith("\n") else "\n"
        return f"{head}{lines}[... {missing} bytes left out ...]\n{tail[cut:].decode(errors='replace')}", True
