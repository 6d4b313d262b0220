"""Read a session log as the CLI writes it, and write one from recorded frames in the form that the CLI resumes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from pytest_mala.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "Entry",
    "LogReader",
    "LogWriter",
    "assistant_texts",
    "bash_commands",
    "end_offset",
    "has_uuid",
    "last_uuid",
    "log_path",
    "main_thread",
    "read_entries",
    "tool_results",
]

FOLDER_NAME_LENGTH = 200
"""Longer folder names are cut by the CLI and given the hash of the whole path."""

PROMPT_NAMESPACE = UUID("0b8fbd0c-3a5e-4a53-9d53-2f6a3f1f6f5e")
"""Ids of prompts are made of this, the session id and a number: frames don't carry them, equal runs need equal ones."""


def log_path(config_dir: Path, workspace: Path, session_id: str) -> Path:
    """Where the CLI keeps the log of a session that works in `workspace` (its real path counts, not a link to it).

    The hash that ends a long folder name is the CLI's own affair: there an existing folder with the same start is
    taken. Raises HarnessError for an id that can't be a file name.
    """
    if not session_id or session_id.strip(".") == "" or re.search(r"[/\\\x00-\x1f]", session_id):
        raise HarnessError(f"session id {session_id!r} can't name a log file; expected an id like a UUID")
    encoded = re.sub(r"[^A-Za-z0-9]", "-", str(workspace.resolve()))
    projects = config_dir / "projects"
    if len(encoded) <= FOLDER_NAME_LENGTH:
        return projects / encoded / f"{session_id}.jsonl"
    start = encoded[:FOLDER_NAME_LENGTH]
    found = sorted(projects.glob(f"{start}-*/{session_id}.jsonl"))
    return found[0] if found else projects / f"{start}-mala" / f"{session_id}.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One object of a log: its data, the byte offset of its line, and the line's length in bytes with the newline."""

    data: Mapping[str, Any]
    offset: int
    length: int

    @property
    def role(self) -> str | None:
        """`assistant`, `user` or another type; the message's role where the entry has no type."""
        kind = self.data.get("type")
        if kind is None and isinstance(message := self.data.get("message"), dict):
            kind = message.get("role")
        return kind if isinstance(kind, str) else None

    @property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        """The content blocks of the message; none where the content is a plain string or no list at all."""
        message = self.data.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        return tuple(block for block in content if isinstance(block, dict)) if isinstance(content, list) else ()


class LogReader:
    """The entries of a log from a byte offset on; a line that is no JSON object is skipped and counted (L8).

    A file that is missing or can't be read has no entries. `skipped` counts the odd lines of the latest pass.
    """

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = max(0, offset)
        self.skipped = 0

    def __iter__(self) -> Iterator[Entry]:
        """Reads the file anew, lazily, so that a log of any size needs the memory of its longest line."""
        self.skipped = 0
        for offset, line in _lines(self._path, self._offset):
            data = _object(line)
            if data is not None:
                yield Entry(data=data, offset=offset, length=len(line))
            elif line.strip():
                self.skipped += 1


def read_entries(path: Path, offset: int = 0) -> LogReader:
    """The entries of the log at or after a byte offset."""
    return LogReader(path, offset)


def end_offset(path: Path, start: int = 0) -> int:
    """The byte after the last whole entry, to read on from later; `start` if there is nothing after it.

    A line that the CLI has only half written is not passed over: the next reader gets the whole of it.
    """
    end = max(0, start)
    for offset, line in _lines(path, end):
        if line.endswith(b"\n") or _object(line) is not None:
            end = offset + len(line)
    return end


def has_uuid(path: Path, uuid: str, offset: int = 0) -> bool:
    """Whether the log holds an entry with this uuid at or after the byte offset."""
    # most lines need no parsing; an id that JSON may write in another way is looked for in all of them
    wanted = uuid.encode() if re.fullmatch(r"[A-Za-z0-9_-]+", uuid) else b""
    return any((_object(line) or {}).get("uuid") == uuid for _, line in _lines(path, max(0, offset)) if wanted in line)


def last_uuid(path: Path) -> str | None:
    """The uuid of the last entry that has one, or None."""
    found = None
    for entry in read_entries(path):
        found = _text(entry.data.get("uuid")) or found
    return found


def main_thread(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Without what sub-agents said and did (their entries are marked `isSidechain`)."""
    return (entry for entry in entries if entry.data.get("isSidechain") is not True)


def assistant_texts(entries: Iterable[Entry]) -> Iterator[str]:
    """The texts of the agent, block by block; thoughts and the user's words are none."""
    for block in _blocks(entries, "assistant", "text"):
        if isinstance(block.get("text"), str):
            yield block["text"]


def bash_commands(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Tool use id and command line of each call of the Bash tool, whatever came of it."""
    for block in _blocks(entries, "assistant", "tool_use"):
        name, given = block.get("name"), block.get("input")
        command = given.get("command") if isinstance(given, dict) else None
        is_bash = isinstance(name, str) and name.lower() == "bash"
        if is_bash and isinstance(command, str) and (tool_id := _text(block.get("id"))):
            yield tool_id, command


def tool_results(entries: Iterable[Entry]) -> Iterator[tuple[str, bool]]:
    """Tool use id of each result, and whether it is an error.

    A missing or null `is_error` is no error; anything else that is not plainly `false` is one: unknown never passes.
    """
    for block in _blocks(entries, "user", "tool_result"):
        if tool_id := _text(block.get("tool_use_id")):
            flag = block.get("is_error")
            yield tool_id, flag is not None and flag is not False


def _blocks(entries: Iterable[Entry], role: str, kind: str) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        if entry.role == role:
            yield from (block for block in entry.blocks if block.get("type") == kind)


def _lines(path: Path, offset: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line; the last one may lack its newline."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                yield offset, line
                offset += len(line)
    except OSError:
        return  # L2: a log that is not there (yet) has no lines


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(line.decode())
    except (ValueError, RecursionError):  # no UTF-8, no JSON, a number of 5,000 digits; 100,000 brackets
        return None
    return data if isinstance(data, dict) else None


def _text(value: object) -> str | None:
    """An id counts only if it is a non-empty string."""
    return value if isinstance(value, str) and value else None


@dataclass(slots=True, kw_only=True)
class _Chain:
    """Where a session's log stands: the entries are a list linked by `parentUuid`, whose end the next one names."""

    path: Path
    last: str | None = None
    uuids: set[str] = field(default_factory=set)
    torn: bytes = b""
    """A newline, if the last line of an older file lacks its own: the next entry must not be glued to it."""


class LogWriter:
    """Writes session logs from what went over the wire, so that the CLI resumes them and the gate reads them.

    One file per session id, over any number of connections; call `connection` at the start of each. Prompts are kept
    back until a frame says which session they went to. What sub-agents did (frames with `parent_tool_use_id`) is left
    out: the CLI keeps that in files of its own, which neither a resume nor a gate needs. Every entry is in the file
    when the call returns.
    """

    def __init__(self, config_dir: Path, workspace: Path, *, now: Callable[[], datetime], version: str = "") -> None:
        """`now` gives the session's time (aware), for entries whose frame has none; `version` is the CLI's."""
        self._config_dir = config_dir
        self._workspace = workspace
        self._cwd = str(workspace.resolve())
        self._now = now
        self._version = version
        self._is_handed_over = False
        self._spent: dict[str, Mapping[str, Any]] = {}
        self._chains: dict[str, _Chain] = {}
        self._session_id: str | None = None
        self._waiting: list[tuple[str, str]] = []

    def connection(self, resume: str | None = None) -> None:
        """A new connection: its session id is known if it resumes one, else it is learnt from the frames.

        Prompts of the connection before it that no frame ever followed are dropped, as the CLI does.
        """
        self._session_id = resume
        self._waiting.clear()

    def hand_over(self) -> None:
        """From now on a CLI goes on with the sessions and writes their logs; it is told what they cost so far."""
        self._waiting.clear()
        self._is_handed_over = True
        for session_id, result in self._spent.items():
            if not (path := self.path(session_id)).is_file():
                continue  # nothing of it is there to go on from
            with path.open("ab") as file:
                file.write(_encoded(_cost_state(session_id, result, self._now())) + b"\n")

    def prompt(self, text: str, session_id: str | None = None) -> None:
        """A prompt that was sent; `session_id` if it is known for certain where it goes."""
        if self._is_handed_over:
            return
        self._session_id = session_id or self._session_id
        self._waiting.append((text, self._timestamp(None)))
        if self._session_id is not None:
            self._write_waiting(self._session_id)

    def frame(self, frame: Mapping[str, Any]) -> None:
        """A frame that came from the CLI; only messages of the main thread become entries."""
        if self._is_handed_over:
            return
        kind, subtype = frame.get("type"), frame.get("subtype")
        if subtype == "init" and (version := _text(frame.get("claude_code_version"))):
            self._version = version
        session_id = _text(frame.get("session_id"))
        if session_id is None or (kind == "system" and subtype != "init"):
            return  # a state change comes before the CLI has saved anything
        self._session_id = session_id
        self._write_waiting(session_id)
        if kind == "result":
            self._spent[session_id] = frame
        is_message = kind in ("assistant", "user") and isinstance(frame.get("message"), dict)
        # a replayed frame repeats a prompt that stands in the log already
        if is_message and frame.get("parent_tool_use_id") is None and frame.get("isReplay") is not True:
            self._append(session_id, self._message_of(frame), uuid=_text(frame.get("uuid")))

    def path(self, session_id: str) -> Path:
        """The file of a session, there or not."""
        return self._chain(session_id).path

    def _message_of(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """What an entry takes over from its frame, under the log's names."""
        taken = {"type": frame["type"], "message": frame["message"], "timestamp": self._timestamp(frame)}
        renamed = {"requestId": "request_id", "toolUseResult": "tool_use_result"}
        return taken | {name: frame[wire] for name, wire in renamed.items() if wire in frame}

    def _write_waiting(self, session_id: str) -> None:
        for text, timestamp in self._waiting:
            message = {"role": "user", "content": text}
            self._append(session_id, {"type": "user", "message": message, "timestamp": timestamp}, uuid=None)
        self._waiting.clear()

    def _append(self, session_id: str, content: Mapping[str, Any], *, uuid: str | None) -> None:
        chain = self._chain(session_id)
        uuid = uuid or str(uuid5(PROMPT_NAMESPACE, f"{session_id}:{len(chain.uuids)}"))
        if uuid in chain.uuids:
            return  # a second entry of one id would close the chain to a ring, which the CLI follows for ever
        entry = {
            "parentUuid": chain.last,
            "isSidechain": False,
            "userType": "external",
            "cwd": self._cwd,
            "sessionId": session_id,
            "version": self._version,
            **content,
            "uuid": uuid,
        }
        chain.path.parent.mkdir(parents=True, exist_ok=True)
        with chain.path.open("ab") as file:
            file.write(chain.torn + _encoded(entry) + b"\n")
        chain.torn = b""
        self._link(chain, uuid)

    def _chain(self, session_id: str) -> _Chain:
        """The session's chain; a file that is there already (a resumed session of another run) is continued."""
        if session_id not in self._chains:
            chain = _Chain(path=log_path(self._config_dir, self._workspace, session_id))
            for _, line in _lines(chain.path, 0):
                chain.torn = b"" if line.endswith(b"\n") else b"\n"
                if uuid := _text((_object(line) or {}).get("uuid")):
                    self._link(chain, uuid)
            self._chains[session_id] = chain
        return self._chains[session_id]

    @staticmethod
    def _link(chain: _Chain, uuid: str) -> None:
        chain.last = uuid
        chain.uuids.add(uuid)

    def _timestamp(self, frame: Mapping[str, Any] | None) -> str:
        given = _text(frame.get("timestamp")) if frame else None
        return given or self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _encoded(entry: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can carry and UTF-8 can't
        return json.dumps(entry, separators=(",", ":")).encode()


def _cost_state(session_id: str, result: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The entry by which a resumed CLI knows what its session cost; it takes none without all of these. Durations are
    not recorded.
    """
    usage = result.get("modelUsage")
    return {
        "type": "cost-state",
        "sessionId": session_id,
        "totalCostUSD": result.get("total_cost_usd", 0),
        "totalAPIDuration": 0,
        "totalAPIDurationWithoutRetries": 0,
        "totalToolDuration": 0,
        "totalLinesAdded": 0,
        "totalLinesRemoved": 0,
        "totalDuration": 0,
        "startTime": int(now.timestamp() * 1000),
        "modelUsage": usage if isinstance(usage, dict) else {},
        "hasUnknownModelCost": False,
    }
