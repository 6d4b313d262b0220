"""From a cassette file to a take that can be played: checked to the last frame, or as it was kept once it had been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.case.recorded import RecordedError, check_recorded, held_together, read_imported, read_recorded
from pytest_mala.case.story import parting
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import read
from pytest_mala.transport.cassette.kept import Kept
from pytest_mala.transport.script_data import from_data, to_data

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.case.recorded import RecordedTake
    from pytest_mala.transport.cassette import Cassette
    from pytest_mala.transport.telling import ToldStep

__all__ = ["LoadedTake", "load_take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTake:
    """A take to play, with what the file says about it; `parting` is the turn in which it parts from the first take.

    Of a cassette that was imported from a session log there are only the steps, in `imported`; one that was kept from
    an earlier run has no `cassette`.
    """

    issue: str
    is_edited: bool
    is_complete: bool
    start: str
    parting: int | None
    recorded: RecordedTake | None
    imported: tuple[ToldStep, ...] | None = None
    cassette: Cassette | None = None


def load_take(
    path: Path, issue: str, *, take: int, allow_incomplete: bool, keeps_ignored: bool, kept_in: Path | None
) -> LoadedTake:
    """The take of this number of the cassette of this issue.

    `kept_in`: the folder where large cassettes are kept between runs (None: nowhere). Raises CassetteMissingError, or
    CassetteError with the line for the first thing that can't be played.
    """
    kept = None if kept_in is None else Kept(kept_in, path, str(take))
    if kept is not None and kept.data is not None:
        found = _from_kept(kept.data, keeps_ignored=keeps_ignored)
        if found is not None and found.issue == issue and (found.is_complete or allow_incomplete):
            return found
    cassette = read(path, allow_incomplete=allow_incomplete)
    if cassette.issue != issue:
        raise CassetteError(path, f"expected a cassette of issue {issue!r}, got {cassette.issue!r}")
    imported = None if cassette.source is None else read_imported(path, cassette)
    if imported is None and len(cassette.takes) > 1:
        check_recorded(path, cassette, keeps_ignored=keeps_ignored)
    recorded = None
    if imported is None:
        recorded = read_recorded(path, cassette, take=take, keeps_ignored=keeps_ignored)
    own = cassette.take(take)
    assert own is not None, "or it could not have been read"
    loaded = LoadedTake(
        issue=cassette.issue,
        is_edited=cassette.edited,
        is_complete=cassette.complete,
        start=own.start,
        parting=parting(cassette, cassette.takes[0], own) if own is not cassette.takes[0] else None,
        recorded=recorded,
        imported=imported,
        cassette=cassette,
    )
    if kept is not None and recorded is not None:
        kept.keep(_to_kept(loaded, recorded))
    return loaded


def _to_kept(loaded: LoadedTake, recorded: RecordedTake) -> dict[str, Any]:
    head = [loaded.issue, loaded.is_edited, loaded.is_complete, loaded.start, loaded.parting]
    return {"head": head, "script": to_data(recorded.script)}


def _from_kept(data: Any, *, keeps_ignored: bool) -> LoadedTake | None:
    """What was kept; trees and gates are checked again, since that depends on the issue."""
    try:
        issue, is_edited, is_complete, start, turn = data["head"]
        recorded = held_together(from_data(data["script"]), (), keeps_ignored=keeps_ignored)
    except (KeyError, TypeError, ValueError, AttributeError, RecordedError):
        return None
    return LoadedTake(
        issue=issue, is_edited=is_edited, is_complete=is_complete, start=start, parting=turn, recorded=recorded
    )
