"""The real CLI works on the answers of a script, with real tools, and asks nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_cli import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cli


@pytest.fixture(scope="module")
def edits(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A session with four requests; two tests look at it."""
    return run("edits", tmp_path_factory.mktemp("edits"))


def result_of(turn: list[dict]) -> dict:
    assert turn[-1]["is"] == "ResultMessage"
    return turn[-1]


def assistants(turn: list[dict]) -> list[dict]:
    return [message for message in turn if message["is"] == "AssistantMessage"]


def test_a_script_drives_real_tools_and_the_files_change(edits: dict) -> None:
    seen = edits
    assert seen["problems"] == []
    assert seen["unused"] == 0
    assert seen["files"] == {"greeting.txt": "bye\n", "copy.txt": "bye\n"}
    [turn] = seen["turns"]
    blocks = [block for message in assistants(turn) for block in message["content"]]
    assert [block.get("name") or block.get("text") or block.get("thinking") for block in blocks] == [
        "I look first.",
        "Bash",
        "Read",
        "It says hello. It should say bye.",
        "Edit",
        "Bash",
        "Done.",
    ]
    assert [block["id"] for block in blocks if "name" in block] == [f"toolu_{n:04d}" for n in range(1, 5)]
    assert [message["message_id"] for message in assistants(turn)] == ["msg_0001"] * 3 + ["msg_0002"] * 2 + [
        "msg_0003",
        "msg_0004",
    ]
    assert result_of(turn)["result"] == "Done."


def test_the_cli_asks_for_messages_and_nothing_else(edits: dict) -> None:
    assert [asked[:3] for asked in edits["asked"]] == [["messages", "POST", "/v1/messages"]] * 4
    assert {asked[3] for asked in edits["asked"]} == {"please greet differently"}


def test_an_overloaded_api_is_tried_again(tmp_path: Path) -> None:
    seen = run("overloaded", tmp_path)
    [turn] = seen["turns"]
    retries = [m["data"]["error_status"] for m in turn if m.get("subtype") == "api_retry"]
    assert retries == [529, 529]
    assert result_of(turn)["result"] == "Here I am."
    assert (seen["problems"], seen["unused"]) == ([], 0)


def test_a_stalled_answer_can_be_interrupted_and_the_session_goes_on(tmp_path: Path) -> None:
    seen = run("stalls", tmp_path)
    first, second = seen["turns"]
    assert result_of(first)["is_error"]
    assert any("I think about it" in str(message["content"]) for message in assistants(first))
    assert result_of(second)["result"] == "Something new."
    assert (seen["problems"], seen["unused"]) == ([], 0)


def test_scripted_usage_is_what_the_frames_report(tmp_path: Path) -> None:
    [turn] = run("usage", tmp_path)["turns"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    assert [tuple(m["usage"][name] for name in names) for m in assistants(turn)] == [(1000, 20000, 300), (5, 90000, 0)]
    total = result_of(turn)["usage"]
    assert [total[name] for name in (*names, "output_tokens")] == [1005, 110000, 300, 46]


def test_an_unmet_expectation_ends_the_session_and_says_why(tmp_path: Path) -> None:
    seen = run("unmet", tmp_path)
    problem = f"{tmp_path}/case.model.yaml:2: request 1: prompt_contains: expected 'a word', got 'nothing of it'"
    assert seen["problems"] == [problem]
    [turn] = seen["turns"]
    assert result_of(turn)["api_error_status"] == 403
    assert problem in result_of(turn)["result"]


def test_an_exhausted_script_ends_the_session_and_says_so(tmp_path: Path) -> None:
    seen = run("exhausted", tmp_path)
    problem = f"{tmp_path}/case.model.yaml: the script has no answer for request 2 (it has 1); last user text: 'two'"
    assert seen["problems"] == [problem]
    assert problem in result_of(seen["turns"][1])["result"]


def test_a_resumed_session_goes_on_with_the_same_script(tmp_path: Path) -> None:
    seen = run("resumes", tmp_path)
    first, second = map(result_of, seen["turns"])
    assert (first["result"], second["result"]) == ("First.", "Second.")
    assert first["session_id"] == second["session_id"]
    assert seen["problems"] == []
