"""Ways to spoil a cassette by chance: its bytes, or its parsed structure; each with a generator that a seed makes."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from token_changes import Token, changed, tokens

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

Data = dict[str, Any]


def spoilt_bytes(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The file after one accident; `other` is another cassette, for a piece of it to get into this one."""
    return rng.choice(_BYTES)(content, other, rng)


def _truncated(content: bytes, other: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _cut_out(content: bytes, other: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.choice([1, 7, 300]) :]


def _flipped(content: bytes, other: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _spliced(content: bytes, other: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(other)) for _ in range(2))
    at = rng.randrange(len(content))
    return content[:at] + other[start : min(end, start + 2000)] + content[at:]


def _lines(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Lines doubled, dropped, swapped or taken from the other file."""
    lines, more = content.splitlines(keepends=True), other.splitlines(keepends=True)
    at, count = rng.randrange(len(lines)), rng.choice([1, 1, 5, 40])
    piece, rest = lines[at : at + count], lines[:at] + lines[at + count :]
    to = rng.randrange(len(rest) + 1)
    return b"".join(
        rng.choice(
            [
                rest,
                lines[:at] + piece + lines[at:],
                rest[:to] + piece + rest[to:],
                lines[:at] + rng.choices(more, k=count) + lines[at:],
            ]
        )
    )


_BYTES = (_truncated, _cut_out, _flipped, _spliced, _lines)


def spoilt_data(data: Data, other: Data, rng: random.Random) -> tuple[str, Data]:
    """The data after one or two changes, and what they were; `other` is that of another cassette."""
    made = copy.deepcopy(data)
    done = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        change = rng.choice(_CHANGES)
        done.append(f"{change.__name__.strip('_')}: {change(made, other, rng)}")
    return "; ".join(done), made


def _with_frames(data: Data) -> list[dict[str, Any]]:
    return [one["response"] for one in data["interactions"] if one["response"].get("frames")]


def _frames(data: Data, rng: random.Random) -> tuple[list[Any], list[int], int]:
    found = _with_frames(data)
    if not found:
        return [{}], [0], 0
    response = rng.choice(found)
    return response["frames"], response["ms"], rng.randrange(len(response["frames"]))


def _drop_frame(data: Data, other: Data, rng: random.Random) -> Any:
    frames, ms, at = _frames(data, rng)
    ms.pop(at)
    return frames.pop(at)


def _double_frame(data: Data, other: Data, rng: random.Random) -> Any:
    frames, ms, at = _frames(data, rng)
    frames.insert(at, copy.deepcopy(frames[at]))
    ms.insert(at, ms[at])
    return frames[at]


def _swap_frames(data: Data, other: Data, rng: random.Random) -> Any:
    frames, _, at = _frames(data, rng)
    to = rng.randrange(len(frames))
    frames[at], frames[to] = frames[to], frames[at]
    return at, to


def _move_frame(data: Data, other: Data, rng: random.Random) -> Any:
    frames, ms, at = _frames(data, rng)
    return _put(data, frames.pop(at), ms.pop(at), rng)


def _splice_frame(data: Data, other: Data, rng: random.Random) -> Any:
    frames, ms, at = _frames(other, rng)
    item = {key: value for key, value in frames[at].items() if key != "shared"}
    return _put(data, copy.deepcopy(item), ms[at], rng)


def _put(data: Data, item: Any, ms: int, rng: random.Random) -> Any:
    index = rng.randrange(len(data["interactions"]))
    response = data["interactions"][index]["response"]
    frames = response.setdefault("frames", [])
    at = rng.randrange(len(frames) + 1)
    frames.insert(at, item)
    response.setdefault("ms", []).insert(at, ms)
    return index, at, item


def _other_kind_of_frame(data: Data, other: Data, rng: random.Random) -> Any:
    frames, _, at = _frames(data, rng)
    kind = next(iter(key for key in frames[at] if key != "shared"), "cli")
    to = rng.choice([one for one in ("cli", "sdk", "trailing") if one != kind])
    frames[at] = {to if key == kind else key: value for key, value in frames[at].items()}
    return at, kind, to


def _new_frame(data: Data, other: Data, rng: random.Random) -> Any:
    item = rng.choice([{"decision": "idle"}, {"decision": "x"}, {"tree": "1" * 40}, {"cli": {"type": "system"}}])
    return _put(data, item, 1, rng)


def _drop_interaction(data: Data, other: Data, rng: random.Random) -> Any:
    return data["interactions"].pop(rng.randrange(len(data["interactions"])))["request"]["uri"]


def _double_interaction(data: Data, other: Data, rng: random.Random) -> Any:
    at = rng.randrange(len(data["interactions"]))
    made = copy.deepcopy(data["interactions"][at])
    if rng.random() < 0.5:
        made["request"]["uri"] = _next_place(made["request"]["uri"])
    data["interactions"].insert(rng.randrange(len(data["interactions"]) + 1), made)
    return made["request"]["uri"]


def _next_place(uri: str) -> str:
    head, _, last = uri.rpartition("/")
    return f"{head}/{int(last) + 1}" if last.isdigit() else f"{uri}/2"


def _swap_interactions(data: Data, other: Data, rng: random.Random) -> Any:
    each = data["interactions"]
    at, to = rng.randrange(len(each)), rng.randrange(len(each))
    each[at], each[to] = each[to], each[at]
    return at, to


def _splice_interaction(data: Data, other: Data, rng: random.Random) -> Any:
    made = copy.deepcopy(rng.choice(other["interactions"]))
    made["request"]["uri"] = made["request"]["uri"].replace(other["mala"]["issue"], data["mala"]["issue"])
    for item in made["response"].get("frames", []):
        item.pop("shared", None)
    data["interactions"].insert(rng.randrange(len(data["interactions"]) + 1), made)
    return made["request"]["uri"]


def _change_place(data: Data, other: Data, rng: random.Random) -> Any:
    request = rng.choice(data["interactions"])["request"]
    numbers = [at for at, letter in enumerate(request["uri"]) if letter.isdigit() and at > len("claude-sdk://calc-1/1")]
    at = rng.choice(numbers or [len(request["uri"]) - 1])
    request["uri"] = request["uri"][:at] + str(rng.randrange(10)) + request["uri"][at + 1 :]
    return request["uri"]


def _change_method(data: Data, other: Data, rng: random.Random) -> Any:
    request = rng.choice(data["interactions"])["request"]
    request["method"] = rng.choice(["CONNECT", "QUERY", "CONTROL", "END", "TREE", "GATE", "REVIEW"])
    return request["uri"], request["method"]


def _change_said(data: Data, other: Data, rng: random.Random) -> Any:
    token = rng.choice([*tokens(data["interactions"])] or [Token("none", ("mala", "issue"), None, "word", (0, 4))])
    return token, changed(data["interactions"], token, rng)


def _change_value(data: Data, other: Data, rng: random.Random) -> Any:
    """Any value of the file."""
    return _change_one(data, rng)


def _change_inbound(data: Data, other: Data, rng: random.Random) -> Any:
    frames, _, at = _frames(data, rng)
    return _change_one(frames[at], rng)


def _change_response(data: Data, other: Data, rng: random.Random) -> Any:
    """Trees, gates, ends and decisions of the lifecycle."""
    found = [one for one in data["interactions"] if one["response"] and not one["response"].get("frames")]
    return _change_one(rng.choice(found)["response"], rng) if found else None


def _change_one(root: Any, rng: random.Random) -> Any:
    found = [*_leaves(root, ())]
    if not found:
        return None
    where, value = rng.choice(found)
    parent = root
    for step in where[:-1]:
        parent = parent[step]
    if rng.random() < 0.15:
        del parent[where[-1]]
        return where, "dropped"
    others = [
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        "",
        "x",
        "${WORKSPACE}",
        "../x",
        "\x1b[31m",
        [],
        {},
        [value],
        {"a": value},
    ]
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        others += [value[:at] + letter + value[at + 1 :] for letter in "x0 -\n"] * 2 + [value * 2, value[:at]]
    elif isinstance(value, int):
        others += [value + 1, -value, value * 1000, str(value)] * 2
    parent[where[-1]] = rng.choice(others)
    return where, value, parent[where[-1]]


def _leaves(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*where, key))
    elif where:
        yield where, value


_CHANGES: tuple[Callable[[Data, Data, random.Random], Any], ...] = (
    _drop_frame,
    _double_frame,
    _swap_frames,
    _move_frame,
    _splice_frame,
    _other_kind_of_frame,
    _new_frame,
    _drop_interaction,
    _double_interaction,
    _swap_interactions,
    _splice_interaction,
    _change_place,
    _change_method,
    _change_said,
    _change_value,
    _change_inbound,
    _change_inbound,
    _change_response,
    _change_response,
)


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
