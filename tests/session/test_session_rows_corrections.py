"""Rows of session:11 that no other test shows: B10, B13, B17, B18, B20, B22, B25, B27 and B28."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from session_peers import (
    START,
    AbleFactory,
    ResultMessage,
    ScriptedFactory,
    SystemMessage,
    Wait,
    World,
    answer,
    failing,
    finding,
    init,
    passing,
    reviewed,
    say,
    usage,
    use,
)

import pytest_mala.session
from pytest_mala.clock import VirtualClock
from pytest_mala.session.config import AgentSessionInput
from pytest_mala.session.prompts import load_prompt

ROOM = Path(pytest_mala.session.__file__).parent


def test_b10_a_result_is_not_the_end_while_work_goes_on_in_the_background(tmp_path: Path) -> None:
    began_it = [init(), use("t1", command="make &"), answer("t1"), ResultMessage(result="started it")]
    world = World(tmp_path, ScriptedFactory([*began_it, Wait(30), say("it is built"), ResultMessage(result="built")]))
    output = world.run()
    assert (output.success, output.summary, world.elapsed) == (True, "built", 30)
    assert [call[0] for call in world.calls if call[0] in ("tool", "text", "gate")] == ["tool", "text", "gate"]


def test_b10_a_full_context_does_not_cut_off_what_goes_on_in_the_background(tmp_path: Path) -> None:
    turn = [init(), say("a", usage=usage(190_000)), ResultMessage(result="started it"), Wait(30)]
    world = World(tmp_path, ScriptedFactory([*turn, say("it is built"), ResultMessage(result="built")]))
    output = world.run()
    assert (output.success, output.summary, world.elapsed) == (True, "built", 30)
    assert world.called("text") == [("i1", "a"), ("i1", "it is built")]


def test_b10_whoever_waits_too_long_for_the_background_is_told_so(tmp_path: Path) -> None:
    """The idle limit stays: a server that the agent left running would use up the session's whole time."""
    tasks = SystemMessage("background_tasks_changed", {"tasks": [{"task_id": "b1", "description": "run the server"}]})
    turn = [init(), use("t1"), tasks, answer("t1"), ResultMessage(), Wait(700)]
    world = World(tmp_path, ScriptedFactory(turn), settings={"max_idle_retries": 0})
    output = world.run()
    assert output.summary == (
        "Agent idle: all 0 retries used (Agent idle for 600 seconds): waiting for a frame after `result`; "
        "idle timer on (600 s), in the background: run the server (state PROCESSING, turn 1)"
    )


def test_b13_a_context_with_room_left_goes_on_after_its_tools(tmp_path: Path) -> None:
    turn = [init(), use("t1", usage=usage(100_000)), answer("t1"), say("done"), ResultMessage()]
    world = World(tmp_path, ScriptedFactory(turn))
    assert world.run().success
    assert len(world.factory.created) == 1


def test_b17_a_restart_keeps_the_baseline_whatever_the_clock_says(tmp_path: Path) -> None:
    seen: list[int] = []

    async def judge(issue_id: str, log_path: Path, retry: Any) -> tuple[Any, int]:
        seen.append(retry.baseline_timestamp)
        return (failing() if len(seen) == 1 else passing()), 0

    full = [init(), Wait(500), say("a", usage=usage(190_000)), ResultMessage()]
    world = World(tmp_path, AbleFactory(full, [say("notes"), ResultMessage()], [ResultMessage("s3")]))
    callbacks = world.all_callbacks()
    callbacks.on_gate_check = judge
    world.callbacks = callbacks

    async def session() -> None:
        clock = VirtualClock(START, frozen=False)
        with clock:
            await world.runner(clock=clock).run_session(AgentSessionInput("i1", "do it"))

    asyncio.run(session())
    assert seen == [int(START.timestamp())] * 2


def test_b18_a_reviewer_is_told_what_was_found_before_and_what_the_agent_said(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    answers = [reviewed(finding(0, "leak"), finding(3, "typo")), reviewed(parse_error="bad"), reviewed(passed=True)]

    async def review(*given: Any) -> Any:
        told.append((given[-1].previous_findings, given[-1].agent_reply))
        return answers.pop(0)

    turns = [[ResultMessage(result="done")], [ResultMessage(result="no leak, see a.py")]]
    world = World(tmp_path, ScriptedFactory(*turns), gates=[passing("c1"), passing("c2")], reviews=[None])
    callbacks = world.all_callbacks()
    callbacks.on_review_check = review
    world.callbacks = callbacks
    assert world.run().success
    found = (finding(0, "leak"), finding(3, "typo"))
    assert told == [((), "done"), (found, "no leak, see a.py"), (found, "no leak, see a.py")]


def test_b20_the_review_followup_names_no_mark_and_no_commands_of_one_language() -> None:
    words = set(re.findall(r"[a-z_]+", load_prompt("review_followup").lower()))
    assert words & {"error", "errors", "ruff", "uv", "uvx", "pytest", "python", "mypy"} == set()


def test_b22_the_gate_followup_says_how_work_that_is_complete_is_told() -> None:
    told = " ".join(load_prompt("gate_followup").split())
    assert "already complete in an older commit, make no new one: write `ISSUE_ALREADY_COMPLETE: <" in told


def test_b25_the_session_room_loads_no_gate_no_reviewer_and_no_case() -> None:
    program = (
        "import sys, pytest_mala.session as s; [getattr(s, name) for name in s.__all__];"
        "print(sorted({m.split('.')[1] for m in sys.modules if m.startswith('pytest_mala.')}))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    rooms = set(ast.literal_eval(done.stdout))
    assert "session" in rooms
    assert rooms & {"gate", "review", "case", "report", "plugin", "cli"} == set()


def test_b27_no_module_of_the_room_has_many_concerns() -> None:
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOM.rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert lines["runner.py"] < 150


def test_b28_parts_of_a_text_are_not_told_only_the_whole_of_it(tmp_path: Path) -> None:
    part = type("StreamEvent", (), {"content": say("wor").content, "session_id": "s1"})
    world = World(tmp_path, ScriptedFactory([part(), part(), say("word"), ResultMessage()]))
    assert world.run().success
    assert world.called("text") == [("i1", "word")]
