"""Sessions from start to end: rows R1-R29 and the event orders E1-E14 of session:6."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    HANG,
    PROMPTS,
    START,
    AbleFactory,
    Fail,
    RecordingSink,
    ResultMessage,
    ScriptedClient,
    ScriptedFactory,
    Wait,
    World,
    answer,
    failing,
    finding,
    init,
    on_virtual_time,
    passing,
    reviewed,
    say,
    usage,
    use,
)

from pytest_mala.clock import RealClock, VirtualClock
from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.config import (
    DISCONNECT_TIMEOUT,
    AgentSessionConfig,
    AgentSessionInput,
    AgentSessionOutput,
    SessionCallbacks,
    SessionConfigError,
    SessionPrompts,
)
from pytest_mala.session.context import LifecycleState
from pytest_mala.session.messages import Usage
from pytest_mala.session.models import IssueResolution, ResolutionOutcome
from pytest_mala.session.run import begin_round, new_state

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.session.runner import AgentSessionRunner

TURN = [say("working"), ResultMessage()]
P = ("on_lifecycle_state", "i1", "PROCESSING")
READY = [("on_lifecycle_state", "i1", "AWAITING_LOG"), ("on_log_waiting", "i1"), ("on_log_ready", "i1")]
PASS = [("on_gate_passed", "i1", "issue_id='i1'"), ("on_validation_result", "i1", "passed=True", "issue_id='i1'")]


def gate(attempt: int, limit: int = 3) -> list[tuple[Any, ...]]:
    return [
        ("on_validation_started", "i1", "issue_id='i1'"),
        ("on_gate_started", "i1", attempt, limit, "issue_id='i1'"),
    ]


def gate_said_no(name: str, attempt: int, limit: int, reasons: str) -> list[tuple[Any, ...]]:
    return [
        (name, "i1", attempt, limit, "issue_id='i1'"),
        ("on_gate_result", "i1", "passed=False", f"failure_reasons={reasons}", "issue_id='i1'"),
        ("on_validation_result", "i1", "passed=False", "issue_id='i1'"),
    ]


def review(attempt: int, limit: int = 3) -> tuple[Any, ...]:
    return ("on_review_started", "i1", attempt, limit, "issue_id='i1'")


REVIEW_PASSED = ("on_review_passed", "i1", "issue_id='i1'")


def review_retry(attempt: int, count: int, limit: int = 3) -> tuple[Any, ...]:
    return ("on_review_retry", "i1", attempt, limit, f"error_count={count}", "parse_error=None", "issue_id='i1'")


# Basics


def test_r1_the_output_says_who_and_how(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([Wait(2), *TURN]))
    output = world.run()
    assert (output.success, output.summary, output.session_id, output.reason) == (True, "done", "s1", EndReason.PASSED)
    assert re.fullmatch(r"i1-[0-9a-f]{8}", output.agent_id)
    assert (output.gate_attempts, output.review_attempts, output.duration_seconds) == (1, 0, 2.0)
    assert output.log_path == tmp_path / "s1.jsonl"
    assert (output.usage.tokens, output.usage.cost_usd) == (Usage(input_tokens=10, output_tokens=5), None)


def test_r1_a_session_takes_real_time_on_a_real_clock(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN))
    output = asyncio.run(world.runner().run_session(AgentSessionInput("i1", "do it")))
    assert output.duration_seconds > 0


def test_r2_the_first_query_is_the_prompt_alone(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN))
    world.run()
    assert world.factory.queries == [("do it", None)]
    assert world.factory.created[0].calls == ["enter", "query", "exit"]


def test_r3_the_log_path_is_asked_once_per_turn(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN, TURN), gates=[failing(), passing()])
    world.run()
    assert world.called("log") == [("s1",), ("s1",)]


@pytest.mark.parametrize(
    ("missing", "reviews", "summary"),
    [
        ("get_log_path", [], "get_log_path callback must be set"),
        ("on_gate_check", [], "on_gate_check callback must be set"),
        ("on_review_check", [None], "on_review_check callback must be set"),
    ],
)
def test_r4_r14_r23_a_missing_callback_is_named_in_the_summary(
    tmp_path: Path, missing: str, reviews: list[Any], summary: str
) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), reviews=reviews)
    callbacks = world.all_callbacks()
    setattr(callbacks, missing, None)
    world.callbacks = callbacks
    output = world.run()
    assert (output.success, output.summary, output.reason) == (False, summary, EndReason.AGENT_ERROR)


def test_r5_a_given_agent_id_is_used(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN))
    assert world.run(agent_id="me").agent_id == "me"
    assert world.factory.options_asked[0]["env"]["AGENT_ID"] == "me"
    assert World(tmp_path, ScriptedFactory(TURN)).run(agent_id="").agent_id.startswith("i1-")


def test_r6_a_new_session_has_the_configured_limits(tmp_path: Path) -> None:
    config = AgentSessionConfig(
        tmp_path,
        3000,
        PROMPTS,
        max_gate_retries=5,
        max_review_retries=6,
        review_enabled=False,
        lint_tools=frozenset({"mylint"}),
    )
    state = new_state(config, 1000.9)
    limits = state.lifecycle.config
    assert (limits.max_gate_retries, limits.max_review_retries, limits.review_enabled) == (5, 6, False)
    retry = state.lifecycle_ctx.retry_state
    assert state.lifecycle.state is LifecycleState.INITIAL
    assert (retry.baseline_timestamp, retry.gate_attempt, retry.review_attempt, retry.log_offset) == (1000, 1, 0, 0)
    factory = ScriptedFactory()
    settings = begin_round(config, factory, "a1")
    assert factory.options_asked[0]["env"]["MCP_TIMEOUT"] == "3000000"
    assert (settings.agent_id, settings.idle_timeout_seconds, settings.log_file_poll_interval) == ("a1", 600, 0.5)
    assert (settings.lint_cache.repo_path, settings.lint_cache.lint_tools) == (tmp_path, {"mylint"})


def test_r8_the_output_carries_what_review_and_gate_left(tmp_path: Path) -> None:
    low = finding(2)
    review_with_log = reviewed(low, passed=True, review_log_path=tmp_path / "review.log")
    resolution = IssueResolution(ResolutionOutcome.SUCCESS, "why")
    world = World(tmp_path, ScriptedFactory(TURN), gates=[passing(resolution=resolution)], reviews=[review_with_log])
    output = world.run()
    assert (output.low_priority_review_issues, output.last_review_issues) == ([low], None)
    assert (output.review_log_path, output.resolution) == (str(tmp_path / "review.log"), resolution)
    assert World(tmp_path, ScriptedFactory(TURN)).run().low_priority_review_issues is None


def test_the_defaults_are_the_contracts(tmp_path: Path) -> None:
    config = AgentSessionConfig(tmp_path, 60, PROMPTS)
    assert (config.max_gate_retries, config.max_review_retries, config.review_enabled) == (3, 3, True)
    assert (config.log_file_wait_timeout, config.idle_timeout_seconds, config.max_idle_retries) == (60.0, None, 2)
    assert (config.idle_retry_backoff, config.lint_tools, config.deadlock_monitor) == ((0.0, 5.0, 15.0), None, None)
    assert (config.context_restart_threshold, config.context_limit, config.max_context_restarts) == (0.9, 200_000, 5)
    assert (config.max_crash_retries, config.crash_retry_backoff) == (5, (1, 2, 4, 8))
    output = AgentSessionOutput(True, "x")
    assert (output.gate_attempts, output.review_attempts, output.agent_id, output.reason) == (1, 0, "", None)
    assert (output.duration_seconds, output.last_review_issues, output.usage.cost_usd) == (0.0, None, None)
    assert (SessionPrompts("a", "b", "c").checkpoint_request, DISCONNECT_TIMEOUT) == ("", 10.0)


def test_the_baseline_is_the_clocks_time(tmp_path: Path) -> None:
    seen = []

    async def judge(issue_id: str, log_path: Path, retry: Any) -> tuple[Any, int]:
        seen.append(retry.baseline_timestamp)
        return passing(), 0

    world = World(tmp_path, ScriptedFactory(TURN))
    world.callbacks = SessionCallbacks(on_gate_check=judge, get_log_path=world.log_path)
    before = int(RealClock().now().timestamp())
    world.run()
    assert before <= seen[0] <= before + 60


def test_b4_settings_that_could_never_work_are_refused(tmp_path: Path) -> None:
    def made(prompts: SessionPrompts = PROMPTS, **settings: Any) -> AgentSessionConfig:
        return AgentSessionConfig(tmp_path, 60, prompts, **settings)

    for name in ("gate_retries", "review_retries", "idle_retries", "crash_retries", "context_restarts"):
        with pytest.raises(SessionConfigError, match=rf"^max_{name}: expected 0 or more, got -1$"):
            made(**{f"max_{name}": -1})
    with pytest.raises(ValueError, match=r"^crash_retry_backoff: expected seconds of 0 or more, got \(1, -2\)$"):
        made(crash_retry_backoff=(1, -2))
    silent = SessionPrompts("gate", "review", " ")
    with pytest.raises(
        SessionConfigError,
        match=r"^prompts\.idle_resume is empty, but max_idle_retries is 2: "
        r"give a prompt for the resumed agent, or set max_idle_retries to 0$",
    ):
        made(silent)
    with pytest.raises(
        SessionConfigError,
        match=r"^prompts\.idle_resume is empty, but max_crash_retries is 5: "
        r"give a prompt for the resumed agent, or set max_crash_retries to 0$",
    ):
        made(silent, max_idle_retries=0)
    for name, settings in [("max_idle_retries", {}), ("max_crash_retries", {"max_idle_retries": 0})]:
        with pytest.raises(SessionConfigError, match=rf"^prompts\.idle_resume is empty, but {name} is 1: "):
            made(silent, **{**settings, name: 1})
    assert made(silent, max_idle_retries=0, max_crash_retries=0).max_idle_retries == 0


# Event orders E1-E14; R9-R29


@pytest.mark.parametrize(
    "gate_result",
    [passing(None), passing("c1", resolution=IssueResolution(ResolutionOutcome.OBSOLETE, "gone"))],
)
def test_e1_r9_a_passed_gate_without_review_ends_the_session(tmp_path: Path, gate_result: Any) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), gates=[gate_result], reviews=[None])
    assert world.run().success
    assert world.sink.events == [P, *READY, *gate(1), *PASS]
    assert len(world.called("gate")) == 1


def test_a_resolution_is_an_end_of_its_own(tmp_path: Path) -> None:
    resolution = IssueResolution(ResolutionOutcome.NO_CHANGE, "nothing to do")
    output = World(tmp_path, ScriptedFactory(TURN), gates=[passing(None, resolution=resolution)]).run()
    assert (output.reason, output.resolution) == (EndReason.NO_CHANGE, resolution)


@pytest.mark.parametrize("answer_", [reviewed(passed=True), reviewed(finding(2), finding(3))])
def test_e2_r17_gate_and_review_pass(tmp_path: Path, answer_: Any) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), reviews=[answer_])
    assert world.run().success
    assert world.sink.events == [P, *READY, *gate(1), *PASS, review(1), REVIEW_PASSED]
    assert world.called("review") == [("i1", "the issue", "base", "s1", 1)]


def test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back(tmp_path: Path) -> None:
    factory = AbleFactory([init(), *TURN], TURN)
    world = World(tmp_path, factory, gates=[failing("a", "{b}", commit="c0"), passing()])
    output = world.run()
    assert (output.success, output.gate_attempts) == (True, 2)
    retry = gate_said_no("on_gate_retry", 2, 3, "['a', '{b}']")
    assert world.sink.events == [P, *READY, *gate(1), *retry, *READY, *gate(2), *PASS]
    lint = "RUFF_CACHE_DIR=/tmp/ruff-${AGENT_ID:-default} uvx ruff check ."
    assert factory.queries == [("do it", None), (f"gate 2/3 of i1:\n- a\n- {{b}}\nlint: {lint}", "s1")]
    assert factory.resumed == [None, "s1"]
    assert factory.announced == ["work", "gate retry"]
    assert world.called("gate") == [("i1", "s1.jsonl", 1, 0, None), ("i1", "s1.jsonl", 2, 100, "c0")]


def test_e4_r10_a_gate_that_fails_for_good(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), gates=[failing("a", "b")], settings={"max_gate_retries": 1})
    output = world.run()
    assert (output.summary, output.reason) == ("Quality gate failed: a; b", EndReason.GATE_FAILED)
    assert world.sink.events == [P, *READY, *gate(1, 1), *gate_said_no("on_gate_failed", 1, 1, "['a', 'b']")]


def test_e4_no_progress_at_the_gate_has_its_own_reason(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), gates=[failing("a", no_progress=True)])
    assert world.run().reason is EndReason.NO_PROGRESS
    assert world.sink.events[-3:] == gate_said_no("on_gate_failed", 1, 3, "['a']")


def test_e5_r18_r25_x4_a_blocking_review_sends_the_agent_back(tmp_path: Path) -> None:
    factory = AbleFactory(TURN, TURN)
    asked: list[tuple[Any, ...]] = []
    world = World(
        tmp_path,
        factory,
        gates=[passing("c1"), passing("c2")],
        reviews=[reviewed(finding(0, "leak"), finding(1, "race"), finding(2, "typo")), reviewed(passed=True)],
        no_progress=lambda path, *args: bool(asked.append((path.name, *args))),
    )
    output = world.run()
    assert (output.success, output.review_attempts, output.gate_attempts) == (True, 2, 1)
    assert world.sink.events == [
        P, *READY, *gate(1), *PASS, review(1), review_retry(2, 2), *READY, *gate(1), *PASS, review(2), REVIEW_PASSED,
    ]  # fmt: skip
    prompt, session_id = factory.queries[1]
    assert prompt.startswith("review 2/3 of i1:\nFile: a.py\n  L3: [critic] leak\n    because\n  L3: [critic] race")
    assert (session_id, factory.announced) == ("s1", ["work", "review retry"])
    assert asked == [("s1.jsonl", 7, "c1", "c2")]
    assert [call[0] for call in world.calls if call[0] not in ("text", "tool")] == [
        "log", "gate", "review", "offset", "log", "gate", "review", "offset",
    ]  # fmt: skip
    assert world.called("gate")[1] == ("i1", "s1.jsonl", 1, 7, "c1")


def test_e6_r21_x1_an_agent_that_ignores_a_blocking_finding_fails(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN),
        gates=[passing("c1"), passing("c1")],
        reviews=[reviewed(finding(0))],
        no_progress=lambda path, offset, before, now: before == now,
    )
    output = world.run()
    assert (output.success, output.reason, output.review_attempts) == (False, EndReason.NO_PROGRESS, 2)
    assert output.summary == "External review failed: No progress since the last review"
    assert world.sink.events[-4:] == [gate(1)[1], *PASS, ("on_review_skipped_no_progress", "i1")]
    assert len(world.called("review")) == 1
    assert world.sink.named("on_review_failed") == [("i1", output.summary)]
    assert output.last_review_issues == [finding(0)]


@pytest.mark.parametrize(("last", "is_repeated"), [("c1", True), ("c2", False)])
def test_x1_progress_is_measured_from_the_review_also_after_a_gate_retry(
    tmp_path: Path, last: str, is_repeated: bool
) -> None:
    asked: list[tuple[Any, ...]] = []

    def is_unchanged(path: Path, *facts: Any) -> bool:
        asked.append(facts)
        return bool(facts[1] == facts[2])

    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN, TURN),
        gates=[passing("c1"), failing(commit=last), passing(last)],
        reviews=[reviewed(finding(0)), reviewed(passed=True)],
        no_progress=is_unchanged,
    )
    assert world.run().reason is (EndReason.NO_PROGRESS if is_repeated else EndReason.PASSED)
    assert asked == [(7, "c1", last)]


def test_b19_findings_are_kept_when_the_next_review_can_not_be_read(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN),
        gates=[passing("c1"), passing("c2")],
        reviews=[reviewed(finding(0), finding(2)), reviewed(parse_error="bad json")],
        settings={"max_review_retries": 2},
    )
    output = world.run()
    assert (output.reason, output.last_review_issues) == (EndReason.REVIEW_FAILED, [finding(0)])


def test_b19_answered_findings_are_not_those_of_a_session_that_passed(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN),
        gates=[passing("c1"), passing("c2")],
        reviews=[reviewed(finding(0)), reviewed(passed=True)],
    )
    assert world.run().last_review_issues is None


def test_e7_an_answer_that_could_not_be_read_and_says_no_more_is_told_as_such(tmp_path: Path) -> None:
    world = World(
        tmp_path, ScriptedFactory(TURN), reviews=[reviewed(parse_error="", passed=True), reviewed(passed=True)]
    )
    world.run()
    text = "Review without a usable answer, asking again: the reviewer's answer could not be read"
    assert world.sink.named("on_warning") == [(text, "agent_id='i1'")]


def test_e7_x2_an_unusable_review_is_run_again_without_asking_for_progress(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN),
        gates=[failing(commit="c1"), passing("c1")],
        reviews=[reviewed(parse_error="bad json"), reviewed(), reviewed(passed=True)],
        no_progress=lambda *_: True,
    )
    assert world.run().success
    again = "Review without a usable answer, asking again: "
    assert (
        world.sink.events[-6:]
        == [
            PASS[1],
            review(1),
            ("on_warning", f"{again}bad json", "agent_id='i1'"),
            review(2),
            ("on_warning", f"{again}the reviewer said no and named nothing", "agent_id='i1'"),
            review(3),
            REVIEW_PASSED,
        ][-6:]
    )
    assert len(world.factory.created) == 2


@pytest.mark.parametrize(
    ("answer_", "summary", "aborts"),
    [
        (reviewed(parse_error="bad"), "External review failed: bad", []),
        (reviewed(finding(0)), "External review failed: a.py:3: bug", []),
        (reviewed(parse_error="quota", fatal_error=True), "External review failed: quota", [("quota",)]),
        (
            reviewed(fatal_error=True),
            "External review failed: the reviewer reported a fatal error",
            [("the reviewer reported a fatal error",)],
        ),
    ],
)
def test_e8_r22_r24_x5_a_review_that_fails_for_good(
    tmp_path: Path, answer_: Any, summary: str, aborts: list[Any]
) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), reviews=[answer_], settings={"max_review_retries": 1})
    output = world.run()
    assert (output.summary, output.reason) == (summary, EndReason.REVIEW_FAILED)
    assert world.sink.events[-1] == review(1, 1)
    assert world.called("abort") == aborts
    assert world.sink.named("on_review_failed") == [("i1", summary)]
    assert output.last_review_issues == ([finding(0)] if answer_.issues else None)


def test_e9_a_missing_log(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), settings={"log_file_wait_timeout": 0.7})
    world.callbacks = SessionCallbacks(get_log_path=lambda session_id: tmp_path / "nowhere")
    output = world.run()
    path = tmp_path / "nowhere"
    assert (output.reason, output.log_path) == (EndReason.NO_LOG, path)
    assert output.summary == f"Session log not ready in time: {path} (the file does not exist)"
    assert world.elapsed == 1.0
    assert world.sink.events == [P, READY[0], READY[1], ("on_log_timeout", "i1", str(path))]


@pytest.mark.parametrize(("timeout", "waited"), [(0, 0), (0.5, 0.5), (0.6, 1.0), (0.7, 1.0)])
def test_e9_the_log_is_polled_twice_a_second(tmp_path: Path, timeout: float, waited: float) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), settings={"log_file_wait_timeout": timeout})
    world.callbacks = SessionCallbacks(get_log_path=lambda session_id: tmp_path / "nowhere")
    assert world.run().reason is EndReason.NO_LOG
    assert world.elapsed == waited


def test_e10_r27_no_session_id(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([ResultMessage(None)]))
    output = world.run()
    assert "No session ID" in output.summary
    assert (output.session_id, output.reason) == (None, EndReason.AGENT_ERROR)
    assert world.sink.events == [P, ("on_lifecycle_state", "i1", "FAILED")]


def test_e11_an_error_in_a_turn(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([init(), Fail(RuntimeError("the pipe broke"))]))
    output = world.run()
    assert (output.summary, output.reason, output.session_id) == ("the pipe broke", EndReason.AGENT_ERROR, "s1")
    assert world.sink.events == [P]
    assert world.factory.created[0].calls == ["enter", "query", "disconnect", "exit"]


def test_e13_without_time_nothing_happens(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), settings={"timeout_seconds": 0})
    output = world.run()
    assert (output.summary, output.reason) == ("Timeout after 0 seconds", EndReason.TIMEOUT)
    assert (world.sink.events, world.factory.created) == ([], [])


def test_e13_a_second_is_some_time(tmp_path: Path) -> None:
    assert World(tmp_path, ScriptedFactory(TURN), settings={"timeout_seconds": 1}).run().success


@pytest.mark.parametrize(
    ("gates", "reviews", "last"),
    [([ValueError("no gate")], [], gate(1)[1]), ([passing()], [ValueError("no gate")], review(1))],
)
def test_e14_a_raising_callback(tmp_path: Path, gates: list[Any], reviews: list[Any], last: Any) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), gates=gates, reviews=reviews)
    output = world.run()
    assert (output.summary, output.reason) == ("no gate", EndReason.AGENT_ERROR)
    assert world.sink.events[-1] == last


def test_r15_a_new_log_begins_at_zero(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN, [ResultMessage("s2")]), gates=[failing(), passing()])
    world.run()
    assert world.called("gate") == [("i1", "s1.jsonl", 1, 0, None), ("i1", "s2.jsonl", 2, 0, None)]


def test_r19_a_session_needs_no_sink(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN, TURN),
        gates=[failing(), passing(), passing()],
        reviews=[reviewed(parse_error="x"), reviewed(finding()), reviewed(passed=True)],
    )
    world.sink = None  # type: ignore[assignment]
    assert world.run().success


def test_r26_r28_r29_one_client_per_query(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory(TURN, TURN),
        gates=[failing(), passing()],
        reviews=[reviewed(parse_error="x"), reviewed(passed=True)],
    )
    world.run()
    assert [len(client.queries) for client in world.factory.created] == [1, 1]
    assert world.sink.named("on_lifecycle_state") == [
        ("i1", "PROCESSING"),
        ("i1", "AWAITING_LOG"),
        ("i1", "AWAITING_LOG"),
    ]


def test_callbacks_hear_of_tools_and_texts_with_the_issue_id(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([say("a"), use("t1"), answer("t1"), ResultMessage()]))
    world.run()
    assert (world.called("text"), world.called("tool")) == ([("i1", "a")], [("i1", "Bash")])


def test_r19_no_sink_is_no_trouble_at_any_end(tmp_path: Path) -> None:
    ends = [
        (World(tmp_path, ScriptedFactory(TURN), gates=[failing(no_progress=True)]), EndReason.NO_PROGRESS),
        (World(tmp_path, ScriptedFactory([say("a", uuid="u1"), ResultMessage()])), EndReason.NO_LOG),
        (
            World(
                tmp_path,
                ScriptedFactory(TURN, TURN),
                gates=[passing(), passing()],
                reviews=[reviewed(finding())],
                no_progress=lambda *_: True,
            ),
            EndReason.NO_PROGRESS,
        ),
    ]
    for world, reason in ends:
        world.sink = None  # type: ignore[assignment]
        assert world.run().reason is reason


# Corrections


def test_b5_an_error_result_never_reaches_the_gate(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([ResultMessage(is_error=True, result="API Error: 529")]))
    output = world.run()
    assert (output.summary, output.reason) == ("Agent error: API Error: 529 (an error result)", EndReason.AGENT_ERROR)
    assert (world.called("gate"), world.sink.events) == ([], [P])


def test_a_used_up_budget_is_its_own_end(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([ResultMessage(is_error=True, subtype="error_max_turns", result=None)]))
    assert world.run().reason is EndReason.BUDGET


def test_a_stream_without_a_result_is_never_a_success(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([init(), say("a")]))
    output = world.run()
    assert (output.summary, output.reason) == (
        "Agent error: the stream ended without a result, after text",
        EndReason.AGENT_ERROR,
    )
    assert world.called("gate") == []


def test_x6_a_failed_session_keeps_the_id_that_belongs_to_its_log(tmp_path: Path) -> None:
    factory = ScriptedFactory(TURN, [init("s2"), HANG])
    output = World(tmp_path, factory, gates=[failing()], settings={"timeout_seconds": 60}).run()
    assert (output.session_id, output.log_path, output.reason) == ("s1", tmp_path / "s1.jsonl", EndReason.TIMEOUT)


def test_x6_a_failed_session_keeps_the_id_it_has_seen(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([init("s9"), say("a"), HANG]), settings={"timeout_seconds": 60})
    assert world.run().session_id == "s9"


@pytest.mark.parametrize("where", ["gate", "review"])
def test_x9_a_callbacks_own_timeout_is_not_the_sessions(tmp_path: Path, where: str) -> None:
    gates = [TimeoutError("git took too long")] if where == "gate" else [passing()]
    world = World(tmp_path, ScriptedFactory(TURN), gates=gates, reviews=[TimeoutError("git took too long")])
    output = world.run()
    assert (output.summary, output.reason) == ("git took too long", EndReason.AGENT_ERROR)


def test_x9_the_sessions_timeout_is_told_in_seconds_and_says_what_it_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), gates=[Wait(100)], settings={"timeout_seconds": 30})
    output = world.run()
    assert output.summary == "Timeout after 30 seconds: waiting for the gate (state RUNNING_GATE, turn 1)"
    assert (output.reason, world.elapsed, output.gate_attempts) == (EndReason.TIMEOUT, 30, 1)


def test_x9_a_callback_that_makes_an_error_of_the_timeout_changes_nothing(tmp_path: Path) -> None:
    async def gate(*_: object) -> Any:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise RuntimeError("git was interrupted") from None

    world = World(tmp_path, ScriptedFactory(TURN), settings={"timeout_seconds": 30})
    world.callbacks = dataclasses.replace(world.all_callbacks(), on_gate_check=gate)
    output = world.run()
    assert output.summary == (
        "Timeout after 30 seconds: waiting for the gate (state RUNNING_GATE, turn 1); "
        "it ended with RuntimeError: git was interrupted"
    )
    assert (output.reason, world.elapsed) == (EndReason.TIMEOUT, 30)


@pytest.mark.parametrize("text", ["", "  "])
def test_x10_an_error_without_text_is_named(tmp_path: Path, text: str) -> None:
    assert World(tmp_path, ScriptedFactory(TURN), gates=[ValueError(text)]).run().summary == "ValueError"


def test_x5_every_end_is_told_once(tmp_path: Path) -> None:
    for factory, reason in [
        (ScriptedFactory(TURN), EndReason.PASSED),
        (ScriptedFactory([Fail(RuntimeError("x"))]), EndReason.AGENT_ERROR),
    ]:
        world = World(tmp_path, factory)
        output = world.run()
        assert world.sink.named("on_session_ended") == [("i1", reason, output.summary)]
        assert world.sink.told[-1][0] == "on_session_ended"


def test_x5_every_state_is_announced(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory(TURN), reviews=[reviewed(passed=True)])
    world.run()
    assert world.sink.named("on_state_entered") == [
        ("i1", "PROCESSING", "CONTINUE"),
        ("i1", "AWAITING_LOG", "WAIT_FOR_LOG"),
        ("i1", "RUNNING_GATE", "RUN_GATE"),
        ("i1", "RUNNING_REVIEW", "RUN_REVIEW"),
        ("i1", "SUCCESS", "COMPLETE_SUCCESS"),
    ]


def test_x5_a_state_entered_by_an_error_is_announced_too(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([Fail(RuntimeError("x"))]))
    world.run()
    assert world.sink.named("on_state_entered")[-1] == ("i1", "FAILED", "COMPLETE_FAILURE")


def test_an_options_factory_that_fails_is_an_outcome(tmp_path: Path) -> None:
    class Broken(ScriptedFactory):
        def create_options(self, **options: Any) -> object:
            raise RuntimeError("no options")

    output = World(tmp_path, Broken()).run()
    assert (output.summary, output.reason) == ("no options", EndReason.AGENT_ERROR)


# The sink's own failures


class Deaf:
    """A sink that fails at one event and lacks the optional ones."""

    def __init__(self, at: str) -> None:
        self._at = at

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def tell(*_: object, **__: object) -> None:
            if name == self._at:
                raise RuntimeError(f"deaf at {name}")

        return tell


@pytest.mark.parametrize(
    ("event", "success", "summary"),
    [
        ("on_log_waiting", False, "deaf at on_log_waiting"),
        ("on_gate_passed", True, "done"),
        ("on_session_ended", True, "done"),
    ],
)
def test_a_failing_sink_fails_the_session_until_it_has_succeeded(
    tmp_path: Path, event: str, success: bool, summary: str
) -> None:
    world = World(tmp_path, ScriptedFactory(TURN))
    world.sink = Deaf(event)  # type: ignore[assignment]
    output = world.run()
    assert (output.success, output.summary) == (success, summary)


# Harness errors and cancellation leave the runner


@pytest.mark.parametrize("where", ["enter", "query", "stream", "exit", "gate", "review"])
def test_harness_errors_are_raised_unchanged_and_leave_no_client(tmp_path: Path, where: str) -> None:
    error = Divergence("turn 1: other prompt")
    client = ScriptedClient([say("a"), Fail(error)] if where == "stream" else TURN)
    if where in ("enter", "query", "exit"):
        client.fail_at[where] = error
    gates = [error] if where == "gate" else [passing()]
    world = World(tmp_path, ScriptedFactory(client), gates=gates, reviews=[error])
    with pytest.raises(Divergence) as caught:
        world.run()
    assert caught.value is error
    assert client.calls[-1] == ("enter" if where == "enter" else "exit")
    assert world.sink.named("on_session_ended") == []


def test_a_harness_error_of_the_sink_is_raised_too(tmp_path: Path) -> None:
    class Strict(Deaf):
        def on_session_ended(self, *_: object) -> None:
            raise Divergence("one event too many")

    world = World(tmp_path, ScriptedFactory(TURN))
    world.sink = Strict("never")  # type: ignore[assignment]
    with pytest.raises(Divergence, match="one event too many"):
        world.run()


@pytest.mark.parametrize("times", [1, 2])
def test_r44_cancellation_passes_and_leaves_no_client_open(tmp_path: Path, times: int) -> None:
    client = ScriptedClient([say("a"), HANG])
    client.hang_at = frozenset({"disconnect"})
    world = World(tmp_path, ScriptedFactory(client))

    async def cancelled() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(world.runner().run_session(AgentSessionInput("i1", "do it")))
        await asyncio.sleep(1)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(1)
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop.time()

    on_virtual_time(cancelled)
    assert client.calls == ["enter", "query", "disconnect", "exit"]
    assert world.sink.told[-2:] == [
        ("on_state_entered", "i1", "FAILED", "COMPLETE_FAILURE"),
        ("on_session_ended", "i1", EndReason.ABORTED, "the session was cancelled"),
    ]


def test_cancellation_while_connecting_leaves_nothing(tmp_path: Path) -> None:
    client = ScriptedClient(TURN)
    client.hang_at = frozenset({"enter"})
    world = World(tmp_path, ScriptedFactory(client), settings={"timeout_seconds": 20})
    output = world.run()
    assert output.summary == "Timeout after 20 seconds: connecting (state PROCESSING, turn 1)"
    assert client.calls == ["enter"]


def test_other_base_exceptions_pass(tmp_path: Path) -> None:
    class Stop(BaseException):
        pass

    with pytest.raises(Stop):
        World(tmp_path, ScriptedFactory([Fail(Stop())])).run()


def test_two_sessions_do_not_disturb_each_other(tmp_path: Path) -> None:
    one = World(
        tmp_path,
        ScriptedFactory([Wait(1), *TURN], [Wait(3), ResultMessage("s2", "other")]),
        gates=[passing(), passing()],
    )

    async def both() -> tuple[Any, Any]:
        runner = one.runner()
        first = asyncio.create_task(runner.run_session(AgentSessionInput("i1", "p1")))
        second = asyncio.create_task(runner.run_session(AgentSessionInput("i2", "p2")))
        return await first, await second

    first, second = on_virtual_time(both)
    assert (first.session_id, first.summary, second.session_id, second.summary) == ("s1", "done", "s2", "other")


# X11: the log


def test_x11_the_log_must_hold_the_turns_last_message(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        ScriptedFactory([say("a", uuid="u1"), answer("t", uuid="u2"), ResultMessage()]),
        settings={"log_file_wait_timeout": 2},
    )
    world.log_uuids = ["u1"]
    output = world.run()
    path = tmp_path / "s1.jsonl"
    assert output.summary == f"Session log not ready in time: {path} (awaited the entry u2, the last one found is u1)"
    assert output.reason is EndReason.NO_LOG
    world = World(tmp_path, ScriptedFactory([say("a", uuid="u1"), ResultMessage()]), log_uuids=["u1"])
    assert world.run().success


def test_x11_an_entry_from_before_the_attempts_evidence_is_not_the_turns(tmp_path: Path) -> None:
    turn = [say("a", uuid="u1"), ResultMessage()]
    world = World(tmp_path, ScriptedFactory(turn, turn), gates=[failing()], log_uuids=["u1"])
    world.settings = {"log_file_wait_timeout": 2}
    output = world.run()
    assert (output.reason, output.gate_attempts) == (EndReason.NO_LOG, 2)


def test_x11_a_log_that_is_flushed_later_is_awaited(tmp_path: Path) -> None:
    world = World(tmp_path, ScriptedFactory([say("a", uuid="u1"), ResultMessage()]))

    def late(session_id: str) -> Path:
        path = tmp_path / "late.jsonl"
        path.write_text('{"uuid": "u0"}\n')
        asyncio.get_running_loop().call_later(1.2, path.write_text, '{"uuid": "u0"}\n{"uuid": "u1"}\n')
        return path

    world.callbacks = SessionCallbacks(on_gate_check=world.gate, get_log_path=late)
    assert world.run().success
    assert world.elapsed == 1.5


# What the clock is told


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([HANG], "waiting for a frame after the prompt; idle timer on (600 s) (state PROCESSING, turn 1)"),
        ([say("a"), HANG], "waiting for a frame after `text`; idle timer on (600 s) (state PROCESSING, turn 1)"),
        (
            [use("toolu_0007"), HANG],
            "waiting for a frame after `tool_use Bash (toolu_0007)`; idle timer off, tools pending: Bash (toolu_0007)"
            " (state PROCESSING, turn 1)",
        ),
    ],
)
def test_describe_says_what_the_session_waits_for(tmp_path: Path, steps: list[Any], text: str) -> None:
    world = World(tmp_path, ScriptedFactory(steps))

    async def look() -> str:
        runner = world.runner()
        assert runner.describe() == "no session is running"
        task = asyncio.create_task(runner.run_session(AgentSessionInput("i1", "do it")))
        await asyncio.sleep(1)
        told = runner.describe()
        task.cancel()
        await asyncio.wait({task})
        return told

    assert on_virtual_time(look) == text


def test_describe_names_the_log_the_gate_and_the_review(tmp_path: Path) -> None:
    told: list[str] = []
    runner: list[AgentSessionRunner] = []

    async def judge(*_: Any) -> Any:
        told.append(runner[0].describe())
        return (passing(), 0) if len(told) == 1 else reviewed(passed=True)

    world = World(tmp_path, ScriptedFactory(TURN), reviews=[None])
    world.callbacks = SessionCallbacks(on_gate_check=judge, on_review_check=judge, get_log_path=world.log_path)
    runner.append(world.runner())
    on_virtual_time(lambda: runner[0].run_session(AgentSessionInput("i1", "do it")))
    assert told == [
        "waiting for the gate (state RUNNING_GATE, turn 1)",
        "waiting for the review (state RUNNING_REVIEW, turn 1)",
    ]


def test_describe_names_every_other_wait(tmp_path: Path) -> None:
    told: dict[str, str] = {}
    runner: list[AgentSessionRunner] = []

    class Telling(RecordingSink):
        def on_state_entered(self, *args: Any) -> None:
            told[args[1]] = runner[0].describe()

        def on_log_waiting(self, agent_id: str) -> None:
            told["log"] = runner[0].describe()

    class Asking(AbleFactory):
        def create(self, options: object) -> ScriptedClient:
            told[self.announced[-1]] = runner[0].describe()
            return super().create(options)

    full = [init(), say("a", usage=usage(190_000)), ResultMessage()]
    factory = Asking(full, [say("notes")], [HANG], TURN)
    world = World(tmp_path, factory, gates=[failing(), passing()], sink=Telling())
    world.settings = {"idle_timeout_seconds": 9, "idle_retry_backoff": (5,)}
    runner.append(world.runner())

    async def look() -> str:
        task = asyncio.create_task(runner[0].run_session(AgentSessionInput("i1", "do it")))
        await asyncio.sleep(10)
        waiting = runner[0].describe()
        await task
        return waiting

    assert on_virtual_time(look) == "waiting 5 s before the next attempt (state PROCESSING, turn 2)"
    assert told["work"] == "about to connect (state PROCESSING, turn 1)"
    assert told["log"] == f"waiting for the session log {tmp_path / 's1.jsonl'} (state AWAITING_LOG, turn 2)"
    assert told["checkpoint"] == "waiting for a checkpoint (state INITIAL, turn 1)"
    assert told["SUCCESS"] == "ended (state SUCCESS, turn 2)"


@pytest.mark.parametrize(
    ("steps", "after"),
    [
        ([use("toolu_0007"), HANG], "`tool_use Bash (toolu_0007)`; idle timer off, tools pending: Bash (toolu_0007)"),
        ([HANG], "the prompt; idle timer on (360 s)"),
    ],
)
def test_a_hang_ends_in_the_words_of_the_clock(tmp_path: Path, steps: list[Any], after: str) -> None:
    world = World(tmp_path, ScriptedFactory(steps), settings={"timeout_seconds": 1800, "max_idle_retries": 0})

    async def session() -> str:
        clock = VirtualClock(START, frozen=False)
        runner = world.runner(clock=clock)
        clock.describe = runner.describe
        with clock:
            return (await runner.run_session(AgentSessionInput("i1", "do it"))).summary

    assert asyncio.run(session()).endswith(
        f": nothing else could have happened: waiting for a frame after {after} (state PROCESSING, turn 1)"
    )


def test_importing_the_session_room_is_cheap() -> None:
    program = (
        "import sys, pytest_mala.session as s; assert 'asyncio' not in sys.modules; s.AgentSessionRunner;"
        "assert not {'claude_agent_sdk', 'vcr', 'yaml', 'freezegun', 'pytest'} & set(sys.modules);"
        "[getattr(s, name) for name in s.__all__]"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
