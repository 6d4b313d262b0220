"""The session that a log tells: its prompts, and what came after each, as frames of the SDK's wire."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.session.history.branch import played
from pytest_mala.session.history.subagents import beside, call_of, inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_mala.session.history.branch import Branch
    from pytest_mala.session.history.lines import LogLine, SessionLog, Torn
    from pytest_mala.session.history.subagents import SubAgent

__all__ = ["Prompt", "Said", "Story", "story_of"]

_NO_PROMPTS: Final = ("[Request interrupted by user", "<local-command-", "<bash-", "<task-notification>")
"""How texts of the role "user" begin that the CLI writes by itself."""

_COMMAND: Final = ("<command-name>", "<command-message>")
"""A slash command: a prompt if the agent answered it, else the CLI did something by itself."""

_BY_THE_CLI: Final = ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")
_SESSION_ID: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,128}")
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a human, or the agent that started a sub-agent, asked: a text or content blocks; `number` is its line."""

    number: int
    content: str | list[Any]
    session: str | None
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A frame as the CLI would have sent it; `name` is the file of a sub-agent, else empty."""

    number: int
    frame: Mapping[str, Any]
    time: datetime | None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A log's session in the order in which it was played, and all of the log that is no part of it.

    `others` counts entries by type that are no messages, `abandoned` messages of other branches, `repeated` those that
    stood there twice, `unlinked` links to entries that are missing, `unplaced` the sub-agents whose call is not told,
    `wrong` what could not be read of files beside it. `is_side`: the log is that of a sub-agent.
    """

    steps: tuple[Prompt | Said, ...]
    versions: tuple[str, ...]
    folder: str | None
    session: str | None
    sub_agents: int
    is_side: bool
    torn: tuple[Torn, ...]
    others: Mapping[str, int]
    abandoned: int
    repeated: int
    unlinked: int
    unplaced: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """An entry with its place in the story, and the call whose sub-agent wrote it."""

    key: tuple[int, ...]
    line: LogLine
    parent: str | None = None
    name: str = ""


def story_of(log: SessionLog) -> Story:
    """The story of a log; files of sub-agents that stand beside it are read too."""
    is_side = not any(line.is_message and not line.is_side for line in log.lines)
    own = [line for line in log.lines if is_side or not line.is_side]
    branch = played(own)
    placed = [_Placed(key=(line.number,), line=line) for line in branch.lines]
    agents, wrong = ([], []) if is_side else beside(log)
    agents = [*([] if is_side else inside(log.lines)), *agents]
    placed, branches, unplaced = _with_agents(placed, agents, log)
    lines = [one.line for one in placed]
    every = [branch, *branches]
    return Story(
        steps=_steps(placed, is_side=is_side),
        versions=tuple(dict.fromkeys(_texts(lines, "version"))),
        folder=next(_texts(lines, "cwd"), None),
        session=next(_texts(lines, "sessionId"), None),
        sub_agents=len(branches),
        is_side=is_side,
        torn=log.torn,
        others=log.others,
        abandoned=sum(one.abandoned for one in every),
        repeated=sum(one.repeated for one in every),
        unlinked=sum(one.unlinked for one in every),
        unplaced=tuple(unplaced),
        wrong=tuple(wrong),
    )


def _texts(lines: Iterable[LogLine], key: str) -> Iterator[str]:
    return (value for line in lines if isinstance(value := line.data.get(key), str) and value)


def _with_agents(
    placed: list[_Placed], agents: Sequence[SubAgent], log: SessionLog
) -> tuple[list[_Placed], list[Branch], list[str]]:
    """The story with each sub-agent's entries where their times say, after its call; a sub-agent may start others."""
    waiting, branches = list(agents), []
    while waiting:
        told = [one.line for one in placed]
        found = [(one, call) for one in waiting if (call := call_of(one, [*log.lines, *told], told)) is not None]
        if not found:
            break
        for one, call in found:
            waiting.remove(one)
            branch = played(one.lines)
            branches.append(branch)
            placed = _merged(placed, branch, one, call, len(branches))
    return placed, branches, [one.name for one in waiting]


def _merged(placed: list[_Placed], branch: Branch, one: SubAgent, call: str, number: int) -> list[_Placed]:
    if one.is_inside:
        return sorted(
            [*placed, *(_Placed(key=(line.number,), line=line, parent=call) for line in branch.lines)], key=_key
        )
    start = next(at for at, item in enumerate(placed) if _has_call(item.line, call))
    times = _rising(placed)
    made = []
    last = start
    for count, line in enumerate(branch.lines):
        if line.time is not None:
            last = max(last, bisect_right(times, line.time) - 1)
        made.append(_Placed(key=(*placed[last].key, number, count), line=line, parent=call, name=one.name))
    return sorted([*placed, *made], key=_key)


def _key(one: _Placed) -> tuple[int, ...]:
    return one.key


def _rising(placed: Sequence[_Placed]) -> list[datetime]:
    """For each place the latest time up to there: where an entry has none, or an early one, that of those before it."""
    times: list[datetime] = []
    for one in placed:
        times.append(max(times[-1] if times else _NEVER, one.line.time or _NEVER))
    return times


def _has_call(line: LogLine, call: str) -> bool:
    return any(block.get("type") == "tool_use" and block.get("id") == call for block in line.blocks)


def _steps(placed: Sequence[_Placed], *, is_side: bool) -> tuple[Prompt | Said, ...]:
    """In the log of a sub-agent only the first words of the role "user" are a prompt: no human spoke to it."""
    main = [one.line for one in placed if one.parent is None and not one.line.data.get("isMeta")]
    after = {line.number: following for line, following in pairwise(main)}
    steps: list[Prompt | Said] = []
    is_asked = False
    for one in placed:
        line = one.line
        is_open = one.parent is None and not (is_side and is_asked)
        if is_open and _is_prompt(line, after.get(line.number)):
            is_asked = True
            content = _sent(line.data["message"]["content"])
            steps.append(Prompt(number=line.number, content=content, session=_session(line), time=line.time))
        else:
            frame = _frame(line, one.parent)
            steps.append(Said(number=line.number, frame=frame, time=line.time, name=one.name))
    return tuple(steps)


def _sent(content: Any) -> Any:
    """A prompt of one text block is that text: a client sends it like that."""
    is_text = isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict)
    return content[0]["text"] if is_text and content[0].get("type") == "text" else content


def _is_prompt(line: LogLine, following: LogLine | None) -> bool:
    """Whether a human said it; results of tools and what the CLI tells the agent by itself have the same role."""
    data = line.data
    if data.get("type") != "user" or any(data.get(mark) is True for mark in _BY_THE_CLI):
        return False
    content = data["message"].get("content")
    if isinstance(content, list):
        texts = [text for block in line.blocks if isinstance(text := block.get("text"), str)]
        if len(line.blocks) != len(content) or any(block.get("type") == "tool_result" for block in line.blocks):
            return False
        text = texts[0] if texts else ""
    else:
        text = content if isinstance(content, str) else ""
    if not content or text.startswith(_NO_PROMPTS):
        return False
    if text.startswith(_COMMAND):
        return following is not None and following.data.get("type") == "assistant"
    return isinstance(content, str | list)


def _frame(line: LogLine, parent: str | None) -> dict[str, Any]:
    """An entry under the names of the wire; what the log does not tell is not there."""
    data = line.data
    frame: dict[str, Any] = {"type": data["type"]}
    if line.is_boundary:
        frame |= {"subtype": "compact_boundary", "compact_metadata": _snake(data.get("compactMetadata"))}
    else:
        frame |= {"message": _message(data["type"], data["message"]), "parent_tool_use_id": parent}
    for name, key, kind in (("uuid", "uuid", str), ("request_id", "requestId", str)):
        if isinstance(data.get(key), kind):
            frame[name] = data[key]
    if (session := _session(line)) is not None:
        frame["session_id"] = session
    if "toolUseResult" in data:
        frame["tool_use_result"] = data["toolUseResult"]
    if data["type"] == "user" and any(data.get(mark) is True for mark in _BY_THE_CLI):
        frame["isSynthetic"] = True
    if data["type"] == "assistant" and (data.get("isApiErrorMessage") is True or isinstance(data.get("error"), str)):
        given = data.get("error")
        frame["error"] = given if isinstance(given, str) else "unknown"
    return frame


def _session(line: LogLine) -> str | None:
    session = line.data.get("sessionId")
    return session if isinstance(session, str) and _SESSION_ID.fullmatch(session) else None


def _message(kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's words stand in blocks on the wire, whatever form they have in the log."""
    made = dict(message)
    content = made.get("content")
    if kind == "assistant" and isinstance(content, str):
        made["content"] = [{"type": "text", "text": content}]
    elif isinstance(content, list):
        made["content"] = [_block(block) for block in content]
    return made


def _block(block: Any) -> Any:
    """The SDK wants a thought to be signed, if only with nothing."""
    is_thought = isinstance(block, dict) and block.get("type") == "thinking"
    return {"signature": "", **block} if is_thought else block


def _snake(value: Any) -> dict[str, Any]:
    given = value if isinstance(value, dict) else {}
    return {
        re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", key): item for key, item in given.items()
    }
