"""Runs a command to its end or its deadline, from a thread or from a task, and says how it ended."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_mala.process.family import Family, kill_marked, new_mark, why_unmarked
from pytest_mala.process.kept import Kept
from pytest_mala.process.start import ProcessError, shown, start
from pytest_mala.process.watch import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mala.process.family import Mark

__all__ = ["Completed", "run", "run_in_thread"]

# In a tuple: freezegun replaces module attributes that are functions of `time`, and deadlines must stay real.
_REAL = (time.monotonic,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended.

    `exit_status` is None if a signal or we ended it; `signal` is the number of the signal it died of. `output` is what
    it wrote to stdout and stderr, in that order, read as UTF-8; if `truncated`, a line in it says how many bytes of the
    middle were left out. `seconds` are real. `left_behind`: something that it started outlived it, inside of its group
    or outside. That was ended, unless `lives_on`: a process could not be ended, or one that can't be found keeps the
    output open. What a deadline ends with the command is not left behind. `blind_because`: why descendants outside of
    the group can't be found here, and so are neither told nor ended; empty where they can.
    """

    argv: tuple[str, ...]
    exit_status: int | None
    signal: int | None
    output: str
    truncated: bool
    seconds: float
    timed_out: bool
    left_behind: bool
    lives_on: bool
    blind_because: str


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
    frozen, it and all that it started get TERM and a second later KILL. What it leaves behind at its own exit has
    half a second to end by itself and is ended in the same way. "All" means its process group and, on Linux, each
    descendant, also a daemon in a session of its own. Not found outside of the group are: any process on other systems
    and where `Completed.blind_because` says so; one that became another user, unless we are root; one that changed its
    limit of file locks, since that is our mark (`family.Mark`). Of the output at most `output_limit` bytes are kept,
    half from its start and half from its end.
    Raises ProcessError if the command can't be started; how it ends is no error.
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
    """`run` for a task: if the task is cancelled, all that was started is ended before the cancellation goes on."""
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
        raise ProcessError(f"can't start {shown(argv)}: expected a timeout above 0 seconds, got {timeout}")
    began = _REAL[0]()
    mark, blind_because, kept = new_mark(), why_unmarked(), Kept(max(output_limit, 1))
    with _safely(mark):
        process = start(argv, cwd, env, has_input=stdin is not None, mark=mark)
        if mark is not None and mark.is_refused(process.pid):
            mark, blind_because = None, "this system lets no process set its limit of file locks"
        with Watched(process, Family(process.pid, mark), stdin, kept, stop) as child:
            timed_out = not child.wait(timeout)
            has_left = not timed_out and child.outlived()
            lives_on = (timed_out or has_left) and child.end()
    status = process.returncode
    text, truncated = kept.text()
    return Completed(
        argv=tuple(argv),
        exit_status=None if timed_out or status is None or status < 0 else status,
        signal=-status if status is not None and status < 0 else None,
        output=mark.hidden_in(text) if mark else text,
        truncated=truncated,
        seconds=_REAL[0]() - began,
        timed_out=timed_out,
        left_behind=has_left or lives_on,
        lives_on=lives_on,
        blind_because=blind_because,
    )


@contextmanager
def _safely(mark: Mark | None) -> Iterator[None]:
    """Against an interruption (Ctrl-C) while nobody watches the process yet, as in the midst of its start."""
    try:
        yield
    except ProcessError:
        raise
    except BaseException:
        if mark is not None:
            kill_marked(mark)
        raise
