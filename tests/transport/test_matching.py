"""Comparing with what was recorded: which prompt it is, how like it is, and what loose matching leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import BY_NAME, Tape

from pytest_mala.transport.compare import alike
from pytest_mala.transport.loose import loosened
from pytest_mala.transport.matching import Matching
from pytest_mala.transport.names import Names
from pytest_mala.transport.scrub import Likeness

if TYPE_CHECKING:
    from pytest_mala.transport.takes import Step

LOOSELY = (
    "ignored in the comparison: ids, times, durations, hashes of 7 to 12 or 40 digits, temporary and home folders, "
    "colours, blanks at line ends"
)


def frame(text: str, session: str = "default") -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": text}, "session_id": session}


class Prompts:
    """A take with these prompts, and what is said about sending others."""

    def __init__(self, *texts: str, is_loose: bool = False) -> None:
        tape = Tape().connect()
        for text in texts:
            tape.prompt(text).result()
        script = tape.end().script()
        self.steps = [step for step in script.connections[0].steps if step.kind == "query"]
        self.matching = Matching(script, Names({"WS": "/ws/one"}), Likeness({}), is_loose=is_loose)

    def sent(self, turn: int, text: str, session: str = "default") -> list[str]:
        step: Step = self.steps[turn - 1]
        found = self.matching.prompt(step, frame(text, session))
        return [found.what, *found.detail.splitlines()] if found is not None else []


WRONG = "the prompt is not what was recorded"


def test_a_prompt_of_a_later_turn() -> None:
    assert Prompts("one", "two").sent(1, "two") == [
        WRONG,
        "this is the prompt of turn 2, sent as turn 1",
        BY_NAME.strip(),
    ]


def test_a_prompt_that_was_sent_already() -> None:
    prompts = Prompts("one", "two\nlines")
    assert prompts.sent(1, "one") == []
    assert prompts.sent(2, "one") == [
        WRONG,
        "this is the prompt of turn 1 once more, which was played already",
        "recorded: 'two lines'",
        BY_NAME.strip(),
    ]


def test_the_closest_one_may_stand_elsewhere() -> None:
    prompts = Prompts("Fix the bug in add().", "Now write a test for it, please.")
    assert prompts.sent(1, "Now write a good test for it, please.") == [
        WRONG,
        "Now write a{+ good+} test for it, please.",
        "closest recorded prompt: that of turn 2, 94 % of the words alike",
        BY_NAME.strip(),
    ]


def test_the_place_itself_wins_ties() -> None:
    assert Prompts("say a", "say b").sent(2, "say c")[2] == (
        "closest recorded prompt: this one, 67 % of the words alike"
    )


def test_one_word_of_a_thousand_is_never_all_alike() -> None:
    words = "word " * 1000
    assert (
        Prompts(words + "one").sent(1, words + "two")[2] == "closest recorded prompt: this one, 99 % of the words alike"
    )


def test_only_other_words_in_the_right_place_are_stale() -> None:
    prompts = Prompts("one", "two")
    step = prompts.steps[0]
    told = [prompts.matching.prompt(step, frame(*each)) for each in (("x", "default"), ("x", "s"), ("two", "default"))]
    assert [one is not None and one.is_stale for one in told] == [True, False, False]


def test_known_values_count_by_name_in_both_ways_of_matching() -> None:
    for is_loose in (False, True):
        assert Prompts("Work in ${WS} now", is_loose=is_loose).sent(1, "Work in /ws/one now") == []


def test_loose_matching_says_what_it_ignores() -> None:
    prompts = Prompts("See /tmp/a at 2026-01-01 10:00", is_loose=True)
    assert prompts.sent(1, "See /tmp/b/c.txt at 2027-01-01 11:11") == []
    assert prompts.sent(1, "Read /tmp/b/c.txt at 2027-01-01 11:11") == [
        WRONG,
        "[-See-]{+Read+} <tmp> at <time>",
        "closest recorded prompt: this one, 91 % of the words alike",
        LOOSELY,
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("id 9d5ee1a4-1111-4000-8000-00000000000a", "id 00000000-0000-4000-8000-000000000001"),
        ("toolu_01Ab msg_x9 req_7", "toolu_2 msg_y req_011CQ"),
        ("at 2026-01-01T00:00:00.123Z", "at 2027-12-31 23:59:59+02:00"),
        ("see /tmp/a/b.txt, or so", "see /var/folders/xy/T/c, or so"),
        ("in /home/me/src/a.py", "in /Users/you/src/a.py"),
        ("commit 1f3a9c2", "commit 0a1b2c3d4e5f"),
        ("commit " + "1" * 39 + "a", "commit " + "b" * 40),
        ("took 1.5 s", "took 300ms"),
        ("3 minutes", "12 min"),
        ("end  \nnext\t", "end\nnext"),
    ],
)
def test_what_loose_matching_takes_for_equal(one: str, other: str) -> None:
    assert one != other
    assert loosened(one) == loosened(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("defaced", "effaced"),  # words, though made of hexadecimal digits
        ("add 1234567", "add 7654321"),
        ("3 apples", "4 apples"),
        ("src/tmp/a", "src/tmp/b"),
        ("/home/me/a.py", "/home/me/b.py"),
        ("Acceptance", "Acceptance criteria"),
        ("version 2.1", "version 2.2"),
        ("the 3 steps", "the 4 steps"),
    ],
)
def test_what_loose_matching_still_tells_apart(one: str, other: str) -> None:
    assert loosened(one) != loosened(other)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("", "", 1.0),
        ("a", "a", 1.0),
        ("a", "", 0.0),
        ("a", "b", 0.0),
        ("a b", "a b a b", 6 / 10),
        ("a b c", "a x c", 0.8),
    ],
)
def test_how_much_of_two_texts_is_alike(one: str, other: str, share: float) -> None:
    assert alike(one, other) == pytest.approx(share)


def test_long_texts_are_bounded() -> None:
    """Two different texts of this size would take minutes word by word."""
    assert alike("a b c d " * 5000, "e f g h " * 5000) == pytest.approx(0.5)
