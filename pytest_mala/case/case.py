"""A case: one issue, from the folders it needs to the outcome of its session."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pytest_mala.case.imported import ImportedSession
from pytest_mala.case.replaying import ReplayRun
from pytest_mala.case.scripted import ScriptedRun
from pytest_mala.case.session import Session
from pytest_mala.case.settings import Lane, RecordMode
from pytest_mala.case.stage import Stage
from pytest_mala.case.tail import TailRun, why_whole
from pytest_mala.errors import Divergence, FlakyReplayError, HarnessError, UsageError
from pytest_mala.issue import NoReview
from pytest_mala.session.prompts import load_prompts
from pytest_mala.transport.cassette.heads import take_numbers
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mala.case.imported import UnknownWorkspace
    from pytest_mala.case.lane import LaneRun
    from pytest_mala.case.settings import CaseResult, CaseSettings
    from pytest_mala.issue import Issue
    from pytest_mala.session.prompts import PromptProvider
    from pytest_mala.workspace import Workspace

__all__ = ["Case", "prompts_in"]

_FLAKE = (
    "a hook, a tool or a sink of this project does something else each time; if there is none, it is a fault of "
    "pytest-mala"
)


class Case:
    """One issue on a lane: `prepare`, then `run`, then `close` (whatever happened).

    `prompts` are the loaded prompt files, `agent_options` options of the SDK that have the last word, `events` sinks
    that hear of everything the runner does. Before a session that was given up is recorded anew, `clear` is called on
    those that have it.
    """

    def __init__(
        self,
        issue: Issue,
        settings: CaseSettings,
        *,
        prompts: PromptProvider | None = None,
        agent_options: Mapping[str, Any] | None = None,
        events: Sequence[object] = (),
    ) -> None:
        self._issue = issue
        self._settings = settings
        self._prompts = prompts
        self._agent_options = dict(agent_options or {})
        self._events = events
        self._stage: Stage | None = None
        self._made: Workspace | UnknownWorkspace | None = None
        self._session: Session | ImportedSession | None = None
        self._lane: LaneRun | None = None
        self._whole = ""  # why a stale recording is renewed from its first turn on

    def prepare(self) -> None:
        """Read cassette or script and make the workspace. Raises HarnessError or UsageError: nothing of the session
        has begun yet.
        """
        if sys.platform == "win32":
            raise UsageError("sessions need Linux or macOS; on Windows issues are only collected")
        _refuse_what_has_no_effect(self._issue)
        _refuse_other_environments(self._agent_options)
        if self._prompts is None:
            self._prompts = prompts_in(self._settings.prompts)
        try:
            self._session = self._first_session()
        except BaseException:
            self.close()
            raise

    def _first_session(self) -> Session | ImportedSession:
        lane = self._first_lane()
        try:
            return self._session_on(lane)
        except HarnessError as error:
            if not isinstance(lane, TailRun):
                raise
            self._whole = why_whole(error)
        return self._session_on(self._recording())

    def _session_on(self, lane: LaneRun, events: Sequence[object] | None = None) -> Session | ImportedSession:
        assert self._prompts is not None
        self._lane = lane
        lane.load()
        if isinstance(lane, TailRun) and lane.replay.imported is not None:
            self._lane = lane = lane.replay  # nothing of it was ever sent, so nothing of it is stale
        self.close()
        self._stage = Stage.make()
        if isinstance(lane, ReplayRun) and lane.imported is not None:
            told = ImportedSession(
                self._issue, lane.imported, self._stage, lane.clock, where=lane.where, notes=lane.notes
            )
            self._made = told.workspace
            return told
        self._made = workspace = self._make_workspace(lane, self._stage)
        lane.begin(self._stage, workspace)
        return Session(
            self._issue,
            lane,
            self._stage,
            workspace,
            prompts=self._prompts,
            agent_options=self._agent_options,
            events=self._events if events is None else events,
        )

    @property
    def workspace(self) -> Workspace | UnknownWorkspace:
        """The agent's tree, unless an imported session has none; it is there from `prepare` to `close`."""
        assert self._made is not None, "prepare() comes first"
        return self._made

    def _make_workspace(self, lane: LaneRun, stage: Stage) -> Workspace:
        try:
            return prepare(self._issue.workspace, issue_path=self._issue.path, root=stage.root, recorded=lane.base)
        except Divergence as error:
            raise Divergence(error.what, where=lane.where, detail=error.detail, remedy=lane.remedy) from None

    async def run(self) -> CaseResult:
        """Run the session to its end. Raises HarnessError (a divergence, a gate that changed its mind) if it can't be
        judged.
        """
        assert self._session is not None, "prepare() comes first"
        try:
            first = await self._session.run()
        except HarnessError as error:
            if not isinstance(self._lane, TailRun) or self._lane.is_live:
                raise
            self._whole = why_whole(error)
            again = self._session_on(self._recording())
            self._forget()
            first = await again.run()
        return await self._compared(first) if self.is_replayed else self._told(first)

    def _told(self, result: CaseResult) -> CaseResult:
        return replace(result, notes=(self._whole, *result.notes)) if self._whole else result

    async def _compared(self, first: CaseResult) -> CaseResult:
        """The result of the first play, when all others were equal to it. Nobody is told of those."""
        for number in range(2, self._settings.plays + 1):
            other = await self._session_on(ReplayRun(self._issue, self._settings), events=()).run()
            if difference := _difference(first.transcript, other.transcript):
                where = f"{self._lane.where if self._lane else ''}: take {first.take}: plays 1 and {number} differ"
                raise FlakyReplayError(f"{where} {difference}\n{_FLAKE}")
        return replace(first, plays=self._settings.plays)

    @property
    def is_replayed(self) -> bool:
        """Whether the session comes from a cassette, and all of it."""
        return isinstance(self._lane, ReplayRun) or (isinstance(self._lane, TailRun) and not self._lane.is_live)

    def _forget(self) -> None:
        """The session begins anew: what sinks that keep events were told of the abandoned one is not part of it."""
        for sink in self._events:
            if (clear := getattr(sink, "clear", None)) is not None:
                clear()

    def close(self) -> None:
        """Delete the case's folders."""
        if self._stage is not None:
            self._stage.remove()
            self._stage = self._made = None

    @property
    def _is_recorded(self) -> bool:
        """A file that names no take is damaged, and that is told: it is never taken for one that is missing."""
        path = self._settings.cassettes / f"{self._issue.id}.yaml"
        numbers = take_numbers(path)
        return self._settings.take in numbers or (not numbers and path.is_file())

    @property
    def _is_stale_wanted(self) -> bool:
        """Whether what does not replay is to be recorded anew."""
        return self._settings.record is RecordMode.STALE and self._settings.lane is not Lane.REPLAY

    def _first_lane(self) -> LaneRun:
        """What is recorded already is only replayed in the record modes once and stale (design D5)."""
        if self._settings.lane is Lane.LIVE:
            raise UsageError("lane live: this version has no live lane yet; use --mala-lane=scripted or replay")
        is_kept = self._settings.record in (RecordMode.ONCE, RecordMode.STALE) and self._is_recorded
        if self._settings.lane is Lane.REPLAY or is_kept:
            replay = ReplayRun(self._issue, self._settings)
            return TailRun(replay, self._recording()) if self._is_stale_wanted else replay
        return self._recording()

    def _recording(self) -> ScriptedRun:
        return ScriptedRun(self._issue, self._settings, store=self._settings.record is not RecordMode.NONE)


def _difference(one: str, other: str) -> str:
    """Where two transcripts part, and how; empty if they are equal."""
    if one == other:
        return ""
    lines = zip_longest(one.splitlines(), other.splitlines(), fillvalue="(the end)")
    number, (was, now) = next((number, pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1])
    return f"in line {number} of the transcript\n  {was.strip()}\n  {now.strip()}"


def prompts_in(folder: Path | None) -> PromptProvider:
    """The prompt files of a folder; None: ours. Raises UsageError for one that is missing or can't be read."""
    try:
        return load_prompts(folder)
    except FileNotFoundError as error:
        needs = "a prompt folder holds all of ours but fixer.md and reviewer.md; copy the missing one from the package"
        raise UsageError(f"{error.filename}: there is no such prompt file; {needs}") from None
    except OSError as error:
        raise UsageError(f"{error.filename}: the prompt file can't be read: {error.strerror}") from None


def _refuse_other_environments(agent_options: Mapping[str, Any]) -> None:
    """The CLI gets the lane's own program and environment: with others, a scripted session could reach the real API."""
    for name in sorted({"cli_path", "env"} & set(agent_options)):
        raise UsageError(
            f"mala_agent_options: {name} can't be set: the lane starts the CLI with an environment of its own, "
            "so that no key and no other address reaches it; take it out"
        )


def _refuse_what_has_no_effect(issue: Issue) -> None:
    """A session that ignored a part of its issue would prove less than the issue says: it is refused, by name."""
    asked = {
        "review": not isinstance(issue.review, NoReview),
        "workspace.shared": issue.workspace.shared is not None,
        **{f"gate.checks.{check.name}.evidence": check.kind == "evidence" for check in issue.gate.checks},
    }
    for field in (name for name, is_asked in asked.items() if is_asked):
        what = "this version reads it but can't act on it yet; take it out to run the issue"
        raise UsageError(f"{issue.place}: {field}: {what}")
