"""Gives the ids of a recording stable names and fixes what no two runs have in common (design D6).

Two recordings of one script are then equal, and one frame more in a connection changes no id of another kind or
connection. Ids are known by the fields they stand in, never guessed by their shape; once known, an id is replaced
wherever it occurs in text. Usage and cost are kept: they tell what a session costs.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from pytest_mala.transport.cassette.canonical import MAX_DEPTH

__all__ = ["Aliases"]

_UUID: Final = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_TOKEN: Final = rf"(?<![0-9A-Za-z])(?:{_UUID}|(?:toolu|msg|req)_[0-9A-Za-z_]+)"
_IS_UUID = re.compile(_UUID)
_SDK_REQUEST = re.compile(r"req_([0-9]+)_[0-9a-f]{8}")
_API_ID = re.compile(r"(toolu|msg|req)_[0-9A-Za-z_]+")
_TASK_ID = re.compile(
    r"([a-z])([a-z0-9]{8})"  # what the CLI makes of a kind and eight random letters or digits
    r"|((?:[a-z]+[_-])?[a-z]?)((?=[a-z0-9]*[0-9])[a-z0-9]{5,})"  # others are told from words by a digit
)
_RUN_ID = re.compile(r"[a-z0-9]{9}-[0-9a-f]{8}")  # of a background task: when it began, and a random number
_NAMED = re.compile(r"(?<![0-9A-Za-z])(?:(\d{8})-(\d{4})-4000-8000-(\d{12})|(toolu|msg|req_api)_(\d+)_(\d{4,}))(?!\w)")
_SURROGATE = re.compile("[\ud800-\udfff]")

_ID_KEY = re.compile(r"(?:.*[_/]|.*(?=[IU]))?(?:id|ID|Id|uuid|UUID|Uuid)s?")
_SESSION_KEY = re.compile(r"(?:.*_)?session_id|(?:.*S|s)essionId")
_TASK_KEY = re.compile(
    r"(?:.*_)?(?:task|run|agent|shell|bash)_ids?|(?:.*[a-z])?(?:[tT]ask|[rR]un|[aA]gent|[sS]hell|[bB]ash)Ids?"
)

_DURATION_KEY = re.compile(
    r"(?!.*(?i:timeout|limit|max|interval))"
    r"(?:duration|ttft|elapsed)\w*|(?!.*(?i:timeout|limit|max|interval))\w+(?:_ms|Ms|_duration|Duration\w*|_elapsed)"
)
_TIME_KEY = re.compile(r"timestamp|(?:\w+_)?(?:start|end)(?:ed)?_time|\w*(?:start|end|Start|End)Time|\w+(?:_at|At)")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_FIXED_ISO: Final = "2000-01-01T00:00:00.000Z"
_FIXED_SECONDS: Final = 946684800
_MILLISECONDS_FROM: Final = 1e11
_SOCKET_KEYS: Final = frozenset({"messaging_socket_path"})

# What the agent or a tool of the user says: ids in it are replaced if they are known, but its fields are its own.
_FOREIGN: Final = frozenset({"tool_input", "updatedInput", "arguments", "structuredContent", "structured_output"})
_TOOL_USES: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})

# The first group of an aliased UUID tells what it names. Frames are numbered by type, so that an additional one
# (an idle state after a result, for example) moves no others.
_CODES: Final = {
    "session": 1,
    "prompt": 2,
    "tool use": 3,
    "request": 4,
    "hook_callback": 5,
    "can_use_tool": 6,
    "mcp_message": 7,
    "other": 9,
    "frame": 10,
    "system": 11,
    "init": 12,
    "session_state_changed": 13,
    "assistant": 14,
    "user": 15,
    "result": 16,
    "stream_event": 17,
}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}
_REQUESTS: Final = ("hook_callback", "can_use_tool", "mcp_message")
_SYSTEM_FRAMES: Final = ("init", "session_state_changed")
_FRAMES: Final = ("system", *_SYSTEM_FRAMES, "assistant", "user", "result", "stream_event")


class Aliases:
    """The names of one take, learnt frame by frame in recorded order.

    >>> aliases = Aliases()
    >>> frame = {"type": "user", "uuid": "519b86dd-f7df-4e4b-96ba-fe5e52cbc6a5"}
    >>> aliases.canonical(frame, connection=1)["uuid"]
    '00000015-0001-4000-8000-000000000001'
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._used: Counter[tuple[str, int]] = Counter()
        self._words: list[str] = []
        self._pattern = re.compile(_TOKEN)

    def canonical(self, frame: dict[str, Any], connection: int) -> dict[str, Any]:
        """The frame as the cassette holds it, as new data; `connection` counts from 1 within the take."""
        self._learn_heads(frame, connection)
        self._learn(frame, "", connection, MAX_DEPTH)
        fixed = self._replaced(frame, "", MAX_DEPTH, foreign=False)
        assert isinstance(fixed, dict)
        return fixed

    def keep(self, value: Any, connection: int, key: str = "") -> None:
        """Leave the names in this value of a cassette, recorded on this connection, as they are: further ids are
        numbered on from them.
        """
        if isinstance(value, str):
            for found in _NAMED.finditer(value):
                self._keep(found)
            if value not in self._names and _TASK_KEY.fullmatch(key):
                self._keep_task(value, connection)
        elif isinstance(value, dict):
            for name, item in value.items():
                self.keep(item, connection, name)
        elif isinstance(value, list | tuple):
            for item in value:
                self.keep(item, connection, key)

    def _keep(self, found: re.Match[str]) -> None:
        code, counted, uuid_number, shape, connection, number = found.groups()
        if shape is not None:
            self._keep_name(found.group(), shape, int(connection), int(number))
        elif int(code) in _KINDS:
            self._keep_name(found.group(), _KINDS[int(code)], int(counted), int(uuid_number))

    def _keep_task(self, value: str, connection: int) -> None:
        """Where the connection's number ends and the task's begins is not to be seen: the task's has zeros before it.

        A task of an earlier connection is known already.
        """
        if run := re.fullmatch(r"(\d{9})-(\d{8})", value):
            self._keep_name(value, "run", int(run[1]), int(run[2]))
        elif (match := _TASK_ID.fullmatch(value)) is not None:
            kind, rest = (match[1], match[2]) if match[1] else (match[3], match[4])
            if rest.isdigit() and rest.startswith(str(connection)):
                self._keep_name(value, kind + str(len(value)), connection, int(rest[len(str(connection)) :]))

    def _keep_name(self, name: str, kind: str, counted: int, number: int) -> None:
        self._names[name] = name
        self._used[kind, counted] = max(self._used[kind, counted], number)

    def map_text(self, text: str) -> str:
        """The text with all known ids replaced; half a surrogate pair, which no file can hold, becomes U+FFFD."""
        if not text.isascii():
            text = _SURROGATE.sub("\ufffd", text)
        return self._pattern.sub(lambda match: self._names.get(match.group(), match.group()), text)

    def _learn_heads(self, frame: dict[str, Any], connection: int) -> None:
        """The frame's own id and that of a request, which are numbered by what kind of frame it is."""
        kind, subtype = frame.get("type"), frame.get("subtype")
        if kind == "control_request":
            request = frame.get("request")
            asked = request.get("subtype") if isinstance(request, dict) else None
            self._learn_uuid(frame.get("request_id"), asked if asked in _REQUESTS else "request", connection)
        elif isinstance(kind, str):
            own = subtype if kind == "system" and subtype in _SYSTEM_FRAMES else kind
            self._learn_uuid(frame.get("uuid"), own if own in _FRAMES else "frame", connection)

    def _learn(self, value: Any, key: str, connection: int, depth: int) -> None:
        if isinstance(value, str):
            if _ID_KEY.fullmatch(key) and value not in self._names:
                self._learn_id(value, key, connection)
        elif isinstance(value, dict) and depth:
            for name, item in value.items():
                if not _is_foreign(value, name):
                    self._learn(item, name, connection, depth - 1)
        elif isinstance(value, list) and depth:
            for item in value:
                self._learn(item, key, connection, depth - 1)

    def _learn_id(self, value: str, key: str, connection: int) -> None:
        if _IS_UUID.fullmatch(value):
            self._learn_uuid(value, _kind_of(key), connection)
        elif match := _SDK_REQUEST.fullmatch(value):
            self._names[value] = f"req_{match[1]}_{connection:08d}"
        elif match := _API_ID.fullmatch(value):
            shape = "req_api" if match[1] == "req" else match[1]
            self._names[value] = f"{shape}_{connection}_{self._next(shape, connection):04d}"
        elif _TASK_KEY.fullmatch(key) and (match := _TASK_ID.fullmatch(value)):
            kind, rest = (match[1], match[2]) if match[1] else (match[3], match[4])
            number = self._next(kind + str(len(value)), connection)
            self._names[value] = f"{kind}{connection}{number:0{len(rest) - len(str(connection))}d}"
            self._find(value)
        elif _TASK_KEY.fullmatch(key) and _RUN_ID.fullmatch(value):
            self._names[value] = f"{connection:09d}-{self._next('run', connection):08d}"
            self._find(value)

    def _find(self, word: str) -> None:
        """Replace this id too, wherever it stands in a text."""
        self._words.append(re.escape(word))
        words = "|".join(sorted(self._words, key=len, reverse=True))
        self._pattern = re.compile(rf"{_TOKEN}|(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])")

    def _learn_uuid(self, value: Any, kind: str, connection: int) -> None:
        if isinstance(value, str) and value not in self._names and _IS_UUID.fullmatch(value):
            counted = 0 if kind == "session" else connection  # a resumed session keeps its id
            number = self._next(kind, counted)
            self._names[value] = f"{_CODES[kind]:08d}-{counted:04d}-4000-8000-{number:012d}"

    def _next(self, kind: str, connection: int) -> int:
        self._used[kind, connection] += 1
        return self._used[kind, connection]

    def _replaced(self, value: Any, key: str, depth: int, *, foreign: bool) -> Any:
        if isinstance(value, str):
            fixed = value if foreign else _fixed(key, value)
            return self.map_text(value) if fixed is value else fixed
        if isinstance(value, dict) and depth:
            return {
                self.map_text(name): self._replaced(item, name, depth - 1, foreign=foreign or _is_foreign(value, name))
                for name, item in value.items()
            }
        if isinstance(value, list) and depth:
            return [self._replaced(item, key, depth - 1, foreign=foreign) for item in value]
        return value if foreign else _fixed(key, value)


def _kind_of(key: str) -> str:
    """What a UUID names, by the field it stands in."""
    if _SESSION_KEY.fullmatch(key):
        return "session"
    if key in ("prompt_id", "promptId"):
        return "prompt"
    if key in ("request_id", "requestId"):
        return "request"
    return "tool use" if key.lower().replace("_", "").endswith("tooluseid") else "other"


def _is_foreign(parent: dict[str, Any], key: str) -> bool:
    if key == "input":
        return parent.get("type") in _TOOL_USES or parent.get("subtype") == "can_use_tool"
    return key in _FOREIGN


def _fixed(key: str, value: Any) -> Any:
    """The value that stands for a duration, time, process id or socket; any other value is given back as it is.

    A duration becomes 1, not 0: an application may divide by it. JSON knows one kind of number, so 3 and 3.5 become the
    same.
    """
    if isinstance(value, str):
        if key in _SOCKET_KEYS:
            return "${SOCKET}"
        return _FIXED_ISO if _TIME_KEY.fullmatch(key) and _ISO_TIME.fullmatch(value) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if key == "pid" or _DURATION_KEY.fullmatch(key):
        return 1
    if _TIME_KEY.fullmatch(key):
        return _FIXED_SECONDS * 1000 if value > _MILLISECONDS_FROM else _FIXED_SECONDS
    return value
