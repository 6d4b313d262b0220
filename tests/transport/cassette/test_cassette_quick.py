"""The quick reader: what canonical text says, and never anything else than the strict one says."""

from __future__ import annotations

import json
from random import Random

import pytest
from cassette_examples import recorded
from cassette_values import NASTY

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import canonical, dump, strict
from pytest_mala.transport.cassette.quick import NotCanonicalError, quick_list, quick_mapping

PIECES = [
    *(
        "\n",
        " ",
        "  ",
        "- ",
        "-",
        ": ",
        ":",
        ", ",
        ",",
        "[",
        "]",
        "{",
        "}",
        '"',
        "\\",
        "#",
        " #",
        "&a ",
        "*a",
        "!a ",
        "|",
        "|-",
    ),
    *(
        "|+",
        "|2",
        ">-",
        ">",
        "? ",
        "no",
        "null",
        "true",
        "1",
        "0",
        "1e5",
        "-",
        ".",
        "~",
        "\t",
        "\\ud83d",
        "\\/",
        "'",
        "%",
        "@",
    ),
    *(
        "\x85",
        "\u2028",
        "\x7f",
        "\ufeff",
        "\x00",
        "é",
        "\n\n",
        "\n  ",
        "\n    ",
        "\n---\n",
        "\n...\n",
        "\\n\\\n",
        "a: b",
    ),
]


def same(one: object, other: object) -> bool:
    """Equal with types and order: to Python, true, 1 and 1.0 are equal."""
    return json.dumps(one) == json.dumps(other)


def agrees(text: str) -> bool:
    """Whether the quick reader could read it; if so, the strict one must read the same."""
    try:
        found = quick_list(text.encode(), 0)
    except NotCanonicalError:
        return False
    assert same(found, strict.load(text + "...\n", "x"))
    return True


def items(*data: object) -> str:
    return canonical.dumps({"frames": list(data)}).removeprefix("frames:\n")


def frame_texts() -> list[str]:
    """Items as they stand in files: of a real session, and of texts that readers stumble over."""
    frames = recorded("two").takes[0].interactions[1].response["frames"]
    nasty = [{"cli": {"type": "x", "inside": {"text": text, "list": [text, {text: 1}]}}} for text in NASTY]
    return [text for text in (items(one) for one in (*frames, *nasty)) if len(text) < 3000]


def test_canonical_text_is_read_as_the_strict_reader_reads_it() -> None:
    read = [agrees(text) for text in frame_texts()]
    assert read.count(True) > 0.7 * len(read)


def changed(text: str, random: Random) -> str:
    """The text after something was done to it that a hand or a broken disk could do, mostly at ends of lines."""
    at = random.randrange(len(text))
    if random.random() < 0.5:
        at = max(0, min(len(text) - 1, text.find("\n", at) + random.randint(-3, 8)))
    lines = text.split("\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            return text[:at] + random.choice(PIECES) + text[at:]
        case 1:
            return text[:at] + text[at + random.randint(1, 4) :]
        case 2:
            return text[:at] + random.choice(PIECES) + text[at + random.randint(1, 4) :]
        case 3:
            lines.insert(other, lines[one])
        case _:
            lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(4))
def test_changed_text_is_never_read_otherwise(seed: int) -> None:
    random = Random(seed)
    texts = frame_texts()
    read = 0
    for _ in range(5000):
        text = random.choice(texts)
        for _ in range(random.randint(1, 3)):
            text = changed(text, random) or "\n"
        read += agrees(text if text.endswith("\n") else text + "\n")
    assert 500 < read < 4500  # else it would prove little


def test_a_recorded_session_is_read_quickly_to_the_last_line() -> None:
    body = dump(recorded("two")).partition("\n")[2].rpartition("# sha256")[0]
    assert same(quick_mapping(body.encode()), strict.load(body + "...\n", "x"))


@pytest.mark.parametrize(
    "value",
    [
        "one\ntwo\n",
        "one\n\ntwo",
        " one\ntwo\n\n",
        "\none\n",
        "\tone\n\ttwo",
        "Is it prose? It is. " * 9 + "End.",
        [1, 2, 3],
        list(range(90)),
        {"a": [{"b": None}, {"c": True}]},
        [["a long text in a list of lists, so that it needs lines of its own", 1.5]],
        -1.25,
        "no",
        'it\'s "quoted" \\ and so on',
        {"é": "ü"},
    ],
)
def test_every_form_that_is_written_is_read_quickly(value: object) -> None:
    text = items({"cli": {"type": "x", "value": value, "last": 1}}, {"sdk": {}})
    assert agrees(text)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "a: no",
            "a: Yes",
            "a: 1e5",
            "a: 0x1F",
            "a: 01",
            "a: 1_0",
            "a: -",
            "a: ~",
            "a:",
            "a: b: c",
            "a: b #c",
            "a:  b",
        ),
        *("a: 'b'", "a: &x b", "a: *x", "a: !x b", "a: |", "a: >-", "a: [1", "a: [1,2]", "a: {b:1}", "a: {b: 1, b: 2}"),
        *(
            "a: [no]",
            "a: {no: 1}",
            "a: {null: 1}",
            "a: [1.]",
            "a: [a b]",
            "null: 1",
            "on: 1",
            '"a: 1',
            '"a" : 1',
            "? a",
        ),
        *(
            'a: "\\ud83d\\ude00"',
            'a: "\\/"',
            'a: "\\x41"',
            "a: b\u2028",
            "a: b\x85",
            "# a: b",
            "a: [1]  ",
            f"{'k' * 1001}: 1",
        ),
        *(
            f"a: {'9' * 30}",
            f"a: [{'9' * 400}.5]",
            "a: " + "[" * 70 + "]" * 70,
            'a: ["b""c"]',
            "a: b\n    c: d",
            "a: \tb",
        ),
    ],
)
def test_what_is_not_canonical_is_left_to_the_strict_reader(line: str) -> None:
    with pytest.raises(NotCanonicalError):
        quick_list(f"- {line}\n  z: 1\n".encode(), 0)


def test_deep_text_is_left_to_the_strict_reader() -> None:
    text = "- " + "".join(f"{' ' * 2 * level}a:\n" for level in range(1, 40)).lstrip() + " " * 82 + "b: 1\n"
    with pytest.raises(NotCanonicalError):
        quick_list(text.encode(), 0)
    with pytest.raises(CassetteError):
        strict.load("- " * 100_000 + "\n...\n", "x")
