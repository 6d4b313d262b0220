"""Keeps what was made of a cassette for the next run, under the hash of the file: a replay then parses no YAML.

An entry is JSON, which can't make anything run, behind a digest of its own. One that is missing, damaged, of another
file or of another version of this code is no entry: the cassette is read as if nothing had been kept. What is kept is
believed: who can write into the folder can change what is replayed, as with Python's `__pycache__`.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pytest_mala.errors import HarnessError
from pytest_mala.transport.cassette.collecting import without_collecting
from pytest_mala.transport.cassette.file import content_of

__all__ = ["KEPT_FROM_BYTES", "Kept"]

KEPT_FROM_BYTES: Final = 128 * 1024
"""Smaller cassettes are read in a few milliseconds; they are not kept."""

_DIGEST: Final = hashlib.sha256
_DIGEST_BYTES: Final = 32


class Kept:
    """The entry of one cassette file and one part of it, in a folder; `data` is what was kept, or None.

    The file is read once when this is made. Nothing here ever fails.
    """

    def __init__(self, folder: Path, path: Path, part: str) -> None:
        self._path = path
        self._stem = f"{path.stem}.{part}."
        self._folder = folder
        self._key = _key(path)
        self.data = self._found()

    @without_collecting()
    def _found(self) -> Any:
        if self._key is None:
            return None
        try:
            content = self._entry.read_bytes()
            payload = memoryview(content)[_DIGEST_BYTES:]
            if _DIGEST(payload).digest() != content[:_DIGEST_BYTES]:
                return None
            return json.loads(str(payload, "ascii"))
        except (OSError, ValueError, RecursionError):
            return None

    def keep(self, data: Any) -> None:
        """Keep JSON data that was made of the file, in place of what was kept of earlier files of its name."""
        if self._key is None or self._key != _key(self._path):
            return  # changed meanwhile
        payload = json.dumps(data, separators=(",", ":")).encode()
        entry = self._entry
        temporary = entry.with_name(f"{entry.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for old in self._folder.glob("*.json"):
                if old.name.startswith(self._stem) and old != entry:
                    old.unlink(missing_ok=True)
            temporary.write_bytes(_DIGEST(payload).digest() + payload)
            temporary.replace(entry)
        except OSError:
            pass  # the next run reads the cassette once more

    @property
    def _entry(self) -> Path:
        return self._folder / f"{self._stem}{self._key}.json"


def _key(path: Path) -> str | None:
    """What an entry must have been made from and by; None for a file that is not kept, or can't be read."""
    try:
        content = content_of(path)
        if len(content) < KEPT_FROM_BYTES:
            return None
        return _DIGEST(_code() + _DIGEST(content).digest()).hexdigest()[:32]
    except (HarnessError, OSError):
        return None


@lru_cache(maxsize=1)
def _code() -> bytes:
    """The rules that a kept cassette has passed and the form that it is kept in: all source of the rooms below."""
    rooms = Path(__file__).parents[1]
    digest = _DIGEST()
    for path in sorted([*rooms.glob("*.py"), *rooms.glob("cassette/*.py")]):
        digest.update(path.read_bytes())
    return digest.digest()
