"""The decision table of retries, row by row."""

from __future__ import annotations

import pytest

from pytest_mala.session.retry import Attempt, Cause, Refused, Retry, Spent, backoff_seconds, crash_cause, decide_retry

FIRST = Attempt(prompt="do it", resume=None, resumed_first=False)
LATER = Attempt(prompt="fix it", resume="s1", resumed_first=True)


def spent(**known: object) -> Spent:
    return Spent(**{"used": 0, "allowed": 2, "session_id": None, "tool_calls": 0, "answered": True, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize("cause", list(Cause))
def test_a_used_up_budget_is_refused_whatever_else_is_known(cause: Cause) -> None:
    what = "Agent idle" if cause is Cause.IDLE else f"Agent lost ({cause.value})"
    decision = decide_retry(cause, LATER, spent(used=2, session_id="s1"), "go on")
    assert decision == Refused(text=f"{what}: all 2 retries used")


@pytest.mark.parametrize("cause", [Cause.IDLE, Cause.CRASH])
def test_silence_and_crash_share_their_rows(cause: Cause) -> None:
    what = {Cause.IDLE: "Agent idle", Cause.CRASH: "Agent lost (crash)"}[cause]
    rows = [
        (
            spent(session_id="s1"),
            Retry(attempt=Attempt(prompt="go on", resume="s1", resumed_first=True), how="resumed"),
        ),
        (
            spent(session_id="s1", answered=False),
            Retry(attempt=Attempt(prompt="fix it", resume="s1", resumed_first=True), how="resumed, same prompt again"),
        ),
        (spent(), Retry(attempt=Attempt(prompt="fix it", resume=None, resumed_first=False), how="fresh session")),
        (
            spent(tool_calls=3),
            Refused(text=f"{what} after 3 tool calls without a session id: a retry could repeat them"),
        ),
    ]
    for known, decision in rows:
        assert decide_retry(cause, LATER, known, "go on") == decision


def test_an_unknown_session_is_begun_again_only_where_nothing_is_lost_or_repeated() -> None:
    resumed = Attempt(prompt="go on", resume="s1", resumed_first=False)
    fresh = Retry(attempt=Attempt(prompt="go on", resume=None, resumed_first=False), how="fresh session")
    lost = Refused(
        text="Agent lost (unknown session id): session s1 can't be resumed, and a fresh one would lose its history"
    )
    assert decide_retry(Cause.STALE, resumed, spent(session_id="s1"), "x") == fresh
    assert decide_retry(Cause.STALE, resumed, spent(session_id="s1", tool_calls=1), "x") == lost
    assert decide_retry(Cause.STALE, LATER, spent(session_id="s1"), "x") == lost


def named(name: str, *bases: type[Exception]) -> type[Exception]:
    return type(name, bases or (Exception,), {})


@pytest.mark.parametrize(
    ("error", "connected", "resume", "cause"),
    [
        (named("ProcessError")("x"), True, None, Cause.CRASH),
        (named("CLIConnectionError")("x"), True, "s1", Cause.CRASH),
        (named("Sub", named("ProcessError"))("x"), True, None, Cause.CRASH),
        (named("ProcessError")("x"), False, None, None),
        (named("CLINotFoundError", named("CLIConnectionError"))("x"), True, None, None),
        (named("ResultError", named("ProcessError"))("API"), True, "s1", None),
        (named("ResultError", named("ProcessError"))("No conversation found with ..."), False, "s1", Cause.STALE),
        (named("ResultError", named("ProcessError"))("No conversation found with ..."), False, None, None),
        (named("ResultError", named("ProcessError"))("other"), False, "s1", None),
        (RuntimeError("x"), True, "s1", None),
    ],
)
def test_errors_are_told_apart_by_their_class_names(
    error: Exception, connected: bool, resume: str | None, cause: Cause | None
) -> None:
    assert crash_cause(error, is_connected=connected, resume=resume) is cause


@pytest.mark.parametrize(
    ("count", "steps", "seconds"),
    [(0, (1.0,), 0), (1, (), 0), (1, (0.0, 5.0), 0), (2, (0.0, 5.0), 5), (9, (0.0, 5.0), 5)],
)
def test_the_last_step_of_a_back_off_holds(count: int, steps: tuple[float, ...], seconds: float) -> None:
    assert backoff_seconds(count, steps) == seconds
