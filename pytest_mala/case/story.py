"""Tell a recorded take as a story: its transcript, read from its frames without playing it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.gate import CheckResult
from pytest_mala.session.transcript import CheckRow, Transcript
from pytest_mala.transport.names import Names
from pytest_mala.workspace import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mala.transport.cassette import Cassette, Interaction, Take

__all__ = ["parting", "transcript"]

_NAMES: Final = Names({})
_STATE: Final = {True: "nothing uncommitted", False: "something uncommitted"}
_TURN: Final = re.compile(r"turn ([0-9]+), connection ")


def transcript(found: Cassette, take: Take) -> Transcript:
    """What was said, done and judged in a take that can be played (`check_recorded`)."""
    number = f" (take {take.number})" if len(found.takes) > 1 else ""
    teller = _Teller(Transcript(found.issue, f"as recorded{number}", {}))
    for one in take.interactions:
        teller.tell(one)
    return teller.transcript


def parting(found: Cassette, one: Take, other: Take) -> int | None:
    """The first turn, from 1, in which two takes tell something else; None if they tell the same.

    Times play no part, nor do ids of sessions, tool calls and commits. What differs before the first prompt is told as
    turn 1.
    """
    was, now = (transcript(found, take).render(times=False).splitlines()[1:] for take in (one, other))
    if was == now:
        return None
    at = next((n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
    told = [*was[: at + 1], *now[at : at + 1]]
    turns = [int(match[1]) for line in told if (match := _TURN.match(line))]
    return max(turns, default=1)


class _Teller:
    """Feeds a transcript with what was recorded, in its order."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self._at = 0.0

    def tell(self, one: Interaction) -> None:
        match one.method:
            case "CONNECT":
                number = int(one.uri.rpartition("/")[2])
                self.transcript.connection(number, one.headers.get("purpose", "work"), self._at)
            case "QUERY":
                message = {"role": "user", "content": _NAMES.show(one.body)}
                self._frame("sdk", {"type": "user", "message": message, "session_id": one.headers.get("session")})
            case "CONTROL":
                request = {"request_id": one.headers.get("id"), "request": json.loads(one.body)}
                self._frame("sdk", _NAMES.show({"type": "control_request", **request}))
            case "TREE":
                self._tree(one)
            case "GATE":
                self._gate(one)
            case "END" if error := one.response.get("error"):
                self.transcript.note(f"the CLI ended in an error: {error['type']}: {error['text']}", self._at)
        self._frames(one.response.get("frames", []), one.response.get("ms", []))
        for text in one.response.get("decisions", []):
            state, _, effect = text.partition(" ")
            self.transcript.state(state, effect, self._at)

    def _frames(self, items: Iterable[Mapping[str, Any]], gaps: Iterable[int]) -> None:
        for item, ms in zip(items, gaps, strict=True):
            self._at += ms / 1000
            ((what, value),) = item.items()
            if what in ("cli", "trailing"):
                self._frame("cli", _NAMES.show(value))
            elif what == "sdk":
                self._frame("sdk", _NAMES.show(value))
            elif what == "decision":
                self.transcript.note(f"the session decided: {value}", self._at)

    def _frame(self, direction: Any, frame: Mapping[str, Any]) -> None:
        self.transcript.frame(direction, frame, self._at)

    def _tree(self, one: Interaction) -> None:
        """What the agent had done when its turn ended; the base stands before the first turn and is nobody's work."""
        turn = int(one.uri.split("/")[-2])
        if not turn:
            return
        tree = Snapshot.from_data({key: value for key, value in one.response.items() if key != "decisions"})
        commits = "".join(f"\n{commit.id[:12]} {commit.message}".rstrip() for commit in tree.ahead)
        count = f"{len(tree.ahead)} commit{'' if len(tree.ahead) == 1 else 's'}"
        self.transcript.note(f"the work after turn {turn}: {count}, {_STATE[tree.clean]}{commits}", self._at)

    def _gate(self, one: Interaction) -> None:
        took = [ms / 1000 for ms in one.response.get("took_ms", [])]
        self._at += sum(took)
        results = [CheckResult.from_data(row, s) for row, s in zip(one.response.get("checks", []), took, strict=True)]
        rows = [_row(result) for result in results]
        self.transcript.checks(int(one.uri.rpartition("/")[2]), rows, self._at)


def _row(result: CheckResult) -> CheckRow:
    verdict = result.verdict.value
    return CheckRow(name=result.name, verdict=verdict, reason=result.reason, output=_NAMES.show(result.output))
