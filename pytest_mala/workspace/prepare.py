"""Make the workspace of a case: a clone that shares objects with the user's repository and never writes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.errors import Divergence, WorkspaceError
from pytest_mala.workspace.gitdir import GitState
from pytest_mala.workspace.objects import object_id
from pytest_mala.workspace.snapshot import Base, BaseKind
from pytest_mala.workspace.source import enclosing, locate, read_repository, read_template
from pytest_mala.workspace.store import Store
from pytest_mala.workspace.trees import TreeBuilder
from pytest_mala.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mala.workspace.source import Repository, Source, Template

__all__ = ["prepare"]

_NAMED_FILES_MAX = 400
_SHOWN_MAX = 20


def prepare(source: Source, *, issue_path: Path, root: Path, recorded: Base | None = None) -> Workspace:
    """A workspace at `root/workspace`, at the state that the agent starts from; its git data of ours is beside it.

    `root` must lie outside of any git tree; `recorded` is the base that a cassette names. Raises WorkspaceError if the
    source or the place can't be used or a repository does not hold the recorded commit, Divergence if a template is
    not the recorded one.
    """
    folder, is_repository = locate(source, issue_path)
    place = _place(root, folder)
    kind = BaseKind.REPOSITORY if is_repository else BaseKind.TEMPLATE
    if recorded is not None and recorded.kind is not kind:
        raise Divergence(
            f"{folder}: the workspace was recorded on a {recorded.kind.value}, this is a {kind.value}; "
            "put the source back as it was, or record the issue again"
        )
    if is_repository:
        revision = recorded.commit if recorded is not None else source.revision or "HEAD"
        return _from_repository(read_repository(folder, revision), source, place, recorded)
    if source.revision is not None:
        raise WorkspaceError(
            f"{issue_path}: workspace: revision {source.revision!r} needs a git repository, "
            f"{source.path} is a plain folder; leave `revision` out, or name a repository"
        )
    return _from_template(read_template(folder), source, place, recorded)


def _place(root: Path, folder: Path) -> Path:
    """The real path of `root`, made if there is none. Refuses a place where other tools would see our files."""
    root.mkdir(parents=True, exist_ok=True)
    real = root.resolve()
    outer = enclosing(real)
    if outer is not None:
        raise WorkspaceError(
            f"{real}: a workspace must lie outside of any git tree, and {outer} is one; "
            "choose another temporary folder (TMPDIR, --basetemp)"
        )
    if real.is_relative_to(folder):
        raise WorkspaceError(
            f"{real}: a workspace must lie outside of its source {folder}; "
            "choose another temporary folder (TMPDIR, --basetemp)"
        )
    for name in ("workspace", "workspace.git"):
        if (real / name).exists():
            raise WorkspaceError(f"{real / name}: already there; every case needs a fresh folder")
    return real


def _from_repository(found: Repository, source: Source, place: Path, recorded: Base | None) -> Workspace:
    branch = recorded.branch if recorded is not None else found.branch
    base = Base(kind=BaseKind.REPOSITORY, tree=found.tree, commit=found.commit, branch=branch)
    store = Store(place=place, borrowed=found.objects, shallow=found.shallow)
    store.make()
    return _start(store, base, source, tags=found.tags)


def _from_template(found: Template, source: Source, place: Path, recorded: Base | None) -> Workspace:
    store = Store(place=place)
    store.make()
    builder = TreeBuilder()
    builder.tree(found.files)
    (tree,) = builder.build(store.git)
    files = {
        ascii(one.path)[1:-1]: f"{one.mode} {object_id('blob', bytes(one.content))[:12]}"
        for one in found.files
        if isinstance(one.content, bytes)
    }
    if recorded is not None and recorded.tree != tree:
        raise Divergence(
            f"{found.folder}: the template is not the recorded one: {_difference(recorded.files, files)}; "
            "undo the change, or record the issue again"
        )
    base = Base(
        kind=BaseKind.TEMPLATE,
        tree=tree,
        commit=store.commit(tree, (), "base\n"),
        branch="main",
        files=files if len(files) <= _NAMED_FILES_MAX else {},
    )
    return _start(store, base, source, notes=found.notes)


def _difference(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    if not then:
        return "it was recorded without a list of its files, so which ones differ is not known"
    told = [f"{name} (added)" for name in now if name not in then]
    told += [f"{name} (gone)" for name in then if name not in now]
    told += [f"{name} ({_how(then[name], now[name])})" for name in now if name in then and now[name] != then[name]]
    more = f" and {len(told) - _SHOWN_MAX} more" if len(told) > _SHOWN_MAX else ""
    return ", ".join(sorted(told)[:_SHOWN_MAX]) + more


def _how(then: str, now: str) -> str:
    if then.split()[1] != now.split()[1]:
        return "changed"
    return f"mode {then.split()[0]} became {now.split()[0]}"


def _start(
    store: Store,
    base: Base,
    source: Source,
    *,
    tags: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> Workspace:
    store.trees[base.commit] = base.tree
    heads = {} if base.branch is None else {f"refs/heads/{base.branch}": base.commit}
    state = GitState(head=base.commit, branch=base.branch, refs={**(tags or {}), **heads})
    workspace = Workspace(
        store=store, base=base, state=state, include=source.include, exclude=source.exclude, notes=notes
    )
    workspace.begin()
    return workspace
