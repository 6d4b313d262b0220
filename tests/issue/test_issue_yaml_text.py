"""YAML text becomes nodes, the same whether libyaml is there or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pytest_mala
from pytest_mala.issue.front_matter import FrontMatterError
from pytest_mala.issue.nodes import Entry, ListNode, MapNode, TextNode, describe, quoted
from pytest_mala.issue.yaml_text import read_nodes

EVERYTHING = """\
plain: 0012  # not eight
quoted: '1'
"double": "\\u00e9\\n"
nothing:
null: null
block: |
  a
  b
folded: >-
  a
  b
list: [a, ~, {b: c}]
😀: [
  x,
]
"""


def test_scalars_keep_their_text_and_everything_its_line() -> None:
    assert read_nodes(EVERYTHING, first_line=2) == MapNode(
        line=2,
        entries=(
            Entry(name="plain", line=2, value=TextNode(text="0012", line=2)),
            Entry(name="quoted", line=3, value=TextNode(text="1", line=3, plain=False)),
            Entry(name="double", line=4, value=TextNode(text="é\n", line=4, plain=False)),
            Entry(name="nothing", line=5, value=TextNode(text="", line=5)),
            Entry(name="null", line=6, value=TextNode(text="null", line=6)),
            Entry(name="block", line=7, value=TextNode(text="a\nb\n", line=7, plain=False)),
            Entry(name="folded", line=10, value=TextNode(text="a b", line=10, plain=False)),
            Entry(
                name="list",
                line=13,
                value=ListNode(
                    line=13,
                    items=(
                        TextNode(text="a", line=13),
                        TextNode(text="~", line=13),
                        MapNode(line=13, entries=(Entry(name="b", line=13, value=TextNode(text="c", line=13)),)),
                    ),
                ),
            ),
            Entry(name="😀", line=14, value=ListNode(line=14, items=(TextNode(text="x", line=15),))),
        ),
    )


WRONG = ("a: b: c", "a: [b", "a: @", "a: \x07", 'a: "\\U00110000"', 'a: "\\UFFFFFFFF"', "a: *b", "a: 1\na: 2", "[" * 11)


def _outcome(text: str) -> str:
    try:
        return ascii(read_nodes(text))
    except FrontMatterError as error:
        return ascii((error.line, error.what))


def test_libyaml_and_plain_python_give_the_same_nodes_and_the_same_words() -> None:
    """The other half runs in a process of its own, where PyYAML has no C loader."""
    code = (
        f"import sys; sys.path[:0] = {[str(Path(pytest_mala.__file__).parents[1]), str(Path(__file__).parent)]!r}\n"
        "import yaml; vars(yaml).pop('CSafeLoader', None)\n"
        "from test_issue_yaml_text import EVERYTHING, WRONG, _outcome\n"
        "print(*map(_outcome, (EVERYTHING, *WRONG)), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [_outcome(text) for text in (EVERYTHING, *WRONG)]


@pytest.mark.parametrize("escape", ["\\U00110000", "\\UFFFFFFFF"])
def test_an_escape_beyond_unicode_is_told_with_its_line(escape: str) -> None:
    assert _outcome(f'a: 1\nb: "{escape}"') == "(2, 'not valid YAML: an escape names no Unicode character')"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment"])
def test_text_without_a_document_is_none(text: str) -> None:
    assert read_nodes(text) is None


def test_nesting_up_to_the_bound_is_read_and_one_more_is_refused() -> None:
    assert read_nodes("[" * 10 + "]" * 10) is not None
    with pytest.raises(FrontMatterError, match=r"^nested too deeply: expected at most 10 levels$"):
        read_nodes("[" * 11 + "]" * 11)


def test_a_line_separator_inside_a_text_does_not_move_the_lines_below() -> None:
    with pytest.raises(FrontMatterError) as caught:
        read_nodes('a: "x\u2028y"\nb: *c\n')
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (TextNode(text="", line=1), "nothing"),
        (TextNode(text="", line=1, plain=False), "''"),
        (TextNode(text="null", line=1), "null"),
        (TextNode(text="null", line=1, plain=False), "'null'"),
        (TextNode(text="a\nb", line=1), "'a\\nb'"),
        (ListNode(items=(), line=1), "a list"),
        (MapNode(entries=(), line=1), "a mapping"),
    ],
)
def test_a_node_is_described_on_one_line(node, words: str) -> None:
    assert describe(node) == words


def test_a_long_text_is_cut() -> None:
    assert quoted("a" * 60) == repr("a" * 60)
    assert quoted("a" * 61) == repr("a" * 57 + "...")
