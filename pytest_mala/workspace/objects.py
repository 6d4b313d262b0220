"""Git objects as bytes: their ids, their loose files, and commits and tags taken apart and put together unchanged."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import decode, encode
from pytest_mala.workspace.snapshot import Commit, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "EMPTY_TREE",
    "OUR_NAME",
    "encode_commit",
    "encode_tag",
    "message_text",
    "object_id",
    "parse_commit",
    "parse_tag",
    "read_loose",
    "tree_of",
    "write_loose",
]

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

OUR_NAME = "mala <mala@localhost> 946684800 +0000"
"""Author and committer of every commit that we make: equal trees get equal ids on every machine."""

_COMMIT = re.compile(
    rb"tree (?P<tree>[0-9a-f]{40})\n(?P<parents>(?:parent [0-9a-f]{40}\n)*)"
    rb"author (?P<author>[^\n]*)\ncommitter (?P<committer>[^\n]*)\n(?P<headers>(?:[^\n]+\n)*)\n(?P<message>.*)",
    re.DOTALL,
)
_TAG = re.compile(
    rb"object (?P<object>[0-9a-f]{40})\ntype (?P<kind>[a-z]+)\ntag (?P<name>[^\n]*)\n"
    rb"(?:tagger (?P<tagger>[^\n]*)\n)?\n(?P<message>.*)",
    re.DOTALL,
)


def object_id(kind: str, data: bytes) -> str:
    """The id that git gives to these bytes.

    >>> object_id("tree", b"") == EMPTY_TREE
    True
    """
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


def write_loose(objects: Path, kind: str, data: bytes) -> str:
    """Store an object below a repository's `objects` folder; its id. Costs no process."""
    name = object_id(kind, data)
    target = objects / name[:2] / name[2:]
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        fresh.write_bytes(zlib.compress(b"%s %d\0" % (kind.encode(), len(data)) + data, 1))
        fresh.rename(target)
    return name


def read_loose(folders: Iterable[Path], name: str) -> bytes | None:
    """The content of a loose object, or None if it is packed or not there."""
    for objects in folders:
        try:
            data = zlib.decompress((objects / name[:2] / name[2:]).read_bytes())
        except (OSError, zlib.error):
            continue
        return data.partition(b"\0")[2]
    return None


def encode_commit(commit: Commit, tree: str, parents: Iterable[str]) -> bytes:
    """The commit object, byte for byte; `parents` may differ from the recorded ones after an edit."""
    lines = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in parents),
        f"author {commit.author}",
        f"committer {commit.committer}",
    ]
    return encode("\n".join(lines) + "\n" + commit.headers + "\n" + commit.message)


def tree_of(data: bytes) -> str:
    """The tree id that a commit object names."""
    return data[5:45].decode("ascii")


def parse_commit(name: str, data: bytes) -> Commit | None:
    """A commit without its changes, or None if the object has a form that only broken tools write."""
    found = _COMMIT.fullmatch(data)
    if found is None:
        return None
    return Commit(
        id=name,
        parents=tuple(line[7:].decode() for line in found["parents"].splitlines()),
        author=decode(found["author"]),
        committer=decode(found["committer"]),
        headers=decode(found["headers"]),
        message=decode(found["message"]),
    )


def message_text(commit: Commit) -> str:
    """The message for people: read in the encoding that the commit names, never failing."""
    named = re.search(r"^encoding (\S+)$", commit.headers, re.MULTILINE)
    data = encode(commit.message)
    try:
        return data.decode(named[1] if named else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def encode_tag(tag: Tag, target: str) -> bytes:
    """The object of an annotated tag, byte for byte; `target` may differ from the recorded one after an edit."""
    tagger = "" if tag.tagger is None else f"tagger {tag.tagger}\n"
    return encode(f"object {target}\ntype {tag.kind}\ntag {tag.name}\n{tagger}\n{tag.message}")


def parse_tag(name: str, data: bytes) -> Tag | None:
    """An annotated tag (a signature is part of its message), or None if the object has an unknown form."""
    found = _TAG.fullmatch(data)
    if found is None:
        return None
    return Tag(
        id=name,
        object=found["object"].decode(),
        kind=found["kind"].decode(),
        name=decode(found["name"]),
        tagger=None if found["tagger"] is None else decode(found["tagger"]),
        message=decode(found["message"]),
    )
