"""The way in: runs a coding agent on one issue, with gate, review, retries and limits, and says how it ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.clock import RealClock
from pytest_mala.session.config import (
    DISCONNECT_TIMEOUT,
    AgentSessionConfig,
    AgentSessionInput,
    AgentSessionOutput,
    GateCheckCallback,
    LogOffsetCallback,
    ReviewCheckCallback,
    ReviewEffectResult,
    ReviewNoProgressCallback,
    SessionCallbacks,
    SessionConfig,
    SessionConfigError,
    SessionExecutionState,
    SessionPrompts,
    SessionUsage,
)
from pytest_mala.session.pressure import ContextPressureConfig, ContextPressureHandler
from pytest_mala.session.run import SessionRun

if TYPE_CHECKING:
    from pytest_mala.clock import Clock
    from pytest_mala.session.protocols import MalaEventSink, SDKClientFactoryProtocol
    from pytest_mala.session.telemetry import TelemetrySpan

__all__ = [
    "DISCONNECT_TIMEOUT",
    "AgentSessionConfig",
    "AgentSessionInput",
    "AgentSessionOutput",
    "AgentSessionRunner",
    "GateCheckCallback",
    "LogOffsetCallback",
    "ReviewCheckCallback",
    "ReviewEffectResult",
    "ReviewNoProgressCallback",
    "SessionCallbacks",
    "SessionConfig",
    "SessionConfigError",
    "SessionExecutionState",
    "SessionPrompts",
    "SessionUsage",
]


@dataclass
class AgentSessionRunner:
    """Runs sessions with one configuration; two at the same time do not disturb each other.

    `clock` gives the date for the baseline; waits follow the running loop.
    """

    config: AgentSessionConfig
    sdk_client_factory: SDKClientFactoryProtocol
    callbacks: SessionCallbacks = field(default_factory=SessionCallbacks)
    event_sink: MalaEventSink | None = None
    _context_pressure_handler: ContextPressureHandler = field(init=False, repr=False)
    clock: Clock = field(default_factory=RealClock)
    _runs: list[SessionRun] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        prompts = self.config.prompts
        config = ContextPressureConfig(prompts.checkpoint_request, prompts.continuation)
        self._context_pressure_handler = ContextPressureHandler(config, self.sdk_client_factory)

    async def run_session(self, input: AgentSessionInput, tracer: TelemetrySpan | None = None) -> AgentSessionOutput:  # noqa: A002 - the contract's name
        """Works on one issue to its end.

        Ordinary failures are outcomes, never raised. Raised are a `HarnessError` (the session could not be judged), a
        cancellation, and other `BaseException`s, each after a bounded clean-up that leaves no client open.
        """
        run = SessionRun(
            self.config,
            self.sdk_client_factory,
            self.callbacks,
            self.event_sink,
            self.clock,
            self._context_pressure_handler,
            input,
            input.agent_id or f"{input.issue_id}-{uuid.uuid4().hex[:8]}",
            tracer,
        )
        self._runs.append(run)
        try:
            return await run.run()
        finally:
            self._runs.remove(run)

    def describe(self) -> str:
        """What the running sessions wait for, in one line each; made for the clock, which explains hangs with it."""
        return "\n".join(run.describe() for run in self._runs) or "no session is running"
