"""Say in one line what a frame of the wire means: hook and permission answers, notices of the CLI, results of turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.session.transcript.tools import as_json, call_body, content_body, fields_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mala.session.transcript.lines import Piece

__all__ = ["hooks_asked", "notice", "request_answer", "request_title", "result_title", "sub_request"]

Line = tuple[str, "tuple[Piece, ...]"]
"""A title and what stands below it."""

# what the CLI tells about itself, not about the work; the order of some of these is a matter of luck
_HIDDEN = (
    "session_state_changed",
    "status",
    "hook_started",
    "hook_progress",
    "hook_response",
    "task_progress",
    "task_updated",
    "background_tasks_changed",
)
_HANDSHAKE = ("initialize", "ping", "tools/list")


def sub_request(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `request` of a control request; an empty one if the frame has none that is an object."""
    request = frame.get("request")
    return request if isinstance(request, dict) else {}


def request_title(request: Mapping[str, Any], call: str | None) -> Line | None:
    """What the CLI asks of us, or None for the handshakes of MCP servers; `call` names the tool call, if any."""
    about = f" for {call}" if call else ""
    match request.get("subtype"):
        case "hook_callback":
            given = request.get("input")
            event = given.get("hook_event_name") if isinstance(given, dict) else None
            return f"hook {event or request.get('callback_id')}{about}", ()
        case "can_use_tool":
            return f"permission asked: {request.get('tool_name')}{about}", ()
        case "mcp_message":
            return _mcp_call(request)
        case other:
            return f"request of unknown type {as_json(other)}", ()


def _mcp_call(request: Mapping[str, Any]) -> Line | None:
    message = request.get("message")
    message = message if isinstance(message, dict) else {}
    method, given = message.get("method"), message.get("params")
    if method in _HANDSHAKE or str(method).startswith("notifications/"):
        return None
    given = given if isinstance(given, dict) else {}
    name = f" {given['name']}" if given.get("name") else ""
    return f"mcp {request.get('server_name')}: {method}{name}", fields_body(given.get("arguments"))


def request_answer(request: Mapping[str, Any], response: Mapping[str, Any]) -> Line:
    """Our answer to a request of the CLI, or the CLI's to ours, as it stands after the title."""
    if response.get("subtype") == "error":
        return f"failed: {response.get('error')}", ()
    answer = response.get("response")
    answer = answer if isinstance(answer, dict) else {}
    match request.get("subtype"):
        case "hook_callback":
            return _hook_answer(answer)
        case "can_use_tool":
            return _permission_answer(answer, request)
        case "mcp_message":
            return _mcp_answer(answer)
        case _:
            return "done", ()


def _hook_answer(answer: Mapping[str, Any]) -> Line:
    specific = answer.get("hookSpecificOutput")
    specific = specific if isinstance(specific, dict) else {}
    decision = specific.get("permissionDecision", answer.get("decision"))
    reason = specific.get("permissionDecisionReason", answer.get("reason"))
    told = {"decision", "reason", "hookSpecificOutput"}
    rest = {key: value for key, value in answer.items() if key not in told}
    told_specific = {"hookEventName", "permissionDecision", "permissionDecisionReason"}
    rest |= {key: value for key, value in specific.items() if key not in told_specific}
    words = "no opinion" if decision is None and not rest else str(decision or "answered")
    return (f"{words}: {reason}" if reason else words), fields_body(rest)


def _permission_answer(answer: Mapping[str, Any], request: Mapping[str, Any]) -> Line:
    if answer.get("behavior") != "allow":
        return f"denied: {answer.get('message') or 'no reason given'}", ()
    given = answer.get("updatedInput")
    if given is None or given == request.get("input"):
        return "allowed", ()
    return "allowed with another input", call_body(str(request.get("tool_name")), given)


def _mcp_answer(answer: Mapping[str, Any]) -> Line:
    response = answer.get("mcp_response")
    response = response if isinstance(response, dict) else {}
    result = response.get("result")
    if not isinstance(result, dict):
        return "answered with an error", content_body(response.get("error"))
    words = "answered with an error" if result.get("isError") is True else "answered"
    return words, content_body(result.get("content"))


def hooks_asked(request: Mapping[str, Any]) -> str:
    """The hooks that a connection registers, as `PreToolUse(Bash), Stop`."""
    hooks = request.get("hooks")
    shown = []
    for event, matchers in hooks.items() if isinstance(hooks, dict) else ():
        for matcher in matchers if isinstance(matchers, list) else ():
            tools = matcher.get("matcher") if isinstance(matcher, dict) else None
            shown.append(f"{event}({tools})" if tools else str(event))
    return ", ".join(shown)


def notice(frame: Mapping[str, Any]) -> Line | None:
    """A `system` frame other than `init`, or None for those that say nothing about the work."""
    subtype = frame.get("subtype")
    if subtype in _HIDDEN:
        return None
    if subtype == "api_retry":
        code = f" ({frame['error_status']})" if frame.get("error_status") else ""
        wait = f" in {frame.get('retry_delay_ms')} ms"
        return f"API retry {frame.get('attempt')} of {frame.get('max_retries')}{wait}: {frame.get('error')}{code}", ()
    if subtype == "compact_boundary":
        data = frame.get("compact_metadata")
        tokens = f" after {data.get('pre_tokens')} tokens ({data.get('trigger')})" if isinstance(data, dict) else ""
        return f"the CLI compacted the conversation{tokens}", ()
    if subtype == "task_started":
        return f"task {frame.get('task_id')} started: {frame.get('description')}", ()
    if subtype == "task_notification":
        return f"task {frame.get('task_id')} {frame.get('status')}", content_body(frame.get("summary"))
    envelope = {"type", "subtype", "uuid", "session_id", "timestamp", "usage", "parent_tool_use_id"}
    return f"system {subtype}", fields_body({key: value for key, value in frame.items() if key not in envelope})


def result_title(frame: Mapping[str, Any]) -> Line:
    """How a turn ended, with the error's text if it ended badly."""
    turns, is_bad = frame.get("num_turns"), frame.get("is_error") is True or frame.get("subtype") != "success"
    count = f", {turns} model {'call' if turns == 1 else 'calls'}" if isinstance(turns, int) else ""
    reason = frame.get("terminal_reason")
    why = f" ({reason})" if isinstance(reason, str) and reason != "completed" else ""
    how = "error" if is_bad and frame.get("subtype") == "success" else frame.get("subtype")
    title = f"turn ended: {how}{why}{count}"
    if not is_bad:
        return title, ()
    errors = frame.get("errors")
    texts = errors if isinstance(errors, list) else []
    return title, (*content_body(frame.get("result")), *content_body([_as_block(text) for text in texts]))


def _as_block(text: object) -> dict[str, Any]:
    return {"type": "text", "text": text if isinstance(text, str) else as_json(text)}
