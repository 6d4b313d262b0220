"""`pytest-mala cassette check --issues` tells what is stale as a replay would, without playing anything."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_mala.cli.prompting import prompt_folder
from pytest_mala.errors import UsageError
from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "implementer_prompt": "You are working on one issue",
    "gate_followup": "did not pass the gate",
    "idle_resume": "The connection was lost while",
    "checkpoint_request": "Stop working: the context is nearly full",
    "continuation": "This is the continuation of a session",
    "review_followup": "",
}
"""Words of each prompt file; those of the last one stand in no sample."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("issues", "cassettes", "prompts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\nmala_prompts = "prompts"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def turns_with(path: Path, words: str) -> list[int]:
    asked = [one.body for one in read(path).takes[0].interactions if one.method == "QUERY"]
    return [turn for turn, text in enumerate(asked, 1) if words and words in text]


def stale(said: Said) -> dict[str, int]:
    told = re.findall(r"^cassettes/(.*)\.yaml: stale: .*turn ([0-9]+)(?: of [0-9]+)? answers", said.out, re.MULTILINE)
    return {name: int(turn) for name, turn in told}


@pytest.mark.parametrize("prompt", WORDS)
def test_stale_are_the_turns_that_were_sent_a_changed_prompt(
    project: Path, command: Callable[..., Said], prompt: str
) -> None:
    assert stale(command("cassette", "check", "--issues", "issues")) == {}
    file = project / "prompts" / f"{prompt}.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    found = {path.stem: turns_with(path, WORDS[prompt]) for path in (project / "cassettes").iterdir()}
    expected = {name: turns[0] for name, turns in found.items() if turns}
    assert bool(expected) == bool(WORDS[prompt])
    said = command("cassette", "check", "--issues", "issues")
    assert (said.status, stale(said)) == (0, expected)


def test_a_changed_issue_makes_its_own_recording_stale(project: Path, command: Callable[..., Said]) -> None:
    file = project / "issues" / "calc-2.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    said = command("cassette", "check", "--issues", "issues", "cassettes/calc-2.yaml", "cassettes/calc-1.yaml")
    assert said.out == (
        "cassettes/calc-2.yaml: stale: no turn is fresh; turn 1 of 2 answers a prompt that no longer exists\n"
        "cassettes/calc-1.yaml: ok\n"
    )


def test_the_prompts_may_be_named(project: Path, command: Callable[..., Said]) -> None:
    shutil.copytree(project / "prompts", project / "others")
    file = project / "others" / "gate_followup.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    said = command("cassette", "check", "--issues", "issues", "--prompts", "others", "cassettes/calc-2.yaml")
    assert said.out == (
        "cassettes/calc-2.yaml: stale: fresh up to turn 1 of 2; turn 2 answers a prompt that no longer exists\n"
    )
    file.unlink()
    said = command("cassette", "check", "--issues", "issues", "--prompts", "others")
    assert said.status == 2
    assert said.err.splitlines()[-1] == (
        "Error: others/gate_followup.md: there is no such prompt file; a prompt folder holds all of ours but fixer.md "
        "and reviewer.md; copy the missing one from the package"
    )


# Where the prompts are


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.toml", '[pytest]\nmala_prompts = "mine"\n'),
        (".pytest.toml", '[pytest]\nmala_prompts = "mine"\n'),
        ("pytest.ini", "[pytest]\nmala_prompts = mine\n"),
        ("pyproject.toml", '[tool.pytest]\nmala_prompts = "mine"\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\nmala_prompts = "mine"\n'),
        ("tox.ini", "[pytest]\nmala_prompts = mine\n"),
        ("setup.cfg", "[tool:pytest]\nmala_prompts = mine\n"),
    ],
)
def test_the_folder_is_found_where_pytest_finds_it(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert prompt_folder(tmp_path) == tmp_path / "mine"


def test_the_first_file_that_is_pytests_own_has_the_word(tmp_path: Path) -> None:
    assert prompt_folder(tmp_path) is None
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert prompt_folder(tmp_path) is None
    (tmp_path / "mine").mkdir()
    (tmp_path / "tox.ini").write_text("[pytest]\nmala_prompts = mine\n", encoding="utf-8")
    assert prompt_folder(tmp_path) == tmp_path / "mine"
    (tmp_path / "pytest.ini").write_text("", encoding="utf-8")  # an empty one is pytest's too
    assert prompt_folder(tmp_path) is None


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.pytest]\nmala_prompts = 'gone'\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        prompt_folder(tmp_path)
    assert str(caught.value) == f"mala_prompts: no such folder: {tmp_path}/gone (in pyproject.toml)"
    file.write_text("[tool", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        prompt_folder(tmp_path)
    assert str(caught.value).startswith(f"{file}: can't be read: ")
    assert "\n" not in str(caught.value)
