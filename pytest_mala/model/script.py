"""Reads `<issue id>.model.yaml`: the answers that the scripted model gives, in order (docs/model-script.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mala.model.answers import (
    Answer,
    Conditions,
    Entry,
    Failure,
    Script,
    Stall,
    StopReason,
    ToolCall,
    Usage,
)
from pytest_mala.model.document import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mala.model.document import Field

__all__ = ["load_script"]

_CONDITIONS = ("prompt_contains", "last_tool_result_contains", "request_contains", "model")
_SPOKEN = ("say", "think", "tool", "tools", "stall", "usage", "stop")
_CHOICE_KEYS = ("say", "think", "tool", "tools", "wait", "stall", "fail", "usage", "stop", "when", "expect")
_ENTRY_KEYS = ("say", "think", "tool", "tools", "wait", "stall", "fail", "usage", "stop", "expect", "repeat", "either")
_TIMES_MAX = 10_000
_TOKENS_MAX = 10_000_000


def load_script(path: Path) -> Script:
    """The script in a file; raises ModelScriptError (`path:line: field: expected ..., got ...`) for any mistake."""
    document = read_document(path)
    fields = document.mapping(("answers",))
    if "answers" not in fields:
        raise document.refused("a mapping with answers", "an empty one")
    entries: list[Entry] = []
    for field in fields["answers"].sequence():
        entry, times = _entry(field)
        entries += [entry] * times
    return Script(path=path, entries=tuple(entries))


def _entry(field: Field) -> tuple[Entry, int]:
    parts = field.mapping(_ENTRY_KEYS)
    times = parts["repeat"].integer(1, _TIMES_MAX) if "repeat" in parts else 1
    if "either" in parts:
        return Entry(line=field.line, choices=_either(parts)), times
    if "fail" in parts and "repeat" in parts:
        raise parts["repeat"].refused("fail: {times: ...} instead")
    answer, fail_times = _answer(field, parts)
    return Entry(line=field.line, choices=(answer,)), times * fail_times


def _either(parts: dict[str, Field]) -> tuple[Answer, ...]:
    for name, field in parts.items():
        if name not in {"either", "expect", "repeat"}:
            raise field.refused("only expect and repeat beside either", f"{name!r}")
    expect = _conditions(parts["expect"]) if "expect" in parts else None
    fields = parts["either"].sequence()
    choices = tuple(_choice(field, expect) for field in fields)
    for field, answer in zip(fields[:-1], choices[:-1], strict=True):
        if answer.when is None:
            raise field.refused("when (only the last alternative may do without)", "none")
    return choices


def _choice(field: Field, expect: Conditions | None) -> Answer:
    parts = field.mapping(_CHOICE_KEYS)
    answer, times = _answer(field, parts)
    if times != 1:
        raise parts["fail"].refused("fail without times inside either", f"times: {times}")
    if expect is None:
        return answer
    if answer.expect is not None:
        raise parts["expect"].refused("expect beside either or inside it", "both")
    return replace(answer, expect=expect)


def _answer(field: Field, parts: dict[str, Field]) -> tuple[Answer, int]:
    """The answer, and how many requests in a row it is for."""
    if not parts.keys() & {"say", "think", "tool", "tools", "stall", "fail"}:
        raise field.refused("say, think, tool, tools, stall or fail", "none of them")
    failure, times = _failure(parts)
    tools = _tools(parts)
    answer = Answer(
        line=field.line,
        say=parts["say"].text() if "say" in parts else None,
        think=parts["think"].text() if "think" in parts else None,
        tools=tools,
        wait_seconds=parts["wait"].seconds() if "wait" in parts else 0.0,
        stall=_stall(parts),
        failure=failure,
        usage=_usage(parts["usage"]) if "usage" in parts else Usage(),
        stop=_stop(parts, is_calling=bool(tools)),
        when=_conditions(parts["when"]) if "when" in parts else None,
        expect=_conditions(parts["expect"]) if "expect" in parts else None,
    )
    return answer, times


def _failure(parts: dict[str, Field]) -> tuple[Failure | None, int]:
    if "fail" not in parts:
        return None, 1
    field = parts["fail"]
    for name in _SPOKEN:
        if name in parts:
            raise parts[name].refused("fail to stand alone", f"{name!r} beside it")
    if field.is_text:
        return _failure_of(field.integer(400, 599), None), 1
    inner = field.mapping(("status", "message", "times"))
    if "status" not in inner:
        raise field.refused("status", "none")
    times = inner["times"].integer(1, _TIMES_MAX) if "times" in inner else 1
    message = inner["message"].text() if "message" in inner else None
    return _failure_of(inner["status"].integer(400, 599), message), times


def _failure_of(status: int, message: str | None) -> Failure:
    return Failure(status=status, message=message or f"scripted failure {status}")


def _tools(parts: dict[str, Field]) -> tuple[ToolCall, ...]:
    if "tool" in parts and "tools" in parts:
        raise parts["tools"].refused("tool or tools", "both")
    if "tool" in parts:
        return (_tool(parts["tool"]),)
    return tuple(_tool(field) for field in parts["tools"].sequence()) if "tools" in parts else ()


def _tool(field: Field) -> ToolCall:
    parts = field.mapping(("name", "input"))
    if "name" not in parts:
        raise field.refused("name", "none")
    if "input" in parts:
        parts["input"].mapping()
    return ToolCall(name=parts["name"].text(), input=parts["input"].json() if "input" in parts else {})


def _stall(parts: dict[str, Field]) -> Stall | None:
    if "stall" not in parts:
        return None
    stall = Stall(parts["stall"].choice([stall.value for stall in Stall]))
    if stall is Stall.AFTER_TEXT and "say" not in parts:
        raise parts["stall"].refused("say beside it", "none")
    return stall


def _stop(parts: dict[str, Field], *, is_calling: bool) -> StopReason:
    natural = StopReason.TOOL_USE if is_calling else StopReason.END_TURN
    if "stop" not in parts:
        return natural
    if "stall" in parts:
        raise parts["stop"].refused("no stop beside stall (it never stops)")
    return StopReason(parts["stop"].choice([natural.value, StopReason.MAX_TOKENS.value]))


def _usage(field: Field) -> Usage:
    parts = field.mapping(("input", "cache_read", "cache_creation", "output"))
    return Usage(**{name: part.integer(0, _TOKENS_MAX) for name, part in parts.items()})


def _conditions(field: Field) -> Conditions:
    parts = field.mapping(_CONDITIONS)
    if not parts:
        raise field.refused(f"one of {', '.join(_CONDITIONS)}", "none")

    def texts(name: str) -> tuple[str, ...]:
        if name not in parts:
            return ()
        part = parts[name]
        return tuple(item.text() for item in part.sequence()) if part.is_list else (part.text(),)

    return Conditions(
        prompt_contains=texts("prompt_contains"),
        last_tool_result_contains=texts("last_tool_result_contains"),
        request_contains=texts("request_contains"),
        model=parts["model"].text() if "model" in parts else None,
    )
