"""Starts a program with the named variables only: `python -I -S launch.py PARENT NAMES PROGRAM ARGUMENT...`.

The file runs alone, without site-packages: it may import nothing of this package and little of the standard library.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def kept(environ: Mapping[str, str], names: Sequence[str], directory: str) -> dict[str, str]:
    """The named variables of an environment, and PWD.

    >>> kept({"HOME": "/h", "SECRET": "x", "PWD": "/elsewhere"}, ["HOME", "LANG"], "/work")
    {'HOME': '/h', 'PWD': '/work'}
    """
    return {**{name: environ[name] for name in names if name in environ}, "PWD": directory}


def die_with(parent: int) -> None:  # pragma: no cover - only in a process of its own
    """Have the kernel end this process with SIGTERM when the process that started it is gone (Linux only).

    SIGTERM and not SIGKILL: the CLI then ends the tools that it started, which have process groups of their own.
    """
    if sys.platform != "linux":
        return
    import ctypes  # not needed elsewhere

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # it was gone before the kernel was asked, and will never be missed again
        sys.exit(f"pytest-mala: process {parent}, which started the CLI, is gone")


def main(arguments: Sequence[str]) -> NoReturn:  # pragma: no cover - ends in another program
    """Become the program, in a session of its own: without a terminal, and one group to end it by."""
    parent, names, program, *rest = arguments
    die_with(int(parent))
    try:
        os.setsid()
    except PermissionError:
        pass  # it leads a group of its own already
    os.execve(program, [program, *rest], kept(os.environ, names.split(","), os.getcwd()))  # noqa: S606, PTH109


if __name__ == "__main__":  # pragma: no cover - see main
    main(sys.argv[1:])
