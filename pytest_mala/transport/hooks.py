"""Hook callback ids are numbers that the SDK gives in order of registration: a hook is the same by event, matcher and
index (design D7).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["HookIds", "HookMismatchError"]


class HookMismatchError(Exception):
    """This run registers other hooks than the recorded one; the text says which."""


class HookIds:
    """Recorded callback ids and the ones of this run."""

    def __init__(self, live_of: Mapping[str, str] | None = None, names: Mapping[str, str] | None = None) -> None:
        self._live_of = dict(live_of or {})
        self._names = dict(names or {})

    @classmethod
    def match(cls, recorded: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> HookIds:
        """Pair the hooks of two initialize requests. Raises HookMismatchError for a hook that only one of them has, and
        for ids that this run's SDK does not give: a frame that names one would call another hook, or none.
        """
        before, after = dict(_hooks(recorded)), dict(_hooks(now))
        if missing := [name for name in before if name not in after]:
            raise HookMismatchError(f"the hook {missing[0]} was recorded and is not registered now")
        if added := [name for name in after if name not in before]:
            raise HookMismatchError(f"the hook {added[0]} is registered now and was not when it was recorded")
        if sorted(before.values()) != sorted(after.values()):
            raise HookMismatchError(f"the hooks were recorded as {_listed(before)}, and are {_listed(after)} now")
        live_of = {before[name]: after[name] for name in before}
        return cls(live_of, {recorded_id: name for name, recorded_id in before.items()})

    def live(self, recorded_id: str) -> str:
        """The id in this run of a recorded callback."""
        return self._live_of.get(recorded_id, recorded_id)

    def recorded(self, live_id: str) -> str:
        """The recorded id of a callback of this run."""
        return next((one for one, live in self._live_of.items() if live == live_id), live_id)

    def name(self, recorded_id: str) -> str:
        """A callback in words: event, matcher if it has one, and index."""
        return self._names.get(recorded_id, recorded_id)


def _listed(ids: Mapping[str, str]) -> str:
    return ", ".join(sorted(ids.values()))


def _hooks(registered: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Each hook as (name, callback id); the name holds all that the CLI is told about it."""
    seen: dict[str, int] = {}
    for event, matchers in (registered or {}).items():
        for matcher in matchers or [{}]:
            told = {key: value for key, value in matcher.items() if key != "hookCallbackIds" and value is not None}
            label = event + (f" {json.dumps(told, sort_keys=True)}" if told else "")
            for callback_id in matcher.get("hookCallbackIds") or [""]:  # also what is told and calls nothing
                number = seen[label] = seen.get(label, -1) + 1
                yield f"{label}[{number}]", callback_id
