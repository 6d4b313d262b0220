"""Build trees from changes, many in one git process: `fast-import` as a tree builder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.workspace.fields import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mala.workspace.git import Git

__all__ = ["FileChange", "TreeBuilder"]

_REF = b"refs/mala/build"
_ESCAPES = {b"\\": b"\\\\", b'"': b'\\"', b"\n": b"\\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file of a tree. `mode` None: gone. `content` is the bytes, or the mark of a blob that was added before.

    The content of mode 160000 is the id of another repository's commit.
    """

    path: str
    mode: str | None
    content: bytes | int = b""


@dataclass(slots=True)
class TreeBuilder:
    """Collects trees, then makes all of them at once."""

    _stream: list[bytes] = field(default_factory=list)
    _marks: int = 0
    _trees: int = 0

    def blob(self, content: bytes) -> int:
        """Add content that several trees hold; its mark."""
        self._marks += 1
        self._stream += [b"blob\nmark :%d\ndata %d\n" % (self._marks, len(content)), content, b"\n"]
        return self._marks

    def tree(self, changes: Iterable[FileChange], *, on: int | str | None = None) -> int:
        """Add a tree: these changes on top of an earlier tree's mark or a commit's id, or on nothing; its mark."""
        self._marks += 1
        self._trees += 1
        start = b"reset %s\n" % _REF if on is None else b""
        self._stream.append(start + b"commit %s\nmark :%d\ncommitter m <m> 0 +0000\ndata 0\n" % (_REF, self._marks))
        if on is None:
            self._stream.append(b"deleteall\n")  # without any line `ls` would be taken for one of this commit
        else:
            self._stream.append(b"from :%d\n" % on if isinstance(on, int) else b"from %s\n" % on.encode())
        # deletions first: a file may become a folder
        for change in sorted(changes, key=lambda one: one.mode is not None):
            self._stream += _lines(change)
        self._stream.append(b"\nls :%d \n" % self._marks)
        return self._marks

    def build(self, git: Git) -> list[str]:
        """Make the trees in the object store of `git`; their ids in the order in which they were added.

        Raises GitError if a commit that they stand on is missing.
        """
        if not self._trees:
            return []
        end = b"reset %s\nfrom %s\n\n" % (_REF, b"0" * 40)
        output = git.run("fast-import", "--quiet", "--force", stdin=b"".join([*self._stream, end]))
        ids = re.findall(rb"^040000 tree ([0-9a-f]{40})\t$", output, re.MULTILINE)
        assert len(ids) == self._trees, output
        return [one.decode() for one in ids]


def _lines(change: FileChange) -> list[bytes]:
    path = b'"' + re.sub(rb'[\\"\n]', lambda found: _ESCAPES[found[0]], encode(change.path)) + b'"'
    if change.mode is None:
        return [b"D %s\n" % path]
    mode = change.mode.encode()
    if isinstance(change.content, int):
        return [b"M %s :%d %s\n" % (mode, change.content, path)]
    if change.mode == "160000":
        return [b"M %s %s %s\n" % (mode, change.content, path)]
    return [b"M %s inline %s\ndata %d\n" % (mode, path, len(change.content)), change.content, b"\n"]
