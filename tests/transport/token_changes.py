"""Every token of every outbound text of a take, and ways to change one: a word, a digit, a sign, a number, a key.

What is changed is the recorded side, as if the run said something else than it did then.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

_TOKENS = re.compile(
    r"(?P<hex>(?<![0-9A-Za-z])(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,}(?![0-9A-Za-z]))"
    r"|(?P<digit>[0-9])|(?P<word>[^\W\d_]+)|(?P<sign>[-+])|(?P<space>\s)|(?P<mark>[^\w\s]|_)"
)
_OTHER_WORDS = ("another", "None", "x", "ID", "Zwölf")


@dataclass(frozen=True, slots=True)
class Token:
    """A place in the data of a cassette's interactions; `inside` leads on in a text that is JSON, `span` in a text."""

    kind: str
    where: tuple[str | int, ...]
    inside: tuple[str | int, ...] | None
    what: str
    span: tuple[int, int] = (0, 0)

    @property
    def is_text(self) -> bool:
        """Not a key, a list, or a value of JSON that is no text."""
        return self.what in _OTHER_TEXT

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} at {self.where} {self.inside or ''} {self.span}"


def tokens(interactions: Sequence[Mapping[str, Any]]) -> Iterator[Token]:
    """What the run says, token by token."""
    asked: dict[str, str] = {}
    for index, one in enumerate(interactions):
        request, frames = one["request"], one["response"].get("frames", [])
        at = (index, "request")
        for name in request["headers"]:
            if name != "id":  # of a control request: each run has ids of its own
                yield from _text(name, (*at, "headers", name, 0), None, request["headers"][name][0])
        if request["method"] == "CONTROL":
            yield from _json("control request", (*at, "body"), (), json.loads(request["body"]))
        elif request["method"] in ("CONNECT", "QUERY"):
            kind = "option" if request["method"] == "CONNECT" else "prompt"
            yield from _text(kind, (*at, "body"), None, request["body"])
        for number, item in enumerate(frames):
            frame = item.get("cli") or item.get("trailing") or {}
            if frame.get("type") == "control_request":
                asked[frame["request_id"]] = frame["request"]["subtype"]
            if "sdk" in item:
                answer = item["sdk"]["response"]
                kind = f"answer to {asked.get(answer['request_id'])}"
                yield from _json(kind, (index, "response", "frames", number, "sdk", "response"), None, answer)


def _json(kind: str, where: tuple[str | int, ...], inside: tuple[str | int, ...] | None, value: Any) -> Iterator[Token]:
    """`inside` is None where the value itself stands in the data."""
    if isinstance(value, str):
        yield from _text(kind, where, inside, value)
    elif isinstance(value, dict | list) and value:
        yield Token(kind, where, inside, "key" if isinstance(value, dict) else "list")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if inside is None:
                yield from _json(kind, (*where, key), None, item)
            else:
                yield from _json(kind, where, (*inside, key), item)
    else:
        yield Token(kind, where, inside, type(value).__name__)


def _text(kind: str, where: tuple[str | int, ...], inside: tuple[str | int, ...] | None, text: str) -> Iterator[Token]:
    found = False
    for match in _TOKENS.finditer(text):
        found = True
        assert match.lastgroup is not None
        yield Token(kind, where, inside, match.lastgroup, match.span())
    if not found:
        yield Token(kind, where, inside, "empty")


def choose(found: Mapping[str, Sequence[Token]], count: int, rng: random.Random) -> list[tuple[str, Token]]:
    """So many of the tokens by name of take, each kind of text and of token in each take in turn."""
    groups: dict[tuple[str, str, str], list[Token]] = defaultdict(list)
    for name, each in sorted(found.items()):
        for token in each:
            groups[name, token.kind, token.what].append(token)
    for each in groups.values():
        rng.shuffle(each)
    chosen: list[tuple[str, Token]] = []
    names = list(groups)
    rng.shuffle(names)
    while len(chosen) < count:
        for group in names:
            if groups[group] and len(chosen) < count:
                chosen.append((group[0], groups[group].pop()))
    return chosen


def changed(interactions: list[Any], token: Token, rng: random.Random) -> tuple[Any, Any]:
    """Change the token in place; what the value was and what it is."""
    *way, last = token.where
    parent: Any = interactions
    for step in way:
        parent = parent[step]
    if token.inside is None:
        before, after = parent[last], _other(parent[last], token, rng)
        parent[last] = after
        return before, after
    whole = json.loads(parent[last])
    if not token.inside:
        before, after = whole, _other(whole, token, rng)
        parent[last] = _written(after)
        return before, after
    *way, name = token.inside
    inner = whole
    for step in way:
        inner = inner[step]
    before, after = inner[name], _other(inner[name], token, rng)
    inner[name] = after
    parent[last] = _written(whole)
    return before, after


def _written(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def _other(value: Any, token: Token, rng: random.Random) -> Any:
    if isinstance(value, str):
        start, end = token.span
        return value[:start] + _OTHER_TEXT[token.what](value[start:end], rng) + value[end:]
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(name for name in value if value[name] is not None))  # the CLI takes null as nothing
        kept = {name: item for name, item in value.items() if name != key}
        return rng.choice(
            [kept, {**kept, key + "s": value[key]}, {**value, f"{key}2": 1}, {**value, key: [value[key]]}]
        )
    if isinstance(value, list) and value:
        others = [value[1:], [*value, value[-1]], [*value, None], value[1:] + value[:1]]
        return rng.choice([one for one in others if one != value])
    return rng.choice(_other_scalars(value))


def _other_scalars(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value, int(value), float(value), str(value).lower(), None]
    if isinstance(value, int):
        return [value + 1, -value or -0.0, float(value), str(value), bool(value), value * 10 or [0]]
    if isinstance(value, float):
        return [value + 1, -value, value * (1 + 2**-50) or 5e-324, int(value), str(value)]
    others: list[Any] = [None, "", 0, False, [], {}, "null"]
    return [one for one in others if type(one) is not type(value)]


def _word(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    letter = "x" if word[at] != "x" else "y"
    swapped = word.swapcase()
    return rng.choice(
        [
            rng.choice([other for other in _OTHER_WORDS if other != word]),
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1 :],
            f"{word} {word}",
            swapped if swapped != word else word + "s",
        ]
    )


def _of(alphabet: str, token: str, rng: random.Random) -> str:
    at = rng.randrange(len(token))
    return token[:at] + rng.choice([one for one in alphabet if one != token[at]]) + token[at + 1 :]


_OTHER_TEXT = {
    "word": _word,
    "digit": lambda token, rng: rng.choice([_of("0123456789", token, rng), "", token * 2, f"-{token}"]),
    "hex": lambda token, rng: _of("0123456789abcdef", token, rng),
    "sign": lambda token, rng: rng.choice(["", token * 2, "-" if token == "+" else "+"]),
    "space": lambda token, rng: rng.choice(["", token * 2, "\t", "\xa0"]),
    "mark": lambda token, rng: rng.choice(["", token * 2, ";" if token != ";" else ","]),
    "empty": lambda token, rng: rng.choice(["x", "0", "-", " "]),
}
