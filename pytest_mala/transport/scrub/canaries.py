"""Secrets that are none, in all their forms: what a scrubber must find, so that it is believed about real ones."""

from __future__ import annotations

import base64
import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from pytest_mala.transport.scrub.known import CANARY, slug
from pytest_mala.transport.scrub.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Canary", "canaries"]

_BEFORE: Final = "The file begins here and goes on for a while, so that the place of the secret is not its beginning: "
_AFTER: Final = " and this is what stands behind it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What is planted. `entries` are those of a journal, `traces` the texts of which no part may come out again.

    `rule` is who has to find it; None means that it is a known value, which has no shape.
    """

    form: str
    rule: str | None
    entries: tuple[dict[str, Any], ...]
    traces: tuple[str, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.rule or 'known value'}, {self.form}"


def canaries() -> Iterator[Canary]:
    """All of them, the same each time: the known value in each form, and each shape in the forms that fit any text."""
    yield from _known()
    for rule in RULES:
        yield from _of_shape(rule)


def _known() -> Iterator[Canary]:
    def made(form: str, text: str, trace: str, *entries: dict[str, Any]) -> Canary:
        return Canary(form=form, rule=None, entries=entries or (_said(text),), traces=(trace,))

    once, twice = _escaped(CANARY), _escaped(_escaped(CANARY))
    data = CANARY.encode()
    yield made("raw", f"it is {CANARY}.", CANARY)
    yield made("JSON in a text", json.dumps({"say": CANARY}), once)
    yield made("JSON in JSON in a text", json.dumps({"say": json.dumps({"say": CANARY})}), twice)
    yield made("JSON three times", json.dumps([json.dumps([json.dumps([CANARY])])]), _escaped(twice))
    yield made("JSON as it is printed", json.dumps({"say": CANARY}, ensure_ascii=False, indent=1), once)
    for name, text in (
        ("a path in a URL", quote(CANARY)),
        ("a parameter of a URL", quote(CANARY, safe="")),
        ("a form", quote_plus(CANARY)),
    ):
        yield made(name, f"https://example.org/?a={text}&b=1", text)
    yield made("a URL in small letters", quote(CANARY, safe="").lower(), quote(CANARY, safe="").lower())
    yield made("a folder of the CLI", f"/config/projects/-home-{slug(CANARY)}-work/log.jsonl", slug(CANARY))
    yield made("hexadecimal", data.hex(), data.hex())
    for place in range(3):
        text = base64.b64encode(b"abc"[:place] + data + b" and more").decode()
        yield made(f"base64 at place {place}", f"data: {text}", text[4 : 4 * len(data) // 3])
    text = base64.urlsafe_b64encode(b"?>" + data + b"?>").decode()
    yield made("base64 for URLs", f"x-{text}", text[4 : 4 * len(data) // 3])
    text = base64.b64encode((_BEFORE + CANARY + _AFTER).encode()).decode()
    yield made("base64 in lines", "\n".join(textwrap.wrap(text, 76)), _inner(_BEFORE, CANARY))
    text = base64.b64encode(base64.b64encode(data)).decode()
    yield made("base64 of base64", text, text[:-4])
    yield made("a key", "", CANARY, {"k": "recv", "c": 1, "m": {"type": "x", "input": {CANARY: 1}}})
    yield made("an item of a list", "", CANARY, {"k": "recv", "c": 1, "m": {"type": "x", "argv": ["-p", CANARY]}})
    yield made("an option", "", CANARY, {"k": "connect", "c": 1, "purpose": "work", "body": f"model: {CANARY}"})
    yield made("a prompt", "", CANARY, {"k": "send", "c": 1, "m": {"type": "user", "message": {"content": CANARY}}})
    yield made("an output of a check", "", CANARY, {"k": "gate", "attempt": 1, "rows": [{"output": CANARY}], "ms": [1]})
    yield made("the CLI's stderr", "", CANARY, {"k": "end", "c": 1, "how": "eof", "stderr": [f"no {CANARY}"]})
    yield made("deltas of a text", "", CANARY, *_streamed("text_delta", "text", _cut(f"it is {CANARY}.", 9)))
    yield made("deltas of a thought", "", CANARY, *_streamed("thinking_delta", "thinking", _cut(CANARY, 5)))
    yield made(
        "deltas of an input", "", once, *_streamed("input_json_delta", "partial_json", [*json.dumps({"a": CANARY})])
    )


def _of_shape(rule: Rule) -> Iterator[Canary]:
    text = rule.planted()
    start, end = _span(rule, text)
    secret = text[start:end]
    lines = tuple(line for line in secret.split("\n") if len(line) >= 16 and "-----" not in line)
    raw = f"see {text} there"
    yield Canary(form="raw", rule=rule.name, entries=(_said(raw),), traces=lines or (secret,))
    escaped = _escaped(secret).split("\\n")
    yield Canary(
        form="JSON in a text",
        rule=rule.name,
        entries=(_said(json.dumps({"say": raw})),),
        traces=tuple(line for line in escaped if len(line) >= 16 and "-----" not in line) or (secret,),
    )
    yield Canary(
        form="deltas",
        rule=rule.name,
        entries=_streamed("text_delta", "text", _cut(raw, 7)),
        traces=lines or (secret,),
    )
    if not rule.is_secret:
        return
    encoded = base64.b64encode((_BEFORE + text + _AFTER).encode()).decode()
    inner = _inner(_BEFORE + text[:start], secret)
    yield Canary(form="base64", rule=rule.name, entries=(_said(f"data: {encoded}"),), traces=(inner,))
    in_url = quote(raw, safe="")
    yield Canary(form="URL", rule=rule.name, entries=(_said(f"?q={in_url}&r=1"),), traces=(quote(secret, safe=""),))


def _span(rule: Rule, text: str) -> tuple[int, int]:
    """Where the secret stands in the canary's text."""
    lowered = text.lower()
    places = [lowered.find(literal) for literal in rule.literals if literal in lowered]
    return next(span for at in places if (span := rule.match(text, at)) is not None)


def _inner(before: str, secret: str) -> str:
    """The characters of base64 that hold nothing but the secret."""
    whole = base64.b64encode((before + secret).encode()).decode().rstrip("=")
    return whole[(8 * len(before.encode()) + 5) // 6 : -1]


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _said(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    return {"k": "recv", "c": 1, "m": {"type": "assistant", "message": message}}


def _streamed(kind: str, field: str, pieces: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """As partial messages: an entry for each piece."""
    events = [
        {"type": "content_block_start", "index": 0},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}} for piece in pieces),
        {"type": "content_block_stop", "index": 0},
    ]
    return tuple({"k": "recv", "c": 1, "m": {"type": "stream_event", "event": event}} for event in events)
