"""Finds secrets in a text: known values in all their forms, shapes, and both inside of base64 and URL encoding."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pytest_mala.transport.scrub.known import forms_of
from pytest_mala.transport.scrub.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["KNOWN", "Hit", "Scanner"]

KNOWN: Final = "secret"
"""What a known value is called that has no shape: `<secret-1>`."""

_DEPTH: Final = 3
_WORD_MIN: Final = 10
_RUN_MIN: Final = 22
_LINE_MIN: Final = 60
_WORD: Final = re.compile(r"[A-Za-z0-9+/_-]++=*")
_LINES: Final = re.compile(
    r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,}+(?:\\+r)?(?:\\+n|\r?\n)[ ]*+)++[A-Za-z0-9+/_-]*+={0,2}"
)
"""Base64 as tools wrap it, also where line ends are escaped."""

_BREAKS: Final = re.compile(r"\\+[rn]|[\s=]")
_AROUND: Final = re.compile(r"[A-Za-z0-9+/_=-]*")
_PRINTABLE: Final = re.compile(rb"[\t\n\r\x20-\x7e]{12,}")
_TEXT_SHARE: Final = 0.8
_URL_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_URL_RUN: Final = re.compile(r"(?:[A-Za-z0-9._~+*!:/@$()-]|%[0-9A-Fa-f]{2})+")
_FROM_URL64: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A secret in a text, from `start` to `end`; `secret` is it in plain form, `rank` says who names it if two meet."""

    start: int
    end: int
    rule: str
    secret: str
    rank: int


class Scanner:
    """Looks for known values, the longest first, and for the shapes of `rules`.

    `hide` is what the cassette's names do to a text: a value is found with such names in it, too.
    """

    def __init__(
        self, values: Iterable[str] = (), *, rules: Sequence[Rule] = RULES, hide: Callable[[str], str] | None = None
    ) -> None:
        self.rules = tuple(rules)
        self._hide = hide
        self._harmless = {rule.name for rule in self.rules if not rule.is_secret}
        called = "|".join(re.escape(name) for name in (KNOWN, *(rule.name for rule in self.rules)))
        self._placeholder = re.compile(rf"<(?:{called})(?:-\d+)?>")
        self._by_literal: dict[str, list[tuple[int, Rule]]] = {}
        for rank, rule in enumerate(self.rules, start=1):
            for literal in rule.literals:
                self._by_literal.setdefault(literal, []).append((rank, rule))
        self._values: dict[str, str] = {}
        self._plain: dict[str, str] = {}
        self._base64: dict[str, str] = {}
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Know these values, too."""
        fresh = {value for value in values if value and value not in self._values}
        for value in sorted(fresh, key=lambda one: (-len(one), one)):
            self._values[value] = self._called(value)
            hidden = self._hide(value) if self._hide is not None else None
            for form in forms_of(value, hidden):
                (self._base64 if form.is_base64 else self._plain).setdefault(form.text, value)

    def _called(self, value: str) -> str:
        """A known value that has a shape is called by it, so that it has one name on all machines."""
        for hit in self._shapes(value, is_text=True):
            if (hit.start, hit.end) == (0, len(value)):
                return hit.rule
        return KNOWN

    def hits(self, text: str, *, only_secrets: bool = False, is_text: bool = True) -> list[Hit]:
        """What was found, in order, none of them overlapping: two that do are one, named by the more certain."""
        found = list(self._all(text, is_text=is_text, depth=_DEPTH))
        if only_secrets:
            found = [hit for hit in found if hit.rule not in self._harmless]
        return self._outside_names(text, _merged(found)) if found else []

    def _outside_names(self, text: str, found: list[Hit]) -> list[Hit]:
        """Without those inside of a placeholder: somebody's password may be the word `signature`."""
        names = [place.span() for place in self._placeholder.finditer(text)]
        return [hit for hit in found if not any(start <= hit.start and hit.end <= end for start, end in names)]

    def _all(self, text: str, *, is_text: bool, depth: int) -> Iterator[Hit]:
        words = {word for word in _WORD.findall(text) if len(word) >= _WORD_MIN}
        yield from self._known(text, "\n".join(words))
        yield from self._shapes(text, is_text=is_text)
        if depth:
            yield from self._in_base64(text, words, depth - 1)
            if "%" in text and _URL_ESCAPE.search(text):
                yield from self._in_url(text, depth - 1)

    def _known(self, text: str, words: str) -> Iterator[Hit]:
        """`words` are the longer ones of the text: base64 is looked for only there, for speed."""
        for form in [one for one in self._plain if one in text]:
            yield from self._known_at(text, form, self._plain[form], is_base64=False)
        for form in [one for one in self._base64 if one in words]:
            yield from self._known_at(text, form, self._base64[form], is_base64=True)

    def _known_at(self, text: str, form: str, value: str, *, is_base64: bool) -> Iterator[Hit]:
        at = text.find(form)
        while at >= 0:
            start, end = at, at + len(form)
            if is_base64:
                start, end = _run_around(text, start, end)
            yield Hit(start=start, end=end, rule=self._values[value], secret=value, rank=0)
            at = text.find(form, end)

    def _shapes(self, text: str, *, is_text: bool) -> Iterator[Hit]:
        lowered = _lowered(text)
        for literal, rules in self._by_literal.items():
            if literal not in lowered:
                continue
            for rank, rule in rules:
                if is_text or rule.in_binary:
                    yield from _matches(rule, rank, text, lowered, literal)

    def _in_base64(self, text: str, words: set[str], depth: int) -> Iterator[Hit]:
        """Each run that can be base64 is decoded at its four places: what stands before it may hide its beginning."""
        for run in _runs(text, words):
            plain = _BREAKS.sub("", run)
            hit = self._known_in_lines(plain) if len(plain) < len(run) else None
            plain = plain.translate(_FROM_URL64)
            hit = hit or next((one for at in range(4) if (one := self._in_bytes(_decoded(plain[at:]), depth))), None)
            if hit is not None:
                yield from _all_at(text, run, hit)

    def _known_in_lines(self, joined: str) -> Hit | None:
        """A known value in base64 that was wrapped; the value may be no ASCII text."""
        value = next((value for form, value in self._base64.items() if form in joined), None)
        return None if value is None else Hit(start=0, end=0, rule=self._values[value], secret=value, rank=0)

    def _in_bytes(self, data: bytes, depth: int) -> Hit | None:
        for stretch in _PRINTABLE.finditer(data):
            is_text = len(stretch[0]) >= _TEXT_SHARE * len(data)
            if hit := self._best_in(stretch[0].decode("ascii"), is_text=is_text, depth=depth):
                return hit
        return None

    def _best_in(self, decoded: str, *, is_text: bool, depth: int) -> Hit | None:
        """What makes an encoded text a secret as a whole; something harmless in it does not."""
        secrets = (hit for hit in self._all(decoded, is_text=is_text, depth=depth) if hit.rule not in self._harmless)
        return min(secrets, key=lambda hit: hit.rank, default=None)

    def _in_url(self, text: str, depth: int) -> Iterator[Hit]:
        for run in {run for run in _URL_RUN.findall(text) if "%" in run}:
            if hit := self._best_in(unquote(run, errors="replace"), is_text=True, depth=depth):
                yield from _all_at(text, run, hit)


def _matches(rule: Rule, rank: int, text: str, lowered: str, literal: str) -> Iterator[Hit]:
    at = lowered.find(literal)
    while at >= 0:
        span = rule.match(text, at)
        if span is not None:
            yield Hit(start=span[0], end=span[1], rule=rule.name, secret=text[span[0] : span[1]], rank=rank)
        at = lowered.find(literal, at + 1 if span is None else max(span[1], at + 1))


def _runs(text: str, words: set[str]) -> set[str]:
    """What may be base64 of something that is long enough, each once. Base64 of a text has capital and small letters
    (but for one in 100,000); paths, UUIDs and digests have not, and are passed over for speed.
    """
    runs = {word for word in words if len(word) >= _RUN_MIN}
    if any(len(word) >= _LINE_MIN for word in runs):
        runs |= {lines[0] for lines in _LINES.finditer(text)}
    return {run for run in runs if not (run.islower() or run.isupper())}


def _all_at(text: str, run: str, hit: Hit) -> Iterator[Hit]:
    """What was found inside of a run means all of the run, wherever it stands."""
    at = text.find(run)
    while at >= 0:
        end = at + len(run)
        yield Hit(start=at, end=end, rule=hit.rule, secret=hit.secret, rank=hit.rank)
        at = text.find(run, end)


def _lowered(text: str) -> str:
    """In lower case, character for character: some letters become two."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _run_around(text: str, start: int, end: int) -> tuple[int, int]:
    """A part of a run of base64 leads to the whole run: two or three characters beside it still hold bytes of it."""
    while start and _AROUND.fullmatch(text[start - 1]):
        start -= 1
    found = _AROUND.match(text, end)
    return start, found.end() if found else end


def _decoded(text: str) -> bytes:
    whole = len(text) - (len(text) % 4 == 1)
    try:
        return binascii.a2b_base64(text[:whole] + "==")
    except binascii.Error:
        return b""


def _merged(found: list[Hit]) -> list[Hit]:
    merged: list[Hit] = []
    for hit in sorted(found, key=lambda one: (one.start, -one.end)):
        if not merged or hit.start >= merged[-1].end:
            merged.append(hit)
            continue
        last = merged[-1]
        best = min(last, hit, key=lambda one: (one.rank, -len(one.secret)))
        end = max(last.end, hit.end)
        merged[-1] = Hit(start=last.start, end=end, rule=best.rule, secret=best.secret, rank=best.rank)
    return merged
