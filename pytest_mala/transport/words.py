"""What messages about a take call its steps: prompts, frames, requests of either side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.takes import prompt_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mala.transport.hooks import HookIds
    from pytest_mala.transport.takes import Step

__all__ = [
    "beyond",
    "listed",
    "progress",
    "quoted",
    "request_in_words",
    "row_in_words",
    "step_in_words",
    "subtype_of",
    "waited",
]

_QUOTED = 80


def step_in_words(step: Step, *, quotes: bool = False) -> str:
    """A step of a connection, as the subject or object of a sentence; a prompt with its beginning, if asked for."""
    match step.kind:
        case "query":
            return f"a prompt {quoted(step.value)}" if quotes else "a prompt"
        case "control":
            return f"the control request {subtype_of(step)}"
        case "sdk":
            return "an answer"
        case "decision":
            return f"the decision {step.value!r}"
        case "end":
            return "the end of the connection"
        case _:
            subtype = step.value.get("subtype") or step.value.get("request", {}).get("subtype")
            return f"a frame {step.value.get('type')}" + (f" {subtype}" if subtype else "")


def row_in_words(row: Sequence[Step]) -> str:
    """A step, or several frames in a row."""
    return f"{len(row)} frames" if len(row) > 1 else step_in_words(row[0], quotes=True)


def progress(steps: Sequence[Step], count: int) -> str:
    """The last frame that was played, the `count`th, and its time: the sum of the recorded gaps up to it."""
    frames = [step for step in steps if step.kind == "cli"]
    played = frames[:count]
    if not played:
        return f"no frame of {len(frames)} was played yet" if frames else ""
    seconds = sum(step.ms for step in played) / 1000
    kind = step_in_words(played[-1]).removeprefix("a frame ")
    return f"last frame played: frame {played[-1].index} ({kind}) at {seconds:.3f} s, {count} of {len(frames)}"


def beyond(frame: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """A prompt that is one too many, and how the recording ended."""
    sent = [f"sent: {quoted(prompt_text(frame))}"] if frame["type"] == "user" else []
    results = [step.value for step in steps if step.kind == "cli" and step.value.get("type") == "result"]
    last = [f"last recorded result: {quoted(str(results[-1].get('result')))}"] if results else []
    return "\n".join([*sent, *last])


def subtype_of(step: Step) -> str | None:
    """What a recorded control request asks for; None for a prompt."""
    return json.loads(step.value).get("subtype") if step.kind == "control" else None


def request_in_words(request: Mapping[str, Any], hooks: HookIds) -> str:
    """What the CLI asks of us: a hook by its event, a call of an MCP server by its tool."""
    tool = f" for {request['tool_use_id']}" if request.get("tool_use_id") else ""
    if request["subtype"] == "hook_callback":
        return f"the hook {hooks.name(request['callback_id'])}{tool}"
    if request["subtype"] == "mcp_message":
        return f"the MCP request {_mcp_method(request.get('message'))} to the server {request.get('server_name')}"
    return f"the request {request['subtype']}{tool}"


def _mcp_method(message: Any) -> str:
    given = message if isinstance(message, dict) else {}
    params = given.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return f"{given.get('method')} {name}" if isinstance(name, str) else str(given.get("method"))


def listed(names: Sequence[str]) -> str:
    """Several things in one sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def quoted(text: str) -> str:
    """The beginning of a text, on one line.

    >>> quoted("Fix it.  Then commit." + " And test." * 20)
    "'Fix it. Then commit. And test. And test. And test. And test. And test. And te...'"
    """
    line = " ".join(text.split())
    return repr(line if len(line) <= _QUOTED else line[: _QUOTED - 3] + "...")


def waited(ms: int) -> str:
    """A recorded gap.

    >>> waited(1200)
    '1,200 ms'
    """
    return f"{ms:,} ms"
