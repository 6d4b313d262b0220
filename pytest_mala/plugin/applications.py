"""The fixture `mala_cassette`: what the marker asks for, and what a test's code may find out afterwards."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import pytest

from pytest_mala.case.application import Application, Asked
from pytest_mala.errors import MalaError, UsageError
from pytest_mala.issue.readers import ID, ID_WORDS
from pytest_mala.plugin.made_id import made_id, place_of
from pytest_mala.plugin.properties import LOOSE, NOTE, note
from pytest_mala.plugin.recording import Watched
from pytest_mala.plugin.stash import APPLICATION, BARE_ERRORS, ISSUE, RECORDED_BY, SESSION_ERRORS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.case import CaseSettings

__all__ = ["InUse"]

MARKER: Final = "mala_cassette"
_MATCHES: Final = ("strict", "loose")
_ENDINGS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, pytest.exit.Exception)
"""What ends a run and not just a test: nothing is stored then."""

_BETWEEN: Final = ("pytest_mala", "claude_agent_sdk")


class InUse:
    """The cassette of one test, from its set-up to its teardown."""

    def __init__(self, request: pytest.FixtureRequest, settings: CaseSettings) -> None:
        self._item: pytest.Item = request.node
        self._item.stash[BARE_ERRORS] = WeakSet()
        with self._told():
            self._asked = _asked(request, settings)
        self.application = Application(self._asked)
        self._watched = Watched(self._asked.cassette, settings)
        self._has_failed = self._is_cut_off = False

    def open(self) -> None:
        """Raises HarnessError or UsageError: nothing of the test has begun yet."""
        with self._told():
            self.application.open()
        if self.application.is_recording and self._asked.settings.record.value != "none":
            with self._told():
                self._refuse_second()
        self._item.stash[APPLICATION] = self

    def check(self, error: BaseException | None) -> None:
        """The test's own code has ended, by this error if there is one. Raises what is to be told in its place."""
        self._has_failed = error is not None and not isinstance(error, pytest.skip.Exception)
        self._is_cut_off = isinstance(error, _ENDINGS)
        if self._is_cut_off:
            return
        pending = self.application.pending
        if pending is not None:
            self._has_failed = True
            self._item.stash[SESSION_ERRORS].add(pending)
            if error is None:
                self._item.stash[BARE_ERRORS].add(pending)
            raise pending.with_traceback(_of_user(error.__traceback__ if error is not None else None)) from None
        if error is None:
            self._has_failed = True
            with self._told():
                self.application.check()
            self._has_failed = False

    def close(self) -> None:
        """The test's fixtures are gone: check what was left for now, store, tidy up."""
        del self._item.stash[APPLICATION]
        try:
            if not self._is_cut_off:
                with self._told():
                    self.application.finish(has_failed=self._has_failed)
        finally:
            self.application.close()
            note(self._item, self._properties())

    def abandon(self) -> None:
        """The set-up failed: give back what was taken."""
        self.application.close()

    def _properties(self) -> Iterator[tuple[str, object]]:
        if self.application.is_stored or not self.application.is_recording:
            yield from self._watched.properties(is_replayed=not self.application.is_recording)
        if self._asked.is_loose and not self.application.is_recording:
            yield LOOSE, self._asked.where
        for text in self.application.notes:
            yield NOTE, f"{self._asked.where}: {text}"

    def _refuse_second(self) -> None:
        """Two tests may read one cassette, but each that records it would take it from the other."""
        recorded = self._item.config.stash.setdefault(RECORDED_BY, {})
        other = recorded.setdefault(self._asked.name, self._item.nodeid)
        if other != self._item.nodeid:
            raise UsageError(
                f"{place_of(self._item)}: mala_cassette: {self._asked.where} was recorded by {other} in this run "
                "already: give each test a name of its own, or record with --mala-record=once"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """An error of ours counts as one, whatever phase of the test it comes in; how we came to it says nothing."""
        try:
            yield
        except MalaError as error:
            self._item.stash[SESSION_ERRORS].add(error)
            self._item.stash[BARE_ERRORS].add(error)
            raise error.with_traceback(None) from None


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without what lies between the application's call of the SDK and us."""
    if trace is None:
        return None
    rest = _of_user(trace.tb_next)
    if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def _asked(request: pytest.FixtureRequest, settings: CaseSettings) -> Asked:
    item: pytest.Item = request.node
    place = f"{place_of(item)}: mala_cassette"
    if ISSUE in item.stash:
        raise UsageError(f"{place}: this test is made from an issue, which has a cassette of its own; take it away")
    name, match = _marked(item, place)
    places = _places(request)
    chosen = name if name is not None else made_id(item)
    return Asked(
        name=chosen,
        script=item.path.parent / f"{chosen}.model.yaml",
        workspace=places.get("TMP_PATH", item.config.rootpath),
        settings=settings,
        places=places,
        is_loose=(match or item.config.stash[SETTINGS].match) == "loose",
    )


def _marked(item: pytest.Item, place: str) -> tuple[str | None, str | None]:
    """Name and way of matching that the nearest marker gives."""
    mark = item.get_closest_marker(MARKER)
    if mark is None:
        return None, None
    given: dict[str, Any] = dict(mark.kwargs)
    if len(mark.args) > 1 or (mark.args and "name" in given):
        raise UsageError(f"{place}: expected one name, got {', '.join(map(repr, mark.args))}")
    if mark.args:
        given["name"] = mark.args[0]
    for unknown in sorted(set(given) - {"name", "match"}):
        raise UsageError(f"{place}: unknown keyword {unknown!r}: expected name or match")
    name, match = given.get("name"), given.get("match")
    if name is not None and not (isinstance(name, str) and re.fullmatch(ID, name, re.ASCII)):
        raise UsageError(f"{place}: expected {ID_WORDS}, got {name!r}")
    if match is not None and match not in _MATCHES:
        raise UsageError(f"{place}: match: expected strict or loose, got {match!r}")
    return name, match


def _places(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Folders of this run, by the name that stands for them; of equal ones the last counts."""
    item, plugins = request.node, request.config.pluginmanager
    found = {"HOME": Path.home(), "CWD": Path.cwd(), "ROOT": item.config.rootpath}
    if plugins.has_plugin("tmpdir"):
        found["BASETEMP"] = request.getfixturevalue("tmp_path_factory").getbasetemp()
        if "tmp_path" in request.fixturenames:
            found["TMP_PATH"] = request.getfixturevalue("tmp_path")
    return found
