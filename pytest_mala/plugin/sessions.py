"""The sessions of a hand-written test: which issue each works on, and what the test is given of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import MalaError, UsageError
from pytest_mala.issue import Issue, load_issue
from pytest_mala.issue.given import issue_of_prompt, with_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_mala.case import Case, CaseSettings
    from pytest_mala.testing import SessionRun

__all__ = ["Sessions"]

_HOW: Final = (
    "name one: `mala_session('issues/calc-1.md')`, `mala_session('What to do')` or `@pytest.mark.mala(issue=...)`"
)
_FACTS: Final = frozenset({"id", "type", "priority", "status", "labels"})
"""What the marker holds on tests that are made from issue files; on others it selects them for `-m`."""


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

    async def run(self, what: Issue | Path | str | None = None, **given: Any) -> SessionRun:
        """One session, run to its end: on an issue, on the issue of a file (a path from the root folder), or on a
        prompt; by default on what the marker's `issue` names.

        Keywords stand for limits and fields of the issue (`gate_retries=1`, `idle="30s"`, `workspace="../repo"`), over
        those of the marker. Raises UsageError for something that can't be run, HarnessError as an issue's test does.
        """
        __tracebackhide__ = True
        try:
            asked = {**_marked(self._item), **given}
            marked = asked.pop("issue", None)
            return await self._run(marked if what is None else what, asked)
        except MalaError as error:
            # how we came to it says nothing to the author of the test
            raise error.with_traceback(None) from None

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
        case.prepare()
        result = await case.run()
        return SessionRun(issue=issue, result=result, events=events, workspace=Tree(case.workspace))

    def close(self) -> None:
        """Delete the trees of all sessions."""
        for case in self._cases:
            case.close()

    def _issue_of(self, what: Issue | Path | str | None, given: Mapping[str, Any]) -> Issue:
        shown = _place(self._item)
        if isinstance(what, str) and not what.endswith(".md"):
            if not re.search(r"\s", what.strip()):
                raise UsageError(f"{shown}: mala_session: {what!r} is no path of an issue file and no prompt; {_HOW}")
            return issue_of_prompt(what, given, issue_id=self._made_id(), path=self._item.path, shown=shown)
        if isinstance(what, Issue):
            return with_given(what, given, shown=shown)
        if isinstance(what, (str, Path)):
            path = self._item.config.rootpath / what
            return with_given(load_issue(path, shown=str(what)), given, shown=shown)
        raise UsageError(f"{shown}: mala_session: there is no issue to work on, got {what!r}; {_HOW}")

    def _made_id(self) -> str:
        """The id for a prompt: the test's own name; a second session of the test has its number behind it."""
        name = f"{self._item.path.stem}-{self._item.name}"
        number = f"-{len(self._cases) + 1}" if self._cases else ""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:90].strip("-.") + number


def _marked(item: pytest.Item) -> Mapping[str, Any]:
    """The keywords of the test's markers, the nearest one last, so that it has the last word."""
    given: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("mala"))):
        if mark.args:
            raise UsageError(f"{_place(item)}: mala: the marker takes keywords only, got {mark.args[0]!r}; {_HOW}")
        given |= mark.kwargs
    return {name: value for name, value in given.items() if name not in _FACTS}


def _place(item: pytest.Item) -> str:
    path, line, _ = item.location
    return f"{path}:{line + 1}" if line is not None else path
