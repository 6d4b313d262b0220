"""Optional abilities of clients, factories and sinks: looked up by name, never required, plain or coroutine functions.

A mock answers to every name; only what somebody wrote down as a function counts.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ability", "call", "finish"]


def ability(owner: object, name: str) -> Callable[..., Any] | None:
    """The method of that name, or None where the owner has no such function."""
    found = getattr(owner, name, None)
    return found if inspect.isfunction(found) or inspect.ismethod(found) else None


def call(owner: object, name: str, *args: object) -> Any:
    """Calls the ability if it is there; None if not. A coroutine function's result must go through `finish`."""
    found = ability(owner, name)
    return None if found is None else found(*args)


async def finish(result: Any) -> Any:
    """The result of a plain or of a coroutine function."""
    return await result if inspect.isawaitable(result) else result
