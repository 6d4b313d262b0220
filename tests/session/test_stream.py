"""The stream of one turn: rows S1-S19 of session:3 and the corrections B2, B3, B5, X7."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import (
    AssistantMessage,
    RateLimitEvent,
    ResultMessage,
    SystemMessage,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    answer,
    init,
    say,
    usage,
    use,
)

from pytest_mala.errors import Divergence
from pytest_mala.issue.model import EndReason
from pytest_mala.session.context import LifecycleContext
from pytest_mala.session.messages import Usage
from pytest_mala.session.stream import (
    ContextPressureError,
    MessageIterationResult,
    MessageIterationState,
    MessageStreamProcessor,
    StreamProcessorCallbacks,
    StreamProcessorConfig,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Lint:
    """A lint cache that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def detect_lint_command(self, command: str) -> str | None:
        self.told.append(("detect", command))
        return "ruff" if command.startswith("ruff") else None

    def mark_success(self, lint_type: str, command: str) -> None:
        self.told.append(("passed", lint_type, command))


class CarefulLint(Lint):
    """One with the optional ability."""

    def mark_started(self, lint_type: str, command: str) -> None:
        self.told.append(("started", lint_type, command))


class Span:
    def __init__(self) -> None:
        self.messages: list[object] = []

    def log_message(self, message: object) -> None:
        self.messages.append(message)


class Reading:
    """One turn read, and all that came of it."""

    def __init__(self, *messages: object, limit: int = 200_000, lint: Lint | None = None) -> None:
        self.messages = messages
        self.state = MessageIterationState()
        self.ctx = LifecycleContext()
        self.lint = lint or Lint()
        self.span = Span()
        self.heard: list[tuple[Any, ...]] = []
        self.config = StreamProcessorConfig(context_limit=limit)
        self.callbacks = StreamProcessorCallbacks(
            on_tool_use=lambda *args: self.heard.append(("tool", *args)),
            on_agent_text=lambda *args: self.heard.append(("text", *args)),
        )

    async def _stream(self) -> AsyncIterator[object]:
        for message in self.messages:
            yield message

    def read(self, callbacks: StreamProcessorCallbacks | None = None) -> MessageIterationResult:
        processor = MessageStreamProcessor(self.config, callbacks or self.callbacks, now=lambda: 3.5)
        return asyncio.run(
            processor.process_stream(
                self._stream(),
                issue_id="i1",
                state=self.state,
                lifecycle_ctx=self.ctx,
                lint_cache=self.lint,
                query_start=1.0,
                tracer=self.span,  # type: ignore[arg-type]
            )
        )


def test_s5_a_result_gives_success_and_the_session_id_everywhere() -> None:
    reading = Reading(ResultMessage("s9", "fine"))
    assert reading.read() == MessageIterationResult(success=True, session_id="s9")
    assert (reading.state.session_id, reading.ctx.session_id, reading.ctx.final_result) == ("s9", "s9", "fine")


def test_s6_texts_are_told_in_order() -> None:
    reading = Reading(say("one"), AssistantMessage([ThinkingBlock("hm")]), say("two"), ResultMessage())
    reading.read()
    assert reading.heard == [("text", "i1", "one"), ("text", "i1", "two")]


def test_s7_a_tool_is_pending_until_its_result() -> None:
    reading = Reading(use("t1"), use("t2", "Read"), answer("t1"))
    reading.read()
    assert reading.heard == [("tool", "i1", "Bash", {"command": "ls"}), ("tool", "i1", "Read", {"command": "ls"})]
    assert (reading.state.pending_tool_ids, reading.state.tool_calls_this_turn) == ({"t2"}, 2)


@pytest.mark.parametrize("where", [UserMessage, AssistantMessage])
def test_b2_results_count_in_user_messages_and_in_assistant_messages(where: type) -> None:
    reading = Reading(use("t1"), where([ToolResultBlock("t1")]), ResultMessage())
    reading.read()
    assert reading.state.pending_tool_ids == set()


def test_s8_b2_a_lint_run_counts_after_its_result() -> None:
    reading = Reading(use("t1", command="ruff check"), answer("other"), answer("t1"), answer("t1"), ResultMessage())
    reading.read()
    assert reading.lint.told == [("detect", "ruff check"), ("passed", "ruff", "ruff check")]


def test_x14_the_lint_cache_is_told_when_the_command_starts() -> None:
    reading = Reading(use("t1", command="ruff check"), answer("t1"), ResultMessage(), lint=CarefulLint())
    reading.read()
    assert reading.lint.told[1:] == [("started", "ruff", "ruff check"), ("passed", "ruff", "ruff check")]


def test_s9_an_error_result_is_answered_but_no_success() -> None:
    reading = Reading(use("t1", command="ruff check"), answer("t1", is_error=True), ResultMessage())
    reading.read()
    assert (reading.state.pending_tool_ids, reading.lint.told) == (set(), [("detect", "ruff check")])


@pytest.mark.parametrize(("name", "seen"), [("Bash", True), ("bash", True), ("BASH", True), ("BashOutput", False)])
def test_s10_only_bash_reaches_the_lint_cache(name: str, seen: bool) -> None:
    reading = Reading(use("t1", name, "ruff check"), ResultMessage())
    reading.read()
    assert bool(reading.lint.told) is seen


def test_s10_a_bash_call_without_a_command_is_an_empty_one() -> None:
    reading = Reading(AssistantMessage([ToolUseBlock("t1", "Bash", {})]), ResultMessage())
    reading.read()
    assert reading.lint.told == [("detect", "")]


@pytest.mark.parametrize("given", [{"command": ["ls"]}, {"command": None}, ["ls"], None, "ls"])
def test_s10_a_bash_call_that_the_cli_is_going_to_refuse_ends_no_session(given: Any) -> None:
    reading = Reading(AssistantMessage([ToolUseBlock("t1", "Bash", given)]), answer("t1"), ResultMessage())
    assert reading.read().success
    assert reading.lint.told == []


def background(*descriptions: str | None) -> SystemMessage:
    tasks: list[object] = [{"task_id": "b1", "description": text} for text in descriptions]
    return SystemMessage("background_tasks_changed", {"tasks": tasks})


@pytest.mark.parametrize(
    ("messages", "running"),
    [
        ([background("make", None)], ("make", "a task")),
        ([background("make"), init(), background("make", "test")], ("make", "test")),
        ([background("make"), background()], ()),
        ([SystemMessage("background_tasks_changed", {"tasks": {}})], ()),
        ([SystemMessage("background_tasks_changed", {"tasks": None})], ()),
        ([SystemMessage("background_tasks_changed", {"tasks": ["?"]})], ()),
        ([background("make"), SystemMessage("background_tasks_changed", None)], ("make",)),
    ],
)
def test_b10_what_runs_in_the_background_is_known(messages: list[SystemMessage], running: tuple[str, ...]) -> None:
    reading = Reading(*messages, ResultMessage())
    reading.read()
    assert reading.state.background == running
    reading.state.begin_attempt()
    assert reading.state.background == ()


def test_b10_a_full_context_waits_for_what_runs_in_the_background() -> None:
    full = [use("t1", usage=usage(190_000)), background("make"), answer("t1")]
    assert Reading(*full, ResultMessage(usage=None)).read().success
    with pytest.raises(ContextPressureError):
        Reading(*full, background(), use("t2"), answer("t2"), ResultMessage(usage=None)).read()


class Dying(Reading):
    """Its stream fails after the last message."""

    def __init__(self, *messages: object, error: Exception) -> None:
        super().__init__(*messages)
        self.error = error

    async def _stream(self) -> AsyncIterator[object]:
        for message in self.messages:
            yield message
        raise self.error


def test_a_cli_that_dies_of_its_error_result_has_said_why() -> None:
    refused = ResultMessage(subtype="error_max_turns", is_error=True, result=None)
    result = Dying(refused, error=RuntimeError("exit 1")).read()
    assert (result.error, result.reason, result.has_result) == (
        "no text (error_max_turns)",
        EndReason.BUDGET,
        True,
    )
    with pytest.raises(RuntimeError, match="exit 1"):
        Dying(ResultMessage(), error=RuntimeError("exit 1")).read()
    with pytest.raises(Divergence, match="other prompt"):
        Dying(refused, error=Divergence("other prompt")).read()


def test_s11_usage_at_the_threshold_raises_with_the_exact_counts() -> None:
    told = {"input_tokens": 170_000, "output_tokens": 10_000, "cache_read_input_tokens": 7}
    reading = Reading(ResultMessage("s1", usage=told))
    with pytest.raises(ContextPressureError) as caught:
        reading.read()
    error = caught.value
    assert (error.session_id, error.input_tokens, error.output_tokens, error.cache_read_tokens) == (
        "s1",
        170_000,
        10_000,
        7,
    )
    assert (error.pressure_ratio, error.turn_ended) == (0.9, True)
    assert str(error) == "context pressure 90.0%: 170000 input and 10000 output tokens in session s1"


def test_a_pressure_error_stands_for_an_ended_turn_unless_it_says_so() -> None:
    assert ContextPressureError("s1", 1, 2, 3, 0.5).turn_ended is True


def test_s9_a_tool_result_class_without_an_error_flag_is_no_error() -> None:
    bare = type("ToolResultBlock", (), {"tool_use_id": "t1"})()
    reading = Reading(use("t1", command="ruff check"), UserMessage([bare]), ResultMessage())
    reading.read()
    assert reading.lint.told[-1] == ("passed", "ruff", "ruff check")


def test_s12_below_the_threshold_the_counters_are_stored() -> None:
    told = {"input_tokens": 100, "output_tokens": None, "cache_read_input_tokens": 3}
    reading = Reading(ResultMessage(usage=told))
    assert reading.read().success
    counted = reading.ctx.context_usage
    assert (counted.input_tokens, counted.output_tokens, counted.cache_read_tokens) == (100, 0, 3)


def test_s13_output_tokens_count() -> None:
    with pytest.raises(ContextPressureError):
        Reading(ResultMessage(usage={"input_tokens": 85_000, "output_tokens": 7_000}), limit=100_000).read()


def test_s14_missing_usage_is_warned_of_and_switches_tracking_off(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading(ResultMessage(usage=None))
    with caplog.at_level(logging.WARNING):
        assert reading.read().success
    assert [record.getMessage() for record in caplog.records] == [
        "result message of session s1: missing usage field, usage is not tracked"
    ]
    assert reading.ctx.context_usage.tracking_disabled
    reading.messages = (ResultMessage(),)
    reading.read()
    assert not reading.ctx.context_usage.tracking_disabled


def test_s15_the_tracer_gets_every_message() -> None:
    messages = (init(), say("a"), RateLimitEvent(), ResultMessage(usage=usage(190_000)))
    reading = Reading(*messages)
    with pytest.raises(ContextPressureError):
        reading.read()
    assert reading.span.messages == list(messages)


def test_s16_the_first_message_of_any_kind_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading(RateLimitEvent(), RateLimitEvent())
    with caplog.at_level(logging.DEBUG):
        reading.read()
    assert reading.state.first_message_received
    told = [record.getMessage() for record in caplog.records if record.name == "pytest_mala.session.stream"]
    assert told == ["i1: first message after 2.500 s"]


def test_s17_callbacks_may_all_be_missing() -> None:
    reading = Reading(say("a"), use("t1"), answer("t1"), ResultMessage())
    assert reading.read(StreamProcessorCallbacks()).success
    assert MessageStreamProcessor().callbacks == StreamProcessorCallbacks()
    assert MessageStreamProcessor().config == StreamProcessorConfig()


def test_s18_importing_the_stream_needs_no_sdk() -> None:
    program = "import sys, pytest_mala.session.stream; sys.exit('claude_agent_sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_s19_usage_may_be_an_object() -> None:
    class Told:
        input_tokens = 95
        output_tokens = None
        cache_read_input_tokens = 1

    with pytest.raises(ContextPressureError) as caught:
        Reading(ResultMessage(usage=Told()), limit=100).read()
    assert (caught.value.input_tokens, caught.value.cache_read_tokens) == (95, 1)


def test_with_no_context_limit_nothing_is_pressure() -> None:
    assert Reading(ResultMessage(usage=usage(190_000)), limit=0).read().success
    assert Reading(say("a", usage=usage(190_000)), ResultMessage(), limit=0).read().success


def test_what_a_callback_raises_passes_unchanged() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        Reading(say("a")).read(StreamProcessorCallbacks(on_agent_text=refuse))


# The true context size decides (head of session.md, B12)


def test_the_size_of_the_last_main_message_decides_over_the_results_sum() -> None:
    small = usage(2, cache_read_input_tokens=50_000)
    assert Reading(say("a", usage=small), ResultMessage(usage=usage(633_000))).read().success
    full = usage(2, cache_read_input_tokens=100_000, cache_creation_input_tokens=80_000)
    with pytest.raises(ContextPressureError) as caught:
        Reading(say("a", usage=small), say("b", usage=full), ResultMessage(usage=usage(5))).read()
    assert (caught.value.pressure_ratio, caught.value.cache_read_tokens) == (0.90001, 100_000)


def test_a_sub_agents_usage_does_not_decide() -> None:
    theirs = say("a", usage=usage(190_000), parent_tool_use_id="t1")
    assert Reading(theirs, ResultMessage()).read().success


def test_pressure_in_mid_turn_is_told_when_the_tools_have_answered() -> None:
    full = usage(190_000)
    reading = Reading(use("t1", usage=full), use("t2", usage=full), answer("t1"), answer("t2"), say("more"))
    with pytest.raises(ContextPressureError) as caught:
        reading.read()
    assert caught.value.turn_ended is False
    assert (reading.state.pending_tool_ids, len(reading.span.messages)) == (set(), 4)


def test_a_full_context_without_pending_work_ends_the_turn_first() -> None:
    with pytest.raises(ContextPressureError) as caught:
        Reading(say("done", usage=usage(190_000)), UserMessage("a note"), ResultMessage()).read()
    assert caught.value.turn_ended is True


def test_b3_a_lint_run_of_an_abandoned_attempt_is_never_marked() -> None:
    reading = Reading(use("t1", command="ruff check"))
    reading.read()
    reading.state.begin_attempt()
    reading.messages = (answer("t1"), ResultMessage())
    reading.read()
    assert reading.lint.told == [("detect", "ruff check")]


# B3, B5, X7 and streams that end too early


def test_b3_a_new_turn_and_a_new_attempt_forget_pending_tools_and_lint_runs() -> None:
    state = MessageIterationState(pending_tool_ids={"t1"}, pending_lint_commands={"t1": ("ruff", "ruff check")})
    state.begin_attempt()
    assert (state.pending_tool_ids, state.pending_lint_commands) == (set(), {})
    state = MessageIterationState(
        session_id="s1", pending_lint_commands={"t1": ("ruff", "x")}, tool_calls_this_turn=4, idle_retry_count=1
    )
    state.begin_turn()
    assert state == MessageIterationState(session_id="s1", idle_retry_count=1)


@pytest.mark.parametrize(
    ("result", "error", "reason"),
    [
        (
            ResultMessage(is_error=True, result="API Error: 529", api_error_status=529),
            "API Error: 529 (an error result, API status 529)",
            EndReason.AGENT_ERROR,
        ),
        (
            ResultMessage(subtype="error_during_execution", result=None, errors=["a", "b"]),
            "a; b (error_during_execution)",
            EndReason.AGENT_ERROR,
        ),
        (
            ResultMessage(subtype="error_max_turns", is_error=True, result=None),
            "no text (error_max_turns)",
            EndReason.BUDGET,
        ),
        (
            ResultMessage(is_error=True, result="out", terminal_reason="budget_exhausted"),
            "out (an error result)",
            EndReason.BUDGET,
        ),
    ],
)
def test_b5_error_results_are_no_success(result: ResultMessage, error: str, reason: EndReason) -> None:
    told = Reading(result).read()
    assert (told.success, told.error, told.reason, told.has_result, told.session_id) == (
        False,
        error,
        reason,
        True,
        "s1",
    )


def test_b5_an_error_result_is_not_told_as_pressure() -> None:
    assert Reading(ResultMessage(is_error=True, usage=usage(199_000))).read().success is False


def test_a_result_class_without_error_fields_is_a_success() -> None:
    bare = type("ResultMessage", (), {"session_id": "s1", "result": "ok", "usage": {}})()
    assert Reading(bare).read().success


@pytest.mark.parametrize(
    ("messages", "after"),
    [
        ((), "no message at all"),
        ((init(), use("t1")), "tool_use Bash (t1)"),
        ((use("t1"), answer("t1")), "tool_result Bash (t1)"),
        ((say("a"),), "text"),
        ((init(),), "SystemMessage"),
    ],
)
def test_a_stream_without_a_result_is_never_a_success(messages: tuple[object, ...], after: str) -> None:
    told = Reading(*messages).read()
    assert (told.success, told.has_result, told.reason) == (False, False, EndReason.AGENT_ERROR)
    assert told.error == f"the stream ended without a result, after {after}"


@pytest.mark.parametrize("message", [init("s7"), say("a", session_id="s7")])
def test_x7_the_session_id_comes_from_any_message(message: object) -> None:
    reading = Reading(message)
    assert reading.read().session_id == "s7"
    assert reading.ctx.session_id == "s7"


@pytest.mark.parametrize("nothing", [None, "", 5, object()])
def test_x6_only_a_non_empty_string_is_an_id_and_none_takes_nothing_away(nothing: Any) -> None:
    reading = Reading(init("s7"), SystemMessage("x", {"session_id": nothing}), ResultMessage(nothing))
    assert reading.read().session_id == "s7"
    assert Reading(ResultMessage(nothing)).read().session_id is None


def test_x11_the_last_uuid_of_the_main_thread_is_kept() -> None:
    reading = Reading(
        say("a", uuid="u1"), answer("t1", uuid="u2"), say("b", uuid="u3", parent_tool_use_id="t9"), ResultMessage()
    )
    reading.read()
    assert reading.state.last_uuid == "u2"


def test_x8_the_agent_was_heard_only_if_it_answered() -> None:
    for messages, heard in [
        ((init(),), False),
        ((UserMessage("note"),), False),
        ((say("a"),), True),
        ((ResultMessage(),), True),
    ]:
        reading = Reading(*messages)
        reading.read()
        assert reading.state.answered is heard


def test_a_tool_result_for_nobody_is_ignored() -> None:
    blocks = [ToolResultBlock(None), ToolResultBlock(""), "text", ToolResultBlock("t1")]
    reading = Reading(use("t1"), UserMessage(blocks), AssistantMessage([object()]), ResultMessage())
    assert reading.read().success
    assert reading.state.pending_tool_ids == set()


def test_without_a_clock_no_latency_is_told() -> None:
    reading = Reading(ResultMessage())
    processor = MessageStreamProcessor()
    done = processor.process_stream(reading._stream(), "i1", reading.state, reading.ctx, reading.lint, 0.0, None)
    assert asyncio.run(done).success


def test_unknown_messages_are_counted_and_never_fatal() -> None:
    reading = Reading(RateLimitEvent(), init(), RateLimitEvent(), 5, ResultMessage())
    assert reading.read().success
    assert reading.state.other_messages == {"RateLimitEvent": 2, "SystemMessage": 1, "int": 1}


def test_usage_and_cost_add_up_over_turns() -> None:
    told = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}
    reading = Reading(ResultMessage(total_cost_usd=0.5, usage=told))
    reading.read()
    reading.messages = (ResultMessage(total_cost_usd=0.75),)
    reading.read()
    total = Usage(input_tokens=20, output_tokens=10, cache_read_tokens=3, cache_creation_tokens=4)
    assert reading.state.usage == total
    reading.messages = (ResultMessage(total_cost_usd=True, usage=told),)
    reading.read()
    assert reading.state.usage == Usage(input_tokens=30, output_tokens=15, cache_read_tokens=6, cache_creation_tokens=8)
    assert reading.state.costs_usd == {"s1": 0.75}


def test_content_of_none_is_an_error_of_the_client() -> None:
    with pytest.raises(TypeError):
        Reading(AssistantMessage(None)).read()  # type: ignore[arg-type]


# What look-alikes may leave out


def bare(name: str, **known: Any) -> object:
    """A message with these attributes only."""
    return type(name, (), known)()


def test_messages_need_nothing_but_their_names() -> None:
    reading = Reading(bare("AssistantMessage"), bare("UserMessage"), UserMessage(None), bare("ResultMessage"))
    assert reading.read() == MessageIterationResult(success=True)
    assert (reading.ctx.final_result, reading.state.last_uuid, reading.state.context) == ("", None, None)
    assert reading.ctx.context_usage.tracking_disabled


def test_a_message_without_a_parent_is_the_agents_own() -> None:
    reading = Reading(bare("AssistantMessage", uuid="u1", usage=usage(190_000)), ResultMessage())
    with pytest.raises(ContextPressureError):
        reading.read()
    assert reading.state.last_uuid == "u1"


def test_an_error_result_needs_nothing_but_its_flag() -> None:
    told = Reading(bare("ResultMessage", is_error=True)).read()
    assert (told.error, told.reason) == ("no text (an error result)", EndReason.AGENT_ERROR)


def test_b2_a_lint_run_that_is_answered_in_an_assistant_message_counts() -> None:
    reading = Reading(use("t1", command="ruff check"), AssistantMessage([ToolResultBlock("t1")]), ResultMessage())
    reading.read()
    assert reading.lint.told[-1] == ("passed", "ruff", "ruff check")


def test_the_answer_of_a_tool_that_nobody_called_is_seen() -> None:
    told = Reading(answer("t9")).read()
    assert told.error == "the stream ended without a result, after tool_result tool (t9)"


def test_what_a_session_without_an_id_costs_is_counted() -> None:
    reading = Reading(ResultMessage(None, total_cost_usd=0.5))
    reading.read()
    assert reading.state.costs_usd == {"": 0.5}


def test_pressure_is_told_without_an_id_too_and_at_the_smallest_limit() -> None:
    with pytest.raises(ContextPressureError) as caught:
        Reading(say("a", usage=usage(1)), ResultMessage(None), limit=1).read()
    assert (caught.value.session_id, caught.value.pressure_ratio) == ("", 1.0)
