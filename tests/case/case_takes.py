"""Cassettes with several takes, made from a sample's one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_mala.transport.cassette import Cassette, Take, read, write
from pytest_mala.transport.merging import merged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def as_take(found: Cassette, number: int, change: Callable[[str], str] = str) -> Take:
    """The first take under another number, with every text of it changed."""
    (take,) = found.takes
    before, after = Cassette.prefix(found.issue, take.number), Cassette.prefix(found.issue, number)
    interactions = tuple(
        replace(one, uri=one.uri.replace(before, after), response=_changed(one.response, change))
        for one in take.interactions
    )
    return replace(take, number=number, interactions=interactions)


def add_take(path: Path, number: int, change: Callable[[str], str] = str) -> None:
    """Put a copy of the first take into the file."""
    found = read(path)
    first = replace(found, takes=found.takes[:1])
    write(path, merged(path, found, replace(first, takes=(as_take(first, number, change),))))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _changed(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    return change(value) if isinstance(value, str) else value
