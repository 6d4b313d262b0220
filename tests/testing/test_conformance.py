"""The rules for transports: ours and the SDK's own keep them, and each rule finds the transport that breaks it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import socket_transport
from conforming import MemoryTransport, program
from nonconforming import BREAKS, ClosesOnce, LastFirst, LeavesADescriptor

from pytest_mala.testing.conformance import CONFORMANCE, BrokenRuleError, Ends, Exchange, Hears, Rule, Says

sys.path.insert(0, str(Path(__file__).parents[1] / "transport"))

from transport_tapes import START, Listener, Play, Tape

from pytest_mala.clock import VirtualClock
from pytest_mala.transport.live import CLITransport
from pytest_mala.transport.names import Names
from pytest_mala.transport.record import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio

every_rule = pytest.mark.parametrize("rule", CONFORMANCE, ids=str)


class Entries:
    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def append(self, entry: dict[str, Any], *, sync: bool = False) -> None:
        self.all.append(entry)


def options(path: Path) -> Any:
    from claude_agent_sdk import ClaudeAgentOptions

    return ClaudeAgentOptions(cli_path=path, max_buffer_size=2**26)


def recording(make: Callable[[Any], Any]) -> Any:
    """A recorder's transport around the one that is made."""
    recorder = Recorder(
        Entries(),
        Names({}),
        Listener(),
        clock=VirtualClock(START, frozen=False),
        start=make,
        note_tree=lambda: None,
        capture=lambda number: {},
    )
    return recorder.connection("work", options(Path("cli")))


def replaying(exchange: Exchange) -> Any:
    """A player's transport on a take in which this was recorded."""
    tape = Tape().add("connect", c=1, purpose="work", body="")
    tape.c = 1
    if exchange.is_refused:
        tape.end("error", error={"type": "CLINotFoundError", "text": "no CLI"})
    for step in exchange.steps:
        match step:
            case Hears(frame=frame):
                tape.send(frame)
            case Says(frame=frame):
                tape.recv(frame)
            case Ends(is_error=is_error):
                error = {"error": {"type": "ProcessError", "text": "exit code 1"}, "exit_status": 1} if is_error else {}
                tape.end("error" if is_error else "eof", **error)
    play = Play(tape)
    return play.player.connection("work", object())


@every_rule
async def test_a_transport_in_memory(rule: Rule) -> None:
    await rule.check(MemoryTransport)


@every_rule
async def test_the_recording_transport(rule: Rule) -> None:
    await rule.check(lambda exchange: recording(lambda options: MemoryTransport(exchange)))


@every_rule
async def test_the_replaying_transport(rule: Rule) -> None:
    await rule.check(replaying, limit=10.0)


@pytest.mark.cli
@every_rule
async def test_our_transport_to_a_cli(rule: Rule, tmp_path: Path) -> None:
    await rule.check(lambda exchange: CLITransport(options(program(tmp_path, exchange))))


@pytest.mark.cli
@every_rule
async def test_the_sdk_s_own_transport(rule: Rule, tmp_path: Path) -> None:
    from claude_agent_sdk._internal.transport.subprocess_cli import SubprocessCLITransport

    await rule.check(lambda exchange: SubprocessCLITransport(prompt="", options=options(program(tmp_path, exchange))))


@every_rule
async def test_the_transport_of_the_docs(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert f"| `{rule.name}` | {rule.sentence} |\n" in page
    monkeypatch.setitem(sys.modules, "my_project", socket_transport)
    written: dict[str, Any] = {}
    exec(example, written)
    await written["test_my_transport"](rule)


RULES = {rule.name: rule for rule in CONFORMANCE}


@every_rule
async def test_a_rule_finds_what_breaks_it(rule: Rule) -> None:
    for make in BREAKS[rule.name]:
        with pytest.raises(BrokenRuleError) as caught:
            await rule.check(make, limit=0.3)
        assert str(caught.value).startswith(f"{rule.name}: {rule.sentence} ({rule.source})\n"), make


async def broken(name: str, make: Callable[[Exchange], Any]) -> str:
    with pytest.raises(AssertionError) as caught:
        await RULES[name].check(make, limit=0.3)
    return str(caught.value)


async def test_a_broken_rule_is_told_with_its_source_and_what_came_instead() -> None:
    assert await broken("close-again", ClosesOnce) == (
        "close-again: close() may be called twice, and without connect() (the SDK's SubprocessCLITransport)\n"
        "  expected: close() works\n  got: CLIConnectionError: closed already"
    )
    said = await broken("in-order", LastFirst)
    assert said.startswith("in-order: frames come one by one in their order, and the stream ends where the other end")
    assert said.endswith("\n  got: the end of the stream")
    said = await broken("nothing-left", LeavesADescriptor)
    assert "expected: nothing that is left behind after close()\n  got: 2 file descriptors (" in said


async def test_an_error_of_the_maker_is_no_broken_rule() -> None:
    def make(exchange: Exchange) -> Any:
        raise OSError("no server for this test")

    with pytest.raises(OSError, match="no server for this test"):
        await RULES["ready"].check(make)


async def test_a_maker_may_have_to_wait() -> None:
    async def make(exchange: Exchange) -> Any:
        return MemoryTransport(exchange)

    await RULES["in-order"].check(make)


async def test_rules_are_named_once_and_say_where_they_come_from() -> None:
    assert len(RULES) == len(CONFORMANCE)
    assert all(rule.sentence and rule.source and str(rule) == rule.name for rule in CONFORMANCE)
