"""Peers of the session core for its tests: look-alike messages, a scripted client and factory, a recording sink."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_mala.clock import VirtualClock
from pytest_mala.session.config import (
    AgentSessionConfig,
    AgentSessionInput,
    AgentSessionOutput,
    SessionCallbacks,
    SessionPrompts,
)
from pytest_mala.session.events import BaseEventSink
from pytest_mala.session.models import GateResult, ReviewIssue, ReviewResult
from pytest_mala.session.runner import AgentSessionRunner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)


# Look-alikes: recognised by their class names


@dataclass
class TextBlock:
    text: str


@dataclass
class ThinkingBlock:
    thinking: str


@dataclass
class ToolUseBlock:
    id: str
    name: str
    input: dict[str, Any]


@dataclass
class ToolResultBlock:
    tool_use_id: str | None
    content: Any = None
    is_error: bool | None = None


@dataclass
class AssistantMessage:
    content: list[Any]
    usage: Any = None
    uuid: str | None = None
    session_id: str | None = None
    parent_tool_use_id: str | None = None


@dataclass
class UserMessage:
    content: Any
    uuid: str | None = None
    parent_tool_use_id: str | None = None


@dataclass
class SystemMessage:
    subtype: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class RateLimitEvent:
    info: str = ""


@dataclass
class ResultMessage:
    session_id: str | None = "s1"
    result: str | None = "done"
    usage: Any = field(default_factory=lambda: {"input_tokens": 10, "output_tokens": 5})
    is_error: bool = False
    subtype: str = "success"
    total_cost_usd: float | None = None
    errors: list[str] | None = None
    terminal_reason: str | None = None
    api_error_status: int | None = None


def say(text: str, **more: Any) -> AssistantMessage:
    return AssistantMessage([TextBlock(text)], **more)


def use(tool_id: str, name: str = "Bash", command: str = "ls", **more: Any) -> AssistantMessage:
    return AssistantMessage([ToolUseBlock(tool_id, name, {"command": command})], **more)


def answer(tool_id: str, *, is_error: bool | None = None, **more: Any) -> UserMessage:
    return UserMessage([ToolResultBlock(tool_id, "ok", is_error)], **more)


def init(session_id: str = "s1") -> SystemMessage:
    return SystemMessage("init", {"session_id": session_id})


def usage(tokens: int, **more: int) -> dict[str, int]:
    return {"input_tokens": tokens, "output_tokens": 0, **more}


# Steps of a scripted answer, besides messages


@dataclass
class Wait:
    seconds: float


@dataclass
class Fail:
    error: BaseException


@dataclass
class Do:
    action: Callable[[], None]


class Hang:
    pass


HANG = Hang()
Step = object


class ProcessError(Exception):
    """Like the SDK's."""


class ResultError(ProcessError):
    """Like the SDK's."""


class ScriptedClient:
    """A client with exactly the protocol's members; what is done to it is written down."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = list(steps)
        self.calls: list[str] = []
        self.queries: list[tuple[str, str | None]] = []
        self.options: object = None
        self.fail_enter: BaseException | None = None
        self.fail_query: BaseException | None = None
        self.hang_at: frozenset[str] = frozenset()
        self.fail_at: dict[str, BaseException] = {}

    async def _at(self, what: str) -> None:
        self.calls.append(what)
        if what in self.fail_at:
            raise self.fail_at[what]
        if what in self.hang_at:
            await asyncio.sleep(1e6)

    async def __aenter__(self) -> ScriptedClient:
        await self._at("enter")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._at("exit")

    async def query(self, prompt: str, session_id: str | None = None) -> None:
        self.queries.append((prompt, session_id))
        await self._at("query")

    async def receive_response(self) -> AsyncIterator[object]:
        for step in self.steps:
            match step:
                case Wait(seconds=seconds):
                    await asyncio.sleep(seconds)
                case Fail(error=error):
                    raise error
                case Do(action=action):
                    action()
                case Hang():
                    await asyncio.sleep(1e6)
                case message:
                    yield message

    async def disconnect(self) -> None:
        await self._at("disconnect")


class AbleClient(ScriptedClient):
    """One with all optional abilities; an interrupt ends a hanging answer with `after_interrupt`."""

    def __init__(self, steps: Iterable[Step], after_interrupt: Iterable[Step] = ()) -> None:
        super().__init__(steps)
        self._after = list(after_interrupt)
        self._interrupted = asyncio.Event()

    async def receive_response(self) -> AsyncIterator[object]:
        for step in self.steps:
            if isinstance(step, Hang):
                await self._interrupted.wait()
                break
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            else:
                yield step
        for step in self._after:
            yield step

    async def interrupt(self) -> None:
        await self._at("interrupt")
        self._interrupted.set()

    def terminate(self) -> None:
        self.calls.append("terminate")

    def decide(self, what: str) -> None:
        self.calls.append(f"decide {what}")


class ScriptedFactory:
    """Gives the clients in their order; without optional abilities."""

    def __init__(self, *clients: ScriptedClient | list[Step]) -> None:
        self.clients = [client if isinstance(client, ScriptedClient) else ScriptedClient(client) for client in clients]
        self.created: list[ScriptedClient] = []
        self.options_asked: list[dict[str, Any]] = []

    def create(self, options: object) -> ScriptedClient:
        client = self.clients[len(self.created)]
        client.options = options
        self.created.append(client)
        return client

    def create_options(self, **options: Any) -> object:
        self.options_asked.append(options)
        return {"cwd": options["cwd"]}

    def create_hook_matcher(self, matcher: object | None, hooks: list[object]) -> object:
        return (matcher, hooks)

    @property
    def queries(self) -> list[tuple[str, str | None]]:
        return [query for client in self.created for query in client.queries]


class AbleFactory(ScriptedFactory):
    """With the optional abilities."""

    def __init__(self, *clients: ScriptedClient | list[Step]) -> None:
        super().__init__(*clients)
        self.announced: list[str] = []

    def announce(self, purpose: str) -> None:
        self.announced.append(purpose)

    def with_resume(self, options: Any, session_id: str) -> object:
        return {**options, "resume": session_id}

    @property
    def resumed(self) -> list[str | None]:
        return [client.options.get("resume") for client in self.created]  # type: ignore[attr-defined]


OPTIONAL_EVENTS = ("on_state_entered", "on_idle_retry", "on_context_restart", "on_review_failed", "on_session_ended")


def _record(name: str) -> Callable[..., None]:
    def method(self: RecordingSink, *args: Any, **kwargs: Any) -> None:
        self.told.append((name, *args, *[f"{key}={value!r}" for key, value in kwargs.items()]))

    return method


class RecordingSink(BaseEventSink):
    """Writes down every event, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    for _name in [name for name in dir(BaseEventSink) if name.startswith("on_")]:
        locals()[_name] = _record(_name)
    del _name

    @property
    def events(self) -> list[tuple[Any, ...]]:
        """Those of the contract."""
        return [event for event in self.told if event[0] not in OPTIONAL_EVENTS]

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.told if event[0] == name]


PROMPTS = SessionPrompts(
    gate_followup="gate {attempt}/{max_attempts} of {issue_id}:\n{failure_reasons}\nlint: {lint_command}",
    review_followup="review {attempt}/{max_attempts} of {issue_id}:\n{review_issues}",
    idle_resume="go on with {issue_id}",
    checkpoint_request="write a checkpoint",
    continuation="go on from: {checkpoint}",
)


def finding(priority: int | None = 1, title: str = "bug", line: int = 3) -> ReviewIssue:
    return ReviewIssue("a.py", line, line, priority, title, "because", "critic")


def passing(commit: str | None = "c1", **more: Any) -> GateResult:
    return GateResult(passed=True, commit_hash=commit, **more)


def failing(*reasons: str, commit: str | None = None, **more: Any) -> GateResult:
    return GateResult(passed=False, failure_reasons=list(reasons or ("tests fail",)), commit_hash=commit, **more)


@dataclass
class World:
    """A session and its peers: answers of gate and review are used up in order, the log is written when asked for."""

    folder: Path
    factory: ScriptedFactory
    gates: list[Any] = field(default_factory=lambda: [passing()])
    reviews: list[Any] = field(default_factory=list)
    sink: RecordingSink = field(default_factory=RecordingSink)
    settings: dict[str, Any] = field(default_factory=dict)
    prompts: SessionPrompts = field(default_factory=lambda: PROMPTS)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    log_uuids: list[str] = field(default_factory=list)
    callbacks: SessionCallbacks | None = None
    no_progress: Callable[..., bool] | None = None
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        self.gates, self.reviews = list(self.gates), list(self.reviews)  # a parameter of a test is not ours to use up

    def log_path(self, session_id: str) -> Path:
        self.calls.append(("log", session_id))
        path = self.folder / f"{session_id}.jsonl"
        path.write_text("".join(json.dumps({"type": "user", "uuid": uuid}) + "\n" for uuid in self.log_uuids))
        return path

    async def gate(self, issue_id: str, log_path: Path, retry: Any) -> tuple[Any, int]:
        self.calls.append(
            ("gate", issue_id, log_path.name, retry.gate_attempt, retry.log_offset, retry.previous_commit_hash)
        )
        answer = self.gates.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Wait):
            await asyncio.sleep(answer.seconds)
            answer = passing()
        return answer, 100 * retry.gate_attempt

    async def review(self, issue_id: str, description: Any, baseline: Any, session_id: Any, retry: Any) -> Any:
        self.calls.append(("review", issue_id, description, baseline, session_id, retry.review_attempt))
        answer = self.reviews.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def offset(self, log_path: Path, start: int) -> int:
        self.calls.append(("offset", start))
        return start + 7

    def abort(self, text: str) -> None:
        self.calls.append(("abort", text))

    def tool(self, issue_id: str, name: str, arguments: Any) -> None:
        self.calls.append(("tool", issue_id, name))

    def text(self, issue_id: str, text: str) -> None:
        self.calls.append(("text", issue_id, text))

    def all_callbacks(self) -> SessionCallbacks:
        return SessionCallbacks(
            on_gate_check=self.gate,
            on_review_check=self.review,
            on_review_no_progress=self.no_progress,
            get_log_path=self.log_path,
            get_log_offset=self.offset,
            on_abort=self.abort,
            on_tool_use=self.tool,
            on_agent_text=self.text,
        )

    def runner(self, **more: Any) -> AgentSessionRunner:
        settings = {"timeout_seconds": 3000, "review_enabled": bool(self.reviews), **self.settings}
        config = AgentSessionConfig(repo_path=self.folder, prompts=self.prompts, **settings)
        return AgentSessionRunner(config, self.factory, self.callbacks or self.all_callbacks(), self.sink, **more)

    def run(self, **more: Any) -> AgentSessionOutput:
        """The whole session, on virtual time."""
        given = AgentSessionInput("i1", "do it", "base", "the issue", **more)

        async def session() -> AgentSessionOutput:
            await asyncio.sleep(7)  # a loop's time means nothing by itself
            began = asyncio.get_running_loop().time()
            output = await self.runner().run_session(given)
            self.elapsed = asyncio.get_running_loop().time() - began
            return output

        return on_virtual_time(session)

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]


def on_virtual_time(work: Callable[[], Awaitable[T]]) -> T:
    """Runs in a loop of its own, with waits jumped over; afterwards no task is left."""

    async def main() -> T:
        with VirtualClock(START, frozen=False):
            result = await work()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    return asyncio.run(main())


def reviewed(*issues: ReviewIssue, passed: bool = False, **more: Any) -> ReviewResult:
    return ReviewResult(passed=passed, issues=list(issues), **more)
