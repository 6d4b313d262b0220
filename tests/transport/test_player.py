"""A session on a take: what it did beside its connections, and what it left undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from transport_tapes import BY_NAME, Play, Tape, turn

from pytest_mala.errors import Divergence

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio

REMEDY = "record it with: RECORD"
PLACE = "cassettes/x-1.yaml"


def finished(play: Play) -> str:
    """What the end of the session says."""
    with pytest.raises(Divergence) as caught:
        play.player.finish()
    assert caught.value.__suppress_context__
    return str(caught.value)


async def test_states_are_compared_one_by_one(tape: Tape) -> None:
    tape.connect().add("state", text="PROCESSING CONTINUE").end()
    play = Play(tape)
    play.player.state("PROCESSING CONTINUE")
    with pytest.raises(Divergence) as caught:
        play.player.state("FAILED COMPLETE_FAILURE")
    assert str(caught.value) == (
        "cassettes/x-1.yaml: step 2: the lifecycle decided otherwise\n"
        f"  recorded: nothing more\n  this run: FAILED COMPLETE_FAILURE\n{REMEDY}"
    )


async def test_a_gate_attempt_that_was_never_recorded(tape: Tape) -> None:
    play = Play(tape.connect().end().add("gate", attempt=1, rows=[], ms=[]))
    assert play.player.gate(1).rows == ()
    with pytest.raises(Divergence) as caught:
        play.player.gate(2)
    assert (
        str(caught.value) == f"cassettes/x-1.yaml: gate attempt 2 was never recorded\n  recorded attempts: 1\n{REMEDY}"
    )


async def test_a_gate_attempt_that_was_never_made(tape: Tape) -> None:
    tape.add("gate", attempt=1, rows=[], ms=[]).add("gate", attempt=2, rows=[], ms=[])
    play = Play(tape)
    play.player.gate(1)
    assert finished(play) == f"{PLACE}: gate attempt 2 was recorded and never made\n{REMEDY}"
    play = Play(tape)
    play.player.gate(1)
    play.player.gate(2)
    play.player.finish()


async def test_a_lifecycle_that_ended_early(tape: Tape) -> None:
    tape.add("gate", attempt=1, rows=[], ms=[]).add("state", text="PROCESSING CONTINUE").add(
        "state", text="SUCCESS END"
    )
    play = Play(tape)
    play.player.gate(1)
    play.player.state("PROCESSING CONTINUE")
    assert finished(play) == (f"{PLACE}: step 2: the lifecycle ended early\n  recorded: SUCCESS END\n{REMEDY}")
    play = Play(tape)
    play.player.gate(1)
    play.player.state("PROCESSING CONTINUE")
    play.player.state("SUCCESS END")
    play.player.finish()


async def test_what_was_swallowed_is_raised_at_the_end_though_all_was_played(tape: Tape, clock: VirtualClock) -> None:
    play = Play(tape.connect().prompt("please").result().end())
    with clock:
        async with play.client() as client:
            await turn(client, "please")
            with pytest.raises(Divergence):
                await client.query("more")
    assert finished(play) == (
        f"{PLACE}: connection 1 (work), turn 1, frame 4: "
        "a prompt was sent, but the recording ends here (2 of 2 frames played)\n"
        "  sent: 'more'\n"
        "  last recorded result: 'done'\n"
        f"  last frame played: frame 4 (result success) at 0.300 s, 2 of 2\n{REMEDY}"
    )


async def test_of_several_divergences_the_first_is_told(tape: Tape, clock: VirtualClock) -> None:
    play = Play(tape.connect().prompt("please").result().end())
    with clock:
        async with play.client() as client:
            with pytest.raises(Divergence) as first:
                await client.query("something else")
            with pytest.raises(Divergence) as second:
                play.player.gate(7)
    expected = (
        f"{PLACE}: connection 1 (work), turn 1, frame 3: the prompt is not what was recorded "
        "(no turn is fresh; turn 1 of 1 answers a prompt that no longer exists)\n"
        "  [-please-]{+something else+}\n"
        "  closest recorded prompt: this one, 0 % of the words alike\n"
        f"{BY_NAME}\n"
        f"  last frame played: frame 2 (control_response) at 0.300 s, 1 of 2\n{REMEDY}"
    )
    assert [str(first.value), str(second.value), str(play.player.divergence)] == [expected] * 3
    assert finished(play) == expected


async def test_other_options_than_recorded(tape: Tape) -> None:
    from claude_agent_sdk import ClaudeAgentOptions

    play = Play(tape.connect(body='model: "opus"').end())
    with pytest.raises(Divergence) as caught:
        play.player.connection("work", ClaudeAgentOptions(model="haiku"))
    assert str(caught.value) == (
        f"{PLACE}: connection 1: the agent's options are not the recorded ones\n"
        f'  model: "[-opus-]{{+haiku+}}"\n{BY_NAME}\n{REMEDY}'
    )


async def test_a_turn_without_a_recorded_tree(tape: Tape) -> None:
    play = Play(tape.connect().end().add("turn", turn=1, data={"head": "abc"}))
    play.player.turn_ended()
    with pytest.raises(Divergence) as caught:
        play.player.turn_ended()
    assert str(caught.value) == f"{PLACE}: turn 2 left no recorded tree\n{REMEDY}"
    assert play.turns == [1]
    assert play.player.turn == 2


async def test_an_error_that_ended_the_session_is_told_as_the_cause(tape: Tape) -> None:
    tape.connect().add("state", text="PROCESSING CONTINUE").add("state", text="SUCCESS END").end()
    play = Play(tape)
    play.player.state("PROCESSING CONTINUE")
    with pytest.raises(Divergence) as caught:
        try:
            raise TimeoutError
        except TimeoutError:
            play.player.state("FAILED END")
    assert str(caught.value) == (
        f"{PLACE}: step 2: the lifecycle decided otherwise\n"
        "  recorded: SUCCESS END\n"
        f"  this run: FAILED END, because of TimeoutError in the state PROCESSING\n{REMEDY}"
    )


async def test_a_player_that_opened_nothing_says_so(tape: Tape) -> None:
    assert Play(tape).player.describe() == "no connection was opened"
