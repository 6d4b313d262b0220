"""Put a take into the cassette of its issue, beside the takes that are there already (design D6)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mala.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mala.transport.cassette import Cassette, Take
    from pytest_mala.transport.proof import Proof

__all__ = ["locked", "merged"]


def merged(path: Path, old: Cassette | None, new: Cassette, *, at_most: int | None = None) -> Cassette:
    """The cassette with the one take of `new` in the place of the take with its number, and the other takes of `old`.

    `at_most`: takes with a higher number are left out. The head says what the new take was recorded with; takes that
    were recorded with something else say so themselves. Raises CassetteError, for the file at `path`, where the old
    takes can't stand beside the new one.
    """
    (take,) = new.takes
    kept = [] if old is None else [one for one in old.takes if one.number != take.number]
    kept = [one for one in kept if at_most is None or one.number <= at_most]
    if old is None or not kept:
        return new
    if old.issue != new.issue:
        raise CassetteError(path, f"expected a cassette of issue {new.issue!r}, got {old.issue!r}")
    if old.source is not None:
        what = f"was imported from a {old.source}, and stands for one session; delete the file, or use another issue"
        raise CassetteError(path, what)
    if not old.complete:
        what = f"take {kept[0].number} was cut short; record it anew before take {take.number}, or delete the file"
        raise CassetteError(path, what)
    takes = [take, *(_made_by(one, old, new) for one in kept)]
    return replace(
        new,
        takes=tuple(sorted(takes, key=lambda one: one.number)),
        edited=old.edited,
        scrub=_least(old.scrub, new.scrub),
    )


def _made_by(take: Take, old: Cassette, new: Cassette) -> Take:
    """A kept take under a new head."""
    return replace(
        take,
        lane=_unless((take.lane or old.lane), new.lane),
        sdk=_unless((take.sdk or old.sdk), new.sdk),
        cli=_unless((take.cli or old.cli), new.cli),
    )


def _unless(own: str, of_head: str) -> str | None:
    return None if own == of_head else own


def _least(old: Proof | None, new: Proof | None) -> Proof | None:
    """What holds for all takes."""
    return None if old is None or new is None else min(old, new, key=lambda one: (one.rules, one.planted))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else who uses this changes the folder's cassettes meanwhile: takes are recorded side by side on several
    workers, and each reads the file, puts its take in and writes it.

    The lock is on the folder itself, so nothing is left behind.
    """
    import fcntl  # here: not on Windows, where no session runs

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
