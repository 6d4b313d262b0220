"""The fixtures behind an issue's test: a chain of small parts, each of which a project may override in conftest.py."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest

from pytest_mala.plugin.properties import note
from pytest_mala.plugin.recording import Watched
from pytest_mala.plugin.stash import ISSUE, SESSION_ERRORS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from pytest_mala.case import CaseResult, CaseSettings
    from pytest_mala.case.application import Application
    from pytest_mala.clock import VirtualClock
    from pytest_mala.issue import Issue
    from pytest_mala.testing import SessionRun

__all__ = [
    "mala_agent_options",
    "mala_case",
    "mala_cassette",
    "mala_clock",
    "mala_events",
    "mala_issue",
    "mala_prompts",
    "mala_session",
    "mala_settings",
    "mala_take",
]

CLOCK_START = datetime(2000, 1, 1, tzinfo=UTC)
"""Where `mala_clock` begins: a fixed instant, so that equal runs see equal times."""


@pytest.fixture
def mala_issue(request: pytest.FixtureRequest) -> Issue:
    """The issue that the test was made from."""
    if ISSUE not in request.node.stash:
        pytest.fail("mala_issue is only there in tests that are made from issue files", pytrace=False)
    issue: Issue = request.node.stash[ISSUE]
    return issue


@pytest.fixture
def mala_take() -> int:
    """The number of the take that is played or recorded; an issue has a test for each take of its cassette."""
    return 1


@pytest.fixture
def mala_settings(request: pytest.FixtureRequest, mala_take: int) -> CaseSettings:
    """Lane, record mode, folders and clock of the test's sessions, from the command line and the ini file."""
    # the session's rooms are loaded with the first test that needs them
    from pytest_mala.case import CaseSettings, Lane, RecordMode, StaleMode

    settings = request.config.stash[SETTINGS]
    # a command is filled in by `format`, so braces in a path are doubled
    command = record_command(f"{settings.shown(request.path)}::{request.node.nodeid.split('::', 1)[1]}")
    return CaseSettings(
        lane=Lane(settings.lane),
        record=RecordMode(settings.record),
        cassettes=settings.cassette_dir,
        prompts=settings.prompts_dir,
        frozen=settings.frozen,
        stale=StaleMode(settings.stale),
        take=mala_take,
        takes=settings.takes,
        plays=settings.plays,
        allow_incomplete=settings.allow_incomplete,
        kept_in=_kept_in(request.config),
        rootdir=settings.rootdir,
        record_command=command.replace("{", "{{").replace("}", "}}"),
    )


def _kept_in(config: pytest.Config) -> Path | None:
    """Our folder in pytest's cache; None without that plugin (`-p no:cacheprovider`), or where it can't be made."""
    cache = getattr(config, "cache", None)
    try:
        return None if cache is None else cache.mkdir("mala")
    except OSError:
        return None


def record_command(test: str) -> str:
    """The command that records the test's cassette anew; where the model script is missing, it says so when it runs."""
    return f"pytest {shlex.quote(test)} --mala-lane=scripted --mala-record=all"


@pytest.fixture
def mala_prompts() -> Any:
    """The prompts of the session; None takes those of the ini value `mala_prompts`, else the ones that come with us."""
    return None


@pytest.fixture
def mala_agent_options() -> dict[str, Any]:
    """Options of the SDK's client; they have the last word over what the issue says."""
    return {}


@pytest.fixture
def mala_events() -> Any:
    """A sink that hears of all that the test's sessions do; this one keeps it, in order. None: nobody listens."""
    from pytest_mala.session.sinks import RecordingSink  # late for the same reason as in mala_settings

    return RecordingSink()


@pytest.fixture
def mala_case(
    request: pytest.FixtureRequest,
    mala_issue: Issue,
    mala_settings: CaseSettings,
    mala_prompts: Any,
    mala_agent_options: dict[str, Any],
    mala_events: Any,
) -> Iterator[Callable[[], Awaitable[CaseResult]]]:
    """The coroutine function that works on the issue; overriding it replaces the whole session.

    What is wrong before the session (no cassette, no workspace) is raised here, so pytest calls it an ERROR.
    """
    from pytest_mala.case import Case  # late for the same reason as in mala_settings
    from pytest_mala.plugin.sessions import close_all

    case = Case(
        mala_issue,
        mala_settings,
        prompts=mala_prompts,
        agent_options=mala_agent_options,
        events=[mala_events] if mala_events is not None else [],
    )
    watched = Watched(mala_settings.cassettes / f"{mala_issue.id}.yaml", mala_settings)

    async def run() -> CaseResult:
        result = await case.run()
        note(request.node, watched.properties(is_replayed=case.is_replayed, kept=result.kept))
        return result

    try:
        case.prepare()
        yield run
    finally:
        close_all([case])


@pytest.fixture
def mala_session(
    request: pytest.FixtureRequest,
    mala_settings: CaseSettings,
    mala_prompts: Any,
    mala_agent_options: dict[str, Any],
    mala_events: Any,
) -> Iterator[Callable[..., Awaitable[SessionRun]]]:
    """For tests written by hand: `run = await mala_session("issues/calc-1.md")` runs a session and gives what can be
    asserted about it; its tree is there until the test ends. See `Sessions.run` for the arguments.
    """
    from pytest_mala.plugin.options import is_in_session
    from pytest_mala.plugin.sessions import Sessions

    if is_in_session(request.config.rootpath):
        pytest.skip("this is the workspace of a session, whose checks run no sessions of their own")
    _expect_errors(request)
    sessions = Sessions(
        request.node,
        mala_settings,
        prompts=mala_prompts,
        agent_options=mala_agent_options,
        events=mala_events,
    )
    try:
        yield sessions.run
    finally:
        sessions.close()


def _expect_errors(request: pytest.FixtureRequest) -> None:
    """From here on errors of ours in this test are reported as what they are."""
    from pytest_mala.plugin import report_hooks

    plugins = request.config.pluginmanager
    if not plugins.has_plugin("mala-report-hooks"):
        plugins.register(report_hooks, "mala-report-hooks")
    request.node.stash.setdefault(SESSION_ERRORS, WeakSet())


@pytest.fixture
def mala_cassette(request: pytest.FixtureRequest, mala_settings: CaseSettings) -> Iterator[Application]:
    """The cassette behind every `ClaudeSDKClient` and `query()` of the test's own code; see docs/any-application.md.

    What is wrong before the test (no cassette, no model script) is raised here, so pytest calls it an ERROR.
    """
    from pytest_mala.plugin import application_hooks
    from pytest_mala.plugin.applications import InUse

    plugins = request.config.pluginmanager
    if not plugins.has_plugin("mala-application-hooks"):
        plugins.register(application_hooks, "mala-application-hooks")
    _expect_errors(request)
    used = InUse(request, mala_settings)
    try:
        used.open()
    except BaseException:
        used.abandon()
        raise
    if "mala_clock" in request.fixturenames:
        request.getfixturevalue("mala_clock").describe = used.application.describe
    yield used.application
    used.close()


@pytest.fixture
def mala_clock(pytestconfig: pytest.Config) -> VirtualClock:
    """A virtual clock that starts at 2000-01-01 00:00 UTC; enter it with `with mala_clock:` inside an async test."""
    from pytest_mala.clock import VirtualClock  # it brings freezegun, which no other test needs

    return VirtualClock(CLOCK_START, frozen=pytestconfig.stash[SETTINGS].frozen)
