"""Recording the same words again changes next to nothing: what makes a cassette reviewable (cassettes.md 2.3)."""

from __future__ import annotations

import difflib
import random
import re
import uuid
from typing import Any

from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import dump

CONNECTIONS, TURNS, CALLS = 4, 8, 10
MOST = 150


class Session:
    """The journal of a session in fixed words; ids and times are drawn anew for each recording."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.session = self.uuid()
        self.entries: list[dict[str, Any]] = []

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def id(self, prefix: str) -> str:
        return prefix + "".join(self.random.choices("ABCDEFabcdef0123456789", k=22))

    def add(self, kind: str, connection: int, **facts: Any) -> None:
        self.now += self.random.uniform(0.001, 3)
        self.entries.append({"k": kind, "t": round(self.now, 3), "c": connection, **facts})

    def frame(self, connection: int, frame: dict[str, Any]) -> None:
        more = {"uuid": self.uuid(), "session_id": self.session}
        self.add("recv", connection, m={**frame, **more})

    def call(self, connection: int, turn: int, number: int) -> None:
        tool, words = self.id("toolu_"), f"turn {turn}, call {number}"
        message = {"id": self.id("msg_"), "role": "assistant", "usage": {"input_tokens": 100 * turn + number}}
        text = {"type": "text", "text": f"I look at file {number}, since {words} needs it.\nThen I go on."}
        self.frame(connection, {"type": "assistant", "message": {**message, "content": [text]}})
        use = {"type": "tool_use", "id": tool, "name": "Read", "input": {"file_path": f"${{WORKSPACE}}/{number}.py"}}
        self.frame(connection, {"type": "assistant", "message": {**message, "content": [use]}})
        result = {"type": "tool_result", "tool_use_id": tool, "content": f"def f{number}():\n    return {number}\n"}
        stamp = f"2026-11-{self.random.randint(1, 28):02}T10:00:00.000Z"
        self.frame(connection, {"type": "user", "message": {"role": "user", "content": [result]}, "timestamp": stamp})

    def turn(self, connection: int, turn: int) -> None:
        prompt = {
            "type": "user",
            "message": {"role": "user", "content": f"Do part {turn}."},
            "session_id": self.session,
        }
        self.add("send", connection, m=prompt)
        for number in range(CALLS):
            self.call(connection, turn, number)
        took = self.random.randint(1000, 90000)
        done = {"duration_ms": took, "duration_api_ms": took - 7, "total_cost_usd": 0.01 * turn, "result": "Done."}
        self.frame(connection, {"type": "result", "subtype": "success", "is_error": False, **done})

    def recorded(self) -> str:
        for connection in range(1, CONNECTIONS + 1):
            self.add("connect", connection, purpose="work", body="model: opus\n")
            for turn in range(TURNS):
                self.turn(connection, turn)
            self.add("end", connection, how="closed")
        start = f"2026-11-{self.random.randint(1, 28):02}T08:09:28Z"
        return dump(assemble(TakeHead(issue="long", lane="live", sdk="1", start=start), self.entries))


def test_the_same_words_again_change_few_lines() -> None:
    one, other = Session(1), Session(2)
    was, now = one.recorded().splitlines(), other.recorded().splitlines()
    frames = sum(entry["k"] == "recv" for entry in one.entries)
    assert frames == CONNECTIONS * TURNS * (3 * CALLS + 1) == 992
    assert one.session != other.session
    changed = [line for line in list(difflib.unified_diff(was, now, n=0))[2:] if line[:1] in "+-"]
    assert 0 < len(changed) <= MOST
    times = {line.lstrip("+- ").split(":")[0] for line in changed if not line.lstrip("+- ")[:1].isdigit()}
    assert times <= {"ms", "takes", "# sha256"}


def test_an_inserted_call_renumbers_nothing_else() -> None:
    """One more call in a turn of the second connection."""
    one, other = Session(1), Session(2)
    for session in (one, other):
        for connection in (1, 2, 3):
            session.add("connect", connection, purpose="work", body="model: opus\n")
            session.turn(connection, 1)
            if session is other and connection == 2:
                session.call(connection, 1, 99)
            session.add("end", connection, how="closed")
    head = TakeHead(issue="long", lane="live", sdk="1", start="2026-11-24T08:09:28Z")
    was, now = (dump(assemble(head, session.entries)).splitlines() for session in (one, other))
    lines = [line[1:].strip() for line in difflib.unified_diff(was, now, n=0) if line[:1] in "+-"]
    foreign = [line for line in lines if re.search("(toolu|msg)_[13]_", line)]
    assert foreign == []
    assert sum("toolu_2_" in line for line in lines) == 2
