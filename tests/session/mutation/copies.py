"""Makes the copy that mutmut may change: the files that git tracks, mutmut's settings, and a planted canary."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from .model import NOT_MUTATED, PACKAGE, CannotJudge, Verdict
from .results import readable, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CANARY = "session/planted_canary.py"

_CANARY = '''"""Planted by the mutation run: the tests notice changes of one function and none of the other."""


def noticed() -> int:
    return 1


def unnoticed() -> int:
    return 1
'''
_CANARY_TEST = '''"""Planted by the mutation run: what is tested is the copy that mutmut changed, and nothing else."""

import os
from pathlib import Path

import pytest_mala
from pytest_mala.session import planted_canary

# While mutmut notes which tests reach which function, children of tests would look for its settings where they run, and
# fail. Their notes are not kept anyway, and this process has the mode elsewhere too.
if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    del os.environ["MUTANT_UNDER_TEST"]


def test_the_canary() -> None:
    for module in (pytest_mala, planted_canary):
        assert Path(module.__file__).resolve().is_relative_to({mutants!r})
    assert planted_canary.noticed() == 1
    planted_canary.unnoticed()
'''
_SETTINGS = """
[tool.mutmut]
source_paths = ["pytest_mala"]
only_mutate = {only}
do_not_mutate = {never}
also_copy = ["prompts", "issues", "cassettes", "README.md", "conftest.py", "docs"]
use_git_change_detection = false
# examples of properties that are chosen anew would make a mutant survive in one run only
pytest_add_cli_args = ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
pytest_add_cli_args_test_selection = [
    "tests/session", "-m", "not cli and not stress",
    # they read the source, or make copies and mutants themselves
    "--deselect", "tests/session/test_traceability.py",
    "--deselect", "tests/session/test_mutation.py",
    "--deselect", "tests/session/test_session_rows_corrections.py::test_b27_no_module_of_the_room_has_many_concerns",
    "--deselect", "tests/session/test_session_protocols.py::test_our_values_satisfy_the_protocols",
    # asks only that nothing is raised, with many slow examples
    "--deselect", "tests/session/test_transcript.py::TestHostileInput::test_any_json_can_be_told",
]
"""


def make(project: Path, place: Path, modules: Iterable[str] | None) -> None:
    """Fills a new folder; without modules all of the room are mutated. Raises CannotJudge if git tells no files."""
    for name in tracked(project):
        source, target = project / name, place / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    only = ["session/*.py"] if modules is None else [*modules, CANARY]
    settings = _SETTINGS.format(
        only=json.dumps([f"{PACKAGE}/{name}" for name in only]),
        never=json.dumps([f"{PACKAGE}/{name}" for name in NOT_MUTATED]),
    )
    with (place / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(settings)
    mutants = place / "mutants"
    mutants.mkdir()
    (place / PACKAGE / CANARY).write_text(_CANARY, encoding="utf-8")
    test = _CANARY_TEST.format(mutants=str(mutants.resolve()))
    (place / "tests" / "session" / "test_planted_canary.py").write_text(test, encoding="utf-8")


def tracked(project: Path) -> list[str]:
    """The files that git tracks below the project; raises CannotJudge."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotJudge(f"git could not be started, and tells which files to copy: {error}") from None
    if done.returncode != 0 or not done.stdout:
        told = done.stderr.strip().partition("\n")[0] or "no file is tracked"
        raise CannotJudge(f"{project}: expected a git checkout, whose tracked files are copied: {told}")
    return done.stdout.rstrip("\0").split("\0")


def ask_canary(mutants: Path) -> None:
    """Raises CannotJudge unless the run noticed what must be noticed, and nothing that cannot be."""
    expected = {"noticed": {Verdict.KILLED}, "unnoticed": {Verdict.SURVIVED}}
    found: dict[str, set[Verdict]] = {name: set() for name in expected}
    for name, verdict in verdicts(mutants, CANARY).items():
        found[readable(name)].add(verdict)
    for name, wanted in expected.items():
        if found[name] != wanted:
            told = ", ".join(sorted(verdict.value for verdict in found[name])) or "not mutated"
            (one,) = wanted
            raise CannotJudge(f"the canary's {name}() was {told}, expected {one.value}: this run proves nothing")
