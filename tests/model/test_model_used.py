"""How far a script was used by a recorded conversation, so that the model goes on with its next answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.model import ModelScriptError, Script, load_script, serve, used_answers

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """\
answers:
  - fail: {status: 529, times: 2}
  - think: Hm.
    say: I look.
    tool: {name: Read, input: {file_path: a}}
  - say: What nobody sees.
  - either:
      - {when: {prompt_contains: x}, say: Alright.}
      - tools: [{name: Bash, input: {command: ls}}, {name: Read, input: {}}]
  - say: I think.
    stall: after-text
  - say: Never said.
    stall: true
  - say: Done.
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "x-1.model.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    return load_script(path)


def message(name: str, *blocks: dict[str, Any], model: str = "m") -> dict[str, Any]:
    return {"type": "assistant", "message": {"id": name, "model": model, "content": list(blocks)}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": name, "input": {"of": "another run"}}


LOOKS = [
    message("1", {"type": "thinking", "thinking": "Hm.", "signature": "s"}),
    message("1", text("I look.")),
    message("1", tool("Read")),
]


@pytest.mark.parametrize(
    ("frames", "is_cut", "used"),
    [
        ([], False, 0),
        (LOOKS, False, 3),
        ([*LOOKS, message("0", text("API Error"), model="<synthetic>"), {"type": "result"}], False, 3),
        ([*LOOKS, message("2", text("Alright."))], False, 5),
        ([*LOOKS, message("2", tool("Bash")), message("2", tool("Read"))], False, 5),
        ([*LOOKS, message("2", tool("Bash"))], False, 5),  # broken off
        ([*LOOKS, message("2", text("I think."))], False, 6),
        ([*LOOKS, message("2", text("I think."))], True, 7),
        ([message("1", text("Done."))], False, 8),
        ([message("1", text("Done."))], True, 8),
    ],
)
def test_answers_up_to_the_last_message_are_used(script: Script, frames: list[Any], *, is_cut: bool, used: int) -> None:
    assert used_answers(script, frames, is_cut=is_cut) == used


def test_a_message_that_the_script_does_not_have_is_told(script: Script) -> None:
    frames = [*LOOKS, message("2", text("Something else."), tool("Edit"))]
    with pytest.raises(ModelScriptError) as raised:
        used_answers(script, frames)
    assert str(raised.value) == (
        f"{script.path}:1: answers: expected an answer that says what message 2 of the recording does "
        "(text 'Something else.', tool_use 'Edit'), got none"
    )


def test_an_answer_is_used_once(script: Script) -> None:
    with pytest.raises(ModelScriptError, match="message 2 of the recording"):
        used_answers(script, [message("1", text("Done.")), message("2", text("Done."))])


def test_the_server_goes_on_behind_what_was_used(script: Script) -> None:
    with serve(script, {}, used=5) as server:
        assert (server.unused, server.calls) == (3, 5)
        assert server.ledger.tools_called == 3  # ids of further calls are not those of the recording
    with serve(script, {}, used=8) as server:
        assert server.unused == 0
