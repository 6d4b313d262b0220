"""Tells how many answers of a script a recorded conversation has used, so that the model goes on behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.model.document import ModelScriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_mala.model.answers import Answer, Script

__all__ = ["used_answers"]

_SYNTHETIC = "<synthetic>"
"""The model of a message that the CLI itself made, such as one about an error of the API."""

_Block = tuple[str, str]


def used_answers(script: Script, frames: Iterable[Mapping[str, Any]], *, is_cut: bool = False) -> int:
    """How many answers the conversation in these frames of the CLI took.

    Each message must be said by an answer, in their order. Answers between them were used too: failures, and what no
    frame shows, such as the words of a sub-agent. `is_cut` says that the last turn was given up: it may have waited for
    an answer that stalls. Raises ModelScriptError for a message that the script does not have (any more).
    """
    used = 0
    for number, blocks in enumerate(_messages(frames), start=1):
        found = (at for at in range(used, len(script.entries)) if _has(script, at, blocks))
        at = next(found, None)
        if at is None:
            said = ", ".join(f"{kind} {text[:80]!r}" for kind, text in blocks)
            what = f"expected an answer that says what message {number} of the recording does ({said}), got none"
            raise ModelScriptError(script.path, 1, "answers", what)
        used = at + 1
    while is_cut and used < len(script.entries) and all(one.stall for one in script.entries[used].choices):
        used += 1
    return used


def _messages(frames: Iterable[Mapping[str, Any]]) -> list[list[_Block]]:
    """What the model said, message by message."""
    found: dict[str, list[_Block]] = {}
    for frame in frames:
        message = frame.get("message") if frame.get("type") == "assistant" else None
        if isinstance(message, dict) and message.get("model") != _SYNTHETIC and isinstance(message.get("id"), str):
            content = message.get("content")
            blocks = found.setdefault(message["id"], [])
            blocks += [_block(one) for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    return [blocks for blocks in found.values() if blocks]


def _block(block: Mapping[str, Any]) -> _Block:
    kind = str(block.get("type"))
    return kind, str(block.get("name") if kind == "tool_use" else block.get(kind, ""))


def _has(script: Script, at: int, blocks: list[_Block]) -> bool:
    """Whether this is said by one of an entry's alternatives; of an answer that stalls it may be the beginning."""
    return any(_blocks(one)[: len(blocks)] == blocks for one in script.entries[at].choices)


def _blocks(answer: Answer) -> list[_Block]:
    said = [("thinking", answer.think), ("text", answer.say)]
    return [
        *((kind, text) for kind, text in said if text is not None),
        *(("tool_use", tool.name) for tool in answer.tools),
    ]
