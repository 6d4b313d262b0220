"""The samples as a project of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from case_project import KEEP_TRANSCRIPTS, PROJECT, ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The samples, committed to a repository as a user's would be."""
    root = tmp_path / "project"
    for folder in ("issues", "cassettes", "prompts"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.part"))
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (root / "conftest.py").write_text(KEEP_TRANSCRIPTS, encoding="utf-8")
    made = Project(root, tmp_path / "transcripts")
    made.git("init", "-q", "-b", "main")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "project")
    return made
