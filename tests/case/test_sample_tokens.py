"""Whatever one token of what a sample session said is changed to: its replay is a divergence, nothing else."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from sample_replays import SAMPLES, data_of, replay_data
from token_changes import Token, changed, choose, tokens

from pytest_mala.errors import CassetteError, Divergence

if TYPE_CHECKING:
    from pathlib import Path


@cache
def all_tokens() -> dict[str, list[Token]]:
    return {name: [*tokens(data_of(name)["interactions"])] for name in SAMPLES}


def slipped(folder: Path, name: str, token: Token, seed: int) -> str:
    """What was not noticed; empty if the change is a divergence that names its place."""
    made: dict[str, Any] = data_of(name)
    before, after = changed(made["interactions"], token, random.Random(seed))
    error = replay_data(folder, name, made).error
    if isinstance(error, Divergence) and str(error).startswith(f"cassettes/{name}.yaml: connection "):
        return ""
    if isinstance(error, CassetteError) and not token.is_text:
        return ""  # what can't be played at all is told before the session
    return f"{name}, seed {seed}: {token}: {before!r:.200} -> {after!r:.200}\n  {type(error).__name__}: {error}"


def check(folder: Path, count: int, seed: int) -> None:
    chosen = choose(all_tokens(), count, random.Random(seed))
    found = [slip for number, one in enumerate(chosen) if (slip := slipped(folder, *one, seed + number))]
    assert not found, f"{len(found)} of {count}:\n" + "\n".join(found)


def test_some_changes_are_divergences(tmp_path: Path) -> None:
    check(tmp_path, 8, seed=1)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(1000, 21000, 1000))
def test_a_thousand_changes_are_divergences(tmp_path: Path, seed: int) -> None:
    check(tmp_path, 50, seed)
