"""Playing a recorded take: the session-wide side of replay; each connection is played by transport/replay.py (design
D7).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import Divergence, StalePrompt
from pytest_mala.transport.matching import Matching
from pytest_mala.transport.options import options_text
from pytest_mala.transport.replay import ReplayTransport
from pytest_mala.transport.scrub import Likeness

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from pytest_mala.transport.names import Names
    from pytest_mala.transport.record import Observer
    from pytest_mala.transport.takes import ConnectionScript, GateScript, Step, TakeScript

__all__ = ["Player", "freshness"]

_MOST_PLACES = 10


class Player:
    """A take while it is replayed: gives out its connections in order and notices everything that the take does not
    hold.

    The first divergence is kept and raised again by `finish`, so that code between us and the session can't swallow
    it. `switch_tree` puts the files of a commit into the workspace, `restore_turn` the whole state at the end of a
    turn. `where` names the take in messages, `remedy` says how it is recorded anew, `explain` what the session waits
    for when a timer of its own decides. `environment` are variables of this run, whose secrets may be in prompts,
    `is_loose` as in `Matching`.
    With `tolerates_stale` a prompt whose wording changed is no divergence: `freshness` says where the first one was.
    """

    has_gaps = True
    """Whether frames come in recorded time, on the session's virtual clock."""

    may_be_unread = False
    """Whether a client may close a connection before it got all frames."""

    def __init__(
        self,
        script: TakeScript,
        names: Names,
        observer: Observer,
        *,
        switch_tree: Callable[[str], None],
        restore_turn: Callable[[int], None],
        where: str,
        remedy: str,
        explain: Callable[[], str] = str,
        environment: Mapping[str, str] | None = None,
        tolerates_stale: bool = False,
        is_loose: bool = False,
    ) -> None:
        self.script = script
        self.matching = Matching(script, names, Likeness(environment or {}), is_loose=is_loose)
        self.names = names
        self.observer = observer
        self.switch_tree = switch_tree
        self._restore_turn = restore_turn
        self.where = where
        self.remedy = remedy
        self.explain = explain
        self._tolerates_stale = tolerates_stale
        self.freshness = ""
        self.divergence: Divergence | None = None
        self.notes: list[str] = []
        self.opened: list[ReplayTransport] = []  # in the order of this run
        self._turns = 0
        self._decisions = 0
        self._state = "INITIAL"
        self._gates = 0

    def diverge(self, what: str, *, place: str = "", detail: str = "") -> Divergence:
        """Keep the first divergence of the session and give it back, for the caller to raise."""
        where = f"{self.where}: {place}" if place else self.where
        return self._keep(Divergence(what, where=where, detail=detail, remedy=self.remedy))

    def stale(self, turn: int, *, place: str, detail: str) -> Divergence | None:
        """The prompt of this turn has another wording than the recorded one: the divergence, unless it is tolerated."""
        if not self.freshness:
            self.freshness = freshness(turn, self.script.turns)
        if self._tolerates_stale:
            return None
        what, where = "the prompt is not what was recorded", f"{self.where}: {place}"
        return self._keep(StalePrompt(what, freshness=self.freshness, where=where, detail=detail, remedy=self.remedy))

    def _keep(self, found: Divergence) -> Divergence:
        if self.divergence is None:
            self.divergence = found
        for one in self.opened:
            one.wake()
        return self.divergence

    def raise_pending(self) -> None:
        """Raise the first divergence, if there was one."""
        if self.divergence is not None:
            raise self.divergence from None

    def connection(self, purpose: str, options: Any, prompt: str | None = None) -> ReplayTransport:
        """The transport of the session's next connection, which must be a recorded one with the same purpose and
        options; `prompt` is its first one, if it is known already.
        """
        text, number = options_text(options), len(self.opened) + 1
        script = self.next_script(text, prompt)
        if script is None:
            recorded = len(self.script.connections)
            last = f"the take ends with connection {recorded}" if recorded else "the take has no connection"
            raise self.diverge(f"connection {number} ({purpose}) was never recorded", detail=last) from None
        place = f"connection {script.number}"
        if script.purpose != purpose:
            detail = f"recorded: {script.purpose}\nthis run: {purpose}"
            raise self.diverge("the connection has another purpose", place=place, detail=detail) from None
        if difference := self.matching.options(script.options, text):
            raise self.diverge(difference.what, place=place, detail=difference.detail) from None
        self.observer.connection(number, purpose, getattr(options, "resume", None))
        made = ReplayTransport(self, script)
        self.opened.append(made)
        return made

    @property
    def newest(self) -> ConnectionScript:
        """The connection that was given out last."""
        return self.opened[-1].script

    def next_script(self, options: str, prompt: str | None) -> ConnectionScript | None:
        """The recorded connection that the one to be opened must be: the next one. None if there are no more."""
        return next(iter(self.left), None)

    @property
    def left(self) -> list[ConnectionScript]:
        """The recorded connections that were not opened yet."""
        opened = {one.script.number for one in self.opened}
        return [one for one in self.script.connections if one.number not in opened]

    async def wait(self, waiting: ReplayTransport, changed: asyncio.Event) -> None:
        """Wait until something changes; what can't change any more is found out by the session's clock."""
        await changed.wait()

    def left_unread(self, script: ConnectionScript, unread: Sequence[Step]) -> None:
        """Told of frames that came too late, where they may (`may_be_unread`)."""

    def decide(self, what: str) -> None:
        """A timer of the runner decided something; it must be what was decided here when recorded, not too early."""
        if self.opened:
            self.opened[-1].decide(what)
        self.observer.decision(what)

    def state(self, text: str) -> None:
        """The lifecycle took a step; it must be the recorded one."""
        recorded = self.script.decisions
        number = self._decisions
        before, self._state = self._state, text.partition(" ")[0]
        self._decisions += 1
        if number >= len(recorded) or recorded[number] != text:
            expected = recorded[number] if number < len(recorded) else "nothing more"
            cause = sys.exception()  # an error that ends a session is being handled when its last step is told
            why = f": {cause}" if str(cause) else f" in the state {before}"  # a deadline's error has no words
            because = f", because of {type(cause).__name__}{why}" if cause is not None else ""
            raise self.diverge(
                "the lifecycle decided otherwise",
                place=f"step {number + 1}",
                detail=f"recorded: {expected}\nthis run: {text}{because}",
            ) from None

    def turn_ended(self) -> None:
        """Put the workspace into the state that the agent left at the end of this turn."""
        self._turns += 1
        if self._turns not in self.script.trees:
            raise self.diverge(f"turn {self._turns} left no recorded tree") from None
        self._restore_turn(self._turns)

    @property
    def turn(self) -> int:
        """How many turns have ended."""
        return self._turns

    def gate(self, attempt: int) -> GateScript:
        """What the checks gave at this attempt when it was recorded."""
        self._gates = max(self._gates, attempt)
        if attempt not in self.script.gates:
            detail = f"recorded attempts: {len(self.script.gates)}"
            raise self.diverge(f"gate attempt {attempt} was never recorded", detail=detail) from None
        return self.script.gates[attempt]

    def finish(self) -> None:
        """At the session's end: raise what was swallowed, then what was recorded and never played."""
        self.raise_pending()
        missing = [f"connection {one.number} ({one.purpose})" for one in self.left]
        unplayed = [place for one in self.opened for place in one.unplayed()]
        detail = _not_played([*missing, *unplayed])
        if missing:
            raise self.diverge(f"{missing[0]} was recorded and never opened", detail=detail) from None
        for one in self.opened:
            one.check_all_played(detail)
        if self._gates < len(self.script.gates):
            raise self.diverge(f"gate attempt {self._gates + 1} was recorded and never made") from None
        if self._turns < (last := max(self.script.trees, default=0)):
            raise self.diverge(f"the tree of turn {last} was recorded and never came to") from None
        if self._decisions < len(self.script.decisions):
            expected = self.script.decisions[self._decisions]
            raise self.diverge(
                "the lifecycle ended early", place=f"step {self._decisions + 1}", detail=f"recorded: {expected}"
            ) from None

    def leave(self, kept: TakeScript) -> None:
        """The session goes on without the recording, on its newest connection: raises for what was recorded before
        that, `kept`, and never played.
        """
        self.raise_pending()
        for one in self.opened[:-1]:
            one.check_all_played()
        played, recorded = (self._gates, self._decisions), (len(kept.gates), len(kept.decisions))
        if played != recorded:
            detail = "recorded: {} gate attempts, {} steps\nthis run: {}, {}".format(*recorded, *played)
            raise self.diverge("the session came here on another way than recorded", detail=detail) from None

    def describe(self) -> str:
        """What the playing connection waits for, in words for the explanation of a hang."""
        return self.opened[-1].describe() if self.opened else "no connection was opened"


def freshness(stale: int, turns: int) -> str:
    """How far a take holds, whose turn `stale` (from 1) was asked for with another prompt.

    >>> freshness(8, 12)
    'fresh up to turn 7 of 12; turn 8 answers a prompt that no longer exists'
    >>> freshness(1, 1)
    'no turn is fresh; turn 1 of 1 answers a prompt that no longer exists'
    """
    if stale == 1:
        return f"no turn is fresh; turn 1 of {turns} answers a prompt that no longer exists"
    return f"fresh up to turn {stale - 1} of {turns}; turn {stale} answers a prompt that no longer exists"


def _not_played(places: Sequence[str]) -> str:
    """All that was recorded and not played, where it is more than the sentence above it says."""
    if len(places) < 2:
        return ""
    more = [f"... and {len(places) - _MOST_PLACES} more"] if len(places) > _MOST_PLACES else []
    return "\n".join(["not played:", *(f"  {one}" for one in [*places[:_MOST_PLACES], *more])])
