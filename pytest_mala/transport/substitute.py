"""The one place where something of the SDK is replaced: its transport of a CLI, for as long as a `with` block lasts.

Code that uses the SDK seldom passes a transport, so the SDK builds its own, `SubprocessCLITransport`, when it connects.
The class is looked up by two modules of the SDK; what stands there in the meantime makes our transport instead.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claude_agent_sdk._internal.transport.subprocess_cli import SubprocessCLITransport

__all__ = ["PLACES", "own_transport", "substituted"]

PLACES: Final = ("claude_agent_sdk._internal.transport.subprocess_cli", "claude_agent_sdk._internal.client")
"""Modules of the SDK that look up the class: the first one for `ClaudeSDKClient`, the second one for `query()`."""

_NAME: Final = "SubprocessCLITransport"


@contextmanager
def substituted(make: Callable[[Any, Any], Any]) -> Iterator[None]:
    """Inside, the SDK gets `make(prompt, options)` where it would build a transport that starts a CLI.

    It holds for the whole process, for code that was imported before, too. Raises HarnessError if the installed SDK
    looks its transport up elsewhere: then a CLI would be started behind our back.
    """
    modules = [import_module(name) for name in PLACES]
    before = [getattr(module, _NAME, None) for module in modules]
    if not isinstance(before[0], type) or any(one is not before[0] for one in before):
        raise HarnessError(
            f"claude-agent-sdk {version('claude-agent-sdk')} does not build its transport where this version of "
            f"pytest-mala can stand in ({' and '.join(PLACES)}): install a newer pytest-mala or an older SDK"
        )
    substitute = _substitute(before[0], make)
    for module in modules:
        setattr(module, _NAME, substitute)
    try:
        yield
    finally:
        for module, original in zip(modules, before, strict=True):
            setattr(module, _NAME, original)


def own_transport() -> type[SubprocessCLITransport]:
    """The SDK's own class, also while another stands in its place."""
    found: Any = getattr(import_module(PLACES[0]), _NAME)
    own: type[SubprocessCLITransport] = getattr(found, "stands_for", found)
    return own


def _substitute(original: Any, make: Callable[[Any, Any], Any]) -> type:
    class Substitute(original):  # type: ignore[misc] # a class: the SDK also calls static methods by this name
        stands_for = getattr(original, "stands_for", original)

        def __new__(cls, prompt: Any = None, options: Any = None) -> Any:
            return make(prompt, options)

    return Substitute
