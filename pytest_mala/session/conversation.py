"""Keeps what was said and done in a session as values: prompts with their reason, tool calls with their result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Conversation", "Prompt", "ToolCall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt that was sent: its text, why it was sent (work, gate retry, idle resume, ...), and as which turn."""

    turn: int
    why: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call of the agent or of one of its sub-agents.

    `result` is the text of the tool's answer, images and the like left out; None while there is none: the session was
    interrupted, or the CLI died. `turn` counts from 1; `parent` is the id of the call that started the sub-agent.
    """

    id: str
    name: str
    input: Mapping[str, Any]
    turn: int
    result: str | None = None
    is_error: bool = False
    parent: str | None = None


class Conversation:
    """Fed with the frames of a session in order, it holds `prompts` and `tools`; nothing in a frame makes it fail.

    Turns are counted as transcripts count them: one for each prompt, over all connections. Results of tools stand in
    user messages (sdk.md 1); a call is told once, by its id, also where the CLI repeats a message.
    """

    def __init__(self) -> None:
        self._purpose = ""
        self._prompts: list[Prompt] = []
        self._tools: dict[str, ToolCall] = {}

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What was sent, in order."""
        return tuple(self._prompts)

    @property
    def tools(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the order in which they were begun."""
        return tuple(self._tools.values())

    def connection(self, purpose: str) -> None:
        """A connection is opened; prompts on it are sent for this reason."""
        self._purpose = purpose

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        """A frame went over the wire: `cli` from the CLI, `sdk` to it."""
        if direction == "sdk":
            if frame.get("type") == "user":
                text = _text(_content(frame))
                self._prompts.append(Prompt(turn=len(self._prompts) + 1, why=self._purpose, text=text))
            return
        if frame.get("type") in ("assistant", "user"):
            for block in _blocks(frame):
                self._block(block, frame.get("parent_tool_use_id"))

    def _block(self, block: Mapping[str, Any], parent: object) -> None:
        kind = block.get("type")
        if kind == "tool_use" and isinstance(block.get("id"), str):
            given = block.get("input")
            self._tools.setdefault(
                block["id"],
                ToolCall(
                    id=block["id"],
                    name=str(block.get("name")),
                    input=given if isinstance(given, dict) else {},
                    turn=len(self._prompts),
                    parent=parent if isinstance(parent, str) else None,
                ),
            )
        elif kind == "tool_result" and (call := self._tools.get(str(block.get("tool_use_id")))) is not None:
            is_error = block.get("is_error") is True
            self._tools[call.id] = replace(call, result=_text(block.get("content")), is_error=is_error)


def _content(frame: Mapping[str, Any]) -> object:
    message = frame.get("message")
    return message.get("content") if isinstance(message, dict) else None


def _blocks(frame: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = _content(frame)
    return (block for block in content if isinstance(block, dict)) if isinstance(content, list) else iter(())


def _text(content: object) -> str:
    """The text of a message's content: itself, or its text blocks, one below the other."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = (block.get("text") for block in content if isinstance(block, dict) and block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
