"""Watches a started command from one thread: its output, its input, its exit, and the end of all that it started."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pytest_mala.process.family import can_see_the_dead

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from pytest_mala.process.family import Family
    from pytest_mala.process.kept import Kept

__all__ = ["Watched"]

# In a tuple: freezegun replaces module attributes that are functions of `time`, and deadlines must stay real.
_REAL = (time.monotonic,)
_PIPE_SECONDS = 0.5  # after the child's exit, for what it printed last and for its own children to end
_TERM_SECONDS = 1.0
_KILL_SECONDS = 1.0
_STEP_SECONDS = 0.01
_SELECT_SECONDS_MAX = 3600.0  # epoll refuses waits of more than 24 days
_READ_BYTES = 65_536


class Watched:
    """A started child: what it writes, reads and leaves behind, its exit, and the call to stop."""

    def __init__(
        self, process: subprocess.Popen[bytes], family: Family, stdin: bytes | None, kept: Kept, stop: int | None
    ) -> None:
        self._process, self._family = process, family
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

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._open:
            if error is not None:  # the keyboard, most likely
                self.end()
            self._process.wait() if self._has_exited else self._process.poll()

    def wait(self, seconds: float) -> bool:
        """Until the child exits; False if the time is over or we were told to stop."""
        self._pump(seconds, lambda: self._has_exited or self._is_stopped)
        return self._has_exited

    def outlived(self) -> bool:
        """After the child's exit: takes the rest of its output; True if something of it does not end by itself."""
        until = _REAL[0]() + _PIPE_SECONDS
        self._pump(_PIPE_SECONDS, self._is_quiet)
        self._reap_if_dead_would_count()
        while (is_left := self._is_left()) and _REAL[0]() < until:
            self._step()
        return is_left

    def end(self) -> bool:
        """Ends the child and all that it started, kindly first; True if something is left all the same."""
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            if self._is_alive():
                self._end_with(number, seconds)
        return self._is_left()

    def _end_with(self, number: signal.Signals, seconds: float) -> None:
        until = _REAL[0]() + seconds
        told = self._family.send(number)
        while self._is_left() and _REAL[0]() < until:
            self._step()
            # Also those who were born meanwhile; without a rest while there are such.
            while number is signal.SIGKILL and (born := self._family.send(number) - told) and _REAL[0]() < until:
                told |= born

    def _is_left(self) -> bool:
        """Whether one of them runs, or keeps the output open and can't be found."""
        return not self._is_closed or self._is_alive()

    def _is_alive(self) -> bool:
        return not self._has_exited or self._family.is_alive()

    def _is_quiet(self) -> bool:
        return self._has_exited and self._is_closed

    def _step(self) -> None:
        """Waits a little for the end of those whose end nobody tells us."""
        if self._is_quiet():
            threading.Event().wait(_STEP_SECONDS)
        else:
            self._pump(_STEP_SECONDS, self._is_quiet)
        self._reap_if_dead_would_count()

    def _reap_if_dead_would_count(self) -> None:
        """Else the leader is not reaped before the end: until then the id of its group can't become anybody else's."""
        if self._has_exited and not can_see_the_dead():
            self._process.wait()

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
