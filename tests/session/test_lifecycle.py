"""The lifecycle's table: every cell, every reachable state and counters, and the rows of session:2."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from session_peers import failing, finding, passing, reviewed

from pytest_mala.issue.model import EndReason
from pytest_mala.session import happenings as happened
from pytest_mala.session.lifecycle import (
    ILLEGAL,
    LATE,
    TABLE,
    ContextUsage,
    Effect,
    ImplementerLifecycle,
    LifecycleConfig,
    LifecycleContext,
    LifecycleState,
    TransitionResult,
)
from pytest_mala.session.models import IssueResolution, ResolutionOutcome

S, E = LifecycleState, Effect
EVENT_TYPES = list(happened.Event.__args__)  # type: ignore[attr-defined]
SKIPPING = [ResolutionOutcome.NO_CHANGE, ResolutionOutcome.OBSOLETE, ResolutionOutcome.ALREADY_COMPLETE]
FEED: dict[type, Any] = {
    happened.Started: lambda machine, ctx: machine.start(),
    happened.TurnEnded: lambda machine, ctx: machine.on_messages_complete(ctx, True),
    happened.TurnFailed: lambda machine, ctx: machine.on_turn_failed(ctx, EndReason.BUDGET, "turns used up"),
    happened.TurnBroken: lambda machine, ctx: machine.on_turn_broken(ctx, "no result"),
    happened.ContextFilled: lambda machine, ctx: machine.on_context_filled(ctx),
    happened.LogReady: lambda machine, ctx: machine.on_log_ready(ctx),
    happened.LogTimedOut: lambda machine, ctx: machine.on_log_timeout(ctx, "/log"),
    happened.GateAnswered: lambda machine, ctx: machine.on_gate_result(ctx, failing(), 5),
    happened.ReviewAnswered: lambda machine, ctx: machine.on_review_result(ctx, reviewed(finding()), 5),
    happened.TimedOut: lambda machine, ctx: machine.on_timeout(ctx, 10),
    happened.WentIdle: lambda machine, ctx: machine.on_idle(ctx, RuntimeError("silent")),
    happened.Erred: lambda machine, ctx: machine.on_error(ctx, RuntimeError("boom")),
    happened.Aborted: lambda machine, ctx: machine.on_abort(ctx, "stopped"),
}
PATHS: dict[LifecycleState, list[type]] = {
    S.INITIAL: [],
    S.PROCESSING: [happened.Started],
    S.AWAITING_LOG: [happened.Started, happened.TurnEnded],
    S.RUNNING_GATE: [happened.Started, happened.TurnEnded, happened.LogReady],
    S.FAILED: [happened.Erred],
}


def machine_in(state: LifecycleState, **limits: Any) -> tuple[ImplementerLifecycle, LifecycleContext]:
    machine, ctx = ImplementerLifecycle(LifecycleConfig(**limits)), LifecycleContext()
    if state in (S.RUNNING_REVIEW, S.SUCCESS):
        machine, ctx = machine_in(S.RUNNING_GATE, **limits)
        machine.on_gate_result(ctx, passing("c1" if state is S.RUNNING_REVIEW else None), 5)
    for event in PATHS.get(state, []):
        FEED[event](machine, ctx)
    assert machine.state is state
    return machine, ctx


def at_gate(**limits: Any) -> tuple[ImplementerLifecycle, LifecycleContext]:
    return machine_in(S.RUNNING_GATE, **limits)


def at_review(**limits: Any) -> tuple[ImplementerLifecycle, LifecycleContext]:
    return machine_in(S.RUNNING_REVIEW, **limits)


def answer_gate(result: Any, **limits: Any) -> tuple[TransitionResult, LifecycleContext]:
    machine, ctx = at_gate(**limits)
    return machine.on_gate_result(ctx, result, 50), ctx


def answer_review(
    result: Any, *, no_progress: bool = False, **limits: Any
) -> tuple[TransitionResult, LifecycleContext]:
    machine, ctx = at_review(**limits)
    return machine.on_review_result(ctx, result, 50, no_progress=no_progress), ctx


# The table as a whole


def test_the_table_is_total_over_states_and_events() -> None:
    assert list(TABLE) == list(LifecycleState)
    assert all(list(row) == EVENT_TYPES for row in TABLE.values())
    assert set(FEED) == set(EVENT_TYPES)


def test_states_and_effects_have_the_contracts_values() -> None:
    assert [state.value for state in S] == [1, 2, 3, 4, 5, 6, 7]
    assert [effect.value for effect in E] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("state", "event"),
    list(itertools.product(S, EVENT_TYPES)),
    ids=lambda value: value.__name__ if isinstance(value, type) else value.name,
)
def test_every_cell_does_what_it_says(state: LifecycleState, event: type) -> None:
    machine, ctx = machine_in(state)
    before = copy.deepcopy(ctx)
    cell = TABLE[state][event]
    if cell is ILLEGAL:
        wanted = "Cannot start from state" if event is happened.Started else "Unexpected state"
        with pytest.raises(ValueError, match=wanted):
            FEED[event](machine, ctx)
        assert (machine.state, ctx) == (state, before)
    elif cell is LATE:
        result = FEED[event](machine, ctx)
        assert (machine.state, ctx) == (state, before)
        assert (result.state, result.effect) == (state, E.COMPLETE_FAILURE)
        assert "terminal" in result.message
    else:
        result = FEED[event](machine, ctx)
        assert result.state is machine.state
        assert (result.effect in (E.COMPLETE_SUCCESS, E.COMPLETE_FAILURE)) is machine.is_terminal
        assert (ctx.reason is not None) is machine.is_terminal


def test_an_answer_that_can_not_be_read_changes_nothing() -> None:
    machine, ctx = at_review()
    before = copy.deepcopy(ctx)
    with pytest.raises(TypeError):
        machine.on_review_result(ctx, reviewed().__class__(passed=True, issues=None), 5)  # type: ignore[arg-type]
    assert (machine.state, ctx) == (S.RUNNING_REVIEW, before)


def test_illegal_events_are_told_in_one_line() -> None:
    machine, ctx = at_gate()
    with pytest.raises(ValueError, match=r"^Unexpected state RUNNING_GATE for LogReady: nothing was changed$"):
        machine.on_log_ready(ctx)
    with pytest.raises(ValueError, match=r"^Cannot start from state RUNNING_GATE: a session is started once$"):
        machine.start()


# Exhaustive exploration

GATES = [
    passing("c1"),
    passing(None),
    passing("c1", resolution=IssueResolution(ResolutionOutcome.OBSOLETE, "gone")),
    failing(commit="c2"),
    failing(no_progress=True),
]
REVIEWS = [
    reviewed(passed=True),
    reviewed(finding(3)),
    reviewed(finding(0)),
    reviewed(finding(1), passed=True),
    reviewed(parse_error="bad"),
    reviewed(parse_error="", passed=True),
    reviewed(fatal_error=True),
    reviewed(),
]
STEPS: list[tuple[type, Any]] = [
    (happened.Started, FEED[happened.Started]),
    (happened.TurnEnded, FEED[happened.TurnEnded]),
    (happened.TurnEnded, lambda machine, ctx: machine.on_messages_complete(ctx, False)),
    (happened.TurnFailed, FEED[happened.TurnFailed]),
    (happened.TurnBroken, FEED[happened.TurnBroken]),
    (happened.ContextFilled, FEED[happened.ContextFilled]),
    (happened.LogReady, FEED[happened.LogReady]),
    (happened.LogTimedOut, FEED[happened.LogTimedOut]),
    *[(happened.GateAnswered, lambda machine, ctx, gate=gate: machine.on_gate_result(ctx, gate, 9)) for gate in GATES],
    *[
        (happened.ReviewAnswered, lambda machine, ctx, review=review: machine.on_review_result(ctx, review, 9))
        for review in REVIEWS
    ],
    (happened.ReviewAnswered, lambda machine, ctx: machine.on_review_result(ctx, reviewed(), 9, no_progress=True)),
    (happened.TimedOut, FEED[happened.TimedOut]),
    (happened.WentIdle, FEED[happened.WentIdle]),
    (happened.Erred, FEED[happened.Erred]),
    (happened.Aborted, FEED[happened.Aborted]),
]
Node = tuple[LifecycleState, int, int, int, bool]


def explore(config: LifecycleConfig) -> dict[Node, set[Node]]:
    """Every reachable (state, gate attempt, review attempt, restarts, answer due), with where it can go."""
    begin = (ImplementerLifecycle(config), LifecycleContext())
    graph: dict[Node, set[Node]] = {}
    todo = [begin]
    while todo:
        machine, ctx = todo.pop()
        here = node(machine, ctx)
        if here in graph:
            continue
        graph[here] = set()
        for event, feed in STEPS:
            if TABLE[machine.state][event] in (ILLEGAL, LATE):
                continue
            next_machine, next_ctx = copy.copy(machine), copy.copy(ctx)
            next_ctx.retry_state = copy.copy(ctx.retry_state)
            result = feed(next_machine, next_ctx)
            check_invariants(config, next_machine, next_ctx, result)
            graph[here].add(node(next_machine, next_ctx))
            todo.append((next_machine, next_ctx))
    return graph


def node(machine: ImplementerLifecycle, ctx: LifecycleContext) -> Node:
    retry = ctx.retry_state
    return (machine.state, retry.gate_attempt, retry.review_attempt, ctx.context_restarts, ctx.review_answer_due)


def check_invariants(
    config: LifecycleConfig, machine: ImplementerLifecycle, ctx: LifecycleContext, result: TransitionResult
) -> None:
    retry = ctx.retry_state
    assert retry.gate_attempt <= max(1, config.max_gate_retries)
    assert retry.review_attempt <= max(1, config.max_review_retries)
    assert ctx.context_restarts <= config.max_context_restarts
    assert ctx.success is (machine.state is S.SUCCESS)
    assert (ctx.reason is not None) is machine.is_terminal
    if ctx.success:
        assert ctx.last_gate_result is not None
        assert ctx.last_gate_result.passed
        assert ctx.reason in (EndReason.PASSED, EndReason.OBSOLETE)
    elif machine.is_terminal:
        assert ctx.final_result
        assert ctx.reason not in (EndReason.PASSED, EndReason.OBSOLETE)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_gate_retries": 10, "max_review_retries": 10, "max_context_restarts": 10},
        {"max_gate_retries": 0, "max_review_retries": 0, "max_context_restarts": 0},
    ],
    ids=["default", "largest", "none"],
)
def test_every_reachable_state_keeps_the_limits_and_can_still_end(limits: dict[str, int]) -> None:
    graph = explore(LifecycleConfig(**limits))
    assert {here[0] for here in graph} == set(S)
    ends = {here for here in graph if here[0] in (S.SUCCESS, S.FAILED)}
    can_succeed = backwards(graph, {here for here in ends if here[0] is S.SUCCESS})
    assert all(graph[here] == set() for here in ends)
    assert can_succeed == {here for here in graph if here[0] is not S.FAILED}
    assert backwards(graph, ends) == set(graph)


def backwards(graph: dict[Node, set[Node]], goal: set[Node]) -> set[Node]:
    reached = set(goal)
    while more := {here for here, nexts in graph.items() if here not in reached and nexts & reached}:
        reached |= more
    return reached


# Rows L1-L21


def test_l1_a_new_lifecycle_is_initial_and_only_two_states_are_terminal() -> None:
    machine = ImplementerLifecycle(LifecycleConfig())
    assert (machine.state, machine.is_terminal) == (S.INITIAL, False)
    assert [state for state in S if machine_in(state)[0].is_terminal] == [S.SUCCESS, S.FAILED]


def test_l2_start_is_legal_once() -> None:
    machine = ImplementerLifecycle(LifecycleConfig())
    assert machine.start() == TransitionResult(S.PROCESSING, E.CONTINUE, "Session started")
    with pytest.raises(ValueError, match="Cannot start from state"):
        machine.start()


def test_l4_a_turn_needs_a_session_id() -> None:
    machine, ctx = machine_in(S.PROCESSING)
    assert machine.on_messages_complete(ctx, True) == TransitionResult(S.AWAITING_LOG, E.WAIT_FOR_LOG, None)
    machine, ctx = machine_in(S.PROCESSING)
    result = machine.on_messages_complete(ctx, has_session_id=False)
    assert (result.state, result.effect) == (S.FAILED, E.COMPLETE_FAILURE)
    assert "No session ID" in ctx.final_result
    assert (ctx.success, ctx.reason) == (False, EndReason.AGENT_ERROR)


def test_l5_the_log_leads_to_the_gate_or_to_no_log() -> None:
    machine, ctx = machine_in(S.AWAITING_LOG)
    assert machine.on_log_ready(ctx) == TransitionResult(S.RUNNING_GATE, E.RUN_GATE, None)
    machine, ctx = machine_in(S.AWAITING_LOG)
    result = machine.on_log_timeout(ctx, "/x/log", "awaited the entry u2, the last one found is u1")
    assert result.state is S.FAILED
    assert ctx.final_result == "Session log not ready in time: /x/log (awaited the entry u2, the last one found is u1)"
    assert ctx.reason is EndReason.NO_LOG


def test_l6_a_passed_gate_with_a_commit_is_reviewed() -> None:
    result, ctx = answer_gate(passing("c1"), max_review_retries=4)
    assert (result.state, result.effect) == (S.RUNNING_REVIEW, E.RUN_REVIEW)
    assert "1/4" in (result.message or "")
    assert ctx.retry_state.review_attempt == 1


@pytest.mark.parametrize(
    ("gate", "limits"), [(passing(None), {}), (passing(""), {}), (passing("c1"), {"review_enabled": False})]
)
def test_l7_without_commit_or_review_the_gate_decides(gate: Any, limits: dict[str, Any]) -> None:
    result, ctx = answer_gate(gate, **limits)
    assert (result.state, result.effect) == (S.SUCCESS, E.COMPLETE_SUCCESS)
    assert (ctx.success, ctx.final_result, ctx.reason) == (True, "", EndReason.PASSED)


@pytest.mark.parametrize("outcome", SKIPPING)
def test_l8_resolutions_skip_the_review(outcome: ResolutionOutcome) -> None:
    result, ctx = answer_gate(passing("c1", resolution=IssueResolution(outcome, "why")))
    assert result.state is S.SUCCESS
    assert ctx.reason is not None
    assert ctx.reason.name == outcome.name
    result, ctx = answer_gate(passing("c1", resolution=IssueResolution(ResolutionOutcome.SUCCESS, "why")))
    assert result.state is S.RUNNING_REVIEW


def test_l9_every_gate_result_sets_the_resolution_even_to_none() -> None:
    machine, ctx = at_gate()
    resolution = IssueResolution(ResolutionOutcome.NO_CHANGE, "why")
    machine.on_gate_result(ctx, failing(resolution=resolution), 5)
    assert ctx.resolution is resolution
    machine.on_messages_complete(ctx, True)
    machine.on_log_ready(ctx)
    last = failing()
    machine.on_gate_result(ctx, last, 5)
    assert ctx.resolution is None
    assert ctx.last_gate_result is last


def test_l10_a_failed_gate_with_budget_sends_back() -> None:
    result, ctx = answer_gate(failing("a", commit="c2"), max_gate_retries=3)
    assert (result.state, result.effect, result.message) == (S.PROCESSING, E.SEND_GATE_RETRY, "Gate retry 2/3")
    retry = ctx.retry_state
    assert (retry.gate_attempt, retry.log_offset, retry.previous_commit_hash) == (2, 50, "c2")


@pytest.mark.parametrize(
    ("gate", "limit", "reason"),
    [
        (failing("a", "b"), 1, EndReason.GATE_FAILED),
        (failing("a", "b"), 0, EndReason.GATE_FAILED),
        (failing("a", "b", no_progress=True), 3, EndReason.NO_PROGRESS),
    ],
)
def test_l11_a_failed_gate_without_budget_or_progress_ends(gate: Any, limit: int, reason: EndReason) -> None:
    result, ctx = answer_gate(gate, max_gate_retries=limit)
    assert (result.state, result.effect) == (S.FAILED, E.COMPLETE_FAILURE)
    assert "no retries left" in (result.message or "")
    assert (ctx.final_result, ctx.success, ctx.reason) == ("Quality gate failed: a; b", False, reason)


@pytest.mark.parametrize("passed", [True, False])
def test_l12_findings_that_do_not_block_are_kept(passed: bool) -> None:
    issues = [finding(2), finding(3), finding(None)]
    result, ctx = answer_review(reviewed(*issues, passed=passed))
    assert (result.state, result.effect) == (S.SUCCESS, E.COMPLETE_SUCCESS)
    assert result.message == "Review passed with 3 low-priority issues"
    assert ctx.low_priority_review_issues == issues
    result, ctx = answer_review(reviewed(passed=True))
    assert (result.message, ctx.low_priority_review_issues) == ("Review passed", [])


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("priority", [-1, 0, 1])
def test_l13_blocking_findings_send_back_whatever_passed_says(passed: bool, priority: int) -> None:
    result, ctx = answer_review(reviewed(finding(priority), passed=passed), max_review_retries=3)
    assert (result.state, result.effect, result.message) == (S.PROCESSING, E.SEND_REVIEW_RETRY, "Review retry 2/3")
    retry = ctx.retry_state
    assert (retry.review_attempt, retry.log_offset, retry.previous_commit_hash) == (2, 50, "c1")
    assert ctx.review_answer_due


def test_l13_without_a_gate_result_the_previous_commit_stays() -> None:
    machine, ctx = at_review()
    ctx.last_gate_result, ctx.retry_state.previous_commit_hash = None, "c0"
    machine.on_review_result(ctx, reviewed(finding()), 5)
    assert (ctx.retry_state.previous_commit_hash, ctx.reviewed_commit_hash) == ("c0", "c0")


def test_l14_blocking_findings_at_the_budget_end_with_three_titles() -> None:
    issues = [finding(0, title, line) for line, title in enumerate(["one", "two", "three", "four"], start=1)]
    result, ctx = answer_review(reviewed(*issues), max_review_retries=1)
    assert result.state is S.FAILED
    assert "no retries left" in (result.message or "")
    assert ctx.final_result == "External review failed: a.py:1: one; a.py:2: two; a.py:3: three"
    assert ctx.reason is EndReason.REVIEW_FAILED


@pytest.mark.parametrize(
    ("review", "what", "text"),
    [
        (reviewed(parse_error="bad json"), "Review parse error", "bad json"),
        (reviewed(parse_error="bad json", passed=True), "Review parse error", "bad json"),
        (reviewed(finding(0), parse_error="bad json"), "Review parse error", "bad json"),
        (reviewed(parse_error="", passed=True), "Review parse error", "the reviewer's answer could not be read"),
        (reviewed(), "Review unclear", "the reviewer said no and named nothing"),
    ],
)
def test_l15_an_unusable_review_is_run_again_within_the_budget(review: Any, what: str, text: str) -> None:
    result, ctx = answer_review(review, max_review_retries=2)
    assert (result.state, result.effect) == (S.RUNNING_REVIEW, E.RUN_REVIEW)
    assert result.message == f"{what}, review again 2/2: {text}"
    retry = ctx.retry_state
    assert (retry.review_attempt, retry.log_offset, retry.previous_commit_hash) == (2, 0, None)
    result, ctx = answer_review(review, max_review_retries=1)
    assert (result.state, ctx.final_result) == (S.FAILED, f"External review failed: {text}")


@pytest.mark.parametrize(
    ("review", "text"),
    [
        (reviewed(parse_error="no quota", fatal_error=True), "no quota"),
        (reviewed(fatal_error=True), "the reviewer reported a fatal error"),
        (reviewed(finding(0), passed=True, fatal_error=True), "the reviewer reported a fatal error"),
    ],
)
def test_l16_x3_a_fatal_review_ends_at_once(review: Any, text: str) -> None:
    result, ctx = answer_review(review)
    assert result.state is S.FAILED
    assert "unrecoverable" in (result.message or "")
    assert ctx.final_result == f"External review failed: {text}"


@pytest.mark.parametrize("review", REVIEWS)
def test_l17_x1_no_progress_fails_whatever_the_review_says(review: Any) -> None:
    result, ctx = answer_review(review, no_progress=True)
    assert result.state is S.FAILED
    assert "no progress detected" in (result.message or "").lower()
    assert ctx.final_result.startswith("External review failed: ")
    assert "No progress" in ctx.final_result
    assert ctx.reason is EndReason.NO_PROGRESS
    assert ctx.last_review_result is review


def test_l18_the_review_budget_survives_a_second_gate() -> None:
    machine, ctx = at_review(max_review_retries=2)
    machine.on_review_result(ctx, reviewed(finding()), 5)
    machine.on_messages_complete(ctx, True)
    machine.on_log_ready(ctx)
    machine.on_gate_result(ctx, passing("c2"), 5)
    assert ctx.retry_state.review_attempt == 2
    assert machine.on_review_result(ctx, reviewed(finding()), 5).state is S.FAILED


@pytest.mark.parametrize("state", [state for state in S if state not in (S.SUCCESS, S.FAILED)])
def test_l19_timeout_and_error_end_every_state(state: LifecycleState) -> None:
    machine, ctx = machine_in(state)
    result = machine.on_timeout(ctx, 10)
    assert (machine.state, result.message, ctx.final_result) == (
        S.FAILED,
        "Timeout after 10 minutes",
        "Timeout after 10 minutes",
    )
    machine, ctx = machine_in(state)
    result = machine.on_error(ctx, RuntimeError("boom"))
    assert (machine.state, ctx.final_result, ctx.reason) == (S.FAILED, "boom", EndReason.AGENT_ERROR)
    assert "boom" in (result.message or "")


def test_l19_late_events_are_told_and_change_nothing() -> None:
    machine, ctx = machine_in(S.SUCCESS)
    result = machine.on_error(ctx, RuntimeError("boom"))
    assert result.message == "the session is in a terminal state (SUCCESS); ignored: boom"
    result = machine.on_timeout(ctx, 3)
    assert result.message == "the session is in a terminal state (SUCCESS); ignored: TimedOut"
    assert (ctx.success, ctx.reason) == (True, EndReason.PASSED)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0.5, "30 seconds"),
        (1, "1 minutes"),
        (1.5, "90 seconds"),
        (50.0, "50 minutes"),
        (0, "0 seconds"),
        (0.0001, "0.006 seconds"),
    ],
)
def test_x9_parts_of_a_minute_are_told_in_seconds(minutes: float, text: str) -> None:
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_timeout(ctx, minutes, "waiting for the gate")
    assert ctx.final_result == f"Timeout after {text}: waiting for the gate"


def test_x10_an_error_without_text_is_told_by_its_type() -> None:
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_error(ctx, ValueError())
    assert ctx.final_result == "ValueError"


@pytest.mark.parametrize(
    ("used", "limit", "ratio"),
    [
        (ContextUsage(50_000, 30_000, 20_000), 200_000, 0.4),
        (ContextUsage(300, 0), 200, 1.5),
        (ContextUsage(10, 10), 0, 0.0),
        (ContextUsage(10, 10), -5, 0.0),
        (ContextUsage(-1, 10), 100, 0.0),
    ],
)
def test_l20_pressure_ratio(used: ContextUsage, limit: int, ratio: float) -> None:
    assert used.pressure_ratio(limit) == ratio


def test_l20_tracking_can_be_disabled() -> None:
    used = ContextUsage(5, 6, 7)
    assert not used.tracking_disabled
    used.disable_tracking()
    assert (used.tracking_disabled, used) == (True, ContextUsage(-1, 6, 7))


# Events beyond the reference's


def test_a_failed_turn_and_a_broken_stream_end_the_session() -> None:
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_turn_failed(ctx, EndReason.BUDGET, "error_max_turns")
    assert (ctx.final_result, ctx.reason) == ("Agent error: error_max_turns", EndReason.BUDGET)
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_turn_broken(ctx, "the stream ended without a result")
    assert (ctx.final_result, ctx.reason) == ("Agent error: the stream ended without a result", EndReason.AGENT_ERROR)


def test_a_full_context_leads_back_to_the_start_with_all_budgets_until_they_are_used_up() -> None:
    machine, ctx = machine_in(S.PROCESSING, max_context_restarts=1)
    ctx.retry_state.gate_attempt, ctx.retry_state.log_offset, ctx.session_id = 2, 77, "s1"
    result = machine.on_context_filled(ctx)
    assert (result.state, result.effect, result.message) == (S.INITIAL, E.CONTINUE, "Context restart 1/1")
    assert (ctx.retry_state.gate_attempt, ctx.retry_state.log_offset, ctx.session_id) == (2, 77, None)
    machine.start()
    machine.on_context_filled(ctx)
    assert (machine.state, ctx.reason) == (S.FAILED, EndReason.CONTEXT)
    assert ctx.final_result == "Context full: all 1 restarts used"


def test_idle_and_abort_have_their_own_reasons() -> None:
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_idle(ctx, RuntimeError("silent"))
    assert (ctx.final_result, ctx.reason) == ("silent", EndReason.IDLE)
    machine, ctx = machine_in(S.PROCESSING)
    machine.on_abort(ctx, "gave way", EndReason.DEADLOCK_VICTIM)
    assert (ctx.final_result, ctx.reason) == ("gave way", EndReason.DEADLOCK_VICTIM)
