"""Make an issue from a prompt, or change what a file says, by keywords that are read as the front matter is."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import IssueError, UsageError
from pytest_mala.issue.front_matter import FrontMatterError
from pytest_mala.issue.issue_fields import issue_from
from pytest_mala.issue.model import Limits
from pytest_mala.issue.value import Value, nearest
from pytest_mala.issue.yaml_text import read_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mala.issue.model import Issue

__all__ = ["LIMITS", "PARTS", "issue_of_prompt", "with_given"]

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
    read = _read({"id": issue.id, "title": issue.title}, given, issue.path, issue.body, shown)
    limits = {name: getattr(read.limits, name) for name in LIMITS if name in given}
    parts = {name: getattr(read, name) for name in PARTS if name in given}
    return dataclasses.replace(issue, limits=dataclasses.replace(issue.limits, **limits), **parts)


def issue_of_prompt(prompt: str, given: Mapping[str, Any], *, issue_id: str, path: Path, shown: str) -> Issue:
    """An issue whose body is the prompt; its title is the first line. Raises as `with_given`.

    `path` is the file that the paths of the issue are relative to, and beside which its model script stands.
    """
    title = prompt.strip().partition("\n")[0][:100].strip() or issue_id
    return _read({"id": issue_id, "title": title}, given, path, prompt, shown)


def _read(front: dict[str, Any], given: Mapping[str, Any], path: Path, body: str, shown: str) -> Issue:
    allowed = (*LIMITS, *PARTS)
    for name in given:
        if name not in allowed:
            question = nearest(name, allowed) or "."
            raise UsageError(f"{shown}: mala: unknown keyword {name!r}{question} Allowed: {', '.join(allowed)}")
    front |= {name: given[name] for name in PARTS if name in given}
    limits = {name: given[name] for name in LIMITS if name in given}
    if limits.get("idle", "") is None:
        limits["idle"] = "off"  # None is the way in which Python says it
    if limits:
        front["limits"] = limits
    try:
        nodes = read_nodes(json.dumps(front, default=str))
        assert nodes is not None, "an id stands in it"
        return issue_from(Value(shown=shown, name="", node=nodes), path, body)
    except IssueError as error:
        raise UsageError(f"{shown}: mala: {error.what}") from None
    except FrontMatterError as error:
        raise UsageError(f"{shown}: mala: {error.what}") from None
