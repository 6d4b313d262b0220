"""An application on the real CLI against a scripted model: recorded, replayed elsewhere, and cut short."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest
from samples import PYTEST, environment

from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.cli

APP = """\
import asyncio
import os

from claude_agent_sdk import (
    ClaudeAgentOptions, ClaudeSDKClient, HookMatcher, ResultMessage, create_sdk_mcp_server, query, tool
)

seen, errors = [], []


async def look(call, tool_use_id, context):
    seen.append(call["tool_name"])
    return {}


@tool("add", "Adds two numbers.", {"a": int, "b": int})
async def add(given):
    return {"content": [{"type": "text", "text": str(given["a"] + given["b"])}]}


def options(**more):
    return ClaudeAgentOptions(
        model="sonnet", permission_mode="bypassPermissions", setting_sources=[],
        hooks={"PreToolUse": [HookMatcher(hooks=[look])]},
        mcp_servers={"calc": create_sdk_mcp_server("calc", tools=[add])},
        stderr=errors.append, **more,
    )


async def ask(prompt, **more):
    async for message in query(prompt=prompt, options=options(**more)):
        if isinstance(message, ResultMessage):
            answer = message.result
    return answer


async def both(*prompts):
    return await asyncio.gather(*map(ask, prompts))


async def chat(*prompts, before_result=lambda: None):
    answers = []
    async with ClaudeSDKClient(options()) as client:
        for one in prompts:
            await client.query(one)
            async for message in client.receive_response():
                before_result()
                if isinstance(message, ResultMessage):
                    answers.append(message.result)
    return answers
"""
HEAD = "import asyncio\nimport app\nimport os\nimport pytest\n\n"
RECORD = ("--mala-lane=scripted", "--mala-record=all")


class Recorded:
    """A project with the application; `run` starts pytest there as a process of its own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = project.path
        project.write("conftest.py", "")
        project.write("app.py", APP)
        project.ini('pythonpath = ["."]')
        (self.root / "scratch").mkdir()

    def tests(self, text: str) -> None:
        self.project.write("tests/test_app.py", HEAD + textwrap.dedent(text))

    def script(self, name: str, text: str) -> None:
        self.project.write(f"tests/{name}.model.yaml", textwrap.dedent(text))

    @property
    def cassettes(self) -> Path:
        return self.root / "cassettes" / "applications"

    def run(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTEST, "tests", *args],
            cwd=self.root,
            env={**environment(self.root / "scratch"), "COLUMNS": "200", **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture
def recorded(project: Project) -> Recorded:
    return Recorded(project)


def ended(done: subprocess.CompletedProcess[str], status: int = 0) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_tools_hooks_and_servers_are_recorded_and_replayed_elsewhere(recorded: Recorded, tmp_path: Path) -> None:
    recorded.tests("""
        @pytest.mark.asyncio
        @pytest.mark.mala_cassette
        async def test_it(tmp_path, mala_cassette):
            app.seen.clear()
            env = {"MY_NAME": "Ada", "ANTHROPIC_BASE_URL": "http://192.0.2.1", "HTTPS_PROXY": "http://192.0.2.1"}
            assert await app.ask(f"Add 2 and 3 in {tmp_path}", cwd=tmp_path, env=env) == "It is 5."
            assert app.seen == ["mcp__calc__add", "Bash"]
            assert [one.name for one in mala_cassette.tools] == app.seen
            told = mala_cassette.tools[1].result.splitlines()
            assert told == ["Ada", str(tmp_path), "no proxy"]
    """)
    recorded.script(
        "tests-test_app-test_it",
        """
        answers:
          - tool: {name: mcp__calc__add, input: {a: 2, b: 3}}
            expect: {prompt_contains: Add 2}
          - tool: {name: Bash, input: {command: "echo $MY_NAME; pwd; printenv HTTPS_PROXY || echo no proxy"}}
            expect: {last_tool_result_contains: "5"}
          - say: It is 5.
            expect: {last_tool_result_contains: "${WORKSPACE}"}
        """,
    )
    out = ended(recorded.run(*RECORD))
    assert "cassettes written: cassettes/applications/tests-test_app-test_it.yaml" in out
    text = (recorded.cassettes / "tests-test_app-test_it.yaml").read_text(encoding="utf-8")
    for path in (str(recorded.root), str(recorded.root / "scratch"), "/mala-"):
        assert path not in text
    assert "${TMP_PATH}" in text
    moved = tmp_path / "elsewhere"
    recorded.root.rename(moved)
    recorded.root = moved
    # no CLI: it would not be found, and no model answers
    out = ended(recorded.run("-p", "no:cacheprovider"))
    assert "1 passed" in out


def test_connections_side_by_side(recorded: Recorded) -> None:
    recorded.tests("""
        @pytest.mark.mala_cassette("both")
        def test_it():
            assert asyncio.run(app.both("What is A?", "What is B?")) == ["It is A.", "It is B."]
    """)
    recorded.script(
        "both",
        """
        answers:
          - either:
              - {when: {prompt_contains: What is A}, say: It is A.}
              - {when: {prompt_contains: What is B}, say: It is B.}
            repeat: 2
        """,
    )
    ended(recorded.run(*RECORD))
    assert [one.method for one in read(recorded.cassettes / "both.yaml").takes[0].interactions][:2] == ["CONNECT"] * 2
    assert "1 passed" in ended(recorded.run())


def test_record_modes(recorded: Recorded) -> None:
    recorded.tests("""
        @pytest.mark.mala_cassette("chat")
        def test_it():
            assert asyncio.run(app.chat("one", os.environ["SECOND"])) == ["First.", "Second."]
    """)
    recorded.script("chat", "answers: [{say: First.}, {say: Second.}, {say: Third.}]")
    path = recorded.cassettes / "chat.yaml"
    out = ended(recorded.run("--mala-lane=scripted", SECOND="two"))
    assert not path.exists()
    assert "note: cassettes/applications/chat.yaml: chat.model.yaml: 1 answer was never asked for" in out
    out = ended(recorded.run("--mala-lane=scripted", "--mala-record=once", SECOND="two"))
    assert "cassettes written: cassettes/applications/chat.yaml" in out
    first = path.read_bytes()
    out = ended(recorded.run("--mala-lane=scripted", "--mala-record=once", SECOND="two"))
    assert "cassettes replayed as they are: cassettes/applications/chat.yaml" in out
    # in its middle a test can't begin anew: the message says how
    out = ended(recorded.run("--mala-lane=scripted", "--mala-record=stale", SECOND="2"), 1)
    assert "fresh up to turn 1 of 2" in out
    assert "record it with: pytest tests/test_app.py::test_it --mala-lane=scripted --mala-record=all" in out
    assert path.read_bytes() == first
    path.write_bytes(first[:-20])
    out = ended(recorded.run("--mala-lane=scripted", "--mala-record=stale", SECOND="two"))
    assert "cassettes renewed: cassettes/applications/chat.yaml" in out
    assert list(recorded.cassettes.iterdir()) == [path]


def test_what_is_not_stored(recorded: Recorded) -> None:
    recorded.tests("""
        def fail():
            raise AssertionError("in the middle")

        @pytest.mark.mala_cassette("cut")
        def test_in_a_turn():
            asyncio.run(app.chat("one", before_result=fail))

        @pytest.mark.mala_cassette("wrong")
        def test_after_a_turn():
            assert asyncio.run(app.chat("one")) == ["Second."]

        @pytest.mark.mala_cassette("wrong")
        def test_the_same_again():
            asyncio.run(app.chat("one"))

        @pytest.mark.mala_cassette("nothing")
        def test_nothing():
            pass

        @pytest.mark.mala_cassette("more")
        def test_more_than_the_script_has():
            asyncio.run(app.chat("one", "two"))
    """)
    for name in ("wrong", "nothing", "more"):
        recorded.script(name, "answers: [{say: First.}]")
    recorded.script("cut", "answers: [{say: First., stall: after-text}]")
    out = ended(recorded.run(*RECORD), 1)
    names = sorted(path.name.partition(".")[0] for path in recorded.cassettes.iterdir())
    assert names == ["cut", "more", "wrong"]
    assert (recorded.cassettes / "wrong.yaml").exists()  # a failed assertion is judged again on replay
    assert "note: cassettes/applications/cut.yaml: not stored, the test failed in the middle of a turn; see " in out
    assert (
        "cassettes/applications/wrong.yaml was recorded by tests/test_app.py::test_after_a_turn in this run already: "
        "give each test a name of its own, or record with --mala-record=once" in out
    )
    assert (
        "cassettes/applications/nothing.yaml: not written: the test opened no connection of the SDK, there is nothing "
        "to record; take the cassette away from it" in out
    )
    assert "; what was recorded is in cassettes/applications/more.yaml." in out


def test_a_killed_recording_is_recovered(recorded: Recorded) -> None:
    recorded.tests("""
        def stop():
            if os.path.exists("wait"):
                os.write(int(os.environ["DOOR"]), b"x")
                __import__("time").sleep(60)

        @pytest.mark.mala_cassette("killed")
        def test_it():
            assert asyncio.run(app.chat("one", before_result=stop)) == ["First."]
    """)
    recorded.script("killed", "answers: [{say: First.}]")
    (recorded.root / "wait").touch()
    inside, outside = os.pipe()
    child = subprocess.Popen(
        [*PYTEST, "tests", *RECORD],
        cwd=recorded.root,
        env={**environment(recorded.root / "scratch"), "DOOR": str(outside)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[outside],
    )
    os.close(outside)
    with os.fdopen(inside, "rb") as door:
        assert door.read(1) == b"x"  # nothing comes from a child that ended before
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (part,) = recorded.cassettes.iterdir()
    (recorded.root / "wait").unlink()
    command = [*PYTEST[:2], "pytest_mala.cli", "cassette"]
    done = subprocess.run([*command, "recover", part], capture_output=True, text=True, check=False)
    assert "marked incomplete" in ended(done)
    assert "recording was cut short" in recorded.run().stdout
    done = subprocess.run([*command, "show", recorded.cassettes / "killed.yaml"], capture_output=True, text=True)
    assert "connection 1: application" in ended(done)


def test_the_cassette_commands_know_it(recorded: Recorded) -> None:
    recorded.tests("""
        @pytest.mark.mala_cassette("chat")
        def test_it():
            asyncio.run(app.chat("one"))
    """)
    recorded.script("chat", "answers: [{say: First.}]")
    ended(recorded.run(*RECORD))
    recorded.project.issue("calc-1")

    def command(*args: object) -> str:
        return ended(
            subprocess.run(
                [*PYTEST[:2], "pytest_mala.cli", "cassette", *map(str, args)],
                capture_output=True,
                text=True,
                check=False,
                cwd=recorded.root,
            )
        )

    assert command("check", "cassettes", "--issues", "issues") == "cassettes/applications/chat.yaml: ok\n"
    assert command("diff", *["cassettes/applications/chat.yaml"] * 2) == ""
    path = recorded.cassettes / "chat.yaml"
    path.write_text(path.read_text("utf-8").replace("First.", "Last."), encoding="utf-8")
    assert "sealed, marked as edited" in command("seal", "cassettes/applications/chat.yaml")
    assert "Last." in command("show", "cassettes/applications/chat.yaml")
