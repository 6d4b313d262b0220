"""Lane scripted: the real CLI that the SDK carries, against a scripted model on loopback; recorded if asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_mala.agent.environment import SCRIPTED_API_KEY, cli_command_wrapper, cli_environment
from pytest_mala.clock import Clock, RealClock
from pytest_mala.errors import HarnessError, UsageError
from pytest_mala.transport.cassette import Aliases, Cassette, Journal, Take, read_journal, write
from pytest_mala.transport.live import CLITransport
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.takes import cli_version, interactions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.settings import CaseSettings
    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import Issue
    from pytest_mala.session.log import LogWriter
    from pytest_mala.workspace import Base, Snapshot, Workspace

__all__ = ["ScriptedRun"]

SCRIPTED_GIT_DATE = "1767225600 +0000"
SCRIPTED_START = "2026-01-01T00:00:00+00:00"
"""Where the wall clock of a scripted take begins: fixed, like its git dates, so that two recordings of a script are
equal (design D18).
"""


class ScriptedRun:
    """The real CLI that the SDK carries, against a scripted model on loopback; recorded if asked for."""

    where = remedy = ""  # a recording diverges from nothing

    def __init__(self, issue: Issue, settings: CaseSettings, *, store: bool) -> None:
        self._issue = issue
        self._settings = settings
        self._store = store
        self._cassette = settings.cassettes / f"{issue.id}.yaml"
        self.clock: Clock = RealClock()
        self.base: Base | None = None

    @property
    def script_path(self) -> Path:
        """The model script of an issue stands beside its file."""
        return self._issue.path.parent / f"{self._issue.id}.model.yaml"

    @property
    def _shown_script(self) -> str:
        root = self._settings.rootdir
        return str(self.script_path.relative_to(root) if self.script_path.is_relative_to(root) else self.script_path)

    def load(self) -> None:
        """Read the model script. Raises UsageError if there is none or it can't be used."""
        from pytest_mala.model import ModelScriptError, load_script  # on use: a replay's error needs no yaml

        if not self.script_path.is_file():
            raise UsageError(
                f"{self._shown_script}: there is no model script for {self._issue.id}; "
                "lane scripted needs one (its format: docs/model-script.md)"
            )
        try:
            self._script = load_script(self.script_path)
        except ModelScriptError as error:
            raise UsageError(str(error).replace(str(self.script_path), self._shown_script)) from None

    def begin(self, stage: Stage, workspace: Workspace) -> None:
        """Note the base that the agent starts from. A recording that is not kept has its journal among the case's own
        folders.
        """
        self._stage = stage
        self._workspace = workspace
        self._journal = Journal(self._cassette if self._store else stage.root / f"{self._issue.id}.yaml")

    def log_writer(self) -> LogWriter | None:
        """The CLI writes its own log."""
        return None

    @contextmanager
    def open(self, watch: Watch) -> Iterator[Tape]:
        """A recorder, with the scripted model for as long as the block lasts."""
        from pytest_mala.model import serve  # on use: a web server is not needed to read a script

        self._recorder = Recorder(
            self._journal,
            self._stage.names(),
            watch,
            clock=self.clock,
            start=CLITransport,
            note_tree=self._workspace.note_tree,
            capture=self._capture,
        )
        self._recorder.base(dataclasses.asdict(self._workspace.base))
        with self._journal, serve(self._script, {"WORKSPACE": str(self._stage.workspace)}) as self._server:
            yield self._recorder

    def _capture(self, turn: int) -> Mapping[str, Any]:
        self._snapshot = self._workspace.capture(turn)
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

    def finish(self) -> tuple[str, ...]:
        """Write the cassette, if it is to be kept. Raises HarnessError if the script was not followed."""
        if problems := self._server.problems:
            raise HarnessError(problems[0].replace(str(self.script_path), self._shown_script))
        remarks = (
            (f"{self.script_path.name}: {self._server.unused} answers were never asked for",)
            if self._server.unused
            else ()
        )
        if self._store:
            write(self._cassette, self._recorded())
        self._journal.finish()
        return remarks

    def _recorded(self) -> Cassette:
        entries = read_journal(self._journal.part)
        made = interactions(entries, issue=self._issue.id, take=1, canonical=_canonical(Aliases()))
        take = Take(number=1, start=SCRIPTED_START, interactions=made)
        return Cassette(
            issue=self._issue.id,
            lane="scripted",
            sdk=version("claude-agent-sdk"),
            cli=cli_version(entries),
            takes=(take,),
        )

    def describe(self) -> str:
        """Nothing to add: the CLI is a process of its own."""
        return "waiting for the CLI"


def _canonical(aliases: Aliases) -> Callable[[Any, int], Any]:
    """Stable ids in frames, and in the texts that stand beside them."""

    def canonical(value: Any, connection: int) -> Any:
        if isinstance(value, Mapping):
            return aliases.canonical(dict(value), connection)
        if isinstance(value, list):
            return [canonical(item, connection) for item in value]
        return aliases.map_text(value) if isinstance(value, str) else value

    return canonical
