"""The golden transcripts of the samples, and stories beside them: what both must have in common."""

from __future__ import annotations

import re
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "case" / "golden"
_TIME = re.compile(r" {0,4}\d+\.\d{3}  ")
_FURTHER_IN = " " * 11


def golden(name: str) -> list[str]:
    """The lines between title and outcome, without times."""
    lines = (GOLDEN / f"{name}.transcript").read_text(encoding="utf-8").splitlines()[1:]
    lines = lines[: next(at for at, line in enumerate(lines) if "  outcome: " in line) - 1]
    return [_TIME.sub("", line).removeprefix(_FURTHER_IN) for line in lines]


def without(lines: list[str], *titles: str) -> list[str]:
    """Without the steps that begin so, whole, and without empty lines."""
    kept = []
    is_left_out = False
    for line in filter(None, lines):
        if not line.startswith(" "):
            is_left_out = line.startswith(titles)
        if not is_left_out:
            kept.append(line)
    return kept
