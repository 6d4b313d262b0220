"""From journal entries to the interactions of a take, and from a take back to the steps that replay walks (design D6).

Both directions are pure. A journal entry is a JSON object with `k` (its kind) and `t` (seconds since the recording
began); entries of a connection also have its number `c`. Kinds: take (what is known before it begins), proof, kept (an
interaction of an earlier recording, as it is), connect, send, recv, tree, decide, end, turn, gate, state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_mala.transport.cassette import Interaction
from pytest_mala.transport.cassette.collecting import without_collecting
from pytest_mala.transport.script import ConnectionScript, GateScript, Step, TakeScript, names_in
from pytest_mala.transport.turns import TurnWatch
from pytest_mala.transport.wellformed import TakeError, check_head, check_interaction, place_of

__all__ = [
    "ConnectionScript",
    "Entry",
    "GateScript",
    "Step",
    "TakeScript",
    "cli_version",
    "interactions",
    "kept_entry",
    "read_take",
]

Entry = Mapping[str, Any]
Canonical = Callable[[Any, int], Any]

_ON_A_CONNECTION = ("CONNECT", "QUERY", "CONTROL", "END")


def is_initiator(frame: Mapping[str, Any]) -> bool:
    """Whether the SDK began something with this frame: a prompt or a control request, not an answer."""
    return frame.get("type") in ("user", "control_request")


def request_text(request: Mapping[str, Any]) -> str:
    """A control request as the body of its interaction: JSON, sorted, one key to a line."""
    return json.dumps(request, indent=1, sort_keys=True, ensure_ascii=False)


def prompt_text(frame: Mapping[str, Any]) -> str:
    """What a user frame says: its text, or JSON when it is made of blocks."""
    content = frame["message"]["content"]
    return content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False)


@dataclass(slots=True)
class _Open:
    """An interaction that still grows."""

    method: str
    uri: str
    body: str
    headers: dict[str, str]
    frames: list[dict[str, Any]] = field(default_factory=list)
    ms: list[int] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)

    def put(self, item: dict[str, Any], ms: int, at: int | None = None) -> None:
        where = len(self.frames) if at is None else at
        self.frames.insert(where, item)
        self.ms.insert(where, ms)

    def closed(self) -> Interaction:
        response = dict(self.rest)
        if self.frames:
            response |= {"ms": self.ms, "frames": self.frames}
        return Interaction(method=self.method, uri=self.uri, body=self.body, headers=self.headers, response=response)


class _Writer:
    def __init__(self, issue: str, take: int, canonical: Canonical) -> None:
        self.root = f"claude-sdk://{issue}/{take}"
        self.canonical = canonical
        self.all: list[_Open] = []
        self.of_connection: dict[int, list[_Open]] = {}
        self.mark: dict[int, float] = {}  # when the last prompt, frame or decision of a connection happened
        self.counts: dict[tuple[int, str], int] = {}

    def open(self, method: str, place: str, body: str, headers: dict[str, str], connection: int = 0) -> _Open:
        made = _Open(method, f"{self.root}/{place}", body, headers)
        self.all.append(made)
        if connection:
            self.of_connection.setdefault(connection, []).append(made)
        return made

    def gap(self, entry: Entry) -> int:
        """Milliseconds since the last thing that happened on the connection; from now on this entry is that thing."""
        now: float = entry["t"]
        before = self.mark.get(entry["c"], now)
        self.mark[entry["c"]] = now
        return max(0, round((now - before) * 1000))

    def take(self, entry: Entry) -> None:
        """It stands at the head of the file."""

    def proof(self, entry: Entry) -> None:
        """As well (transport/proof.py)."""

    def kept(self, entry: Entry) -> None:
        """The connection that goes on takes up what comes after it."""
        response = dict(entry["response"])
        one = _Open(entry["method"], entry["uri"], entry["body"], dict(entry["headers"]))
        one.frames, one.ms = list(response.pop("frames", [])), list(response.pop("ms", []))
        one.rest = response
        self.all.append(one)
        if (number := entry["c"]) and one.method != "END":
            self.of_connection.setdefault(number, []).append(one)
            kind = one.method.lower()
            self.counts[number, kind] = self.counts.get((number, kind), 0) + 1

    def connect(self, entry: Entry) -> None:
        number = entry["c"]
        self.gap(entry)
        body = self.canonical(entry["body"], number)
        self.open("CONNECT", f"connection/{number}", body, {"purpose": entry["purpose"]}, number)

    def send(self, entry: Entry) -> None:
        frame = self.canonical(entry["m"], entry["c"])
        if is_initiator(frame):
            self.begin(entry, frame)
        else:
            self.answer(entry["c"], frame)

    def begin(self, entry: Entry, frame: Mapping[str, Any]) -> None:
        number, kind = entry["c"], "query" if frame["type"] == "user" else "control"
        self.gap(entry)
        count = self.counts[number, kind] = self.counts.get((number, kind), 0) + 1
        place = f"connection/{number}/{kind}/{count}"
        if kind == "query":
            headers = {"session": frame.get("session_id") or "", **entry.get("headers", {})}
            self.open("QUERY", place, prompt_text(frame), headers, number)
        else:
            self.open("CONTROL", place, request_text(frame["request"]), {"id": frame["request_id"]}, number)

    def answer(self, number: int, frame: Mapping[str, Any]) -> None:
        """A hook's answer stands right behind its request, wherever on the wire it came (slice.md 8: else +-1 slot)."""
        wanted = frame.get("response", {}).get("request_id")
        for one in reversed(self.of_connection.get(number, [])):
            for at, item in enumerate(one.frames):
                request = item.get("cli", {})
                if request.get("type") == "control_request" and request.get("request_id") == wanted:
                    one.put({"sdk": frame}, 0, at + 1)
                    return
        self.last(number).put({"sdk": frame}, 0)

    def last(self, number: int) -> _Open:
        return self.of_connection[number][-1]

    def recv(self, entry: Entry) -> None:
        frame = self.canonical(entry["m"], entry["c"])
        self.last(entry["c"]).put({"cli": frame}, self.gap(entry))

    def tree(self, entry: Entry) -> None:
        self.last(entry["c"]).put({"tree": entry["id"]}, 0)

    def decide(self, entry: Entry) -> None:
        self.last(entry["c"]).put({"decision": entry["what"]}, self.gap(entry))

    def end(self, entry: Entry) -> None:
        number = entry["c"]
        self.mark_trailing(number)
        made = self.open("END", f"connection/{number}/end", entry["how"], {}, number)
        for key in ("error", "exit_status", "stderr"):
            if entry.get(key) not in (None, "", []):
                made.rest[key] = self.canonical(entry[key], number)

    def mark_trailing(self, number: int) -> None:
        """Frames behind the end of the last turn may be missing the next time: nobody waits for them."""
        opened = self.of_connection.get(number, [])
        items = [(one, at) for one in opened for at in range(len(one.frames))]
        for one, at in items[_count_awaited(opened) :]:
            if "cli" in one.frames[at]:
                one.frames[at] = {"trailing": one.frames[at]["cli"]}

    def turn(self, entry: Entry) -> None:
        self.open("TREE", f"turn/{entry['turn']}/tree", "", {}).rest.update(entry["data"])

    def gate(self, entry: Entry) -> None:
        made = self.open("GATE", f"gate/{entry['attempt']}", "", {})
        made.rest |= {"took_ms": entry["ms"], "checks": entry["rows"]}

    def state(self, entry: Entry) -> None:
        if self.all:
            self.all[-1].rest.setdefault("decisions", []).append(entry["text"])


def _count_awaited(opened: Iterable[_Open]) -> int:
    """How many frame items of a connection come up to the end of its last turn: of the last result, if the CLI did not
    go idle after it; all, if there was no result.
    """
    watch = TurnWatch()
    count, result, end = 0, None, None
    for one in opened:
        if one.method == "QUERY":
            result = end = None
            watch.begin()
        for item in one.frames:
            count += 1
            frame = item.get("cli", {})
            if frame.get("type") == "result":
                result = count
                end = count if watch.result(is_error=bool(frame.get("is_error"))) else None
            elif frame.get("subtype") == "background_tasks_changed":
                watch.tasks(frame.get("tasks"))
            elif frame.get("subtype") == "session_state_changed" and not frame.get("sdk_host_only"):
                end = count if watch.state(frame.get("state")) else end
    return end or result or count


def interactions(entries: Iterable[Entry], *, issue: str, take: int, canonical: Canonical) -> tuple[Interaction, ...]:
    """The interactions of one take, from its journal entries in the order in which they were written.

    `canonical(value, connection)` gives ids and volatile fields their stable form.
    """
    writer = _Writer(issue, take, canonical)
    for entry in entries:
        getattr(writer, entry["k"])(entry)
    return tuple(one.closed() for one in writer.all)


def kept_entry(one: Interaction) -> dict[str, Any]:
    """The journal entry that puts an interaction of an earlier recording into this one, unchanged."""
    place = place_of(one)
    return {"k": "kept", "t": 0.0, "c": place if one.method in _ON_A_CONNECTION else 0, **asdict(one)}


def cli_version(entries: Iterable[Entry]) -> str:
    """The version that the CLI said at its first start; "unknown" if it never got that far."""
    said = (frame.get("claude_code_version") for entry in entries for frame in _said(entry))
    return next((version for version in said if version), "unknown")


def _said(entry: Entry) -> Iterable[Mapping[str, Any]]:
    """The frames of the CLI in a journal entry."""
    if entry["k"] == "kept":
        return [item["cli"] for item in entry["response"].get("frames", []) if "cli" in item]
    return [entry["m"]] if entry["k"] == "recv" else []


@dataclass(slots=True)
class _Lines:
    """The steps of one connection while they are read, and how many of them are lines on the wire."""

    purpose: str
    options: str
    steps: list[Step] = field(default_factory=list)
    on_the_wire: int = 0

    def add(self, kind: str, one_turn: int, value: Any, **more: Any) -> None:
        self.on_the_wire += kind in ("query", "control", "cli", "sdk")
        self.steps.append(Step(kind=kind, index=self.on_the_wire, turn=one_turn, value=value, **more))


class _Reader:
    def __init__(self) -> None:
        self.places: set[str] = set()
        self.connections: dict[int, _Lines] = {}
        self.trees: dict[int, Mapping[str, Any]] = {}
        self.gates: dict[int, GateScript] = {}
        self.decisions: list[str] = []
        self.turn = 0

    def add(self, one: Interaction) -> None:
        number = place_of(one)
        check_head(one)
        check_interaction(one)
        if one.uri in self.places:
            raise TakeError(one, (), "this place stands twice in the take")
        self.places.add(one.uri)
        getattr(self, one.method.lower())(one, number)
        self.decisions += one.response.get("decisions", [])

    def connect(self, one: Interaction, number: int) -> None:
        if number != len(self.connections) + 1:
            raise TakeError(
                one, (), f"expected connection {len(self.connections) + 1}: they are numbered upwards from 1"
            )
        self.connections[number] = _Lines(one.headers.get("purpose", "work"), one.body)
        self.frames(one, number)

    def query(self, one: Interaction, number: int) -> None:
        self.turn += 1
        self.begin("query", one, number)

    def control(self, one: Interaction, number: int) -> None:
        self.begin("control", one, number)

    def begin(self, kind: str, one: Interaction, number: int) -> None:
        lines = self.lines(one, number)
        expected = 1 + sum(step.kind == kind for step in lines.steps)
        if one.uri.rpartition("/")[2] != str(expected):
            raise TakeError(one, (), f"expected {kind} {expected} of its connection: they are numbered upwards from 1")
        lines.add(kind, self.turn, one.body, headers=one.headers)
        self.frames(one, number)

    def frames(self, one: Interaction, number: int) -> None:
        """What came back; also where nothing was asked: a deadline may strike before the first prompt or after the
        end.
        """
        lines = self.lines(one, number)
        for item, ms in zip(one.response.get("frames", []), one.response.get("ms", []), strict=True):
            ((what, value),) = item.items()
            if what in ("cli", "trailing"):
                lines.add("cli", self.turn, value, ms=ms, trailing=what == "trailing", named=names_in(value))
            else:
                lines.add(what, self.turn, value, ms=ms)

    def end(self, one: Interaction, number: int) -> None:
        self.lines(one, number).add("end", self.turn, one.body, extra=one.response)
        self.frames(one, number)

    def tree(self, one: Interaction, number: int) -> None:
        self.trees[number] = {key: value for key, value in one.response.items() if key != "decisions"}

    def gate(self, one: Interaction, number: int) -> None:
        rows, ms = one.response.get("checks", []), one.response.get("took_ms", [])
        self.gates[number] = GateScript(attempt=number, rows=tuple(rows), ms=tuple(ms))

    def lines(self, one: Interaction, number: int) -> _Lines:
        if number not in self.connections:
            raise TakeError(one, (), f"connection {number} was never opened (no CONNECT before it)")
        return self.connections[number]


@without_collecting()
def read_take(recorded: Iterable[Interaction]) -> TakeScript:
    """The script of a take. Raises TakeError for an interaction that can't be played or stands at no known place."""
    reader = _Reader()
    for one in recorded:
        reader.add(one)
    connections = tuple(
        ConnectionScript(number=number, purpose=lines.purpose, options=lines.options, steps=tuple(lines.steps))
        for number, lines in sorted(reader.connections.items())
    )
    return TakeScript(
        connections=connections, trees=reader.trees, gates=reader.gates, decisions=tuple(reader.decisions)
    )
