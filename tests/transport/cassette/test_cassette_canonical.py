"""The emitter: whatever JSON data it is given, every YAML reader gets the same data back."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from cassette_values import DOCUMENT, NASTY
from hypothesis import example, given, settings

from pytest_mala.transport.cassette import canonical, strict


def agree(data: dict) -> None:
    text = canonical.dumps(data)
    own = strict.load(text + "...\n", "x.yaml")
    stock = yaml.load(text + "# sha256: 0\n...\n", Loader=yaml.CSafeLoader)
    expected = json.dumps(data, sort_keys=True)  # tells 1 from true and from 1.0, and -0.0 from 0.0
    assert json.dumps(own, sort_keys=True) == expected
    assert json.dumps(stock, sort_keys=True) == expected
    assert canonical.dumps(own) == text


@given(DOCUMENT)
@settings(max_examples=300, deadline=None, database=None)
@example({"k" * 1500: {"k" * 1500: "a\nb"}})
@example({"long": [1e16, -1.5e-9, 0.1, -0.0, 1e300, 5e-324, 10**40]})
@example({"lists": [[[], [[1, "a\nb"]], {}], [{"a": [{"b": " c\nd"}]}]]})
def test_every_reader_gets_the_data_back(data: dict) -> None:
    agree(data)


@pytest.mark.stress
@given(DOCUMENT)
@settings(max_examples=2_500, deadline=None, database=None)
def test_every_reader_gets_the_data_back_at_length(data: dict) -> None:
    agree(data)


def test_every_nasty_text_is_kept_as_key_and_as_value() -> None:
    agree({text: text for text in NASTY})
    agree({"list": [[text, {text: text}] for text in NASTY]})


def test_equal_data_is_equal_text_whatever_the_order_of_keys() -> None:
    assert canonical.dumps({"b": 1, "a": {"y": 2, "x": 3}}) == canonical.dumps({"a": {"x": 3, "y": 2}, "b": 1})


def test_small_data_stands_on_one_line_and_known_keys_come_first() -> None:
    assert canonical.dumps({"b": {"name": "Bash", "id": 1, "a": None, "type": "tool_use"}, "e": [], "f": {}}) == (
        "b: {type: tool_use, name: Bash, id: 1, a: null}\ne: []\nf: {}\n"
    )


def test_the_skeleton_is_never_squeezed() -> None:
    data = {"interactions": [{"response": {"ms": [1], "frames": [{"tree": "a"}, {"cli": {"type": "x"}}]}}]}
    assert canonical.dumps(data) == (
        "interactions:\n- response:\n    ms: [1]\n    frames:\n    - {tree: a}\n    - cli: {type: x}\n"
    )


def test_prose_is_folded_at_its_sentences() -> None:
    text = "This is the first sentence. Here is another one: with a colon! " + "and once more " * 8 + "it ends."
    assert canonical.dumps({"text": text}) == (
        "text: >-\n"
        "  This is the first sentence.\n"
        "  Here is another one:\n"
        "  with a colon!\n"
        "  and once more and once more and once more and once more and once more and once more and once more and once\n"
        "  more it ends.\n"
    )


def test_a_change_of_one_sentence_changes_one_line() -> None:
    sentences = [f"This is sentence number {number}." for number in range(20)]
    before = canonical.dumps({"text": " ".join(sentences)}).splitlines()
    sentences[7] = "This one is new and longer than it was."
    after = canonical.dumps({"text": " ".join(sentences)}).splitlines()
    assert [line for line in after if line not in before] == ["  This one is new and longer than it was."]
    assert len(after) == len(before)


def test_text_with_control_characters_keeps_its_lines() -> None:
    text = "\x1b[31mred\x1b[0m\n  indented\nplain text that makes it longer than one short line is"
    assert canonical.dumps({"text": text}) == (
        'text: "\\u001b[31mred\\u001b[0m\\n\\\n'
        "  \\  indented\\n\\\n"
        '  plain text that makes it longer than one short line is"\n'
    )


def test_whole_numbers_stand_twenty_to_a_line() -> None:
    text = canonical.dumps({"ms": list(range(1000, 1045))})
    assert [line.count(",") for line in text.splitlines()] == [20, 20, 4]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": [1, {"b": math.inf}]}, "inf is not a JSON number, at a.1.b"),
        ({"a": math.nan}, "nan is not a JSON number, at a"),
        ({"a": b"x"}, "bytes is not JSON data, at a"),
        ({"a": (1,)}, "tuple is not JSON data, at a"),
        ({"a": {1: 2}}, "int is not JSON data, at a key of a"),
        ({"a": "\ud83d"}, "half a surrogate pair in the text at a"),
        ({"a": 10**5000}, "a number of more than 4000 digits at a"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(data: dict, message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        canonical.dumps(data)
    assert str(caught.value) == message


def test_depth_is_bounded_as_it_is_for_the_loader() -> None:
    def nested(levels: int) -> dict:
        data: dict = {}
        for _ in range(levels - 1):
            data = {"a": data}
        return data

    agree(nested(canonical.MAX_DEPTH))
    with pytest.raises(ValueError, match=r"^nested deeper than 64 levels at a(\.a)+$"):
        canonical.dumps(nested(canonical.MAX_DEPTH + 1))
    with pytest.raises(ValueError, match=r"^nested deeper than 64 levels at "):
        canonical.dumps(nested(100_000))
