"""What a replay costs: run `python benchmarks/bench_replay.py`; ratios and shares compare between machines.

Three figures, best of several rounds: a recorded silence of 15 minutes beside the same take without it, 1,000 frames
through the real SDK client beside `json.loads` of the same frames, and a sample issue from its files to its verdict.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_mala.case import Case, CaseSettings, Lane, RecordMode
from pytest_mala.clock import VirtualClock
from pytest_mala.issue import load_issues
from pytest_mala.session.events import BaseEventSink
from pytest_mala.transport.names import Names
from pytest_mala.transport.play import Player
from pytest_mala.transport.takes import interactions, read_take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.transport.takes import TakeScript

REAL = (time.perf_counter,)  # in a tuple, or freezegun would replace it
ROOT = Path(__file__).resolve().parents[1]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION = "00000000-0000-4000-8000-000000000001"
SILENCE_SECONDS = 900.0
FRAMES = 1000
ROUNDS = 15
ISSUE_ROUNDS = 5

Frame = dict[str, Any]


class _Silent:
    """Hears everything and keeps nothing, so that only the replay is measured."""

    def connection(self, number: int, purpose: str, resumed: str | None) -> None: ...
    def frame(self, direction: str, frame: Mapping[str, Any]) -> None: ...
    def decision(self, what: str) -> None: ...


def _said(number: int) -> Frame:
    """An agent's message of usual size: some words, or the call of a tool."""
    content: Frame = {"type": "text", "text": f"Step {number}: " + "I read the code and look for the cause. " * 5}
    if number % 2:
        given = {"command": f"python -m pytest -q -k test_{number}", "description": "Run a test"}
        content = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": given}
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    message = {"id": f"msg_{number}", "role": "assistant", "model": "m", "content": [content], "usage": usage}
    rest = {"parent_tool_use_id": None, "session_id": SESSION, "uuid": f"u{number}"}
    return {"type": "assistant", "message": message, **rest}


def _take(frames: list[Frame], gap_seconds: float) -> TakeScript:
    """One turn with these frames, each so long after the one before it."""
    asked = {"subtype": "initialize", "hooks": None}
    answer = {"subtype": "success", "request_id": "r1", "response": {"commands": []}}
    prompt = {"type": "user", "message": {"role": "user", "content": "please"}, "session_id": "default"}
    counts = {"duration_ms": 1, "duration_api_ms": 1, "num_turns": 1}
    result = {"type": "result", "subtype": "success", "is_error": False, **counts, "session_id": SESSION}
    entries: list[Frame] = [
        {"k": "connect", "t": 0.0, "c": 1, "purpose": "work", "body": ""},
        {"k": "send", "t": 0.0, "c": 1, "m": {"type": "control_request", "request_id": "r1", "request": asked}},
        {"k": "recv", "t": 0.0, "c": 1, "m": {"type": "control_response", "response": answer}},
        {"k": "send", "t": 0.0, "c": 1, "m": prompt},
    ]
    entries += [{"k": "recv", "t": gap_seconds * at, "c": 1, "m": one} for at, one in enumerate(frames, 1)]
    last = gap_seconds * len(frames)
    entries += [{"k": "recv", "t": last, "c": 1, "m": result}, {"k": "end", "t": last, "c": 1, "how": "closed"}]
    return read_take(interactions(entries, issue="bench", take=1, canonical=lambda value, connection: value))


def _player(script: TakeScript) -> Player:
    return Player(
        script,
        Names({"WORKSPACE": "/tmp/stage/workspace", "HOME": "/tmp/stage/home", "TMP": "/tmp/stage/tmp"}),
        _Silent(),
        switch_tree=lambda commit: None,
        restore_turn=lambda turn: None,
        where="bench",
        remedy="",
    )


async def _turn(script: TakeScript) -> tuple[float, float]:
    """Milliseconds from connecting to the result, and the virtual seconds that passed; entering the clock aside."""
    from claude_agent_sdk import ClaudeSDKClient

    player = _player(script)
    with VirtualClock(START, describe=lambda: "a frame") as clock:
        began = REAL[0]()
        transport: Any = player.connection("work", object())
        async with ClaudeSDKClient(transport=transport) as client:
            await client.query("please")
            async for _ in client.receive_response():
                pass
            spent = (REAL[0]() - began) * 1000
        elapsed = clock.elapsed
    player.finish()
    return spent, elapsed


async def _best(script: TakeScript) -> tuple[float, float]:
    return min([await _turn(script) for _ in range(ROUNDS)])


async def _silence() -> None:
    script, loud = _take([_said(0)], SILENCE_SECONDS), _take([_said(0)], 0.0)
    await _turn(script)  # the SDK is imported here
    (long, elapsed), (short, _) = await _best(script), await _best(loud)
    print(f"a turn with {elapsed:,.0f} s of silence   {long:8.2f} ms")
    print(
        f"the same without silence     {short:8.2f} ms   {long / short:.2f} x; the silence alone {long - short:.2f} ms"
    )


async def _frames() -> None:
    frames = [_said(number) for number in range(FRAMES)]
    lines = [json.dumps(frame) for frame in frames]
    spent, _ = await _best(_take(frames, 0.5))
    parsing = min(_parsed(lines) for _ in range(ROUNDS))
    print(f"{FRAMES} frames, 0.5 s apart      {spent:8.2f} ms   {FRAMES * 1000 / spent:11,.0f} frames/s")
    print(f"json.loads of the same       {parsing:8.2f} ms   {FRAMES * 1000 / parsing:11,.0f} frames/s")
    print(
        f"                                          {spent / parsing:.1f} x, {len(lines[0])} bytes in the first frame"
    )


def _parsed(lines: list[str]) -> float:
    began = REAL[0]()
    for line in lines:
        json.loads(line)
    return (REAL[0]() - began) * 1000


class _GateWatch(BaseEventSink):
    """How long the gates took."""

    def __init__(self) -> None:
        self._since = 0.0
        self.milliseconds = 0.0

    def on_gate_started(self, *_: object, **__: object) -> None:
        self._since = REAL[0]()

    def on_gate_passed(self, *_: object, **__: object) -> None:
        self.milliseconds += (REAL[0]() - self._since) * 1000


async def _issue(name: str) -> tuple[float, float, float]:
    """Milliseconds of preparation, of the session without its gate, and of the gate."""
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=ROOT / "cassettes",
        prompts=ROOT / "prompts",
        frozen=True,
        rootdir=ROOT,
        record_command="",
    )
    began = REAL[0]()
    watch = _GateWatch()
    case = Case(load_issues(ROOT / "issues" / f"{name}.md")[0], settings, events=[watch])
    try:
        case.prepare()
        prepared = REAL[0]()
        result = await case.run()
        ended = REAL[0]()
    finally:
        case.close()
    assert result.outcome in result.expected, result.why
    return (prepared - began) * 1000, (ended - prepared) * 1000 - watch.milliseconds, watch.milliseconds


async def _sample(name: str) -> None:
    await _issue(name)
    parts = min([await _issue(name) for _ in range(ISSUE_ROUNDS)], key=sum)
    whole = sum(parts)
    print(f"{name} as a whole            {whole:8.1f} ms")
    for label, part in zip(("prepare", "replay", "gate"), parts, strict=True):
        print(f"    {label:24} {part:8.1f} ms   {part / whole:4.0%}")


async def main() -> None:
    logging.disable(logging.CRITICAL)
    await _silence()
    await _frames()
    await _sample("calc-1")


if __name__ == "__main__":
    asyncio.run(main())
