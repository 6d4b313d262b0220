"""Proves a scrubber before it is believed: canaries are planted, and none may come out again (design D15)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.proof import Proof
from pytest_mala.transport.scrub.canaries import Canary, canaries
from pytest_mala.transport.scrub.outlet import Outlet
from pytest_mala.transport.scrub.rules import RULES_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.transport.scrub.scrubber import Scrubber

__all__ = ["prove"]

_WINDOW: Final = 12
"""So many characters of a secret in a row are a leak."""


def prove(scrubber: Scrubber) -> Proof:
    """Send all canaries the way of real entries. The names that stand for real secrets are not counted up by it."""
    planted = list(canaries())
    missed = tuple(canary.name for canary in planted if not _is_found(canary, scrubber))
    return Proof(rules=RULES_VERSION, planted=len(planted), found=len(planted) - len(missed), missed=missed)


def _is_found(canary: Canary, scrubber: Scrubber) -> bool:
    outlet: Outlet[None] = Outlet(scrubber.anew())
    out = [entry for planted in canary.entries for entry, _ in outlet.put(planted, None)]
    out += [entry for entry, _ in outlet.flush()]
    if len(out) != len(canary.entries):
        return False
    # twice: as it stands on the disk, and as a reader puts the texts together
    told = json.dumps(out, ensure_ascii=False) + "\n" + "".join(_texts(out))
    name = f"<{canary.rule or 'secret'}"
    return name in told and not any(part in told for trace in canary.traces for part in _parts(trace))


def _parts(trace: str) -> Iterator[str]:
    for at in range(max(1, len(trace) - _WINDOW + 1)):
        yield trace[at : at + _WINDOW]


def _texts(value: Any) -> Iterator[str]:
    """All texts, one behind the other, but for the words that say what they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("k", "type"):
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
