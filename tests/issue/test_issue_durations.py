"""Durations as people write them, and what is none."""

from __future__ import annotations

import pytest

from pytest_mala.issue.durations import is_bare_number, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1h30m", 5400.0),
        ("1h0m5s", 3605.0),
        ("1h5s", 3605.0),
        ("0.5s", 0.5),
        ("1.5h", 5400.0),
        ("0s", 0.0),
        ("007m", 420.0),
    ],
)
def test_a_duration_is_numbers_with_falling_units(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "1:30", "s", "5 m", " 5m", "5m ", "5M", "-5m", "+5m", "30m1h", "1m1m", "5d", "5ms", "1e3s", ".5s", "5.s",
     "٥m", "1_0s", "soon", "5m\n", "1234567890s"],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert parse_seconds(text) is None


@pytest.mark.parametrize(("text", "answer"), [("5", True), ("0.5", True), ("5s", False), ("", False), ("1:30", False)])
def test_a_bare_number_has_no_unit(text: str, answer: bool) -> None:
    assert is_bare_number(text) is answer
