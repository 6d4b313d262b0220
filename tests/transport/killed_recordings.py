"""Runs as a process: records one session again and again, each time killed one step later (see test_killed.py).

A step is a write to the journal, before and after it, or anything that Python's audit events know to change the folder.
Called as `python killed_recordings.py FOLDER`; each run has a folder of its own below it, named by its number.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

sys.path.insert(0, str(Path(__file__).parent))

from transport_tapes import START, Listener, Play, Tape, turn

from pytest_mala.clock import VirtualClock
from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import Journal, read_journal, write
from pytest_mala.transport.names import Names
from pytest_mala.transport.record import Recorder

HEAD = TakeHead(issue="x-1", lane="scripted", sdk="0.2.187", start=START.isoformat())
_CHANGES = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir")


class Steps:
    """Kills the process at one of its steps."""

    def __init__(self, last: int, folder: Path) -> None:
        self._left = last
        self._folder = str(folder)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES and str(arguments[0]).startswith(self._folder):
            self()

    def __call__(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


class SteppedJournal(Journal):
    """A journal whose writes are steps."""

    step: Any = staticmethod(lambda: None)

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None:
        self.step()
        super().append(entry, sync=sync)
        self.step()


async def record(path: Path) -> None:
    """One session, to its cassette."""
    source = Tape()
    source.connect().prompt("please").init(after=0.1).text("working", after=2).text("nearly", after=2)
    source.result(after=1).end().add("turn", turn=1, data={})
    play, clock = Play(source), VirtualClock(START, frozen=False)
    with SteppedJournal(path) as journal:
        recorder = Recorder(
            journal,
            Names({}),
            Listener(),
            clock=clock,
            start=lambda options: play.player.connection("work", object()),
            note_tree=lambda: None,
            capture=lambda number: {"head": f"head-{number}"},
        )
        recorder.take(HEAD.to_entry())
        options = ClaudeAgentOptions()
        with clock:
            async with ClaudeSDKClient(options, transport=recorder.connection("work", options)) as client:
                await turn(client, "please")
            recorder.turn_ended()
    write(path, assemble(HEAD, read_journal(journal.part)))
    journal.finish()


def run(folder: Path, last: int) -> None:
    steps = Steps(last, folder)
    SteppedJournal.step = steps
    sys.addaudithook(steps.audit)
    asyncio.run(record(folder / "x-1.yaml"))


def main(top: Path) -> None:
    for last in count():
        folder = top / str(last)
        folder.mkdir()
        if (top / "old.yaml").exists():
            shutil.copy(top / "old.yaml", folder / "x-1.yaml")
        child = os.fork()
        if child == 0:
            try:
                run(folder, last)
            except BaseException as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
