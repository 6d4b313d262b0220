"""The hook around the call of a test whose SDK calls have a cassette; loaded with the first such test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.plugin.stash import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """What an application swallowed is raised here, so that its test fails and not only its teardown."""
    __tracebackhide__ = True
    used = item.stash.get(APPLICATION, None)
    if used is None:
        return (yield)
    try:
        answer = yield
    except BaseException as error:
        used.check(error)
        raise
    used.check(None)
    return answer
