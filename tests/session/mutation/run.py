"""Runs mutmut in a copy of the project, in a child process, and tells now and then how far it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .copies import CANARY, ask_canary, make
from .model import NOTICED, PROJECT, CannotJudge, Results, Verdict
from .results import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_START = "from mutmut.__main__ import cli; cli()"
"""Not `-m mutmut`: that would load the module a second time under another name, and it warns of it."""
_LAST_LINES = 15


def needs(tool: str) -> None:
    """Raises CannotJudge if the tool cannot be imported."""
    if find_spec(tool) is None:
        raise CannotJudge(f"{tool} is not installed for {sys.executable}: pip install 'mutmut>=3.8,<3.9'")


def run(modules: Iterable[str] | None, jobs: int, tell: Callable[[str], None], project: Path = PROJECT) -> Results:
    """Mutates the modules, all if there are none, and reads the verdicts; raises CannotJudge if they prove nothing."""
    with tempfile.TemporaryDirectory(prefix="mala-mutmut-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        copy, temporary = folder / "project", folder / "temporary"
        copy.mkdir()
        temporary.mkdir()
        make(project, copy, modules)
        _mutmut(copy, environment(os.environ, copy / "mutants", temporary), jobs, Progress(tell))
        ask_canary(copy / "mutants")
        results = read(copy / "mutants", leave_out=CANARY)
    must_prove(results)
    return results


def must_prove(results: Results) -> None:
    """Raises CannotJudge if a run was not finished, or noticed nothing."""
    counts = results.counts
    if counts[Verdict.NOT_CHECKED]:
        raise CannotJudge(f"{counts[Verdict.NOT_CHECKED]} of {counts.total()} mutants were not checked: run it again")
    if not any(counts[verdict] for verdict in NOTICED):
        raise CannotJudge(f"none of {counts.total()} mutants was noticed: this run proves nothing")


def environment(ours: Mapping[str, str], mutants: Path, temporary: Path) -> dict[str, str]:
    """Ours without what an outer pytest, a measured run or mutmut hands down.

    The changed copy comes first on the path of all children: tests start some, and the project itself may be installed.
    """
    dropped = ("PYTEST_", "COVERAGE_", "MUTANT_", "MUTMUT_")
    kept = {name: value for name, value in ours.items() if not name.startswith(dropped)}
    path = os.pathsep.join(filter(None, [str(mutants), ours.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "PYTEST_DEBUG_TEMPROOT": str(temporary)}


class Progress:
    """Makes a few lines of mutmut's many: one for each step, and one for each tenth of the mutants."""

    _STEP = re.compile(r"^(?:\S )?(Generating mutants|Running [a-z ]+?)\s*$")
    _COUNT = re.compile(r"^\S (\d+)/(\d+)\s")

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._step = ""
        self._tenths = 0
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        """What mutmut said last that was no sign of progress."""

    def see(self, line: str) -> None:
        """One piece of mutmut's output."""
        if step := self._STEP.match(line):
            if step[1] != self._step:
                self._step = step[1]
                self._say(step[1])
        elif count := self._COUNT.match(line):
            done, total = int(count[1]), int(count[2])
            if (tenths := done * 10 // max(1, total)) > self._tenths:
                self._tenths = tenths
                self._say(f"{done} of {total} mutants")
        elif line.strip():
            self.last.append(line.rstrip())

    def _say(self, text: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:4.0f} s] {text}")


def _mutmut(copy: Path, env: Mapping[str, str], jobs: int, progress: Progress) -> None:
    """Raises CannotJudge with mutmut's last lines if it fails, as it does where the tests fail unchanged."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _START, "run", "--max-children", str(jobs)],
        cwd=copy,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:  # a carriage return ends a line as well
                progress.see(line)
            status = process.wait()
        finally:
            process.kill()  # nothing once it has ended
    if status != 0:
        said = "\n".join(f"    {line}" for line in progress.last)
        hint = "do the tests pass without a mutant, and without the files that git does not track?"
        raise CannotJudge(f"mutmut ended with status {status}; {hint} It said:\n{said}")
