"""Give the fixture `mala_cassette` to a test that only carries the marker of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["ask_for"]


def ask_for(item: pytest.Item, fixture: str) -> None:
    """Set the fixture up for the test as its first one of function scope: what others of it open is recorded too."""
    names: Any = getattr(item, "fixturenames", None)
    if names is None or fixture in names:  # a doctest has none; tests of one function share the list
        return
    found: Any = getattr(item, "_fixtureinfo", None)  # pytest has no public way to a fixture's scope
    scopes = {name: each[-1].scope for name, each in found.name2fixturedefs.items() if each} if found else {}
    names.insert(next((at for at, name in enumerate(names) if scopes.get(name) == "function"), len(names)), fixture)
