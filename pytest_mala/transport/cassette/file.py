"""Reads, writes and seals cassette files; nothing here trusts a byte that it has not checked.

A file is a comment, the canonical YAML of the data, the digest of all that as a comment, and the end mark `...`.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_mala.errors import CassetteError, CassetteMissingError, HarnessError
from pytest_mala.transport.cassette import canonical, strict
from pytest_mala.transport.cassette.collecting import without_collecting
from pytest_mala.transport.cassette.model import FORMAT, Cassette
from pytest_mala.transport.cassette.opening import COMMENT, opened, parsed
from pytest_mala.transport.cassette.schema import SchemaError, to_cassette, to_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "INCOMPLETE",
    "MAX_BYTES",
    "content_of",
    "dump",
    "line_of",
    "read",
    "read_lazily",
    "read_text",
    "seal",
    "write",
]

MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest cassette that is read, in bytes."""

INCOMPLETE: Final = (
    "the recording was cut short (complete: false); record it again, or replay it with --mala-allow-incomplete"
)

_END: Final = b"\n...\n"
_DIGEST = re.compile(rb"\n# sha256: ([0-9a-f]{64})\n\.\.\.\n\Z")
_ANY_DIGEST = re.compile(rb"\n# sha256:[^\n]*\n\.\.\.\n\Z")
_TAIL_BYTES: Final = 200
_VERSION = re.compile(r"^version:[ ]*([^\s#]+)", re.MULTILINE)
_FORMAT = re.compile(r"^mala:\s*\{?\s*format:[ ]*([^\s#,}]+)", re.MULTILINE)
_HEAD_BYTES: Final = 4096
_PIECE_BYTES: Final = 1024 * 1024
_NEIGHBOURS_MAX: Final = 100


def dump(cassette: Cassette) -> str:
    """The text of the file, the same for equal cassettes; ValueError for values that a cassette can't hold."""
    try:
        data = to_data(cassette)
        to_cassette(data)  # what is written must be readable
    except SchemaError as error:
        raise ValueError(str(error)) from None
    text = COMMENT.decode() + canonical.dumps(data)
    return f"{text}# sha256: {hashlib.sha256(text.encode()).hexdigest()}{_END.decode()}"


@without_collecting()
def read(path: Path, *, allow_incomplete: bool = False) -> Cassette:
    """The cassette at `path`, checked whole.

    CassetteMissingError if there is none; CassetteError, with the line, for a file that is not exactly what `write`
    made: no regular file, too large, not UTF-8, truncated, of another format, edited without `seal`, or not of the
    schema. A recording that was cut short (`complete: false`) is refused unless `allow_incomplete`.
    """
    cassette = read_lazily(path, allow_incomplete=allow_incomplete)
    for one in (one for take in cassette.takes for one in take.interactions):
        if "frames" in one.response:
            one.response["frames"] = list(one.response["frames"])
    return cassette


def read_lazily(path: Path, *, allow_incomplete: bool = False) -> Cassette:
    """As `read`, but frames are parsed and checked when they are looked at: each list of them is a `Frames`.

    Looking at them may raise CassetteError, with the line.
    """
    return _opened(path, content_of(path), allow_incomplete=allow_incomplete)


def read_text(text: str) -> Cassette:
    """As `read_lazily`, from the text of a file. Raises CassetteError for a file called `cassette`."""
    return _opened(Path("cassette"), text.encode(), allow_incomplete=False)


def _opened(path: Path, content: bytes, *, allow_incomplete: bool) -> Cassette:
    _check_readable(path, content)
    digest = _check_digest(path, content)
    cassette = opened(path, content, digest)
    if not cassette.complete and not allow_incomplete:
        line = strict.line_of(content.decode(), ("mala", "complete"))
        raise CassetteError(path, INCOMPLETE, line)
    return cassette


def line_of(path: Path, where: Sequence[str | int]) -> int | None:
    """The line at which the value at this path of keys and indexes begins, or the nearest one around it that has one.

    For errors about a cassette that `read` has accepted; None if the file has changed since.
    """
    try:
        content = content_of(path)
        _check_readable(path, content)
        text = content.decode()
        places = [where[:length] for length in range(len(where), 0, -1)]  # what is shared stands somewhere else
        return next((line for place in places if (line := strict.line_of(text, place)) is not None), None)
    except HarnessError:
        return None


def write(path: Path, cassette: Cassette, *, check: Callable[[str], None] | None = None) -> None:
    """Put the cassette in place of the file at `path` in one step; its folder is made if it is missing.

    CassetteError if that fails; the old file, if there is one, is then as it was. So it is if `check` raises, which is
    shown the text before any of it is written.
    """
    try:
        text = dump(cassette)
        content = text.encode()
    except ValueError as error:
        raise CassetteError(path, f"not written, the recording holds what a cassette can't: {error}") from None
    if len(content) > MAX_BYTES:
        raise CassetteError(path, f"not written: {len(content)} bytes, a cassette may have {MAX_BYTES}")
    if check is not None:
        check(text)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, file = _new_neighbour(path)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CassetteError(path, f"not written: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # it is gone if it took the place of the file
    _sync_folder(path.parent)


def seal(path: Path, *, check: Callable[[Cassette], None] | None = None) -> bool:
    """Accept a file that was edited by hand: mark it `edited: true`, put it into canonical form, renew its digest.

    True if the file was changed; one whose digest is right stays as it is. CassetteError for a file that could not be
    read afterwards; `check` may refuse more by raising, before anything is written. Comments of the editor are not
    kept.
    """
    content = content_of(path)
    _check_readable(path, content)
    cassette = parsed(path, content)
    if check is not None:
        check(cassette)
    if _digest_in(content) == _digest_of(content):
        return False
    write(path, replace(cassette, edited=True))
    return True


def _check_readable(path: Path, content: bytes) -> None:
    """Raises CassetteError for what is not the UTF-8 of a whole file of our format; it is not yet trusted."""
    if not content:
        raise CassetteError(path, "is empty; take it from version control or record it again")
    try:
        _check_utf8(content)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CassetteError(path, f"is not UTF-8 text (byte 0x{content[error.start]:02x})", line) from None
    if b"\r" in content:
        raise CassetteError(
            path,
            "has a carriage return, and a cassette is read byte by byte; if git converts line ends here, "
            "switch that off for cassettes in .gitattributes (`*.yaml -text`)",
            content.count(b"\n", 0, content.index(b"\r")) + 1,
        )
    _check_end(path, content)
    _check_format(path, content)


def _check_utf8(content: bytes) -> None:
    """Raises UnicodeDecodeError; in pieces, since the text of a large file would double what it takes in memory."""
    if content.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _PIECE_BYTES):
            decoder.decode(content[start : start + _PIECE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        content.decode()  # says where


def content_of(path: Path) -> bytes:
    """The bytes of a regular file; a link, a folder or a pipe in its place is refused before it is read."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        if path.is_symlink():
            raise CassetteError(path, "is a symbolic link; a cassette must be a regular file in its own folder")
        file = os.open(path, flags)
        try:
            return _bytes_of(path, file)
        finally:
            os.close(file)
    except FileNotFoundError:
        raise CassetteMissingError(f"{path}: there is no cassette") from None
    except OSError as error:
        raise CassetteError(path, f"can't be read: {error.strerror}") from None


def _bytes_of(path: Path, file: int) -> bytes:
    status = os.fstat(file)
    if stat.S_ISDIR(status.st_mode):
        raise CassetteError(path, "is a folder, not a cassette")
    if not stat.S_ISREG(status.st_mode):
        raise CassetteError(path, "is not a regular file")
    if status.st_size > MAX_BYTES:
        raise CassetteError(path, f"has {status.st_size} bytes, a cassette may have {MAX_BYTES}")
    with os.fdopen(file, "rb", closefd=False) as stream:
        return stream.read(MAX_BYTES + 1)


def _check_end(path: Path, content: bytes) -> None:
    end = content.find(_END)  # canonical text never has this at the start of a line
    if end >= 0 and end + len(_END) == len(content):
        return
    if end >= 0:
        line = content.count(b"\n", 0, end + len(_END)) + 1
        raise CassetteError(path, "there is text after the end mark `...`", line)
    last = content.count(b"\n") + (not content.endswith(b"\n"))
    raise CassetteError(
        path, "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it", last
    )


def _check_format(path: Path, content: bytes) -> None:
    """Before anything else is read: a later format may have another digest, another layout."""
    head = content[:_HEAD_BYTES].decode(errors="replace")
    for pattern, known, owner in ((_VERSION, 1, "vcrpy's version"), (_FORMAT, FORMAT, "cassette format")):
        match = pattern.search(head)
        if match and match[1] != str(known):
            line = head.count("\n", 0, match.start(1)) + 1
            raise CassetteError(
                path,
                f"{owner} {match[1][:40]} is not known, this pytest-mala reads {known}; "
                "use the pytest-mala that wrote the file, or record it again",
                line,
            )


def _check_digest(path: Path, content: bytes) -> str:
    """The digest, if it is the right one."""
    seal_it = f"look at the change, then accept it with `pytest-mala cassette seal {shlex.quote(str(path))}`"
    found = _digest_in(content)
    if found is not None and found == _digest_of(content):
        return found
    line = content.count(b"\n") - 1
    if found is None:
        raise CassetteError(path, f"the digest (`# sha256: ...` above the end mark) is missing; {seal_it}", line)
    raise CassetteError(path, f"the text does not match its digest, it was edited by hand; {seal_it}", line)


def _digest_in(content: bytes) -> str | None:
    match = _DIGEST.search(content, max(0, len(content) - _TAIL_BYTES))
    return match[1].decode() if match else None


def _digest_of(content: bytes) -> str:
    """Of all bytes above the line that holds the digest."""
    match = _ANY_DIGEST.search(content, max(0, len(content) - _TAIL_BYTES))
    return hashlib.sha256(memoryview(content)[: match.start() + 1 if match else len(content)]).hexdigest()


def _new_neighbour(path: Path) -> tuple[Path, int]:
    """A new file in the same folder, with the mode that the user's umask gives any file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    for number in range(1, _NEIGHBOURS_MAX + 1):
        neighbour = path.with_name(f".{path.name}.{os.getpid()}-{number}.tmp")
        try:
            return neighbour, os.open(neighbour, flags, 0o666)
        except FileExistsError:
            continue  # a killed process with the same id left it behind
    raise CassetteError(path, f"not written: remove the temporary files that killed runs left in {path.parent}")


def _sync_folder(folder: Path) -> None:
    """Makes the new name survive a loss of power; where a folder can't be synced, the file is in place all the same."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
