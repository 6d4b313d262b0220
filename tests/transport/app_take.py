"""An application with hooks, a permission callback, an in-process MCP server and control requests of its own, and the
take that the real recorder makes of it: all that an SDK client can say is in there.
"""

from __future__ import annotations

import asyncio
import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loopback_cli import SESSION, LoopbackCLI
from transport_tapes import Listener

from pytest_mala.clock import VirtualClock
from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.names import Names
from pytest_mala.transport.play import Player
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.takes import read_take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from pytest_mala.transport.cassette import Cassette, Interaction

START = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT = "0df39e0de9d71c2b7a7a8ff21a8e0f3e9b6c2d14"
NAMES = Names({"WORKSPACE": "/tmp/mala-x/workspace", "HOME": "/tmp/mala-x/home"})
SECRET = "app-value-0123456789"
ENVIRONMENT = {"APP_TOKEN": SECRET}


# the CLI's side


async def first_connection(cli: LoopbackCLI) -> None:
    await cli.answer_next({"commands": [], "hooks_applied": True, "hook_on_failure_supported": True})
    await cli.ask(1, subtype="mcp_message", server_name="calc", message=mcp(0, "initialize", **MCP_HELLO))
    await cli.ask(2, subtype="mcp_message", server_name="calc", message=notified("notifications/initialized"))
    await cli.ask(3, subtype="mcp_message", server_name="calc", message=mcp(1, "tools/list"))
    await cli.hear()
    cli.say(type="system", subtype="init", session_id=SESSION, uuid="c19b86dd-0000-4000-8000-000000000001")
    await cli.ask(4, subtype="hook_callback", callback_id="hook_2", input=hook_input("UserPromptSubmit"))
    for number, (tool, given) in enumerate(CALLS, 1):
        name = f"mcp__calc__{tool}"
        cli.assistant([{"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}], number)
        before = hook_input("PreToolUse", tool_name=name, tool_input=given)
        await cli.ask(
            10 * number, subtype="hook_callback", callback_id="hook_0", input=before, tool_use_id=f"toolu_{number}"
        )
        asked = {"tool_name": name, "input": given, "permission_suggestions": []}
        said = await cli.ask(10 * number + 1, subtype="can_use_tool", **asked, tool_use_id=f"toolu_{number}")
        if said["response"]["response"]["behavior"] == "deny":
            continue
        call = mcp(number + 1, "tools/call", name=tool, arguments=given)
        answer = await cli.ask(10 * number + 2, subtype="mcp_message", server_name="calc", message=call)
        content = answer["response"]["response"]["mcp_response"].get("result", {}).get("content")
        after = hook_input("PostToolUse", tool_name=name, tool_input=given, tool_response=content)
        await cli.ask(
            10 * number + 3, subtype="hook_callback", callback_id="hook_1", input=after, tool_use_id=f"toolu_{number}"
        )
        block = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content}
        cli.say(
            type="user",
            message={"role": "user", "content": [block]},
            session_id=SESSION,
            uuid=f"d19b86dd-0000-4000-8000-{number:012d}",
        )
    cli.result(1)
    await cli.answer_next({"model": "opus"})
    await cli.answer_next({"mode": "acceptEdits"})
    await cli.hear()
    cli.text("yes", 20)
    await cli.answer_next({"still_queued": []})
    cli.result(2, subtype="error_during_execution", is_error=True)
    await cli.hear()
    await asyncio.Event().wait()


async def second_connection(cli: LoopbackCLI) -> None:
    await cli.answer_next({"commands": []})
    await cli.hear()
    cli.text("again", 30)
    cli.result(3)
    await cli.hear()
    await asyncio.Event().wait()


MCP_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "claude-code", "version": "2"}}
CALLS: Sequence[tuple[str, dict[str, Any]]] = (
    ("divide", {"a": -7, "b": 2}),
    ("divide", {"a": 1, "b": 0}),
    ("where", {"path": "src/calc.py"}),
    ("where", {"path": "/etc/passwd"}),
)


def mcp(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def notified(method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method}


def hook_input(event: str, **more: Any) -> dict[str, Any]:
    return {"hook_event_name": event, "session_id": SESSION, "cwd": "/tmp/mala-x/workspace", **more}


# the application


async def before_tool(given: Any, tool: Any, _: Any) -> dict[str, Any]:
    told = {"hookEventName": "PreToolUse", "permissionDecision": "allow"}
    if given["tool_name"].endswith("where"):
        told["updatedInput"] = {"path": f"{given['cwd']}/{given['tool_input']['path']}", "depth": -0.0, "all": []}
    reason = f"{tool}: rule 4 of 12 allows it, from {given['session_id']}"
    return {"hookSpecificOutput": {**told, "permissionDecisionReason": reason}, "suppressOutput": True}


async def after_tool(given: Any, tool: Any, _: Any) -> dict[str, Any]:
    return {"systemMessage": f"+1 -0 lines at {COMMIT}, 0.5 s, 1e-3 %", "weights": [1, 1.0, -2, 0, "", None, [], {}]}


async def on_prompt(given: Any, tool: Any, _: Any) -> dict[str, Any]:
    return {}


async def may_use(name: str, given: dict[str, Any], context: Any) -> Any:
    from claude_agent_sdk import PermissionResultAllow, PermissionResultDeny

    if given.get("path", "").startswith("/"):
        return PermissionResultDeny(message="Nothing outside of -1 or +1 folders, 0 of 3 rules allow it.")
    return PermissionResultAllow(updated_input={**given, "checked": True, "by": name})


def options(resume: str | None = None) -> Any:
    from claude_agent_sdk import AgentDefinition, ClaudeAgentOptions, HookMatcher, create_sdk_mcp_server, tool

    @tool("divide", "Divides a by b, exactly.", {"a": float, "b": float})
    async def divide(given: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": f"a / b = {given['a'] / given['b']}"}]}

    @tool("where", "Says where a file is.", {"path": str})
    async def where(given: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": f"{given['path']} at {COMMIT[:7]}, line 3 of -12"}]}

    hooks = {
        "PreToolUse": [HookMatcher(matcher="mcp__.*", hooks=[before_tool], timeout=30)],
        "PostToolUse": [HookMatcher(hooks=[after_tool])],
        "UserPromptSubmit": [HookMatcher(hooks=[on_prompt])],
    }
    plain = ClaudeAgentOptions(
        cwd="/tmp/mala-x/workspace",
        model="sonnet",
        max_turns=12,
        max_budget_usd=0.5,
        allowed_tools=["Bash(git log:*)"],
        env={"APP_TOKEN": SECRET},
        agents={"reader": AgentDefinition(description="Reads code.", prompt="Read 3 files.", tools=["Read"])},
        resume=resume,
    )
    if resume is None:
        plain.hooks = hooks  # type: ignore[assignment]
        plain.can_use_tool = may_use
        plain.mcp_servers = {"calc": create_sdk_mcp_server("calc", "1.2.0", [divide, where])}
    return plain


async def blocks(session: str) -> AsyncIterator[dict[str, Any]]:
    content = [
        {"type": "text", "text": f"Compare with {COMMIT[:12]} and {session}."},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]
    yield {"type": "user", "message": {"role": "user", "content": content}, "parent_tool_use_id": None}


async def application(tape: Any) -> None:
    """What the user's own code does with the SDK; the same when it is recorded and when it is replayed."""
    from claude_agent_sdk import ClaudeSDKClient

    given = options()
    async with ClaudeSDKClient(given, transport=tape.connection("work", given)) as client:
        await client.query(f"Divide -7 by 2 in /tmp/mala-x/workspace/calc.py (commit {COMMIT}); key: {SECRET}.")
        session = [one async for one in client.receive_response()][-1].session_id  # of the result
        await client.set_model("opus")
        await client.set_permission_mode("acceptEdits")
        await client.query("Go on:\n\n- 2 + 2 = 4\n- the key is still " + SECRET + "\n", session_id=session)
        messages = client.receive_messages()
        async for message in messages:
            if type(message).__name__ == "AssistantMessage":
                await client.interrupt()
            if type(message).__name__ == "ResultMessage":
                break
    given = options(resume=session)
    async with ClaudeSDKClient(given, transport=tape.connection("gate retry", given)) as client:
        await client.query(blocks(session))
        async for _ in client.receive_response():
            pass


class _Entries:
    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None:
        self.all.append(entry)


@functools.cache
def recorded() -> Cassette:
    """The application's take, as the recorder writes it."""
    entries = _Entries()
    scripts = iter([first_connection, second_connection])
    clock = VirtualClock(START, frozen=False)
    recorder = Recorder(
        entries,
        NAMES,
        Listener(),
        clock=clock,
        start=lambda options: LoopbackCLI(next(scripts)),
        note_tree=lambda: None,
        capture=lambda number: {},
    )

    async def run() -> None:
        with clock:
            await application(recorder)

    asyncio.run(run())
    return assemble(TakeHead(issue="app", lane="scripted", sdk="1", start=START.isoformat()), entries.all)


def told(interactions: Sequence[Interaction]) -> Iterator[tuple[bool, tuple[int, str, Any]]]:
    """What the CLI says in a take, connection by connection, and whether it must come."""
    each = [(int(one.uri.split("/")[5]), one) for one in interactions if "/connection/" in one.uri]
    for number, one in sorted(each, key=lambda pair: pair[0]):
        for item in one.response.get("frames", []):
            if frame := item.get("cli") or item.get("trailing"):
                yield "cli" in item, (number, frame["type"], told_by(frame))


def told_by(frame: Mapping[str, Any]) -> Any:
    return frame.get("message") or frame.get("result") or frame.get("subtype")


class Heard(Listener):
    """What came from the CLI, by connection."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, str, Any]] = []
        self._connection = 0

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        self._connection = number

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        if direction == "cli":
            self.said.append((self._connection, frame["type"], told_by(NAMES.hide(frame))))


def replay(interactions: Sequence[Interaction]) -> list[tuple[int, str, Any]]:
    """What the CLI said to the application on a take. Raises Divergence if it does not fit, TakeError if it can't be
    played.
    """
    heard = Heard()
    clock = VirtualClock(START, frozen=False)
    player = Player(
        read_take(interactions),
        NAMES,
        heard,
        switch_tree=lambda commit: None,
        restore_turn=lambda turn: None,
        where="cassettes/app.yaml",
        remedy="record it with: RECORD",
        environment=ENVIRONMENT,
    )

    async def run() -> None:
        with clock:
            try:
                await application(player)
            finally:
                player.finish()

    asyncio.run(run())
    return heard.said
