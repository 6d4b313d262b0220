"""Copies of a small recorded issue, each with a cassette of its own that was spoilt in one way."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from case_project import ROOT

from pytest_mala.transport.cassette import canonical
from pytest_mala.transport.cassette.strict import load

SLOW_CHECK = "    test: python -m pytest -q -p no:cacheprovider -k add\n"
SLOW_LINE = "- test: `python -m pytest -q -p no:cacheprovider -k add`\n"


def issue_text(name: str) -> str:
    """calc-1 under another name, with its quick check only."""
    text = (ROOT / "issues" / "calc-1.md").read_text(encoding="utf-8")
    assert SLOW_CHECK in text
    return text.replace("calc-1", name).replace(SLOW_CHECK, "")


def recorded() -> dict[str, Any]:
    """The data of calc-1's cassette, for the issue of `issue_text`; sealed as edited, since ids of commits differ."""
    path = ROOT / "cassettes" / "calc-1.yaml"
    data = load(path.read_text(encoding="utf-8"), path)
    data["mala"]["edited"] = True
    asked = by_method(data, "QUERY")
    asked["request"]["body"] = asked["request"]["body"].replace(SLOW_LINE, "")
    gate = by_method(data, "GATE")["response"]
    gate["checks"], gate["took_ms"] = gate["checks"][1:], gate["took_ms"][1:]
    return dict(data)


def by_method(data: dict[str, Any], method: str, number: int = 0) -> dict[str, Any]:
    """One of the interactions with this method, counted from 0."""
    return [one for one in data["interactions"] if one["request"]["method"] == method][number]


def sealed(data: dict[str, Any]) -> str:
    """The text of a cassette with this data, whatever it is, with the digest that belongs to it."""
    return resealed(canonical.dumps(data) + "# sha256: none")


def resealed(text: str) -> str:
    """The text with the right digest, as somebody makes it who edits a file and then computes the digest himself."""
    body = text.rpartition("# sha256:")[0]
    return f"{body}# sha256: {hashlib.sha256(body.encode()).hexdigest()}\n...\n"


def named(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The data for another issue."""
    return dict(json.loads(json.dumps(data).replace("calc-1", name)))
