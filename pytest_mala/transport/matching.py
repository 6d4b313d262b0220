"""Comparing what this run sends with what was recorded at the same place, and saying in words what differs (design D7).

Whether something may be sent at all at this time is a matter of transport/replay.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.transport.compare import alike, json_difference, word_diff
from pytest_mala.transport.hooks import HookIds, HookMismatchError
from pytest_mala.transport.loose import IGNORED, loosened
from pytest_mala.transport.names import map_strings
from pytest_mala.transport.takes import prompt_text
from pytest_mala.transport.words import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.transport.names import Names
    from pytest_mala.transport.scrub import Likeness
    from pytest_mala.transport.takes import ConnectionScript, Step, TakeScript

__all__ = ["Difference", "Matching"]

_BY_NAME: Final = "compared by name: the folders, ids and secrets that this run knows; everything else word by word"
_LOOSELY: Final = f"ignored in the comparison: {IGNORED}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not as it was recorded: a sentence, and below it expected and got (may be several lines, or none).

    `is_stale`: a prompt in its place that has other words than the recorded one, and nothing else.
    """

    what: str
    detail: str = ""
    is_stale: bool = False


class Matching:
    """Compares values of this run with those of one take: known values and secrets count by their names.

    `is_loose` also ignores what looks like an id, a time or a path of one run (transport/loose.py); sessions on issues
    are never compared like that.
    """

    def __init__(self, script: TakeScript, names: Names, likeness: Likeness, *, is_loose: bool = False) -> None:
        self._script = script
        self._names = names
        self._likeness = likeness
        self._is_loose = is_loose
        self._played: set[int] = set()  # turns whose prompts were sent

    def _as_recorded(self, recorded: Any, now: Any) -> Any:
        """This run's value as it would stand in place of the recorded one: with names for known values and secrets."""
        return self._names.hide(self._likeness.named(recorded, now))

    def _seen(self, value: Any) -> Any:
        """What of a value counts."""
        return map_strings(value, loosened) if self._is_loose else value

    def _differs(self, what: str, *lines: str) -> Difference:
        return Difference(what=what, detail="\n".join([*lines, _LOOSELY if self._is_loose else _BY_NAME]))

    def options(self, recorded: str, now: str) -> Difference | None:
        """The options of a connection, as text (transport/options.py)."""
        before, after = self._seen(recorded), self._seen(self._as_recorded(recorded, now))
        if before == after:
            return None
        return self._differs("the agent's options are not the recorded ones", word_diff(before, after))

    def is_first_prompt(self, script: ConnectionScript, prompt: str) -> bool:
        """Whether the recorded connection begins with this prompt."""
        first = next((step.value for step in script.steps if step.kind == "query"), None)
        return first is not None and bool(self._seen(self._as_recorded(first, prompt)) == self._seen(first))

    def prompt(self, step: Step, frame: Mapping[str, Any]) -> Difference | None:
        """A prompt, and the session that it goes to; one that is right counts as played."""
        hidden = self._as_recorded(step.value, frame)
        text = prompt_text(hidden)
        session, recorded = hidden.get("session_id") or "", step.headers.get("session", "")
        is_same_session = self._seen(session) == self._seen(recorded)
        if self._seen(text) != self._seen(step.value):
            place, about = self._place_of(step, text), self._about_prompt(step, text)
            what = self._differs("the prompt is not what was recorded", *([place] if place else about))
            return replace(what, is_stale=not place and is_same_session)
        if not is_same_session:
            return self._differs("the prompt goes to another session", f"recorded: {recorded}", f"this run: {session}")
        self._played.add(step.turn)
        return None

    @property
    def _queries(self) -> list[Step]:
        return [one for each in self._script.connections for one in each.steps if one.kind == "query"]

    def _place_of(self, step: Step, text: str) -> str:
        """The turn whose recorded prompt has these words, if there is one."""
        same = [one.turn for one in self._queries if self._seen(one.value) == self._seen(text)]
        for turn in same:
            if turn not in self._played:
                return f"this is the prompt of turn {turn}, sent as turn {step.turn}"
        if not same:
            return ""
        again = f"this is the prompt of turn {same[0]} once more, which was played already"
        return f"{again}\nrecorded: {quoted(step.value)}"

    def _about_prompt(self, step: Step, text: str) -> list[str]:
        """Which recorded prompt it is like, and how it differs from that."""
        now = self._seen(text)
        # the place itself wins ties, so it comes first
        queries = sorted(self._queries, key=lambda one: one is not step)
        likeness, nearest = max(((alike(self._seen(one.value), now), one) for one in queries), key=lambda pair: pair[0])
        percent = f"{min(99, round(100 * likeness))} % of the words alike"
        where = "this one" if nearest is step else f"that of turn {nearest.turn}"
        return [word_diff(self._seen(nearest.value), now), f"closest recorded prompt: {where}, {percent}"]

    def control(self, step: Step, request: Mapping[str, Any]) -> tuple[Difference | None, HookIds | None]:
        """A control request; an initialize request also says which hook of this run is which recorded one."""
        recorded, hooks = json.loads(step.value), None
        now = self._as_recorded(recorded, request)
        if recorded.get("subtype") == "initialize" and now.get("subtype") == "initialize":
            try:
                hooks = HookIds.match(recorded.get("hooks"), now.get("hooks"))
            except HookMismatchError as error:
                return Difference(what=str(error)), None
            if recorded.get("hooks") and now.get("hooks"):  # {} instead of null is a difference that has no hook
                recorded, now = {**recorded, "hooks": None}, {**now, "hooks": None}
        if difference := json_difference(self._seen(recorded), self._seen(now)):
            what = f"the control request {now.get('subtype')} is not what was recorded"
            return self._differs(what, difference), hooks
        return None, hooks

    def answer(self, step: Step, frame: Mapping[str, Any], asked: str) -> Difference | None:
        """An answer to `asked`, a request of the CLI in words.

        A callback that raises is answered for by the SDK, which tells the CLI no more than the error's text.
        """
        recorded, now = step.value, self._as_recorded(step.value, frame)
        difference = json_difference(self._seen(recorded), self._seen(now))
        what = f"{asked} was answered otherwise than recorded"
        if now["response"].get("subtype") == "error" and recorded["response"].get("subtype") != "error":
            text = now["response"].get("error")
            return Difference(what=what, detail="now it raised an error" + (f": {text}" if text else " without a text"))
        return self._differs(what, difference) if difference else None
