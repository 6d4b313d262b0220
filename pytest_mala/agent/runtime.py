"""Builds what an agent runs with: its client's options, its hooks and environment, and the caches the hooks use."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytest_mala.agent.environment import mcp_milliseconds
from pytest_mala.agent.lint import LintCache

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["AgentRuntime", "AgentRuntimeBuilder", "lock_dir"]

_DISALLOWED_TOOLS = ("TodoWrite",)


@dataclass(slots=True)
class AgentRuntime:
    """What one agent runs with; `options` is what the factory made of it."""

    options: object
    file_read_cache: object
    lint_cache: LintCache
    env: dict[str, str]
    pre_tool_hooks: list[object] = field(default_factory=list)
    post_tool_hooks: list[object] = field(default_factory=list)
    stop_hooks: list[object] = field(default_factory=list)


@dataclass(slots=True)
class _Hooks:
    before_tool: list[object] = field(default_factory=list)
    after_tool: list[object] = field(default_factory=list)
    at_stop: list[object] = field(default_factory=list)


def lock_dir() -> Path:
    """Where file locks of agents stand: `MALA_LOCK_DIR`, else a folder in the system's temporary directory."""
    return Path(os.environ.get("MALA_LOCK_DIR") or Path(tempfile.gettempdir()) / "mala-locks")


class AgentRuntimeBuilder:
    """Collects what an agent needs, then `build()` makes its runtime; every `with_...` returns the builder.

    The guards (hooks that block what an agent must not do) come before the caller's own hooks.
    """

    def __init__(self, repo_path: Path, agent_id: str, sdk_client_factory: Any) -> None:
        self._repo_path = repo_path
        self._agent_id = agent_id
        self._factory = sdk_client_factory
        self._hooks = _Hooks()
        self._env: dict[str, str] | None = None
        self._mcp_servers: object | None = None
        self._disallowed_tools: list[str] | None = None
        self._lint_tools: Collection[str] | None = None

    def with_hooks(
        self,
        *,
        deadlock_monitor: object | None = None,
        include_stop_hook: bool = True,
        include_mala_disallowed_tools_hook: bool = True,
        before_tool: Sequence[object] = (),
        after_tool: Sequence[object] = (),
        at_stop: Sequence[object] = (),
    ) -> Self:
        """The guards that these switches ask for (there are none yet), and after them the caller's own hooks."""
        self._hooks = _Hooks(before_tool=list(before_tool), after_tool=list(after_tool), at_stop=list(at_stop))
        return self

    def with_env(self, extra: Mapping[str, str] | None = None, *, timeout_seconds: float | None = None) -> Self:
        """What the agent finds in its environment beside what the client factory gives it; `extra` wins.

        Nothing of our own environment is passed on (design D18). MCP servers get as long as the session, and five
        minutes at least (session:B11).
        """
        self._env = {
            "LOCK_DIR": str(lock_dir()),
            "AGENT_ID": self._agent_id,
            "REPO_NAMESPACE": str(self._repo_path),
            "MCP_TIMEOUT": mcp_milliseconds(timeout_seconds),
            **(extra or {}),
        }
        return self

    def with_mcp(self, servers: object | None = None) -> Self:
        """MCP servers; none by default."""
        self._mcp_servers = {} if servers is None else servers
        return self

    def with_disallowed_tools(self, tools: Sequence[str] | None = None) -> Self:
        """Tools the agent is not offered; the to-do list by default."""
        self._disallowed_tools = list(_DISALLOWED_TOOLS if tools is None else tools)
        return self

    def with_lint_tools(self, lint_tools: Collection[str] | None = None) -> Self:
        """Tools whose runs the lint cache remembers; its own list by default."""
        self._lint_tools = lint_tools
        return self

    def build(self) -> AgentRuntime:
        """The runtime; the only place where the factory is asked for options."""
        if self._env is None:
            self.with_env()
        env = dict(self._env or {})
        options = self._factory.create_options(
            cwd=str(self._repo_path),
            mcp_servers=self._mcp_servers,
            disallowed_tools=self._disallowed_tools,
            env=env,
            hooks=self._matchers(),
        )
        return AgentRuntime(
            options=options,
            file_read_cache=None,
            lint_cache=LintCache(self._repo_path, self._lint_tools),
            env=env,
            pre_tool_hooks=self._hooks.before_tool,
            post_tool_hooks=self._hooks.after_tool,
            stop_hooks=self._hooks.at_stop,
        )

    def _matchers(self) -> dict[str, list[object]]:
        by_event = {
            "PreToolUse": self._hooks.before_tool,
            "Stop": self._hooks.at_stop,
            "PostToolUse": self._hooks.after_tool,
        }
        return {event: [self._factory.create_hook_matcher(None, hooks)] for event, hooks in by_event.items() if hooks}
