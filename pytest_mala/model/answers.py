"""What a model script holds: answers, what they expect of the request, and the placeholders in their texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_mala.model.document import ModelScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Answer", "Conditions", "Entry", "Failure", "Script", "Stall", "StopReason", "ToolCall", "Usage"]

_PLACEHOLDER = re.compile(r"(\$?)\$\{([A-Z][A-Z0-9_]*)\}")


class StopReason(Enum):
    """Why the model stopped, in the API's words."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"


class Stall(Enum):
    """Where an answer goes silent for ever."""

    MIDWAY = "true"
    AFTER_TEXT = "after-text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model asks for; `input` is a JSON object."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that the API reports. The defaults are fixed: a count of real text would differ between machines."""

    input: int = 100
    cache_read: int = 0
    cache_creation: int = 0
    output: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An HTTP error instead of an answer."""

    status: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a request must say; all of it must hold."""

    prompt_contains: tuple[str, ...] = ()
    last_tool_result_contains: tuple[str, ...] = ()
    request_contains: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the model: texts, tool calls, a stall or a failure. `wait_seconds` pass before its first byte."""

    line: int
    say: str | None = None
    think: str | None = None
    tools: tuple[ToolCall, ...] = ()
    wait_seconds: float = 0.0
    stall: Stall | None = None
    failure: Failure | None = None
    usage: Usage = Usage()
    stop: StopReason = StopReason.END_TURN
    when: Conditions | None = None
    expect: Conditions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The script's answer to one request: the first of its choices whose `when` holds."""

    line: int
    choices: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All answers of a session in order; entry n answers request n + 1 (`repeat` and `times` are already unrolled)."""

    path: Path
    entries: tuple[Entry, ...]

    def with_names(self, names: Mapping[str, str]) -> Script:
        """The script with `${NAME}` replaced in every text; `$${NAME}` stays as `${NAME}`.

        Raises ModelScriptError for a name that is not there: a typing error must not reach the agent.
        """
        return replace(self, entries=tuple(self._named(entry, names) for entry in self.entries))

    def _named(self, entry: Entry, names: Mapping[str, str]) -> Entry:
        return replace(entry, choices=tuple(self._named_answer(answer, names) for answer in entry.choices))

    def _named_answer(self, answer: Answer, names: Mapping[str, str]) -> Answer:
        def named(text: str) -> str:
            return _PLACEHOLDER.sub(lambda found: self._value(answer.line, found, names), text)

        return replace(
            answer,
            say=named(answer.say) if answer.say else None,
            think=named(answer.think) if answer.think else None,
            tools=tuple(replace(tool, input=_map_texts(tool.input, named)) for tool in answer.tools),
            failure=replace(answer.failure, message=named(answer.failure.message)) if answer.failure else None,
            when=_named_conditions(answer.when, named),
            expect=_named_conditions(answer.expect, named),
        )

    def _value(self, line: int, found: re.Match[str], names: Mapping[str, str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return f"${{{name}}}"
        if name in names:
            return names[name]
        known = ", ".join(f"${{{known}}}" for known in sorted(names)) or "no placeholder"
        what = f"expected {known}, got ${{{name}}}; write $${{{name}}} for a literal ${{{name}}}"
        raise ModelScriptError(self.path, line, "placeholder", what)


def _named_conditions(conditions: Conditions | None, named: Callable[[str], str]) -> Conditions | None:
    if conditions is None:
        return None
    return replace(
        conditions,
        prompt_contains=tuple(map(named, conditions.prompt_contains)),
        last_tool_result_contains=tuple(map(named, conditions.last_tool_result_contains)),
        request_contains=tuple(map(named, conditions.request_contains)),
    )


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_texts(item, change) for item in value]
    return value
