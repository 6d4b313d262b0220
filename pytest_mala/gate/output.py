"""Make a check's output fit to be kept: names for this run's paths, no durations or addresses, bounded length."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mala.session.transcript.lines import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEAD_LINES", "TAIL_LINES", "last_lines", "readable", "steady_output"]

HEAD_LINES, TAIL_LINES = 40, 120
"""Of a longer output the middle is left out, and said so: tools sum up at the end."""

# `3 passed in 0.12s`, `Ran 3 tests in 0.001s`, `in 61.02s (0:01:01)`; figures elsewhere may be what a test is about
_DURATION = re.compile(r"\bin \d+(?:\.\d+)? ?(s|sec|secs|seconds)\b(?: \(\d+:\d\d:\d\d\))?")
_BAR = re.compile(r"^=+ (.* in 0\.00(?:s|sec|secs|seconds)) =+$", re.MULTILINE)
_DOLLAR = r"\$(?=\{)"
_LITERAL_DOLLAR = "${$}"
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")


def steady_output(text: str, names: Mapping[str, str]) -> str:
    r"""The output as a cassette keeps it: two runs of the same check on the same tree give the same text.

    `names` maps this run's values, such as paths, to what stands for them; the longest value wins. A `$` that the check
    itself wrote before a brace becomes `${$}`, as in a cassette, so that it is never taken for one of our names.

    >>> steady_output("/tmp/x/ws/a.py:1: E501\r\n1 failed in 0.12s\n", {"/tmp/x/ws": "${WORKSPACE}"})
    '${WORKSPACE}/a.py:1: E501\n1 failed in 0.00s'
    """
    longest_first = sorted(filter(None, names), key=lambda value: (-len(value), value))
    known = re.compile("|".join([_DOLLAR, *map(re.escape, longest_first)]))
    text = known.sub(lambda found: names.get(found[0], _LITERAL_DOLLAR), text)
    text = _DURATION.sub(r"in 0.00\1", text.replace("\r\n", "\n"))
    text = _ADDRESS.sub("at 0x...", _BAR.sub(r"=== \1 ===", text))
    return "\n".join(bounded(text.strip("\n").split("\n"), head=HEAD_LINES, tail=TAIL_LINES))


def last_lines(output: str, count: int) -> list[str]:
    """The last lines of an output, with a first line that says how many are not shown; none of an empty output."""
    lines = output.split("\n") if output.strip() else []
    left_out = len(lines) - count  # not `bounded`: the lines were cut when they were kept, and say by how much
    return [f"... ({left_out} lines left out)", *lines[-count:]] if left_out > 1 else lines


def readable(output: str) -> str:
    """A kept output for people: names stay, as the paths that they stand for are gone; `${$}{` is `${` again."""
    return output.replace(_LITERAL_DOLLAR, "$")
