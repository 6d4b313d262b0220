"""The loader: JSON data comes through, all else is refused with its line, by libyaml and by the parser in Python."""

from __future__ import annotations

import pytest
import yaml

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import canonical, strict

REFUSED = [
    ("a: 1\na: 2\n...\n", 2, "the key 'a' stands twice in one mapping"),
    ("a: {b: 1, c: 2, b: 1}\n...\n", 1, "the key 'b' stands twice in one mapping"),
    ("a:\n  - !!str 1\n...\n", 2, "a YAML tag (tag:yaml.org,2002:str) is not allowed; a cassette holds JSON data only"),
    (
        "a: !!python/object/apply:os.system [ls]\n...\n",
        1,
        "a YAML tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed; a cassette holds JSON data only",
    ),
    ("a: &x 1\nb: 2\n...\n", 1, "an anchor (&x) is not allowed; write the value out where it is needed"),
    ("a: &x [1]\n...\n", 1, "an anchor (&x) is not allowed; write the value out where it is needed"),
    ("a: 1\nb: *x\n...\n", 2, "an alias (*x) is not allowed; write the value out where it is needed"),
    ("? [a]\n: 1\n...\n", 1, "a key must be a text; here it is a list or a mapping"),
    ("a: 1\n---\nb: 2\n...\n", 2, "the document does not close with `...`"),
    ("a: 1\n...\n---\nb: 2\n...\n", 3, "a second YAML document begins here; a cassette is one document"),
    ("%YAML 1.1\n---\na: 1\n...\n", 1, "YAML directives (%YAML, %TAG) are not allowed"),
    ("a: 1\n", 2, "the document does not close with `...`"),
    ("# nothing\n", None, "holds no YAML document"),
    ("a: no\n...\n", 1, "`no` means different things to YAML readers; put it in double quotes if it is a text"),
    ("yes: 1\n...\n", 1, "`yes` means different things to YAML readers; put it in double quotes if it is a text"),
    ("1: a\n...\n", 1, "`1` means different things to YAML readers; put it in double quotes if it is a text"),
    ("a: -0\n...\n", 1, "`-0` means different things to YAML readers; put it in double quotes if it is a text"),
    ("a: 0x1F\n...\n", 1, "`0x1F` means different things to YAML readers; put it in double quotes if it is a text"),
    (
        "a: 2026-11-24\n...\n",
        1,
        "`2026-11-24` means different things to YAML readers; put it in double quotes if it is a text",
    ),
    ("a: 1_000\n...\n", 1, "`1_000` means different things to YAML readers; put it in double quotes if it is a text"),
    ("a: .inf\n...\n", 1, "`.inf` means different things to YAML readers; put it in double quotes if it is a text"),
    ("a:\n...\n", 1, "an empty value means different things to YAML readers; put it in double quotes if it is a text"),
    ("a: 1e999\n...\n", 1, "`1e999` is too large for a number"),
    (f"a: {'9' * 5000}\n...\n", 1, "a number of 5000 characters is too long"),
    (f"a:\n  {'[' * 65}{']' * 65}\n...\n", 2, "nested deeper than 64 levels"),
    ("a: " + "[" * 100_000 + "\n...\n", 1, "nested deeper than 64 levels"),
    ("a: " + "{a: " * 100_000 + "\n...\n", 1, "nested deeper than 64 levels"),
    ("- " * 100_000 + "\n...\n", 1, "nested deeper than 64 levels"),
]
BROKEN = [
    ("a: 1\nb: é\x07\n...\n", 2),
    ("a: [1\n...\n", 2),
    ('a: "open\n...\n', None),
    ("a: 1\n\tb: 2\n...\n", 2),
    ("a: b: c\n...\n", 1),
]


@pytest.fixture(params=["libyaml", "pure Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    return request.param


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "line", "what"), REFUSED, ids=range(len(REFUSED)))
def test_what_readers_could_take_differently_is_refused(text: str, line: int | None, what: str) -> None:
    with pytest.raises(CassetteError) as caught:
        strict.load(text, "x.yaml")
    assert str(caught.value) == (f"x.yaml: {what}" if line is None else f"x.yaml:{line}: {what}")
    assert caught.value.line == line


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "line"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_not_yaml_is_told_in_the_words_of_the_parser(text: str, line: int | None) -> None:
    with pytest.raises(CassetteError) as caught:
        strict.load(text, "x.yaml")
    assert caught.value.what.startswith("is not YAML: ")
    assert "\n" not in str(caught.value)
    assert line is None or caught.value.line == line


@pytest.mark.usefixtures("parser")
def test_json_data_comes_through() -> None:
    text = 'a: [1, -2.5, 1.0e+3, 1E2, true, false, null, "no", word, two words]\nb: {}\n"c d": |\n  x\n...\n'
    assert strict.load(text, "x.yaml") == {
        "a": [1, -2.5, 1000.0, 100.0, True, False, None, "no", "word", "two words"],
        "b": {},
        "c d": "x\n",
    }
    assert strict.load("--- word\n...\n", "x.yaml") == "word"
    assert strict.load("null\n...\n", "x.yaml") is None


@pytest.mark.usefixtures("parser")
def test_lines_are_found_by_path() -> None:
    data = {"a": {"b": [1, {"c": "x\ny\n", "d": {"e": "z" * 120}}]}, "b": [[1], [[2, "a\nb"]]]}
    text = "# comment\n" + canonical.dumps(data) + "...\n"
    lines = text.splitlines()

    def at(*where: str | int) -> str:
        line = strict.line_of(text, where)
        assert line is not None
        return lines[line - 1].strip()

    assert at() == "a:"
    assert at("a", "b") == "b:"
    assert at("a", "b", 0) == "- 1"
    assert at("a", "b", 1) == "- c: |"
    assert at("a", "b", 1, "d", "e").startswith("e: ")
    assert at("b", 1, 0, 1) == "- |-"
    assert strict.line_of(text, ("a", "z")) is None
