"""What a lane has to offer to a case, whatever stands behind the SDK (design D4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.stage import Stage
    from pytest_mala.case.watch import Watch
    from pytest_mala.clock import Clock
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import EndReason
    from pytest_mala.session.log import LogWriter
    from pytest_mala.workspace import Base, Snapshot, Workspace

__all__ = ["LaneRun"]


class LaneRun(Protocol):
    """One session on a lane: what is behind the SDK, what time it is, and where results come from or go to."""

    clock: Clock
    base: Base | None

    @property
    def where(self) -> str:
        """What messages name as the place."""

    @property
    def remedy(self) -> str:
        """What to do about a divergence."""

    def load(self) -> None:
        """Read what the lane needs, before anything is made. Raises HarnessError or UsageError."""

    def begin(self, stage: Stage, workspace: Workspace) -> None:
        """The workspace is there: fill it with what was recorded, or note its base."""

    def log_writer(self) -> LogWriter | None:
        """Who writes the session log; None where the CLI does."""

    def open(self, watch: Watch) -> AbstractContextManager[Tape]:
        """The tape for the session, while the block lasts."""

    def agent_settings(self) -> dict[str, Any]:
        """Options of the SDK that belong to the lane."""

    def state(self, text: str) -> None: ...
    def snapshot(self) -> Snapshot: ...
    def recorded_seconds(self, attempt: int) -> float | None: ...
    def settle(self, attempt: int, now: Sequence[CheckResult]) -> Sequence[CheckResult]: ...

    def finish(self, reason: EndReason, why: str) -> tuple[str, ...]:
        """The session ended by itself, like this: check or store; the answer is remarks for the report."""

    @property
    def stale(self) -> str:
        """From which turn on the recording answers prompts that no longer exist; empty if it is fresh."""

    @property
    def take(self) -> int:
        """The number of the take."""

    @property
    def parting(self) -> int | None:
        """The first turn in which the take tells something else than the first one of its cassette."""

    @property
    def kept(self) -> str:
        """How much of an earlier recording was kept, once the session has ended; empty if nothing was renewed."""

    def describe(self) -> str:
        """What the lane waits for, for the explanation of a hang."""
