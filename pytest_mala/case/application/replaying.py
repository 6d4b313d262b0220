"""An application on lane replay: its SDK calls are answered from a cassette, with no CLI and no socket."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_mala.case.recorded import read_application
from pytest_mala.case.stage import Stage
from pytest_mala.errors import CassetteError, CassetteMissingError
from pytest_mala.transport.application import PURPOSE, ApplicationPlayer
from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.case.application.asked import Asked
    from pytest_mala.case.application.heard import Heard
    from pytest_mala.transport.replay import ReplayTransport

__all__ = ["ReplayedApplication"]


class ReplayedApplication:
    """The player of the cassette's take, for the length of a test."""

    def __init__(self, asked: Asked, heard: Heard) -> None:
        self._asked = asked
        self._heard = heard
        self._notes: list[str] = []
        self._player: ApplicationPlayer | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that are no failures."""
        player = self._player
        if player is None:
            return tuple(self._notes)
        stale = (player.freshness,) if player.freshness and player.divergence is None else ()
        return (*self._notes, *stale, *player.notes)

    def load(self) -> None:
        """Read the cassette. Raises CassetteMissingError with what records it, CassetteError if it can't be trusted."""
        asked = self._asked
        try:
            cassette = read(asked.cassette, allow_incomplete=asked.settings.allow_incomplete)
            if cassette.issue != asked.name:
                raise CassetteError(asked.cassette, f"expected a cassette of {asked.name!r}, got {cassette.issue!r}")
            self._script = read_application(asked.cassette, cassette)
        except CassetteMissingError:
            what = f"{asked.where}: there is no cassette for the SDK calls of this test; {asked.remedy}"
            raise CassetteMissingError(what) from None
        except CassetteError as error:
            raise CassetteError(asked.where, f"{error.what}; {asked.remedy}", error.line) from None
        if not cassette.complete:
            self._notes.append("the recording was cut short: this is as far as it goes")

    @contextmanager
    def open(self) -> Iterator[None]:
        """The take, ready to be played; the folders that the CLI had for itself are there, and empty."""
        stage = Stage.make()
        try:
            self._player = ApplicationPlayer(
                self._script,
                self._asked.names(stage),
                self._heard,
                switch_tree=_no_tree,
                restore_turn=_no_tree,
                where=self._asked.where,
                remedy=self._asked.remedy,
                environment=os.environ,
                is_loose=self._asked.is_loose,
                tolerates_stale=self._asked.settings.tolerates_stale,
            )
            yield
        finally:
            stage.remove()

    @property
    def player(self) -> ApplicationPlayer:
        """The player of the take; it is there from `open` on."""
        assert self._player is not None, "open() comes first"
        return self._player

    def transport(self, options: Any, prompt: str | None) -> ReplayTransport:
        """The recorded connection that these options belong to. Raises Divergence if there is none."""
        return self.player.connection(PURPOSE, options, prompt)

    def raise_pending(self) -> None:
        """Raise the first divergence."""
        self.player.raise_pending()

    def check(self) -> None:
        """Everything recorded must have been played."""
        self.player.finish()

    def all_closed(self) -> bool:
        """Whether no connection is open."""
        return all(one.is_closed for one in self.player.opened)

    def store(self, *, has_failed: bool) -> None:
        """Nothing was recorded."""

    def describe(self) -> str:
        """What the open connections wait for."""
        return self.player.describe()


def _no_tree(_: object) -> None:
    """The cassette of an application holds no trees."""
