"""Gate and review, driven one effect at a time: rows R11, R14, R19-R24 of session:6."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import ScriptedFactory, World, failing, finding, passing, reviewed

from pytest_mala.session.config import AgentSessionInput, SessionCallbacks, SessionExecutionState
from pytest_mala.session.context import Effect, LifecycleState
from pytest_mala.session.effects import Judges
from pytest_mala.session.emit import SessionEvents
from pytest_mala.session.models import ReviewResult
from pytest_mala.session.run import new_state

if TYPE_CHECKING:
    from pathlib import Path


class Court:
    """Judges at work on a session that waits for them."""

    def __init__(self, folder: Path, *, gates: list[Any], reviews: list[Any] = [], **settings: Any) -> None:  # noqa: B006
        self.world = World(folder, ScriptedFactory(), gates=gates, reviews=list(reviews), settings=settings)
        config = self.world.runner().config
        self.state: SessionExecutionState = new_state(config, 0)
        self.log = folder / "log"
        self.config = config
        lifecycle, ctx = self.state.lifecycle, self.state.lifecycle_ctx
        lifecycle.start()
        lifecycle.on_messages_complete(ctx, has_session_id=True)
        lifecycle.on_log_ready(ctx)
        ctx.session_id = "s1"

    def judges(self, callbacks: SessionCallbacks | None = None) -> Judges:
        events = SessionEvents(self.world.sink, "i1")
        given = AgentSessionInput("i1", "do it", "base", "the issue")
        return Judges(self.config, callbacks or self.world.all_callbacks(), events, given)

    def gate(self) -> Any:
        return asyncio.run(self.judges().gate(self.state, self.log))

    def review(self) -> Any:
        return asyncio.run(self.judges().review(self.state, self.log))

    def answer_a_review(self) -> None:
        lifecycle, ctx = self.state.lifecycle, self.state.lifecycle_ctx
        lifecycle.on_messages_complete(ctx, has_session_id=True)
        lifecycle.on_log_ready(ctx)
        self.gate()


def test_r11_r14_a_failed_gate_returns_a_prompt_with_its_reasons(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[failing("tests fail", "no commit")])
    answer = court.gate()
    assert "- tests fail\n- no commit" in answer.pending_query
    assert answer.transition_result.effect is Effect.SEND_GATE_RETRY
    assert [event[0] for event in court.world.sink.events[:2]] == ["on_validation_started", "on_gate_started"]
    assert court.world.sink.named("on_gate_started") == [("i1", 1, 3, "issue_id='i1'")]


def test_r14_r23_a_missing_callback_is_an_error_after_the_start_was_told(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[None])
    empty = court.judges(SessionCallbacks())
    with pytest.raises(ValueError, match=r"^on_gate_check callback must be set$"):
        asyncio.run(empty.gate(court.state, court.log))
    court.gate()
    with pytest.raises(ValueError, match=r"^on_review_check callback must be set$"):
        asyncio.run(empty.review(court.state, court.log))
    assert court.world.sink.events[-1][0] == "on_review_started"


def test_r20_x4_every_passed_gate_tells_so(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing(), passing()], reviews=[reviewed(finding())])
    court.gate()
    court.review()
    court.answer_a_review()
    assert len(court.world.sink.named("on_gate_passed")) == 2


def test_r22_a_passed_review_ends(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[reviewed(passed=True, review_log_path=tmp_path / "r")])
    court.gate()
    answer = court.review()
    assert (answer.pending_query, answer.should_break, answer.cerberus_log_path) == (None, True, str(tmp_path / "r"))
    assert answer.transition_result.state is LifecycleState.SUCCESS


def test_r22_r25_a_blocking_review_with_budget_names_issue_attempt_and_titles(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[reviewed(finding(0, "leak"), finding(3, "typo"))])
    court.gate()
    answer = court.review()
    assert answer.should_break is False
    assert all(part in answer.pending_query for part in ("i1", "2/3", "leak", "typo"))


def test_r22_an_exhausted_review_ends_without_a_prompt(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[reviewed(finding(0))], max_review_retries=1)
    court.gate()
    answer = court.review()
    assert (answer.pending_query, answer.should_break) == (None, True)


def test_r19_a_review_to_be_run_again_neither_ends_nor_sends(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[reviewed(parse_error="bad")])
    court.gate()
    answer = court.review()
    assert (answer.pending_query, answer.should_break) == (None, False)
    assert court.world.sink.events[-1] == (
        "on_warning", "Review without a usable answer, asking again: bad", "agent_id='i1'",
    )  # fmt: skip


@pytest.mark.parametrize("stalled", [True, False])
def test_r21_progress_is_asked_for_after_an_answer_only(tmp_path: Path, stalled: bool) -> None:
    court = Court(tmp_path, gates=[passing("c1"), passing("c2")], reviews=[reviewed(finding()), reviewed(passed=True)])
    asked: list[tuple[Any, ...]] = []

    def no_progress(*args: Any) -> bool:
        asked.append(args)
        return stalled

    court.world.no_progress = no_progress
    court.gate()
    court.state.cerberus_review_log_path = "kept"
    court.review()
    assert asked == []
    court.answer_a_review()
    answer = court.review()
    assert asked == [(court.log, 7, "c1", "c2")]
    assert (answer.should_break, answer.pending_query, answer.cerberus_log_path) == (True, None, "kept")
    assert len(court.world.called("review")) == (1 if stalled else 2)
    assert bool(court.world.sink.named("on_review_skipped_no_progress")) is stalled
    assert answer.transition_result.state is (LifecycleState.FAILED if stalled else LifecycleState.SUCCESS)


def test_r24_a_fatal_review_calls_abort_once(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing()], reviews=[reviewed(parse_error="quota", fatal_error=True)])
    court.gate()
    court.review()
    assert court.world.called("abort") == [("quota",)]


def test_a_review_without_progress_is_kept_as_one_that_failed_and_asks_for_the_offset(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing("c1"), passing("c1")], reviews=[reviewed(finding())])
    court.world.no_progress = lambda *_: True
    court.gate()
    court.review()
    court.answer_a_review()
    court.review()
    assert court.state.lifecycle_ctx.last_review_result == ReviewResult(passed=False)
    assert court.world.called("offset") == [(0,), (7,)]


def test_progress_without_a_gates_answer_has_no_commit_to_compare(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing("c1")], reviews=[reviewed(passed=True)])
    asked: list[tuple[Any, ...]] = []
    court.world.no_progress = lambda *args: bool(asked.append(args))
    court.gate()
    court.state.lifecycle_ctx.last_gate_result = None
    court.state.lifecycle_ctx.review_answer_due = True
    court.review()
    assert asked == [(court.log, 0, None, None)]


def test_a_review_needs_no_log_of_its_own(tmp_path: Path) -> None:
    said = SimpleNamespace(passed=True, issues=[], parse_error=None, fatal_error=False)
    court = Court(tmp_path, gates=[passing("c1")], reviews=[said])
    court.gate()
    assert court.review().cerberus_log_path is None


def test_without_the_offset_callback_evidence_begins_at_zero(tmp_path: Path) -> None:
    court = Court(tmp_path, gates=[passing("c1")], reviews=[reviewed(finding())])
    court.gate()
    court.state.lifecycle_ctx.retry_state.log_offset = 50
    callbacks = dataclasses.replace(court.world.all_callbacks(), get_log_offset=None)
    asyncio.run(court.judges(callbacks).review(court.state, court.log))
    assert court.state.lifecycle_ctx.retry_state.log_offset == 0


def test_paths_of_findings_are_told_relative_to_the_repository(tmp_path: Path) -> None:
    below = dataclasses.replace(finding(), file=str(tmp_path / "src" / "a.py"))
    court = Court(tmp_path, gates=[passing("c1")], reviews=[reviewed(below)])
    court.gate()
    assert court.review().pending_query == "review 2/3 of i1:\nFile: src/a.py\n  L3: [critic] bug\n    because"
