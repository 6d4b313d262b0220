"""The sessions of a hand-written test: which issue each works on, and what the test is given of it."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import MalaError, UsageError
from pytest_mala.issue import Issue, load_issue
from pytest_mala.issue.given import LIMITS, PARTS, issue_of_prompt, refuse_unknown, with_given
from pytest_mala.plugin.made_id import made_id, place_of
from pytest_mala.plugin.properties import note
from pytest_mala.plugin.recording import Watched
from pytest_mala.plugin.settings import SUFFIXES
from pytest_mala.plugin.stash import SESSION_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_mala.case import Case, CaseSettings
    from pytest_mala.testing import SessionRun

__all__ = ["Sessions", "close_all"]

_HOW: Final = (
    "name one: `mala_session('issues/calc-1.md')`, `mala_session('What to do')` or `@pytest.mark.mala(issue=...)`"
)
_FACTS: Final = frozenset({"id", "type", "priority", "status", "labels"})
"""What the marker holds on tests that are made from issue files; on others it selects them for `-m`."""
_SPACE: Final = re.compile(r"\s")


class Sessions:
    """Runs the sessions of one test; `close` deletes their trees."""

    def __init__(
        self, item: pytest.Item, settings: CaseSettings, *, prompts: Any, agent_options: Mapping[str, Any], events: Any
    ) -> None:
        self._item = item
        self._settings = settings
        self._prompts = prompts
        self._agent_options = agent_options
        self._events = events
        self._cases: list[Case] = []
        self._is_running = self._is_closed = False

    async def run(self, what: Issue | Path | str | None = None, /, **given: Any) -> SessionRun:
        """One session, run to its end: on an issue, on the issue of a file (a path from the root folder), or on a
        prompt; by default on what the marker's `issue` names.

        Keywords stand for limits and fields of the issue (`gate_retries=1`, `idle="30s"`, `workspace="../repo"`), over
        those of the marker. Raises UsageError for something that can't be run, HarnessError as an issue's test does.
        """
        __tracebackhide__ = True
        try:
            return await self._run_alone(what, given)
        except MalaError as error:
            self._item.stash[SESSION_ERRORS].add(error)
            # how we came to it says nothing to the author of the test
            raise error.with_traceback(None) from None

    async def _run_alone(self, what: Issue | Path | str | None, given: Mapping[str, Any]) -> SessionRun:
        place = f"{place_of(self._item)}: mala_session"
        if self._is_closed:
            raise UsageError(f"{place}: the test is over, and its sessions with it; await it inside of the test")
        if self._is_running:
            # all that waits in a session waits on the test's one event loop, whose time is the session's
            raise UsageError(f"{place}: one session at a time in a test: await the first before the next begins")
        self._is_running = True
        try:
            return await self._run(*_asked(self._item, what, given))
        finally:
            self._is_running = False

    async def _run(self, what: Issue | Path | str | None, given: Mapping[str, Any]) -> SessionRun:
        from pytest_mala.case import Case  # late: a run without sessions must not pay for them
        from pytest_mala.session.sinks import RecordingSink
        from pytest_mala.testing import SessionRun, Tree

        issue = self._issue_of(what, given)
        events = RecordingSink()
        case = Case(
            issue,
            self._settings,
            prompts=self._prompts,
            agent_options=self._agent_options,
            events=[one for one in (events, self._events) if one is not None],
        )
        self._cases.append(case)
        watched = Watched(self._settings.cassettes / f"{issue.id}.yaml", self._settings)
        case.prepare()
        result = await case.run()
        note(self._item, watched.properties(is_replayed=case.is_replayed, kept=result.kept))
        return SessionRun(issue=issue, result=result, events=events, workspace=Tree(case.workspace))

    def close(self) -> None:
        """Delete the trees of all sessions; there are no more after this."""
        self._is_closed = True
        close_all(self._cases)

    def _issue_of(self, what: Issue | Path | str | None, given: Mapping[str, Any]) -> Issue:
        shown, root = place_of(self._item), self._item.config.rootpath
        if isinstance(what, Issue):
            return with_given(what, given, shown=shown)
        if isinstance(what, str) and not _is_path(what, root):
            if not _SPACE.search(what.strip()):
                raise UsageError(f"{shown}: mala_session: {what!r} is no path of an issue file and no prompt; {_HOW}")
            made = made_id(self._item, len(self._cases) + 1)
            return issue_of_prompt(what, given, issue_id=made, path=self._item.path, shown=shown)
        if isinstance(what, (str, Path)):
            if not _is_there(root / what):
                wanted = "correct the path, which starts at the root folder"
                raise UsageError(f"{shown}: mala_session: no such file: {str(what)!r}; {wanted} {str(root)!r}")
            name = str(what)
            issue = load_issue(root / what, shown=name if name.isprintable() else repr(name))
            return with_given(issue, given, shown=shown)
        raise UsageError(f"{shown}: mala_session: there is no issue to work on, got {what!r}; {_HOW}")


def close_all(cases: Sequence[Case]) -> None:
    """Close each case, also if the user interrupts that of another, and one that was interrupted once more."""
    with ExitStack() as stack:
        for case in cases:
            stack.callback(case.close)
            stack.callback(case.close)


def _is_path(text: str, root: Path) -> bool:
    """Whether a text names an issue file; a prompt may end with the name of one."""
    return text.endswith(SUFFIXES) and (not _SPACE.search(text) or _is_there(root / text))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a prompt is no path: too long, or with characters that no path has
        return False


def _asked(
    item: pytest.Item, what: Issue | Path | str | None, given: Mapping[str, Any]
) -> tuple[Issue | Path | str | None, Mapping[str, Any]]:
    """What to work on, and the keywords of the call over those of the markers."""
    if what is not None and "issue" in given:
        raise UsageError(f"{place_of(item)}: mala_session: got an issue and `issue=` too; leave out one of them")
    asked = {**_marked(item), **given}
    refuse_unknown(asked, ("issue", *LIMITS, *PARTS), place_of(item))
    marked = asked.pop("issue", None)
    return (marked if what is None else what), asked


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The keywords of the test's markers, the nearest one last, so that it has the last word."""
    given: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("mala"))):
        if mark.args:
            raise UsageError(f"{place_of(item)}: mala: the marker takes keywords only, got {mark.args[0]!r}; {_HOW}")
        given |= mark.kwargs
    return {name: value for name, value in given.items() if name not in _FACTS}
