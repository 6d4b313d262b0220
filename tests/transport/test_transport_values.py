"""The pure parts below replay: names, differences in words, options as text, takes from journal entries."""

from __future__ import annotations

import doctest
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from pytest_mala.errors import HarnessError
from pytest_mala.transport import compare, names
from pytest_mala.transport.cassette import Interaction
from pytest_mala.transport.compare import json_difference, word_diff
from pytest_mala.transport.names import EVERYWHERE, Names, named_places
from pytest_mala.transport.options import options_text
from pytest_mala.transport.takes import interactions, read_take

if TYPE_CHECKING:
    from transport_tapes import Tape


@pytest.mark.parametrize("module", [names, compare])
def test_the_examples_in_the_docs_are_true(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


class TestNames:
    @settings(max_examples=300)
    @given(
        st.lists(st.sampled_from(["$", "{", "}", "W", "H", "/tmp/a", "-tmp-a", "/h", "{W}", "${W}", " "]), max_size=12)
    )
    def test_hiding_can_always_be_undone(self, parts: list[str]) -> None:
        known = Names({"W": "/tmp/a", "H": "/tmp/a/h", "S": "-tmp-a"})
        text = "".join(parts)
        assert known.show(known.hide(text)) == text

    def test_the_longest_value_wins(self) -> None:
        assert Names({"STAGE": "/t", "WORKSPACE": "/t/ws"}).hide("/t/ws/a /t/b") == "${WORKSPACE}/a ${STAGE}/b"

    def test_keys_are_hidden_too(self) -> None:
        assert Names({"W": "/ws"}).hide({"/ws/a.py": ["/ws", 1, None]}) == {"${W}/a.py": ["${W}", 1, None]}

    def test_an_unknown_name_stays(self) -> None:
        assert Names({"W": "/ws"}).show("${OTHER} ${W}") == "${OTHER} /ws"

    def test_the_values_can_be_asked_for(self) -> None:
        assert Names({"W": "/ws", "EMPTY": ""}).values == {"W": "/ws"}

    def test_an_empty_value_names_nothing(self) -> None:
        assert Names({"W": ""}).hide("abc") == "abc"


class TestDifferences:
    def test_equal_texts(self) -> None:
        assert word_diff("a b", "a b") == ""

    def test_far_places_are_shown_apart_and_counted(self) -> None:
        words = [f"w{n}" for n in range(400)]
        changed = [f"{word}x" if n % 50 == 25 else word for n, word in enumerate(words)]
        shown = word_diff(" ".join(words), " ".join(changed))
        assert shown.count("[-") == 5
        assert shown.endswith("... and 3 more places")

    def test_a_type_is_a_difference(self) -> None:
        assert json_difference({"a": 1}, {"a": True}) == "$.a: recorded 1, now True"

    def test_the_sign_of_a_zero_is_a_difference(self) -> None:
        assert json_difference({"a": [0.0]}, {"a": [-0.0]}) == "$.a[0]: recorded 0.0, now -0.0"
        assert json_difference(-0.0, -0.0) == ""

    def test_only_the_first_places_are_named(self) -> None:
        assert json_difference(list(range(10)), list(range(1, 11))).endswith("; ...")
        assert json_difference(list(range(5)), list(range(1, 6))).endswith("; $[4]: recorded 4, now 5")

    def test_only_longer_texts_are_shown_by_their_words(self) -> None:
        short, long = "word " * 12, "word " * 12 + "."
        assert json_difference(short, short.upper()) == f"$: recorded {short!r}, now {short.upper()!r}"
        assert json_difference(long, short) == f"$: recorded {long!r}, now {short!r}"
        assert json_difference(long, long + "!") == "$: word word word word word word word .{+!+}"

    def test_long_values_are_cut(self) -> None:
        assert len(json_difference("a" * 1000, "b" * 1000)) < 450


class TestOptions:
    def test_what_shapes_the_agent_is_kept_and_nothing_else(self) -> None:
        from claude_agent_sdk import ClaudeAgentOptions

        options = ClaudeAgentOptions(
            model="sonnet",
            cwd="/ws",
            env={"SECRET": "x"},
            cli_path="/bin/claude",
            allowed_tools=["Bash"],
            mcp_servers={"db": {"type": "http", "url": "http://h", "headers": {"Authorization": "Bearer x"}}},
        )
        assert options_text(options) == (
            'allowed_tools: ["Bash"]\n'
            'cwd: "/ws"\n'
            'mcp_servers: {"db": {"headers": ["Authorization"], "type": "http", "url": "http://h"}}\n'
            'model: "sonnet"'
        )

    def test_objects_are_named_by_their_kind(self) -> None:
        @dataclass
        class Options:
            agents: dict[str, Any] = field(default_factory=dict)
            can_use_tool: Any = None

        assert options_text(Options({"a": Options()}, print)) == (
            'agents: {"a": {"agents": {}, "can_use_tool": null}}\ncan_use_tool: "<builtin_function_or_method>"'
        )

    def test_a_look_alike_has_none(self) -> None:
        assert options_text(object()) == ""


class TestTakes:
    def made(self, tape: Tape) -> list[Interaction]:
        return list(interactions(tape.entries, issue="x-1", take=2, canonical=lambda value, _: value))

    def test_the_interactions_of_a_turn(self, tape: Tape) -> None:
        tape.connect(body='model: "m"').prompt("please", after=1).init(after=0.5).add("state", text="A B")
        tape.result(after=0.25).end().add("turn", turn=1, data={"head": "abc"}).add(
            "gate", attempt=1, rows=[{"n": 1}], ms=[7]
        )
        assert [(one.method, one.uri.removeprefix("claude-sdk://x-1/2/")) for one in self.made(tape)] == [
            ("CONNECT", "connection/1"),
            ("CONTROL", "connection/1/control/1"),
            ("QUERY", "connection/1/query/1"),
            ("END", "connection/1/end"),
            ("TREE", "turn/1/tree"),
            ("GATE", "gate/1"),
        ]
        query = self.made(tape)[2]
        assert query.body == "please"
        assert query.headers == {"session": "default"}
        assert query.response["ms"] == [500, 250]
        assert query.response["decisions"] == ["A B"]

    def test_an_answer_stands_with_its_request(self, tape: Tape) -> None:
        """Where it came on the wire differs by a slot from run to run (slice.md 8)."""
        tape.connect().prompt("please").hook()
        asked = tape.entries[-1]["m"]["request_id"]
        tape.text("meanwhile", after=0.1)
        tape.send({"type": "control_response", "response": {"request_id": asked, "response": {}}}, after=0.1).result(
            after=0.3
        )
        response = self.made(tape)[2].response
        assert [next(iter(item)) for item in response["frames"]] == ["cli", "sdk", "cli", "cli"]
        assert response["ms"] == [0, 0, 100, 400]

    def test_frames_behind_the_last_result_are_trailing(self, tape: Tape) -> None:
        tape.connect().prompt("a").result().text("odd").prompt("b").result().text("late").end()
        first, second = (one.response["frames"] for one in self.made(tape) if one.method == "QUERY")
        assert [next(iter(item)) for item in first] == ["cli", "cli"]
        assert [next(iter(item)) for item in second] == ["cli", "trailing"]

    def test_blocks_of_a_prompt_are_kept_as_json(self, tape: Tape) -> None:
        blocks = [{"type": "text", "text": "x"}]
        message = {"role": "user", "content": blocks}
        tape.connect().send({"type": "user", "message": message, "session_id": "s"})
        assert json.loads(self.made(tape)[2].body) == blocks

    def test_a_connection_that_was_never_opened(self) -> None:
        uri = "claude-sdk://x/1/connection/2/query/1"
        one = Interaction(method="QUERY", uri=uri, body="", headers={"session": ""}, response={})
        with pytest.raises(HarnessError) as caught:
            read_take([one])
        assert str(caught.value) == (
            "interaction QUERY claude-sdk://x/1/connection/2/query/1: "
            "connection 2 was never opened (no CONNECT before it)"
        )

    @pytest.mark.parametrize(
        ("method", "place"), [("REVIEW", "review/1"), ("QUERY", "nowhere"), ("QUERY", "connection/x")]
    )
    def test_an_unknown_place(self, method: str, place: str) -> None:
        one = Interaction(method=method, uri=f"claude-sdk://x/1/{place}", body="", headers={}, response={})
        with pytest.raises(
            HarnessError, match=f"^interaction {method} claude-sdk://x/1/{place}: expected CONNECT, QUERY"
        ):
            read_take([one])


@pytest.mark.parametrize("value", ["B", "HOME", "}x", "${HOME}", "$", "/a/b", "a b"])
@pytest.mark.parametrize(
    "text", ["${X}", "${A${X}}", "${${X}}", "${A${X}", "$${X}{HOME}", "${X}${$}{HOME}", "${NONE} ${X}"]
)
def test_a_shown_value_is_not_looked_at_again(value: str, text: str) -> None:
    names = Names({"X": value, "HOME": "/ann", "AB": "wrong", "A": "wrong"})
    pieces = re.split(r"(\$\{(?:\$|[A-Z]+)\})", text)
    known = {**{f"${{{name}}}": shown for name, shown in names.values.items()}, "${$}": "$"}
    expected = "".join(known.get(piece, piece) for piece in pieces)
    frame = {"a": {"b": ["x", text]}, "c": "none"}
    assert named_places(frame) == (("a", "b", 1),)
    assert names.show_at(frame, named_places(frame)) == names.show(frame) == {"a": {"b": ["x", expected]}, "c": "none"}
    assert frame == {"a": {"b": ["x", text]}, "c": "none"}, "the recorded frame is as it was"


def test_a_key_with_a_name_has_all_of_its_frame_looked_through() -> None:
    frame = {"${HOME}": {"a": "${HOME}/x"}}
    assert named_places(frame) == EVERYWHERE
    assert Names({"HOME": "/ann"}).show_at(frame, EVERYWHERE) == {"/ann": {"a": "/ann/x"}}
    assert named_places({"a": ["$HOME", "{x}"]}) == ()
