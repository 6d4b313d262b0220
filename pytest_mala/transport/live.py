"""The SDK's own transport: a CLI as child process, behind the same six methods (lanes scripted and live)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_mala.transport.record import WireTransport

__all__ = ["cli_transport"]


def cli_transport(options: Any) -> WireTransport:
    """A transport that starts the CLI with these options when it is connected.

    The SDK configures a permission callback only on a transport that it made itself (sdk.md 1.1), so that is done here.
    """
    from claude_agent_sdk._internal.transport.subprocess_cli import SubprocessCLITransport
    from claude_agent_sdk.types import _configure_can_use_tool

    return SubprocessCLITransport(prompt=_no_prompt(), options=_configure_can_use_tool(options))


async def _no_prompt() -> AsyncIterator[dict[str, Any]]:
    """Prompts are written later, one by one."""
    nothing: tuple[dict[str, Any], ...] = ()
    for prompt in nothing:
        yield prompt
