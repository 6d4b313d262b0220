"""How a recorded text and this run's text differ, in words a person can act on (design D7)."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["alike", "json_difference", "word_diff"]

_WORDS = re.compile(r"\s+|[\w$]+|[^\w\s]")
_CONTEXT_WORDS = 8
_MOST_HUNKS = 5
_EXACT_MAX = 500 * 500
"""Words (and gaps) of one text times those of the other, up to which every word is worth to be matched."""

_ROUGH_MAX = 10_000
"""Words of the longer text from which on nothing is matched: two different texts of that size would take minutes."""

_LONG_TEXT = 60
"""Characters from which on two texts with several words are shown by their changed words, not one after the other."""

_SHOWN_START, _SHOWN_END = 1500, 300


def word_diff(recorded: str, now: str) -> str:
    """The changed words with a little of what stands around them: `[-recorded-]` `{+this run+}`; empty when nothing
    differs.

    >>> word_diff("Fix the bug.", "Fix the small bug!")
    'Fix the {+small +}bug[-.-]{+!+}'
    """
    before, after = _around_the_difference(_WORDS.findall(recorded), _WORDS.findall(now))
    hunks = [_hunk(group, before, after) for group in _groups(before, after)]
    left_out = [f"... and {len(hunks) - _MOST_HUNKS} more places"] if len(hunks) > _MOST_HUNKS else []
    return "\n".join([*hunks[:_MOST_HUNKS], *left_out])


def alike(recorded: str, now: str) -> float:
    """How much of the words of both texts is the same, in the same order, from 0 to 1; of long texts that differ
    in much of their length it is the most that it can be.

    >>> round(alike("Fix the bug in a.py", "Fix the bug in b.py"), 2)
    0.91
    """
    before, after = _WORDS.findall(recorded), _WORDS.findall(now)
    words = len(before) + len(after)
    start = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    if start is None:
        return 2 * min(len(before), len(after)) / words if words else 1.0
    rest = min(len(before), len(after)) - start
    end = next((at for at in range(rest) if before[-1 - at] != after[-1 - at]), rest)
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    ratio = matcher.ratio() if len(before) * len(after) <= _EXACT_MAX else matcher.quick_ratio()
    return (2 * (start + end) + ratio * (len(before) + len(after))) / words


def _around_the_difference(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """Both without what they have in common at start and end, but for the context that is shown."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = next((at for at in range(shorter - start) if before[-1 - at] != after[-1 - at]), shorter - start)
    first, last = max(0, start - 2 * _CONTEXT_WORDS), max(0, end - 2 * _CONTEXT_WORDS)
    return before[first : len(before) - last], after[first : len(after) - last]


def _groups(before: list[str], after: list[str]) -> Iterable[list[tuple[str, int, int, int, int]]]:
    if max(len(before), len(after)) > _ROUGH_MAX:
        return [[("replace", 0, len(before), 0, len(after))]]
    is_small = len(before) * len(after) <= _EXACT_MAX
    # in larger texts the words that stand everywhere are no anchors: matching them costs the cube of the length
    return difflib.SequenceMatcher(None, before, after, autojunk=not is_small).get_grouped_opcodes(2 * _CONTEXT_WORDS)


def _hunk(group: list[tuple[str, int, int, int, int]], before: list[str], after: list[str]) -> str:
    parts = []
    for tag, a, b, c, d in group:
        if tag == "equal":
            parts.append("".join(before[a:b]))
            continue
        if b > a:
            parts.append("[-" + _cut("".join(before[a:b])) + "-]")
        if d > c:
            parts.append("{+" + _cut("".join(after[c:d])) + "+}")
    return "".join(parts).strip()


def _cut(text: str) -> str:
    left_out = len(text) - _SHOWN_START - _SHOWN_END
    if left_out <= 0:
        return text
    return f"{text[:_SHOWN_START]} ... ({left_out:,} more characters) ... {text[-_SHOWN_END:]}"


def json_difference(recorded: Any, now: Any) -> str:
    """Where two JSON values differ, first places first, each as `path: recorded ..., now ...`, or with a word diff of
    two longer texts; empty when they are equal.

    >>> json_difference({"a": [1, 2]}, {"a": [1, 3], "b": None})
    '$.a[1]: recorded 2, now 3; $.b: only now (None)'
    """
    found = list(itertools.islice(_differences(recorded, now, "$"), _MOST_HUNKS + 1))
    return "; ".join([*found[:_MOST_HUNKS], *(["..."] if len(found) > _MOST_HUNKS else [])])


def _differences(recorded: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        for key in sorted({*recorded, *now}):
            if key not in now:
                yield f"{path}.{key}: only recorded ({_short(recorded[key])})"
            elif key not in recorded:
                yield f"{path}.{key}: only now ({_short(now[key])})"
            else:
                yield from _differences(recorded[key], now[key], f"{path}.{key}")
    elif isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        for number, (one, other) in enumerate(zip(recorded, now, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif _is_long(recorded) and _is_long(now) and recorded != now:
        yield f"{path}: {word_diff(recorded, now)}"
    elif recorded != now or type(recorded) is not type(now) or _sign(recorded) != _sign(now):
        yield f"{path}: recorded {_short(recorded)}, now {_short(now)}"


def _sign(value: Any) -> float:
    """Of a float: to Python, 0.0 and -0.0 are equal."""
    return math.copysign(1, value) if isinstance(value, float) else 0.0


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _LONG_TEXT and " " in value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
