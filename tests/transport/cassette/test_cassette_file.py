"""The file: what is written is read back, in one step or not at all, and equal cassettes are equal bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cassette_examples import cassette, interaction, recorded, take

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import MAX_BYTES, Cassette, dump, read, write
from pytest_mala.transport.proof import Proof

if TYPE_CHECKING:
    from pathlib import Path

needs_posix = pytest.mark.skipif(os.name != "posix", reason="modes and limits of POSIX")


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_recorded_session_is_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "calc-1.yaml"
    write(path, recorded(name))
    assert read(path) == recorded(name)
    assert dump(read(path)).encode() == path.read_bytes()


def test_the_layout_of_a_file(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "calc-1.yaml"
    write(path, small)
    text = path.read_text()
    body, digest = text[: text.index("# sha256: ")], text[text.index("# sha256: ") :]
    assert len(digest) == len("# sha256: \n...\n") + 64
    assert body == (
        "# pytest-mala cassette: recorded agent sessions. Review it like code, it drives hooks and checks; "
        "after an edit: pytest-mala cassette seal FILE\n"
        "version: 1\n"
        "mala:\n"
        "  format: 1\n"
        "  issue: calc-1\n"
        "  lane: scripted\n"
        '  sdk: "0.2.187"\n'
        '  cli: "2.1.330"\n'
        '  takes: [{take: 1, start: "2026-11-24T08:09:28Z"}]\n'
        "interactions:\n"
        "- request:\n"
        "    method: CONNECT\n"
        '    uri: "claude-sdk://calc-1/1/1"\n'
        '    body: "purpose: work"\n'
        "    headers: {}\n"
        "  response:\n"
        "    ms: []\n"
        "    frames: []\n"
        "- request:\n"
        "    method: QUERY\n"
        '    uri: "claude-sdk://calc-1/1/1/query/1"\n'
        "    body: |\n"
        "      # calc-1\n"
        "\n"
        "      Fix add().\n"
        "    headers: {}\n"
        "  response:\n"
        "    ms: [12, 0, 3000, 1]\n"
        '    runner: [{effect: "run gate", event: "turn ended", state: working}]\n'
        "    frames:\n"
        "    - cli: {type: assistant, message: {role: assistant, content: [{type: text, text: Done.}]}}\n"
        "    - {tree: cccccccccccccccccccccccccccccccccccccccc}\n"
        "    - {decision: idle}\n"
        "    - trailing: {type: system}\n"
        "- request:\n"
        "    method: TREE\n"
        '    uri: "claude-sdk://calc-1/1/tree/1"\n'
        '    body: ""\n'
        "    headers: {}\n"
        "  response:\n"
        "    commits:\n"
        "    - id: cccccccccccccccccccccccccccccccccccccccc\n"
        "      parents: [bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]\n"
        "      message: |\n"
        "        fix add\n"
        "      changes:\n"
        "      - path: calc.py\n"
        '        mode: "100644"\n'
        "        text: |\n"
        "          def add(a, b):\n"
        "              return a + b\n"
        "    head: cccccccccccccccccccccccccccccccccccccccc\n"
        "- request:\n"
        "    method: GATE\n"
        '    uri: "claude-sdk://calc-1/1/gate/1"\n'
        '    body: ""\n'
        "    headers: {}\n"
        "  response:\n"
        "    checks: [{name: test, exit_status: 0, verdict: passed}]\n"
    )


def test_what_is_repeated_stands_once_over_all_takes(tmp_path: Path) -> None:
    one = recorded("one").takes[0]
    moved = (replace(each, uri=each.uri.replace("/1/", "/2/", 1)) for each in one.interactions)
    both = cassette(one, take(2, *moved))
    write(tmp_path / "x.yaml", both)
    text = (tmp_path / "x.yaml").read_text()
    assert text.count("claude_code_version:") == 2  # in the initialize answer and in the init data
    assert text.count("shared: init-1") == text.count("shared: initialize-1") == 2
    assert text.index("\nshared:\n") > text.rindex("\n- request:\n")
    assert read(tmp_path / "x.yaml") == both


def test_headers_edited_complete_and_the_proof_are_kept(tmp_path: Path) -> None:
    connect = replace(interaction("CONNECT", "3/1"), headers={"purpose": "gate retry"})
    odd = cassette(
        take(3, connect), take(7), lane="live", edited=True, complete=False, scrub=Proof(rules=2, planted=9, found=9)
    )
    write(tmp_path / "x.yaml", odd)
    assert read(tmp_path / "x.yaml", allow_incomplete=True) == odd
    text = (tmp_path / "x.yaml").read_text()
    assert 'headers: {purpose: ["gate retry"]}' in text
    assert "  scrub: {found: 9, planted: 9, rules: 2}\n" in text


def test_a_source_is_kept(tmp_path: Path) -> None:
    imported = cassette(take(1), lane="unknown", sdk="unknown", source="session log")
    write(tmp_path / "x.yaml", imported)
    assert read(tmp_path / "x.yaml") == imported
    text = (tmp_path / "x.yaml").read_text()
    assert "  lane: unknown\n  sdk: unknown\n" in text
    assert '\n  source: "session log"\n' in text


def test_the_text_depends_on_no_hash_seed() -> None:
    code = "from cassette_examples import *; print(dump(recorded('one')), end='')"
    code = f"from pytest_mala.transport.cassette import dump; {code}"
    texts = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
        texts.add(done.stdout.replace(b"\r\n", b"\n"))
    assert texts == {dump(recorded("one")).encode()}


def test_the_interactions_and_frames_begin_at_fixed_columns(small: Cassette) -> None:
    """A reader may cut the text there and read only what it needs."""
    for one in (small, recorded("one")):
        lines = dump(one).splitlines()
        assert sum(line.startswith("- request:") for line in lines) == len(one.takes[0].interactions)
        assert not [line for line in lines if line.startswith("- ") and line != "- request:"]
        inside, items = False, 0
        for line in lines:
            inside = (
                line.startswith("    frames:")
                or (inside and line.startswith("     "))
                or (inside and line[:6] == "    - ")
            )
            items += inside and line.startswith("    - ")
        assert items == sum(len(each.response.get("frames", ())) for each in one.takes[0].interactions)


def test_writing_makes_the_folder_and_leaves_nothing_else(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "a" / "b" / "x.yaml"
    write(path, small)
    write(path, replace(small, lane="live"))
    assert read(path).lane == "live"
    assert [entry.name for entry in path.parent.iterdir()] == ["x.yaml"]


@needs_posix
def test_the_mode_is_what_the_umask_gives(tmp_path: Path, small: Cassette) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "x.yaml", small)
    finally:
        os.umask(before)
    assert (tmp_path / "x.yaml").stat().st_mode & 0o777 == 0o640


@needs_posix
def test_writing_replaces_a_link_and_never_follows_it(tmp_path: Path, small: Cassette) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "x.yaml").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "x.yaml", small)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (tmp_path / "x.yaml").is_symlink()


@needs_posix
def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    old = path.read_bytes()
    code = """
import resource, sys
from pathlib import Path
from cassette_examples import recorded
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import write
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write(Path(sys.argv[1]), recorded("one"))
except CassetteError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == f"{path}: not written: File too large\n"
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.yaml"]


@needs_posix
def test_a_read_only_folder_is_told_and_leaves_the_old_file(read_only_folder: Path, small: Cassette) -> None:
    path = read_only_folder / "old.yaml"
    with pytest.raises(CassetteError) as caught:
        write(path, small)
    assert str(caught.value) == f"{path}: not written: Permission denied"
    assert path.read_text() == "old"


def test_what_killed_runs_left_is_not_touched(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    left = [tmp_path / f".x.yaml.{os.getpid()}-{number}.tmp" for number in range(1, 101)]
    left[0].write_text("left")
    write(path, small)
    assert read(path) == small
    assert left[0].read_text() == "left"
    for each in left:
        each.touch()
    with pytest.raises(CassetteError) as caught:
        write(path, small)
    assert str(caught.value) == (f"{path}: not written: remove the temporary files that killed runs left in {tmp_path}")


def test_what_is_too_large_to_be_read_is_not_written(tmp_path: Path) -> None:
    def with_body(length: int) -> Cassette:
        return cassette(take(1, interaction("QUERY", "1/1/query/1", body="x" * length + "\n")))

    with pytest.raises(CassetteError) as caught:
        write(tmp_path / "x.yaml", with_body(MAX_BYTES))
    size = len(dump(with_body(1))) + MAX_BYTES - 1
    assert str(caught.value) == f"{tmp_path / 'x.yaml'}: not written: {size} bytes, a cassette may have {MAX_BYTES}"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    path.mkdir()
    with pytest.raises(CassetteError) as caught:
        write(path, small)
    assert str(caught.value) == f"{path}: not written: Is a directory"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("response", "place"),
    [
        ({"x": float("inf")}, "inf is not a JSON number, at interactions.0.response.x"),
        ({"frames": [], "ms": [1]}, "interactions[0].response.ms: expected 0 numbers, one for each frame, got 1"),
        (
            {"frames": [{"cli": {}, "sdk": {}}], "ms": [1]},
            "interactions[0].response.frames[0]: expected one key of cli, sdk, trailing, tree, decision, got cli, sdk",
        ),
        (
            {"frames": [{"cli": {}, "shared": "x"}], "ms": [1]},
            "interactions[0].response.frames[0]: "
            "expected one key of cli, sdk, trailing, tree, decision, got cli, shared",
        ),
        (
            {"frames": [{"cli": "text"}], "ms": [1]},
            "interactions[0].response.frames[0].cli: expected a mapping, got 'text'",
        ),
        ({"frames": [{"tree": None}], "ms": [1]}, "interactions[0].response.frames[0].tree: expected a text, got null"),
        ({"ms": [1]}, "interactions[0].response: missing key 'frames'; `ms` and `frames` come together"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, response: dict, place: str) -> None:
    one = cassette(take(1, interaction("QUERY", "1/1/query/1", **response)))
    with pytest.raises(CassetteError) as caught:
        write(tmp_path / "x.yaml", one)
    assert (
        str(caught.value) == f"{tmp_path / 'x.yaml'}: not written, the recording holds what a cassette can't: {place}"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (cassette(), "mala.takes: expected at least one take, numbered upwards from 1, got []"),
        (cassette(take(2), take(1)), "mala.takes: expected at least one take, numbered upwards from 1, got [2, 1]"),
        (cassette(take(0)), "mala.takes: expected at least one take, numbered upwards from 1, got [0]"),
        (cassette(take(1), lane="replay"), "mala.lane: expected scripted or live, got 'replay'"),
        (
            cassette(take(1, interaction("GET", "1/1"))),
            "interactions[0].request.method: "
            "expected one of CONNECT, QUERY, CONTROL, END, TREE, GATE, REVIEW, got 'GET'",
        ),
        (
            cassette(take(1, interaction("QUERY", "2/1"))),
            "interactions[0].request.uri: expected claude-sdk://calc-1/1/..., takes in order, got 'claude-sdk://calc-1/2/1'",
        ),
        (
            cassette(replace(take(1), start="yesterday")),
            "mala.takes[0].start: expected an ISO 8601 time with its zone, got 'yesterday'",
        ),
        (
            cassette(replace(take(1), start="2026-11-24T08:09:28")),
            "mala.takes[0].start: expected an ISO 8601 time with its zone, got '2026-11-24T08:09:28'",
        ),
    ],
)
def test_values_that_are_no_cassette_are_refused(one: Cassette, message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        dump(one)
    assert str(caught.value) == message
