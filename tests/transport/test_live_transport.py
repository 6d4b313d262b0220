"""The transport to a real CLI, proven with a small program in its place."""

from __future__ import annotations

import os
import resource
import select
import signal
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.transport.live import CLITransport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio

SAYS_ITS_ARGUMENTS = """\
import json, sys
print(json.dumps({"type": "arguments", "all": sys.argv[1:]}), flush=True)
sys.stdin.read()
"""

LEADS_A_GROUP = """\
import json, os, signal, subprocess, sys, time
os.setsid()
door = os.open(DOOR, os.O_WRONLY)
tool = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
tool = [sys.executable, "-ISc", tool]
tool = subprocess.Popen(tool, stdout=subprocess.PIPE, pass_fds=[door], start_new_session=IS_OBEDIENT)
tool.stdout.readline()

def end(*_):
    time.sleep(0.1)
    tool.kill()
    os.write(door, b"ended its tool")
    os._exit(0)

signal.signal(signal.SIGTERM, end if IS_OBEDIENT else signal.SIG_IGN)
print(json.dumps({"type": "started", "pids": [os.getpid(), tool.pid]}), flush=True)
while True:
    signal.pause()
"""
"""Says that it lives through a named pipe, which is at its end when the program and its tool are gone."""


def program(folder: Path, source: str) -> Path:
    path = folder / "cli"
    path.write_text(f"#!{sys.executable} -IS\n{source}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def transport(path: Path, **more: Any) -> CLITransport:
    from claude_agent_sdk import ClaudeAgentOptions

    return CLITransport(ClaudeAgentOptions(cli_path=path, **more))


async def first_frame(cli: CLITransport) -> dict[str, Any]:
    frames = cli.read_messages()
    try:
        return await anext(frames)
    finally:
        await frames.aclose()  # type: ignore[attr-defined]


async def allow(*_: Any) -> Any:
    raise AssertionError("the program never asks")


@pytest.mark.parametrize("asks", [True, False])
async def test_a_permission_callback_is_made_known_to_the_cli(tmp_path: Path, asks: bool) -> None:
    """The SDK does so only for a transport of its own making (sdk.md 1.1)."""
    cli = transport(program(tmp_path, SAYS_ITS_ARGUMENTS), can_use_tool=allow if asks else None)
    await cli.connect()
    try:
        arguments = (await first_frame(cli))["all"]
    finally:
        await cli.close()
    assert (["--permission-prompt-tool", "stdio"] in [arguments[n : n + 2] for n in range(len(arguments))]) is asks


def said_until_the_end(door: int) -> bytes:
    """What came through the pipe before all who held it were gone."""
    said = b""
    while select.select([door], [], [], 10)[0]:
        more = os.read(door, 1000)
        if not more:
            return said
        said += more
    pytest.fail("10 s later somebody still lives")


@pytest.mark.parametrize(
    ("is_obedient", "said"),
    [
        pytest.param(
            True,
            b"ended its tool",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="nothing tells elsewhere that a child has ended"),
        ),
        (False, b""),
    ],
)
async def test_ending_it_ends_its_group_and_lets_it_end_its_tools(
    tmp_path: Path, is_obedient: bool, said: bytes
) -> None:
    """A CLI that listens ends tools in groups of their own; one that doesn't is killed with what is in its group."""
    path = tmp_path / "alive"
    os.mkfifo(path)
    door = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    source = LEADS_A_GROUP.replace("DOOR", repr(str(path))).replace("IS_OBEDIENT", str(is_obedient))
    cli, pids = transport(program(tmp_path, source)), []
    try:
        await cli.connect()
        pids = (await first_frame(cli))["pids"]
        cli.terminate()
        assert said_until_the_end(door) == said
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await cli.close()
        os.close(door)
    cli.terminate()  # there is nothing to end any more


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is waited for")
async def test_it_is_ended_also_where_many_files_are_open(tmp_path: Path) -> None:
    """`select` can't look at a descriptor above 1,023."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    cli = transport(program(tmp_path, "import os\nos.setsid()\n" + SAYS_ITS_ARGUMENTS))
    await cli.connect()
    await first_frame(cli)
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        cli.terminate()
        with pytest.raises(Exception, match="exit code"):
            async for _ in cli.read_messages():
                pass
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await cli.close()


async def test_there_is_nothing_to_end_before_it_is_connected(tmp_path: Path) -> None:
    transport(program(tmp_path, SAYS_ITS_ARGUMENTS)).terminate()
