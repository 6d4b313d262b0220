"""What a session said and did, as values."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, strategies as st

from pytest_mala.session.conversation import Conversation, Prompt, ToolCall

DATA = Path(__file__).parent.parent / "data" / "frames"


def use(name, given, tool_id="toolu_1"):
    return {
        "type": "assistant",
        "message": {"content": [{"type": "tool_use", "id": tool_id, "name": name, "input": given}]},
    }


def result(content, tool_id="toolu_1", **more):
    block = {"type": "tool_result", "tool_use_id": tool_id, "content": content} | more
    return {"type": "user", "message": {"role": "user", "content": [block]}}


def prompt(content):
    return {"type": "user", "message": {"role": "user", "content": content}}


def test_a_recorded_turn():
    conversation = Conversation()
    conversation.connection("work")
    for line in map(json.loads, (DATA / "one_turn.ndjson").read_text("utf-8").splitlines()):
        conversation.frame({">": "sdk", "<": "cli"}[line["dir"]], line["msg"])
    assert conversation.prompts == (Prompt(turn=1, why="work", text="please do it"),)
    told = [(call.name, call.turn, call.is_error, call.result) for call in conversation.tools]
    assert told == [
        ("Bash", 1, False, "hello"),
        (
            "Edit",
            1,
            False,
            "The file /tmp/mala-3d1bslnv/ws/a.txt has been updated successfully. "
            "(file state is current in your context — no need to Read it back)",
        ),
        ("Read", 1, False, "1\tbye\n2\t"),
        ("Bash", 1, True, "Exit code 1"),
    ]
    assert conversation.tools[0].input["command"] == "cat a.txt"


def test_turns_are_counted_over_connections_and_have_their_reason():
    conversation = Conversation()
    for why in ("work", "gate retry"):
        conversation.connection(why)
        conversation.frame("sdk", prompt([{"type": "text", "text": f"do {why}"}, {"type": "image"}]))
        conversation.frame("cli", use("Bash", {"command": "ls"}, f"id {why}"))
    assert conversation.prompts == (
        Prompt(turn=1, why="work", text="do work"),
        Prompt(turn=2, why="gate retry", text="do gate retry"),
    )
    assert [call.turn for call in conversation.tools] == [1, 2]


def test_a_call_without_an_answer_has_no_result():
    conversation = Conversation()
    conversation.frame("cli", use("Bash", {"command": "sleep 99"}))
    assert conversation.tools == (
        ToolCall(id="toolu_1", name="Bash", input={"command": "sleep 99"}, turn=0, result=None),
    )


def test_a_repeated_call_is_told_once_and_a_foreign_result_never():
    conversation = Conversation()
    for frame in (use("Bash", {"command": "ls"}), use("Bash", {"command": "other"}), result("who?", "toolu_9")):
        conversation.frame("cli", frame)
    conversation.frame("cli", result([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], is_error=True))
    (call,) = conversation.tools
    assert (call.input, call.result, call.is_error) == ({"command": "ls"}, "a\nb", True)


def test_only_true_is_an_error():
    conversation = Conversation()
    conversation.frame("cli", use("Bash", {}))
    conversation.frame("cli", result("x", is_error="no"))
    assert not conversation.tools[0].is_error


def test_odd_frames_leave_what_is_usual():
    conversation = Conversation()
    conversation.frame("sdk", prompt(None))
    blocks = [
        {"type": "text", "id": "toolu_1", "text": "no call"},
        {"type": "tool_use", "id": 7, "name": "Bash", "input": {}},
        {"type": "tool_use", "id": "toolu_2", "name": None, "input": ["ls"]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": {"text": "odd"}},
    ]
    conversation.frame("cli", {"type": "user", "message": {"content": blocks}, "parent_tool_use_id": ["toolu_0"]})
    assert conversation.prompts == (Prompt(turn=1, why="", text=""),)
    assert conversation.tools == (ToolCall(id="toolu_2", name="None", input={}, turn=1, result="", parent=None),)


def test_a_call_of_a_sub_agent_names_the_call_that_started_it():
    conversation = Conversation()
    conversation.frame("cli", use("Read", {}) | {"parent_tool_use_id": "toolu_0"})
    assert conversation.tools[0].parent == "toolu_0"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "message", "content", "id", "tool_use_id", "input", "text", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(["user", "assistant", "tool_use", "tool_result", "text"])


@given(
    st.sampled_from(["cli", "sdk"]),
    st.lists(st.dictionaries(st.sampled_from(["type", "id", "content"]), JSON | KINDS, max_size=3), max_size=3) | JSON,
    KINDS,
)
def test_no_frame_makes_it_fail(direction, content, kind):
    conversation = Conversation()
    conversation.frame(direction, {"type": kind, "message": {"content": content}})
    conversation.frame(direction, {"type": kind, "message": content})
    assert all(isinstance(one.text, str) for one in conversation.prompts)
