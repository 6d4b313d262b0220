"""The sample issues with their cassettes as a project of their own, in which pytest runs as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--mala-issues=issues")


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


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
