"""Find the entries of sub-agents, in the log or in files beside it, and the tool calls that started them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.session.history.lines import SessionLogError, read_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_mala.session.history.lines import LogLine, SessionLog

__all__ = ["SubAgent", "beside", "call_of", "inside"]

_STARTERS: Final = ("Task", "Agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAgent:
    """The entries of one sub-agent; `name` tells it in messages, `is_inside` if they stand in the session's own log."""

    name: str
    agent: str | None
    lines: tuple[LogLine, ...]
    is_inside: bool


def inside(lines: Sequence[LogLine]) -> list[SubAgent]:
    """The sub-agents whose entries stand among those of the session, as older versions of the CLI wrote them."""
    side = [line for line in lines if line.is_side]
    parents: dict[str | None, Any] = {line.uuid: line.data.get("parentUuid") for line in side if line.uuid}
    groups: dict[str, list[LogLine]] = {}
    for line in side:
        groups.setdefault(line.agent or f"#{_root(line, parents)}", []).append(line)
    return [
        SubAgent(name=f"sub-agent at line {found[0].number}", agent=found[0].agent, lines=tuple(found), is_inside=True)
        for found in groups.values()
        if any(line.is_message for line in found)
    ]


def _root(line: LogLine, parents: Mapping[str | None, Any]) -> str:
    """The id of the first entry of its chain."""
    at, seen = line.uuid, {line.uuid}
    while (parent := parents.get(at)) in parents and parent not in seen:
        seen.add(parent)
        at = parent
    return at or f"line {line.number}"


def beside(log: SessionLog) -> tuple[list[SubAgent], list[str]]:
    """The sub-agents with files of their own, and what could not be read of them.

    Looked for are `<log>/subagents/agent-*.jsonl`, and `agent-*.jsonl` in the log's folder that name its session.
    """
    found, wrong = [], []
    for path in _files(log):
        try:
            other = read_log(path)
        except SessionLogError as error:
            wrong.append(str(error))
            continue
        wrong += [f"{path}: line {torn.number} can't be read ({torn.why})" for torn in other.torn]
        agent = next((line.agent for line in other.lines if line.is_message and line.agent), None)
        found.append(SubAgent(name=path.name, agent=agent, lines=other.lines, is_inside=False))
    return found, wrong


def _files(log: SessionLog) -> Iterator[Path]:
    """Those that belong to this session, in the order of their names."""
    own = log.path.with_suffix("") / "subagents"
    yield from sorted(own.glob("agent-*.jsonl"))
    named = [line.data.get("sessionId") for line in log.lines if line.is_message]
    sessions = {one for one in named if isinstance(one, str)}
    for path in sorted(log.path.parent.glob("agent-*.jsonl")):
        if path != log.path and _session_of(path) in sessions:
            yield path


def _session_of(path: Path) -> str | None:
    """The session that the first entry names; a folder of logs may hold those of a hundred others."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):
        return None
    session = data.get("sessionId") if isinstance(data, dict) else None
    return session if isinstance(session, str) else None


def call_of(one: SubAgent, all_lines: Iterable[LogLine], told: Sequence[LogLine]) -> str | None:
    """The id of the tool call that started it: as results or progress name its agent, else by the words of its task.

    None if no entry that is told has such a call.
    """
    calls = {block.get("id"): block for line in told for block in line.blocks if _is_call(block)}
    named = _named(one.agent, all_lines) if one.agent is not None else None
    if named in calls:
        return named
    task = next((text for line in one.lines if line.is_message and (text := _text(line))), None)
    for call, block in calls.items():
        given = block.get("input")
        if (
            task is not None
            and block.get("name") in _STARTERS
            and isinstance(given, dict)
            and given.get("prompt") == task
        ):
            return call if isinstance(call, str) else None
    return None


def _is_call(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "tool_use" and isinstance(block.get("id"), str)


def _named(agent: str, lines: Iterable[LogLine]) -> str | None:
    for line in lines:
        call = line.data.get("parentToolUseID") if line.data.get("type") == "progress" else None
        if line.agent == agent and isinstance(call, str):
            return call
        result = line.data.get("toolUseResult")
        if isinstance(result, dict) and agent in (result.get("agentId"), result.get("agent_id")):
            calls = [block.get("tool_use_id") for block in line.blocks if block.get("type") == "tool_result"]
            if calls and isinstance(calls[0], str):
                return calls[0]
    return None


def _text(line: LogLine) -> str | None:
    """The text of an entry of the user, in either form."""
    content = line.data["message"].get("content") if line.data.get("type") == "user" else None
    if isinstance(content, str):
        return content
    texts = [block.get("text") for block in line.blocks if block.get("type") == "text"]
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) else None
