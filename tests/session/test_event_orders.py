"""The event orders of session:6.9, path by path: every row E1-E14 with all its events, end and reason included.

E5 has PASS after the second gate (session:X4), and every end is told with its reason (session:X5). The states that a
session passes through stand beside the events; what callbacks and prompts see on these paths is in test_runner.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    HANG,
    Fail,
    ResultMessage,
    ScriptedFactory,
    Wait,
    World,
    answer,
    failing,
    finding,
    init,
    passing,
    reviewed,
    say,
    usage,
    use,
)

from pytest_mala.session.models import IssueResolution, ResolutionOutcome
from pytest_mala.session.sinks import RecordingSink, SinkEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mala.session.config import SessionCallbacks

OK = [say("working"), ResultMessage()]
FULL = [init(), say("a", usage=usage(190_000)), ResultMessage()]
OBSOLETE = IssueResolution(ResolutionOutcome.OBSOLETE, "gone")

P = ["on_lifecycle_state(i1, state=PROCESSING)"]
TURN = ["on_lifecycle_state(i1, state=AWAITING_LOG)", "on_log_waiting(i1)", "on_log_ready(i1)"]
PASS = ["on_gate_passed(i1)", "on_validation_result(i1, passed=True)"]
REVIEW_PASSED = ["on_review_passed(i1)"]


def gate(attempt: int, limit: int = 3) -> list[str]:
    return ["on_validation_started(i1)", f"on_gate_started(i1, attempt={attempt}, max_attempts={limit})"]


def gate_said_no(name: str, attempt: int, reasons: str = "['tests fail']", limit: int = 3) -> list[str]:
    return [
        f"{name}(i1, attempt={attempt}, max_attempts={limit})",
        f"on_gate_result(i1, passed=False, failure_reasons={reasons})",
        "on_validation_result(i1, passed=False)",
    ]


def review(attempt: int, limit: int = 3) -> list[str]:
    return [f"on_review_started(i1, attempt={attempt}, max_attempts={limit})"]


def review_retry(attempt: int, count: int, limit: int = 3) -> list[str]:
    return [f"on_review_retry(i1, attempt={attempt}, max_attempts={limit}, error_count={count})"]


def again(why: str) -> list[str]:
    return [f"on_warning(i1, message='Review without a usable answer, asking again: {why}')"]


def ended(reason: str, summary: str = "done") -> list[str]:
    shown = summary if summary == "done" else repr(summary)
    return [f"on_session_ended(i1, reason=EndReason.{reason}, summary={shown})"]


DONE = ended("PASSED")


def review_ended(text: str, reason: str = "REVIEW_FAILED") -> list[str]:
    """A review's end is told twice: as the review's, and as the session's."""
    summary = f"External review failed: {text}"
    return [f"on_review_failed(i1, reason={summary!r})", *ended(reason, summary)]


@dataclass
class Row:
    """One path: what the peers do, which events come, and the states on the way (their initials, see `STATES`)."""

    id: str
    turns: list[Any]
    events: list[str]
    states: str
    gates: list[Any] = field(default_factory=lambda: [passing()])
    reviews: list[Any] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    no_progress: Callable[..., bool] | None = None
    without: tuple[str, ...] = ()
    is_log_missing: bool = False


STATES = {
    "I": "INITIAL",
    "P": "PROCESSING",
    "L": "AWAITING_LOG",
    "G": "RUNNING_GATE",
    "R": "RUNNING_REVIEW",
    "S": "SUCCESS",
    "F": "FAILED",
}

PASSED_ALONE = [*P, *TURN, *gate(1), *PASS]
ROWS = [
    Row("E1 review off", [OK], [*PASSED_ALONE, *DONE], "PLGS"),
    Row("E1 no commit", [OK], [*PASSED_ALONE, *DONE], "PLGS", gates=[passing(None)], reviews=[None]),
    Row(
        "E1 a resolution that skips the review",
        [OK],
        [*PASSED_ALONE, *ended("OBSOLETE")],
        "PLGS",
        gates=[passing("c1", resolution=OBSOLETE)],
        reviews=[None],
    ),
    Row(
        "E2 gate and review pass",
        [OK],
        [*PASSED_ALONE, *review(1), *REVIEW_PASSED, *DONE],
        "PLGRS",
        reviews=[reviewed(passed=True)],
    ),
    Row(
        "E2 only lesser findings",
        [OK],
        [*PASSED_ALONE, *review(1), *REVIEW_PASSED, *DONE],
        "PLGRS",
        reviews=[reviewed(finding(2), finding(3), finding(None))],
    ),
    Row(
        "E3 the gate fails once, then passes",
        [OK, OK],
        [
            *P, *TURN, *gate(1), *gate_said_no("on_gate_retry", 2, "['a', 'b']"), *TURN, *gate(2), *PASS, *DONE,
        ],
        "PLGPLGS",
        gates=[failing("a", "b"), passing()],
    ),
    Row(
        "E4 the gate's attempts are used up",
        [OK, OK],
        [
            *P, *TURN, *gate(1, 2), *gate_said_no("on_gate_retry", 2, limit=2),
            *TURN, *gate(2, 2), *gate_said_no("on_gate_failed", 2, limit=2),
            *ended("GATE_FAILED", "Quality gate failed: tests fail"),
        ],
        "PLGPLGF",
        gates=[failing(), failing()],
        settings={"max_gate_retries": 2},
    ),
    Row(
        "E4 no progress at the gate",
        [OK],
        [
            *P, *TURN, *gate(1), *gate_said_no("on_gate_failed", 1),
            *ended("NO_PROGRESS", "Quality gate failed: tests fail"),
        ],
        "PLGF",
        gates=[failing(no_progress=True)],
    ),
    Row(
        "E5 the review blocks once, then passes; PASS after the second gate too",
        [OK, OK],
        [
            *PASSED_ALONE, *review(1), *review_retry(2, 2),
            *TURN, *gate(1), *PASS, *review(2), *REVIEW_PASSED, *DONE,
        ],
        "PLGRPLGRS",
        gates=[passing("c1"), passing("c2")],
        reviews=[reviewed(finding(0), finding(1), finding(2)), reviewed(passed=True)],
        no_progress=lambda path, offset, before, now: before == now,
    ),
    Row(
        "E6 the review blocks, then no progress",
        [OK, OK],
        [
            *PASSED_ALONE, *review(1), *review_retry(2, 1), *TURN, *gate(1), *PASS,
            "on_review_skipped_no_progress(i1)",
            *review_ended("No progress since the last review", "NO_PROGRESS"),
        ],
        "PLGRPLGRF",
        gates=[passing("c1"), passing("c1")],
        reviews=[reviewed(finding(0))],
        no_progress=lambda path, offset, before, now: before == now,
    ),
    Row(
        "E7 the reviewer's answer can't be read, then it passes",
        [OK],
        [*PASSED_ALONE, *review(1), *again("bad json"), *review(2), *REVIEW_PASSED, *DONE],
        "PLGRRS",
        reviews=[reviewed(parse_error="bad json"), reviewed(passed=True)],
    ),
    Row(
        "E7 the reviewer says no and names nothing, then it passes",
        [OK],
        [
            *PASSED_ALONE, *review(1), *again("the reviewer said no and named nothing"),
            *review(2), *REVIEW_PASSED, *DONE,
        ],
        "PLGRRS",
        reviews=[reviewed(), reviewed(passed=True)],
    ),
    Row(
        "E8 no usable answer until the attempts are used up",
        [OK],
        [*PASSED_ALONE, *review(1, 2), *again("bad"), *review(2, 2), *review_ended("bad")],
        "PLGRRF",
        reviews=[reviewed(parse_error="bad"), reviewed(parse_error="bad")],
        settings={"max_review_retries": 2},
    ),
    Row(
        "E8 fatal",
        [OK],
        [*PASSED_ALONE, *review(1), *review_ended("no quota")],
        "PLGRF",
        reviews=[reviewed(parse_error="no quota", fatal_error=True)],
    ),
    Row(
        "E8 blocking findings until the attempts are used up",
        [OK, OK],
        [
            *PASSED_ALONE, *review(1, 2), *review_retry(2, 1, 2),
            *TURN, *gate(1), *PASS, *review(2, 2), *review_ended("a.py:3: bug"),
        ],
        "PLGRPLGRF",
        gates=[passing("c1"), passing("c2")],
        reviews=[reviewed(finding(0)), reviewed(finding(0))],
        settings={"max_review_retries": 2},
    ),
    Row(
        "E9 the log is missing",
        [OK],
        [
            *P, *TURN[:2], "on_log_timeout(i1, log_path='{log}')",
            *ended("NO_LOG", "Session log not ready in time: {log} (the file does not exist)"),
        ],
        "PLF",
        is_log_missing=True,
    ),
    Row(
        "E10 no session id",
        [[ResultMessage(None)]],
        [*P, "on_lifecycle_state(i1, state=FAILED)", *ended("AGENT_ERROR", "No session ID received from the agent")],
        "PF",
    ),
    Row(
        "E11 an error in a turn",
        [[init(), Fail(RuntimeError("the pipe broke"))]],
        [*P, *ended("AGENT_ERROR", "the pipe broke")],
        "PF",
    ),
    Row(
        "E11 an error result",
        [[ResultMessage(is_error=True, result="API Error: 529")]],
        [*P, *ended("AGENT_ERROR", "Agent error: API Error: 529 (an error result)")],
        "PF",
    ),
    Row(
        "E11 a stream without a result",
        [[init(), say("a")]],
        [*P, *ended("AGENT_ERROR", "Agent error: the stream ended without a result, after text")],
        "PF",
    ),
    Row(
        "E11 the session's time is up",
        [[init(), say("a"), HANG]],
        [
            *P,
            *ended(
                "TIMEOUT",
                "Timeout after 30 seconds: waiting for a frame after `text`; idle timer off (state PROCESSING, turn 1)",
            ),
        ],
        "PF",
        settings={"timeout_seconds": 30, "idle_timeout_seconds": 0},
    ),
    Row(
        "E11 idle, with one retry",
        [[init(), HANG], [say("a"), HANG]],
        [
            *P, "on_idle_retry(i1, attempt=1, max_attempts=1, how='resumed, same prompt again')",
            *ended(
                "IDLE",
                "Agent idle: all 1 retries used (Agent idle for 9 seconds):"
                " waiting for a frame after `text`; idle timer on (9 s) (state PROCESSING, turn 1)",
            ),
        ],
        "PF",
        settings={"idle_timeout_seconds": 9, "max_idle_retries": 1},
    ),
    Row(
        "E12 a context restart after a failed gate",
        [FULL, [say("half done"), ResultMessage()], [ResultMessage("s3")]],
        [
            *P, *TURN, *gate(1), *gate_said_no("on_gate_retry", 2),
            "on_context_restart(i1, restart=1, max_restarts=5, checkpoint_chars=9, timed_out=False)",
            *P, *TURN, *gate(2), *PASS, *DONE,
        ],
        "PLGPIPLGS",
        gates=[failing(), passing()],
    ),
    Row(
        "E12 a context restart in mid-turn",
        [
            [init(), use("t1", usage=usage(190_000)), answer("t1"), HANG],
            [say("half done"), ResultMessage()],
            [ResultMessage("s3")],
        ],
        [
            *P, "on_context_restart(i1, restart=1, max_restarts=5, checkpoint_chars=9, timed_out=False)",
            *P, *TURN, *gate(1), *PASS, *DONE,
        ],
        "PIPLGS",
    ),
    Row(
        "E12 no restart is left",
        [FULL],
        [
            *P, *TURN, *gate(1), *gate_said_no("on_gate_retry", 2),
            *ended("CONTEXT", "Context full: all 0 restarts used"),
        ],
        "PLGPF",
        gates=[failing()],
        settings={"max_context_restarts": 0},
    ),
    Row(
        "E13 no time at the start",
        [],
        ended("TIMEOUT", "Timeout after 0 seconds"),
        "F",
        settings={"timeout_seconds": 0},
    ),
    Row(
        "E13 no time is left for the turn after a restart",
        [[*FULL[:1], Wait(20), *FULL[1:]], [HANG]],
        [
            *P, *TURN, *gate(1), *gate_said_no("on_gate_retry", 2),
            *ended("TIMEOUT", "Timeout after 30 seconds: waiting for a checkpoint (state INITIAL, turn 1)"),
        ],
        "PLGPIF",
        gates=[failing()],
        settings={"timeout_seconds": 30},
    ),
    Row(
        "E14 no gate callback",
        [OK],
        [*P, *TURN, *gate(1), *ended("AGENT_ERROR", "on_gate_check callback must be set")],
        "PLGF",
        without=("on_gate_check",),
    ),
    Row(
        "E14 the gate callback raises",
        [OK],
        [*P, *TURN, *gate(1), *ended("AGENT_ERROR", "no git here")],
        "PLGF",
        gates=[ValueError("no git here")],
    ),
    Row(
        "E14 no review callback",
        [OK],
        [*PASSED_ALONE, *review(1), *ended("AGENT_ERROR", "on_review_check callback must be set")],
        "PLGRF",
        reviews=[None],
        without=("on_review_check",),
    ),
    Row(
        "E14 the review callback raises",
        [OK],
        [*PASSED_ALONE, *review(1), *ended("AGENT_ERROR", "no reviewer here")],
        "PLGRF",
        reviews=[ValueError("no reviewer here")],
    ),
]  # fmt: skip


def test_every_row_of_the_specification_is_there() -> None:
    assert sorted({int(row.id.split()[0].removeprefix("E")) for row in ROWS}) == list(range(1, 15))


def callbacks_of(row: Row, world: World) -> SessionCallbacks:
    callbacks = dataclasses.replace(world.all_callbacks(), **dict.fromkeys(row.without))
    if row.is_log_missing:
        callbacks.get_log_path = lambda session_id: world.folder / "nowhere"
    return callbacks


def told(sink: RecordingSink) -> list[SinkEvent]:
    """All but the states, which are looked at on their own."""
    return [event for event in sink.events if event.name != "on_state_entered"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_events_come_in_the_order_of_the_row(row: Row, tmp_path: Path) -> None:
    sink = RecordingSink()
    # answers are used up, and the rows are there for every run
    world = World(
        tmp_path,
        ScriptedFactory(*row.turns),
        gates=list(row.gates),
        reviews=list(row.reviews),
        sink=sink,  # type: ignore[arg-type]
        settings=row.settings,
        no_progress=row.no_progress,
    )
    world.callbacks = callbacks_of(row, world)
    output = world.run()
    log = str(tmp_path / "nowhere")
    assert [str(event) for event in told(sink)] == [line.replace("{log}", log) for line in row.events]
    states = [event.arguments["state"] for event in sink.named("on_state_entered")]
    assert states == [STATES[initial] for initial in row.states]
    (end,) = sink.named("on_session_ended")
    assert (end.arguments["reason"], end.arguments["summary"]) == (output.reason, output.summary)
    assert {event.arguments.get("agent_id") for event in sink.events} == {"i1"}
    assert len(world.called("gate")) == row.states.count("G") - row.without.count("on_gate_check")
    assert len(world.factory.created) == len(row.turns)
