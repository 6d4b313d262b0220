"""How the SDK's messages are read: by class name, so that look-alikes work and no SDK is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_mala.issue.model import EndReason

__all__ = ["ResultFacts", "Usage", "context_size", "kind", "read_result", "read_usage", "session_id_of"]

_BUDGET = frozenset({"error_max_turns", "max_turns", "error_max_budget_usd", "budget_exhausted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts as the API tells them; missing ones are 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_creation_tokens=self.cache_creation_tokens + other.cache_creation_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFacts:
    """What a result message says; `error` is None for a turn that ended well, else why it did not, with a reason."""

    text: str
    usage: Usage | None
    cost_usd: float | None
    error: str | None
    reason: EndReason | None


def kind(value: object) -> str:
    """The class name of a message or block."""
    return type(value).__name__


def is_main_thread(message: object) -> bool:
    """Whether a message is the agent's own, not one of a sub-agent's."""
    return getattr(message, "parent_tool_use_id", None) is None


def session_id_of(message: object) -> str | None:
    """The session id of any message that has one (session:X7); only a non-empty string counts."""
    data = getattr(message, "data", None)
    found = _id(getattr(message, "session_id", None))
    return found or (_id(data.get("session_id")) if isinstance(data, dict) else None)


def uuid_of(message: object) -> str | None:
    """The uuid of a main-thread assistant or user message: the CLI writes the same one to its log (session:X11)."""
    if kind(message) in ("AssistantMessage", "UserMessage") and is_main_thread(message):
        return _id(getattr(message, "uuid", None))
    return None


def background_tasks(message: object, before: tuple[str, ...]) -> tuple[str, ...]:
    """What runs in the background after a message: the CLI lists it anew with each change (sdk.md 0.2)."""
    data = getattr(message, "data", None)
    if getattr(message, "subtype", None) != "background_tasks_changed" or not isinstance(data, dict):
        return before
    tasks = data.get("tasks")
    found = tasks if isinstance(tasks, list) else []
    return tuple(str(task.get("description") or "a task") for task in found if isinstance(task, dict))


def tool_uses(message: object) -> int:
    """How many tools a message calls."""
    content = getattr(message, "content", None)
    blocks = content if isinstance(content, list | tuple) else ()
    return sum(kind(block) == "ToolUseBlock" for block in blocks)


def read_usage(usage: object) -> Usage | None:
    """Usage given as a dict or as an object with attributes; None stays None."""
    if usage is None:
        return None

    def count(name: str) -> int:
        found = usage.get(name) if isinstance(usage, dict) else getattr(usage, name, None)
        return found or 0

    return Usage(
        input_tokens=count("input_tokens"),
        output_tokens=count("output_tokens"),
        cache_read_tokens=count("cache_read_input_tokens"),
        cache_creation_tokens=count("cache_creation_input_tokens"),
    )


def context_size(message: object) -> Usage | None:
    """The usage of a main-thread assistant message: what was in the context when it was asked for."""
    if kind(message) != "AssistantMessage" or not is_main_thread(message):
        return None
    return read_usage(getattr(message, "usage", None))


def read_result(message: object) -> ResultFacts:
    """What a result message says, errors recognised by flag and by subtype (session:B5)."""
    text = getattr(message, "result", None) or ""
    error = _result_error(message, text)
    return ResultFacts(
        text=text,
        usage=read_usage(getattr(message, "usage", None)),
        cost_usd=_number(getattr(message, "total_cost_usd", None)),
        error=error,
        reason=None if error is None else _error_reason(message),
    )


def _result_error(message: object, text: str) -> str | None:
    subtype = str(getattr(message, "subtype", None))
    if not getattr(message, "is_error", False) and not subtype.startswith("error"):
        return None
    errors = getattr(message, "errors", None)
    told = "; ".join(str(error) for error in errors) if isinstance(errors, list | tuple) else ""
    status = getattr(message, "api_error_status", None)
    named = subtype if subtype.startswith("error") else "an error result"
    return (text or told or "no text") + f" ({named}" + (f", API status {status})" if status else ")")


def _error_reason(message: object) -> EndReason:
    named = {getattr(message, "subtype", None), getattr(message, "terminal_reason", None)}
    return EndReason.BUDGET if named & _BUDGET else EndReason.AGENT_ERROR


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
