"""Names for what belongs to a test and has none of its own: made from the test's id, fit for a file."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

__all__ = ["made_id", "place_of"]

_LONGEST: Final = 80
"""Characters of a made id before its hash and its number; an issue's id has at most 100."""
_PLAIN_NODE: Final = re.compile(
    r"((?!test_)(?!\w*_test/)\w+/)*(test_\w+|\w+_test)\.py(::(?!test)\w+)*::test\w*(\[\w+\])?", re.ASCII
)
"""Ids of tests that can be told from their words alone: the first word that is named as files of tests are is the
file, the next one that begins with "test" is the function, and what stands behind it is the parameter."""


def made_id(item: pytest.Item, number: int = 1) -> str:
    """The id of the test, in characters that an issue's id may have; the test's second one has its number behind it.

    No two tests have the same: what does not follow from the id alone is told by a hash behind it.
    """
    node = f"{item.parent.nodeid if item.parent else ''}::{item.name}"  # xdist writes groups into the test's own
    words = re.sub(r"[^A-Za-z0-9._]+", "-", re.sub(r"\.py(?=::)", "", node, count=1)).strip("-.")
    if len(words) > _LONGEST or not _PLAIN_NODE.fullmatch(node):
        mark = hashlib.sha256(node.encode(errors="surrogatepass")).hexdigest()[:8]
        words = f"{words[:_LONGEST]}-{mark}".lstrip("-")
    return f"{words}-{number}" if number > 1 else words


def place_of(item: pytest.Item) -> str:
    """The test's file and line."""
    path, line, _ = item.location
    return f"{path}:{line + 1}" if line is not None else path
