"""The SDK's transport class stands aside for a while; these tests notice when the SDK looks it up elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import claude_agent_sdk
import pytest
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, query
from claude_agent_sdk._internal import client
from claude_agent_sdk._internal.transport import subprocess_cli

from pytest_mala.errors import HarnessError
from pytest_mala.transport.live import CLITransport
from pytest_mala.transport.substitute import PLACES, own_transport, substituted

OWN = subprocess_cli.SubprocessCLITransport


class Refused(Exception):
    """Raised in place of a transport."""


def refuse(prompt: object, options: object) -> None:
    raise Refused(prompt, options)


def test_the_sdk_builds_it_in_no_other_module_than_we_know() -> None:
    root = Path(claude_agent_sdk.__file__).parent
    users = set()
    for path in root.rglob("*.py"):
        calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        if any(isinstance(call.func, ast.Name) and call.func.id == OWN.__name__ for call in calls):
            users.add(".".join(path.relative_to(root.parent).with_suffix("").parts))
    # ClaudeSDKClient imports it from the first place when it connects
    assert users == {"claude_agent_sdk.client", PLACES[1]}
    source = (root / "client.py").read_text("utf-8")
    assert "\n        from ._internal.transport.subprocess_cli import SubprocessCLITransport\n" in source


@pytest.mark.asyncio
async def test_both_ways_into_the_sdk_get_ours() -> None:
    options = ClaudeAgentOptions(model="opus")
    with substituted(refuse):
        with pytest.raises(Refused) as caught:
            async for _ in query(prompt="hello", options=options):
                pass
        assert caught.value.args[0] == "hello"
        with pytest.raises(Refused) as caught:
            await ClaudeSDKClient(options).connect()
        assert caught.value.args[1].model == "opus"


def test_it_is_put_back_whatever_happens() -> None:
    with pytest.raises(Refused), substituted(refuse):
        assert subprocess_cli.SubprocessCLITransport is client.SubprocessCLITransport is not OWN
        raise Refused
    assert subprocess_cli.SubprocessCLITransport is client.SubprocessCLITransport is OWN


def test_one_inside_of_another() -> None:
    with substituted(refuse):
        outer = client.SubprocessCLITransport
        with substituted(lambda *_: None):
            assert client.SubprocessCLITransport(None, None) is None
            assert own_transport() is OWN
        assert client.SubprocessCLITransport is outer
    assert own_transport() is OWN


def test_our_own_transport_is_still_the_real_one() -> None:
    with substituted(refuse):
        inner = CLITransport(ClaudeAgentOptions())._inner
    assert type(inner) is OWN


def test_static_methods_of_the_class_are_there() -> None:
    """The SDK calls them by the name that we take."""
    with substituted(refuse):
        assert subprocess_cli.SubprocessCLITransport._is_windows_batch_cli("claude.exe") is False


def test_an_sdk_that_looks_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(client, "SubprocessCLITransport")
    with pytest.raises(HarnessError) as caught, substituted(refuse):
        pass
    assert str(caught.value) == (
        f"claude-agent-sdk {claude_agent_sdk.__version__} does not build its transport where this version of "
        "pytest-mala can stand in (claude_agent_sdk._internal.transport.subprocess_cli and "
        "claude_agent_sdk._internal.client): install a newer pytest-mala or an older SDK"
    )
