"""Bring a cassette up to what this version writes: its format, its layout, and the rules by which secrets are found."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mala.agent.environment import SCRIPTED_API_KEY
from pytest_mala.case.recorded import check_recorded
from pytest_mala.cli.checking import must_be_scrubbed
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import FORMAT, dump, read, write
from pytest_mala.transport.scrub import Scrubber, prove

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["upgraded"]


def upgraded(path: Path) -> str:
    """Write the file anew where it is not what we would write; the answer says what was done.

    Raises CassetteError for what a replay refuses, and for a file with a secret in it: taking it out now would not
    take it out of the history.
    """
    found = read(path, allow_incomplete=True)
    check_recorded(path, found, keeps_ignored=True)
    scrubber = Scrubber(public=(SCRIPTED_API_KEY,))
    scrubber.learn(os.environ)
    must_be_scrubbed(path, found, scrubber)
    proof = prove(scrubber)
    if not proof.is_whole:
        raise CassetteError(path, f"{len(proof.missed)} of {proof.planted} planted secrets were not found: not touched")
    now = replace(found, scrub=proof)
    if dump(now) == path.read_text(encoding="utf-8"):
        return f"{path}: unchanged, it is what this version writes (format {FORMAT}, rules {proof.rules})"
    write(path, now)
    return f"{path}: written anew (format {FORMAT}, rules {proof.rules})"
