"""The real SDK client of a session, on a transport that is recorded or replayed, behind the contract's client and
factory protocols.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol, Self

from pytest_mala.errors import HarnessError, MalaError, WorkspaceError
from pytest_mala.transport.turns import TurnWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from pytest_mala.transport.live import CLITransport
    from pytest_mala.transport.record import WireTransport

__all__ = ["ControlTimeoutError", "SDKClientFactory", "SDKClients", "SessionClient", "Tape"]

_MOST_CHARACTERS_PER_LINE = 64 * 1024 * 1024  # the SDK's default of 1 MiB kills the reader for good (sdk.md 1.2)


class ControlTimeoutError(MalaError):
    """The CLI did not answer a control request within the SDK's own limit; the SDK says it with a bare Exception
    (sdk.md 4).
    """


class Tape(Protocol):
    """What a session is recorded on or played from: the recorder or the player of a take."""

    def connection(self, purpose: str, options: Any) -> WireTransport: ...
    def decide(self, what: str) -> None: ...
    def turn_ended(self) -> None: ...


class SessionClient:
    """One SDK client from connect to disconnect; when it is left, the tree of the turn is captured or restored (design
    D8).
    """

    def __init__(self, options: Any, tape: Tape, transport: WireTransport) -> None:
        from claude_agent_sdk import ClaudeSDKClient  # on first use: it costs 0.8 s

        self._client = ClaudeSDKClient(options, transport=transport)  # type: ignore[arg-type]
        self._tape = tape
        self._transport = transport
        self._watch = TurnWatch()

    async def __aenter__(self) -> Self:
        """Connect. Raises ControlTimeoutError if the CLI never answers, else what the SDK raises."""
        try:
            await self._client.connect()
        except Exception as error:
            if str(error).startswith("Control request timeout: "):
                request = str(error).removeprefix("Control request timeout: ")
                raise ControlTimeoutError(
                    f"the CLI did not answer the control request {request} within 60 s"
                ) from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._client.disconnect()
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        """Whatever goes wrong here is ours: a session must never be judged on the tree of another turn (D12)."""
        try:
            self._tape.turn_ended()
        except HarnessError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise WorkspaceError(f"the tree at the end of a turn could not be captured or restored: {what}") from error

    async def query(self, prompt: str, session_id: str | None = None) -> None:
        """Send a prompt. The session id is only a label on the wire: what resumes is `resume` in the options."""
        if session_id is None:
            await self._client.query(prompt)
        else:
            await self._client.query(prompt, session_id=session_id)

    async def receive_response(self) -> AsyncIterator[object]:
        """The messages of a turn. A CLI that reports its state ends the turn with `idle`, another one with the result
        (sdk.md 0.2).
        """
        self._watch.begin()
        async for message in self._client.receive_messages():
            yield message
            if self._is_end(message):
                return

    def _is_end(self, message: object) -> bool:
        match type(message).__name__:
            case "ResultMessage":
                return self._watch.result(is_error=bool(getattr(message, "is_error", False)))
            case "SystemMessage":
                return self._is_end_by(getattr(message, "subtype", ""), getattr(message, "data", {}))
        return False

    def _is_end_by(self, subtype: str, data: Mapping[str, Any]) -> bool:
        if subtype == "background_tasks_changed":
            self._watch.tasks(data.get("tasks"))
        return subtype == "session_state_changed" and self._watch.state(data.get("state"))

    def decide(self, what: str) -> None:
        """A timer of the runner decided something: a barrier in the recording (design D7)."""
        self._tape.decide(what)

    async def interrupt(self) -> None:
        """Ask the CLI to stop what it does."""
        await self._client.interrupt()

    async def disconnect(self) -> None:
        """Close the connection."""
        await self._client.disconnect()

    def terminate(self) -> None:
        """End the CLI and its children at once, where there are any."""
        terminate = getattr(self._transport, "terminate", None)
        if terminate is not None:
            terminate()


class SDKClients:
    """Makes the clients of one session (contract name of the protocol: SDKClientFactoryProtocol).

    `settings` are options that the issue asks for, `overrides` have the last word (fixture `mala_agent_options`).
    """

    def __init__(self, tape: Tape, *, settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
        self._tape = tape
        self._settings = dict(settings)
        self._overrides = dict(overrides)
        self._purpose = "work"

    def announce(self, purpose: str) -> None:
        """Why the next client is made; it stands in the cassette."""
        self._purpose = purpose

    def create(self, options: object) -> SessionClient:
        """A client that is not connected yet, on the session's next connection."""
        return SessionClient(options, self._tape, self._tape.connection(self._purpose, options))

    def create_options(
        self,
        *,
        cwd: str,
        permission_mode: str = "bypassPermissions",
        model: str = "opus",
        system_prompt: dict[str, Any] | None = None,
        setting_sources: list[str] | None = None,
        mcp_servers: object | None = None,
        disallowed_tools: list[str] | None = None,
        env: dict[str, str] | None = None,
        hooks: dict[str, list[object]] | None = None,
    ) -> object:
        """The SDK's options: what the runner asks for, then what the issue asks for, then the overrides.

        `env` is not passed on: the CLI gets the made environment of the lane and nothing else (design D18). An
        explicit empty list of setting sources is kept (session:B35); by default the project's own settings count
        and the user's don't.
        """
        from claude_agent_sdk import ClaudeAgentOptions  # on first use: it costs 0.8 s

        asked: dict[str, Any] = {
            "cwd": cwd,
            "permission_mode": permission_mode,
            "model": model,
            "system_prompt": system_prompt or {"type": "preset", "preset": "claude_code"},
            "setting_sources": ["project"] if setting_sources is None else setting_sources,
            "mcp_servers": mcp_servers or {},
            "disallowed_tools": disallowed_tools or [],
            "hooks": hooks or None,
            "max_buffer_size": _MOST_CHARACTERS_PER_LINE,
        }
        return ClaudeAgentOptions(**{**asked, **self._settings, **self._overrides})

    def create_hook_matcher(self, matcher: object | None, hooks: list[object]) -> object:
        """The SDK's hook matcher."""
        from claude_agent_sdk import HookMatcher  # on first use: it costs 0.8 s

        return HookMatcher(matcher=matcher, hooks=hooks)  # type: ignore[arg-type]

    def with_resume(self, options: object, session_id: str) -> object:
        """The same options, continuing that session (session:B1: only this resumes)."""
        return dataclasses.replace(options, resume=session_id)  # type: ignore[type-var]


class SDKClientFactory(SDKClients):
    """The contract's factory for whoever drives `AgentSessionRunner` himself: each client starts the CLI with its
    options, and nothing is recorded.
    """

    def __init__(self) -> None:
        super().__init__(_NoTape(), settings={}, overrides={})

    def create_options(self, *, env: dict[str, str] | None = None, **asked: Any) -> object:
        """The SDK's options. There is no lane to make an environment: the CLI sees that of this process with `env` over
        it, as the SDK does it.
        """
        return dataclasses.replace(super().create_options(**asked), env=env or {})  # type: ignore[type-var]


class _NoTape:
    """Nobody listens."""

    def connection(self, purpose: str, options: Any) -> CLITransport:
        from pytest_mala.transport.live import CLITransport  # on use: a replay needs none

        return CLITransport(options)

    def decide(self, what: str) -> None:
        pass

    def turn_ended(self) -> None:
        pass
