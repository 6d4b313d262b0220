"""How fast recorded frames go through the SDK's client: run `python benchmarks/bench_throughput.py [FRAMES ...]`.

All ratios are of one run: (a) is the bare `ClaudeSDKClient`, fed with the same frames as ready dicts by a transport
that does nothing else; (b) is the PyPI package claude-agent-cassette in a virtual environment of its own (made for this
run, with whatever SDK it asks for), which reads the frames from its own file. Ours: frames already decoded; from the
file, cold (everything parsed and checked); from the file, warm (kept from an earlier run). CPU time, best of several
rounds. A gap of 20 ms or less is not waited for; the last line shows what virtual waiting costs.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthetic_session import cassette, prompt, turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from pytest_mala.transport.takes import TakeScript

CPU = (time.process_time,)  # in a tuple, or freezegun would replace it
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = (1000, 50_000)
ROUNDS = 7
GAP_SECONDS = 0.25
OTHER = "claude-agent-cassette"

Frame = dict[str, Any]


class Bare:
    """The least that a transport can do: answer initialize, and give the frames of a turn when a prompt comes."""

    def __init__(self, said: list[list[Frame]]) -> None:
        self._said = iter(said)
        self._asked: asyncio.Queue[Frame | None] = asyncio.Queue()

    async def connect(self) -> None: ...

    async def write(self, data: str) -> None:
        self._asked.put_nowait(json.loads(data))

    async def read_messages(self) -> AsyncIterator[Frame]:
        while (asked := await self._asked.get()) is not None:
            if asked["type"] == "user":
                for frame in next(self._said):
                    yield frame
            else:
                answer = {"subtype": "success", "request_id": asked["request_id"], "response": {"commands": []}}
                yield {"type": "control_response", "response": answer}

    async def close(self) -> None:
        self._asked.put_nowait(None)

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None: ...


class _Silent:
    """Hears everything and keeps nothing, so that only the replay is measured."""

    def connection(self, number: int, purpose: str, resumed: str | None) -> None: ...
    def frame(self, direction: str, frame: Mapping[str, Any]) -> None: ...
    def decision(self, what: str) -> None: ...


async def _drive(transport: Any, count: int) -> None:
    from claude_agent_sdk import ClaudeSDKClient

    async with ClaudeSDKClient(transport=transport) as client:
        for turn in range(1, count + 1):
            await client.query(prompt(turn))
            async for _ in client.receive_response():
                pass


async def _bare(said: list[list[Frame]]) -> float:
    began = CPU[0]()
    await _drive(Bare(said), len(said))
    return CPU[0]() - began


async def _replayed(load: Callable[[], TakeScript]) -> float:
    """Loading and playing; entering the clock, which a test pays once, is not counted."""
    from pytest_mala.clock import VirtualClock
    from pytest_mala.transport.names import Names
    from pytest_mala.transport.play import Player

    names = Names({"WORKSPACE": "/tmp/stage/workspace", "HOME": "/tmp/stage/home", "TMP": "/tmp/stage/tmp"})
    with VirtualClock(START, describe=lambda: "a frame"):
        began = CPU[0]()
        script = load()
        player = Player(
            script,
            names,
            _Silent(),
            switch_tree=lambda commit: None,
            restore_turn=lambda turn: None,
            where="bench",
            remedy="",
        )
        await _drive(player.connection("work", object()), script.turns)
        spent = CPU[0]() - began
    player.finish()
    return spent


def _cold(path: Path) -> TakeScript:
    from pytest_mala.transport.cassette import quick, read
    from pytest_mala.transport.takes import read_take

    quick.forget_lines()  # a first reading knows no line
    return read_take(read(path).takes[0].interactions)


def _warm(path: Path, folder: Path) -> TakeScript:
    from pytest_mala.transport.cassette.kept import Kept
    from pytest_mala.transport.script_data import from_data

    return from_data(Kept(folder, path, "1").data)


async def _best(rounds: int, *ways: Callable[[], Awaitable[float]]) -> list[float]:
    """The best of several rounds for each way, taking turns, so that all of them meet the same machine."""
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for found, way in zip(spent, ways, strict=True):
            gc.collect()
            gc.freeze()  # what the ways before left in memory is none of this one's work
            found.append(await way())
    return [min(found) for found in spent]


OTHER_CODE = """
import asyncio, sys, time
from claude_agent_cassette import load_frames, replay
async def once(path, results):
    began = time.process_time()
    async with replay(load_frames(path)) as client:
        await client.query("please")
        async for message in client.receive_messages():
            results -= type(message).__name__ == "ResultMessage"
            if not results:
                break
    return time.process_time() - began
async def main(path, results, rounds):
    print(min([await once(path, results) for _ in range(rounds)]))
asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def _other_python(folder: Path) -> Path | None:
    """A Python that has the other package; None, with a line that says so, if the index has it not."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", OTHER]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"(b) left out: {OTHER} can't be installed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return python


def _other_seconds(python: Path, said: list[list[Frame]], folder: Path, rounds: int) -> float:
    path = folder / "other.jsonl"
    path.write_text("".join(json.dumps(frame) + "\n" for turn in said for frame in turn))
    command = [str(python), "-c", OTHER_CODE, str(path), str(len(said)), str(rounds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


async def _measure(count: int, folder: Path, other: Path | None) -> None:
    from pytest_mala.transport.cassette import write
    from pytest_mala.transport.cassette.kept import Kept
    from pytest_mala.transport.script_data import to_data

    rounds = ROUNDS if count <= 10_000 else 2
    path, kept, said = folder / f"{count}.yaml", folder / "kept", turns(count)
    write(path, cassette(count))
    decoded = _cold(path)
    Kept(kept, path, "1").keep(to_data(decoded))
    bare, ready, cold, warm = await _best(
        rounds,
        lambda: _bare(said),
        lambda: _replayed(lambda: decoded),
        lambda: _replayed(lambda: _cold(path)),
        lambda: _replayed(lambda: _warm(path, kept)),
    )
    print(f"{f'{count:,} frames':32} us/frame    of (a)")
    _row("(a) bare client, ready dicts", bare, bare, count)
    _row("decoded (wanted 0.85)", ready, bare, count)
    _row("from the file, cold (0.2)", cold, bare, count)
    _row("from the file, warm (0.6)", warm, bare, count)
    if other is not None:
        theirs = _other_seconds(other, said, folder, rounds)
        _row(f"(b) {OTHER}", theirs, bare, count)
        print(f"    warm of (b): {theirs / warm:.2f} (wanted 1.0)")
    if count <= 10_000:
        write(path, cassette(count, GAP_SECONDS))
        waiting = _cold(path)
        (spent,) = await _best(rounds, lambda: _replayed(lambda: waiting))
        _row(f"decoded, {GAP_SECONDS} s apart", spent, bare, count)


def _row(name: str, spent: float, bare: float, count: int) -> None:
    print(f"    {name:28} {spent / count * 1e6:8.1f} {bare / spent:9.2f}")


async def _minimal(folder: Path) -> None:
    """What a session of two frames costs over the floor."""
    from pytest_mala.transport.cassette import write

    path, said = folder / "small.yaml", turns(2)
    write(path, cassette(2))
    decoded = _cold(path)
    floor, ready, cold = await _best(
        30, lambda: _bare(said), lambda: _replayed(lambda: decoded), lambda: _replayed(lambda: _cold(path))
    )
    print(
        f"a minimal session: {floor * 1000:.2f} ms bare, {(ready - floor) * 1000:+.2f} ms decoded (wanted 0.50), "
        f"{(cold - floor) * 1000:+.2f} ms with its file"
    )


async def main(counts: tuple[int, ...], *, with_other: bool) -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = _other_python(folder / "venv") if with_other else None
        await _minimal(folder)
        for count in counts:
            await _measure(count, folder, other)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--alone"]  # without (b), which has to be installed
    asyncio.run(main(tuple(map(int, given)) or COUNTS, with_other="--alone" not in sys.argv))
