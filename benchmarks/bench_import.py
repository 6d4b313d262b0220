"""What a project without issues pays for the plugin: the CPU time of `pytest -q` with it, divided by that without it.

Run `python benchmarks/bench_import.py [ROUNDS]` where pytest-mala is installed. Each round measures three runs in
changing order: with the plugin, without it, and without it once more; the ratio of the last two is the noise that the
first ratio is to be compared with. `-p no:mala` takes out the plugin, not its dependencies: pytest-asyncio and syrupy
are plugins of their own.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 15
WITHOUT = ("-p", "no:mala")


def cpu_seconds(folder: Path, *options: str) -> float:
    """User and system time of one `pytest -q` in a child process, in seconds."""
    # without compiled files pytest rewrites all plugins on each start, which would hide what is measured here
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, rounds: int) -> list[tuple[float, float, float]]:
    """Rounds of seconds: with the plugin, without it, without it again."""
    sides = [(), WITHOUT, WITHOUT]
    for options in sides:
        cpu_seconds(folder, *options)  # fills the caches of compiled files
    found = []
    for number in range(rounds):
        order = [(number + offset) % 3 for offset in range(3)]
        seconds = {side: cpu_seconds(folder, *sides[side]) for side in order}
        found.append((seconds[0], seconds[1], seconds[2]))
    return found


def main() -> None:
    """Measure and print one line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        (folder / "test_own.py").write_text("def test_own():\n    pass\n")
        found = measure(folder, rounds)
    ratio = statistics.median(with_it / without for with_it, without, _ in found)
    noise = statistics.median(again / without for _, without, again in found)
    with_it, without, _ = (statistics.median(side) * 1000 for side in zip(*found, strict=True))
    print(f"ratio {ratio:.3f}, of equal runs {noise:.3f} (medians of {rounds} rounds): ", end="")
    print(f"{with_it:.0f} ms with the plugin, {without:.0f} ms without")


if __name__ == "__main__":
    main()
