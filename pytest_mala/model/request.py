"""What a request to the Messages API says: its kind, the prompt, the newest tool results, the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Kind", "Request", "parse_request"]

_REMINDER = "<system-reminder>"


class Kind(Enum):
    """What the caller wants. Only MESSAGES requests are answered from the script."""

    MESSAGES = "messages"
    TITLE = "title"
    PROBE = "probe"
    COUNT = "count"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `number` counts the MESSAGES requests from 1 and is 0 for all others.

    `prompt` is the newest user message that a person or the runner wrote, without the CLI's reminders and tool results;
    `tool_results` are the newest ones of the conversation, `everything` all texts of the request.
    """

    number: int
    kind: Kind
    method: str
    path: str
    is_streaming: bool = False
    model: str = ""
    prompt: str = ""
    tool_results: str = ""
    everything: str = ""


def parse_request(method: str, path: str, body: bytes, *, number: int) -> Request:
    """The request as a value; a body that is not a JSON object is of kind OTHER."""
    data = _json_object(body)
    kind = _kind(method, path, data)
    if data is None or kind in {Kind.OTHER, Kind.COUNT}:
        return Request(number=0, kind=kind, method=method, path=path)
    messages = _dicts(data.get("messages"))
    return Request(
        number=number if kind is Kind.MESSAGES else 0,
        kind=kind,
        method=method,
        path=path,
        is_streaming=data.get("stream") is True,
        model=str(data.get("model", "")),
        prompt=_prompt(messages),
        tool_results=_tool_results(messages),
        everything="\n".join(
            _texts(data.get("system")) + [text for m in messages for text in _texts(m.get("content"))]
        ),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _kind(method: str, path: str, data: dict[str, Any] | None) -> Kind:
    if method != "POST" or data is None:
        return Kind.OTHER
    if path == "/v1/messages/count_tokens":
        return Kind.COUNT
    if path != "/v1/messages":
        return Kind.OTHER
    if _is_title(data):
        return Kind.TITLE
    return Kind.PROBE if data.get("max_tokens") == 1 else Kind.MESSAGES


def _is_title(data: dict[str, Any]) -> bool:
    """Whether the CLI asks for a name of its terminal window: no tools, and a JSON answer with only a title."""
    config = data.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    schema = form.get("schema") if isinstance(form, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(properties, dict) and list(properties) == ["title"] and not data.get("tools")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return _dicts(content)


def _prompt(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        texts = [str(b.get("text", "")) for b in _blocks(message.get("content")) if b.get("type") == "text"]
        written = [text for text in texts if not text.lstrip().startswith(_REMINDER)]
        if message.get("role") == "user" and written:
            return "\n".join(written)
    return ""


def _tool_results(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        results = [b for b in _blocks(message.get("content")) if b.get("type") == "tool_result"]
        if results:
            return "\n".join(text for block in results for text in _texts(block.get("content")))
    return ""


def _texts(content: Any) -> list[str]:
    found: list[str] = []
    for block in _blocks(content):
        if block.get("type") == "tool_result":
            found += _texts(block.get("content"))
        elif isinstance(block.get("text"), str):
            found.append(block["text"])
    return found
