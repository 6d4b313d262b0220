"""`pytest-mala cassette check`: what it says about the cassettes of a folder."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_mala.transport.cassette import Cassette, read, write
from pytest_mala.transport.proof import Proof
from pytest_mala.transport.scrub import RULES, RULES_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.mark.parametrize("name", ["github", "private-key"])
def test_a_secret_is_refused_and_not_told(name: str, command: Callable[..., Said], cassette: Path) -> None:
    planted = next(rule for rule in RULES if rule.name == name).planted()
    write(cassette, said_by_the_agent(read(cassette), planted))
    said = command("cassette", "check", cassette)
    assert (said.status, said.out) == (1, "")
    line = next(at for at, text in enumerate(cassette.read_text().splitlines(), 1) if planted[:16] in text)
    assert said.err == (
        f"error: {cassette}:{line}: holds what looks like a secret (rule {name}): "
        "revoke it, and record the session again\n"
    )


def test_a_secret_of_this_machine_is_refused(
    command: Callable[..., Said], cassette: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "one-two-three-four")
    write(cassette, said_by_the_agent(read(cassette), "it is one-two-three-four, and again one-two-three-four"))
    assert (
        "holds what looks like a secret (rule secret) and 1 more: revoke it"
        in command("cassette", "check", cassette).err
    )


def said_by_the_agent(found: Cassette, text: str) -> Cassette:
    """The cassette with another first answer."""
    [take] = found.takes
    interactions = list(take.interactions)
    at = next(index for index, one in enumerate(interactions) if one.method == "QUERY")
    frames = copy.deepcopy(interactions[at].response["frames"])
    said = next(item["cli"] for item in frames if item.get("cli", {}).get("type") == "assistant")
    said["message"]["content"] = [{"type": "text", "text": text}]
    interactions[at] = replace(interactions[at], response={**interactions[at].response, "frames": frames})
    return replace(found, takes=(replace(take, interactions=tuple(interactions)),))


def test_how_it_was_scrubbed_is_told(command: Callable[..., Said], cassette: Path) -> None:
    write(cassette, replace(read(cassette), scrub=None))
    assert command("cassette", "check", cassette).out == (
        f"{cassette}: recorded by a version that did not take secrets out\n"
    )
    write(cassette, replace(read(cassette), scrub=Proof(rules=RULES_VERSION, planted=1, found=1)))
    assert command("cassette", "check", cassette).out == f"{cassette}: ok\n"


def test_what_is_not_there_is_a_usage_error(command: Callable[..., Said], cassette: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.md"
    broken.write_text("---\ntitle: no id\n---\n")
    told = {
        ("nowhere",): "Error: nowhere: no such file or folder; name cassettes or their folder (`cassettes` by default)",
        (cassette, "--issues", "none"): "Error: --issues: no such file or folder: none",
        (empty,): f"Error: {empty}: there is no cassette in this folder (*.yaml, or *.part of a killed recording)",
    }
    for arguments, message in told.items():
        said = command("cassette", "check", *arguments)
        assert (said.status, said.out, said.err.splitlines()[-1]) == (2, "", message)
    said = command("cassette", "check", cassette, "--issues", tmp_path)
    assert said.status == 2
    assert said.err.splitlines()[-1].startswith(f"Error: --issues: {broken}:")
