"""The recorded sessions of an issue as one reviewable file; `read` and `write` are the way in and out (design D6)."""

from __future__ import annotations

from pytest_mala.transport.cassette.aliases import Aliases
from pytest_mala.transport.cassette.file import INCOMPLETE, MAX_BYTES, dump, line_of, read, read_lazily, seal, write
from pytest_mala.transport.cassette.journal import Journal, read_journal
from pytest_mala.transport.cassette.model import (
    FORMAT,
    LANES,
    MAX_MS,
    METHODS,
    SESSION_LOG,
    UNKNOWN,
    Cassette,
    Interaction,
    Take,
)

__all__ = [
    "FORMAT",
    "INCOMPLETE",
    "LANES",
    "MAX_BYTES",
    "MAX_MS",
    "METHODS",
    "SESSION_LOG",
    "UNKNOWN",
    "Aliases",
    "Cassette",
    "Interaction",
    "Journal",
    "Take",
    "dump",
    "line_of",
    "read",
    "read_journal",
    "read_lazily",
    "seal",
    "write",
]
