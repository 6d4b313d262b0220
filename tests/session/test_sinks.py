"""The recording and the logging sink: all events as values, as text and as log records."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import OPTIONAL_EVENTS, ResultMessage, ScriptedFactory, World, say

from pytest_mala.errors import UsageError
from pytest_mala.issue.model import EndReason
from pytest_mala.session.abilities import ability
from pytest_mala.session.events import BaseEventSink
from pytest_mala.session.protocols import MalaEventSink
from pytest_mala.session.sinks import EVENT_NAMES, AnySink, EverySink, LoggingSink, RecordingSink, SinkEvent

if TYPE_CHECKING:
    from pathlib import Path

told = SinkEvent.told


def required(name: str) -> list[str]:
    parameters = list(inspect.signature(getattr(BaseEventSink, name)).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def test_all_events_of_the_contract_and_the_optional_ones_are_known() -> None:
    contract = {name for name in vars(MalaEventSink) if name.startswith("on_")}
    assert set(EVENT_NAMES) == contract | set(OPTIONAL_EVENTS)
    assert len(EVENT_NAMES) == 56


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_is_recorded_with_its_arguments_by_name(name: str) -> None:
    sink = RecordingSink()
    getattr(sink, name)(*required(name))
    (event,) = sink.events
    assert (event.name, sink.names, sink.named(name)) == (name, [name], [event])
    assert list(event.arguments) == list(inspect.signature(getattr(BaseEventSink, name)).parameters)[1:]
    assert {key: event.arguments[key] for key in required(name)} == {key: key for key in required(name)}


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_makes_one_log_record(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pytest_mala.events")
    getattr(LoggingSink(), name)(*required(name))
    (record,) = caplog.records
    assert record.mala_event == told(name, *required(name))  # type: ignore[attr-defined]
    assert record.getMessage() == str(record.mala_event)  # type: ignore[attr-defined]
    assert record.name == "pytest_mala.events"


@pytest.mark.parametrize("made", [RecordingSink, LoggingSink])
def test_the_sinks_fit_the_contract(made: type[EverySink]) -> None:
    sink = made()
    assert isinstance(sink, MalaEventSink)
    for name in EVENT_NAMES:
        assert ability(sink, name) is not None
        assert inspect.signature(getattr(made, name)) == inspect.signature(getattr(BaseEventSink, name))
        assert getattr(made, name).__name__ == name


# Values


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (told("on_gate_retry", "calc-1", 2, 3, issue_id="calc-1"), "on_gate_retry(calc-1, attempt=2, max_attempts=3)"),
        (
            told("on_gate_retry", "calc-1", attempt=2, max_attempts=3),
            "on_gate_retry(calc-1, attempt=2, max_attempts=3, issue_id=None)",
        ),
        (
            told("on_review_retry", "a", 2, 3, error_count=1, issue_id="b"),
            "on_review_retry(a, attempt=2, max_attempts=3, error_count=1, issue_id=b)",
        ),
        (told("on_lifecycle_state", "i1", "AWAITING_LOG"), "on_lifecycle_state(i1, state=AWAITING_LOG)"),
        (told("on_log_timeout", "i1", "/x/y.jsonl"), "on_log_timeout(i1, log_path='/x/y.jsonl')"),
        (
            told("on_session_ended", "i1", EndReason.NO_LOG, "no log\nat all"),
            "on_session_ended(i1, reason=EndReason.NO_LOG, summary='no log\\nat all')",
        ),
        (told("on_session_ended", "i1", "no-log", ""), "on_session_ended(i1, reason=no-log, summary='')"),
        (
            told("on_gate_result", "i1", passed=False, failure_reasons=["a b"], issue_id="i1"),
            "on_gate_result(i1, passed=False, failure_reasons=['a b'])",
        ),
        (told("on_warning", "slow", agent_id="i1"), "on_warning(i1, message=slow)"),
        (told("on_warning", "None"), "on_warning(None, message='None')"),
        (told("on_fixer_started", 1, 2), "on_fixer_started(attempt=1, max_attempts=2)"),
        (told("on_issues_committed"), "on_issues_committed()"),
        (SinkEvent("on_other", {"x": 1}), "on_other(x=1)"),
    ],
)
def test_an_event_is_told_in_one_readable_line(event: SinkEvent, text: str) -> None:
    assert (str(event), repr(event)) == (text, text)


def test_events_are_equal_if_they_say_the_same_however_they_were_told() -> None:
    one = told("on_gate_retry", "i1", 2, 3, issue_id="i1")
    assert one == told("on_gate_retry", issue_id="i1", max_attempts=3, attempt=2, agent_id="i1")
    assert one == SinkEvent("on_gate_retry", {"agent_id": "i1", "attempt": 2, "max_attempts": 3, "issue_id": "i1"})
    assert one != told("on_gate_retry", "i1", 2, 3)
    assert one != told("on_gate_failed", "i1", 2, 3, issue_id="i1")
    assert len({one, told("on_gate_retry", "i1", 2, 3, issue_id="i1"), told("on_gate_retry", "i1", 3, 3)}) == 2


def test_an_event_does_not_change_any_more() -> None:
    reasons, config = ["a", ["b"], ("c", ["d"])], {"limits": [1]}
    event, other = told("on_gate_result", "i1", False, reasons), told("on_run_started", config)
    reasons[1].append("x")  # type: ignore[attr-defined]
    config["limits"].append(2)
    assert event.arguments["failure_reasons"] == ["a", ["b"], ("c", ["d"])]
    assert other.arguments == {"config": {"limits": [1]}}
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.name = "y"  # type: ignore[misc]
    with pytest.raises(TypeError):
        event.arguments["passed"] = True  # type: ignore[index]


def test_an_event_can_be_copied_and_sent_to_another_process() -> None:
    event = told("on_session_ended", "i1", EndReason.PASSED, "done")
    assert copy.deepcopy(event) == event
    assert pickle.loads(pickle.dumps(event)) == event


def test_arguments_that_do_not_fit_are_refused_as_by_any_method() -> None:
    sink = RecordingSink()
    with pytest.raises(TypeError, match=r"^missing a required argument: 'attempt'$"):
        sink.on_gate_started("i1")  # type: ignore[call-arg]
    assert sink.events == []


# Sinks


def test_what_is_asked_of_the_recording_is_a_copy() -> None:
    sink = RecordingSink()
    sink.on_log_ready("i1")
    sink.events.clear()
    assert (sink.names, sink.named("on_log_waiting")) == (["on_log_ready"], [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("on_gate_rety", "no event is called 'on_gate_rety': did you mean on_gate_retry?"),
        ("x", "no event is called 'x': see BaseEventSink for those there are"),
    ],
)
def test_a_misspelt_event_is_refused(name: str, text: str) -> None:
    sink = RecordingSink()
    sink.on_log_ready("i1")
    with pytest.raises(UsageError) as caught:
        sink.named(name)
    assert str(caught.value) == text
    with pytest.raises(UsageError) as caught:
        told(name)
    assert str(caught.value) == text


def test_a_misspelt_event_is_refused_by_an_empty_recording_too() -> None:
    with pytest.raises(UsageError, match=r"^no event is called 'x': see BaseEventSink for those there are$"):
        RecordingSink().named("x")


def test_a_sink_of_ones_own_needs_one_method() -> None:
    class Counting(EverySink):
        count = 0

        def heard(self, event: SinkEvent) -> None:
            self.count += 1

    sink = Counting()
    sink.on_log_ready("i1")
    sink.on_session_ended("i1", EndReason.PASSED, "done")
    assert sink.count == 2
    with pytest.raises(NotImplementedError, match=r"^EverySink must define heard\(event\)$"):
        EverySink().on_log_ready("i1")
    with pytest.raises(NotImplementedError, match=r"^AnySink must define told\(name, \*args, \*\*named\)$"):
        AnySink().on_log_ready("i1")


@pytest.mark.parametrize(
    ("level", "event"),
    [
        (logging.DEBUG, ("on_agent_text", "i1", "hello")),
        (logging.DEBUG, ("on_state_entered", "i1", "PROCESSING", "CONTINUE")),
        (logging.INFO, ("on_gate_retry", "i1", 2, 3)),
        (logging.INFO, ("on_gate_passed", "i1")),
        (logging.WARNING, ("on_gate_failed", "i1", 3, 3)),
        (logging.WARNING, ("on_warning", "slow")),
        (logging.INFO, ("on_session_ended", "i1", EndReason.PASSED, "done")),
        (logging.INFO, ("on_session_ended", "i1", EndReason.NO_CHANGE, "done")),
        (logging.INFO, ("on_session_ended", "i1", EndReason.OBSOLETE, "done")),
        (logging.INFO, ("on_session_ended", "i1", EndReason.ALREADY_COMPLETE, "done")),
        (logging.WARNING, ("on_session_ended", "i1", EndReason.TIMEOUT, "Timeout after 30 seconds")),
    ],
)
def test_failures_are_warnings_and_what_the_agent_does_is_for_debugging(
    level: int, event: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pytest_mala.events")
    name, *arguments = event
    getattr(LoggingSink(), name)(*arguments)
    assert [record.levelno for record in caplog.records] == [level]


def test_the_words_of_a_record_are_made_only_where_they_are_wanted(caplog: pytest.LogCaptureFixture) -> None:
    class Costly:
        def __repr__(self) -> str:
            raise AssertionError("nobody reads this record")

    logger = logging.getLogger("some.other")
    caplog.set_level(logging.ERROR, "some.other")
    LoggingSink(logger).on_deadlock_detected(Costly())
    assert caplog.records == []
    caplog.set_level(logging.WARNING, "some.other")
    LoggingSink(logger).on_warning("slow")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("some.other", "on_warning(None, message=slow)")
    ]


def test_a_session_can_be_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pytest_mala.events")
    world = World(tmp_path, ScriptedFactory([say("a"), ResultMessage()]), sink=LoggingSink())  # type: ignore[arg-type]
    world.run()
    assert [record.getMessage() for record in caplog.records if record.name == "pytest_mala.events"] == [
        "on_lifecycle_state(i1, state=PROCESSING)",
        "on_lifecycle_state(i1, state=AWAITING_LOG)",
        "on_validation_started(i1)",
        "on_gate_started(i1, attempt=1, max_attempts=3)",
        "on_gate_passed(i1)",
        "on_validation_result(i1, passed=True)",
        "on_session_ended(i1, reason=EndReason.PASSED, summary=done)",
    ]


def test_a_recording_sink_can_forget() -> None:
    sink = RecordingSink()
    sink.on_log_ready("calc-1")
    sink.clear()
    sink.on_gate_passed("calc-1")
    assert sink.names == ["on_gate_passed"]


def test_a_recording_shows_what_is_in_it() -> None:
    sink = RecordingSink()
    assert (len(sink), list(sink), repr(sink)) == (0, [], "<events, 0: none>")
    sink.on_lifecycle_state("calc-1", "PROCESSING")
    sink.on_gate_passed("calc-1")
    assert (len(sink), list(sink)) == (2, sink.events)
    assert repr(sink) == "<events, 2: on_lifecycle_state, on_gate_passed>"
