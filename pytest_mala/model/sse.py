"""An answer in the API's form: one JSON message, or the events of a stream that build it up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mala.model.answers import Stall

if TYPE_CHECKING:
    from pytest_mala.model.answers import Answer, Usage

__all__ = ["Numbers", "encode", "error_body", "events", "message"]

_PIECE = 64
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What ids are made of, so that equal runs have equal ones: the request, and the tools called before it."""

    request: int
    tools_before: int

    @property
    def message_id(self) -> str:
        """The id of the message, as `msg_0001`."""
        return f"msg_{self.request:04d}"

    @property
    def request_id(self) -> str:
        """The value of the header `request-id`, as `req_0001`."""
        return f"req_{self.request:04d}"

    def tool_id(self, index: int) -> str:
        """The id of the message's tool call number `index` (from 0), as `toolu_0001`."""
        return f"toolu_{self.tools_before + index + 1:04d}"


def encode(event: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def error_body(status: int, text: str, request_id: str) -> dict[str, Any]:
    """The API's body of an HTTP error."""
    kind = _ERROR_TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def message(answer: Answer, numbers: Numbers, model: str) -> dict[str, Any]:
    """The whole answer as one message, for a request that doesn't stream."""
    started = _message(model, numbers.message_id, _usage(answer.usage, answer.usage.output))
    return {**started, "content": _blocks(answer, numbers), "stop_reason": answer.stop.value}


def events(answer: Answer, numbers: Numbers, model: str) -> list[dict[str, Any]]:
    """The events of the stream; those of an answer that stalls end where it goes silent."""
    started = _message(model, numbers.message_id, _usage(answer.usage, 1))
    found: list[dict[str, Any]] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for index, block in enumerate(_blocks(answer, numbers)):
        block_events = _block_events(index, block)
        if answer.stall is Stall.MIDWAY:
            return found + block_events[: max(2, len(block_events) // 2)]
        found += block_events
        if answer.stall is Stall.AFTER_TEXT and block["type"] == "text":
            return found
    if answer.stall is not None:
        return found
    delta = {"stop_reason": answer.stop.value, "stop_sequence": None}
    usage = _usage(answer.usage, answer.usage.output)
    return [*found, {"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _message(model: str, message_id: str, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(usage: Usage, output: int) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output,
    }


def _blocks(answer: Answer, numbers: Numbers) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.think is not None:
        blocks.append({"type": "thinking", "thinking": answer.think, "signature": "c2NyaXB0ZWQ="})
    if answer.say is not None:
        blocks.append({"type": "text", "text": answer.say})
    for index, tool in enumerate(answer.tools):
        blocks.append({"type": "tool_use", "id": numbers.tool_id(index), "name": tool.name, "input": dict(tool.input)})
    return blocks


def _block_events(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    empty: dict[str, Any]
    deltas: list[dict[str, Any]]
    match block["type"]:
        case "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        case _:
            empty = {**block, "input": {}}
            pieces = _pieces(json.dumps(block["input"]))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
