"""The sample issues with their cassettes as a project of their own, in which pytest runs as a process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from conftest import Project

ROOT = Path(__file__).resolve().parents[2]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider")
COMMAND = (*PYTEST, "--mala-issues=issues")
HEAD = "import pytest\n\npytestmark = pytest.mark.asyncio\n\n"


def copy_samples(project: Project) -> None:
    """The first four samples in place of the stand-ins of the other tests."""
    left_out = shutil.ignore_patterns("*.part", "calc-[5-9].*")
    for folder in ("issues", "cassettes", "prompts"):
        shutil.copytree(ROOT / folder, project.path / folder, ignore=left_out)
    project.write("conftest.py", "")
    project.ini('mala_prompts = "prompts"')


def environment(scratch: Path) -> dict[str, str]:
    """Nothing of the caller's but the way to programs; temporary files go to `scratch`."""
    return {"PATH": os.environ["PATH"], "HOME": str(scratch.parent), "LANG": "C.UTF-8", "TMPDIR": str(scratch)}


def run_samples(project: Project, scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project.path,
        env=environment(scratch),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def run_by_hand(project: Project, text: str, *arguments: str) -> pytest.RunResult:
    """Run tests written by hand, in a process of their own; no issue is given."""
    project.write("test_by_hand.py", HEAD + text)
    return run_file(project, *arguments)


def run_file(project: Project, *arguments: str) -> pytest.RunResult:
    names = [*project.plugins, "xdist.plugin"] if "-n" in arguments else project.plugins
    plugins = [part for name in names for part in ("-p", name)]
    return project.pytester.runpytest_subprocess(*plugins, "test_by_hand.py", *arguments)


def errors_shown(result: pytest.RunResult) -> dict[str, list[str]]:
    """What pytest says about each test that did not pass: the lines that it marks with E."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in result.outlines:
        if heading := re.fullmatch(r"_+ (?:ERROR at setup of )?(?:\w+\.)?(\w+)(?:\[.*\])? _+", line):
            name = heading[1]
        elif line.startswith("E  "):
            found.setdefault(name, []).append(line[2:].strip())
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
