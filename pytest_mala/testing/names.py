"""Refuse a name that nothing has: a misspelt one would never be found, and a test of it could not fail."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["UnknownNameError", "known"]


class UnknownNameError(UsageError, KeyError):
    """A test asked for something by a name that does not exist; the text names those that do."""

    def __str__(self) -> str:
        """The message; a KeyError would show it quoted."""
        return str(self.args[0])


def known(what: str, name: str, names: Collection[str]) -> str:
    """The name, if it is one of `names`. Raises UnknownNameError otherwise.

    >>> known("outcome", "passed", ["passed"])
    'passed'
    """
    if name in names:
        return name
    __tracebackhide__ = True  # pytest then shows the line of the test
    near = difflib.get_close_matches(name[:100], names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else "."
    raise UnknownNameError(f"no {what} is called {name!r}{hint} There are: {', '.join(names) or 'none'}")
