"""A recorded cassette to edit, and the command as a function."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_mala.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the command did: its exit status, and what it wrote."""

    status: object
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs `pytest-mala` with these arguments; argparse breaks its lines by the width of the terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Said:
        try:
            status: object = main([str(one) for one in arguments])
        except SystemExit as left:
            status = left.code
        written = capsys.readouterr()
        return Said(status=status, out=written.out, err=written.err)

    return run


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """A copy of a committed cassette."""
    return Path(shutil.copy(ROOT / "cassettes" / "calc-4.yaml", tmp_path / "calc-4.yaml"))


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """A copy of another one."""
    return Path(shutil.copy(ROOT / "cassettes" / "calc-1.yaml", tmp_path / "calc-1.yaml"))
