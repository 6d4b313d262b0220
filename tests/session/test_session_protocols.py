"""Protocols, base sinks, telemetry, abilities and models: session:1.6, 1.7, 1.10, N1-N3."""

from __future__ import annotations

import asyncio
import inspect
from unittest.mock import AsyncMock, MagicMock

import pytest
from session_peers import OPTIONAL_EVENTS, ScriptedClient, ScriptedFactory, finding, passing, reviewed

from pytest_mala import session
from pytest_mala.session.abilities import ability, call, finish
from pytest_mala.session.events import BaseEventSink, NullEventSink
from pytest_mala.session.models import IssueResolution, ResolutionOutcome
from pytest_mala.session.protocols import (
    GateResultProtocol,
    MalaEventSink,
    ReviewIssueProtocol,
    ReviewResultProtocol,
    SDKClientFactoryProtocol,
    SDKClientProtocol,
)
from pytest_mala.session.telemetry import NullSpan, NullTelemetryProvider, TelemetryProvider, TelemetrySpan

EVENTS = sorted(name for name in vars(MalaEventSink) if name.startswith("on_"))


def test_the_sink_has_51_events_and_the_base_all_of_them_with_equal_parameters() -> None:
    assert len(EVENTS) == 51
    for name in EVENTS:
        assert str(inspect.signature(getattr(BaseEventSink, name))) == str(
            inspect.signature(getattr(MalaEventSink, name))
        )


@pytest.mark.parametrize("made", [BaseEventSink, NullEventSink])
def test_base_sinks_satisfy_the_protocol_and_do_nothing(made: type[BaseEventSink]) -> None:
    sink = made()
    assert isinstance(sink, MalaEventSink)
    for name in [*EVENTS, *OPTIONAL_EVENTS]:
        method = getattr(sink, name)
        required = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
        assert method(*["x" for _ in required]) is None


def test_optional_events_are_no_members_of_the_protocol() -> None:
    assert set(OPTIONAL_EVENTS) & set(EVENTS) == set()
    assert {name for name in vars(BaseEventSink) if name.startswith("on_")} == {*EVENTS, *OPTIONAL_EVENTS}


def test_our_values_satisfy_the_protocols() -> None:
    assert isinstance(finding(), ReviewIssueProtocol)
    assert isinstance(passing(), GateResultProtocol)
    assert isinstance(reviewed(), ReviewResultProtocol)
    assert isinstance(ScriptedClient([]), SDKClientProtocol)
    assert isinstance(ScriptedFactory(), SDKClientFactoryProtocol)


def test_resolutions_have_the_contracts_values() -> None:
    assert [outcome.value for outcome in ResolutionOutcome] == ["success", "no_change", "obsolete", "already_complete"]
    with pytest.raises(AttributeError):
        IssueResolution(ResolutionOutcome.SUCCESS, "x").rationale = "y"  # type: ignore[misc]


def test_n1_n3_a_null_span_does_nothing_and_suppresses_nothing() -> None:
    span = NullSpan()
    with span as entered:
        assert entered is span
    assert span.__exit__(KeyError, KeyError(), None) is None  # type: ignore[func-returns-value]
    span.log_input("x")
    span.log_message(object())
    span.set_success(True)
    span.set_error("x")
    assert {"log_input", "log_message", "set_success", "set_error", "__enter__", "__exit__"} <= set(vars(TelemetrySpan))


def test_n2_n3_the_null_provider() -> None:
    provider = NullTelemetryProvider()
    assert provider.is_enabled() is False
    assert isinstance(provider.create_span("x", {"a": 1}), NullSpan)
    provider.flush()
    assert {"is_enabled", "create_span", "flush"} <= set(vars(TelemetryProvider))


class Able:
    def __init__(self) -> None:
        self.given = lambda: "lambda"
        self.value = 5
        self.mock = MagicMock()
        self.async_mock = AsyncMock()

    def plain(self, number: int) -> int:
        return number + 1

    async def coroutine(self) -> str:
        return "awaited"


@pytest.mark.parametrize("name", ["value", "mock", "async_mock", "missing"])
def test_only_functions_count_as_abilities(name: str) -> None:
    assert ability(Able(), name) is None
    assert call(Able(), name, 1) is None
    assert ability(MagicMock(), name) is None


async def _finished(name: str, *args: object) -> object:
    return await finish(call(Able(), name, *args))


def test_plain_and_coroutine_functions_are_abilities() -> None:
    assert asyncio.run(_finished("plain", 1)) == 2
    assert asyncio.run(_finished("coroutine")) == "awaited"
    assert asyncio.run(_finished("given")) == "lambda"


def test_a_runner_can_be_made_with_a_mock_as_factory(tmp_path: object) -> None:
    factory = MagicMock()
    prompts = session.SessionPrompts("a", "b", "c")
    session.AgentSessionRunner(session.AgentSessionConfig(tmp_path, 60, prompts), factory)
    assert factory.mock_calls == []


def test_an_unknown_name_of_the_room_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'pytest_mala.session' has no attribute 'Nothing'$"):
        session.Nothing  # noqa: B018
