"""Take down a session as it happens and render it as text: equal sessions give equal text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.session.transcript.aliases import Aliases
from pytest_mala.session.transcript.lines import Piece, bounded, cut, escaped
from pytest_mala.session.transcript.tools import as_json, call_body, content_body, fields_body
from pytest_mala.session.transcript.wire import (
    hooks_asked,
    notice,
    request_answer,
    request_title,
    result_title,
    sub_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Literal

__all__ = ["CheckRow", "Transcript"]

SILENCE_SECONDS = 5.0
"""A pause of the agent that long or longer is a line of its own."""

SHORTEST_ID = 4
"""Shorter session and tool ids are not replaced in texts: they would be found in ordinary words and numbers."""

_WHOLE = 150
_INDENT = "    "
_HIDDEN = frozenset({"stream_event", "transcript_mirror", "keep_alive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check of a gate as transcripts show it; `verdict` is `passed` or another word, `reason` one line."""

    name: str
    verdict: str
    exit_status: int | None = None
    reason: str = ""
    output: str = ""


@dataclass(slots=True, kw_only=True)
class _Event:
    """One thing that happened: `at` in seconds, a title, what stands below it; `apart` has an empty line before it."""

    at: float
    title: str
    body: tuple[Piece, ...] = ()
    apart: bool = False
    silence: float = 0.0


class Transcript:
    """A session as text: who said and did what, when on the session's clock, and how it was judged.

    Feed it in the order of events; `at` is always seconds on the session's clock. `names` are this run's values and
    what stands for them (`{"/tmp/x/workspace": "${WORKSPACE}"}`); ids of sessions, tool calls and commits get
    numbered names of their own. An answer to a hook stands with its question, wherever it came. Nothing that a frame
    holds makes it fail.
    """

    def __init__(self, issue_id: str, title: str, names: Mapping[str, str]) -> None:
        self._heading = f"session {issue_id}: {title}"
        self._issue_id = issue_id
        self._names = dict(names)
        self._events: list[_Event] = []
        self._last_at = math.inf  # before the first event there is no silence
        self._connection, self._purpose = 0, ""
        self._turns = 0
        self._sessions: dict[str, str] = {}
        self._tasks: dict[str, str] = {}
        self._calls: dict[str, str] = {}
        self._asked: dict[tuple[str, str], tuple[Mapping[str, Any], _Event]] = {}
        self._init_shown = ""

    def connection(self, number: int, purpose: str, at: float) -> None:
        """A connection opens: its number in the session and what it is for (work, gate retry, idle resume, ...)."""
        self._connection, self._purpose = number, purpose
        self._init_shown = ""
        self._add(at, f"connection {number}: {purpose}", apart=True)

    def frame(self, direction: Literal["cli", "sdk"], frame: Mapping[str, Any], at: float) -> None:
        """A frame went over the wire: from the CLI (`cli`) or from us (`sdk`)."""
        silence = at - self._last_at
        before = len(self._events)
        if direction == "sdk":
            self._sent(frame, at)
        else:
            self._received(frame, at)
        if len(self._events) > before and silence >= SILENCE_SECONDS:
            self._events[before].silence = silence
        if frame.get("type") == "stream_event":
            # not shown, but it is no silence; other hidden frames may be missing and count for nothing
            self._last_at = at

    def state(self, state: str, effect: str, at: float) -> None:
        """The lifecycle entered a state and asked for an effect."""
        self._add(at, f"state {state}, effect {effect}")

    def checks(self, attempt: int, rows: Sequence[CheckRow], at: float) -> None:
        """The gate judged: one row per check; the output is shown, bounded, for those that did not pass."""
        failed = [row.name for row in rows if row.verdict != "passed"]
        count = f"{len(rows)} {'check' if len(rows) == 1 else 'checks'}"
        verdict = f"{len(failed)} of {count} failed: {', '.join(failed)}" if failed else f"{count} passed"
        body = tuple(piece for row in rows for piece in _check_pieces(row))
        self._add(at, f"gate attempt {attempt}: {verdict}", body, apart=True)

    def note(self, text: str, at: float) -> None:
        """Something that the runner decided, such as a timer that ran out."""
        silence = at - self._last_at
        first, _, rest = text.partition("\n")
        self._add(at, f"* {first}", _whole(rest))
        if silence >= SILENCE_SECONDS:
            self._events[-1].silence = silence

    def outcome(self, reason: str, summary: str, at: float) -> None:
        """The session ended for this one reason."""
        self._add(at, f"outcome: {reason}", _whole(summary), apart=True)

    def render(self, *, times: bool = True) -> str:
        """The text so far, ending in a newline; without `times` it tells nothing about the clock."""
        aliases = Aliases(self._all_names(), self._texts())
        lines = [_one_line(self._heading, aliases)]
        for event in self._events:
            lines += self._lines(event, aliases, times=times)
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _lines(self, event: _Event, aliases: Aliases, *, times: bool) -> Iterator[str]:
        margin = " " * 11 if times else ""
        if event.apart:
            yield ""
        if event.silence:
            yield f"{margin}({event.silence:.1f} s of silence)" if times else "(a long silence)"
        stamp = f"{event.at:>9.3f}  " if times else ""
        yield cut(stamp + _one_line(event.title, aliases))
        for piece in event.body:
            text = escaped(aliases.apply(piece.text)).expandtabs(8)
            for index, line in enumerate(bounded(text.split("\n"), head=piece.head, tail=piece.tail)):
                yield f"{margin}{_INDENT}{piece.margin if index else piece.mark}{line}"

    def _all_names(self) -> dict[str, str]:
        known = self._sessions | self._tasks | self._calls
        ids = {value: name for value, name in known.items() if len(value) >= SHORTEST_ID}
        return ids | {self._issue_id: self._issue_id} | self._names

    def _texts(self) -> Iterator[str]:
        for event in self._events:
            yield event.title
            yield from (piece.text for piece in event.body)

    def _add(self, at: float, title: str, body: tuple[Piece, ...] = (), *, apart: bool = False) -> _Event:
        event = _Event(at=at, title=title, body=body, apart=apart)
        self._events.append(event)
        self._last_at = at
        return event

    def _sent(self, frame: Mapping[str, Any], at: float) -> None:
        match frame.get("type"):
            case "user":
                self._turns += 1
                title = f"turn {self._turns}, connection {self._connection}: prompt ({self._purpose})"
                self._add(at, title, _quoted(_content_of(frame)), apart=True)
            case "control_request":
                self._request_to_cli(frame, at)
            case "control_response":
                self._answered("cli", frame)
            case other:
                self._unknown(other, at)

    def _request_to_cli(self, frame: Mapping[str, Any], at: float) -> None:
        request = sub_request(frame)
        subtype = request.get("subtype")
        if subtype == "initialize":
            if hooks := hooks_asked(request):
                self._add(at, f"hooks: {hooks}")
            return
        rest = {key: value for key, value in request.items() if key != "subtype"}
        self._ask("sdk", frame, self._add(at, f"request {subtype}", fields_body(rest)), request)

    def _received(self, frame: Mapping[str, Any], at: float) -> None:
        _learn(self._sessions, "session", frame.get("session_id"))
        _learn(self._tasks, "task", frame.get("task_id"))
        match frame.get("type"):
            case "assistant" | "user" as role:
                self._message(str(role), frame, at)
            case "result":
                self._add(at, *result_title(frame))
            case "system" if frame.get("subtype") == "init":
                self._started(frame, at)
            case "system":
                if shown := notice(frame):
                    self._add(at, *shown)
            case "control_request":
                self._request_of_cli(frame, at)
            case "control_response":
                self._answered("sdk", frame)
            case "control_cancel_request":
                self._add(at, f"the CLI withdrew a request{self._withdrawn(frame)}")
            case "rate_limit_event" | "conversation_reset" as kind:
                rest = {key: value for key, value in frame.items() if key not in ("type", "uuid", "session_id")}
                self._add(at, str(kind).replace("_", " "), fields_body(rest))
            case hidden if isinstance(hidden, str) and hidden in _HIDDEN:
                pass
            case other:
                self._unknown(other, at)

    def _unknown(self, kind: object, at: float) -> None:
        self._add(at, f"(frame of unknown type {kind!r})" if isinstance(kind, str) else "(frame without a type)")

    def _started(self, frame: Mapping[str, Any], at: float) -> None:
        """The CLI says this anew at every turn; it is told again only if something is different."""
        shown = f"{frame.get('session_id')}: model {frame.get('model')}, permissions {frame.get('permissionMode')}"
        if shown != self._init_shown:
            self._init_shown = shown
            self._add(at, f"session {shown}")

    def _message(self, role: str, frame: Mapping[str, Any], at: float) -> None:
        if frame.get("isReplay") is True:
            return  # an echo of what was sent
        parent = frame.get("parent_tool_use_id")
        by = f" (sub-agent of {self._call(parent)})" if parent is not None else ""
        cut = " (cut off)" if frame.get("aborted") is True else ""
        content = _content_of(frame)
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for block in blocks:
            self._block(role, block if isinstance(block, dict) else {"text": block}, f"{by}{cut}", at)
        if frame.get("error"):
            self._add(at, f"agent error: {frame['error']}")

    def _block(self, role: str, block: Mapping[str, Any], suffix: str, at: float) -> None:
        who = "agent" if role == "assistant" else "to the agent"
        match block.get("type"):
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                name = block.get("name")
                call = self._call(block.get("id"))
                self._add(at, f"{call}: {name}{suffix}", call_body(str(name), block.get("input")))
            case str(kind) if kind.endswith("tool_result"):
                flag = block.get("is_error")
                bad = "" if flag is None or flag is False else " (error)"
                result = self._call(block.get("tool_use_id")).replace("call", "result")
                self._add(at, f"{result}{bad}{suffix}", content_body(block.get("content")))
            case "thinking":
                self._add(at, f"{who} thinks{suffix}", content_body(block.get("thinking")))
            case "text":
                self._add(at, f"{who}{suffix}", _whole(block.get("text")))
            case _:
                self._add(at, f"{who}{suffix}", content_body([dict(block)]))

    def _call(self, tool_id: object) -> str:
        """`call 3`: tool calls are numbered in the order in which they are first spoken of."""
        key = tool_id if isinstance(tool_id, str) else as_json(tool_id)
        return self._calls.setdefault(key, f"call {len(self._calls) + 1}")

    def _request_of_cli(self, frame: Mapping[str, Any], at: float) -> None:
        request = sub_request(frame)
        tool_id = request.get("tool_use_id")
        call = self._calls.get(tool_id) if isinstance(tool_id, str) else None
        if shown := request_title(request, call):
            self._ask("cli", frame, self._add(at, *shown), request)

    def _ask(self, who: str, frame: Mapping[str, Any], event: _Event, request: Mapping[str, Any]) -> None:
        """Notes a question; it says so until an answer is filled in at its place."""
        self._asked[who, str(frame.get("request_id"))] = (request, event)
        self._fill(event, "not answered", ())

    def _answered(self, who: str, frame: Mapping[str, Any]) -> None:
        response = frame.get("response")
        response = response if isinstance(response, dict) else {}
        asked = self._asked.pop((who, str(response.get("request_id"))), None)
        if asked is not None:
            request, event = asked
            event.title = event.title.removesuffix(": not answered")
            self._fill(event, *request_answer(request, response))

    def _withdrawn(self, frame: Mapping[str, Any]) -> str:
        asked = self._asked.get(("cli", str(frame.get("request_id"))))
        return f": {asked[1].title.removesuffix(': not answered')}" if asked else ""

    @staticmethod
    def _fill(event: _Event, words: str, body: tuple[Piece, ...]) -> None:
        event.title = f"{event.title}: {words}"
        event.body += body


def _learn(known: dict[str, str], kind: str, value: object) -> None:
    if isinstance(value, str) and value and value not in known:
        known[value] = f"<{kind} {len(known) + 1}>"


def _one_line(text: str, aliases: Aliases) -> str:
    return escaped(aliases.apply(text)).replace("\n", " ")


def _content_of(frame: Mapping[str, Any]) -> object:
    message = frame.get("message")
    return message.get("content") if isinstance(message, dict) else None


def _whole(text: object) -> tuple[Piece, ...]:
    """Words rather than output: shown in full unless they are very long."""
    if text is None or text == "":
        return ()
    return (Piece(text=text if isinstance(text, str) else as_json(text), head=_WHOLE, tail=50),)


def _quoted(content: object) -> tuple[Piece, ...]:
    pieces = content_body(content)
    return tuple(Piece(text=piece.text, mark="| ", margin="| ", head=_WHOLE, tail=50) for piece in pieces)


def _check_pieces(row: CheckRow) -> Iterator[Piece]:
    if row.verdict == "passed":
        yield Piece(text=f"ok      {row.name}")
        return
    reason = f": {row.reason}" if row.reason else ""
    yield Piece(text=f"{row.verdict.upper().replace('-', ' '):<6}  {row.name}{reason}")
    if output := row.output.strip("\n"):
        yield Piece(text=output, mark=_INDENT + "  ", margin=_INDENT + "  ")
