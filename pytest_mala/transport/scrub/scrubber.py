"""Puts a placeholder in the place of each secret in JSON values, the same one for the same secret throughout a take."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.scrub.known import CANARY, known_values
from pytest_mala.transport.scrub.rules import RULES, Rule
from pytest_mala.transport.scrub.scan import Hit, Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Placeholders", "Scrubber"]

_PASSES_MAX: Final = 20
_TELLING: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Placeholders:
    """The names of the secrets of one take, in the order in which they were first seen.

    >>> names = Placeholders()
    >>> names.of("github", "a"), names.of("github", "b"), names.of("github", "a")
    ('<github-1>', '<github-2>', '<github-1>')
    """

    def __init__(self, unnumbered: Iterable[str] = ()) -> None:
        self._unnumbered = frozenset(unnumbered)
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def of(self, rule: str, secret: str) -> str:
        """What stands for the secret."""
        if rule in self._unnumbered:
            return f"<{rule}>"
        if (rule, secret) not in self._names:
            self._counts[rule] = self._counts.get(rule, 0) + 1
            self._names[rule, secret] = f"<{rule}-{self._counts[rule]}>"
        return self._names[rule, secret]


class Scrubber:
    """Known values and shapes of secrets, and what stands for those that were found.

    `public` are texts that are no secrets whatever a variable with such a value is called, `hide` is what the names of
    a cassette do to a text, `names` gives the placeholders (numbered from 1 as they come).

    >>> scrubber = Scrubber(["correct horse"])
    >>> scrubber.clean({"say": "it is correct horse", "list": ["correct%20horse", 5]})
    {'say': 'it is <secret-1>', 'list': ['<secret-1>', 5]}
    """

    def __init__(
        self,
        values: Iterable[str] = (),
        *,
        public: Iterable[str] = (),
        rules: Sequence[Rule] = RULES,
        hide: Callable[[str], str] | None = None,
        names: Placeholders | None = None,
    ) -> None:
        self._public = tuple(public)
        self._scanner = Scanner((CANARY, *values), rules=rules, hide=hide)
        self._placeholders = _placeholders(rules) if names is None else names

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The shapes that it knows."""
        return self._scanner.rules

    def anew(self) -> Scrubber:
        """The same rules and values, not copied, with names that begin at 1."""
        other = copy.copy(self)
        other._placeholders = _placeholders(self.rules)  # noqa: SLF001 - another one of us
        return other

    def learn(self, environment: Mapping[str, str]) -> None:
        """Know the secrets among these variables or headers, too (`known_values`)."""
        self._scanner.learn(known_values(environment, public=self._public))

    def clean(self, value: Any) -> Any:
        """The JSON value without secrets, keys included; the value itself if there was none."""
        if not self._scanner.hits(json.dumps(value, ensure_ascii=False)):
            return value
        return self._walk(value, "")

    def clean_pieces(self, pieces: Sequence[str], key: str = "") -> list[str]:
        """Texts that are read as one, such as the deltas of a message: what stands for a secret that is spread over
        several of them stands where it began.

        `key` is the name under which the text stands, which may tell that it is a secret.
        """
        made = list(pieces)
        before = f'"{key}": "' if _TELLING.fullmatch(key) else ""
        for _ in range(_PASSES_MAX):
            hits = [hit for hit in self._scanner.hits(before + "".join(made)) if hit.end > len(before)]
            if not hits:
                break
            names = [self._placeholders.of(hit.rule, hit.secret) for hit in hits]
            for hit, name in zip(reversed(hits), reversed(names), strict=True):
                _replace(made, max(0, hit.start - len(before)), hit.end - len(before), name)
        return made

    def leaks(self, value: Any) -> list[Hit]:
        """Secrets in a JSON value that are there still; places are those in its JSON text."""
        return self._scanner.hits(json.dumps(value, ensure_ascii=False), only_secrets=True)

    def leaks_in_text(self, text: str, *, is_text: bool = True) -> list[Hit]:
        """Secrets in a text that are there still; `is_text` is false for the bytes of something else."""
        return self._scanner.hits(text, only_secrets=True, is_text=is_text)

    def _walk(self, value: Any, key: str) -> Any:
        if isinstance(value, str):
            return self.clean_pieces([value], key)[0]
        if isinstance(value, Mapping):
            made: dict[Any, Any] = {}
            for name, item in value.items():
                clean = self.clean_pieces([name])[0] if isinstance(name, str) else name
                while clean in made:  # two forms of one secret as keys: no entry is lost
                    clean += "'"
                made[clean] = self._walk(item, name if isinstance(name, str) else "")
            return made
        if isinstance(value, list | tuple):
            return [self._walk(item, key) for item in value]
        return value


def _placeholders(rules: Iterable[Rule]) -> Placeholders:
    return Placeholders(rule.name for rule in rules if not rule.numbered)


def _replace(pieces: list[str], start: int, end: int, name: str) -> None:
    """Put the name where the span begins, and take the rest of the span out of the pieces behind."""
    at = 0
    for number, piece in enumerate(pieces):
        first, last = max(start - at, 0), min(end - at, len(piece))
        at += len(piece)
        if first < last:
            pieces[number] = piece[:first] + name + piece[last:]
            name = ""
