"""Tell what a cassette holds as a story: the transcript of each take, read from its frames without playing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_mala.case.recorded import read_recorded
from pytest_mala.gate import CheckResult
from pytest_mala.report.text import counted
from pytest_mala.session.transcript import CheckRow, Transcript
from pytest_mala.session.transcript.lines import escaped
from pytest_mala.transport.cassette import read
from pytest_mala.transport.names import Names
from pytest_mala.workspace import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_mala.transport.cassette import Cassette, Interaction, Take

__all__ = ["facts", "story", "transcripts"]

_NAMES = Names({})
_STATE = {True: "nothing uncommitted", False: "something uncommitted"}


def facts(path: Path, *, times: bool = True) -> dict[str, Any]:
    """What the head of the file says, with sums and the transcript of each take, as JSON data. Raises CassetteError."""
    found = _read(path)
    return {
        "path": str(path),
        "issue": found.issue,
        "lane": found.lane,
        "sdk": found.sdk,
        "cli": found.cli,
        "edited": found.edited,
        "complete": found.complete,
        "takes": [
            {**_take_facts(take), "transcript": text}
            for take, text in zip(found.takes, _transcripts(found, times=times), strict=True)
        ],
    }


def story(path: Path, *, times: bool = True) -> str:
    """The cassette as text: a line about the file, then the transcript of each take. Raises CassetteError."""
    found = _read(path)
    marks = [*(["edited"] if found.edited else []), *([] if found.complete else ["incomplete"])]
    made_by = f"lane {found.lane}, SDK {found.sdk}, CLI {found.cli}"
    head = f"{escaped(str(path))}: {', '.join([made_by, *marks])}\n\n"
    return head + "\n".join(_transcripts(found, times=times))


def transcripts(path: Path, *, times: bool = True) -> list[str]:
    """The transcript of each take. Raises CassetteError."""
    return _transcripts(_read(path), times=times)


def _read(path: Path) -> Cassette:
    found = read(path, allow_incomplete=True)
    read_recorded(path, found, keeps_ignored=True)  # what can't be played is told like that, not shown in part
    return found


def _transcripts(found: Cassette, *, times: bool) -> list[str]:
    return [_transcript(found, take).render(times=times) for take in found.takes]


def _take_facts(take: Take) -> dict[str, Any]:
    methods = [one.method for one in take.interactions]
    items = [item for one in take.interactions for item in one.response.get("frames", [])]
    results = [frame for item in items if (frame := item.get("cli", {})).get("type") == "result"]
    costs = {frame.get("session_id"): frame.get("total_cost_usd") or 0.0 for frame in results}
    return {
        "take": take.number,
        "start": take.start,
        "connections": methods.count("CONNECT"),
        "turns": methods.count("QUERY"),
        "gates": methods.count("GATE"),
        "frames": sum("cli" in item or "trailing" in item for item in items),
        "cost_usd": round(sum(costs.values()), 6),
    }


def _transcript(found: Cassette, take: Take) -> Transcript:
    number = f" (take {take.number})" if len(found.takes) > 1 else ""
    teller = _Teller(Transcript(found.issue, f"as recorded{number}", {}))
    for one in take.interactions:
        teller.tell(one)
    return teller.transcript


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
        count = counted(len(tree.ahead), "commit")
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
