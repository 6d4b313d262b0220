"""`pytest-mala cassette check`: what it says about the cassettes of a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mala.transport.cassette import read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from conftest import Said

ROOT = Path(__file__).resolve().parents[2]
SDK = version("claude-agent-sdk")


def test_the_committed_cassettes_are_well_and_used(
    command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    said = command("cassette", "check", "--issues", "issues")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [f"cassettes/calc-{number}.yaml: ok" for number in range(1, 9)]


def test_everything_in_a_folder_is_told_and_one_refused_file_fails(
    command: Callable[..., Said], cassette: Path, another: Path
) -> None:
    folder = cassette.parent
    write(another, replace(read(another), edited=True, sdk="0.1.99"))
    (folder / "calc-9.yaml.77.part").write_text("")
    (folder / "notes.txt").write_text("no cassette")
    write(folder / "calc-5.yaml", replace(read(cassette), sdk="9.0.0rc1"))
    short = folder / "calc-6.yaml"
    write(short, replace(read(ROOT / "cassettes" / "calc-6.yaml"), complete=False))
    said = command("cassette", "check", folder, "--issues", ROOT / "issues" / "calc-4.md")
    assert said.status == 1
    assert said.out.splitlines() == [
        f"{another}: edited by hand; recorded with SDK 0.1.99, older than the installed {SDK}; "
        "unused: none of the issues is called calc-1",
        f"{cassette}: ok",
        f"{folder}/calc-9.yaml.77.part: left behind by a recording that was killed: make a cassette of it "
        "(`pytest-mala cassette recover`) or delete it",
    ]
    assert said.err.splitlines() == [
        f"error: {folder}/calc-5.yaml: holds the session of issue 'calc-4', which is read from calc-4.yaml: rename it",
        f"error: {short}:9: the recording was cut short (complete: false); record it again, "
        "or replay it with --mala-allow-incomplete",
    ]


def test_a_newer_sdk_is_told_too(command: Callable[..., Said], cassette: Path) -> None:
    write(cassette, replace(read(cassette), sdk="9.0.0rc1"))
    said = command("cassette", "check", cassette)
    assert (said.status, said.out) == (
        0, f"{cassette}: recorded with SDK 9.0.0rc1, newer than the installed {SDK}\n"
    )  # fmt: skip


def test_a_version_that_is_none_is_older_than_any(command: Callable[..., Said], cassette: Path) -> None:
    write(cassette, replace(read(cassette), sdk="main"))
    assert command("cassette", "check", cassette).out == (
        f"{cassette}: recorded with SDK main, older than the installed {SDK}\n"
    )


def test_json_has_a_line_for_each_file(command: Callable[..., Said], cassette: Path, another: Path) -> None:
    another.write_text(another.read_text()[:-4])
    said = command("cassette", "check", "--json", cassette.parent)
    assert (said.status, said.err) == (1, "")
    bad, good = map(json.loads, said.out.splitlines())
    assert good == {"path": str(cassette), "ok": True, "error": None, "remarks": []}
    assert (bad["path"], bad["ok"], bad["remarks"]) == (str(another), False, [])
    assert bad["error"].endswith(
        "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it"
    )


def test_what_is_not_there_is_a_usage_error(command: Callable[..., Said], cassette: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.md"
    broken.write_text("---\ntitle: no id\n---\n")
    told = {
        ("nowhere",): "Error: nowhere: no such file or folder; name cassettes or their folder (`cassettes` by default)",
        (cassette, "--issues", "none"): "Error: --issues: no such file or folder: none",
    }
    for arguments, message in told.items():
        said = command("cassette", "check", *arguments)
        assert (said.status, said.out, said.err.splitlines()[-1]) == (2, "", message)
    said = command("cassette", "check", cassette, "--issues", tmp_path)
    assert said.status == 2
    assert said.err.splitlines()[-1].startswith(f"Error: --issues: {broken}:")
