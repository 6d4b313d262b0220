"""Decides which answer of the script a request gets; what the request should have said and didn't is a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.model.answers import Answer, Conditions, Script
    from pytest_mala.model.request import Request

__all__ = ["Problem", "cue"]

_SHOWN_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request could not be answered as the script says; one line that names file, line, expected and got."""

    text: str


def cue(script: Script, request: Request) -> Answer | Problem:
    """The script's answer to its request number `request.number`."""
    if request.number > len(script.entries):
        return Problem(
            text=f"{script.path}: the script has no answer for request {request.number} "
            f"(it has {len(script.entries)}); last user text: {_shown(request.prompt)}"
        )
    entry = script.entries[request.number - 1]
    for answer in entry.choices:
        if answer.when is None or not any(_unmet(answer.when, request)):
            return _checked(script, answer, request)
    return Problem(
        text=f"{script.path}:{entry.line}: no alternative is for request {request.number}: "
        + "; ".join(f"line {a.line} {next(_unmet(a.when, request))}" for a in entry.choices if a.when is not None)
    )


def _checked(script: Script, answer: Answer, request: Request) -> Answer | Problem:
    for unmet in _unmet(answer.expect, request) if answer.expect is not None else ():
        return Problem(text=f"{script.path}:{answer.line}: request {request.number}: {unmet}")
    return answer


def _unmet(conditions: Conditions, request: Request) -> Iterator[str]:
    parts = (
        ("prompt_contains", conditions.prompt_contains, request.prompt),
        ("last_tool_result_contains", conditions.last_tool_result_contains, request.tool_results),
        ("request_contains", conditions.request_contains, request.everything),
        ("model", (conditions.model,) if conditions.model else (), request.model),
    )
    for name, texts, actual in parts:
        for text in texts:
            if text not in actual:
                yield f"{name}: expected {_shown(text)}, got {_shown(actual)}"


def _shown(text: str) -> str:
    """The text in quotes on one line; of a long one the start and the end."""
    half = _SHOWN_MAX // 2
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:half]} … {text[-half:]}") if text else "nothing"
