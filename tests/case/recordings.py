"""What must be equal in two recordings of one script, and in the transcripts of their sessions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.transport.cassette import Cassette


def without_durations(cassette: Cassette) -> list[Any]:
    """What must be equal in two recordings of one script: all but `ms`, and frames that may be missing."""
    return [
        dataclasses.replace(one, response=without_luck(one.response))
        for take in cassette.takes
        for one in take.interactions
    ]


def without_luck(response: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without its times, and without trailing frames: those came behind the last result that the session
    waited for. The CLI may be ended before it writes them, so by the format's definition they may be missing.
    """
    kept = {key: value for key, value in response.items() if key not in ("ms", "took_ms")}
    if "frames" in kept:
        kept["frames"] = [frame for frame in kept["frames"] if "trailing" not in frame]
    return kept


def without_times(transcript: str) -> list[str]:
    """The transcript without its first column, and without lines about silence: one is there if nothing came for more
    than 5 s, and for what takes about that long (a child of the CLI, a retry) the load of the machine decides.
    """
    return [line[11:] for line in transcript.splitlines() if "of silence)" not in line]
