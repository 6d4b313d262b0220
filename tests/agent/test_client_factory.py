"""The factory for whoever drives the runner himself: real clients, no tape."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala import (
    AgentSessionConfig,
    AgentSessionInput,
    AgentSessionRunner,
    EndReason,
    GateResult,
    SDKClientFactory,
    SessionCallbacks,
    SessionPrompts,
)
from pytest_mala.agent.environment import SCRIPTED_API_KEY, cli_command_wrapper, cli_environment
from pytest_mala.model import load_script, serve
from pytest_mala.session.log import log_path

if TYPE_CHECKING:
    from pathlib import Path


def test_options_are_the_runner_s_and_the_environment_the_caller_s(tmp_path: Path) -> None:
    options: Any = SDKClientFactory().create_options(cwd=str(tmp_path), model="sonnet", env={"A": "1"})
    assert (options.cwd, options.model, options.env) == (str(tmp_path), "sonnet", {"A": "1"})
    assert options.setting_sources == ["project"]
    assert SDKClientFactory().create_options(cwd="/").env == {}  # type: ignore[attr-defined]


@pytest.mark.cli
def test_a_session_is_driven_by_hand(tmp_path: Path) -> None:
    """The runner with the real CLI on a scripted model, and nothing of ours around it."""
    for name in ("workspace", "home", "config", "tmp"):
        (tmp_path / name).mkdir()
    script = tmp_path / "x-1.model.yaml"
    script.write_text(
        "answers:\n- tool: {name: Bash, input: {command: echo hello > made.txt, description: Make}}\n- say: Made.\n"
    )

    async def session(url: str) -> Any:
        environment = cli_environment(
            home=tmp_path / "home",
            config=tmp_path / "config",
            tmp=tmp_path / "tmp",
            base_url=url,
            api_key=SCRIPTED_API_KEY,
            fixed_git_date=None,
        )

        class Factory(SDKClientFactory):
            def create_options(self, **asked: Any) -> object:
                options = super().create_options(**{**asked, "env": environment})
                return dataclasses.replace(options, cli_path=cli_command_wrapper(tmp_path, names=environment))  # type: ignore[type-var]

        async def gate(issue_id: str, path: Path, retry_state: object) -> tuple[GateResult, int]:
            return GateResult(passed=(tmp_path / "workspace" / "made.txt").read_text() == "hello\n"), 0

        runner = AgentSessionRunner(
            AgentSessionConfig(
                repo_path=tmp_path / "workspace",
                timeout_seconds=60,
                prompts=SessionPrompts(gate_followup="", review_followup="", idle_resume="Go on."),
                review_enabled=False,
            ),
            Factory(),
            SessionCallbacks(
                on_gate_check=gate,
                get_log_path=lambda name: log_path(tmp_path / "config", tmp_path / "workspace", name),
            ),
        )
        return await runner.run_session(AgentSessionInput(issue_id="x-1", prompt="Make it."))

    with serve(load_script(script), {}) as server:
        output = asyncio.run(session(server.url))
    assert (output.success, output.reason, output.summary) == (True, EndReason.PASSED, "Made.")
