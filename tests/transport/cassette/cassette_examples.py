"""Cassettes to test with: a real recorded session, and pieces to make small ones from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pytest_mala.transport.cassette import Aliases, Cassette, Interaction, Take

DATA = Path(__file__).parent / "data"


def frames_of(name: str) -> list[tuple[str, dict]]:
    """The frames of a session of the real CLI as they came, each with its direction; `name` is "one" or "two"."""
    lines = (DATA / f"recording_{name}.ndjson").read_text().splitlines()
    return [(row["from"], row["frame"]) for row in map(json.loads, lines)]


def recorded(name: str) -> Cassette:
    """The session as a cassette, without its times."""
    aliases = Aliases()
    items = [{direction: aliases.canonical(frame, 1)} for direction, frame in frames_of(name)]
    connect = interaction("CONNECT", "1/1", frames=[], ms=[])
    query = interaction("QUERY", "1/1/query/1", frames=items, ms=[5] * len(items), body="please do it")
    return cassette(take(1, connect, query))


def interaction(method: str, place: str, *, body: str = "", **response: object) -> Interaction:
    return Interaction(method=method, uri=f"claude-sdk://calc-1/{place}", body=body, headers={}, response=response)


def take(number: int, *interactions: Interaction) -> Take:
    return Take(number=number, start="2026-11-24T08:09:28Z", interactions=interactions)


def cassette(*takes: Take, **more: object) -> Cassette:
    return Cassette(
        **{"issue": "calc-1", "lane": "scripted", "sdk": "0.2.187", "cli": "2.1.330", "takes": takes, **more}
    )


def resealed(text: str) -> str:
    """The text with a right digest, as one gets it who edits a file and then computes the digest himself."""
    body = text.rpartition("# sha256:")[0]
    return f"{body}# sha256: {hashlib.sha256(body.encode()).hexdigest()}\n...\n"
