"""Fixtures of the cassette tests: a small cassette, and a folder that can't be written."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cassette_examples import cassette, interaction, take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.transport.cassette import Cassette


@pytest.fixture
def small() -> Cassette:
    """One take with one prompt, its answer, a tree and a gate."""
    change = {"path": "calc.py", "mode": "100644", "text": "def add(a, b):\n    return a + b\n"}
    commit = {"id": "c" * 40, "parents": ["b" * 40], "message": "fix add\n", "changes": [change]}
    answer = {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "Done."}]}}
    return cassette(
        take(
            1,
            interaction("CONNECT", "1/1", body="purpose: work", frames=[], ms=[]),
            interaction(
                "QUERY",
                "1/1/query/1",
                body="# calc-1\n\nFix add().\n",
                frames=[{"cli": answer}, {"tree": "c" * 40}, {"decision": "idle"}, {"trailing": {"type": "system"}}],
                ms=[12, 0, 3000, 1],
                runner=[{"state": "working", "event": "turn ended", "effect": "run gate"}],
            ),
            interaction("TREE", "1/tree/1", head="c" * 40, commits=[commit]),
            interaction("GATE", "1/gate/1", checks=[{"name": "test", "verdict": "passed", "exit_status": 0}]),
        )
    )


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file `old.yaml` in which nobody may write; root is somebody else for that long."""
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp())  # the folders of tmp_path are closed to other users
    (folder / "old.yaml").write_text("old")
    folder.chmod(0o555)
    try:
        if root:
            os.seteuid(65534)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)
