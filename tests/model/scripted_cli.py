"""Sessions of the real CLI against the scripted model: `run("edits", tmp_path)` tells what one saw.

Each runs in a child process that prints JSON, and where the system can do that without any network but loopback.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

GIT_DATE = "946684800 +0000"
SECONDS = 90


# --- in the test's process ---------------------------------------------------------------------------------------


@functools.cache
def namespace() -> list[str]:
    """The command that starts a program with loopback as its only network, or nothing where that can't be had."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False, timeout=10)
    return command if tried.returncode == 0 else []


def start(name: str, root: Path, **environ: str) -> subprocess.Popen[str]:
    """Start a session in a child process."""
    isolated = namespace()
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [*isolated, sys.executable, __file__, name, str(root), "isolated" if isolated else "open"],
        env={**os.environ, "PYTHONPATH": path, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(name: str, root: Path, **environ: str) -> dict:
    """What the session saw."""
    child = start(name, root, **environ)
    try:
        out, err = child.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        raise AssertionError(f"{name} did not end within {SECONDS} s\n{out}\n{err}") from None
    assert child.returncode == 0, f"{out}\n{err}"
    return json.loads(out)


# --- in the child ------------------------------------------------------------------------------------------------


def raise_loopback() -> None:
    """A new network namespace has its loopback interface down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", flags | 1))


def reaches_others() -> bool:
    """Whether there is a way to another host; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect(("192.0.2.1", 9))
        except OSError:
            return False
    return True


class Place:
    """The directories of one session, and its environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("workspace", "home", "config", "tmp", "command"):
            (root / name).mkdir(parents=True)
        self.workspace = root / "workspace"
        git = ["git", "-C", str(self.workspace), "-c", "user.name=A", "-c", "user.email=a@example.org"]
        (self.workspace / "greeting.txt").write_text("hello\n")
        plain = {"PATH": os.environ["PATH"], "HOME": str(root / "home")}
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "base"]):
            subprocess.run([*git, *arguments], env=plain, check=True)
        self.stderr: list[str] = []

    def script(self, text: str):
        from pytest_mala.model import load_script

        path = self.root / "case.model.yaml"
        path.write_text(text)
        return load_script(path)

    def options(self, url: str, **more):
        from claude_agent_sdk import ClaudeAgentOptions

        from pytest_mala.agent.environment import SCRIPTED_API_KEY, cli_command_wrapper, cli_environment

        env = cli_environment(
            home=self.root / "home",
            config=self.root / "config",
            tmp=self.root / "tmp",
            base_url=url,
            api_key=SCRIPTED_API_KEY,
            fixed_git_date=GIT_DATE,
        )
        return ClaudeAgentOptions(
            cwd=self.workspace,
            env=env,
            cli_path=cli_command_wrapper(self.root / "command", names=env),
            permission_mode="bypassPermissions",
            model="sonnet",
            setting_sources=[],
            stderr=self.stderr.append,
            **more,
        )


async def turn(client, prompt: str, *, interrupt: bool = False) -> list[dict]:
    """Send a prompt and collect the messages up to the result."""
    await client.query(prompt)
    seen: list[dict] = []
    async for message in client.receive_response():
        seen.append({"is": type(message).__name__, **asdict(message)})
        if interrupt and seen[-1]["is"] == "StreamEvent" and "text_delta" in json.dumps(seen[-1]):
            interrupt = False
            await client.interrupt()
    return seen


async def session(place: Place, script: str, *prompts: str, names: dict | None = None, interrupt: int = 0, **more):
    """One connection with a turn per prompt; turn number `interrupt` is interrupted after its first text."""
    from claude_agent_sdk import ClaudeSDKClient

    from pytest_mala.model import serve

    with serve(place.script(script), names or {"WORKSPACE": str(place.workspace)}) as server:
        async with ClaudeSDKClient(place.options(server.url, **more)) as client:
            turns = [
                await turn(client, prompt, interrupt=number == interrupt) for number, prompt in enumerate(prompts, 1)
            ]
        return {"turns": turns, "stderr": place.stderr, **told(server)}


def told(server) -> dict:
    return {
        "asked": [[request.kind.value, request.method, request.path, request.prompt] for request in server.requests],
        "problems": list(server.problems),
        "unused": server.unused,
    }


async def edits(place: Place) -> dict:
    script = """
answers:
  - say: I look first.
    tools:
      - {name: Bash, input: {command: cat greeting.txt, description: Show the file}}
      - {name: Read, input: {file_path: "${WORKSPACE}/greeting.txt"}}
    expect: {prompt_contains: greet, model: sonnet}
  - think: It says hello. It should say bye.
    tool: {name: Edit, input: {file_path: "${WORKSPACE}/greeting.txt", old_string: hello, new_string: bye}}
    expect: {last_tool_result_contains: hello}
  - tool: {name: Bash, input: {command: "cat greeting.txt > copy.txt && ls", description: Copy it}}
  - either:
      - when: {last_tool_result_contains: no such thing}
        say: The copy is missing.
      - when: {last_tool_result_contains: [copy.txt, greeting.txt]}
        say: Done.
"""
    seen = await session(place, script, "please greet differently")
    return {**seen, "files": {path.name: path.read_text() for path in place.workspace.glob("*.txt")}}


async def overloaded(place: Place) -> dict:
    return await session(place, "answers: [{fail: {status: 529, times: 2}}, {say: Here I am.}]", "are you there?")


async def stalls(place: Place) -> dict:
    script = "answers: [{say: I think about it, stall: after-text}, {say: Something new.}]"
    return await session(place, script, "first", "second", interrupt=1, include_partial_messages=True)


async def usage(place: Place) -> dict:
    script = """
answers:
  - tool: {name: Bash, input: {command: "true", description: Nothing}}
    usage: {input: 1000, cache_read: 20000, cache_creation: 300, output: 40}
  - say: Done.
    usage: {input: 5, cache_read: 90000, output: 6}
"""
    return await session(place, script, "count")


async def unmet(place: Place) -> dict:
    return await session(place, "answers:\n  - say: Yes.\n    expect: {prompt_contains: a word}\n", "nothing of it")


async def exhausted(place: Place) -> dict:
    return await session(place, "answers: [{say: Once.}]", "one", "two")


async def resumes(place: Place) -> dict:
    """Two connections on one script: the second resumes the session of the first."""
    from claude_agent_sdk import ClaudeSDKClient

    from pytest_mala.model import serve

    script = "answers: [{say: First.}, {say: Second., expect: {request_contains: [remember this, First.]}}]"
    with serve(place.script(script), {}) as server:
        options = place.options(server.url)
        async with ClaudeSDKClient(options) as client:
            first = await turn(client, "remember this")
        async with ClaudeSDKClient(replace(options, resume=first[-1]["session_id"])) as client:
            second = await turn(client, "what was it?")
        return {"turns": [first, second], **told(server)}


async def environment(place: Place) -> dict:
    """What a tool sees of the environment."""
    command = (
        "env -0 > env.bin; command -v python > python.txt; git -c user.name=A -c user.email=a@example.org "
        "commit -q --allow-empty -m x && git log -1 --format=%ad%n%cd --date=raw > date.txt; "
        "ps -o pgid= -p $CLAUDE_PID > group.txt; echo $CLAUDE_PID > pid.txt"
    )
    tool = json.dumps({"name": "Bash", "input": {"command": command, "description": "Look"}})
    seen = await session(place, f"answers:\n  - tool: {tool}\n  - say: Done.\n", "look")
    files = {path.stem: path.read_text().strip() for path in place.workspace.glob("*.txt")}
    pairs = (place.workspace / "env.bin").read_text().split("\0")
    options = place.options("unused")
    return {**seen, **files, "env": dict(p.split("=", 1) for p in pairs if p), "named": options.env}


async def orphan(place: Place) -> dict:
    """This process kills itself while the CLI runs a tool."""
    command = "echo $CLAUDE_PID $$ > pids.tmp && mv pids.tmp pids.txt && sleep 300"
    tool = json.dumps({"name": "Bash", "input": {"command": command, "description": "Sleep"}})

    def kill_when_it_runs() -> None:
        while not (place.workspace / "pids.txt").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill_when_it_runs, daemon=True).start()
    return await session(place, f"answers:\n  - tool: {tool}\n  - say: Done.\n", "sleep")


if __name__ == "__main__":
    name, root, network = sys.argv[1:]
    if network == "isolated":
        raise_loopback()
        assert not reaches_others()
    print(json.dumps(asyncio.run(globals()[name](Place(Path(root)))), default=str))
