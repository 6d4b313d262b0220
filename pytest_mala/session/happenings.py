"""What can happen to a session, as values that are complete when made; the lifecycle's table is keyed by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_mala.issue.model import EndReason

if TYPE_CHECKING:
    from pytest_mala.session.context import GateOutcome, ReviewOutcome

__all__ = [
    "Aborted",
    "ContextFilled",
    "Erred",
    "Event",
    "GateAnswered",
    "LogReady",
    "LogTimedOut",
    "ReviewAnswered",
    "Started",
    "TimedOut",
    "TurnBroken",
    "TurnEnded",
    "TurnFailed",
    "WentIdle",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The session begins, or begins anew after a context restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The agent's turn ended with a result that is no error."""

    has_session_id: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed:
    """The agent's turn ended with an error result."""

    reason: EndReason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBroken:
    """The stream ended and there was no result."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFilled:
    """The context is full and there is work left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReady:
    """The session log holds the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTimedOut:
    """The session log did not come in time."""

    log_path: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswered:
    """The gate has judged."""

    gate: GateOutcome
    new_log_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAnswered:
    """The reviewer has judged, or there was nothing new to review."""

    review: ReviewOutcome
    new_log_offset: int
    no_progress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The session's time is used up."""

    minutes: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WentIdle:
    """The agent was silent for too long, and no retry is left or possible."""

    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Erred:
    """Something broke."""

    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """Somebody outside stopped the session, for example as the victim of a deadlock."""

    text: str
    reason: EndReason = EndReason.ABORTED


Event: TypeAlias = (
    Started
    | TurnEnded
    | TurnFailed
    | TurnBroken
    | ContextFilled
    | LogReady
    | LogTimedOut
    | GateAnswered
    | ReviewAnswered
    | TimedOut
    | WentIdle
    | Erred
    | Aborted
)
