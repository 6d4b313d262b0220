"""Tells what of this process was not there before: tasks, and where the system tells, descriptors and children."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Leftovers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What is there at one moment."""

    tasks: frozenset[asyncio.Task[object]]
    descriptors: frozenset[str]
    children: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        """Of the running loop and this process."""
        return cls(
            tasks=frozenset(asyncio.all_tasks()),
            descriptors=_listed(Path("/proc/self/fd")) or _listed(Path("/dev/fd")),
            children=_children(),
        )

    async def since(self, *, limit: float) -> str:
        """What is there now and was not then, in words; what goes away within the limit (in seconds) does not count."""
        waited, step = 0.0, 0.01
        while (left := self._left(self.now())) and waited < limit:
            await asyncio.sleep(step)
            waited += step
        return left

    def _left(self, now: Leftovers) -> str:
        found = {
            "tasks": [repr(task.get_coro()) for task in now.tasks - self.tasks],
            "child processes": sorted(now.children - self.children),
            "file descriptors": sorted(now.descriptors - self.descriptors),
        }
        return "; ".join(f"{len(each)} {kind} ({', '.join(each)})" for kind, each in found.items() if each)


def _listed(folder: Path) -> frozenset[str]:
    """The descriptors that are open, but for the one that lists them."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return frozenset()
    return frozenset(name for name in names if _is_open(int(name)))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _children() -> frozenset[str]:
    found: set[str] = set()
    for thread in Path("/proc/self/task").glob("*/children"):
        found |= {*thread.read_text(encoding="ascii").split()}
    return frozenset(found)
