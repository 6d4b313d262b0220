"""Waits until the session log holds the turn: the entry of its last message, not just the file (session:X11)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.session.log import has_uuid, last_uuid

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AwaitedLog", "wait_for_log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedLog:
    """The log of a turn: ready when it has the entry `uuid`; where the messages told none, when the file is there."""

    path: Path
    uuid: str | None
    offset: int = 0

    def is_ready(self) -> bool:
        """Looks at the file, now."""
        if self.uuid is None:
            return self.path.exists()
        return self.path.exists() and has_uuid(self.path, self.uuid, self.offset)

    def explain(self) -> str:
        """Why it is not ready."""
        if not self.path.exists():
            return "the file does not exist"
        return f"awaited the entry {self.uuid}, the last one found is {last_uuid(self.path) or 'none'}"


async def wait_for_log(log: AwaitedLog, timeout_seconds: float, poll_seconds: float) -> bool:
    """Whether the log was ready before the polls added up to the timeout; 0 looks once and does not sleep."""
    waited = 0.0
    while not log.is_ready():
        if waited >= timeout_seconds:
            return False
        await asyncio.sleep(poll_seconds)
        waited += poll_seconds
    return True
