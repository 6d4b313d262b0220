"""Foreign text is made fit to be shown; the examples in the room's docstrings hold."""

from __future__ import annotations

import doctest

import pytest

from pytest_mala.report import failure, summary, text


@pytest.mark.parametrize("module", [failure, summary, text])
def test_the_examples_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", "0;never closed"),
        ("50 %\r100 %\r\n", "50 %\n100 %\n"),
        ("a\x00b\x7fc\x08\x9b\x1b", "abc"),
    ],
)
def test_escapes_and_control_characters_go(raw, shown):
    assert text.plain(raw) == shown


def test_the_tail_of_nothing_is_nothing():
    assert text.tail("", 5) == ("", 0)
    assert text.tail("\n \n", 5) == ("", 0)
    assert text.tail("a\nb\n\n", 5) == ("a\nb", 2)
