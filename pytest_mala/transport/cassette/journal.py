"""Keeps a recording safe while it runs: each entry is on its way to the disk before the session goes on.

The journal stands beside the cassette as `<cassette>.<pid>.part`. A process that is killed leaves it behind, with every
entry that was appended; the cassette itself is not touched before the recording is complete.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import CassetteError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Journal", "read_journal"]

_HEAD: Final = {"mala_journal": 1}
_NAMES_MAX: Final = 100
_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Journal:
    """An append-only file of JSON entries for the cassette at `path`; its folder is made if it is missing.

    CassetteError if it can't be made or written. Leaving the `with` block keeps the file, `finish` removes it.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CassetteError(path, f"the journal's folder can't be made: {error.strerror}") from None
        self.part, self._file = _new_part(path)
        self._size = 0
        self.append(_HEAD)

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None:
        """Write one entry with one write(2), so that a kill tears none; `sync` also survives a loss of power."""
        line = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            self._write(line)
            if sync:
                _sync_data(self._file)
        except OSError as error:
            raise CassetteError(self.part, f"the journal can't be written: {error.strerror}") from None

    def _write(self, line: bytes) -> None:
        """All of the line or nothing of it: after half a line the next entry would be lost as well."""
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            if written:
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def finish(self) -> None:
        """The cassette is written: close the journal and remove it."""
        self.close()
        self.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journal and keep it; closing twice is allowed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal that was left behind, in order, without its first line.

    A torn last line is dropped, as a kill or a loss of power leaves it. CassetteError for a file that can't be read, is
    no journal, or is damaged before its last line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CassetteError(path, f"the journal can't be read: {error.strerror}") from None
    if lines[-1] == b"":
        lines.pop()
        torn = False
    else:
        torn = True  # a line without its line feed was never acknowledged
        lines.pop()
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if entry is None:
            if number == len(lines) and not torn and number > 1:
                break
            raise CassetteError(path, f"the journal is damaged: {line[:40]!r} is not a JSON object", number)
        entries.append(entry)
    if entries and entries[0] != _HEAD:
        raise CassetteError(path, f"not a journal that this version reads: expected {_HEAD}, got {lines[0][:80]!r}", 1)
    return entries[1:]


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _new_part(path: Path) -> tuple[Path, int]:
    """A new file, never one that a killed process with the same id left behind."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    for number in range(1, _NAMES_MAX + 1):
        part = Path(f"{path}.{os.getpid()}{f'-{number}' if number > 1 else ''}.part")
        try:
            return part, os.open(part, flags, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise CassetteError(part, f"the journal can't be made: {error.strerror}") from None
    raise CassetteError(path, f"the journal can't be made: recover or remove the *.part files in {path.parent}")
