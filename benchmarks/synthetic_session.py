"""Makes the recorded sessions that the benchmarks read and play: any number of frames of usual shapes and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.transport.cassette import Aliases, Cassette, Take
from pytest_mala.transport.takes import interactions

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FRAMES_PER_TURN", "cassette", "frames", "prompt", "turns"]

Frame = dict[str, Any]

SESSION = "519b86dd-f7df-4e4b-96ba-fe5e52cbc6a5"
START = "2026-03-01T12:00:00+00:00"
FRAMES_PER_TURN = 40
_PROSE = "I read the code and look for the cause of the failure. The retry path forgets what it was told, so the "
_LINE = "tests/test_parser.py::test_nested[{number}-{at}] PASSED                                  [ {at}%]"
_CODE = (
    "def parse_{number}(text: str) -> list[str]:\n    if not text:\n        return []\n    return text.split({at!r})\n"
)


def prompt(turn: int) -> str:
    """What is asked in this turn, counted from 1."""
    return f"# Part {turn}\n\nMake the parser accept nested lists.\n\n- keep the tests green\n- commit what you did\n"


def turns(count: int) -> list[list[Frame]]:
    """So many frames of the CLI as turns, each ending with its result; without the answer to initialize."""
    every = list(frames(count))
    return [every[start : start + FRAMES_PER_TURN] for start in range(0, count, FRAMES_PER_TURN)]


def frames(count: int) -> Iterator[Frame]:
    """Frames of the CLI, about 1 kB each: prose, tool calls, their results, states, and a result at the end of a turn.

    The last one is a result, wherever it falls.
    """
    for number in range(1, count + 1):
        if number % FRAMES_PER_TURN == 0 or number == count:
            yield _result(number)
        elif number % FRAMES_PER_TURN == 1:
            yield _framed(number, {"type": "system", "subtype": "init", **_init()})
        else:
            yield _framed(number, (_text, _call, _answer, _edit, _answer)[number % 5](number))


def cassette(count: int, gap_seconds: float = 0.005) -> Cassette:
    """A recorded take of one connection with so many frames of the CLI, and one more, the answer to initialize.

    Gaps of 20 ms and less are not waited for on replay.
    """
    aliases = Aliases()

    def canonical(value: Any, connection: int) -> Any:
        return aliases.canonical(value, connection) if isinstance(value, dict) else value

    made = interactions(list(_entries(count, gap_seconds)), issue="bench", take=1, canonical=canonical)
    take = Take(number=1, start=START, interactions=made)
    return Cassette(issue="bench", lane="scripted", sdk="0.2.187", cli="2.1.330", takes=(take,))


def _entries(count: int, gap_seconds: float) -> Iterator[Frame]:
    asked = {"subtype": "initialize", "hooks": None}
    answer = {"subtype": "success", "request_id": "req_1_0a1b2c3d", "response": {"commands": []}}
    yield {"k": "connect", "t": 0.0, "c": 1, "purpose": "work", "body": ""}
    yield _wire("send", 0.0, {"type": "control_request", "request_id": "req_1_0a1b2c3d", "request": asked})
    yield _wire("recv", 0.0, {"type": "control_response", "response": answer})
    at = 0.0
    for turn, said in enumerate(turns(count), 1):
        message = {"role": "user", "content": prompt(turn)}
        yield _wire("send", at, {"type": "user", "message": message, "session_id": "default"})
        for one in said:
            at += gap_seconds
            yield _wire("recv", at, one)
    yield {"k": "end", "t": at, "c": 1, "how": "closed"}


def _wire(kind: str, at: float, frame: Frame) -> Frame:
    return {"k": kind, "t": at, "c": 1, "m": frame}


def _framed(number: int, frame: Frame) -> Frame:
    return {**frame, "session_id": SESSION, "uuid": f"519b86dd-f7df-4e4b-96ba-{number:012x}"}


def _init() -> Frame:
    tools = ["Bash", "Edit", "Glob", "Grep", "Read", "Task", "TodoWrite", "WebFetch", "Write"]
    return {"cwd": "${WORKSPACE}", "tools": tools, "model": "claude-sonnet", "permissionMode": "bypassPermissions"}


def _assistant(number: int, block: Frame) -> Frame:
    counts = {"input_tokens": 4, "cache_read_input_tokens": 18000 + number, "output_tokens": 90}
    usage = {**counts, "cache_creation_input_tokens": 200, "service_tier": "standard"}
    told = {"id": f"msg_{number:08x}", "type": "message", "role": "assistant", "model": "claude-sonnet"}
    message = {**told, "content": [block], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None}


def _text(number: int) -> Frame:
    return _assistant(number, {"type": "text", "text": f"Step {number}. " + (_PROSE + f"next one is {number}. ") * 5})


def _call(number: int) -> Frame:
    given = {"command": f"python -m pytest -q -k test_{number} ${{WORKSPACE}}/tests", "description": "Run one test"}
    return _assistant(number, {"type": "tool_use", "id": f"toolu_{number:08x}", "name": "Bash", "input": given})


def _edit(number: int) -> Frame:
    path = f"${{WORKSPACE}}/src/parser_{number}.py"
    old, new = (_CODE.format(number=number, at=at) * 2 for at in (",", ";"))
    given = {"file_path": path, "old_string": old, "new_string": new, "replace_all": False}
    return _assistant(number, {"type": "tool_use", "id": f"toolu_{number:08x}", "name": "Edit", "input": given})


def _answer(number: int) -> Frame:
    output = "\n".join(_LINE.format(number=number, at=at) for at in range(9))
    block = {"tool_use_id": f"toolu_{number - 1:08x}", "type": "tool_result", "content": output, "is_error": False}
    result = {"stdout": output[:200], "stderr": "", "interrupted": False, "isImage": False}
    message = {"role": "user", "content": [block]}
    return {"type": "user", "message": message, "parent_tool_use_id": None, "tool_use_result": result}


def _result(number: int) -> Frame:
    counts = {"duration_ms": 9000, "duration_api_ms": 8000, "num_turns": 20, "total_cost_usd": 0.25}
    usage = {"input_tokens": 80, "output_tokens": 1800, "cache_read_input_tokens": 360000}
    told = {"type": "result", "subtype": "success", "is_error": False, "result": "All tests pass now."}
    return _framed(number, {**told, **counts, "usage": usage, "permission_denials": []})
