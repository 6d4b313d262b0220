"""How an imported session ended, as far as the frames of its log tell; what nobody judged is never called passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_mala.issue import EndReason
from pytest_mala.session.messages import Usage, read_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ending"]

_INTERRUPTED: Final = "[Request interrupted by user"
_WHOLE: Final = ("end_turn", "stop_sequence", "tool_use", None)
"""Why the API ends an answer that is whole; logs leave it open in the parts of an answer that is still streamed."""

_SHOWN: Final = 200


class Ending:
    """Fed with the frames of a session in order, it tells outcome and tokens; sub-agents count for tokens only."""

    def __init__(self) -> None:
        self._reason = EndReason.AGENT_ERROR
        self._why = "the log holds no word of the agent"
        self._calls: dict[str, str] = {}
        self._usage: dict[str, Usage] = {}

    @property
    def reason(self) -> EndReason:
        """One of aborted, agent-error, unjudged."""
        return self._end[0]

    @property
    def why(self) -> str:
        """The same in one line."""
        return self._end[1]

    @property
    def usage(self) -> Usage:
        """The tokens of all answers of the API that the log holds."""
        total = Usage()
        for one in self._usage.values():
            total = total.plus(one)
        return total

    @property
    def _end(self) -> tuple[EndReason, str]:
        if self._reason is EndReason.UNJUDGED and self._calls:
            return _broken_off(f"in {_calls(self._calls)}")
        return self._reason, self._why

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        """A frame went over the wire: `cli` from the CLI, `sdk` to it."""
        message = frame.get("message")
        if not isinstance(message, dict):
            return
        is_main = frame.get("parent_tool_use_id") is None
        if direction == "sdk":
            self._calls.clear()
            self._reason, self._why = _broken_off("after a prompt")
        elif frame.get("type") == "assistant":
            self._count(message)
            if is_main:
                self._agent(frame, message)
        elif is_main:
            self._to_agent(message)

    def _count(self, message: Mapping[str, Any]) -> None:
        """Each part of an answer repeats its usage; the last one knows best."""
        usage = read_usage(message.get("usage"))
        if usage is not None:
            self._usage[str(message.get("id"))] = usage

    def _agent(self, frame: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        text = ""
        for block in _blocks(message):
            if block.get("type") == "tool_use":
                self._calls[str(block.get("id"))] = str(block.get("name"))
                self._reason, self._why = _broken_off(f"in {_calls(self._calls)}")
            elif block.get("type") == "text":
                text = str(block.get("text"))
                self._reason, self._why = EndReason.UNJUDGED, "the agent ended its turn; nothing could judge its work"
            else:
                self._reason, self._why = _broken_off("after a thought" if block.get("type") == "thinking" else "")
        if frame.get("error"):
            self._reason, self._why = EndReason.AGENT_ERROR, f"the API failed: {_short(text) or frame['error']}"
        elif (stop := message.get("stop_reason")) not in _WHOLE:
            self._reason, self._why = (
                EndReason.AGENT_ERROR,
                f"the agent's last answer is not whole: {_short(str(stop))}",
            )

    def _to_agent(self, message: Mapping[str, Any]) -> None:
        for block in _blocks(message):
            if block.get("type") == "tool_result":
                self._calls.pop(str(block.get("tool_use_id")), None)
                if self._reason is not EndReason.ABORTED:  # a call that ran may end a moment later
                    self._reason, self._why = _broken_off("after the result of a tool")
            elif str(block.get("text")).startswith(_INTERRUPTED):
                self._reason, self._why = EndReason.ABORTED, "the user interrupted the agent"


def _broken_off(where: str) -> tuple[EndReason, str]:
    return EndReason.AGENT_ERROR, f"the log ends in the middle of a turn{', ' if where else ''}{where}"


def _calls(calls: Mapping[str, str]) -> str:
    names = ", ".join(_short(name) for name in calls.values())
    return f"the tool call {names}" if len(calls) == 1 else f"the tool calls {names}"


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
