"""Recover what a killed recording had written: its journal becomes a cassette that says it is incomplete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mala.errors import CassetteError
from pytest_mala.report.text import counted
from pytest_mala.transport.assemble import recovered as cassette_of
from pytest_mala.transport.cassette import read_journal, write
from pytest_mala.transport.scrub import Scrubber, check_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["recovered"]

_PART = re.compile(r"(.+)\.[0-9]+(?:-[0-9]+)?\.part")


def recovered(part: Path, output: Path | None = None) -> str:
    """Write the cassette of a journal and remove the journal; the answer says what was done.

    Raises CassetteError for a file that is no journal or has no frame of the CLI, and where a cassette is already, and
    SecretFoundError for one with a secret in it; the journal then stays.
    """
    named = _PART.fullmatch(part.name)
    if named is None:
        raise CassetteError(part, "expected the journal of a recording, a file named like calc-1.yaml.1234.part")
    target = part.with_name(named[1]) if output is None else output
    entries = read_journal(part)
    frames = sum(entry.get("k") == "recv" for entry in entries)
    if not frames:
        raise CassetteError(part, "the CLI had not said a word when the recording ended; delete the file")
    try:
        found = cassette_of(entries)
    except ValueError as error:
        raise CassetteError(part, f"can't be recovered: {error}") from None
    if target.exists() or target.is_symlink():
        raise CassetteError(target, "is there already, and is not replaced; name another file with --output")
    # an earlier version wrote journals as they came
    write(target, found, check=lambda text: check_text(text, Scrubber(), found.values(), where=str(target)))
    part.unlink()
    return f"{target}: recovered with {counted(frames, 'frame')} of the CLI, marked incomplete"
