"""Commands with children that go their own way, and how a test sees what became of them."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mala.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Sequence

REAL = (time.monotonic,)
ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
STRAY = "setsid sleep 30 >/dev/null 2>&1 & echo $!"
LOCKS = 10

ENDED = (False, True, False)
LIVES_ON = (False, True, True)


def _run(argv: Sequence[str], **options: Any) -> Completed:
    return run(argv, **{"cwd": "/", "env": ENV, "timeout": 60, **options})


def _sh(script: str, **options: Any) -> Completed:
    return _run(["sh", "-c", script], **options)


def _python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(code), *args]


def _await(is_so: Any) -> None:
    """For what another process does."""
    deadline = REAL[0]() + 30
    while not is_so() and REAL[0]() < deadline:
        threading.Event().wait(0.01)
    assert is_so()


def _await_line(path: Path) -> str:
    _await(lambda: path.exists() and path.read_text().endswith("\n"))
    return path.read_text()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _facts(done: Completed) -> tuple[bool, bool, bool]:
    return done.timed_out, done.left_behind, done.lives_on
