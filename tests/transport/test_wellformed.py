"""A frame that the SDK could not read, or would read into an error of its own making, is told when the take is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import SESSION, Play, Tape, names_of, turn

from pytest_mala.transport.wellformed import TakeError

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

WHERE = "interaction QUERY claude-sdk://x-1/1/connection/1/query/1: response.frames[0].cli"


def message(kind: str, **message: Any) -> dict[str, Any]:
    return {"type": kind, "message": {"role": kind, **message}, "session_id": SESSION, "uuid": "u1"}


def rate_limit(info: Any) -> dict[str, Any]:
    return {"type": "rate_limit_event", "rate_limit_info": info, "uuid": "u1", "session_id": SESSION}


def result(**more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "session_id": SESSION, **more}


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (message("assistant", content=None), "message.content: expected a text or a list, got nothing"),
        (message("assistant"), "message.content: expected a text or a list, got nothing"),
        (message("user"), "message.content: expected a text or a list, got nothing"),
        (message("user", content=5), "message.content: expected a text or a list or null, got 5"),
        (rate_limit(None), "rate_limit_info: expected a mapping, got nothing"),
        (rate_limit("soon"), "rate_limit_info: expected a mapping, got 'soon'"),
        (rate_limit([1]), "rate_limit_info: expected a mapping, got a list of 1"),
        (result(deferred_tool_use="Bash"), "deferred_tool_use: expected a mapping or null, got 'Bash'"),
    ],
)
def test_a_frame_that_is_refused(tape: Tape, frame: dict[str, Any], what: str) -> None:
    tape.connect().prompt("please").recv(frame).result().end()
    with pytest.raises(TakeError) as caught:
        tape.script()
    assert str(caught.value) == f"{WHERE}.{what}"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (message("user", content=None), "UserMessage"),
        (message("user", content="hi"), "UserMessage"),
        (rate_limit({"status": "allowed"}), "RateLimitEvent"),
    ],
)
async def test_what_the_sdk_accepts_is_played(
    tape: Tape, clock: VirtualClock, frame: dict[str, Any], kind: str
) -> None:
    play = Play(tape.connect().prompt("please").recv(frame).result(deferred_tool_use=None).end())
    with clock:
        async with play.client() as client:
            assert names_of(await turn(client, "please")) == [kind, "ResultMessage"]
    play.player.finish()


def test_the_sdk_refuses_what_we_refuse() -> None:
    """If a later SDK accepts an assistant's null, so should we."""
    from claude_agent_sdk._errors import MessageParseError
    from claude_agent_sdk._internal.message_parser import parse_message

    with pytest.raises(MessageParseError, match=r"^Invalid assistant content \(expected list, got NoneType\)"):
        parse_message(message("assistant", content=None, model="m"))
    with pytest.raises(TypeError):
        parse_message(rate_limit(None))
    with pytest.raises(TypeError):
        parse_message(
            {
                **result(deferred_tool_use="Bash"),
                "duration_ms": 1,
                "duration_api_ms": 1,
                "is_error": False,
                "num_turns": 1,
            }
        )
