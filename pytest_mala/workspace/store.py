"""Where a workspace's data is: the agent's files and `.git`, and beside them a git folder that is only ours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_mala.workspace import gitdir
from pytest_mala.workspace.git import Git
from pytest_mala.workspace.objects import OUR_NAME, encode_commit, read_loose, tree_of, write_loose
from pytest_mala.workspace.snapshot import Commit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ledger", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Paths and git of one workspace. `git` sees the agent's files and objects, with our index and configuration.

    `borrowed` is the object store of the user's repository, `shallow` where its history is cut, `trees` what is known
    of the trees of commits.
    """

    place: Path
    borrowed: Path | None = None
    shallow: bytes | None = None
    trees: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        """The working tree."""
        return self.place / "workspace"

    @property
    def theirs(self) -> Path:
        """The agent's `.git`, which may hold anything."""
        return self.files / ".git"

    @property
    def ours(self) -> Path:
        """Our git folder."""
        return self.place / "workspace.git"

    @property
    def index(self) -> Path:
        """Our index: the files as they were captured last, kept warm."""
        return self.ours / "index"

    @property
    def git(self) -> Git:
        """Runs git on the agent's files with nothing of the agent's configuration."""
        return Git(
            folder=self.files,
            # our own index may be written back when git refreshed it, which keeps it warm
            variables={"GIT_DIR": str(self.ours), "GIT_WORK_TREE": str(self.files), "GIT_OPTIONAL_LOCKS": "1"},
        )

    def make(self) -> None:
        """Make both git folders, or set right what was changed in the agent's; objects stay."""
        if self.theirs.is_symlink() or self.theirs.is_file():
            self.theirs.unlink()
        borrowed = [] if self.borrowed is None else [self.borrowed]
        # each sees the objects of the other; git stops at a store that it has met
        gitdir.make(self.ours, objects=[*borrowed, self.theirs / "objects"], shallow=self.shallow)
        gitdir.make(self.theirs, objects=[*borrowed, self.ours / "objects"], shallow=self.shallow)

    def keep_objects(self) -> None:
        """Link the agent's objects into our store, so that commits of earlier turns outlive its `.git` and `git gc`."""
        theirs = self.theirs / "objects"
        for folder in [one for one in theirs.iterdir() if one.is_dir() and one.name != "info"]:
            ours = self.ours / "objects" / folder.name
            ours.mkdir(exist_ok=True)
            known = {one.name for one in ours.iterdir()}
            for one in folder.iterdir():
                if one.name not in known and not one.name.startswith("tmp_"):
                    (ours / one.name).hardlink_to(one)

    def path(self, name: str) -> Path:
        """A file of the tree by the name that git gives it."""
        return self.files / os.fsdecode(name.encode("utf-8", "surrogateescape"))

    def set_head(self, commit: str) -> None:
        """Note which commit has the tree that our index holds, so that `status` tells only what is new."""
        (self.ours / "HEAD").write_text(commit + "\n")

    def commit(self, tree: str, parents: tuple[str, ...], message: str) -> str:
        """A commit of ours; equal content gets an equal id. Costs no process."""
        made = Commit(id="", parents=parents, author=OUR_NAME, committer=OUR_NAME, message=message)
        return write_loose(self.ours / "objects", "commit", encode_commit(made, tree, parents))

    def tree(self, commit: str) -> str:
        """The tree of a commit. Raises GitError if there is no such commit."""
        if commit not in self.trees:
            data = read_loose((self.theirs / "objects", self.ours / "objects"), commit)
            is_commit = data is not None and data.startswith(b"tree ")
            self.trees[commit] = (
                tree_of(data or b"") if is_commit else self.git.text("rev-parse", "--verify", f"{commit}^{{tree}}")
            )
        return self.trees[commit]


@dataclass(slots=True)
class Ledger:
    """What the snapshots of this workspace hold already.

    `commits` are those of the session, without their changes; `blobs` says in which commit, under which path, a content
    stands; `real` maps recorded ids to those that an edited cassette got.
    """

    commits: dict[str, Commit] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    blobs: dict[str, tuple[str, str]] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)

    def real_id(self, recorded: str) -> str:
        """The id under which a recorded commit or tag is in the store."""
        return self.real.get(recorded, recorded)

    def ahead(self, head: str | None) -> list[Commit]:
        """The commits of the session that `head` contains, oldest first."""
        found: dict[str, Commit] = {}
        waiting = [head] if head is not None else []
        while waiting:
            name = waiting[-1]
            commit = self.commits.get(name)
            missing = [] if commit is None else [one for one in commit.parents if self._is_missing(one, found)]
            if commit is not None and missing and name not in found:
                waiting.append(missing[0])
                continue
            waiting.pop()
            if commit is not None:
                found.setdefault(name, commit)
        return list(found.values())

    def _is_missing(self, name: str, found: dict[str, Commit]) -> bool:
        return name in self.commits and name not in found
