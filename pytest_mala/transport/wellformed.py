"""Refuses a take that could not be played: each value that replay relies on is looked at before the session begins.

The digest of a cassette tells of accidents only. What somebody wrote by hand and sealed must be told as what it is, not
show up as a failure in the middle of a session (design D6).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import HarnessError
from pytest_mala.transport.cassette import MAX_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_mala.transport.cassette import Interaction

__all__ = ["TakeError", "check_head", "check_interaction", "frame_problem", "place_of"]

Where = tuple[str | int, ...]

_NUMBER: Final = "[1-9][0-9]{0,5}"
_PLACES: Final = {
    "CONNECT": re.compile(rf"connection/({_NUMBER})"),
    "QUERY": re.compile(rf"connection/({_NUMBER})/query/{_NUMBER}"),
    "CONTROL": re.compile(rf"connection/({_NUMBER})/control/{_NUMBER}"),
    "END": re.compile(rf"connection/({_NUMBER})/end"),
    "TREE": re.compile(rf"turn/(0|{_NUMBER})/tree"),
    "GATE": re.compile(rf"gate/({_NUMBER})"),
}
_FRAMES: Final = frozenset({"ms", "frames"})
_KEYS: Final = {
    "CONNECT": _FRAMES,
    "QUERY": _FRAMES,
    "CONTROL": _FRAMES,
    "END": _FRAMES | {"error", "exit_status", "stderr"},
    "GATE": frozenset({"checks", "took_ms"}),
}
"""What a response may hold besides the lifecycle's decisions; a TREE is read by the room of the workspace."""

_HEADERS: Final = {"CONNECT": ("purpose",), "QUERY": ("session",), "CONTROL": ("id",)}
_SPOKEN: Final = ("CONNECT", "QUERY", "CONTROL", "END")
"""The methods whose body says something; the others have none."""

_ENDS: Final = ("eof", "error", "closed")
_SESSION_ID: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,128}")
_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_NAMES: Final = {str: "a text", int: "a whole number", dict: "a mapping", list: "a list", type(None): "null"}
_NONE: Final = type(None)


class TakeError(HarnessError):
    """An interaction of a take can't be played; `where` is the path of keys and indexes below the interaction."""

    def __init__(self, one: Interaction, where: Where, what: str) -> None:
        place = _shown_place(where)
        super().__init__(f"interaction {one.method} {one.uri[:200]}: {place + ': ' if place else ''}{what}")
        self.uri = one.uri
        self.where = where


class _WrongError(Exception):
    """A value at `where` below a response or body is not what replay needs."""

    def __init__(self, where: Where, what: str) -> None:
        super().__init__(what)
        self.where = where
        self.what = what


def place_of(one: Interaction) -> int:
    """The number of the connection, turn or gate attempt that the interaction belongs to. Raises TakeError."""
    pattern = _PLACES.get(one.method)
    found = pattern.fullmatch("/".join(one.uri.split("/")[4:])) if pattern is not None else None
    if found is None:
        raise TakeError(one, (), "expected CONNECT, QUERY, CONTROL, END, TREE or GATE at a known place")
    return int(found[1])


def check_interaction(one: Interaction) -> None:
    """Raises TakeError at the first value that replay could not work with."""
    try:
        _check_response(one)
    except _WrongError as error:
        raise TakeError(one, ("response", *error.where), error.what) from None
    if one.method == "CONTROL":
        try:
            _check_request(one.body)
        except _WrongError as error:
            raise TakeError(one, ("request", "body"), error.what) from None


def frame_problem(frame: Mapping[str, Any]) -> str:
    """What replay could not work with in a frame of the CLI; empty if there is nothing."""
    try:
        _check_frame(frame, (), is_ours=False)
    except _WrongError as error:
        return f"{_shown_place(error.where)}: {error.what}"
    return ""


def _shown_place(where: Where) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).lstrip(".")


def check_head(one: Interaction) -> None:
    """Raises TakeError for headers and bodies that nobody would read: they look as if they said something."""
    known = _HEADERS.get(one.method, ())
    if tuple(one.headers) != known:
        raise TakeError(one, ("request", "headers"), f"expected {_listed(known)}, got {_listed(one.headers)}")
    if one.body and one.method not in _SPOKEN:
        raise TakeError(one, ("request", "body"), f"expected nothing, got {one.body[:80]!r}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _check_response(one: Interaction) -> None:
    response = one.response
    known = _KEYS.get(one.method)
    for key in response if known is not None else ():
        if known is not None and key not in known and key != "decisions":
            raise _WrongError((key,), f"unknown key; known here are {', '.join(sorted({*known, 'decisions'}))}")
    _texts(response.get("decisions", []), ("decisions",))
    for index, item in enumerate(response.get("frames", [])):
        ((what, frame),) = item.items()
        if what in ("cli", "trailing", "sdk"):
            _check_frame(frame, ("frames", index, what), is_ours=what == "sdk")
    if one.method == "END":
        _check_end(one)
    if one.method == "GATE":
        _check_gate(response)


def _check_end(one: Interaction) -> None:
    if one.body not in _ENDS:
        raise _WrongError((), f"the body must be {', '.join(_ENDS[:-1])} or {_ENDS[-1]}, got {one.body[:80]!r}")
    error = _expect(one.response.get("error", {}), ("error",), dict)
    for key in ("type", "text"):
        _expect(error.get(key, ""), ("error", key), str)
    _expect(one.response.get("exit_status"), ("exit_status",), int, _NONE)
    _texts(one.response.get("stderr", []), ("stderr",))


def _check_gate(response: Mapping[str, Any]) -> None:
    rows = _each(response.get("checks", []), ("checks",), dict)
    times = _each(response.get("took_ms", []), ("took_ms",), int)
    if len(rows) != len(times):
        raise _WrongError(("took_ms",), f"expected {len(rows)} numbers, one for each check, got {len(times)}")
    for index, took in enumerate(times):
        if not 0 <= took <= MAX_MS:
            raise _WrongError(("took_ms", index), f"expected milliseconds from 0 to {MAX_MS}, got {_shown(took)}")


def _check_request(body: str) -> None:
    """What the SDK asked of the CLI; the hooks of an initialize request are paired with those of the run."""
    try:
        request = _expect(json.loads(body, object_pairs_hook=_unique, parse_int=_whole), (), dict)
    except (ValueError, RecursionError):
        raise _WrongError((), "expected the JSON of a control request") from None
    _expect(request.get("subtype"), (), str)
    hooks = _expect(request.get("hooks"), (), dict, _NONE) if request["subtype"] == "initialize" else None
    for matchers in (hooks or {}).values():
        for matcher in _each(matchers, (), dict):
            _texts(matcher.get("hookCallbackIds", []), ())


def _whole(text: str) -> int:
    """Python takes -0 for 0, others don't; the SDK writes no such number."""
    if text == "-0":
        raise _WrongError((), "expected a number that all readers take for the same, got -0")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise _WrongError((), f"the key {twice[:80]!r} stands twice in one mapping")
    return found


def _check_frame(frame: Mapping[str, Any], where: Where, *, is_ours: bool) -> None:
    kind = _expect(frame.get("type"), (*where, "type"), str)
    if is_ours and kind != "control_response":
        raise _WrongError((*where, "type"), f"expected control_response, got {_shown(kind)}")
    _expect(frame.get("subtype"), (*where, "subtype"), str, _NONE)
    _expect(frame.get("parent_tool_use_id"), (*where, "parent_tool_use_id"), str, _NONE)
    session = _expect(frame.get("session_id"), (*where, "session_id"), str, _NONE)
    if session and not _SESSION_ID.fullmatch(session):
        raise _WrongError((*where, "session_id"), f"expected an id like a UUID, got {_shown(session)}")
    check = _BY_KIND.get(kind)
    if check is not None:
        check(frame, where)


def _check_control_request(frame: Mapping[str, Any], where: Where) -> None:
    _expect(frame.get("request_id"), (*where, "request_id"), str)
    request = _expect(frame.get("request"), (*where, "request"), dict)
    subtype = _expect(request.get("subtype"), (*where, "request", "subtype"), str)
    _expect(request.get("tool_use_id"), (*where, "request", "tool_use_id"), str, _NONE)
    if subtype == "hook_callback":
        _expect(request.get("callback_id"), (*where, "request", "callback_id"), str)


def _check_control_response(frame: Mapping[str, Any], where: Where) -> None:
    response = _expect(frame.get("response"), (*where, "response"), dict)
    _expect(response.get("request_id"), (*where, "response", "request_id"), str)


def _check_message(frame: Mapping[str, Any], where: Where) -> None:
    message = _expect(frame.get("message"), (*where, "message"), dict)
    # the SDK takes a user's null for what it is, and breaks on the agent's
    or_null = (_NONE,) if frame["type"] == "user" and "content" in message else ()
    content = _expect(message.get("content"), (*where, "message", "content"), str, list, *or_null)
    for index, block in enumerate(content if isinstance(content, list) else ()):
        inside: Where = (*where, "message", "content", index)
        kind = _expect(_expect(block, inside, dict).get("type"), (*inside, "type"), str)
        for key, kinds in _BLOCKS.get(kind, {}).items():
            _expect(block.get(key), (*inside, key), *kinds)
        _expect(block.get("tool_use_id"), (*inside, "tool_use_id"), str, _NONE)
    _check_usage(message.get("usage"), (*where, "message", "usage"))


def _check_result(frame: Mapping[str, Any], where: Where) -> None:
    _expect(frame.get("result"), (*where, "result"), str, _NONE)
    _expect(frame.get("terminal_reason"), (*where, "terminal_reason"), str, _NONE)
    _expect(frame.get("deferred_tool_use"), (*where, "deferred_tool_use"), dict, _NONE)
    _check_usage(frame.get("usage"), (*where, "usage"))


def _check_rate_limit(frame: Mapping[str, Any], where: Where) -> None:
    """The SDK says what it misses in words, but not that the whole is no mapping."""
    if "rate_limit_info" in frame:
        _expect(frame["rate_limit_info"], (*where, "rate_limit_info"), dict)


def _check_usage(usage: Any, where: Where) -> None:
    if _expect(usage, where, dict, _NONE) is not None:
        for key in _COUNTS:
            _expect(usage.get(key), (*where, key), int, _NONE)


_BY_KIND: Final[dict[str, Callable[[Mapping[str, Any], Where], None]]] = {
    "control_request": _check_control_request,
    "control_response": _check_control_response,
    "assistant": _check_message,
    "user": _check_message,
    "result": _check_result,
    "rate_limit_event": _check_rate_limit,
}
_BLOCKS: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    "text": {"text": (str,)},
    "thinking": {"thinking": (str,)},
    "tool_use": {"id": (str,), "name": (str,), "input": (dict,)},
    "tool_result": {"tool_use_id": (str,), "content": (str, list, _NONE)},
}


def _expect(value: Any, where: Where, *kinds: type) -> Any:
    if type(value) not in kinds:
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise _WrongError(where, f"expected {wanted}, got {_shown(value)}")
    return value


def _each(value: Any, where: Where, kind: type) -> list[Any]:
    return [_expect(one, (*where, index), kind) for index, one in enumerate(_expect(value, where, list))]


def _texts(value: Any, where: Where) -> list[Any]:
    return _each(value, where, str)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{_NAMES[type(value)]} of {len(value)}"
    return "nothing" if value is None else repr(value)[:80]
