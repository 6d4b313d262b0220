"""One session from its first prompt to its end: carries out what the lifecycle orders and feeds back what happened."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from pytest_mala.agent.runtime import AgentRuntimeBuilder
from pytest_mala.errors import HarnessError
from pytest_mala.issue.model import EndReason
from pytest_mala.session.config import (
    LOG_POLL_SECONDS,
    AgentSessionOutput,
    SessionConfig,
    SessionExecutionState,
    SessionUsage,
)
from pytest_mala.session.context import Effect, LifecycleConfig, LifecycleContext, LifecycleState
from pytest_mala.session.effects import Judges
from pytest_mala.session.emit import SessionEvents
from pytest_mala.session.idle import idle_seconds
from pytest_mala.session.iteration import Turn, TurnReader
from pytest_mala.session.lifecycle import ImplementerLifecycle
from pytest_mala.session.logwait import AwaitedLog, wait_for_log
from pytest_mala.session.stream import (
    ContextPressureError,
    IdleTimeoutError,
    MessageIterationResult,
    MessageIterationState,
)
from pytest_mala.session.transitions import blocking_issues, is_blocking
from pytest_mala.session.waiting import describe_wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mala.clock import Clock
    from pytest_mala.session.config import AgentSessionConfig, AgentSessionInput, SessionCallbacks
    from pytest_mala.session.context import ReviewIssue, TransitionResult
    from pytest_mala.session.pressure import ContextPressureHandler
    from pytest_mala.session.protocols import MalaEventSink
    from pytest_mala.session.telemetry import TelemetrySpan

__all__ = ["SessionRun", "begin_round", "new_state"]

logger = logging.getLogger(__name__)

_ENDS = (Effect.COMPLETE_SUCCESS, Effect.COMPLETE_FAILURE)


def begin_round(config: AgentSessionConfig, factory: Any, agent_id: str) -> SessionConfig:
    """What a session, or its part after a context restart, runs with; the factory is asked for options here."""
    runtime = (
        AgentRuntimeBuilder(config.repo_path, agent_id, factory)
        .with_hooks(deadlock_monitor=config.deadlock_monitor)
        .with_env(timeout_seconds=config.timeout_seconds)
        .with_mcp()
        .with_disallowed_tools()
        .with_lint_tools(config.lint_tools)
        .build()
    )
    return SessionConfig(
        agent_id=agent_id,
        options=runtime.options,
        lint_cache=runtime.lint_cache,
        log_file_wait_timeout=config.log_file_wait_timeout,
        log_file_poll_interval=LOG_POLL_SECONDS,
        idle_timeout_seconds=idle_seconds(config.idle_timeout_seconds, config.timeout_seconds),
    )


def new_state(config: AgentSessionConfig, now_seconds: float) -> SessionExecutionState:
    """A session that has not begun; `now_seconds` since 1970 becomes the baseline."""
    limits = LifecycleConfig(
        max_gate_retries=config.max_gate_retries,
        max_review_retries=config.max_review_retries,
        review_enabled=config.review_enabled,
        max_context_restarts=config.max_context_restarts,
    )
    context = LifecycleContext()
    context.retry_state.baseline_timestamp = int(now_seconds)
    return SessionExecutionState(lifecycle=ImplementerLifecycle(limits), lifecycle_ctx=context)


class SessionRun:
    """A running session. `run` may be called once; `describe` may be called at any time."""

    def __init__(
        self,
        config: AgentSessionConfig,
        factory: Any,
        callbacks: SessionCallbacks,
        sink: MalaEventSink | None,
        clock: Clock,
        pressure_handler: ContextPressureHandler,
        session_input: AgentSessionInput,
        agent_id: str,
        tracer: TelemetrySpan | None,
    ) -> None:
        self._config = config
        self._factory = factory
        self._callbacks = callbacks
        self._clock = clock
        self._pressure_handler = pressure_handler
        self._input = session_input
        self._agent_id = agent_id
        self._tracer = tracer
        self._events = SessionEvents(sink, session_input.issue_id)
        self._judges = Judges(config, callbacks, self._events, session_input)
        self._reader = TurnReader(
            config, callbacks, factory, self._events, session_input.issue_id, tracer, self._is_time_up, self._explain
        )
        self._state = new_state(config, clock.now().timestamp())
        self._round: SessionConfig | None = None
        self._turn = Turn(prompt=session_input.prompt, purpose="work")
        self._turns = 0
        self._pressure: ContextPressureError | None = None
        self._known_session_id: str | None = None
        self._deadline: asyncio.Timeout | None = None
        self._waiting_for = ""

    async def run(self) -> AgentSessionOutput:
        """To the end, whatever it is; only a `HarnessError`, a cancellation and other `BaseException`s are raised."""
        began = asyncio.get_running_loop().time()
        try:
            self._round = begin_round(self._config, self._factory, self._agent_id)
            await self._within_time(began + self._config.timeout_seconds)
        except HarnessError:
            raise
        except asyncio.CancelledError:
            self._abort()
            raise
        except Exception as error:
            self._end_in_error(error)
        return self._output(asyncio.get_running_loop().time() - began)

    async def _within_time(self, ends_at: float) -> None:
        """One budget for agent, gate, review and waits, on the loop's clock."""
        remaining = ends_at - asyncio.get_running_loop().time()
        if remaining <= 0:
            self._end_in_time()
            return
        self._deadline = asyncio.timeout(remaining)
        try:
            async with self._deadline:
                try:
                    await self._drive()
                finally:
                    self._is_time_up()
        except TimeoutError:
            if not self._deadline.expired():
                raise  # somebody else's (session:X9)
            self._end_in_time(self._waiting_for)
            return
        self._end(None)

    def _end_in_time(self, detail: str = "") -> None:
        minutes = self._config.timeout_seconds / 60
        self._end(self._state.lifecycle.on_timeout(self._state.lifecycle_ctx, minutes, detail))

    def _abort(self) -> None:
        """Whoever cancels the session hears of its end what can be told; nothing may replace the cancellation."""
        try:
            self._end(self._state.lifecycle.on_abort(self._state.lifecycle_ctx, "the session was cancelled"))
        except HarnessError:
            logger.warning("the event sink failed at the end of the session", exc_info=True)

    def _end_in_error(self, error: Exception) -> None:
        lifecycle, ctx = self._state.lifecycle, self._state.lifecycle_ctx
        if self._is_time_up():
            # a callback has made an error of its own of the cancellation that the deadline sent (session:X9)
            self._end_in_time(f"{self._waiting_for}; it ended with {type(error).__name__}: {error}")
            return
        is_idle = isinstance(error, IdleTimeoutError)
        self._end(lifecycle.on_idle(ctx, error) if is_idle else lifecycle.on_error(ctx, error))

    def _end(self, transition: TransitionResult | None) -> None:
        """Tells the end; a sink that fails now can't change it any more, and one that fails hears the rest."""
        ctx = self._state.lifecycle_ctx
        if transition is not None:
            self._tell_safely(lambda: self._events.entered(transition))
        self._tell_safely(lambda: self._events.ended(ctx.reason or EndReason.AGENT_ERROR, ctx.final_result))

    def _tell_safely(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except HarnessError:
            raise
        except Exception:
            logger.warning("the event sink failed at the end of the session", exc_info=True)

    def _is_time_up(self) -> bool:
        """Whether the session's deadline has struck; the first time it is noted what was waited for at that moment."""
        is_up = self._deadline is not None and self._deadline.expired()
        if is_up and not self._waiting_for:
            self._waiting_for = self._explain()
        return is_up

    async def _drive(self) -> None:
        transition = self._start()
        while transition.effect not in _ENDS:
            if self._is_time_up():
                raise TimeoutError  # a callback has swallowed the cancellation that the deadline sent
            transition = await self._carry_out(transition)

    async def _carry_out(self, transition: TransitionResult) -> TransitionResult:
        match transition.effect:
            case Effect.WAIT_FOR_LOG:
                return await self._wait_for_log()
            case Effect.RUN_GATE:
                return await self._run_gate()
            case Effect.RUN_REVIEW:
                return await self._run_review()
            case _ if transition.state is LifecycleState.INITIAL:
                return await self._restart()
            case _ if self._pressure is not None:
                return self._told(self._state.lifecycle.on_context_filled(self._state.lifecycle_ctx))
            case _:
                return await self._read_turn()

    def _told(self, transition: TransitionResult) -> TransitionResult:
        self._events.entered(transition)
        return transition

    def _start(self) -> TransitionResult:
        transition = self._told(self._state.lifecycle.start())
        self._events.lifecycle_state(transition.state)
        return transition

    async def _read_turn(self) -> TransitionResult:
        state = self._state
        lifecycle, ctx = state.lifecycle, state.lifecycle_ctx
        self._turns += 1
        try:
            result = await self._reader.read(self._turn, state, self._round_config)
        except ContextPressureError as error:
            self._pressure = error
            if not error.turn_ended:
                return self._told(lifecycle.on_context_filled(ctx))
            # the turn is over, and it may have done enough: the gate speaks first (session:Y3)
            result = MessageIterationResult(success=True, session_id=state.msg_state.session_id)
        finally:
            self._known_session_id = state.msg_state.session_id or self._known_session_id
        state.session_id = result.session_id or state.session_id
        if not result.has_result:
            return self._told(lifecycle.on_turn_broken(ctx, result.error or ""))
        if not result.success:
            return self._told(lifecycle.on_turn_failed(ctx, result.reason or EndReason.AGENT_ERROR, result.error or ""))
        transition = self._told(lifecycle.on_messages_complete(ctx, has_session_id=bool(state.session_id)))
        self._events.lifecycle_state(transition.state)
        return transition

    async def _wait_for_log(self) -> TransitionResult:
        state = self._state
        lifecycle, ctx, settings = state.lifecycle, state.lifecycle_ctx, self._round_config
        if self._callbacks.get_log_path is None:
            raise ValueError("get_log_path callback must be set")
        path = self._callbacks.get_log_path(state.session_id or "")
        if state.log_path is not None and path != state.log_path:
            logger.info("%s: new session log %s, its evidence begins at 0", self._input.issue_id, path)
            ctx.retry_state.log_offset = ctx.review_log_offset = 0
        state.log_path = path
        self._events.log_waiting()
        log = AwaitedLog(path=path, uuid=state.msg_state.last_uuid, offset=ctx.retry_state.log_offset)
        if not await wait_for_log(log, settings.log_file_wait_timeout, settings.log_file_poll_interval):
            transition = self._told(lifecycle.on_log_timeout(ctx, str(path), log.explain()))
            self._events.log_timeout(str(path))
            return transition
        self._events.log_ready()
        return self._told(lifecycle.on_log_ready(ctx))

    async def _run_gate(self) -> TransitionResult:
        answer = await self._judges.gate(self._state, self._log_path)
        if answer.pending_query is None:
            self._pressure = None  # the turn has done enough: no restart
        else:
            self._send_back(answer.pending_query, "gate retry")
        return answer.transition_result

    async def _run_review(self) -> TransitionResult:
        answer = await self._judges.review(self._state, self._log_path)
        if answer.pending_query is not None:
            self._send_back(answer.pending_query, "review retry")
        return answer.transition_result

    def _send_back(self, prompt: str, purpose: str) -> None:
        """The next turn resumes the same session, with a fresh idle budget."""
        self._turn = Turn(prompt=prompt, purpose=purpose, request=prompt)
        self._state.msg_state.pending_session_id = self._state.session_id
        self._state.msg_state.idle_retry_count = 0

    async def _restart(self) -> TransitionResult:
        """A new session goes on from a checkpoint; attempts, offset, commit and baseline are kept (session:Y2)."""
        error, self._pressure = self._pressure, None
        assert error is not None  # only pressure leads back to INITIAL
        state, handler = self._state, self._pressure_handler
        # it has its own bound; the session's deadline, which may come first, cuts it short like everything else
        found = await handler.fetch_checkpoint(
            error.session_id, self._input.issue_id, self._round_config.options, tracer=self._tracer
        )
        self._events.context_restart(
            state.lifecycle_ctx.context_restarts,
            self._config.max_context_restarts,
            len(found.checkpoint),
            found.timed_out,
        )
        self._turn = self._continuation(handler.build_continuation_prompt(found.checkpoint))
        state.session_id = None
        before = state.msg_state
        state.msg_state = MessageIterationState(
            usage=before.usage.plus(found.usage),
            costs_usd={**before.costs_usd, **found.costs_usd},
            other_messages=before.other_messages,
        )
        self._round = begin_round(self._config, self._factory, self._agent_id)
        return self._start()

    def _continuation(self, prompt: str) -> Turn:
        """What gate or review asked for is asked again: the agent that was told has forgotten it."""
        request = self._turn.request
        return Turn(prompt=f"{prompt}\n\n{request}" if request else prompt, purpose="continuation", request=request)

    @property
    def _round_config(self) -> SessionConfig:
        assert self._round is not None  # set before the lifecycle starts
        return self._round

    @property
    def _log_path(self) -> Path:
        assert self._state.log_path is not None  # set before every gate
        return self._state.log_path

    def _output(self, seconds: float) -> AgentSessionOutput:
        state, ctx = self._state, self._state.lifecycle_ctx
        state.final_result = ctx.final_result
        known = state.session_id or state.msg_state.session_id or self._known_session_id
        costs = state.msg_state.costs_usd.values()
        return AgentSessionOutput(
            success=ctx.success,
            summary=state.final_result,
            session_id=known,
            log_path=state.log_path,
            gate_attempts=ctx.retry_state.gate_attempt,
            review_attempts=ctx.retry_state.review_attempt,
            resolution=ctx.resolution,
            duration_seconds=seconds,
            agent_id=self._agent_id,
            review_log_path=state.cerberus_review_log_path,
            low_priority_review_issues=list(ctx.low_priority_review_issues) or None,
            reason=ctx.reason or EndReason.AGENT_ERROR,
            usage=SessionUsage(tokens=state.msg_state.usage, cost_usd=sum(costs) if costs else None),
            last_review_issues=self._blocking() or None,
            other_messages=dict(state.msg_state.other_messages),
        )

    def _blocking(self) -> list[ReviewIssue]:
        """P0 and P1 of the last review; where that one has none of its own, and failed, those that it should answer."""
        ctx = self._state.lifecycle_ctx
        found = [] if ctx.last_review_result is None else blocking_issues(ctx.last_review_result)
        if found or ctx.success:
            return found
        return [issue for issue in ctx.retry_state.previous_findings if is_blocking(issue)]

    def _explain(self) -> str:
        """Why time ran out: what we wait for, in the clock's words if that was the reason for its last jump."""
        waiting_for, jumped = self.describe(), self._clock.explanation
        return jumped if waiting_for in jumped else waiting_for

    def describe(self) -> str:
        """What the session is waiting for, in one line."""
        idle = None if self._round is None else self._round.idle_timeout_seconds
        return describe_wait(self._state, self._turns, self._reader.activity, idle)
