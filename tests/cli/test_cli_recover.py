"""`pytest-mala cassette recover`: what it makes of a journal, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.transport.cassette import Journal, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Said

HEAD = {"k": "take", "t": 0, "issue": "x-1", "lane": "scripted", "sdk": "0.2.187", "number": 1}
HEAD["start"] = "2026-01-01T00:00:00+00:00"
CONNECT = {"k": "connect", "t": 0, "c": 1, "purpose": "work", "body": ""}
QUERY = {"type": "user", "message": {"role": "user", "content": "please"}, "session_id": "default"}
SEND = {"k": "send", "t": 0, "c": 1, "m": QUERY}
RECV = {"k": "recv", "t": 1, "c": 1, "m": {"type": "system", "subtype": "init", "claude_code_version": "2.1.330"}}


def journal(folder: Path, *entries: dict[str, Any]) -> Path:
    with Journal(folder / "x-1.yaml") as made:
        for entry in entries:
            made.append(entry)
    return made.part


def test_a_journal_becomes_an_incomplete_cassette(command: Callable[..., Said], tmp_path: Path) -> None:
    part = journal(tmp_path, HEAD, CONNECT, SEND, RECV)
    with part.open("a") as file:
        file.write('{"k":"recv","torn')
    said = command("cassette", "recover", part)
    target = tmp_path / "x-1.yaml"
    assert (said.status, said.err) == (0, "")
    assert said.out == f"{target}: recovered with 1 frame of the CLI, marked incomplete\n"
    assert [path.name for path in tmp_path.iterdir()] == ["x-1.yaml"]
    found = read(target, allow_incomplete=True)
    assert (found.issue, found.cli, found.complete, found.takes[0].start) == ("x-1", "2.1.330", False, HEAD["start"])
    assert [one.method for one in found.takes[0].interactions] == ["CONNECT", "QUERY"]


def test_a_cassette_that_is_there_is_not_replaced(command: Callable[..., Said], tmp_path: Path) -> None:
    part = journal(tmp_path, HEAD, CONNECT, SEND, RECV)
    target = tmp_path / "x-1.yaml"
    target.write_text("mine")
    said = command("cassette", "recover", part)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"error: {target}: is there already, and is not replaced; name another file with --output\n"
    assert (target.read_text(), part.exists()) == ("mine", True)
    said = command("cassette", "recover", part, "--output", tmp_path / "new" / "other.yaml")
    assert (said.status, part.exists()) == (0, False)
    assert read(tmp_path / "new" / "other.yaml", allow_incomplete=True).issue == "x-1"


def test_a_journal_of_an_earlier_version_with_a_secret_is_refused(command: Callable[..., Said], tmp_path: Path) -> None:
    token = "gh" + "p_" + "a1B2c3D4e5" * 4
    part = journal(tmp_path, HEAD, CONNECT, SEND, {**RECV, "m": {**RECV["m"], "say": token}})
    said = command("cassette", "recover", part)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        f"error: {tmp_path / 'x-1.yaml'}: not written, since what looks like a secret would stand "
    )
    assert "(rule github)" in said.err
    assert token not in said.err
    assert [path.name for path in tmp_path.iterdir()] == [part.name]


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no frame": ([HEAD, CONNECT, SEND], "the CLI had not said a word when the recording ended; delete the file"),
    "no head": (
        [CONNECT, SEND, RECV],
        "can't be recovered: expected an entry that names the take first (journals of earlier versions have none)",
    ),
    "a head with more": (
        [{**HEAD, "more": 1}, CONNECT, SEND, RECV],
        "can't be recovered: an entry is not one of a recording (TypeError: TakeHead.__init__() got an unexpected "
        "keyword argument 'more')",
    ),
    "a frame of no connection": (
        [HEAD, RECV],
        "can't be recovered: an entry is not one of a recording (KeyError: 1)",
    ),
    "an unknown kind": (
        [HEAD, CONNECT, SEND, RECV, {"k": "dance", "t": 1}],
        "can't be recovered: an entry is not one of a recording (AttributeError: '_Writer' object has no attribute "
        "'dance')",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_recording_is_refused_and_stays(name: str, command: Callable[..., Said], tmp_path: Path) -> None:
    entries, what = REFUSED[name]
    part = journal(tmp_path, *entries)
    said = command("cassette", "recover", part)
    assert (said.status, said.out, said.err) == (1, "", f"error: {part}: {what}\n")
    assert [path.name for path in tmp_path.iterdir()] == [part.name]


def test_a_lane_that_is_none_is_refused(command: Callable[..., Said], tmp_path: Path) -> None:
    part = journal(tmp_path, {**HEAD, "lane": "fast"}, CONNECT, SEND, RECV)
    said = command("cassette", "recover", part)
    assert said.err == (
        f"error: {tmp_path / 'x-1.yaml'}: not written, the recording holds what a cassette can't: mala.lane: expected "
        "scripted or live, got 'fast'\n"
    )
    assert part.exists()


def test_other_files_are_refused(command: Callable[..., Said], tmp_path: Path) -> None:
    other = tmp_path / "x-1.yaml.part"
    other.write_text(json.dumps(HEAD))
    said = command("cassette", "recover", other, tmp_path / "x-1.yaml.7-2.part")
    assert said.err.splitlines() == [
        f"error: {other}: expected the journal of a recording, a file named like calc-1.yaml.1234.part",
        f"error: {tmp_path / 'x-1.yaml.7-2.part'}: the journal can't be read: No such file or directory",
    ]
