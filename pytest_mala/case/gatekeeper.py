"""The gate of a case: run the checks on the tree that the agent left, compare or record their verdicts, judge."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from pytest_mala.errors import HarnessError
from pytest_mala.gate import Since, judge, marker_in_log, run_checks
from pytest_mala.session.log import bash_commands, end_offset, read_entries
from pytest_mala.transport.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.clock import Clock
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import Issue
    from pytest_mala.session.lifecycle import RetryState
    from pytest_mala.session.models import GateResult
    from pytest_mala.workspace import Snapshot, Workspace

__all__ = ["GateTape", "Gatekeeper"]


_BLIND = "what a check leaves behind as a daemon is neither found nor ended here"


class GateTape(Protocol):
    """Where results of checks are recorded, or where the recorded ones come from."""

    def snapshot(self) -> Snapshot:
        """The tree that the agent left at the end of the last turn."""

    def recorded_seconds(self, attempt: int) -> float | None:
        """What the checks of this attempt took when they were recorded; None while recording."""

    def settle(self, attempt: int, now: Sequence[CheckResult]) -> Sequence[CheckResult]:
        """The results that the session is told: these, after recording them, or the recorded ones, after comparing
        (design D9).
        """


class Gatekeeper:
    """Called by the runner as its gate callback (contract 1.5): answers with the verdict and the new offset of the
    session log.
    """

    def __init__(
        self, issue: Issue, stage: Stage, workspace: Workspace, tape: GateTape, watch: Watch, clock: Clock
    ) -> None:
        self._issue = issue
        self._stage = stage
        self._workspace = workspace
        self._tape = tape
        self._watch = watch
        self._clock = clock
        self._attempts = 0
        self._last_work = ""
        self.judged: list[GateResult] = []
        self._left: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What checks left running or may have, each told once."""
        return tuple(self._left)

    async def check(self, issue_id: str, log_path: Path, retry_state: RetryState) -> tuple[GateResult, int]:
        """One gate attempt. Raises GateChangedError if a verdict is not the recorded one."""
        self._attempts += 1
        snapshot = self._tape.snapshot()
        resolution = marker_in_log(log_path, retry_state.log_offset)
        results = () if resolution is not None else await self._results()
        result = judge(
            issue=self._issue,
            attempt=self._attempts,
            results=results,
            snapshot=snapshot,
            resolution=resolution,
            already_complete_commit=self._workspace.commit_naming(issue_id) if resolution is not None else None,
            since=self._since(log_path, retry_state, snapshot),
            shown=self._shown,
        )
        self.judged.append(result)
        self._last_work = snapshot.work
        rows = [row.row for row in result.validation_evidence]
        self._watch.transcript.checks(self._attempts, rows, self._clock.elapsed)
        return result, end_offset(log_path, retry_state.log_offset)

    async def _results(self) -> Sequence[CheckResult]:
        with self._clock.stand(self._tape.recorded_seconds(self._attempts)):
            try:
                now = await self._run()
            except OSError as error:  # our trouble, not the agent's (D12)
                what = f"the checks could not be run: {error}; free what is missing and run again"
                raise HarnessError(what) from error
        self._left |= {f"check {one.name!r} {one.left}": None for one in now if one.left}
        self._left |= {f"{_BLIND}: {one.blind}": None for one in now if one.blind}
        results = self._tape.settle(self._attempts, now)
        self._workspace.clean()
        return results

    async def _run(self) -> tuple[CheckResult, ...]:
        return await run_checks(
            self._issue.gate.checks,
            workspace=self._stage.workspace,
            home=self._stage.check_home,
            path=os.environ.get("PATH", os.defpath),
            names={value: "${" + name + "}" for name, value in self._stage.names().values.items()},
        )

    @property
    def _shown(self) -> Callable[[str], str]:
        """The agent is told real paths: it can't know what a name of ours stands for.

        A check's own HOME and TMPDIR are gone by then; those of the agent stand for them. Whatever stands in a prompt
        is hidden again before it is recorded or compared, so another machine's paths make no difference.
        """
        return Names({**self._stage.names().values, "TMPDIR": str(self._stage.tmp)}).show

    def _since(self, log_path: Path, retry_state: RetryState, snapshot: Snapshot) -> Since:
        return Since(
            previous_commit=retry_state.previous_commit_hash,
            is_tree_changed=snapshot.work != self._last_work,
            has_run_commands=any(True for _ in bash_commands(read_entries(log_path, retry_state.log_offset))),
        )
