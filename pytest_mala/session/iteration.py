"""Sends one prompt and reads the agent's turn, over as many connections as idle and crash retries need."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError
from pytest_mala.session.connection import Connection
from pytest_mala.session.idle import IdleTimeoutStream
from pytest_mala.session.messages import kind, tool_uses
from pytest_mala.session.prompts import format_idle_resume
from pytest_mala.session.resume import create_client
from pytest_mala.session.retry import Attempt, Cause, Refused, Spent, backoff_seconds, crash_cause, decide_retry
from pytest_mala.session.stream import (
    ContextPressureError,
    IdleTimeoutError,
    MessageIterationResult,
    MessageStreamProcessor,
    StreamProcessorCallbacks,
    StreamProcessorConfig,
    learn_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mala.session.config import AgentSessionConfig, SessionCallbacks, SessionConfig, SessionExecutionState
    from pytest_mala.session.emit import SessionEvents
    from pytest_mala.session.telemetry import TelemetrySpan

__all__ = ["Turn", "TurnReader"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A prompt to send and what it is for: "work", "gate retry", "review retry" or "continuation".

    `request` is what gate or review sent the agent back with, and stays so over context restarts.
    """

    prompt: str
    purpose: str
    request: str = ""


@dataclass(slots=True)
class _Budget:
    """What the retries of one turn have used up; idle retries are counted in the message state."""

    crashes: int = 0
    tool_calls: int = 0


class TurnReader:
    """Reads the turns of one session.

    `is_time_up` tells whether the session's own deadline has cancelled it, `explain` what it is waiting for.
    """

    def __init__(
        self,
        config: AgentSessionConfig,
        callbacks: SessionCallbacks,
        factory: Any,
        events: SessionEvents,
        issue_id: str,
        tracer: TelemetrySpan | None,
        is_time_up: Callable[[], bool],
        explain: Callable[[], str],
    ) -> None:
        self._config = config
        self._callbacks = callbacks
        self._factory = factory
        self._events = events
        self._issue_id = issue_id
        self._tracer = tracer
        self._is_time_up = is_time_up
        self._explain = explain
        self.activity = ""

    async def read(
        self, turn: Turn, state: SessionExecutionState, round_config: SessionConfig
    ) -> MessageIterationResult:
        """One turn to its end.

        Raises `IdleTimeoutError` when no retry is left or safe, `ContextPressureError`, what client or callback raises.
        """
        state.msg_state.begin_turn()
        budget = _Budget()
        resume = state.msg_state.pending_session_id
        attempt = Attempt(prompt=turn.prompt, resume=resume, resumed_first=resume is not None)
        purpose = turn.purpose
        while True:
            outcome = await self._try(attempt, purpose, state, round_config)
            if isinstance(outcome, MessageIterationResult):
                return outcome
            cause, error = outcome
            attempt = self._next(cause, error, attempt, turn.prompt, state, budget)
            purpose = "idle resume" if cause is Cause.IDLE else "crash retry"
            await self._back_off(cause, state.msg_state.idle_retry_count, budget.crashes)

    async def _try(
        self, attempt: Attempt, purpose: str, state: SessionExecutionState, round_config: SessionConfig
    ) -> MessageIterationResult | tuple[Cause, Exception]:
        """One connection: how the turn ended, or why the attempt was given up and may be tried again."""
        client = create_client(self._factory, round_config.options, attempt.resume, purpose)
        connection = Connection(client, attempt.prompt, attempt.resume)
        self.activity = "connecting"
        try:
            await connection.open()
            self.activity = "reading"
            result = await self._read(connection, state, round_config)
        except IdleTimeoutError as error:
            await self._decide("idle", connection, state)
            error.add_note(self._explain())
            await self._give_up(connection, state)
            return Cause.IDLE, error
        except ContextPressureError as error:
            await self._leave_full(connection, state, error)
            raise
        except asyncio.CancelledError:
            if self._is_time_up():
                await self._decide("timeout", connection, state)
            await self._give_up(connection, state)
            raise
        except HarnessError:
            await self._give_up(connection, state)
            raise
        except Exception as error:
            await self._give_up(connection, state)
            cause = crash_cause(error, is_connected=connection.is_connected, resume=attempt.resume)
            if cause is None:
                raise
            return cause, error
        except BaseException:
            await self._give_up(connection, state)
            raise
        await connection.close()
        return result

    async def _read(
        self, connection: Connection, state: SessionExecutionState, round_config: SessionConfig
    ) -> MessageIterationResult:
        loop = asyncio.get_running_loop()
        config = StreamProcessorConfig(self._config.context_limit, self._config.context_restart_threshold)
        callbacks = StreamProcessorCallbacks(self._callbacks.on_tool_use, self._callbacks.on_agent_text)
        messages = state.msg_state
        stream = IdleTimeoutStream(connection, round_config.idle_timeout_seconds, messages.pending_tool_ids)
        return await MessageStreamProcessor(config, callbacks, loop.time).process_stream(
            stream, self._issue_id, messages, state.lifecycle_ctx, round_config.lint_cache, loop.time(), self._tracer
        )

    async def _decide(self, what: str, connection: Connection, state: SessionExecutionState) -> None:
        """Tells the client what a timer of ours decided; one that refuses (a divergence) is left all the same."""
        try:
            connection.decide(what)
        except BaseException:
            await self._give_up(connection, state)
            raise

    async def _give_up(self, connection: Connection, state: SessionExecutionState) -> None:
        """What still came while we left is not acted on; it was paid, and its id makes a resume possible (session:B7).

        A word of the agent's own among it answers the prompt (session:X8); a result may only answer our interrupt.
        """
        self.activity = "disconnecting"
        for message in await connection.abandon():
            learn_ids(message, state.msg_state, state.lifecycle_ctx)
            state.msg_state.count(message)
            state.msg_state.tool_calls_this_turn += tool_uses(message)
            state.msg_state.answered = state.msg_state.answered or kind(message) == "AssistantMessage"

    async def _leave_full(
        self, connection: Connection, state: SessionExecutionState, error: ContextPressureError
    ) -> None:
        if error.turn_ended:
            await connection.close()
        else:
            await self._decide("pressure", connection, state)
            await self._give_up(connection, state)

    def _next(
        self,
        cause: Cause,
        error: Exception,
        last: Attempt,
        turn_prompt: str,
        state: SessionExecutionState,
        budget: _Budget,
    ) -> Attempt:
        """The next attempt, budgets spent; raises when there is none."""
        messages = state.msg_state
        budget.tool_calls += messages.tool_calls_this_turn
        is_idle = cause is Cause.IDLE
        spent = Spent(
            used=messages.idle_retry_count if is_idle else budget.crashes,
            allowed=self._config.max_idle_retries if is_idle else self._config.max_crash_retries,
            session_id=messages.session_id,
            tool_calls=budget.tool_calls,
            answered=messages.answered,
        )
        prompt = format_idle_resume(self._config.prompts.idle_resume, issue_id=self._issue_id)
        decision = decide_retry(cause, last, spent, prompt, turn_prompt)
        if isinstance(decision, Refused):
            if is_idle:
                raise IdleTimeoutError(f"{decision.text} ({error}): {error.__notes__[-1]}") from error
            error.add_note(decision.text)
            raise error
        self._spend(cause, spent, budget, state, decision.how)
        if decision.attempt.resume is None:
            # a session that is not there any more must not be taken for the new one, which may not tell its id
            messages.session_id = state.lifecycle_ctx.session_id = None
        return decision.attempt

    def _spend(self, cause: Cause, spent: Spent, budget: _Budget, state: SessionExecutionState, how: str) -> None:
        messages = state.msg_state
        if cause is Cause.IDLE:
            messages.idle_retry_count += 1
        else:
            budget.crashes += 1
        messages.tool_calls_this_turn = 0
        messages.begin_attempt()
        logger.info("%s: %s, retry %d of %d: %s", self._issue_id, cause.value, spent.used + 1, spent.allowed, how)
        self._events.idle_retry(spent.used + 1, spent.allowed, how)

    async def _back_off(self, cause: Cause, idle_retries: int, crashes: int) -> None:
        seconds = {
            Cause.IDLE: backoff_seconds(idle_retries, self._config.idle_retry_backoff),
            Cause.CRASH: backoff_seconds(crashes, self._config.crash_retry_backoff),
            Cause.STALE: 0.0,  # nothing to wait for: the session is not there
        }[cause]
        if seconds > 0:
            self.activity = f"waiting {seconds:g} s before the next attempt"
            await asyncio.sleep(seconds)
