"""The CLI and its tools see the variables that are named, and nothing else of the process that started them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_mala.agent import launch
from pytest_mala.agent.environment import (
    SCRIPTED_API_KEY,
    bundled_cli,
    cli_command_wrapper,
    cli_environment,
)
from pytest_mala.errors import HarnessError, UsageError

# tests of two rooms share the sessions, and tests are no packages
sys.path.insert(0, str(Path(__file__).parents[1] / "model"))

import scripted_cli

# what the CLI itself sets for its tools, and the shell for its children
BY_THE_CLI = {
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_EFFORT",
    "CLAUDE_PID",
    "COREPACK_ENABLE_AUTO_PIN",
    "GIT_EDITOR",
    "NoDefaultCurrentDirectoryInExePath",
}
BY_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}
BY_THE_SDK = {"CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_ENTRYPOINT"}


def environment(**changed: object) -> dict[str, str]:
    values: dict[str, object] = {
        "home": Path("/case/home"),
        "config": Path("/case/config"),
        "tmp": Path("/case/tmp"),
        "base_url": "http://127.0.0.1:1",
        "api_key": SCRIPTED_API_KEY,
        "fixed_git_date": "946684800 +0000",
        "search_path": "/usr/bin:/bin",
    }
    return cli_environment(**{**values, **changed})  # type: ignore[arg-type]


def test_the_scripted_environment_is_this_and_no_more() -> None:
    own = str(Path(sys.executable).parent)
    bash = shutil.which("bash", path=f"{own}:/usr/bin:/bin")
    assert environment() == {
        "ANTHROPIC_API_KEY": "no-key-in-the-scripted-lane",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",
        "CLAUDE_CODE_TMPDIR": "/case/tmp",
        "CLAUDE_CONFIG_DIR": "/case/config",
        "GIT_AUTHOR_DATE": "946684800 +0000",
        "GIT_COMMITTER_DATE": "946684800 +0000",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/case/home",
        "LANG": "C.UTF-8",
        "MCP_TIMEOUT": "300000",
        "PATH": f"{own}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "dumb",
        "TMPDIR": "/case/tmp",
        "TZ": "UTC",
        **({"IS_SANDBOX": "1"} if os.geteuid() == 0 else {}),
        **({"SHELL": bash} if bash else {}),
    }


def test_mcp_servers_get_as_long_as_the_session() -> None:
    assert environment(timeout_seconds=1800.0)["MCP_TIMEOUT"] == "1800000"


def test_the_live_environment_has_no_key_of_ours_and_no_fixed_dates() -> None:
    live = environment(base_url=None, api_key=None, fixed_git_date=None, max_retries=2)
    assert live["CLAUDE_CODE_MAX_RETRIES"] == "2"
    assert not live.keys() & {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"}


def test_the_search_path_starts_with_our_python_and_has_no_relative_entries() -> None:
    own = str(Path(sys.executable).parent)
    assert environment(search_path=f"/usr/bin:.::bin:{own}:/bin")["PATH"] == f"{own}:/usr/bin:/bin"


def test_the_search_path_is_the_callers_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/somewhere")
    assert environment(search_path=None)["PATH"] == f"{Path(sys.executable).parent}:/somewhere"


def test_the_wrapper_keeps_the_named_variables_and_passes_arguments_on(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with 'quotes'"
    folder.mkdir()
    program = folder / "program"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexec env\n')
    program.chmod(0o700)
    command = cli_command_wrapper(folder, names=["HOME", "ABSENT"], cli=program)
    environ = {"HOME": "/h", "SECRET_TOKEN": "canary", "CLAUDE_CODE_ENTRYPOINT": "sdk-py", "PYTHONHOME": "/nowhere"}
    done = subprocess.run(
        [command, "a b", "$x", ""], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    arguments, variables = done.stdout.split("|\n" if "|\n" in done.stdout else "||", 1)
    assert arguments == "a b|$x"
    found = dict(line.split("=", 1) for line in variables.splitlines())
    assert {name: found[name] for name in found.keys() - BY_THE_SHELL} == {
        "HOME": "/h",
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
    }
    assert found["PWD"] == str(tmp_path)


def test_the_wrapper_holds_names_and_no_values(tmp_path: Path) -> None:
    text = cli_command_wrapper(tmp_path, names=environment(), cli=Path("/bin/true")).read_text()
    assert SCRIPTED_API_KEY not in text
    assert "ANTHROPIC_API_KEY" in text


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        cli_command_wrapper(tmp_path, names=["A,B"], cli=Path("/bin/true"))
    assert str(caught.value) == "the agent's environment: expected a variable's name, got 'A,B'"


def test_a_directory_that_is_mounted_noexec_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(HarnessError) as caught:
        cli_command_wrapper(tmp_path, names=["HOME"], cli=Path("/bin/true"))
    assert str(caught.value) == (
        f"{tmp_path}/claude: the command that starts the CLI can't be executed; is the file system mounted noexec? "
        "Set TMPDIR to a directory on another one"
    )


def test_an_sdk_without_a_cli_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(HarnessError) as caught:
        bundled_cli()
    assert str(caught.value) == (
        "the installed claude-agent-sdk carries no CLI for this platform: expected an executable _bundled/claude; "
        "install a wheel of it (python -m pip install --force-reinstall --only-binary :all: claude-agent-sdk)"
    )


def test_the_bundled_cli_is_found_without_importing_the_sdk() -> None:
    code = (
        "import sys; from pytest_mala.agent.environment import bundled_cli; print(bundled_cli()); "
        "sys.exit('claude_agent_sdk' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(launch.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("/claude_agent_sdk/_bundled/claude")


def test_only_named_variables_are_kept() -> None:
    environ = {"HOME": "/h", "SECRET": "x", "PWD": "/elsewhere"}
    assert launch.kept(environ, ["HOME", "LANG"], "/work") == {"HOME": "/h", "PWD": "/work"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_launcher_whose_parent_is_gone_starts_nothing() -> None:
    command = [sys.executable, "-I", "-S", launch.__file__, "1", "PATH", "/bin/echo", "started"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", "pytest-mala: process 1, which started the CLI, is gone\n")


@pytest.mark.cli
def test_the_tools_of_the_real_cli_see_only_what_is_named(tmp_path: Path) -> None:
    canaries = {
        "SECRET_TOKEN": "canary-1",
        "ANTHROPIC_AUTH_TOKEN": "canary-2",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "canary-3",
        "CLAUDE_CODE_ENTRYPOINT": "canary-4",
        "GIT_DIR": "/canary-5",
        "TRACEPARENT": "canary-6",
        "PYTHONDONTWRITEBYTECODE": "canary-7",
        "BASH_ENV": "/canary-8",
        "PWD": "/canary-9",
    }
    seen = scripted_cli.run("environment", tmp_path, **canaries)
    assert seen["problems"] == []
    assert "canary" not in str(seen["env"]) + str(seen["turns"])
    assert seen["env"].keys() - BY_THE_CLI - BY_THE_SHELL - BY_THE_SDK - {"ANTHROPIC_BASE_URL"} <= seen["named"].keys()
    assert {name: seen["env"][name] for name in ("HOME", "PATH", "TMPDIR", "TZ", "SHELL")} == {
        name: seen["named"][name] for name in ("HOME", "PATH", "TMPDIR", "TZ", "SHELL")
    }
    assert seen["python"] == str(Path(sys.executable).with_name("python"))
    assert seen["date"] == f"{scripted_cli.GIT_DATE}\n{scripted_cli.GIT_DATE}"
    assert seen["group"] == seen["pid"]


@pytest.mark.cli
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_killed_run_leaves_neither_cli_nor_tools(tmp_path: Path) -> None:
    child = scripted_cli.start("orphan", tmp_path)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    left = [int(pid) for pid in (tmp_path / "workspace" / "pids.txt").read_text().split()]
    assert len(left) == 2
    deadline = time.monotonic() + 15
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if is_running(pid)]
        subprocess.run(["sleep", "0.1"], check=True)
    assert left == []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
