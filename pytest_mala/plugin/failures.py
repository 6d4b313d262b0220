"""The two ways in which a session's test fails; pytest shows their text and no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.outcomes import Failed
else:
    Failed = pytest.fail.Exception

__all__ = ["GatesFailed", "OutcomeDiffers"]


class GatesFailed(Failed, AssertionError):
    """At least one check of the last gate did not pass; the text is the table of all checks."""

    # the name of the module would stand before the reason in pytest's short summary
    __module__ = "builtins"

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)


class OutcomeDiffers(Failed, AssertionError):
    """The session ended otherwise than expected, and no check failed; the text says expected, got and why."""

    __module__ = "builtins"  # as above

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)
