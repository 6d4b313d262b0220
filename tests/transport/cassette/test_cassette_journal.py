"""The journal: what was appended is there after a kill, and trouble with the disk is told in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Journal, read_journal

if TYPE_CHECKING:
    from pathlib import Path

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    entries = [{"c": 1, "open": {"a": "é\ud83d\u2028"}}, {"c": 1, "t": 0.583, "d": ">", "m": {}}, {"end": True}]
    with Journal(tmp_path / "new" / "calc-1.yaml") as journal:
        for entry in entries:
            journal.append(entry, sync="end" in entry)
    assert read_journal(journal.part) == entries
    assert journal.part.read_bytes().startswith(b'{"mala_journal":1}\n')


def test_it_stands_beside_the_cassette_and_only_the_user_reads_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "calc-1.yaml")
    assert journal.part == tmp_path / f"calc-1.yaml.{os.getpid()}.part"
    assert journal.part.stat().st_mode & 0o777 == 0o600
    journal.finish()
    journal.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_was_left_behind_is_never_overwritten(tmp_path: Path) -> None:
    with Journal(tmp_path / "x.yaml") as first:
        first.append({"n": 1})
    second = Journal(tmp_path / "x.yaml")
    assert second.part == tmp_path / f"x.yaml.{os.getpid()}-2.part"
    second.finish()
    assert read_journal(first.part) == [{"n": 1}]


def test_every_cut_gives_the_whole_lines_before_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "x.yaml") as journal:
        for number in range(5):
            journal.append({"n": number, "text": "x" * number})
    content = journal.part.read_bytes()
    part = tmp_path / "cut.part"
    for cut in range(len(content) + 1):
        part.write_bytes(content[:cut])
        whole = content[:cut].count(b"\n")
        assert [entry["n"] for entry in read_journal(part)] == list(range(max(0, whole - 1)))
    part.write_bytes(content + b"\x00\x00\n")  # as a file system may leave it after a loss of power
    assert len(read_journal(part)) == 5


def test_too_many_journals_left_behind_are_told(tmp_path: Path) -> None:
    for number in range(1, 101):
        (tmp_path / f"x.yaml.{os.getpid()}{f'-{number}' if number > 1 else ''}.part").touch()
    with pytest.raises(CassetteError) as caught:
        Journal(tmp_path / "x.yaml")
    path = tmp_path / "x.yaml"
    assert str(caught.value) == f"{path}: the journal can't be made: recover or remove the *.part files in {tmp_path}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"mala_journal":2}\n{}\n',
            ":1: not a journal that this version reads: expected {'mala_journal': 1}, got b'{\"mala_journal\":2}'",
        ),
        (b"hello\n", ":1: the journal is damaged: b'hello' is not a JSON object"),
        (b'{"mala_journal":1}\n{"a"\n{}\n', ":2: the journal is damaged: b'{\"a\"' is not a JSON object"),
        (b'{"mala_journal":1}\n[1]\n{}\n', ":2: the journal is damaged: b'[1]' is not a JSON object"),
        (
            b'{"mala_journal":1}\n' + b"[" * 100_000 + b"\n{}\n",
            f":2: the journal is damaged: {b'[' * 40!r} is not a JSON object",
        ),
    ],
)
def test_what_is_no_journal_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    part = tmp_path / "x.part"
    part.write_bytes(content)
    with pytest.raises(CassetteError) as caught:
        read_journal(part)
    assert str(caught.value) == f"{part}{message}"


def test_a_missing_journal_is_told(tmp_path: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        read_journal(tmp_path / "x.part")
    assert str(caught.value) == f"{tmp_path / 'x.part'}: the journal can't be read: No such file or directory"


@needs_posix
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pytest_mala.transport.cassette import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    journal.append({"n": n, "text": "x" * (n % 2000)})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
    n += 1
"""
    for stop_at in (b"0\n", b"7\n", b"300\n"):
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "x.yaml")], stdout=subprocess.PIPE)
        assert child.stdout is not None
        seen = child.stdout.readline()
        while seen != stop_at:
            seen = child.stdout.readline()
            assert seen, "the child ended by itself"
        child.send_signal(signal.SIGKILL)
        last = int((child.stdout.read().split() or [seen])[-1])
        child.stdout.close()
        child.wait()
        entries = read_journal(tmp_path / f"x.yaml.{child.pid}.part")
        assert [entry["n"] for entry in entries] == list(range(len(entries)))
        assert len(entries) in (last + 1, last + 2)


@needs_posix
def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
journal = Journal(Path(sys.argv[1]))
written = 0
for attempt in range(30):
    try:
        journal.append({"n": written, "text": "x" * 100})
        written += 1
    except CassetteError as error:
        told = str(error)
print(written)
print(told)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.yaml")], capture_output=True, text=True, check=True
    )
    written, told = done.stdout.splitlines()
    (part,) = tmp_path.iterdir()
    assert told == f"{part}: the journal can't be written: File too large"
    assert [entry["n"] for entry in read_journal(part)] == list(range(int(written)))


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError) as caught:
        Journal(tmp_path / "file" / "x.yaml")
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'file' / 'x.yaml'}: the journal's folder can't be made: ")
    assert "\n" not in told


@needs_posix
def test_a_read_only_folder_is_told(read_only_folder: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        Journal(read_only_folder / "x.yaml")
    part = read_only_folder / f"x.yaml.{os.getpid()}.part"
    assert str(caught.value) == f"{part}: the journal can't be made: Permission denied"


def test_what_is_not_json_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "x.yaml") as journal, pytest.raises(ValueError, match="Out of range float"):
        journal.append({"a": float("nan")})
    assert read_journal(journal.part) == []
    assert json.loads(journal.part.read_text()) == {"mala_journal": 1}
