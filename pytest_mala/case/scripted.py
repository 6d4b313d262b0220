"""Lane scripted: the real CLI that the SDK carries, against a scripted model on loopback; recorded if asked for."""

from __future__ import annotations

import dataclasses
import os
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_mala.agent.environment import SCRIPTED_API_KEY, cli_command_wrapper, cli_environment
from pytest_mala.case.left_out import left_out
from pytest_mala.case.settings import model_script
from pytest_mala.clock import Clock, RealClock
from pytest_mala.errors import HarnessError, UsageError
from pytest_mala.issue import EndReason
from pytest_mala.session.transcript.lines import bounded, escaped
from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import Journal, read, read_journal
from pytest_mala.transport.kept import CannotGoOnError
from pytest_mala.transport.live import CLITransport
from pytest_mala.transport.merging import locked, merged
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.scrub import Scrubber, SecretFoundError, check_text
from pytest_mala.transport.takes import kept_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.settings import CaseSettings
    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import Issue
    from pytest_mala.session.log import LogWriter
    from pytest_mala.transport.cassette import Cassette, Take
    from pytest_mala.transport.kept import Kept
    from pytest_mala.workspace import Base, Snapshot, Workspace

__all__ = ["ScriptedRun"]

STDERR_LINES = 10
"""Last lines of the CLI's stderr that are told when it ended in an error."""

SCRIPTED_GIT_DATE = "1767225600 +0000"
SCRIPTED_START = "2026-01-01T00:00:00+00:00"
"""Where the wall clock of a scripted take begins: fixed, like its git dates, so that two recordings of a script are
equal (design D18).
"""


class ScriptedRun:
    """The real CLI that the SDK carries, against a scripted model on loopback; recorded if asked for."""

    where = remedy = stale = kept = ""  # a recording diverges from nothing
    parting = None
    lane = "scripted"

    def __init__(self, issue: Issue, settings: CaseSettings, *, store: bool) -> None:
        self._issue = issue
        self._settings = settings
        self._store = store
        self.take = settings.take
        self._cassette = settings.cassettes / f"{issue.id}.yaml"
        self.clock: Clock = RealClock()
        self.base: Base | None = None
        self._script_path = model_script(issue)
        self._kept_out: list[str] = []

    @property
    def _shown_script(self) -> str:
        return self._settings.shown(self._script_path)

    def load(self) -> None:
        """Read the model script. Raises UsageError if there is none or it can't be used."""
        from pytest_mala.model import ModelScriptError, load_script  # on use: a replay's error needs no yaml

        if not self._script_path.is_file():
            raise UsageError(
                f"{self._shown_script}: there is no model script for {self._issue.id}; "
                "lane scripted needs one (its format: docs/model-script.md)"
            )
        try:
            self._script = load_script(self._script_path)
        except ModelScriptError as error:
            raise UsageError(str(error).replace(str(self._script_path), self._shown_script)) from None

    def begin(self, stage: Stage, workspace: Workspace) -> None:
        """Note where the agent works."""
        self._stage = stage
        self._workspace = workspace

    def log_writer(self) -> LogWriter | None:
        """The CLI writes its own log."""
        return None

    @contextmanager
    def open(self, watch: Watch) -> Iterator[Tape]:
        """A recorder, with the scripted model for as long as the block lasts. What is recorded and not stored, because
        of an error, stays as a journal that the error names.

        A recording that is not to be kept has its journal among the case's own folders.
        """
        head = self._head_of(start=SCRIPTED_START)
        with self._recording(watch, head, used=0):
            self._recorder.base(dataclasses.asdict(self._workspace.base))
            yield self._recorder

    @contextmanager
    def go_on(self, watch: Watch, take: Take, kept: Kept, snapshots: Sequence[Snapshot]) -> Iterator[Recorder]:
        """As `open`, for a session that begins with what is kept of a take: `snapshots` are its trees.

        Raises CannotGoOnError if the script does not say what the model said there.
        """
        self._kept_out += [name for one in snapshots for name in one.kept_out]
        head = self._head_of(start=take.start)
        with self._recording(watch, head, used=self._used(kept)):
            entries = [kept_entry(one) for one in kept.interactions]
            self._recorder.go_on(entries, connections=kept.connection, turns=len(snapshots))
            yield self._recorder

    def _head_of(self, *, start: str) -> TakeHead:
        sdk = version("claude-agent-sdk")
        return TakeHead(issue=self._issue.id, lane=self.lane, sdk=sdk, start=start, number=self.take)

    @property
    def _script_names(self) -> dict[str, str]:
        return {"WORKSPACE": str(self._stage.workspace)}

    def _used(self, kept: Kept) -> int:
        from pytest_mala.model import ModelScriptError, used_answers  # as in `load`

        frames = self._stage.names().show(kept.frames)
        try:
            return used_answers(self._script.with_names(self._script_names), frames, is_cut=kept.is_cut)
        except ModelScriptError as error:
            raise CannotGoOnError(str(error).replace(str(self._script_path), self._shown_script)) from None

    @contextmanager
    def _recording(self, watch: Watch, head: TakeHead, *, used: int) -> Iterator[None]:
        from pytest_mala.model import serve  # on use: a web server is not needed to read a script

        self._head = head
        names = self._stage.names()
        self._scrubber = Scrubber(public=(*names.values.values(), SCRIPTED_API_KEY), hide=names.hide)
        self._scrubber.learn(os.environ)
        self._journal = Journal(self._cassette if self._store else self._stage.root / f"{self._issue.id}.yaml")
        self._recorder = Recorder(
            self._journal,
            names,
            watch,
            clock=self.clock,
            start=CLITransport,
            note_tree=self._workspace.note_tree,
            capture=self._capture,
            scrubber=self._scrubber,
            is_kept=self._store,
        )
        with self._kept():
            self._recorder.take(head.to_entry())
            with serve(self._script, self._script_names, used=used) as self._server:
                yield

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            with self._journal:
                yield
        except SecretFoundError:
            self._journal.finish()  # nothing is stored
            raise
        except Exception as error:
            if not self._is_journal_kept():
                raise
            kept = f"what was recorded is in {self._settings.shown(self._journal.part)}"
            if not isinstance(error, HarnessError):
                error.add_note(kept)
                raise
            first, line_end, rest = str(error).partition("\n")
            raise HarnessError(f"{first}; {kept}{line_end}{rest}") from error.__cause__
        except BaseException:
            self._is_journal_kept()
            raise

    def _is_journal_kept(self) -> bool:
        """Whether a journal is left that is of use to somebody; one in which the CLI never said a word is removed."""
        part = self._journal.part
        if part.is_file() and not any(entry["k"] == "recv" for entry in read_journal(part)):
            part.unlink()
        return self._store and part.is_file()

    def _capture(self, turn: int) -> Mapping[str, Any]:
        self._snapshot = self._workspace.capture(turn)
        self._kept_out += self._snapshot.kept_out
        return self._snapshot.to_data()

    def agent_settings(self) -> dict[str, Any]:
        """The CLI with the made environment of design D18 and nothing of ours."""
        environment = cli_environment(
            home=self._stage.home,
            config=self._stage.config,
            tmp=self._stage.tmp,
            base_url=self._server.url,
            api_key=SCRIPTED_API_KEY,
            fixed_git_date=SCRIPTED_GIT_DATE,
            timeout_seconds=self._issue.limits.timeout,
        )
        return {"env": environment, "cli_path": cli_command_wrapper(self._stage.root, names=environment)}

    def state(self, text: str) -> None:
        """Record the lifecycle's step."""
        self._recorder.state(text)

    def snapshot(self) -> Snapshot:
        """The tree that was captured when the turn ended."""
        return self._snapshot

    def recorded_seconds(self, attempt: int) -> float | None:
        """Nothing is recorded yet."""
        return None

    def settle(self, attempt: int, now: Sequence[CheckResult]) -> Sequence[CheckResult]:
        """Record the results."""
        self._recorder.gate(attempt, [row.to_data() for row in now], [round(row.seconds * 1000) for row in now])
        return now

    def finish(self, reason: EndReason, why: str) -> tuple[str, ...]:
        """Write the cassette, if it is to be kept. Raises HarnessError if the script was not followed, or if the agent
        broke down where the issue does not expect it: that would replay as a failure for ever.
        """
        if problems := self._server.problems:
            raise HarnessError(problems[0].replace(str(self._script_path), self._shown_script))
        entries = read_journal(self._journal.part)
        last_words = self._last_words(entries) if reason is EndReason.AGENT_ERROR else []
        if self._store:
            if reason is EndReason.AGENT_ERROR and reason not in self._issue.expect:
                raise HarnessError("\n  ".join([self._not_stored(why), *last_words]))
            self._write(assemble(self._head, entries))
        self._journal.finish()
        return (*left_out(self._workspace.notes, self._kept_out), *self._unused(), *last_words)

    def _write(self, cassette: Cassette) -> None:
        """After a second look for secrets at the finished text, and at the values that stand in it."""
        from pytest_mala.transport.cassette.vcrpy import (
            store,
        )  # here: vcrpy costs 0.1 s, and only what records needs it

        where = self._settings.shown(self._cassette)
        with locked(self._cassette.parent):
            whole = merged(self._cassette, self._other_takes(), cassette, at_most=self._settings.takes)
            values = whole.values()
            store(self._cassette, whole, check=lambda text: check_text(text, self._scrubber, values, where=where))

    def _other_takes(self) -> Cassette | None:
        """The cassette as it is; one that can't be read is replaced whole."""
        try:
            return read(self._cassette, allow_incomplete=True)
        except HarnessError:
            return None

    def _not_stored(self, why: str) -> str:
        cassette = self._settings.shown(self._cassette)
        left = "was left as it was" if self._cassette.is_file() else "was not written"
        hint = "make the session work, or expect the end (`expect: agent-error`)"
        return f"{self._issue.id}: the session ended as agent-error ({why}), so {cassette} {left}; {hint}"

    def _last_words(self, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the CLI wrote to stderr before it ended, real paths in it."""
        ends = [entry for entry in entries if entry["k"] == "end"]
        text = "\n".join(ends[-1]["stderr"]) if ends else ""
        lines = escaped(self._stage.names().show(text)).splitlines()
        return [f"the CLI's stderr: {line}" for line in bounded(lines, head=0, tail=STDERR_LINES)]

    def _unused(self) -> list[str]:
        unused = self._server.unused
        what = "1 answer was" if unused == 1 else f"{unused} answers were"
        return [f"{self._script_path.name}: {what} never asked for"] if unused else []

    def describe(self) -> str:
        """Nothing to add: the CLI is a process of its own."""
        return "waiting for the CLI"
