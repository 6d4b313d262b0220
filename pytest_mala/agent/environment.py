"""The environment of the CLI and its tools: every variable is named here, and nothing else of ours reaches them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mala.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SCRIPTED_API_KEY", "bundled_cli", "cli_command_wrapper", "cli_environment", "mcp_milliseconds"]

SCRIPTED_API_KEY = "no-key-in-the-scripted-lane"
"""The CLI does not start without a key; this one opens nothing, and has no shape that a scan for secrets knows."""

_SDK_NAMES = ("CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_ENTRYPOINT")
"""The SDK always sets these itself, whatever its caller's environment says (session:subprocess_cli.connect)."""

_MCP_SECONDS = 300

_LAUNCH = Path(__file__).with_name("launch.py")


def cli_environment(
    *,
    home: Path,
    config: Path,
    tmp: Path,
    base_url: str | None,
    api_key: str | None,
    fixed_git_date: str | None,
    timeout_seconds: float | None = None,
    max_retries: int | None = None,
    search_path: str | None = None,
) -> dict[str, str]:
    """All variables of the CLI (design D18), for `ClaudeAgentOptions.env` and `cli_command_wrapper(names=...)`.

    `home`, `config` and `tmp` are directories of this session. `base_url` and `api_key` are None where the caller
    adds his own. `fixed_git_date` (as "946684800 +0000") is for the scripted lane: two recordings then have equal
    commit ids. `timeout_seconds` is the session's. `search_path` is the caller's PATH if None.
    """
    path = agent_search_path(os.environ.get("PATH", os.defpath) if search_path is None else search_path)
    optional = {
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": api_key,
        "MCP_TIMEOUT": mcp_milliseconds(timeout_seconds),
        "CLAUDE_CODE_MAX_RETRIES": None if max_retries is None else str(max_retries),
        "GIT_AUTHOR_DATE": fixed_git_date,
        "GIT_COMMITTER_DATE": fixed_git_date,
        # as root the CLI refuses to bypass permissions unless it is told that somebody else sees to safety
        "IS_SANDBOX": "1" if os.geteuid() == 0 else None,
        # without it the CLI takes the user's own shell, which may be another one on each machine
        "SHELL": shutil.which("bash", path=path),
    }
    return {
        "PATH": path,
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "CLAUDE_CONFIG_DIR": str(config),
        "CLAUDE_CODE_TMPDIR": str(tmp),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
        # the SDK sets it unless its caller has it; named, so that the caller's value can't get in
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",
        **{name: value for name, value in optional.items() if value is not None},
    }


def mcp_milliseconds(timeout_seconds: float | None) -> str:
    """What MCP servers have for an answer: as long as the session, and five minutes at least (session:B11)."""
    return str(int(max(_MCP_SECONDS, timeout_seconds or 0) * 1000))


def agent_search_path(inherited: str) -> str:
    """PATH with the directory of our own interpreter first: the agent's and the checks' `python` are the same.

    Relative entries are left out: they would mean the workspace.
    """
    own = str(Path(sys.executable).parent)
    others = [entry for entry in inherited.split(os.pathsep) if Path(entry).is_absolute() and entry != own]
    return os.pathsep.join([own, *others])


def bundled_cli() -> Path:
    """The CLI that the wheel of claude-agent-sdk carries, found without importing the SDK."""
    spec = find_spec("claude_agent_sdk")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        cli = Path(folder) / "_bundled" / "claude"
        if os.access(cli, os.X_OK):
            return cli
    raise HarnessError(
        "the installed claude-agent-sdk carries no CLI for this platform: expected an executable _bundled/claude; "
        "install a wheel of it (python -m pip install --force-reinstall --only-binary :all: claude-agent-sdk)"
    )


def cli_command_wrapper(directory: Path, *, names: Iterable[str], cli: Path | None = None) -> Path:
    """Write a command for `ClaudeAgentOptions.cli_path` that starts the CLI with the named variables only.

    The SDK gives the CLI its own process's environment with `options.env` on top, and can unset nothing. The command
    stands between: it keeps `names` and what the SDK adds, and drops the rest before the CLI starts. It holds names and
    no values, so no key is written to disk. The CLI also dies with the process that called this function (Linux), and
    leads a process group of its own. `cli` is the one of the installed SDK if None.
    """
    kept = sorted({*names, *_SDK_NAMES})
    for name in kept:
        if not name.isidentifier() or not name.isascii():
            raise UsageError(f"the agent's environment: expected a variable's name, got {name!r}")
    words = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), ",".join(kept), str(cli or bundled_cli())]
    command = directory / "claude"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    command.chmod(0o700)
    if not os.access(command, os.X_OK):
        raise HarnessError(
            f"{command}: the command that starts the CLI can't be executed; is the file system mounted noexec? "
            "Set TMPDIR to a directory on another one"
        )
    return command
