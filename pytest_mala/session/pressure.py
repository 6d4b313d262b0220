"""Context pressure: asks the full agent for a checkpoint, and makes the prompt that a new session goes on with."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError
from pytest_mala.session.checkpoint import build_continuation_prompt, extract_checkpoint, is_marked
from pytest_mala.session.connection import Connection
from pytest_mala.session.messages import Usage, is_main_thread, kind, read_result
from pytest_mala.session.resume import create_client
from pytest_mala.session.stream import ContextPressureError, MessageIterationState

if TYPE_CHECKING:
    from pytest_mala.session.telemetry import TelemetrySpan

__all__ = [
    "DEFAULT_CHECKPOINT_TIMEOUT_SECONDS",
    "CheckpointResult",
    "ContextPressureConfig",
    "ContextPressureError",
    "ContextPressureHandler",
]

logger = logging.getLogger(__name__)

DEFAULT_CHECKPOINT_TIMEOUT_SECONDS = 30


@dataclass(slots=True)
class ContextPressureConfig:
    """What the agent is asked, what it goes on with, and how long it may take to answer."""

    checkpoint_request_prompt: str
    continuation_template: str
    checkpoint_timeout_seconds: float = DEFAULT_CHECKPOINT_TIMEOUT_SECONDS


@dataclass(slots=True)
class CheckpointResult:
    """What the agent noted; what had come when the time was up is kept (session:Y5). And what asking has used."""

    checkpoint: str
    timed_out: bool = False
    usage: Usage = field(default_factory=Usage)
    costs_usd: dict[str, float] = field(default_factory=dict)


class _Answer:
    """What has come of the agent's answer so far."""

    def __init__(self, session_id: str) -> None:
        self._texts: list[str] = []
        self._spent = MessageIterationState(session_id=session_id)
        self.error: str | None = None

    def read(self, message: object) -> None:
        self._texts.extend(_agent_texts(message))
        self._spent.count(message)
        if kind(message) == "ResultMessage":
            self.error = read_result(message).error

    def result(self, *, is_whole: bool = True, timed_out: bool = False) -> CheckpointResult:
        """After an error only what the agent marked as its checkpoint is one; what a timeout cut off counts (Y5)."""
        found = "".join(self._texts)
        text = extract_checkpoint(found) if is_whole or is_marked(found) else ""
        return CheckpointResult(text, timed_out, self._spent.usage, self._spent.costs_usd)


class ContextPressureHandler:
    """Stateless between calls; counting restarts is the caller's. Trouble with the checkpoint is told, never raised."""

    def __init__(self, config: ContextPressureConfig, sdk_client_factory: Any) -> None:
        self.config = config
        self.sdk_client_factory = sdk_client_factory

    async def fetch_checkpoint(
        self,
        session_id: str,
        issue_id: str,
        options: object,
        timeout_seconds: float | None = None,
        *,
        tracer: TelemetrySpan | None = None,
    ) -> CheckpointResult:
        """Resumes the session and asks for a checkpoint; only a `HarnessError` and a cancellation pass."""
        prompt = self.config.checkpoint_request_prompt
        if not prompt:
            logger.warning("%s: no checkpoint request prompt is configured, the checkpoint is empty", issue_id)
            return CheckpointResult("")
        seconds = self.config.checkpoint_timeout_seconds if timeout_seconds is None else timeout_seconds
        answer = _Answer(session_id)
        try:
            async with asyncio.timeout(seconds):
                await self._ask(prompt, session_id, options, answer, tracer)
        except TimeoutError:
            logger.warning("%s: no complete checkpoint within %g s", issue_id, seconds)
            return answer.result(timed_out=True)
        except HarnessError:
            raise
        except Exception as error:
            logger.warning("%s: the checkpoint failed: %r", issue_id, error)
            return answer.result(is_whole=False)
        if answer.error is not None:
            logger.warning("%s: the checkpoint failed: %s", issue_id, answer.error)
        return answer.result(is_whole=answer.error is None)

    async def _ask(
        self, prompt: str, session_id: str, options: object, answer: _Answer, tracer: TelemetrySpan | None
    ) -> None:
        client = create_client(self.sdk_client_factory, options, session_id or None, "checkpoint")
        connection = Connection(client, prompt, session_id or None)
        await connection.open()
        try:
            async for message in connection:
                if tracer is not None:
                    tracer.log_message(message)
                answer.read(message)
        except BaseException:
            for message in await connection.abandon():
                answer.read(message)
            raise
        await connection.close()

    def build_continuation_prompt(self, checkpoint: str) -> str:
        """The first prompt of the new session."""
        return build_continuation_prompt(self.config.continuation_template, checkpoint)

    async def handle_pressure_error(
        self,
        error: ContextPressureError,
        issue_id: str,
        options: object,
        continuation_count: int,
        remaining_time: float,
    ) -> tuple[str, int]:
        """The continuation prompt and the count plus one; the checkpoint takes at most the remaining time (seconds)."""
        seconds = max(0.0, min(remaining_time, self.config.checkpoint_timeout_seconds))
        found = await self.fetch_checkpoint(error.session_id, issue_id, options, seconds)
        return self.build_continuation_prompt(found.checkpoint), continuation_count + 1


def _agent_texts(message: object) -> list[str]:
    """Texts of every block; those of user messages and of sub-agents are not the agent's."""
    content = getattr(message, "content", None)
    if kind(message) == "UserMessage" or not is_main_thread(message) or not isinstance(content, list | tuple):
        return []
    return [text for block in content if (text := getattr(block, "text", None)) is not None]
