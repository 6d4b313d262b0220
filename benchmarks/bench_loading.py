"""What opening a cassette costs beside stock vcrpy on the same file: `python benchmarks/bench_loading.py [FRAMES ...]`.

Each way of reading runs in a process of its own, so that the memory it takes is its own: the peak above what the
process had after its imports. Ways: stock vcrpy (`vcr.VCR()` with its own serializer), opened so that it can be played;
ours opened so that it can be played (frames are parsed when they come); and ours opened, every frame parsed and
checked, which is what a replay does before its session begins. Stock vcrpy takes half a minute for 50,000 frames.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synthetic_session import cassette

FRAMES = (1000, 50_000)
ROUNDS = {1000: 5}
WANTED = {1000: (15, 10), 50_000: (40, 10)}
"""How many times quicker and smaller than stock vcrpy opening is to be."""

_STATUS = Path("/proc/self/status")
_UNIT = 1024 * 1024 if sys.platform == "darwin" else 1024  # of ru_maxrss


def stock(path: Path) -> int:
    import vcr

    with vcr.VCR(record_mode="none").use_cassette(str(path)) as played:
        return len(played)


def opened(path: Path) -> int:
    from pytest_mala.transport.cassette import read_lazily

    return len(read_lazily(path).takes[0].interactions)


def registered(path: Path) -> int:
    import vcr

    from pytest_mala import register_with_vcr

    recorder = vcr.VCR(record_mode="none")
    register_with_vcr(recorder)
    with recorder.use_cassette(str(path)) as played:
        return len(played)


def checked(path: Path) -> int:
    from pytest_mala.transport.cassette import read
    from pytest_mala.transport.takes import read_take

    return len(read_take(read(path).takes[0].interactions).connections[0].steps)


WAYS = {
    "stock vcrpy": stock,
    "vcrpy with ours registered": registered,
    "ours, opened": opened,
    "ours, every frame checked": checked,
}


def _child(way: str, path: Path, warm_up: Path) -> None:
    """Prints seconds and peak megabytes of one reading; the warm-up does the imports."""
    WAYS[way](warm_up)
    before = _start_of_peak()
    began = time.perf_counter()
    WAYS[way](path)
    spent = time.perf_counter() - began
    print(json.dumps([spent, _peak() - before]))


def _start_of_peak() -> float:
    """The megabytes of the process now; on Linux its peak is forgotten, else small readings hide below the imports."""
    if not _STATUS.exists():
        return _peak()
    Path("/proc/self/clear_refs").write_text("5")
    return _from_status("VmRSS")


def _peak() -> float:
    if _STATUS.exists():
        return _from_status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNIT


def _from_status(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _measured(way: str, path: Path, warm_up: Path, rounds: int) -> tuple[float, float]:
    """Seconds and megabytes, the best of the rounds: what else the machine does only ever adds."""
    found = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--child", way, str(path), str(warm_up)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return min(spent for spent, _ in found), min(size for _, size in found)


def _look_up(path: Path) -> tuple[float, int]:
    """Seconds that vcrpy takes to find the last interaction, and how many there are."""
    from pytest_mala.transport.cassette.vcrpy import use_cassette

    with use_cassette(path, "none") as played:
        last = played.requests[-1]
        began = time.perf_counter()
        assert played.can_play_response_for(last)
        played.play_response(last)
        return time.perf_counter() - began, len(played)


def main(counts: tuple[int, ...]) -> None:
    from pytest_mala.transport.cassette import write

    with tempfile.TemporaryDirectory() as name:
        warm_up = Path(name) / "small.yaml"
        write(warm_up, cassette(2))
        for count in counts:
            path = Path(name) / f"{count}.yaml"
            write(path, cassette(count))
            size = path.stat().st_size / 1e6
            print(f"{count:,} frames, {size:.1f} MB")
            found = {way: _measured(way, path, warm_up, ROUNDS.get(count, 1)) for way in WAYS}
            stock_seconds, stock_size = found["stock vcrpy"]
            for way, (spent, used) in found.items():
                ratio = f"1/{stock_seconds / spent:5.1f} time, 1/{stock_size / max(used, 0.1):5.1f} memory"
                print(f"    {way:28} {spent * 1000:10.1f} ms {used:8.1f} MB   {ratio}")
            spent, steps = _look_up(path)
            print(
                f"    {'vcrpy finds the last step':28} {spent * 1000:10.1f} ms of {steps:,}; "
                f"each once about {spent * steps / 2 * 1000:,.0f} ms, which a replay does not pay"
            )
            if wanted := WANTED.get(count):
                print(f"    {'(wanted of opening)':28} {'':25}1/{wanted[0]:5.1f} time, 1/{wanted[1]:5.1f} memory")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main(tuple(map(int, sys.argv[1:])) or FRAMES)
