"""On replay: this run's secrets under the names that the recording gave to its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.scrub.rules import RULES
from pytest_mala.transport.scrub.scan import KNOWN
from pytest_mala.transport.scrub.scrubber import Placeholders, Scrubber

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Likeness"]

_NAME: Final = re.compile(rf"<({'|'.join((KNOWN, *(rule.name for rule in RULES)))})(?:-[0-9]+)?>")


class Likeness:
    """Compares texts with secrets to recorded ones: what kind of secret stands where, and which of them are the same.

    A prompt may hold a key by intention or because a rule is mistaken; it must replay all the same. The first secret
    of a kind that this run says where the recording has a name takes that name, and keeps it for the whole take.

    >>> likeness = Likeness({"MY_TOKEN": "value-of-now"})
    >>> likeness.named("use <secret-1>", "use value-of-now"), likeness.named("no <other-1>", "no value-of-now")
    ('use <secret-1>', 'no value-of-now')
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._scrubber: Scrubber | None = None
        self._environment = environment
        self._taken = _Taken()

    def named(self, recorded: Any, now: Any) -> Any:
        """This run's JSON value with names for its secrets; the value itself where the recording has no such name."""
        found = [place[0] for place in _NAME.finditer(json.dumps(recorded, ensure_ascii=False))]
        if not found:
            return now
        if self._scrubber is None:
            self._scrubber = Scrubber(names=self._taken)
            self._scrubber.learn(self._environment)
        self._taken.offer(found)
        return self._scrubber.clean(now)


class _Taken(Placeholders):
    """Names of a recording, each for one secret of this run."""

    def __init__(self) -> None:
        super().__init__(rule.name for rule in RULES if not rule.numbered)
        self._offered: list[str] = []
        self._taken: dict[str, tuple[str, str]] = {}

    def offer(self, names: list[str]) -> None:
        """The names that the recording has in the text that comes next, in their order."""
        self._offered = names

    def of(self, rule: str, secret: str) -> str:
        """The name that the secret has taken, or takes now; one that no recording has if all are taken by others."""
        if rule in self._unnumbered:
            return super().of(rule, secret)
        known = self._names.get((rule, secret))
        if known is None:
            free = (name for name in self._offered if name.startswith(f"<{rule}-") and name not in self._taken)
            known = next(free, f"<another {rule}>")
            if not known.startswith("<another "):
                self._names[rule, secret] = known
                self._taken[known] = (rule, secret)
        return known
