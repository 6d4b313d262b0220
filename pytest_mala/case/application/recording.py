"""An application on lane scripted: the real CLI against a scripted model on loopback; recorded if asked for."""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_mala.agent.environment import SCRIPTED_API_KEY
from pytest_mala.case.application.environment import on_stage, plain
from pytest_mala.case.stage import Stage
from pytest_mala.clock import RealClock
from pytest_mala.errors import HarnessError, UsageError
from pytest_mala.transport.application import PURPOSE
from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import Journal, read_journal, write
from pytest_mala.transport.live import CLITransport
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.scrub import Scrubber, SecretFoundError, check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_mala.case.application.asked import Asked
    from pytest_mala.case.application.heard import Heard
    from pytest_mala.transport.record import RecordingTransport

__all__ = ["RecordedApplication"]

_START = "2026-01-01T00:00:00+00:00"  # fixed, as in a session on an issue: two recordings of a script are equal


class RecordedApplication:
    """A recorder with the scripted model, for the length of a test."""

    def __init__(self, asked: Asked, heard: Heard, *, store: bool) -> None:
        self._asked = asked
        self._heard = heard
        self._store = store
        self._clock = RealClock()
        self._opened: list[RecordingTransport] = []
        self._notes: list[str] = []
        self.is_stored = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that are no failures."""
        return tuple(self._notes)

    def load(self) -> None:
        """Read the model script. Raises UsageError if there is none or it can't be used."""
        from pytest_mala.model import ModelScriptError, load_script  # on use: a replay's error needs no yaml

        asked = self._asked
        if not asked.script.is_file():
            raise UsageError(
                f"{asked.shown_script}: there is no model script for the cassette {asked.name}; "
                "lane scripted needs one (its format: docs/model-script.md)"
            )
        try:
            self._script = load_script(asked.script)
        except ModelScriptError as error:
            raise UsageError(self._with_shown_script(str(error))) from None

    def _with_shown_script(self, text: str) -> str:
        return text.replace(str(self._asked.script), self._asked.shown_script)

    @contextmanager
    def open(self) -> Iterator[None]:
        """The model answers, and all that goes over the wire is written to the journal.

        A recording that is not to be kept has its journal among the CLI's own folders.
        """
        from pytest_mala.model import serve  # on use: a web server is not needed to read a script

        self._stage = Stage.make()
        try:
            self._recorder = self._made_recorder()
            workspace = {"WORKSPACE": str(self._asked.workspace)}
            with self._clock, self._journal, serve(self._script, workspace) as self._server:
                yield
        finally:
            for one in self._opened:
                one.terminate()
            self._drop_empty_journal()
            self._stage.remove()

    def _made_recorder(self) -> Recorder:
        names, name = self._asked.names(self._stage), self._asked.name
        self._head = TakeHead(issue=name, lane="scripted", sdk=version("claude-agent-sdk"), start=_START)
        self._scrubber = Scrubber(public=(*names.values.values(), SCRIPTED_API_KEY), hide=names.hide)
        self._scrubber.learn(os.environ)
        self._journal = Journal(self._asked.cassette if self._store else self._stage.root / f"{name}.yaml")
        recorder = Recorder(
            self._journal,
            names,
            self._heard,
            clock=self._clock,
            start=lambda options: CLITransport(on_stage(options, self._stage, self._server.url)),
            note_tree=lambda: None,
            capture=lambda _: {},
            scrubber=self._scrubber,
            is_kept=self._store,
        )
        recorder.take(self._head.to_entry())
        return recorder

    def _drop_empty_journal(self) -> None:
        """One in which the CLI never said a word is of no use to anybody."""
        part = self._journal.part
        if part.is_file() and not any(entry["k"] == "recv" for entry in read_journal(part)):
            part.unlink()

    def transport(self, options: Any, prompt: str | None) -> RecordingTransport:
        """A transport that starts the CLI when it is connected, and writes down what goes over it."""
        made = self._recorder.connection(PURPOSE, plain(options))
        self._opened.append(made)
        return made

    def raise_pending(self) -> None:
        """Raise if the model's script was not followed: the CLI told the application that the API had failed."""
        if problems := self._server.problems:
            kept = f"; what was recorded is in {self._asked.settings.shown(self._journal.part)}" if self._store else ""
            raise HarnessError(self._with_shown_script(problems[0]) + kept)

    def check(self) -> None:
        """The script must have been followed."""
        self.raise_pending()

    def all_closed(self) -> bool:
        """Whether no connection is open."""
        return all(one.is_ended for one in self._opened)

    def store(self, *, has_failed: bool) -> None:
        """Write the cassette, unless the test failed in the middle of a turn. Raises HarnessError if it can't be."""
        for one in self._opened:
            if not one.is_ended:
                one.abandon()
        if self._server.problems:
            return  # told already; the journal stays
        if unused := self._server.unused:
            answers = "1 answer was" if unused == 1 else f"{unused} answers were"
            self._notes.append(f"{self._asked.script.name}: {answers} never asked for")
        if not self._store:
            self._journal.finish()
            return
        entries = read_journal(self._journal.part)
        if has_failed and _has_open_turn(entries):
            kept = self._asked.settings.shown(self._journal.part)
            self._notes.append(f"not stored, the test failed in the middle of a turn; see {kept}")
            return
        self._write(entries)

    def _write(self, entries: list[dict[str, Any]]) -> None:
        asked, cassette = self._asked, assemble(self._head, entries)
        if not self._opened:
            self._journal.finish()
            what = f"{asked.where}: not written: the test opened no connection of the SDK, there is nothing to record"
            raise HarnessError(f"{what}; take the cassette away from it")
        values = cassette.values()
        try:
            write(
                asked.cassette, cassette, check=lambda text: check_text(text, self._scrubber, values, where=asked.where)
            )
        except SecretFoundError:
            self._journal.finish()  # nothing is stored
            raise
        self._journal.finish()
        self.is_stored = True

    def describe(self) -> str:
        """Nothing to add: the CLI is a process of its own."""
        return "waiting for the CLI"


def _has_open_turn(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a prompt was sent on some connection that neither a result nor an end of the CLI's own came after."""
    is_open: dict[int, bool] = {}
    for entry in entries:
        kind, frame = entry["k"], entry.get("m", {})
        if kind == "send" and frame.get("type") == "user":
            is_open[entry["c"]] = True
        elif (kind == "recv" and frame.get("type") == "result") or (kind == "end" and entry["how"] != "closed"):
            is_open[entry["c"]] = False
    return any(is_open.values())
