"""The runtime builder: its shape (session:1.9), environment and hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.agent.runtime import AgentRuntime, AgentRuntimeBuilder, lock_dir

if TYPE_CHECKING:
    from pathlib import Path


class Factory:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def create_options(self, **options: Any) -> object:
        self.asked.append(options)
        return options

    def create_hook_matcher(self, matcher: object | None, hooks: list[object]) -> object:
        return ("matcher", matcher, hooks)


def builder(tmp_path: Path, factory: Factory) -> AgentRuntimeBuilder:
    return AgentRuntimeBuilder(tmp_path, "a1", factory)


def test_a_bare_build_asks_for_exactly_the_five_options(tmp_path: Path) -> None:
    factory = Factory()
    runtime = builder(tmp_path, factory).build()
    assert isinstance(runtime, AgentRuntime)
    assert factory.asked == [
        {"cwd": str(tmp_path), "mcp_servers": None, "disallowed_tools": None, "env": runtime.env, "hooks": {}}
    ]
    assert runtime.options is factory.asked[0] or runtime.options == factory.asked[0]
    assert (runtime.pre_tool_hooks, runtime.post_tool_hooks, runtime.stop_hooks) == ([], [], [])


def test_every_step_returns_the_builder(tmp_path: Path) -> None:
    made = builder(tmp_path, Factory())
    assert made.with_hooks() is made
    assert made.with_env() is made
    assert made.with_mcp() is made
    assert made.with_disallowed_tools() is made
    assert made.with_lint_tools() is made


def test_the_defaults_of_the_steps(tmp_path: Path) -> None:
    factory = Factory()
    builder(tmp_path, factory).with_mcp().with_disallowed_tools().build()
    assert (factory.asked[0]["mcp_servers"], factory.asked[0]["disallowed_tools"]) == ({}, ["TodoWrite"])


def test_given_values_are_passed_on(tmp_path: Path) -> None:
    factory = Factory()
    servers = {"calc": object()}
    runtime = (
        builder(tmp_path, factory)
        .with_mcp(servers)
        .with_disallowed_tools(["WebFetch"])
        .with_lint_tools({"MyLint"})
        .with_hooks(deadlock_monitor=None, include_stop_hook=False, include_mala_disallowed_tools_hook=False)
        .build()
    )
    assert factory.asked[0]["mcp_servers"] is servers
    assert factory.asked[0]["disallowed_tools"] == ["WebFetch"]
    assert (runtime.lint_cache.lint_tools, runtime.lint_cache.repo_path) == ({"mylint"}, tmp_path)


def test_the_callers_hooks_are_passed_on_by_event(tmp_path: Path) -> None:
    factory = Factory()
    before, after, stop = object(), object(), object()
    runtime = builder(tmp_path, factory).with_hooks(before_tool=[before], after_tool=[after], at_stop=[stop]).build()
    assert factory.asked[0]["hooks"] == {
        "PreToolUse": [("matcher", None, [before])],
        "Stop": [("matcher", None, [stop])],
        "PostToolUse": [("matcher", None, [after])],
    }
    assert (runtime.pre_tool_hooks, runtime.post_tool_hooks, runtime.stop_hooks) == ([before], [after], [stop])


def test_the_environment_names_the_agent_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALA_LOCK_DIR", "/locks")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    runtime = builder(tmp_path, Factory()).with_env({"MORE": "1", "AGENT_ID": "mine"}).build()
    assert runtime.env == {
        "LOCK_DIR": "/locks",
        "AGENT_ID": "mine",
        "REPO_NAMESPACE": str(tmp_path),
        "MCP_TIMEOUT": "300000",
        "MORE": "1",
    }


@pytest.mark.parametrize(("timeout", "milliseconds"), [(None, "300000"), (60, "300000"), (1800, "1800000")])
def test_b11_mcp_servers_get_as_long_as_the_session(tmp_path: Path, timeout: float | None, milliseconds: str) -> None:
    runtime = builder(tmp_path, Factory()).with_env(timeout_seconds=timeout).build()
    assert runtime.env["MCP_TIMEOUT"] == milliseconds


def test_the_lock_folder_is_in_the_temporary_directory_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALA_LOCK_DIR", raising=False)
    assert lock_dir().name == "mala-locks"
