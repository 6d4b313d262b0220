"""The options with which an application's CLI is started in lane scripted: its own, on an environment of the lane."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.agent.environment import SCRIPTED_API_KEY, cli_command_wrapper, cli_environment
from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.case.stage import Stage

__all__ = ["on_stage", "plain"]

_NOT_PASSED_ON: Final = re.compile(r"ANTHROPIC_|CLAUDE|AWS_|GOOGLE_|.*PROXY", re.IGNORECASE)
"""Variables by which the CLI could find another address, another key or another configuration."""

_GIT_DATE: Final = "1767225600 +0000"


def plain(options: Any) -> Any:
    """The options as the application gave them: the SDK has marked those with a permission callback before it builds
    its transport, and ours marks them again.
    """
    if options.can_use_tool is not None and options.permission_prompt_tool_name == "stdio":
        return dataclasses.replace(options, permission_prompt_tool_name=None)
    return options


def on_stage(options: Any, stage: Stage, base_url: str) -> Any:
    """The same options for the CLI that the SDK carries, with the made environment of design D18.

    The application's own variables (`env`) are passed on, but for those that lead elsewhere. Raises UsageError for a
    session that is resumed from a store: the SDK would put it where this CLI does not look.
    """
    if options.session_store is not None and (options.resume or options.continue_conversation):
        raise UsageError(
            "mala_cassette: lane scripted can't resume a session from a `session_store`, because the CLI has "
            "a configuration folder of its own there: resume without the store, or begin a new session"
        )
    environment = {**_passed_on(options.env), **_made(stage, base_url)}
    cli = cli_command_wrapper(stage.root, names=environment)
    return dataclasses.replace(options, env=environment, cli_path=cli)


def _passed_on(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not _NOT_PASSED_ON.match(name)}


def _made(stage: Stage, base_url: str) -> dict[str, str]:
    return cli_environment(
        home=stage.home,
        config=stage.config,
        tmp=stage.tmp,
        base_url=base_url,
        api_key=SCRIPTED_API_KEY,
        fixed_git_date=_GIT_DATE,
    )
