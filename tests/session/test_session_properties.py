"""Sessions with generated peers: whatever agent, gate, reviewer, log, sink and timers do, the rules hold."""

from __future__ import annotations

import logging
import os
import secrets
from asyncio import CancelledError
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from session_agents import GOOD, Entry, Played, Script, Talk
from session_live import LiveWorld
from session_rules import LEAVING, RULES, RULES_OF_BEGINNINGS, broken_rules, comparable, pending_tools
from session_worlds import play, play_all

from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

WORDS = st.sampled_from(
    [
        *("init", "fork", "text", "uuid", "named", "think", "full", "fulluse1", "use1", "use2", "ok1", "ok2", "err1"),
        *("own1", "user", "sub", "odd", "rate", "wait1", "wait9", "wait10", "wait11", "wait60", "hang", "hang"),
        *("result", "result", "result", "result?", "result~", "result#", "result!", "result-", "result$"),
        *("crash", "crash", "pipe", "boom", "late", "divergence"),
    ]
)


def lines(words: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(words, max_size=most).map(" ".join)


GOOD_LINES = st.sampled_from(
    [
        GOOD,
        GOOD,
        "result",
        "init uuid result",
        "init text result#",
        "init use1 ok1 full result",
        "result result~",
        "fork text result",
    ]
)
SAD_LINES = st.sampled_from(
    [
        *("init hang", "init text hang", "hang", "init use1 ok1 hang", "use1 ok1 hang", "init use1 hang", "text hang"),
        *("init use1 crash", "init text crash", "crash", "use1 crash", "init fulluse1 ok1 text result", "init wait11"),
        *("init use2 fulluse1 ok1 hang", "init use2 fulluse1 ok1 ok2 text result", "init text fork hang"),
        *("init result hang", "init result wait9 text result"),
    ]
)
ENDS = st.sampled_from(["init text result!", "init text result$", "init text result-", "init text", "init text boom"])
SAYS = st.one_of(
    GOOD_LINES, GOOD_LINES, SAD_LINES, ENDS, lines(WORDS, 6), st.tuples(lines(WORDS, 3), GOOD_LINES).map(" ".join)
)
HOW = st.sampled_from(["hangs", "lingers", "fails", "dies", "diverges"])
TROUBLE = lines(st.tuples(st.sampled_from(["interrupt", "disconnect", "exit", "terminate"]), HOW).map("-".join), 3)


def usually(value: Any, other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(value), st.just(value), st.just(value), other)


TALKS = st.builds(
    Talk,
    says=SAYS,
    connect=usually(
        "works", st.sampled_from(["hangs", "lingers", "fails", "dies", "lost", "diverges", "forgets", "absent"])
    ),
    ask=usually("works", st.sampled_from(["hangs", "lingers", "fails", "lost", "diverges"])),
    trouble=usually("", TROUBLE),
    after=usually("", lines(WORDS.filter(lambda word: not word.startswith(("wait", "hang"))), 3)),
    obeys=usually(True, st.just(False)),
    bare=usually(False, st.just(True)),
)
GATE = st.sampled_from(
    [
        *("pass", "pass", "fail", "fail", "fail", "stuck", "bare", "no-change", "obsolete", "complete", "resolved"),
        *("slow", "stubborn", "stubborn-fail", "raises", "times-out", "diverges"),
    ]
)
REVIEW = st.sampled_from(
    [
        *("yes", "no", "p0", "p1", "p1", "p2", "px", "p3+p1", "yes+p2", "yes+p0", "garbled", "empty", "yes+garbled"),
        *("fatal", "fatal+garbled", "garbled+p0", "yes+empty", "slow", "raises", "times-out", "diverges"),
    ]
)
SINK = st.sampled_from(
    [
        *("on_lifecycle_state", "on_log_waiting", "on_gate_started", "on_gate_passed", "on_gate_retry", "on_warning"),
        *("on_review_retry", "on_review_passed", "on_idle_retry", "on_context_restart", "on_session_ended"),
        *("on_state_entered", "on_gate_started!", "on_session_ended!"),
    ]
)
SCRIPTS = st.builds(
    Script,
    talks=st.lists(TALKS, max_size=6).map(tuple),
    gates=lines(GATE, 5),
    reviews=lines(REVIEW, 5),
    logs=usually("", lines(st.sampled_from(["here", "here", "later", "old", "never", "fails"]), 3)),
    progress=usually("", lines(st.sampled_from(["moved", "same"]), 3)),
    timeout=usually(3000, st.sampled_from([0, 1, 10, 20, 30, 60])),
    idle=usually(10, st.sampled_from([0, 1, 10, 20, None])),
    idle_retries=st.integers(0, 2),
    crash_retries=st.integers(0, 2),
    gate_limit=st.integers(0, 3),
    review_limit=st.integers(0, 3),
    review=usually(True, st.just(False)),
    restarts=st.integers(0, 2),
    log_wait=st.sampled_from([3, 0, 0.7]),
    checkpoints=usually(True, st.just(False)),
    resumes=usually(True, st.just(False)),
    cancels=usually((), st.lists(st.integers(0, 60), max_size=2).map(tuple)),
    cancel_after=usually(None, st.sampled_from([0, 1, 5, 10, 11, 15, 30])),
    sink=usually("", SINK),
    breaks=usually("", st.sampled_from(["options", "resume", "progress", "offset", "tool", "text"])),
)

"""Whatever can be thought of; most of these sessions end early."""
MILD_SCRIPTS = st.builds(
    Script,
    talks=st.lists(
        st.builds(
            Talk,
            says=st.one_of(GOOD_LINES, SAD_LINES),
            connect=st.sampled_from(["works", "works", "works", "forgets"]),
            ask=st.sampled_from([*["works"] * 11, "fails"]),
            trouble=usually("", TROUBLE.filter(lambda words: "diverges" not in words)),
            after=usually("", st.sampled_from(["text", "use1", "init", "result!"])),
            obeys=usually(True, st.just(False)),
            bare=usually(False, st.just(True)),
        ),
        min_size=2,
        max_size=10,
    ).map(tuple),
    gates=lines(st.sampled_from(["pass", "fail", "fail", "resolved", "bare"]), 6),
    reviews=lines(st.sampled_from(["yes", "no", "p1", "p0+p2", "garbled", "yes+p0", "p2"]), 5),
    logs=usually("", lines(st.sampled_from(["here", "later"]), 3)),
    idle_retries=st.integers(1, 3),
    crash_retries=st.integers(1, 3),
    gate_limit=st.integers(2, 4),
    review_limit=st.integers(2, 4),
    restarts=st.integers(1, 4),
    checkpoints=usually(True, st.just(False)),
    resumes=usually(True, st.just(False)),
    cancels=usually((), st.lists(st.integers(0, 200), max_size=2).map(tuple)),
)
"""Only what a session may get over: these go deep."""


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Thousands of sessions that go wrong have much to log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def break_nothing(played: Played) -> None:
    """With the history in the failure, which is what one wants to read."""
    broken = broken_rules(played)
    assert broken == [], "\n".join([*broken, *comparable(played)])


@QUICK
@given(script=SCRIPTS)
def test_the_rules_hold_whatever_the_peers_do(tmp_path: Path, script: Script) -> None:
    break_nothing(play(tmp_path, script))


FULL = Talk("init fulluse1 ok1 text result")
RARE = (
    Script((Talk("init hang", trouble="interrupt-hangs disconnect-hangs terminate-hangs exit-hangs", obeys=False),)),
    Script((Talk("init text hang", after="use1"), Talk(connect="forgets"))),
    Script((Talk("text hang", after="use1"), Talk())),
    Script((Talk(), Talk("hang"), Talk(connect="forgets")), gates="fail"),
    Script((Talk("init text fork text hang"), Talk("text hang"))),
    Script((FULL, Talk(ask="fails"))),
    Script((FULL, Talk(connect="hangs"), Talk("hang"), Talk("text result"))),
    Script(reviews="fatal yes"),
    Script(reviews="p1 yes", progress="same"),
    Script(reviews="garbled no p1 yes", progress="moved", review_limit=4),
)
"""What chance seldom brings, in the shape in which it can do harm."""


@pytest.mark.parametrize("script", RARE, ids=[f"{number}" for number in range(len(RARE))])
def test_the_rules_hold_in_rare_worlds(tmp_path: Path, script: Script) -> None:
    break_nothing(play(tmp_path, script))


FROM_OUTSIDE = (EndReason.ABORTED, EndReason.DEADLOCK_VICTIM, EndReason.UNJUDGED)
ENDINGS = {
    EndReason.PASSED: Script(),
    EndReason.NO_CHANGE: Script(gates="no-change"),
    EndReason.OBSOLETE: Script(gates="obsolete"),
    EndReason.ALREADY_COMPLETE: Script(gates="complete"),
    EndReason.GATE_FAILED: Script(gates="fail fail fail"),
    EndReason.REVIEW_FAILED: Script(reviews="p1 garbled no"),
    EndReason.NO_PROGRESS: Script(gates="stuck"),
    EndReason.NO_LOG: Script(logs="never"),
    EndReason.IDLE: Script((Talk("use1 ok1 hang"),)),
    EndReason.TIMEOUT: Script((Talk("use1 hang"),)),
    EndReason.CONTEXT: Script((FULL,), restarts=0),
    EndReason.BUDGET: Script((Talk("init result$"),)),
    EndReason.AGENT_ERROR: Script((Talk("init text"),)),
}


@pytest.mark.parametrize("reason", [reason for reason in EndReason if reason not in FROM_OUTSIDE], ids=str)
def test_every_end_of_the_runner_is_reached(tmp_path: Path, reason: EndReason) -> None:
    played = play(tmp_path, ENDINGS[reason])
    assert played.output is not None
    assert played.output.reason is reason
    break_nothing(played)


@QUICK
@given(script=MILD_SCRIPTS)
def test_the_rules_hold_through_long_sessions(tmp_path: Path, script: Script) -> None:
    break_nothing(play(tmp_path, script))


@settings(QUICK, max_examples=30)
@given(script=st.one_of(SCRIPTS, MILD_SCRIPTS))
def test_the_same_script_makes_the_same_history(tmp_path: Path, script: Script) -> None:
    assert comparable(play(tmp_path, script)) == comparable(play(tmp_path, script))


OF_THE_RUNNER = (
    *("timeout", "idle", "idle_retries", "crash_retries", "gate_limit", "review_limit", "review", "restarts"),
    *("log_wait", "checkpoints", "resumes"),
)


@settings(QUICK, max_examples=30)
@given(first=SCRIPTS, second=MILD_SCRIPTS)
def test_two_sessions_of_one_runner_do_as_each_alone(tmp_path: Path, first: Script, second: Script) -> None:
    first = replace(first, **{name: getattr(second, name) for name in OF_THE_RUNNER})
    alone = [play(tmp_path, first, "i1"), play(tmp_path, second, "i2")]
    together = play_all(tmp_path, {"i1": first, "i2": second})
    assert [comparable(played) for played in together] == [comparable(played) for played in alone]


# What was found, as plain tests


def queries(played: Played) -> list[tuple[str, str | None]]:
    return [(e.facts["prompt"], e.facts["session"]) for e in played.history if e.what == "query"]


def test_a_sink_that_fails_at_the_last_state_still_hears_of_the_end(tmp_path: Path) -> None:
    played = play(tmp_path, Script(sink="on_state_entered"))
    assert played.history[-1].facts["event"] == "on_session_ended"
    break_nothing(played)


def test_a_fresh_session_is_asked_what_the_turn_is_about_not_to_go_on(tmp_path: Path) -> None:
    played = play(tmp_path, Script((Talk("init text hang"), Talk(connect="forgets")), review=False))
    assert queries(played) == [("do i1", None), ("do i1", None)]
    break_nothing(played)


def test_a_session_that_is_gone_is_not_resumed_a_second_time(tmp_path: Path) -> None:
    talks = (Talk("init text hang"), Talk(connect="forgets"), Talk("use1 ok1 hang"))
    played = play(tmp_path, Script(talks))
    assert played.output is not None
    assert "idle after 1 tool calls without a session id: a retry could repeat them" in played.output.summary
    assert played.output.session_id is None
    break_nothing(played)


def test_a_second_restart_in_a_row_still_carries_what_the_gate_asked_for(tmp_path: Path) -> None:
    full = Talk("init fulluse1 ok1 text result")
    played = play(tmp_path, Script((Talk(), full, Talk(), full), gates="fail"))
    prompts = [prompt.split("\n")[0] for prompt, _ in queries(played)]
    assert prompts == [
        "do i1",
        "gate 2/3 of i1:",
        "write a checkpoint",
        "go on from: well",
        "write a checkpoint",
        "go on from: well",
    ]
    assert all("- reason-0." in queries(played)[number][0] for number in (1, 3, 5))
    break_nothing(played)


def test_a_gate_that_swallows_the_deadline_is_the_last_thing_that_happens(tmp_path: Path) -> None:
    played = play(tmp_path, Script((Talk(), Talk("init use1 hang")), gates="stubborn-fail", timeout=20))
    assert played.output is not None
    assert played.output.reason is EndReason.TIMEOUT
    assert played.output.duration_seconds == 21
    assert len(queries(played)) == 1
    break_nothing(played)


def test_a_word_of_the_agents_that_comes_while_it_is_given_up_is_an_answer(tmp_path: Path) -> None:
    played = play(tmp_path, Script((Talk("init hang", after="text"),)))
    assert queries(played) == [("do i1", None), ("go on with i1", "i1-s0")]
    played = play(tmp_path, Script((Talk("init hang", after="result!"),)))
    assert queries(played) == [("do i1", None), ("do i1", "i1-s0")]


def test_what_is_drained_after_the_agent_was_left_breaks_no_silence(tmp_path: Path) -> None:
    late = Talk("wait11 init text result", obeys=False)
    played = play(tmp_path, Script((late,), cancel_after=10, idle_retries=0))
    assert [(e.at, e.what) for e in played.history if e.what in ("cancel", "said")][:2] == [
        (10, "cancel"),
        (11, "said"),
    ]
    break_nothing(played)
    played = play(tmp_path, Script((Talk("result! wait11 init text result"),), crash_retries=0))
    assert [e.at for e in played.history if e.what == "said"] == [0, 11, 11, 11]
    break_nothing(played)


# Canaries: each rule reports a history that breaks it


RICH = Script(
    talks=(Talk("init use1 ok1 hang"), Talk(), Talk("init fulluse1 ok1 text result"), Talk(), Talk(), Talk("hang")),
    gates="fail",
    reviews="p1 yes",
)
"""Passes after an idle resume, a gate retry, a context restart, a review retry and a second idle resume."""


def edited(played: Played, what: str, number: int, **facts: Any) -> Played:
    """With other facts in an entry of that kind."""
    index = [n for n, entry in enumerate(played.history) if entry.what == what][number]
    entry = played.history[index]
    return with_history(played, index, [entry._replace(facts={**entry.facts, **facts})])


def with_history(played: Played, index: int, instead: list[Entry], count: int = 1) -> Played:
    """With other entries in the place of some."""
    history = [*played.history[:index], *instead, *played.history[index + count :]]
    return replace(played, history=history)


def without(played: Played, what: str, number: int, **facts: Any) -> Played:
    found = [n for n, e in enumerate(played.history) if e.what == what and facts.items() <= e.facts.items()]
    return with_history(played, found[number], [])


def doubled(played: Played, what: str, number: int) -> Played:
    index = [n for n, entry in enumerate(played.history) if entry.what == what][number]
    return with_history(played, index, [played.history[index]] * 2)


def moved_to_end(played: Played, what: str) -> Played:
    entry = next(entry for entry in played.history if entry.what == what)
    return replace(played, history=[*played.history, entry])


def moved(played: Played, what: str, number: int, seconds: float) -> Played:
    index = [n for n, entry in enumerate(played.history) if entry.what == what][number]
    return with_history(played, index, [played.history[index]._replace(at=played.history[index].at + seconds)])


def with_output(played: Played, **facts: Any) -> Played:
    assert played.output is not None
    return replace(played, output=replace(played.output, **facts))


CANARIES: list[tuple[str, Callable[[Played], Played]]] = [
    ("attempts_stay_within_their_limits", lambda played: edited(played, "gate", 1, attempt=9)),
    ("attempts_stay_within_their_limits", lambda played: edited(played, "review", 1, attempt=1)),
    ("attempts_stay_within_their_limits", lambda played: replace(played, script=replace(RICH, restarts=0))),
    ("attempts_stay_within_their_limits", lambda played: replace(played, script=replace(RICH, review_limit=1))),
    ("nothing_is_pending_between_attempts", lambda played: edited(played, "create", 1, pending=["t1"])),
    ("nothing_is_asked_after_the_end", lambda played: moved_to_end(played, "query")),
    ("nothing_is_asked_after_the_end", lambda played: moved_to_end(played, "gate")),
    ("there_is_one_end_and_it_fits", lambda played: doubled(played, "told", -1)),
    ("there_is_one_end_and_it_fits", lambda played: without(played, "told", -1)),
    ("there_is_one_end_and_it_fits", lambda played: with_output(played, reason=EndReason.IDLE)),
    ("there_is_one_end_and_it_fits", lambda played: with_output(played, success=False)),
    ("there_is_one_end_and_it_fits", lambda played: with_output(played, session_id=None)),
    ("success_was_earned", lambda played: edited(played, "judged", -1, passed=False)),
    ("success_was_earned", lambda played: edited(played, "reviewed", -1, priorities=[0])),
    ("success_was_earned", lambda played: without(played, "gate", -1)),
    ("success_was_earned", lambda played: without(played, "said", -1)),
    ("success_was_earned", lambda played: replace(played, script=replace(RICH, review=False))),
    ("answers_have_their_consequences", lambda played: edited(played, "judged", 0, stuck=True)),
    ("answers_have_their_consequences", lambda played: edited(played, "judged", 0, passed=True)),
    ("answers_have_their_consequences", lambda played: edited(played, "reviewed", 0, fatal=True)),
    ("answers_have_their_consequences", lambda played: edited(played, "reviewed", 0, unreadable=True)),
    ("answers_have_their_consequences", lambda played: edited(played, "progress", 0, none=True)),
    ("every_client_is_left_once", lambda played: without(played, "exit", 0)),
    ("every_client_is_left_once", lambda played: doubled(played, "exit", 2)),
    ("every_client_is_left_once", lambda played: doubled(played, "query", 1)),
    ("every_client_is_left_once", lambda played: without(played, "disconnect", 0)),
    ("retries_stay_within_their_budgets", lambda played: replace(played, script=replace(RICH, idle_retries=0))),
    ("retries_stay_within_their_budgets", lambda played: edited(played, "create", 1, purpose="crash retry")),
    ("retries_stay_within_their_budgets", lambda played: with_output(played, success=False, summary="Agent idle: all")),
    ("retries_lose_and_repeat_nothing", lambda played: edited(played, "query", 1, session=None)),
    ("retries_lose_and_repeat_nothing", lambda played: edited(played, "query", 1, prompt="do i1")),
    ("retries_lose_and_repeat_nothing", lambda played: edited(played, "query", -1, prompt="go on with i1")),
    ("only_its_own_session_is_resumed", lambda played: edited(played, "query", 1, session="i1-s9")),
    ("only_its_own_session_is_resumed", lambda played: edited(played, "create", 1, resume=None)),
    ("only_its_own_session_is_resumed", lambda played: edited(played, "query", 2, session=None)),
    ("only_its_own_session_is_resumed", lambda played: edited(played, "query", 4, session="i1-s0")),
    ("what_was_asked_for_is_asked_again", lambda played: edited(played, "query", 2, prompt="try again")),
    ("what_was_asked_for_is_asked_again", lambda played: edited(played, "query", 4, prompt="go on from: here")),
    ("silence_is_judged_fairly", lambda played: without(played, "said", 0, word="ok1")),
    ("silence_is_judged_fairly", lambda played: replace(played, script=replace(RICH, idle=20))),
    ("silence_is_judged_fairly", lambda played: replace(played, script=replace(RICH, idle=0))),
    ("silence_is_judged_fairly", lambda played: with_a_late_word(played)),
    ("pressure_cuts_no_tool_off", lambda played: without(played, "said", 1, word="ok1")),
    ("time_is_kept", lambda played: replace(played, script=replace(RICH, timeout=5))),
    ("time_is_kept", lambda played: moved(played, "exit", 0, 21.0)),
    ("time_is_kept", lambda played: with_output(played, duration_seconds=1.0)),
    ("time_is_kept", lambda played: with_history(played, 0, [Entry(-60.0, "cancel", -1, {})], 0)),
    ("only_harness_errors_and_cancellation_are_raised", lambda played: replace(played, output=None)),
    ("only_harness_errors_and_cancellation_are_raised", lambda played: replace(played, error=ValueError("x"))),
    ("only_harness_errors_and_cancellation_are_raised", lambda played: replace(played, error=Divergence("x"))),
    ("only_harness_errors_and_cancellation_are_raised", lambda played: replace(played, error=CancelledError())),
    ("only_harness_errors_and_cancellation_are_raised", lambda played: edited_cancel(played)),
    ("events_come_in_order", lambda played: without(played, "told", 0, event="on_log_ready")),
    ("events_come_in_order", lambda played: without(played, "told", 0, event="on_gate_started")),
]
LATE_WORD = Entry(99.0, "said", 1, {"word": "text", "told": None, "heard": True, "speaks": True, "used": []})


def with_a_late_word(played: Played) -> Played:
    """Of a client that nobody gives up."""
    kept = [entry for entry in played.history if entry.client != 1 or entry.what not in LEAVING]
    return replace(played, history=[*kept, LATE_WORD])


def edited_cancel(played: Played) -> Played:
    return with_history(played, 0, [Entry(0.0, "cancel", -1, {})], 0)


def test_the_rules_are_silent_about_the_session_that_the_canaries_break(tmp_path: Path) -> None:
    played = play(tmp_path, RICH)
    break_nothing(played)
    purposes = [entry.facts["purpose"] for entry in played.history if entry.what == "create"]
    assert purposes == [
        *("work", "idle resume", "gate retry", "checkpoint", "continuation", "review retry", "idle resume"),
    ]


@pytest.mark.parametrize(("rule", "break_it"), CANARIES, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(CANARIES)])
def test_a_broken_history_is_reported(tmp_path: Path, rule: str, break_it: Callable[[Played], Played]) -> None:
    broken = break_it(play(tmp_path, RICH))
    assert rule in [text.split(":")[0] for text in broken_rules(broken)]


def test_every_rule_has_a_canary() -> None:
    assert {rule for rule, _ in CANARIES} == {rule.__name__ for rule in RULES}


def test_unequal_histories_are_told_apart(tmp_path: Path) -> None:
    played = play(tmp_path, RICH)
    other = [edited(played, "query", 0, prompt="x"), without(played, "exit", 0), with_output(played, summary="x")]
    assert all(comparable(played) != comparable(each) for each in other)


# A session that is driven step by step


class SessionMachine(RuleBasedStateMachine):
    """Whoever has the word is told what to do next; after every step the session must know what happened."""

    @initialize(
        budgets=st.tuples(
            st.integers(0, 2), st.integers(0, 2), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2)
        ),
        resumes=usually(True, st.just(False)),
    )
    def begin(self, budgets: tuple[int, ...], resumes: bool) -> None:
        self.folder = TemporaryDirectory()
        names = ("idle_retries", "crash_retries", "gate_limit", "review_limit", "restarts")
        limits = dict(zip(names, budgets, strict=True))
        self.script = Script(timeout=300, resumes=resumes, **limits)
        self.world = LiveWorld(Path(self.folder.name), self.script)

    @precondition(lambda self: self.world.speaker is not None)
    @rule(word=WORDS.filter(lambda word: not word.startswith(("wait", "hang"))))
    def speak(self, word: str) -> None:
        assert self.world.speaker is not None
        self.world.speaker.words.put_nowait(word)
        self.world.settle()

    @precondition(lambda self: self.world.speaker is not None)
    @rule()
    def end_the_turn(self) -> None:
        assert self.world.speaker is not None
        for word in ("named", "result", "end"):
            self.world.speaker.words.put_nowait(word)
        self.world.settle()

    @precondition(lambda self: "gate" in self.world.asked)
    @rule(word=GATE.filter(lambda word: "stubborn" not in word))
    def judge(self, word: str) -> None:
        self.world.asked["gate"].set_result(word)
        self.world.settle()

    @precondition(lambda self: "review" in self.world.asked)
    @rule(word=REVIEW)
    def give_a_review(self, word: str) -> None:
        self.world.asked["review"].set_result(word)
        self.world.settle()

    @precondition(lambda self: not self.world.is_over)
    @rule(seconds=st.sampled_from([0.1, 1, 5, 9, 10, 11, 100]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: len(self.world.history) > 30 and not self.world.is_over)
    @rule()
    def cancel(self) -> None:
        self.world.cancel_now()

    @precondition(lambda self: self.world.is_over)
    @rule()
    def begin_another_session(self) -> None:
        break_nothing(self.world.finish())
        self.world = LiveWorld(Path(self.folder.name), self.script)

    @invariant()
    def it_knows_what_is_pending(self) -> None:
        world = getattr(self, "world", None)
        if world is None or world.speaker is None:
            return
        said = [entry for entry in world.history if entry.what == "said" and entry.client == len(world.agents) - 1]
        purposes = [entry.facts["purpose"] for entry in world.history if entry.what == "create"]
        if purposes[-1] != "checkpoint":
            assert world.messages.pending_tool_ids == pending_tools(said)

    @invariant()
    def no_rule_is_broken_so_far(self) -> None:
        world = getattr(self, "world", None)
        if world is not None:
            broken = [text for each in RULES_OF_BEGINNINGS for text in each(Played(world.script, "i1", world.history))]
            assert broken == []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            played = self.world.finish()
            self.folder.cleanup()
            break_nothing(played)


TestSessionStepByStep = SessionMachine.TestCase
TestSessionStepByStep.settings = settings(QUICK, max_examples=30, stateful_step_count=25)


# The same, longer


BATCHES = 24
SEED = "MALA_PROPERTY_SEED"


@pytest.mark.stress
def test_the_rules_hold_in_many_more_worlds(tmp_path: Path) -> None:
    """The batches of seeds 1 to 24; `MALA_PROPERTY_SEED=N` begins with seed N, `random` with any.

    The seeds are fixed so that a change is refused for what it did, and not for what a die found in what was there.
    """
    chosen, reasons = os.environ.get(SEED, "1"), Counter[str]()
    first = secrets.randbits(32) if chosen == "random" else int(chosen)
    for number in range(first, first + BATCHES):
        run_batch(tmp_path, number, reasons)
    print(f"seeds {first} to {number}, {reasons.total()} sessions: {dict(reasons)}")


def run_batch(folder: Path, number: int, reasons: Counter[str]) -> None:
    @seed(number)
    @settings(QUICK, derandomize=False, max_examples=400)
    @given(script=st.one_of(SCRIPTS, MILD_SCRIPTS))
    def hold(script: Script) -> None:
        played = play(folder, script)
        reasons[played.output.reason.name if played.output and played.output.reason else repr(played.error)[:20]] += 1
        break_nothing(played)

    try:
        hold()
    except BaseException as error:
        error.add_note(f"repeat it with: {SEED}={number} pytest -m stress {Path(__file__).name}")
        raise
