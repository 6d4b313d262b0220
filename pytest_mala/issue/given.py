"""Make an issue from a prompt, or change what a file says, by keywords that are read as the front matter is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import IssueError, UsageError
from pytest_mala.issue.issue_fields import issue_from
from pytest_mala.issue.model import Limits, idle_seconds_for
from pytest_mala.issue.nodes import Entry, ListNode, MapNode, Node, TextNode
from pytest_mala.issue.value import Value, nearest
from pytest_mala.issue.yaml_text import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from pytest_mala.issue.model import Issue

__all__ = ["LIMITS", "PARTS", "issue_of_prompt", "refuse_unknown", "with_given"]

LIMITS: Final = tuple(field.name for field in dataclasses.fields(Limits))
"""Keywords that set one limit each, as in `limits:` of an issue file."""

PARTS: Final = ("workspace", "gate", "agent")
"""Keywords that stand for a whole field of the front matter."""


def with_given(issue: Issue, given: Mapping[str, Any], *, shown: str) -> Issue:
    """The issue with limits and fields replaced, each read and checked as in a file; `shown` is the place of the
    keywords. Raises UsageError for an unknown keyword or a value that an issue file could not have.
    """
    if not given:
        return issue
    read = _read(issue.id, issue.title, given, issue.path, issue.body, shown)
    limits = {name: getattr(read.limits, name) for name in LIMITS if name in given}
    if "timeout" in given and "idle" not in given and issue.limits.idle == idle_seconds_for(issue.limits.timeout):
        limits["idle"] = read.limits.idle  # it was, and stays, what follows from the timeout
    parts = {name: getattr(read, name) for name in PARTS if name in given}
    return dataclasses.replace(issue, limits=dataclasses.replace(issue.limits, **limits), **parts)


def issue_of_prompt(prompt: str, given: Mapping[str, Any], *, issue_id: str, path: Path, shown: str) -> Issue:
    """An issue whose body is the prompt; its title is the first line. Raises as `with_given`.

    `path` is the file that the paths of the issue are relative to, and beside which its model script stands.
    """
    title = prompt.strip().partition("\n")[0][:100].strip() or issue_id
    return dataclasses.replace(_read(issue_id, issue_id, given, path, prompt, shown), title=title)


def refuse_unknown(names: Iterable[str], allowed: Collection[str], shown: str) -> None:
    """Raises UsageError for the first keyword that is not one of `allowed`; `shown` is the place of the keywords."""
    for name in names:
        if name not in allowed:
            question = nearest(name, allowed) or "."
            raise UsageError(f"{shown}: mala: unknown keyword {name!r}{question} Allowed: {', '.join(allowed)}")


def _read(issue_id: str, title: str, given: Mapping[str, Any], path: Path, body: str, shown: str) -> Issue:
    refuse_unknown(given, (*LIMITS, *PARTS), shown)
    limits = {name: given[name] for name in LIMITS if name in given}
    if limits.get("idle", "") is None:
        limits["idle"] = "off"  # None is the way in which Python says it
    parts = {name: given[name] for name in PARTS if name in given}
    front = {"id": issue_id, "title": issue_id, **parts, **({"limits": limits} if limits else {})}
    try:
        read = issue_from(Value(shown=shown, name="", node=_node(front, "", DEEPEST)), path, body)
    except IssueError as error:
        raise UsageError(f"{shown}: mala: {error.what}") from None
    except _NoValueError as error:
        raise UsageError(f"{shown}: mala: {error}") from None
    return dataclasses.replace(read, title=title)


class _NoValueError(Exception):
    """A value has no counterpart in an issue file; the text says which and where."""


def _node(value: object, name: str, depth: int) -> Node:
    """A Python value as the reader of issue files would have found it."""
    if depth < 0:
        raise _NoValueError(f"{name[:60]}...: nested too deeply: at most {DEEPEST} levels are read")
    match value:
        case None:
            return TextNode(text="null", line=1)
        case bool() | int() | float():
            return TextNode(text=str(value).lower(), line=1)
        case str():
            return TextNode(text=value, line=1, plain=False)
        case Mapping():
            wrong = next((key for key in value if not isinstance(key, str)), None)
            if wrong is not None:
                raise _NoValueError(f"{name}: expected texts as names, got one of type {type(wrong).__name__}")
            below = f"{name}." if name else ""
            entries = (
                Entry(name=key, line=1, value=_node(item, f"{below}{key}", depth - 1)) for key, item in value.items()
            )
            return MapNode(entries=tuple(entries), line=1)
        case list() | tuple():
            return ListNode(items=tuple(_node(item, name, depth - 1) for item in value), line=1)
    what = "expected a text, number, list or mapping"
    raise _NoValueError(f"{name}: {what}, got a value of type {type(value).__name__}")
