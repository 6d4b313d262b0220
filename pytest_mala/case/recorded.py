"""What a take says about trees and gates, checked against itself before a workspace is touched.

Whoever edits a cassette can write anything into it. A path that leads out of the workspace, a commit that is named and
not there, a claim about commits that the commits don't bear out: each is refused here, by name (design D6, D20).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_mala.errors import CassetteError, HarnessError
from pytest_mala.gate import CheckResult
from pytest_mala.transport.application import PURPOSE, is_of_application
from pytest_mala.transport.cassette import Cassette, line_of
from pytest_mala.transport.takes import read_take
from pytest_mala.transport.telling import read_told
from pytest_mala.transport.wellformed import TakeError
from pytest_mala.workspace import Base, BaseKind, Snapshot
from pytest_mala.workspace.fields import is_readable
from pytest_mala.workspace.objects import message_text
from pytest_mala.workspace.store import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_mala.transport.cassette import Interaction, Take
    from pytest_mala.transport.takes import GateScript, TakeScript
    from pytest_mala.transport.telling import ToldStep
    from pytest_mala.workspace import Change, Commit, Tag

__all__ = [
    "RecordedError",
    "RecordedTake",
    "check_recorded",
    "held_together",
    "read_application",
    "read_imported",
    "read_recorded",
    "says_application",
]

_ID: Final = re.compile("[0-9a-f]{40}")
_FILE: Final = re.compile("[0-7]{6} [0-9a-f]{12}")
_LINE: Final = re.compile(r"[^\n\0]*")
_HEADERS: Final = re.compile(r"(?:[^\n\0]+\n)*")
_TAGGED: Final = ("commit", "tag")
_GIT_NAMES: Final = (".git", "git~1")  # as git sees names: in any case, and as an old Windows shortens them
_GITLINK: Final = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTake:
    """A take that holds together: what is played, the base of its workspace, and its trees by turn."""

    script: TakeScript
    base: Base
    snapshots: Mapping[int, Snapshot]


def read_recorded(path: Path, cassette: Cassette, *, take: int, keeps_ignored: bool) -> RecordedTake:
    """The take of this number in a cassette that was read from that file.

    `keeps_ignored` as in `check_trees`. Raises CassetteError, with the line, if it is not there, and for the first
    thing that can't be played.
    """
    found = cassette.take(take)
    if found is None:
        numbers = ", ".join(str(one.number) for one in cassette.takes)
        raise CassetteError(path, f"expected a take {take}, got {numbers}")
    return _played(path, cassette, found, keeps_ignored=keeps_ignored)


def check_recorded(path: Path, cassette: Cassette, *, keeps_ignored: bool) -> None:
    """Raises CassetteError as `read_recorded`, whichever take it is; as `read_imported` where nothing was recorded, and
    as `read_application` where an application was.
    """
    if cassette.source is not None:
        read_imported(path, cassette)
        return
    if says_application(cassette):
        read_application(path, cassette)
        return
    for take in cassette.takes:
        _played(path, cassette, take, keeps_ignored=keeps_ignored)


def read_imported(path: Path, cassette: Cassette) -> tuple[ToldStep, ...]:
    """The steps of the one take of a cassette that was imported from a session log. Raises CassetteError, with the
    line, for what no log tells.
    """
    if (numbers := [take.number for take in cassette.takes]) != [1]:
        raise CassetteError(path, f"expected take 1 alone, as a log tells one session, got takes {numbers}")
    if {cassette.takes[0].lane, cassette.takes[0].sdk} != {None}:
        raise CassetteError(path, "take 1: a session log tells neither the lane nor the SDK")
    try:
        return read_told(cassette.takes[0].interactions)
    except TakeError as error:
        raise CassetteError(path, str(error), _line(path, cassette, error.uri, error.where)) from None


def _played(path: Path, cassette: Cassette, take: Take, *, keeps_ignored: bool) -> RecordedTake:
    try:
        return held_together(read_take(take.interactions), take.interactions, keeps_ignored=keeps_ignored)
    except TakeError as error:
        raise CassetteError(path, str(error), _line(path, cassette, error.uri, error.where)) from None
    except RecordedError as error:
        uri = Cassette.prefix(cassette.issue, take.number) + error.place
        raise CassetteError(path, str(error), _line(path, cassette, uri, ("response",))) from None


def held_together(script: TakeScript, recorded: Iterable[Interaction], *, keeps_ignored: bool) -> RecordedTake:
    """The take, if its trees and gates hold together. Raises RecordedError.

    `recorded`: the interactions that may name trees; none where that was looked at before.
    """
    base, snapshots = read_base(script), read_snapshots(script)
    known = check_trees(base, snapshots, keeps_ignored=keeps_ignored)
    check_named_trees(recorded, known)
    check_results(script.gates)
    return RecordedTake(script=script, base=base, snapshots=snapshots)


def read_application(path: Path, cassette: Cassette) -> TakeScript:
    """The one take of an application's cassette. Raises CassetteError, with the line, for what can't be played."""
    if (numbers := [take.number for take in cassette.takes]) != [1]:
        raise CassetteError(path, f"expected take 1 alone (an application has no more), got takes {numbers}")
    try:
        script = read_take(cassette.takes[0].interactions)
    except TakeError as error:
        raise CassetteError(path, str(error), _line(path, cassette, error.uri, error.where)) from None
    if not is_of_application(script.connections):
        what = "holds a session on an issue, expected connections of an application (purpose: application)"
        raise CassetteError(path, what)
    return script


def says_application(cassette: Cassette) -> bool:
    """Whether the cassette is one of an application, by what it says of its first connection."""
    first = next((one for take in cassette.takes for one in take.interactions), None)
    return first is not None and first.headers.get("purpose") == PURPOSE


def _line(path: Path, cassette: Cassette, uri: str, below: tuple[str | int, ...]) -> int | None:
    """Where in the file something stands, or would stand; takes stand one after the other in it."""
    everything = (one for take in cassette.takes for one in take.interactions)
    index = next((index for index, one in enumerate(everything) if one.uri == uri), None)
    return line_of(path, ("interactions",) if index is None else ("interactions", index, *below))


class RecordedError(Exception):
    """Something about trees or gates can't be as it was recorded; `place` is the interaction, `what` says what."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place


def read_base(script: TakeScript) -> Base:
    """The commit that the agent started from; it stands before the first turn. Raises RecordedError."""
    place = "turn/0/tree"
    recorded = script.trees.get(0, {})
    data = recorded.get("base")
    if data is None:
        raise RecordedError(place, "the take has no base (expected a TREE interaction at turn/0/tree)")
    if not isinstance(data, dict) or not {"kind", "tree", "commit"} <= data.keys() <= {*Base.__dataclass_fields__}:
        raise RecordedError(place, f"base: expected a mapping of {', '.join(Base.__dataclass_fields__)}")
    if len(recorded) > 1:
        raise RecordedError(place, f"expected nothing but the base, got {', '.join(sorted(recorded))[:80]}")
    for key in ("tree", "commit"):
        if not isinstance(data[key], str) or not _ID.fullmatch(data[key]):
            raise RecordedError(place, f"base.{key}: expected the 40 hexadecimal digits of an id, got {data[key]!r}")
    if data["kind"] not in list(BaseKind):
        raise RecordedError(place, f"base.kind: expected {' or '.join(BaseKind)}, got {data['kind']!r}")
    if data.get("branch") is not None:
        _check_name(place, "base.branch", data["branch"])
    files = data.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(one, str) and _FILE.fullmatch(one) for one in files.values()):
        raise RecordedError(place, "base.files: expected `mode id` for each name")
    return Base(**data)


def read_snapshots(script: TakeScript) -> dict[int, Snapshot]:
    """The captured trees by turn. Raises RecordedError for what a capture would not have written."""
    found = {}
    for turn, data in sorted(script.trees.items()):
        if not turn:
            continue
        place = f"turn/{turn}/tree"
        try:
            found[turn] = Snapshot.from_data(data)
        except ValueError as error:
            raise RecordedError(place, str(error)) from None
        if found[turn].turn != turn:
            raise RecordedError(place, f"tree.turn: expected {turn}, got {found[turn].turn}")
    return found


def check_trees(base: Base, snapshots: Mapping[int, Snapshot], *, keeps_ignored: bool) -> set[str]:
    """The ids of all commits. Raises RecordedError if trees name what is not there, lead out of the workspace, or
    contradict themselves.

    `keeps_ignored`: the workspace has patterns of ignored files to keep, so its files may differ from a clean HEAD.
    """
    ledger = Ledger()
    known = {base.commit}
    for turn, one in snapshots.items():
        place = f"turn/{turn}/tree"
        for commit in one.commits:
            _check_commit(place, commit)
            _check_known(place, base, known, {"commits.parents": commit.parents})
            known.add(commit.id)
            ledger.commits[commit.id] = commit
        for tag in one.tags:
            _check_tag(place, tag)
            _check_known(place, base, known, {"tags.object": [tag.object]})
            known.add(tag.id)
        _check_state(place, one)
        named: dict[str, list[str | None]] = {
            "head": [one.head],
            "index": [one.index],
            "work": [one.work],
            "refs": [*one.refs.values()],
        }
        _check_known(place, base, known, named)
        _check_claims(place, one, ledger, keeps_ignored=keeps_ignored)
    return known


def check_named_trees(recorded: Iterable[Interaction], known: set[str]) -> None:
    """Raises TakeError for a frame that names a tree which no commit of the take has."""
    for one in recorded:
        for index, item in enumerate(one.response.get("frames", [])):
            if (tree := item.get("tree")) is not None and tree not in known:
                what = f"expected the id of a commit of this take, got {tree[:80]!r}"
                raise TakeError(one, ("response", "frames", index, "tree"), what)


def check_results(gates: Mapping[int, GateScript]) -> None:
    """Raises RecordedError for a row of a gate that is no result of a check, or that contradicts itself."""
    for attempt, gate in gates.items():
        for row in gate.rows:
            try:
                result = CheckResult.from_data(row)
            except HarnessError as error:
                raise RecordedError(f"gate/{attempt}", str(error)) from None
            if wrong := _contradiction(result):
                raise RecordedError(f"gate/{attempt}", f"check {result.name[:80]!r}: {wrong}")


def _contradiction(result: CheckResult) -> str:
    """What no check ends with, whatever its issue asks for; empty if the result can be."""
    if not result.is_passed:
        return "" if result.reason else f"reason: expected one, since the verdict is {result.verdict.value}, got none"
    if result.reason:
        return f"reason: expected none, since the verdict is passed, got {result.reason[:80]!r}"
    return "exit_status: expected a number, since the verdict is passed, got None" if result.exit_status is None else ""


def _check_known(place: str, base: Base, known: set[str], named: Mapping[str, Iterable[str | None]]) -> None:
    """In a repository an id may also be one of the user's own commits: there git says whether it is."""
    if base.kind is not BaseKind.TEMPLATE:
        return
    for key, ids in named.items():
        for one in ids:
            if one is not None and one not in known:
                raise RecordedError(place, f"tree.{key}: no commit {one[:12]} stands before this in the take")


def _check_commit(place: str, commit: Commit) -> None:
    where = f"commit {commit.id[:12]}"
    for key, person in (("author", commit.author), ("committer", commit.committer)):
        if not _LINE.fullmatch(person):
            raise RecordedError(place, f"{where}: {key}: expected one line, got {person[:80]!r}")
    if not _HEADERS.fullmatch(commit.headers):
        raise RecordedError(place, f"{where}: headers: expected whole lines, got {commit.headers[:80]!r}")
    for change in commit.changes:
        _check_change(place, where, change)


def _check_change(place: str, where: str, change: Change) -> None:
    for path in (change.path, change.as_path):
        if path is not None and (wrong := _wrong_path(path)):
            raise RecordedError(place, f"{where}: path {path[:200]!r} {wrong}")
    if change.mode == _GITLINK and not _ID.fullmatch((change.content or b"").decode("ascii", "replace")):
        raise RecordedError(place, f"{where}: {change.path}: mode {_GITLINK} needs the id of a commit as its text")


def _wrong_path(path: str) -> str:
    """Why a path can't be one of a file in a workspace; empty if it can."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        return "leads out of the workspace"
    if any(part.lower() in _GIT_NAMES for part in parts):
        return "leads into a .git folder"
    if "\0" in path or "" in parts or "." in parts:
        return "is not a path that git knows"
    return ""


def _check_tag(place: str, tag: Tag) -> None:
    if tag.kind not in _TAGGED:
        raise RecordedError(place, f"tag {tag.id[:12]}: kind: expected {', '.join(_TAGGED)}, got {tag.kind[:80]!r}")
    for key, text in (("name", tag.name), ("tagger", tag.tagger or "")):
        if not _LINE.fullmatch(text):
            raise RecordedError(place, f"tag {tag.id[:12]}: {key}: expected one line, got {text[:80]!r}")


def _check_state(place: str, one: Snapshot) -> None:
    if one.branch is not None:
        _check_name(place, "tree.branch", one.branch)
    for name in one.refs:
        if not name.startswith(("refs/heads/", "refs/tags/")):
            raise RecordedError(place, f"tree.refs: expected a branch or a tag, got {name[:200]!r}")
        _check_name(place, "tree.refs", name)


def _check_name(place: str, where: str, name: object) -> None:
    """Names of branches and tags become lines and files of a `.git` folder."""
    is_name = isinstance(name, str) and is_readable(name, one_line=True)
    if not is_name or {"", ".", ".."} & {*str(name).split("/")}:
        raise RecordedError(place, f"{where}: expected a name that git allows, got {str(name)[:200]!r}")


def _check_claims(place: str, one: Snapshot, ledger: Ledger, *, keeps_ignored: bool) -> None:
    """The gate's rules about commits read `ahead` and `clean`: they must say what commits and trees say."""
    told = [(summary.id, summary.message) for summary in one.ahead]
    made = [(commit.id, message_text(commit)) for commit in ledger.ahead(one.head)]
    if told != made:
        raise RecordedError(
            place,
            f"tree.ahead: expected what the commits say, {_listed(made)}; got {_listed(told)}",
        )
    is_same = one.index == one.head and (one.work == one.head or keeps_ignored)
    if one.clean and one.head is not None and not is_same:
        raise RecordedError(place, "tree.clean: expected false, since index or files are not those of head; got true")


def _listed(commits: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name[:12]} {message.partition(chr(10))[0][:80]!r}" for name, message in commits) or "none"
