"""Seal a cassette that was edited by hand, unless a replay would refuse what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.case.recorded import check_recorded
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import INCOMPLETE, line_of, seal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.transport.cassette import Cassette

__all__ = ["SUFFIX", "must_be_playable", "sealed"]

SUFFIX = ".yaml"


def sealed(path: Path) -> str:
    """Seal the file; the answer says what was done.

    Raises CassetteError for what a replay refuses, and leaves the file as it is.
    """
    is_changed = seal(path, check=lambda cassette: must_be_playable(path, cassette))
    return f"{path}: sealed, marked as edited" if is_changed else f"{path}: unchanged, its digest is right"


def must_be_playable(path: Path, cassette: Cassette) -> None:
    """What a replay looks at before it touches a workspace, in the same order and words. Raises CassetteError."""
    if not cassette.complete:
        line = line_of(path, ("mala", "complete"))
        raise CassetteError(path, INCOMPLETE, line)
    if path.name != cassette.issue + SUFFIX:
        what = f"holds the session of issue {cassette.issue!r}, which is read from {cassette.issue}{SUFFIX}: rename it"
        raise CassetteError(path, what)
    # whether ignored files are kept stands in the issue, which is not at hand: a replay is as strict or stricter
    check_recorded(path, cassette, keeps_ignored=True)
