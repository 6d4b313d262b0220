"""Reads the agent's messages of one turn: keeps ids, tools and usage, tells callbacks, and says how the turn ended.

Pure but for the callbacks it is given: it never asks the time and waits only for the next message.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pytest_mala.errors import HarnessError
from pytest_mala.issue.model import EndReason
from pytest_mala.session import messages
from pytest_mala.session.abilities import call

if TYPE_CHECKING:
    from pytest_mala.session.context import LifecycleContext
    from pytest_mala.session.telemetry import TelemetrySpan

__all__ = [
    "AgentTextCallback",
    "ContextPressureError",
    "IdleTimeoutError",
    "LintCacheProtocol",
    "MessageIterationResult",
    "MessageIterationState",
    "MessageStreamProcessor",
    "StreamProcessorCallbacks",
    "StreamProcessorConfig",
    "ToolUseCallback",
]

logger = logging.getLogger(__name__)

_END = object()

ToolUseCallback: TypeAlias = Callable[[str, str, dict[str, Any] | None], None]
AgentTextCallback: TypeAlias = Callable[[str, str], None]


class LintCacheProtocol(Protocol):
    """Remembers which lint commands passed; `mark_started(lint_type, command)` is an optional ability."""

    def detect_lint_command(self, command: str) -> str | None: ...

    def mark_success(self, lint_type: str, command: str) -> None: ...


class IdleTimeoutError(Exception):
    """The agent was silent for longer than the idle timeout."""


class ContextPressureError(Exception):
    """The context is too full to go on; `turn_ended` tells whether the turn had its result before that was noticed."""

    def __init__(
        self,
        session_id: str,
        input_tokens: int,
        output_tokens: int,
        cache_read_tokens: int,
        pressure_ratio: float,
        *,
        turn_ended: bool = True,
    ) -> None:
        super().__init__(
            f"context pressure {pressure_ratio:.1%}: {input_tokens} input and {output_tokens} output tokens"
            f" in session {session_id}"
        )
        self.session_id = session_id
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cache_read_tokens = cache_read_tokens
        self.pressure_ratio = pressure_ratio
        self.turn_ended = turn_ended


@dataclass(slots=True)
class MessageIterationState:
    """What is known of the turn's messages so far.

    `answered` is true once the agent itself was heard (session:X8), `last_uuid` is what the session log must hold
    (session:X11), `context` the usage of the last main-thread message, `other_messages` counts unknown kinds by name,
    `background` says what still runs in the background.
    """

    session_id: str | None = None
    pending_session_id: str | None = None
    tool_calls_this_turn: int = 0
    idle_retry_count: int = 0
    pending_tool_ids: set[str] = field(default_factory=set)
    pending_lint_commands: dict[str, tuple[str, str]] = field(default_factory=dict)
    first_message_received: bool = False
    answered: bool = False
    last_uuid: str | None = None
    last_seen: str = ""
    tool_names: dict[str, str] = field(default_factory=dict)
    context: messages.Usage | None = None
    usage: messages.Usage = field(default_factory=messages.Usage)
    costs_usd: dict[str, float] = field(default_factory=dict)
    other_messages: dict[str, int] = field(default_factory=dict)
    background: tuple[str, ...] = ()

    def count(self, message: object) -> None:
        """What a result message says was used; its cost is that of its session so far."""
        if messages.kind(message) != "ResultMessage":
            return
        result = messages.read_result(message)
        self.usage = self.usage.plus(result.usage or messages.Usage())
        if result.cost_usd is not None:
            self.costs_usd[messages.session_id_of(message) or self.session_id or ""] = result.cost_usd

    def begin_turn(self) -> None:
        """A new prompt is sent: everything about the last turn is over, whatever its tools were doing."""
        self.tool_calls_this_turn = 0
        self.begin_attempt()

    def begin_attempt(self) -> None:
        """The prompt is sent once more: what the abandoned attempt was waiting for never comes (session:B3)."""
        self.first_message_received = False
        self.answered = False
        self.last_uuid = None
        self.last_seen = ""
        self.context = None
        self.background = ()
        self.pending_tool_ids.clear()
        self.pending_lint_commands.clear()
        self.tool_names.clear()


@dataclass(slots=True)
class MessageIterationResult:
    """How a turn ended: `error` and `reason` say why not well; without `has_result` the stream just stopped."""

    success: bool
    session_id: str | None = None
    pending_query: str | None = None
    pending_session_id: str | None = None
    idle_retry_count: int = 0
    error: str | None = None
    reason: EndReason | None = None
    has_result: bool = True


@dataclass(slots=True)
class StreamProcessorConfig:
    """`context_limit` in tokens; a share of it at or above `context_restart_threshold` is context pressure."""

    context_limit: int = 200_000
    context_restart_threshold: float = 0.90


@dataclass(slots=True)
class StreamProcessorCallbacks:
    """Told of tool calls and texts, with the issue id first."""

    on_tool_use: ToolUseCallback | None = None
    on_agent_text: AgentTextCallback | None = None


class MessageStreamProcessor:
    """Reads one turn. `now` gives the time in the unit of `query_start`, for the latency of the first message."""

    def __init__(
        self,
        config: StreamProcessorConfig | None = None,
        callbacks: StreamProcessorCallbacks | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.config = config if config is not None else StreamProcessorConfig()
        self.callbacks = callbacks if callbacks is not None else StreamProcessorCallbacks()
        self._now = now

    async def process_stream(
        self,
        stream: AsyncIterator[Any],
        issue_id: str,
        state: MessageIterationState,
        lifecycle_ctx: LifecycleContext,
        lint_cache: LintCacheProtocol,
        query_start: float,
        tracer: TelemetrySpan | None,
    ) -> MessageIterationResult:
        """Reads to the end of the stream.

        A stream that ends without a result, or with an error result, is no success. Raises `ContextPressureError` after
        a last result (or, in mid-turn, when the tools have answered) that finds the context too full; what the stream
        or a callback raises passes unchanged, but for what a stream raises after an error result: that result is known.
        """
        result: messages.ResultFacts | None = None
        pressure: ContextPressureError | None = None
        while (message := await self._next(stream, result)) is not _END:
            if not state.first_message_received:
                state.first_message_received = True
                self._log_latency(issue_id, query_start)
            if tracer is not None:
                tracer.log_message(message)
            learn_ids(message, state, lifecycle_ctx)
            match messages.kind(message):
                case "AssistantMessage":
                    self._read_assistant(message, issue_id, state, lint_cache)
                case "UserMessage":
                    self._read_user(message, state, lint_cache)
                    self._check_in_turn(state)
                case "ResultMessage":
                    result = self._read_result(message, state, lifecycle_ctx)
                    # told at the end: work in the background may still go on (session:B10)
                    pressure = self._pressure_at_result(result, state, lifecycle_ctx)
                case other:
                    state.background = messages.background_tasks(message, state.background)
                    state.last_seen = state.last_seen or other
                    state.other_messages[other] = state.other_messages.get(other, 0) + 1
        if pressure is not None:
            raise pressure
        return _conclude(result, state)

    async def _next(self, stream: AsyncIterator[Any], result: messages.ResultFacts | None) -> Any:
        """The next message, or the end: a CLI that dies of its error result has said what it died of (sdk.md 10)."""
        try:
            return await anext(stream, _END)
        except HarnessError:
            raise
        except Exception:
            if result is None or result.error is None:
                raise
            return _END

    def _log_latency(self, issue_id: str, query_start: float) -> None:
        if self._now is not None:
            logger.debug("%s: first message after %.3f s", issue_id, self._now() - query_start)

    def _read_assistant(
        self, message: Any, issue_id: str, state: MessageIterationState, lint_cache: LintCacheProtocol
    ) -> None:
        state.answered = True
        state.context = messages.context_size(message) or state.context
        for block in getattr(message, "content", []):
            match messages.kind(block):
                case "TextBlock":
                    state.last_seen = "text"
                    if self.callbacks.on_agent_text is not None:
                        self.callbacks.on_agent_text(issue_id, block.text)
                case "ToolUseBlock":
                    self._read_tool_use(block, issue_id, state, lint_cache)
                case "ToolResultBlock":
                    _read_tool_result(block, state, lint_cache)

    def _read_tool_use(
        self, block: Any, issue_id: str, state: MessageIterationState, lint_cache: LintCacheProtocol
    ) -> None:
        state.tool_calls_this_turn += 1
        state.pending_tool_ids.add(block.id)
        state.tool_names[block.id] = block.name
        state.last_seen = f"tool_use {block.name} ({block.id})"
        if self.callbacks.on_tool_use is not None:
            self.callbacks.on_tool_use(issue_id, block.name, block.input)
        command = block.input.get("command", "") if isinstance(block.input, dict) else None
        if block.name.lower() != "bash" or not isinstance(command, str):
            return  # another tool, or a call that the CLI is going to refuse
        lint_type = lint_cache.detect_lint_command(command)
        if lint_type:
            # the state that counts is the one before the command runs (session:X14)
            call(lint_cache, "mark_started", lint_type, command)
            state.pending_lint_commands[block.id] = (lint_type, command)

    def _read_user(self, message: Any, state: MessageIterationState, lint_cache: LintCacheProtocol) -> None:
        """The SDK delivers tool results in user messages (session:B2); a plain text is none."""
        content = getattr(message, "content", None)
        for block in content if isinstance(content, list | tuple) else ():
            if messages.kind(block) == "ToolResultBlock":
                state.answered = True
                _read_tool_result(block, state, lint_cache)

    def _read_result(self, message: Any, state: MessageIterationState, ctx: LifecycleContext) -> messages.ResultFacts:
        result = messages.read_result(message)
        state.answered = True
        state.last_seen = "result"
        ctx.final_result = result.text
        state.count(message)
        if result.usage is None:
            logger.warning("result message of session %s: missing usage field, usage is not tracked", state.session_id)
            ctx.context_usage.disable_tracking()
            return result
        ctx.context_usage.input_tokens = result.usage.input_tokens
        ctx.context_usage.output_tokens = result.usage.output_tokens
        ctx.context_usage.cache_read_tokens = result.usage.cache_read_tokens
        return result

    def _pressure_at_result(
        self, result: messages.ResultFacts, state: MessageIterationState, ctx: LifecycleContext
    ) -> ContextPressureError | None:
        """The true context size decides where a message told it; a result's usage is only a sum over calls."""
        if result.error is not None or result.usage is None:
            return None
        if state.context is not None:
            return self._pressure(state.context, self._ratio(state.context), state, turn_ended=True)
        ratio = ctx.context_usage.pressure_ratio(self.config.context_limit)
        return self._pressure(result.usage, ratio, state, turn_ended=True)

    def _check_in_turn(self, state: MessageIterationState) -> None:
        """Only where the tools have just answered: the agent is going to go on, and nothing it started is cut off."""
        is_quiet = not state.pending_tool_ids and not state.background
        if state.context is not None and is_quiet and state.last_seen.startswith("tool_result"):
            pressure = self._pressure(state.context, self._ratio(state.context), state, turn_ended=False)
            if pressure is not None:
                raise pressure

    def _ratio(self, size: messages.Usage) -> float:
        if self.config.context_limit <= 0:
            return 0.0
        return (size.input_tokens + size.cache_read_tokens + size.cache_creation_tokens) / self.config.context_limit

    def _pressure(
        self, size: messages.Usage, ratio: float, state: MessageIterationState, *, turn_ended: bool
    ) -> ContextPressureError | None:
        if ratio < self.config.context_restart_threshold:
            return None
        return ContextPressureError(
            session_id=state.session_id or "",
            input_tokens=size.input_tokens,
            output_tokens=size.output_tokens,
            cache_read_tokens=size.cache_read_tokens,
            pressure_ratio=ratio,
            turn_ended=turn_ended,
        )


def learn_ids(message: object, state: MessageIterationState, ctx: LifecycleContext) -> None:
    """Session id and uuid of any message that has them; a message without one takes nothing away."""
    session_id = messages.session_id_of(message)
    if session_id is not None:
        state.session_id = ctx.session_id = session_id
    state.last_uuid = messages.uuid_of(message) or state.last_uuid


def _read_tool_result(block: Any, state: MessageIterationState, lint_cache: LintCacheProtocol) -> None:
    tool_id = block.tool_use_id
    if not tool_id:
        return
    state.pending_tool_ids.discard(tool_id)
    state.last_seen = f"tool_result {state.tool_names.get(tool_id, 'tool')} ({tool_id})"
    lint = state.pending_lint_commands.pop(tool_id, None)
    if lint is not None and not getattr(block, "is_error", False):
        lint_cache.mark_success(*lint)


def _conclude(result: messages.ResultFacts | None, state: MessageIterationState) -> MessageIterationResult:
    if result is None:
        after = state.last_seen or "no message at all"
        return MessageIterationResult(
            success=False,
            session_id=state.session_id,
            error=f"the stream ended without a result, after {after}",
            reason=EndReason.AGENT_ERROR,
            has_result=False,
        )
    return MessageIterationResult(
        success=result.error is None, session_id=state.session_id, error=result.error, reason=result.reason
    )
