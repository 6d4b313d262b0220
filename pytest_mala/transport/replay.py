"""One recorded connection, played to the real SDK client: frames go out in time, what the client sends is compared.

A frame waits for what was sent before it, and for answers of its tool call (slice.md 4, 5, 8); decisions are barriers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.hooks import HookIds
from pytest_mala.transport.leftovers import left_over, tool_ids
from pytest_mala.transport.takes import is_initiator
from pytest_mala.transport.words import (
    beyond,
    listed,
    progress,
    request_in_words,
    row_in_words,
    step_in_words,
    subtype_of,
    waited,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pytest_mala.errors import Divergence
    from pytest_mala.transport.matching import Difference
    from pytest_mala.transport.play import Player
    from pytest_mala.transport.takes import ConnectionScript, Step

__all__ = ["RecordedEndError", "ReplayTransport"]

_JITTER_MS = 20


class RecordedEndError(Exception):
    """The recorded connection broke with an error that can't be built again; the message is its text, else its type."""


class ReplayTransport:
    """The SDK's six-method transport over a recorded connection."""

    def __init__(self, player: Player, script: ConnectionScript) -> None:
        self._player = player
        self._script = script
        self._steps = script.steps
        self._at = 0  # the step that is being played
        self._done: set[int] = set()  # steps that the client took: prompts, requests, answers, decisions
        self._ahead = -1  # the furthest prompt or request that the client sent
        self._answers = {
            step.value["response"]["request_id"]: at for at, step in enumerate(self._steps) if step.kind == "sdk"
        }
        self._asked_for: dict[str, Step] = {}  # delivered requests of the CLI whose recorded answer is still owed
        self._began = {is_interrupt: self._initiators(is_interrupt=is_interrupt) for is_interrupt in (False, True)}
        self._delivered_count = 0  # frames that the client got
        self._mark = 0.0  # when the last prompt, frame or decision happened, on the loop's clock
        self._tree: str | None = None
        self._live_ids: dict[str, str] = {}  # recorded id of a request of the SDK -> id in this run
        self._hooks = HookIds()
        self._ready = False
        self._closed = False
        self._is_input_ended = False
        self._next = 0  # where a new reader begins: behind the last frame that was handed on
        self._broken = ""  # why nothing can be written: the recorded CLI has ended
        self._changed = asyncio.Event()

    async def connect(self) -> None:
        """Nothing is started; a connection that could not be made when it was recorded fails the same way, and one that
        we waited for in vain is waited for again.
        """
        self._mark = asyncio.get_running_loop().time()
        if self._steps and self._steps[0].kind == "end" and self._steps[0].value == "error":
            raise self._recorded_error(self._steps[0])
        if self._steps and not any(self._began.values()):
            self._at = next((at for at, step in enumerate(self._steps) if step.kind == "decision"), len(self._steps))
            await self._until(lambda: False)
        self._ready = True

    async def write(self, data: str) -> None:
        """Compare each line with the recording. A difference in what the client begins is raised here, one in an
        answer by the reader: an exception inside the SDK's handler task would be lost (sdk.md 2).

        Where the SDK's own transport could write nothing, its error is raised; what it never sent was not recorded.
        """
        if not self._ready or self._is_input_ended:
            raise _connection_error("the transport is not ready for writing")
        for line in data.splitlines():
            if not line.strip():
                continue
            frame = json.loads(line)
            self._player.observer.frame("sdk", frame)
            if is_initiator(frame):
                self._begin(frame)
            else:
                self._answer(frame)
        self.wake()
        if self._broken:
            raise _connection_error(self._broken)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """The recorded frames, each when its time has come and the client did what came before it."""
        if not self._ready and not self._closed:
            raise _connection_error("the transport is not connected")
        player = self._player
        for at, step in enumerate(self._steps[self._next :], self._next):
            self._at = at
            kind = step.kind
            if kind == "cli":  # first, and without waiting where there is nothing to wait for: most steps are frames
                if self._asked_for:
                    await self._until(lambda step=step: not self._unanswered(step))  # type: ignore[misc]
                if step.ms > _JITTER_MS and player.has_gaps:
                    await self._until_due(at, step)
                if player.divergence is not None:
                    player.raise_pending()
                if not self._closed:
                    self._next = at + 1
                    yield self._delivered(step)
            elif kind in ("query", "control", "decision"):
                await self._until(lambda at=at: at in self._done)  # type: ignore[misc]
            elif kind == "tree":
                self._tree = step.value
            elif kind == "end" and step.value == "eof":
                self._broken = "Cannot write to terminated process (exit code: 0)"
                return
            elif kind == "end" and step.value == "error":
                error = self._recorded_error(step)
                self._broken = f"Cannot write to process that exited with error: {error}"
                raise error
            if self._closed:
                return
        self._at = len(self._steps)
        await self._until(lambda: False)

    async def close(self) -> None:
        """The client is done; what was recorded and not delivered is reported by `check_all_played`."""
        self._ready = False
        self.leave()

    def leave(self) -> None:
        """Nothing more is delivered; what the client still answers is compared."""
        self._closed = True
        self.wake()

    def is_ready(self) -> bool:
        """Whether the connection is open."""
        return self._ready

    @property
    def is_closed(self) -> bool:
        """Whether the client is done with it."""
        return self._closed

    @property
    def script(self) -> ConnectionScript:
        """What was recorded of the connection."""
        return self._script

    async def end_input(self) -> None:
        """The client will write nothing more."""
        self._is_input_ended = True

    def wake(self) -> None:
        """Let the reader look again at what it waits for."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, is_done: Callable[[], bool]) -> None:
        while True:
            self._player.raise_pending()
            if self._closed or is_done():
                return
            await self._player.wait(self, self._changed)

    async def _until_due(self, at: int, step: Step) -> None:
        """Wait for the recorded gap, shortened by max(20 ms, 1 %) so that jitter is no difference (design D7).

        A client that already sent what comes later does not wait any more.
        """
        is_due = False

        def ring() -> None:
            nonlocal is_due
            is_due = True
            self.wake()

        due, loop = self._mark + (step.ms - max(_JITTER_MS, step.ms // 100)) / 1000, asyncio.get_running_loop()
        if due <= loop.time():
            return
        timer = loop.call_at(due, ring)
        try:
            while not (is_due or self._closed or self._ahead >= at):
                self._player.raise_pending()
                await self._changed.wait()
        finally:
            timer.cancel()

    def _unanswered(self, step: Step) -> list[Step]:
        """Requests of the CLI whose recorded answers must come before this frame may."""
        tools = tool_ids(step.value)
        is_last = step.value.get("type") == "result"
        return [
            request
            for request in self._asked_for.values()
            if is_last or not (own := request.value["request"].get("tool_use_id")) or own in tools
        ]

    def _begin(self, frame: Mapping[str, Any]) -> None:
        kind = "query" if frame["type"] == "user" else "control"
        subtype = frame.get("request", {}).get("subtype", "")
        said = "a prompt" if kind == "query" else f"the control request {subtype}"
        expected = self._began[subtype == "interrupt"]
        if not expected:
            raise self.diverge(f"{said} was sent, but {self._ends_here()}", None, beyond(frame, self._steps)) from None
        at = expected.pop(0)
        step = self._steps[at]
        if step.kind != kind:
            raise self.diverge(f"{said} was sent where the recording has {step_in_words(step)}", step) from None
        if (difference := self._compare(step, frame)) and (found := self._found(step, difference)):
            raise found from None
        skipped = [one for one in self._steps[self._at : at] if one.kind == "cli" and not one.trailing]
        if skipped:
            frames = "1 frame" if len(skipped) == 1 else f"{len(skipped)} frames"
            self._player.notes.append(f"{self._place(step)}: {said} came {frames} earlier than recorded")
        self._took(at)

    def _found(self, step: Step, difference: Difference) -> Divergence | None:
        """The divergence that a difference is; nothing for other words of a prompt where those are tolerated."""
        if difference.is_stale:
            return self._player.stale(step.turn, place=self._place(step), detail=self._told(difference.detail))
        return self.diverge(difference.what, step, difference.detail)

    def _initiators(self, *, is_interrupt: bool) -> list[int]:
        """What the SDK began, in order; interrupts race with the rest and are a list of their own (sdk.md 2)."""
        return [
            at
            for at, step in enumerate(self._steps)
            if step.kind in ("query", "control") and is_interrupt == (subtype_of(step) == "interrupt")
        ]

    def _compare(self, step: Step, frame: Mapping[str, Any]) -> Difference | None:
        if step.kind == "query":
            return self._player.matching.prompt(step, frame)
        difference, hooks = self._player.matching.control(step, frame["request"])
        if hooks is not None:
            self._hooks = hooks
        if difference is None:
            self._live_ids[step.headers.get("id", "")] = frame["request_id"]
        return difference

    def _answer(self, frame: Mapping[str, Any]) -> None:
        wanted = frame.get("response", {}).get("request_id")
        at = self._answers.get(wanted)
        if at is None or at in self._done:
            in_vain = "was answered, but in the recording it never was" if at is None else "was answered a second time"
            self.diverge(f"{self._asked(wanted)} {in_vain}")
            return
        step = self._steps[at]
        if difference := self._player.matching.answer(step, frame, self._asked(wanted)):
            self.diverge(difference.what, step, difference.detail)
        self._asked_for.pop(wanted, None)
        self._took(at)

    def _asked(self, request_id: str | None) -> str:
        """The request of the CLI with this id, in words."""
        for step in self._steps:
            is_request = step.kind == "cli" and step.value.get("type") == "control_request"
            if is_request and step.value["request_id"] == request_id:
                return request_in_words(step.value["request"], self._hooks)
        return f"the request {request_id}"

    def _took(self, at: int) -> None:
        self._done.add(at)
        if self._steps[at].kind != "sdk":
            self._mark = asyncio.get_running_loop().time()
            self._ahead = max(self._ahead, at)

    def decide(self, what: str) -> None:
        """A timer of the runner decided: right only where the recording holds the same decision and nothing else is
        due before it.
        """
        owed = self._steps[self._at] if self._at < len(self._steps) else None
        if owed is not None and owed.kind in ("query", "control") and self._at not in self._done:
            raise self._decided_otherwise(f"{what!r} where the recording has {step_in_words(owed)}", owed) from None
        at = next((n for n, step in enumerate(self._steps) if step.kind == "decision" and n not in self._done), None)
        due = [step for step in self._steps[self._at : at] if step.kind == "cli" and not step.trailing]
        if due:
            recorded = f"the recorded one waited {waited(due[0].ms)} for the next frame and went on"
            raise self._decided_otherwise(f"{what!r} here; {recorded}", due[0]) from None
        if at is None:
            raise self._decided_otherwise(f"{what!r} here, but {self._ends_here()}") from None
        step = self._steps[at]
        if step.value != what:
            raise self._decided_otherwise(f"{what!r} here; the recorded one decided {step.value!r}", step) from None
        self._took(at)
        self.wake()

    def _decided_otherwise(self, what: str, step: Step | None = None) -> Divergence:
        """An unanswered hook is the usual cause of a run that gets no further."""
        because = f"; {waiting}" if (waiting := self._not_answered()) else ""
        return self.diverge(f"the session decided {what}{because}", step, self._player.explain())

    def _delivered(self, step: Step) -> dict[str, Any]:
        if self._tree is not None:
            self._player.switch_tree(self._tree)
            self._tree = None
        player, named = self._player, step.named
        frame: dict[str, Any] = player.names.show_at(step.value, named) if named else {**step.value}
        kind = frame.get("type")
        if kind == "control_response":
            answered = frame["response"]["request_id"]
            frame["response"]["request_id"] = self._live_ids.get(answered, answered)
        elif kind == "control_request":
            if frame["request_id"] in self._answers:
                self._asked_for[frame["request_id"]] = step
            if frame["request"].get("subtype") == "hook_callback":
                frame["request"]["callback_id"] = self._hooks.live(frame["request"]["callback_id"])
        self._mark = asyncio.get_running_loop().time()
        self._delivered_count += 1
        player.observer.frame("cli", frame)
        return frame

    def _recorded_error(self, step: Step) -> Exception:
        """The error that ended the recorded connection, as the SDK's own type where it can be built from what was
        recorded.
        """
        error = step.extra.get("error", {})
        name, text = error.get("type", "Exception"), self._player.names.show(error.get("text", ""))
        import claude_agent_sdk  # here: the SDK costs 0.8 s and an error end is rare

        if name == "ProcessError":
            made = claude_agent_sdk.ProcessError(text)  # the text tells the exit code already
            made.exit_code = step.extra.get("exit_status")
            return made
        if name == "CLINotFoundError":
            return claude_agent_sdk.CLINotFoundError(text)
        if name == "CLIConnectionError":
            return claude_agent_sdk.CLIConnectionError(text)
        return RecordedEndError(text or name)  # as the recorded session told it

    def check_all_played(self, detail: str = "") -> None:
        """Raise for the first frame or prompt that was recorded and that this run never came to."""
        owed, unread = self._owed()
        for step in owed:
            never = "read" if step.kind == "cli" else "came"
            raise self.diverge(f"{step_in_words(step)} was recorded and never {never}", step, detail) from None
        if unread:
            self._player.left_unread(self._script, unread)

    def unplayed(self) -> list[str]:
        """Each thing that was recorded and that this run never came to, in words; frames in a row are one."""
        rows = [[*row] for _, row in itertools.groupby(self._owed()[0], key=lambda step: step.kind == "cli" or step)]
        return [f"{row_in_words(row)} ({self._place(row[0])})" for row in rows]

    def _owed(self) -> tuple[list[Step], list[Step]]:
        return left_over(self._steps, self._done, self._at, may_be_unread=self._player.may_be_unread)

    def diverge(self, what: str, step: Step | None = None, detail: str = "") -> Divergence:
        """A divergence at a step, by default at the one that is being played; it is kept, and may be raised."""
        return self._player.diverge(what, place=self._place(step), detail=self._told(detail))

    def _told(self, detail: str) -> str:
        """What differs, and how far the connection was played."""
        return "\n".join(part for part in (detail, progress(self._steps, self._delivered_count)) if part)

    def _place(self, step: Step | None) -> str:
        connection = f"connection {self._script.number} ({self._script.purpose})"
        if step is None and not self._steps:
            return connection
        shown = step or self._steps[min(self._at, len(self._steps) - 1)]
        return f"{connection}, turn {shown.turn}, frame {shown.index}"

    def _ends_here(self) -> str:
        frames = [step for step in self._steps if step.kind == "cli"]
        played = sum(step.kind == "cli" for step in self._steps[: self._at])
        return f"the recording ends here ({played} of {len(frames)} frames played)"

    def _not_answered(self) -> str:
        asked = list(map(self._asked, self._asked_for))
        return f"{listed(asked)} {'was' if len(asked) == 1 else 'were'} not answered" if asked else ""

    def describe(self) -> str:
        """What this connection waits for."""
        if waiting := self._not_answered():
            return waiting
        if self._at >= len(self._steps) or self._steps[self._at].kind == "end":
            return self._ends_here()
        step = self._steps[self._at]
        if step.kind == "decision":
            return f"the recording waits for the session to decide {step.value!r}"
        return f"the next recorded thing is {step_in_words(step)} ({self._place(step)})"


def _connection_error(text: str) -> Exception:
    import claude_agent_sdk  # here: the SDK costs 0.8 s and this error is rare

    return claude_agent_sdk.CLIConnectionError(text)
