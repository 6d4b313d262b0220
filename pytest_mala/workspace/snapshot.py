"""The values that describe a captured tree: what changed, in which commits, and what could not be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_mala.workspace.fields import Fields, decode, encode, is_readable, pack, put

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Base", "BaseKind", "Change", "Commit", "CommitSummary", "Snapshot", "Tag"]

_MODES = ("100644", "100755", "120000", "160000")


class BaseKind(StrEnum):
    """What the agent's tree was made from."""

    TEMPLATE = "template"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The commit that the agent starts from; it stands in the cassette (design D8).

    `branch` is the one that is checked out, None if HEAD was detached. `files` names the blobs of a small template, so
    that a difference can be told file by file; it is empty for a repository.
    """

    kind: BaseKind
    tree: str
    commit: str
    branch: str | None = "main"
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # a cassette holds the kind as plain text
        object.__setattr__(self, "kind", BaseKind(self.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file of a commit that differs from the commit's first parent.

    `mode` is git's (`100644`, `100755`, `120000` a symbolic link whose target is the content, `160000` a commit of
    another repository whose id is the content), None if the file is gone. The content is stored once per take: a later
    commit with the same content says `as_in`, the id of an earlier commit that holds it (under the same `path`, or
    under `as_path`). A path or link that is not UTF-8 holds lone surrogates, like `os.fsdecode` makes them.
    """

    path: str
    mode: str | None
    content: bytes | None = None
    as_in: str | None = None
    as_path: str | None = None

    def _to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        put(data, "path", self.path, one_line=True)
        if self.mode is None:
            return data | {"deleted": True}
        data["mode"] = self.mode
        if self.as_in is not None:
            data["as_in"] = self.as_in
            if self.as_path is not None:
                put(data, "as_path", self.as_path, one_line=True)
            return data
        content = self.content or b""
        text = decode(content)
        return data | ({"text": text} if is_readable(text) else {"base64": pack(content)})

    @classmethod
    def _from_data(cls, fields: Fields) -> Change:
        path = fields.text("path")
        if fields.has("deleted"):
            if fields.take("deleted", bool) is not True:
                raise fields.error("deleted", "expected true or no such key")
            return cls(path=path, mode=None)
        mode = fields.take("mode", str)
        if mode not in _MODES:
            raise fields.error("mode", f"expected one of {', '.join(_MODES)}, got {mode!r}")
        if fields.has("as_in"):
            return cls(path=path, mode=mode, as_in=fields.id("as_in"), as_path=fields.text_or_none("as_path"))
        if fields.has("base64"):
            return cls(path=path, mode=mode, content=fields.unpacked("base64"))
        return cls(path=path, mode=mode, content=encode(fields.take("text", str)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit, complete enough to be made again with the same id.

    `author` and `committer` are lines of git (`Name <mail> 946684800 +0000`); `headers` are the lines after them
    (encoding, signature), each with its line end; `changes` are against the first parent, or against nothing.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    committer: str
    message: str
    headers: str = ""
    changes: tuple[Change, ...] = ()

    def _to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"id": self.id, "parents": list(self.parents)}
        put(data, "author", self.author)
        if self.committer != self.author:
            put(data, "committer", self.committer)
        if self.headers:
            put(data, "headers", self.headers)
        put(data, "message", self.message)
        if self.changes:
            data["changes"] = [one._to_data() for one in self.changes]  # noqa: SLF001 - a value of this module
        return data

    @classmethod
    def _from_data(cls, fields: Fields) -> Commit:
        author = fields.text("author")
        return cls(
            id=fields.id("id"),
            parents=fields.ids("parents"),
            author=author,
            committer=fields.text("committer", default=author),
            headers=fields.text("headers", default=""),
            message=fields.text("message"),
            changes=fields.each("changes", Change._from_data),  # noqa: SLF001
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """An annotated tag object; `kind` is the type of the object it points to, `tagger` is None in very old tags."""

    id: str
    object: str
    kind: str
    name: str
    tagger: str | None
    message: str

    def _to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"id": self.id, "object": self.object, "kind": self.kind}
        put(data, "name", self.name, one_line=True)
        if self.tagger is not None:
            put(data, "tagger", self.tagger)
        put(data, "message", self.message)
        return data

    @classmethod
    def _from_data(cls, fields: Fields) -> Tag:
        return cls(
            id=fields.id("id"),
            object=fields.id("object"),
            kind=fields.take("kind", str),
            name=fields.text("name"),
            tagger=fields.text_or_none("tagger"),
            message=fields.text("message"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSummary:
    """A commit of the session as a gate needs it; the message is readable text."""

    id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of a workspace at the end of a turn, in the shape of a stash (design D8).

    `head` is None on a branch without commits; `branch` is None if HEAD is detached. `index` and `work` are commits of
    ours on top of HEAD with the staged tree and with the files; both are `head` itself where nothing differs.
    `commits` and `tags` are the objects that no earlier snapshot of the take has, parents first, with the trees noted
    inside the turn. `refs` holds all branches, and the tags that differ from the base (None: taken away). `ahead` are
    the commits of the session that HEAD contains, oldest first. `clean`: nothing uncommitted, staged or untracked.
    """

    turn: int
    head: str | None
    branch: str | None
    index: str
    work: str
    clean: bool
    commits: tuple[Commit, ...] = ()
    tags: tuple[Tag, ...] = ()
    refs: Mapping[str, str | None] = field(default_factory=dict)
    ahead: tuple[CommitSummary, ...] = ()
    kept_out: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """As JSON: text where text is readable, base64 (under `<key>64`) where not; empty lists are left out."""
        data: dict[str, Any] = {"turn": self.turn, "head": self.head, "branch": self.branch}
        data |= {"index": self.index, "work": self.work, "clean": self.clean, "refs": dict(self.refs)}
        lists: dict[str, list[Any]] = {
            "ahead": [{"id": one.id, "message": one.message} for one in self.ahead],
            "commits": [one._to_data() for one in self.commits],  # noqa: SLF001 - values of this module
            "tags": [one._to_data() for one in self.tags],  # noqa: SLF001
            "kept_out": list(self.kept_out),
        }
        return data | {key: value for key, value in lists.items() if value}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Snapshot:
        """The inverse of `to_data`. Raises ValueError (place, what, expected) for anything that it would not write."""
        fields = Fields("tree", data)
        snapshot = cls(
            turn=fields.take("turn", int),
            head=fields.id_or_none("head"),
            branch=fields.take("branch", str, type(None)),
            index=fields.id("index"),
            work=fields.id("work"),
            clean=fields.take("clean", bool),
            refs=fields.ids_by_name("refs"),
            ahead=fields.each("ahead", lambda one: CommitSummary(id=one.id("id"), message=one.take("message", str))),
            commits=fields.each("commits", Commit._from_data),  # noqa: SLF001
            tags=fields.each("tags", Tag._from_data),  # noqa: SLF001
            kept_out=fields.texts("kept_out"),
        )
        fields.end()
        return snapshot
