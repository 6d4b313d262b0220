"""Seal a cassette that was edited by hand, unless a replay would refuse what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.case.recorded import RecordedError, check_results, check_trees, read_base, read_snapshots
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Cassette, line_of, seal
from pytest_mala.transport.takes import read_take
from pytest_mala.transport.wellformed import TakeError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.transport.cassette import Take

__all__ = ["sealed"]

SUFFIX = ".yaml"


def sealed(path: Path) -> str:
    """Seal the file; the answer says what was done.

    Raises CassetteError for what a replay refuses, and leaves the file as it is.
    """
    is_changed = seal(path, check=lambda cassette: _check(path, cassette))
    return f"{path}: sealed, marked as edited" if is_changed else f"{path}: unchanged, its digest is right"


def _check(path: Path, cassette: Cassette) -> None:
    """What a replay looks at before it touches a workspace, in the same order and words."""
    if not cassette.complete:
        line = line_of(path, ("mala", "complete"))
        raise CassetteError(path, "the recording was cut short (complete: false); record it again", line)
    if path.name != cassette.issue + SUFFIX:
        what = f"holds the session of issue {cassette.issue!r}, which is read from {cassette.issue}{SUFFIX}: rename it"
        raise CassetteError(path, what)
    if len(cassette.takes) > 1:
        raise CassetteError(path, f"expected one take (this version plays no more), got {len(cassette.takes)}")
    _check_take(path, cassette.issue, cassette.takes[0])


def _check_take(path: Path, issue: str, take: Take) -> None:
    try:
        script = read_take(take.interactions)
        base = read_base(script)
        # whether ignored files are kept stands in the issue, which is not at hand: a replay is as strict or stricter
        check_trees(script, base, read_snapshots(script), keeps_ignored=True)
        check_results(script.gates)
    except TakeError as error:
        raise CassetteError(path, str(error), _line(path, take, error.uri, error.where)) from None
    except RecordedError as error:
        uri = Cassette.prefix(issue, take.number) + error.place
        raise CassetteError(path, str(error), _line(path, take, uri, ("response",))) from None


def _line(path: Path, take: Take, uri: str, below: tuple[str | int, ...]) -> int | None:
    index = next((index for index, one in enumerate(take.interactions) if one.uri == uri), None)
    return None if index is None else line_of(path, ("interactions", index, *below))
