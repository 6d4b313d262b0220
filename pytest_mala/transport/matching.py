"""Comparing what this run sends with what was recorded at the same place, and saying in words what differs (design D7).

Whether something may be sent at all at this time is a matter of transport/replay.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.compare import json_difference, word_diff
from pytest_mala.transport.hooks import HookIds, HookMismatchError
from pytest_mala.transport.takes import prompt_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.transport.names import Names
    from pytest_mala.transport.scrub import Likeness
    from pytest_mala.transport.takes import Step, TakeScript

__all__ = ["Difference", "Matching"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not as it was recorded: a sentence, and below it expected and got (may be several lines, or none).

    `is_stale`: a prompt in its place that has other words than the recorded one, and nothing else.
    """

    what: str
    detail: str = ""
    is_stale: bool = False


class Matching:
    """Compares values of this run with those of one take: known values and secrets count by their names."""

    def __init__(self, script: TakeScript, names: Names, likeness: Likeness) -> None:
        self._script = script
        self._names = names
        self._likeness = likeness

    def as_recorded(self, recorded: Any, now: Any) -> Any:
        """This run's value as it would stand in place of the recorded one: with names for known values and secrets."""
        return self._names.hide(self._likeness.named(recorded, now))

    def options(self, recorded: str, now: str) -> Difference | None:
        """The options of a connection, as text (transport/options.py)."""
        hidden = self.as_recorded(recorded, now)
        if hidden == recorded:
            return None
        return Difference(what="the agent's options are not the recorded ones", detail=word_diff(recorded, hidden))

    def prompt(self, step: Step, frame: Mapping[str, Any]) -> Difference | None:
        """A prompt, and the session that it goes to."""
        hidden = self.as_recorded(step.value, frame)
        text = prompt_text(hidden)
        session, recorded = hidden.get("session_id") or "", step.headers.get("session", "")
        if text != step.value:
            turn = self._turn_of(text)
            detail = f"this is the prompt of turn {turn}, sent as turn {step.turn}" if turn else ""
            return Difference(
                what="the prompt is not what was recorded",
                detail=detail or word_diff(step.value, text),
                is_stale=not turn and session == recorded,
            )
        if session != recorded:
            detail = f"recorded: {recorded}\nthis run: {session}"
            return Difference(what="the prompt goes to another session", detail=detail)
        return None

    def _turn_of(self, text: str) -> int | None:
        """The turn whose recorded prompt has these words."""
        steps = (step for one in self._script.connections for step in one.steps)
        return next((step.turn for step in steps if step.kind == "query" and step.value == text), None)

    def control(self, step: Step, request: Mapping[str, Any]) -> tuple[Difference | None, HookIds | None]:
        """A control request; an initialize request also says which hook of this run is which recorded one."""
        recorded, hooks = json.loads(step.value), None
        now = self.as_recorded(recorded, request)
        if recorded.get("subtype") == "initialize" and now.get("subtype") == "initialize":
            try:
                hooks = HookIds.match(recorded.get("hooks"), now.get("hooks"))
            except HookMismatchError as error:
                return Difference(what=str(error)), None
            if recorded.get("hooks") and now.get("hooks"):  # {} instead of null is a difference that has no hook
                recorded, now = {**recorded, "hooks": None}, {**now, "hooks": None}
        if difference := json_difference(recorded, now):
            what = f"the control request {now.get('subtype')} is not what was recorded"
            return Difference(what=what, detail=difference), hooks
        return None, hooks

    def answer(self, step: Step, frame: Mapping[str, Any], asked: str) -> Difference | None:
        """An answer to `asked`, a request of the CLI in words.

        A callback that raises is answered for by the SDK, which tells the CLI no more than the error's text.
        """
        recorded, now = step.value, self.as_recorded(step.value, frame)
        difference = json_difference(recorded, now)
        if now["response"].get("subtype") == "error" and recorded["response"].get("subtype") != "error":
            text = now["response"].get("error")
            difference = "now it raised an error" + (f": {text}" if text else " without a text")
        if not difference:
            return None
        return Difference(what=f"{asked} was answered otherwise than recorded", detail=difference)
