"""`pytest-mala cassette seal`: what it does to a file, what it says of it, and what it refuses."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "case"))

from bad_takes import HARMLESS, TAKES
from broken_cassettes import add_issue

from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

    Command = Callable[..., Said]


def edit(path: Path, old: str, new: str) -> bytes:
    """Replace text that stands in the file; the answer is what the file holds then."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path.read_bytes()


def test_a_file_with_the_right_digest_is_left_and_called_unchanged(command: Command, cassette: Path) -> None:
    before = cassette.read_bytes(), cassette.stat().st_mtime_ns, cassette.stat().st_ino
    said = command("cassette", "seal", cassette)
    assert said.status == 0
    assert (said.out, said.err) == (f"{cassette}: unchanged, its digest is right\n", "")
    assert (cassette.read_bytes(), cassette.stat().st_mtime_ns, cassette.stat().st_ino) == before


def test_an_edited_file_is_sealed_once(command: Command, cassette: Path) -> None:
    edit(cassette, "ISSUE_NO_CHANGE", "ISSUE_OBSOLETE")
    said = command("cassette", "seal", cassette)
    assert (said.status, said.out, said.err) == (0, f"{cassette}: sealed, marked as edited\n", "")
    assert read(cassette).edited
    again = command("cassette", "seal", cassette)
    assert (again.status, again.out) == (0, f"{cassette}: unchanged, its digest is right\n")


def test_names_are_shown_as_they_were_given(command: Command, cassette: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(cassette.parent)
    assert command("cassette", "seal", "calc-4.yaml", "./calc-4.yaml").out == (
        "calc-4.yaml: unchanged, its digest is right\n" * 2
    )


def test_of_several_files_the_good_ones_are_done_and_each_is_told(
    command: Command, cassette: Path, another: Path, tmp_path: Path
) -> None:
    edit(another, "def add(a, b):", "def add(b, a):")
    missing = tmp_path / "calc-9.yaml"
    said = command("cassette", "seal", missing, another, tmp_path, cassette)
    assert said.status == 1
    assert said.out.splitlines() == [
        f"{another}: sealed, marked as edited",
        f"{cassette}: unchanged, its digest is right",
    ]
    assert said.err.splitlines() == [
        f"error: {missing}: there is no cassette",
        f"error: {tmp_path}: is a folder, not a cassette",
    ]
    assert read(another).edited


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere.yaml")))


def rename(path: Path) -> None:
    edit(path, "  issue: calc-4", "  issue: calc-5")
    path.write_text(path.read_text(encoding="utf-8").replace("//calc-4/", "//calc-5/"), encoding="utf-8")


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda path: path.write_bytes(b""), ": is empty; take it from version control or record it again"),
    "cut": (
        cut,
        ":10: the end mark `...` is missing: the file is truncated, or pytest-mala did not write it",
    ),
    "link": (link, ": is a symbolic link; a cassette must be a regular file in its own folder"),
    "short": (
        lambda path: edit(path, "lane: scripted", "lane: scripted\n  complete: false"),
        ":7: the recording was cut short (complete: false); record it again, or replay it with --mala-allow-incomplete",
    ),
    "renamed": (
        rename,
        ": holds the session of issue 'calc-5', which is read from calc-5.yaml: rename it",
    ),
    "schema": (
        lambda path: edit(path, "  lane: scripted", "  lane: fast"),
        ":6: mala.lane: expected scripted or live, got 'fast'",
    ),
    "base": (
        lambda path: edit(path, "kind: template", "kind: castle"),
        ":17: turn/0/tree: base.kind: expected template or repository, got 'castle'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_replay_would_refuse_is_not_sealed(command: Command, cassette: Path, name: str) -> None:
    change, message = REFUSED[name]
    change(cassette)
    before = cassette.read_bytes()
    said = command("cassette", "seal", cassette)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"error: {cassette}{message}\n"
    assert cassette.read_bytes() == before


def test_a_take_that_can_not_be_played_is_refused_in_the_words_of_the_replay(command: Command, tmp_path: Path) -> None:
    """Every one of those that tests/case shows a replay; the digest is right, so it is no matter of an edit."""
    for folder in ("issues", "cassettes"):
        (tmp_path / folder).mkdir()
    project: Any = SimpleNamespace(root=tmp_path)
    paths = {name: add_issue(project, name, change) for name, (change, _) in TAKES.items()}
    before = {name: path.read_bytes() for name, path in paths.items()}
    said = command("cassette", "seal", *paths.values())
    assert (said.status, said.out) == (1, "")
    lines = said.err.splitlines()
    assert len(lines) == len(TAKES)
    for line, (name, path) in zip(lines, paths.items(), strict=True):
        what = TAKES[name][1].replace("NAME", name)
        assert re.fullmatch(rf"error: {re.escape(str(path))}(:\d+)?: {re.escape(what)}", line), name
        assert path.read_bytes() == before[name]


def test_a_take_that_a_replay_plays_is_sealed(command: Command, tmp_path: Path) -> None:
    for folder in ("issues", "cassettes"):
        (tmp_path / folder).mkdir()
    project: Any = SimpleNamespace(root=tmp_path)
    paths = [add_issue(project, name, change) for name, change in HARMLESS.items()]
    for path in paths:
        edit(path, "# sha256: ", "# sha256: 0")
    said = command("cassette", "seal", *paths)
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [f"{path}: sealed, marked as edited" for path in paths]


def test_a_file_that_can_not_be_written_is_told(command: Command, cassette: Path) -> None:
    """Something that stops root too: every name for the temporary file is taken."""
    before = edit(cassette, "ISSUE_NO_CHANGE", "ISSUE_OBSOLETE")
    for number in range(1, 101):
        (cassette.parent / f".calc-4.yaml.{os.getpid()}-{number}.tmp").touch()
    said = command("cassette", "seal", cassette)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"error: {cassette}: not written: remove the temporary files that killed runs left in {cassette.parent}\n"
    )
    assert cassette.read_bytes() == before


def test_a_name_that_is_no_text_is_shown_without_a_traceback(command: Command, cassette: Path) -> None:
    odd = cassette.parent / os.fsdecode(b"\xff\x1b")
    odd.mkdir()
    moved = cassette.rename(odd / cassette.name)
    said = command("cassette", "seal", moved)
    assert said.status == 0
    assert said.out == f"{cassette.parent}/\\udcff\\x1b/calc-4.yaml: unchanged, its digest is right\n"
