"""Keeps the two big payloads that the CLI repeats, the initialize answer and the init data, once per file.

In the file a frame item then reads `{cli: what is its own, shared: init-1}`: the frame is the shared payload with
the own keys over it. The values in memory always hold whole frames.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Pool", "unfold"]

_INIT_OWN = frozenset({"type", "subtype", "session_id", "uuid"})
_DIFFERENT_MAX = 8


@dataclass(slots=True)
class Pool:
    """The payloads of one file in order of first use; `fold` adds to them."""

    payloads: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fold(self, item: dict[str, Any]) -> dict[str, Any]:
        """The frame item as it stands in the file: itself, or what is its own and the name of what is shared."""
        direction, frame = next(iter(item.items()))
        if direction not in ("cli", "trailing"):
            return item
        if _is_init(frame):
            own = {key: value for key, value in frame.items() if key in _INIT_OWN}
            name, different = self._place("init", {key: value for key, value in frame.items() if key not in own})
            return {direction: {**own, **different}, "shared": name}
        if _is_initialize_answer(frame):
            name, different = self._place("initialize", frame["response"]["response"])
            return {direction: {**frame, "response": {**frame["response"], "response": different}}, "shared": name}
        return item

    def _place(self, kind: str, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name of the payload that is most like this one, and the entries in which this one differs."""
        names = [name for name in self.payloads if name.rpartition("-")[0] == kind]
        best: tuple[str, dict[str, Any]] | None = None
        for name in names:
            base = self.payloads[name]
            if base.keys() <= payload.keys():
                different = {
                    key: value for key, value in payload.items() if key not in base or not _same(base[key], value)
                }
                if len(different) <= _DIFFERENT_MAX and (best is None or len(different) < len(best[1])):
                    best = name, different
        if best is None:
            best = f"{kind}-{len(names) + 1}", {}
            self.payloads[best[0]] = payload
        return best


def unfold(item: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """The frame item with its shared payload put back; ValueError if the frame is not one that shares."""
    direction, frame = next((key, value) for key, value in item.items() if key != "shared")
    if direction in ("cli", "trailing"):
        if frame.get("type") == "system":
            return {direction: {**payload, **frame}}
        if frame.get("type") == "control_response" and isinstance(answer := frame.get("response"), dict):
            own = answer.get("response")
            if isinstance(own, dict):
                return {direction: {**frame, "response": {**answer, "response": {**payload, **own}}}}
    raise ValueError("only a system frame or an answer to a control request from the CLI can share a payload")


def _is_init(frame: dict[str, Any]) -> bool:
    return frame.get("type") == "system" and frame.get("subtype") == "init" and not frame.keys() <= _INIT_OWN


def _is_initialize_answer(frame: dict[str, Any]) -> bool:
    """The SDK reads hardly anything of it, so what tells it from other answers is that it lists the commands."""
    answer = frame.get("response")
    if frame.get("type") != "control_response" or not isinstance(answer, dict):
        return False
    payload = answer.get("response")
    return isinstance(payload, dict) and "commands" in payload


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: to Python, true, 1 and 1.0 are equal."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
