"""Read a finished session log line by line; what can't be read is left out and told with its line."""

from __future__ import annotations

import json
import math
import stat
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import MalaError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["LogLine", "SessionLog", "SessionLogError", "Torn", "read_log"]

_DEPTH_MAX: Final = 48
"""Levels of one entry; a cassette has 64 for the entry and what it puts around it."""

_YEARS: Final = range(1970, 3000)
_LINKS: Final = (
    "type",
    "subtype",
    "uuid",
    "parentUuid",
    "logicalParentUuid",
    "isSidechain",
    "agentId",
    "parentToolUseID",
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SessionLogError(MalaError):
    """A file is no session log that could be read; the text is `path: what`."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """A line that is no entry, counted from 1, and why; `is_last` if the file breaks off in it."""

    number: int
    why: str
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """An entry of a log and its line, counted from 1. Of entries that are no messages only the links are kept."""

    number: int
    data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its type, with its subtype or that of what it carries."""
        kind = _word(self.data.get("type")) or "entry without a type"
        inside = self.data.get("subtype") or self.data.get("inner")
        return f"{kind} {inside}" if _word(inside) else kind

    @property
    def is_message(self) -> bool:
        """Whether agent, user or a tool says something."""
        return self.data.get("type") in ("assistant", "user") and isinstance(self.data.get("message"), dict)

    @property
    def is_boundary(self) -> bool:
        """Whether the context was compacted here."""
        return self.data.get("type") == "system" and self.data.get("subtype") == "compact_boundary"

    @property
    def is_side(self) -> bool:
        """Whether a sub-agent wrote it."""
        return self.data.get("isSidechain") is True

    @property
    def uuid(self) -> str | None:
        """Its id, if it has one."""
        return _word(self.data.get("uuid"))

    @property
    def agent(self) -> str | None:
        """The id of the sub-agent that wrote it, in logs that tell it."""
        return _word(self.data.get("agentId"))

    @property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        """The content blocks of the message; none where the content is a plain text."""
        message = self.data.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        return tuple(block for block in content if isinstance(block, dict)) if isinstance(content, list) else ()

    @property
    def time(self) -> datetime | None:
        """When it was written; None for what is no time with its zone."""
        given = self.data.get("timestamp")
        try:
            found = datetime.fromisoformat(given) if isinstance(given, str) else None
            made = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None
        return made if made is not None and made.year in _YEARS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLog:
    """All entries of a file in order, and what could not be read; `others` counts those that are no messages."""

    path: Path
    lines: tuple[LogLine, ...]
    torn: tuple[Torn, ...]
    others: Mapping[str, int]


def read_log(path: Path) -> SessionLog:
    """Read the whole file. Raises SessionLogError if it is none that can be read, or holds no entry at all."""
    _check_file(path)
    lines: list[LogLine] = []
    torn: list[Torn] = []
    others: Counter[str] = Counter()
    raw = b""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                text = raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw
                if not text.strip():
                    continue
                entry = _entry(text)
                if isinstance(entry, str):
                    torn.append(Torn(number=number, why=entry))
                    continue
                line = LogLine(number=number, data=_kept(entry))
                lines.append(line)
                if not line.is_message and not line.is_boundary:
                    others[line.kind] += 1
    except OSError as error:
        raise SessionLogError(path, f"can't be read: {error.strerror}") from None
    if torn and not raw.endswith(b"\n") and torn[-1].number == number:
        torn[-1] = Torn(number=torn[-1].number, why=torn[-1].why, is_last=True)
    _check_found(path, lines, torn)
    return SessionLog(path=path, lines=tuple(lines), torn=tuple(torn), others=dict(sorted(others.items())))


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise SessionLogError(path, "no such file; name a session log, a file <session id>.jsonl") from None
    except (OSError, ValueError) as error:
        raise SessionLogError(path, f"can't be read: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISDIR(mode):
        raise SessionLogError(path, "is a folder; name one session log in it, a file <session id>.jsonl")
    if not stat.S_ISREG(mode):
        raise SessionLogError(path, "is not a regular file")


def _check_found(path: Path, lines: list[LogLine], torn: list[Torn]) -> None:
    if not lines and not torn:
        raise SessionLogError(path, "is empty")
    if not any(line.is_message for line in lines):
        told = f" (line {torn[0].number}: {torn[0].why})" if torn else ""
        what = "is no session log of Claude Code: no entry of type user or assistant is in it"
        raise SessionLogError(path, f"{what}{told}")


def _entry(line: bytes) -> dict[str, Any] | str:
    """The object on a line, or why there is none."""
    try:
        data = json.loads(line.decode(), parse_constant=_refused, parse_float=_finite)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return "not whole JSON"
    if not isinstance(data, dict):
        return "no JSON object"
    return data if _is_flat(data, _DEPTH_MAX) else f"nested deeper than {_DEPTH_MAX} levels"


def _refused(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_flat(value: Any, left: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left > 0 and all(_is_flat(child, left - 1) for child in children)


def _kept(data: dict[str, Any]) -> dict[str, Any]:
    """Entries of progress are most of a log, and none of its story: a log of any size fits into the memory."""
    if data.get("type") in ("assistant", "user") or data.get("subtype") == "compact_boundary":
        return data
    kept: dict[str, Any] = {key: data[key] for key in _LINKS if key in data}
    inside = data.get("data") if isinstance(data.get("data"), dict) else data.get("attachment")
    if isinstance(inside, dict):
        kept["inner"] = inside.get("type")
        kept["agentId"] = inside.get("agentId", kept.get("agentId"))
    return kept


def _word(value: object) -> str | None:
    """An id or a type counts only if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None
