"""Tell what a cassette holds as a story: a line about the file, and the transcript of each take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.case.recorded import check_recorded
from pytest_mala.case.story import transcript
from pytest_mala.session.transcript.lines import escaped
from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.transport.cassette import Cassette, Take

__all__ = ["facts", "story", "transcripts"]


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
        "source": found.source,
        "takes": [
            {**_take_facts(take), "transcript": text}
            for take, text in zip(found.takes, _transcripts(found, times=times), strict=True)
        ],
    }


def story(path: Path, *, times: bool = True) -> str:
    """The cassette as text: a line about the file, then the transcript of each take. Raises CassetteError."""
    found = _read(path)
    imported = [f"imported from a {found.source}"] if found.source else []
    marks = [*imported, *(["edited"] if found.edited else []), *([] if found.complete else ["incomplete"])]
    made_by = f"lane {found.lane}, SDK {found.sdk}, CLI {found.cli}"
    head = f"{escaped(str(path))}: {', '.join([made_by, *marks])}\n\n"
    return head + "\n".join(_transcripts(found, times=times))


def transcripts(path: Path, *, times: bool = True) -> dict[int, str]:
    """The transcript of each take, by its number. Raises CassetteError."""
    found = _read(path)
    return dict(zip((take.number for take in found.takes), _transcripts(found, times=times), strict=True))


def _read(path: Path) -> Cassette:
    found = read(path, allow_incomplete=True)
    check_recorded(path, found, keeps_ignored=True)  # what can't be played is told like that, not shown in part
    return found


def _transcripts(found: Cassette, *, times: bool) -> list[str]:
    is_timed = times and found.source is None  # a log tells no times inside a turn
    return [transcript(found, take).render(times=is_timed) for take in found.takes]


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
