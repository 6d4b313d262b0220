"""The values that a cassette file is read into: a `Cassette` has takes, a `Take` has interactions in recorded order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.cassette.frames import Frames

if TYPE_CHECKING:
    from pytest_mala.transport.proof import Proof

__all__ = [
    "FORMAT",
    "LANES",
    "MAX_MS",
    "METHODS",
    "SESSION_LOG",
    "SOURCES",
    "UNKNOWN",
    "Cassette",
    "Interaction",
    "Take",
]

FORMAT = 1
"""The format of cassettes that this version writes and reads."""

LANES = ("scripted", "live")
"""What stood behind the SDK when a cassette was recorded."""

SESSION_LOG = "session log"
"""The source of a cassette that was imported from a session log of Claude Code, not recorded."""

SOURCES = (SESSION_LOG,)
"""Where a cassette can come from, if it was not recorded."""

UNKNOWN = "unknown"
"""Stands for what a cassette's source does not tell: the lane, the SDK, the options of a connection."""

METHODS = ("CONNECT", "QUERY", "CONTROL", "END", "TREE", "GATE", "REVIEW")
"""What an interaction can be: the SDK opened, asked, steered, ended; or a captured tree, a gate, a review."""

MAX_MS = 366 * 24 * 60 * 60 * 1000
"""The longest time between two frames, in milliseconds: a year. A clock that adds more of them leaves the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One thing that the session did, and all that came back until the next one.

    `response` is JSON data. If it has the key "frames" (a list of frame items: `{"cli": frame}`, `{"sdk": frame}`,
    `{"trailing": frame}`, `{"tree": commit id}`, `{"decision": text}`), then it has "ms" beside it: for each item the
    milliseconds since the item before. In a cassette that was read lazily the list is a `Frames`: looking at it may
    raise CassetteError.
    """

    method: str
    uri: str
    body: str
    headers: dict[str, str]
    response: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One recorded session; `start` is the ISO 8601 time, with its zone, at which the recording began.

    `lane`, `sdk` and `cli` are None where they are those of the cassette.
    """

    number: int
    start: str
    interactions: tuple[Interaction, ...]
    lane: str | None = None
    sdk: str | None = None
    cli: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """All takes of one issue, with what made them.

    `edited`: sealed after a change by hand. `complete` is false for a recording that was cut short and recovered.
    `scrub` says how it was scrubbed; None for one that was recorded before that was proven. `source` is one of
    `SOURCES` for one that was not recorded, and None for all others; its lane and SDK are `UNKNOWN`.
    """

    issue: str
    lane: str
    sdk: str
    cli: str
    takes: tuple[Take, ...]
    edited: bool = False
    complete: bool = True
    scrub: Proof | None = None
    source: str | None = None

    def take(self, number: int) -> Take | None:
        """The take of this number, if there is one."""
        return next((take for take in self.takes if take.number == number), None)

    def values(self) -> list[dict[str, Any]]:
        """All interactions of all takes as JSON data, not to be changed. Raises CassetteError for unreadable frames."""
        return [_data(one) for take in self.takes for one in take.interactions]

    @staticmethod
    def prefix(issue: str, take: int) -> str:
        """How the URI of every interaction of this take begins.

        >>> Cassette.prefix("calc-1", 2)
        'claude-sdk://calc-1/2/'
        """
        return f"claude-sdk://{issue}/{take}/"


def _data(one: Interaction) -> dict[str, Any]:
    response = {key: list(value) if isinstance(value, Frames) else value for key, value in one.response.items()}
    return {"method": one.method, "uri": one.uri, "body": one.body, "headers": one.headers, "response": response}
