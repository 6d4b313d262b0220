"""Changes a copy of the package, never the package, and runs a row's tests on it in a child process."""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from .model import PROJECT, Mutant, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMIT_SECONDS = 60
_INSIDE = Path(__file__).with_name("inside.py")
_INI = """[pytest]
filterwarnings = error
markers =
    cli: not run here
    stress: not run here
    explore: not run here
"""


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`detail` names the test that noticed the mutant, or says what went wrong."""

    row: Row
    verdict: Verdict
    detail: str
    seconds: float


class StaleMutant(ValueError):
    """The code has moved on: a mutant's text is not there exactly once."""


def apply(mutant: Mutant, text: str) -> str:
    """The changed text of its file; raises StaleMutant."""
    if (count := text.count(mutant.old)) != 1:
        raise StaleMutant(f"{mutant.file}: expected the text of mutant {mutant.name!r} once, found it {count} times")
    return text.replace(mutant.old, mutant.new)


class Copy:
    """A copy of package and prompts in an empty folder; used for one mutant at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("pytest_mala", "prompts"):
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "pytest.ini").write_text(_INI, encoding="utf-8")
        # compiled once; by hash, because a mutant may have the size and the second of the file it replaces
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "pytest_mala", quiet=2, invalidation_mode=checked)

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The mutant in place; afterwards the file is as it was. Raises StaleMutant."""
        file = self.folder / mutant.file
        original = file.read_text(encoding="utf-8")
        file.write_text(apply(mutant, original), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(original, encoding="utf-8")

    def try_row(self, row: Row) -> Outcome:
        """The row's tests with its mutant in place."""
        assert row.mutant is not None
        began = time.monotonic()
        try:
            with self.changed(row.mutant):
                verdict, detail = self._verdict(row.tests, row.mutant.file)
        except StaleMutant as error:
            verdict, detail = Verdict.BROKEN, str(error)
        return Outcome(row=row, verdict=verdict, detail=detail, seconds=time.monotonic() - began)

    def fails_unchanged(self, rows: Sequence[Row]) -> str:
        """What fails without any mutant, or an empty text: only then does a failure with one mean anything."""
        tests = sorted({test for row in rows for test in row.tests})
        verdict, detail = self._verdict(tests, "pytest_mala/__init__.py")
        return "" if verdict is Verdict.SURVIVED else detail

    def _verdict(self, tests: Sequence[str], file: str) -> tuple[Verdict, str]:
        """Killed only if a test ran on the changed module and failed: an error of any other kind proves nothing."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                [sys.executable, "-P", str(_INSIDE), str(answer), str(self.folder / "pytest.ini"), *map(_here, tests)],
                cwd=self.folder,
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Verdict.BROKEN, f"the tests did not end within {LIMIT_SECONDS} s"
        if not answer.exists():
            return Verdict.BROKEN, f"pytest did not run: {done.stderr.strip()[-500:]}"
        told = json.loads(answer.read_text(encoding="utf-8"))
        if told["status"] not in (0, 1):
            return Verdict.BROKEN, f"pytest ended with status {told['status']}: {done.stdout.strip()[-500:]}"
        if wrong := self._wrongly_imported(told["modules"], file):
            return Verdict.BROKEN, wrong
        return (Verdict.KILLED, told["failed"]) if told["status"] else (Verdict.SURVIVED, "no test failed")

    def _wrongly_imported(self, modules: Sequence[str], file: str) -> str:
        """What shows that the tests did not see the copy, or an empty text."""
        elsewhere = [module for module in modules if not Path(module).is_relative_to(self.folder)]
        if elsewhere:
            return f"imported from elsewhere: {elsewhere[0]}"
        if file.endswith(".py") and str(self.folder / file) not in modules:
            return f"{file} was never imported by the tests"
        return ""

    def _environment(self) -> dict[str, str]:
        """Ours without what an outer pytest or a measured run would hand down: the copy is not to be measured.

        Its temporary folders are its own: runs that share their root may fail while one clears the other's away.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
        return {
            **kept,
            "PYTHONPATH": str(self.folder),
            "PYTEST_DEBUG_TEMPROOT": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }


def _here(test: str) -> str:
    return str(PROJECT / test)
