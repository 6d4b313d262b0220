"""Secrets in a captured tree: they are told and not replaced, since a changed file would change the ids of commits."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_mala.transport.scrub.scrubber import Scrubber

__all__ = ["SecretFoundError", "check_tree"]

_SHOWN: Final = 5
_OURS: Final = frozenset({"work\n", "tree\n"})
"""Messages of the commits that a capture makes of files that are not committed."""


class SecretFoundError(HarnessError):
    """What would be recorded holds a secret that can't be replaced: nothing of the recording is kept."""


def check_tree(tree: Mapping[str, Any], scrubber: Scrubber) -> None:
    """Raises SecretFoundError if a snapshot (`Snapshot.to_data`) holds a secret; it names places and rules only."""
    found: dict[str, tuple[str, bool]] = {}
    for place, text, is_text, can_leave_out in _places(tree):
        hits = scrubber.leaks_in_text(text, is_text=is_text)
        if hits:
            found.setdefault(place, (hits[0].rule, can_leave_out))
    if not found:
        return
    told = [f"{place} (rule {rule})" for place, (rule, _) in found.items()]
    more = [f"{len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    one = len(told) == 1
    if all(can_leave_out for _, can_leave_out in found.values()):
        remedy = f"name {'it' if one else 'them'} under `workspace.exclude`, or keep the secret out of the workspace"
    else:
        remedy = "it is committed or staged, which `workspace.exclude` can't leave out: keep the secret out of commits"
    raise SecretFoundError(
        f"turn {tree.get('turn')}: {', '.join([*told[:_SHOWN], *more])} {'holds' if one else 'hold'} what looks like a "
        f"secret, and a tree is never changed, so nothing was stored; {remedy}"
    )


def _places(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, bool, bool]]:
    """What the snapshot says: the place, in words; its text, whether it is one, and whether `exclude` would help."""
    for commit in tree.get("commits", ()):
        is_ours = commit.get("message") in _OURS
        for change in commit.get("changes", ()):
            path = _text(change, "path")
            yield path, path, True, is_ours
            if "text" in change:
                yield path, change["text"], True, is_ours
            elif "base64" in change:
                yield path, *_content(change["base64"]), is_ours
        yield from _words(f"commit {commit['id'][:12]}", commit, without=("changes", "id", "parents"))
    for tag in tree.get("tags", ()):
        yield from _words(f"tag {tag['id'][:12]}", tag, without=("id", "object", "kind"))
    for name in (tree.get("branch"), *tree.get("refs", ())):
        if name:
            yield "the name of a branch or tag", name, True, False
    for name in tree.get("kept_out", ()):
        yield "the name of a file that is left out", name, True, False


def _words(place: str, data: Mapping[str, Any], *, without: tuple[str, ...]) -> Iterator[tuple[str, str, bool, bool]]:
    for key in data:
        name = key.removesuffix("64")
        if name not in without:
            yield place, _text(data, name), True, False


def _text(data: Mapping[str, Any], key: str) -> str:
    """A text of a snapshot, which stands under `<key>64` if it is not readable."""
    return str(data[key]) if key in data else _content(data.get(key + "64", ""))[0]


def _content(encoded: str) -> tuple[str, bool]:
    """The bytes as text, one character for one byte if they are none."""
    data = base64.b64decode(encoded)
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1", "replace"), False
