"""What a case is told and what it says: lanes, record modes, settings in; one result out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.issue import EndReason, Issue
    from pytest_mala.session.config import SessionUsage
    from pytest_mala.session.conversation import Prompt, ToolCall

__all__ = ["CaseResult", "CaseSettings", "CheckRow", "Lane", "RecordMode", "StaleMode", "model_script"]


class Lane(Enum):
    """What stands behind the SDK (design D4)."""

    REPLAY = "replay"
    SCRIPTED = "scripted"
    LIVE = "live"


class RecordMode(Enum):
    """When a session is written to its cassette (design D5).

    ONCE records what has no cassette yet, ALL records everything anew, STALE records what is missing or does not
    replay.
    """

    NONE = "none"
    ONCE = "once"
    ALL = "all"
    STALE = "stale"


class StaleMode(Enum):
    """What a replayed prompt with another wording than the recorded one is (design D7): a failure, or a remark."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSettings:
    """The settings of a run that a case needs.

    `cassettes` is the folder of the cassettes, `prompts` the project's own prompt folder (None: those of the
    package), `frozen` whether the wall clock stands still with the loop on replay, `record_command` the command
    that records an issue, with `{issue}` for its id, `allow_incomplete` whether a recording that was cut short is
    replayed as far as it goes, `stale` what a prompt with another wording is.
    `take` is the number of the take that is played or recorded, `takes` how many a cassette is to have (None: as many
    as it has), `plays` how often a take is played and compared with itself, `kept_in` the folder where what was made of
    large cassettes is kept for the next run (None: nowhere).
    """

    lane: Lane
    record: RecordMode
    cassettes: Path
    prompts: Path | None
    frozen: bool
    rootdir: Path
    record_command: str
    allow_incomplete: bool = False
    stale: StaleMode = StaleMode.FAIL
    take: int = 1
    takes: int | None = None
    plays: int = 1
    kept_in: Path | None = None

    @property
    def tolerates_stale(self) -> bool:
        """Whether a stale prompt is only remarked; where it is to be recorded anew it has to be noticed."""
        return self.stale is StaleMode.WARN and self.record is not RecordMode.STALE

    def shown(self, path: Path) -> str:
        """A path as messages name it: from the root folder, where it is inside of that."""
        return str(path.relative_to(self.rootdir) if path.is_relative_to(self.rootdir) else path)


def model_script(issue: Issue) -> Path:
    """The model script of an issue; it stands beside its file."""
    return issue.path.parent / f"{issue.id}.model.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """A check of the last gate attempt; `verdict` is passed, failed, timed-out or error, `seconds` what it took when
    it was recorded.
    """

    name: str
    verdict: str
    reason: str
    output: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How an issue went: outcome, what was expected, checks, what was said and done, and remarks that are no failures.

    `attempts` are the checks of each gate attempt, `checks` those of the last one; `prompts` and `tools` are in their
    order, `virtual_seconds` is the session's time on its clock. `stale` says from which turn on the recording answers
    prompts that no longer exist; it is empty for one that is fresh. `take` is the number of the take, `plays` how often
    it was played, `parting` the first turn in which it tells something else than the first take of its cassette. `kept`
    says how many of its turns were not recorded again when it was renewed.
    """

    outcome: EndReason
    why: str
    expected: tuple[EndReason, ...]
    checks: tuple[CheckRow, ...]
    attempts: tuple[tuple[CheckRow, ...], ...]
    prompts: tuple[Prompt, ...]
    tools: tuple[ToolCall, ...]
    usage: SessionUsage
    turns: int
    gate_attempts: int
    cost_usd: float | None
    virtual_seconds: float
    transcript: str
    notes: tuple[str, ...]
    stale: str = ""
    take: int = 1
    plays: int = 1
    parting: int | None = None
    kept: str = ""
