"""What is kept of a cassette between runs: found for the same file, and anything that is wrong with it is no entry."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.transport.cassette import MAX_BYTES
from pytest_mala.transport.cassette.kept import KEPT_FROM_BYTES, Kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = {"head": ["calc-1", 1.5, None, True], "text": "Grüße \U0001f600 \u2028"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "calc-1.yaml"
    made.write_bytes(b"x" * KEPT_FROM_BYTES)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "mala"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_what_is_kept_is_found_again(folder: Path, path: Path) -> None:
    first = Kept(folder, path, "1")
    assert first.data is None
    first.keep(DATA)
    assert Kept(folder, path, "1").data == DATA
    assert Kept(folder, path, "2").data is None
    assert [entry.name.split(".")[:2] for entry in entries(folder)] == [["calc-1", "1"]]


def test_another_file_is_another_entry_and_takes_the_place_of_the_old_one(folder: Path, path: Path) -> None:
    for part in ("1", "10"):
        Kept(folder, path, part).keep(DATA)
    before = entries(folder)
    path.write_bytes(b"y" * KEPT_FROM_BYTES)
    now = Kept(folder, path, "1")
    assert now.data is None
    now.keep([1])
    assert Kept(folder, path, "1").data == [1]
    assert len(entries(folder)) == len(before) == 2


def test_a_file_that_changes_while_it_is_read_is_not_kept(folder: Path, path: Path) -> None:
    kept = Kept(folder, path, "1")
    path.write_bytes(b"y" * KEPT_FROM_BYTES)
    kept.keep(DATA)
    assert entries(folder) == []


@pytest.mark.parametrize("size", [0, KEPT_FROM_BYTES - 1, MAX_BYTES + 1])
def test_small_files_and_those_that_no_replay_reads_are_not_kept(folder: Path, path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
    kept = Kept(folder, path, "1")
    kept.keep(DATA)
    assert (kept.data, entries(folder)) == (None, [])


def test_a_missing_cassette_is_nothing_to_keep(folder: Path, tmp_path: Path) -> None:
    kept = Kept(folder, tmp_path / "none.yaml", "1")
    kept.keep(DATA)
    assert (kept.data, entries(folder)) == (None, [])


def signed(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b" ",
        lambda content: content.replace(b"calc-1", b"calc-2"),
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: signed(b""),
        lambda content: signed(b"{"),
        lambda content: signed(b"\xff\xfe"),
        lambda content: signed(b"[" * 100_000),
    ],
    ids=range(10),
)
def test_a_damaged_entry_is_no_entry(folder: Path, path: Path, damage: Callable[[bytes], bytes]) -> None:
    Kept(folder, path, "1").keep(DATA)
    (entry,) = entries(folder)
    entry.write_bytes(damage(entry.read_bytes()))
    again = Kept(folder, path, "1")
    assert again.data is None
    again.keep(DATA)
    assert Kept(folder, path, "1").data == DATA


def test_an_entry_that_can_not_be_read_or_written_is_no_error(folder: Path, path: Path) -> None:
    Kept(folder, path, "1").keep(DATA)
    (entry,) = entries(folder)
    entry.unlink()
    entry.mkdir()
    kept = Kept(folder, path, "1")
    assert kept.data is None
    kept.keep(DATA)
    assert entry.is_dir()
    folder.parent.joinpath("file").write_text("")
    unwritable = Kept(folder.parent / "file", path, "1")
    unwritable.keep(DATA)
    assert unwritable.data is None


def test_an_entry_is_json(folder: Path, path: Path) -> None:
    """It can make nothing run, whoever has written it."""
    Kept(folder, path, "1").keep(DATA)
    (entry,) = entries(folder)
    found: Any = json.loads(entry.read_bytes()[32:])
    assert found == DATA
