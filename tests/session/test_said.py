"""Every message of the session core is read whole: moves and ends of the lifecycle, log records, and what it awaits."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    HANG,
    AbleClient,
    AbleFactory,
    Fail,
    ProcessError,
    ResultMessage,
    ScriptedClient,
    ScriptedFactory,
    Wait,
    World,
    failing,
    finding,
    init,
    on_virtual_time,
    passing,
    reviewed,
    say,
    usage,
)

from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.config import AgentSessionInput, SessionExecutionState
from pytest_mala.session.events import BaseEventSink
from pytest_mala.session.lifecycle import ImplementerLifecycle, LifecycleConfig, LifecycleContext, LifecycleState
from pytest_mala.session.models import IssueResolution, ResolutionOutcome
from pytest_mala.session.stream import MessageIterationState
from pytest_mala.session.waiting import describe_wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mala.session.runner import AgentSessionRunner

    Feed = Callable[[ImplementerLifecycle, LifecycleContext], Any]

S, R = LifecycleState, EndReason
TURN = [say("working"), ResultMessage()]
FULL_TURN = [init(), say("a", usage=usage(190_000)), ResultMessage()]
CORE = "pytest_mala.session"


# The lifecycle


def machine_in(state: LifecycleState, **limits: Any) -> tuple[ImplementerLifecycle, LifecycleContext]:
    machine, ctx = ImplementerLifecycle(LifecycleConfig(**limits)), LifecycleContext()
    commit = "c1" if state is S.RUNNING_REVIEW else None
    for feed in (
        lambda: machine.start(),
        lambda: machine.on_messages_complete(ctx, has_session_id=True),
        lambda: machine.on_log_ready(ctx),
        lambda: machine.on_gate_result(ctx, passing(commit), 5),
    ):
        if machine.state is not state:
            feed()
    assert machine.state is state
    return machine, ctx


def gate(answer: Any) -> Feed:
    return lambda machine, ctx: machine.on_gate_result(ctx, answer, 50)


def review(answer: Any, *, no_progress: bool = False) -> Feed:
    return lambda machine, ctx: machine.on_review_result(ctx, answer, 50, no_progress=no_progress)


NO_ID = "The turn ended with a missing session id (no session ID)"
OBSOLETE = IssueResolution(ResolutionOutcome.OBSOLETE, "gone")
FATAL = "the reviewer reported a fatal error"


@pytest.mark.parametrize(
    ("state", "limit", "feed", "message", "result", "reason"),
    [
        (S.INITIAL, 3, lambda machine, ctx: machine.start(), "Session started", "", None),
        (S.PROCESSING, 3, lambda machine, ctx: machine.on_messages_complete(ctx, True), None, "", None),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_messages_complete(ctx, False),
            NO_ID, "No session ID received from the agent", R.AGENT_ERROR,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_turn_failed(ctx, R.BUDGET, "too long"),
            "The turn ended with an error: too long", "Agent error: too long", R.BUDGET,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_turn_broken(ctx, "no result"),
            "no result", "Agent error: no result", R.AGENT_ERROR,
        ),
        (S.PROCESSING, 3, lambda machine, ctx: machine.on_context_filled(ctx), "Context restart 1/3", "", None),
        (
            S.PROCESSING, 0, lambda machine, ctx: machine.on_context_filled(ctx),
            "No context restarts left", "Context full: all 0 restarts used", R.CONTEXT,
        ),
        (S.AWAITING_LOG, 3, lambda machine, ctx: machine.on_log_ready(ctx), None, "", None),
        (
            S.AWAITING_LOG, 3, lambda machine, ctx: machine.on_log_timeout(ctx, "/log"),
            "Log timeout: the session log did not come", "Session log not ready in time: /log", R.NO_LOG,
        ),
        (
            S.AWAITING_LOG, 3, lambda machine, ctx: machine.on_log_timeout(ctx, "/log", "no file"),
            "Log timeout: the session log did not come", "Session log not ready in time: /log (no file)", R.NO_LOG,
        ),
        (S.RUNNING_GATE, 3, gate(passing()), "Gate passed, review 1/3", "", None),
        (S.RUNNING_GATE, 3, gate(passing(None)), "Quality gate passed", "", R.PASSED),
        (S.RUNNING_GATE, 3, gate(passing(resolution=OBSOLETE)), "Quality gate passed", "", R.OBSOLETE),
        (S.RUNNING_GATE, 3, gate(failing("a", "b")), "Gate retry 2/3", "", None),
        (
            S.RUNNING_GATE, 1, gate(failing("a", "b")),
            "Quality gate failed, no retries left", "Quality gate failed: a; b", R.GATE_FAILED,
        ),
        (
            S.RUNNING_GATE, 3, gate(failing("a", no_progress=True)),
            "Quality gate failed, no retries left", "Quality gate failed: a", R.NO_PROGRESS,
        ),
        (S.RUNNING_REVIEW, 3, review(reviewed(passed=True)), "Review passed", "", R.PASSED),
        (S.RUNNING_REVIEW, 3, review(reviewed(finding(2))), "Review passed with 1 low-priority issues", "", R.PASSED),
        (S.RUNNING_REVIEW, 3, review(reviewed(finding(1))), "Review retry 2/3", "", None),
        (
            S.RUNNING_REVIEW, 1, review(reviewed(finding(1))),
            "Review failed, no retries left", "External review failed: a.py:3: bug", R.REVIEW_FAILED,
        ),
        (
            S.RUNNING_REVIEW, 3, review(reviewed(parse_error="bad json")),
            "Review parse error, review again 2/3: bad json", "", None,
        ),
        (
            S.RUNNING_REVIEW, 1, review(reviewed(parse_error="bad json")),
            "Review parse error, no retries left", "External review failed: bad json", R.REVIEW_FAILED,
        ),
        (
            S.RUNNING_REVIEW, 3, review(reviewed()),
            "Review unclear, review again 2/3: the reviewer said no and named nothing", "", None,
        ),
        (
            S.RUNNING_REVIEW, 1, review(reviewed()),
            "Review unclear, no retries left",
            "External review failed: the reviewer said no and named nothing", R.REVIEW_FAILED,
        ),
        (
            S.RUNNING_REVIEW, 3, review(reviewed(fatal_error=True)),
            "Review failed: unrecoverable error", f"External review failed: {FATAL}", R.REVIEW_FAILED,
        ),
        (
            S.RUNNING_REVIEW, 3, review(reviewed(), no_progress=True),
            "Review failed: no progress detected",
            "External review failed: No progress since the last review", R.NO_PROGRESS,
        ),
        (
            S.RUNNING_GATE, 3, lambda machine, ctx: machine.on_timeout(ctx, 30, "waiting for the gate"),
            "Timeout after 30 minutes: waiting for the gate",
            "Timeout after 30 minutes: waiting for the gate", R.TIMEOUT,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_timeout(ctx, 1.23456 / 60),
            "Timeout after 1.235 seconds", "Timeout after 1.235 seconds", R.TIMEOUT,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_idle(ctx, RuntimeError("silent")),
            "Agent idle: silent", "silent", R.IDLE,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_error(ctx, RuntimeError("boom ")),
            "Error: boom", "boom", R.AGENT_ERROR,
        ),
        (
            S.PROCESSING, 3, lambda machine, ctx: machine.on_abort(ctx, "the run was stopped"),
            "Aborted: the run was stopped", "the run was stopped", R.ABORTED,
        ),
    ],
)  # fmt: skip
def test_every_transition_says_what_it_is(
    state: LifecycleState, limit: int, feed: Feed, message: str | None, result: str, reason: EndReason | None
) -> None:
    machine, ctx = machine_in(state, max_gate_retries=limit, max_review_retries=limit, max_context_restarts=limit)
    assert (feed(machine, ctx).message, ctx.final_result, ctx.reason) == (message, result, reason)


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        (lambda machine, ctx: machine.on_timeout(ctx, 3), "TimedOut"),
        (lambda machine, ctx: machine.on_idle(ctx, RuntimeError("silent")), "silent"),
        (lambda machine, ctx: machine.on_error(ctx, ValueError()), "ValueError"),
        (lambda machine, ctx: machine.on_abort(ctx, "the run was stopped"), "the run was stopped"),
    ],
)
def test_what_came_too_late_is_named(feed: Feed, told: str) -> None:
    machine, ctx = machine_in(S.SUCCESS)
    assert feed(machine, ctx).message == f"the session is in a terminal state (SUCCESS); ignored: {told}"


@pytest.mark.parametrize(
    "answer",
    [reviewed(fatal_error=True), reviewed(parse_error="bad"), reviewed(), reviewed(finding(0)), reviewed(passed=True)],
)
def test_the_last_answers_of_gate_and_review_are_kept_at_every_end(answer: Any) -> None:
    machine, ctx = machine_in(S.RUNNING_REVIEW, max_review_retries=1)
    ctx.review_answer_due = True
    review(answer)(machine, ctx)
    assert machine.is_terminal
    assert (ctx.last_review_result, ctx.review_answer_due) == (answer, False)
    machine, ctx = machine_in(S.RUNNING_GATE, max_gate_retries=1)
    judged = failing(resolution=OBSOLETE)
    gate(judged)(machine, ctx)
    assert (ctx.last_gate_result, ctx.resolution) == (judged, OBSOLETE)


# The log


def records(caplog: pytest.LogCaptureFixture, module: str) -> list[tuple[str, str]]:
    """Level and message of everything that a module of the session core has logged."""
    return [(one.levelname, one.getMessage()) for one in caplog.records if one.name == f"{CORE}.{module}"]


def test_retries_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, CORE)
    factory = AbleFactory([init(), HANG], [HANG], [say("a"), Fail(ProcessError("exit -9"))], TURN)
    world = World(tmp_path, factory, settings={"idle_timeout_seconds": 100})
    assert world.run().success
    assert records(caplog, "iteration") == [
        ("INFO", "i1: idle, retry 1 of 2: resumed, same prompt again"),
        ("INFO", "i1: idle, retry 2 of 2: resumed, same prompt again"),
        ("INFO", "i1: crash, retry 1 of 5: resumed"),
    ]


def test_a_new_session_log_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, CORE)
    World(tmp_path, ScriptedFactory(TURN, [ResultMessage("s2")]), gates=[failing(), passing()]).run()
    path = tmp_path / "s2.jsonl"
    assert records(caplog, "run") == [("INFO", f"i1: new session log {path}, its evidence begins at 0")]


def test_the_first_message_of_a_turn_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, CORE)
    World(tmp_path, ScriptedFactory([Wait(2.5), *TURN])).run()
    assert records(caplog, "stream") == [("DEBUG", "i1: first message after 2.500 s")]


class Failing(BaseEventSink):
    """A sink that can't tell the end of a session."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_session_ended(self, *_: Any) -> None:
        raise self.error


@pytest.mark.parametrize("error", [OSError("disk full"), Divergence("one event too many")])
def test_a_sink_that_fails_at_the_end_is_logged_with_its_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    world = World(tmp_path, ScriptedFactory([HANG]), sink=Failing(error))  # type: ignore[arg-type]

    async def cancelled() -> None:
        task = asyncio.create_task(world.runner().run_session(AgentSessionInput("i1", "do it")))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_virtual_time(cancelled)
    assert records(caplog, "run") == [("WARNING", "the event sink failed at the end of the session")]
    [record] = [record for record in caplog.records if record.name == f"{CORE}.run"]
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_a_checkpoint_that_is_late_is_logged_with_the_issue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, AbleFactory(FULL_TURN, [HANG], [ResultMessage("s2")]), gates=[failing(), passing()])
    assert world.run().success
    assert records(caplog, "pressure") == [("WARNING", "i1: no complete checkpoint within 30 s")]


# What a session waits for


@pytest.mark.parametrize(
    ("state", "activity", "known", "idle", "told"),
    [
        (S.PROCESSING, "", {}, 600.0, "about to connect"),
        (S.PROCESSING, "connecting", {}, 600.0, "connecting"),
        (S.PROCESSING, "reading", {}, None, "waiting for a frame after the prompt; idle timer off"),
        (
            S.PROCESSING, "reading", {"last_seen": "text"}, 12.5,
            "waiting for a frame after `text`; idle timer on (12.5 s)",
        ),
        (
            S.PROCESSING, "reading", {"background": ("make", "npm test")}, 600.0,
            "waiting for a frame after the prompt; idle timer on (600 s), in the background: make, npm test",
        ),
        (
            S.PROCESSING, "reading",
            {"pending_tool_ids": {"t2", "t1"}, "tool_names": {"t1": "Bash"}, "background": ("make",)}, 600.0,
            "waiting for a frame after the prompt; idle timer off, tools pending: Bash (t1), tool (t2)"
            ", in the background: make",
        ),
        (S.AWAITING_LOG, "reading", {}, 600.0, "waiting for the session log s1.jsonl"),
        (S.RUNNING_GATE, "reading", {}, 600.0, "waiting for the gate"),
        (S.RUNNING_REVIEW, "reading", {}, 600.0, "waiting for the review"),
        (S.SUCCESS, "reading", {}, 600.0, "ended"),
    ],
)  # fmt: skip
def test_every_wait_has_its_words(
    state: LifecycleState, activity: str, known: dict[str, Any], idle: float | None, told: str
) -> None:
    machine, ctx = machine_in(state)
    session = SessionExecutionState(machine, ctx, log_path="s1.jsonl", msg_state=MessageIterationState(**known))  # type: ignore[arg-type]
    assert describe_wait(session, 2, activity, idle) == f"{told} (state {state.name}, turn 2)"


def test_every_wait_around_a_client_is_told(tmp_path: Path) -> None:
    told: dict[str, str] = {}
    runner: list[AgentSessionRunner] = []

    class Asking(AbleFactory):
        def create_options(self, **options: Any) -> object:
            told.setdefault("options", runner[0].describe())
            return super().create_options(**options)

        def create(self, options: object) -> ScriptedClient:
            told[self.announced[-1]] = runner[0].describe()
            return super().create(options)

    client = AbleClient([init(), ResultMessage(), HANG])
    client.hang_at = frozenset({"disconnect"})
    world = World(tmp_path, Asking(client, TURN), settings={"idle_timeout_seconds": 9, "idle_retry_backoff": (0.0,)})
    runner.append(world.runner())

    async def look() -> list[str]:
        task = asyncio.create_task(runner[0].run_session(AgentSessionInput("i1", "do it")))
        await asyncio.sleep(1)
        waits = [runner[0].describe()]
        await asyncio.sleep(10)
        waits.append(runner[0].describe())
        await task
        return waits

    assert on_virtual_time(look) == [
        "waiting for a frame after `result`; idle timer on (9 s) (state PROCESSING, turn 1)",
        "disconnecting (state PROCESSING, turn 1)",
    ]
    assert told["options"] == "not started (state INITIAL, turn 0)"
    assert not told["idle resume"].startswith("waiting")  # no seconds to wait, no wait to tell


def test_every_session_has_its_line(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([HANG], [say("a"), HANG]))

    async def look() -> str:
        runner = world.runner()
        given = [AgentSessionInput("i1", "p1"), AgentSessionInput("i2", "p2")]
        tasks = [asyncio.create_task(runner.run_session(one)) for one in given]
        await asyncio.sleep(1)
        told = runner.describe()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return told

    timer = "idle timer on (600 s) (state PROCESSING, turn 1)"
    assert on_virtual_time(look) == (
        f"waiting for a frame after the prompt; {timer}\nwaiting for a frame after `text`; {timer}"
    )
