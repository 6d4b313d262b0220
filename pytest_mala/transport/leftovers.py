"""What of a recorded connection this run did not come to, and what of that may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_mala.transport.takes import Step

__all__ = ["left_over", "tool_ids"]


def left_over(
    steps: Sequence[Step], done: Collection[int], at: int, *, may_be_unread: bool
) -> tuple[list[Step], list[Step]]:
    """Steps that should have come and did not, and frames that the client left unread where it may.

    `done` are the indexes of what the client took, `at` is that of the step that is being played.
    """
    owed: list[Step] = []
    unread: list[Step] = []
    for index, step in enumerate(steps):
        if step.kind in ("query", "control", "sdk", "decision"):
            if index not in done and not _is_optional(step, steps, unread):
                owed.append(step)
        elif step.kind == "cli" and not step.trailing and index >= at:
            (unread if may_be_unread else owed).append(step)
    return owed, unread


def _is_optional(answer: Step, steps: Sequence[Step], unread: Sequence[Step]) -> bool:
    """An answer to a request that may be missing, being a trailing one or unread, may be missing with it."""
    missing = (one for one in steps if one.kind == "cli" and (one.trailing or one in unread))
    return answer.kind == "sdk" and any(
        one.value.get("request_id") == answer.value["response"]["request_id"] for one in missing
    )


def tool_ids(frame: Mapping[str, Any]) -> set[str]:
    """The tool calls that a frame speaks of."""
    found = {frame.get("request", {}).get("tool_use_id")}
    content = (frame.get("message") or {}).get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, Mapping):
            found.add(block.get("tool_use_id"))
    return {one for one in found if one}
