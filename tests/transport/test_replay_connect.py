"""A connection that was never made when it was recorded is not made on replay either."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from transport_tapes import Play, Tape

from pytest_mala.errors import Divergence

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

pytestmark = pytest.mark.asyncio

REMEDY = "record it with: RECORD"


class TestConnectionsThatWereNeverMade:
    """What a recorder writes when a deadline strikes while the CLI is started (test_record.py)."""

    def recorded(self, tape: Tape) -> Tape:
        tape.c = 1
        tape.add("connect", c=1, purpose="work", body="").end("closed")
        return tape.add("decide", after=30, c=1, what="timeout")

    async def test_the_deadline_strikes_again(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.recorded(tape))
        with clock:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1800), play.client():
                    pass
            assert clock.elapsed == pytest.approx(1800, abs=1e-6)
            play.player.decide("timeout")
        play.player.finish()

    async def test_what_it_waits_for(self, tape: Tape, clock: VirtualClock) -> None:
        play = Play(self.recorded(tape))
        with clock, pytest.raises(TimeoutError):
            async with asyncio.timeout(60), play.client():
                pass
        assert play.player.describe() == "the recording waits for the session to decide 'timeout'"

    async def test_without_a_decision_the_recording_ends_there(self, tape: Tape, clock: VirtualClock) -> None:
        """The session was ended from outside."""
        tape.c = 1
        play = Play(tape.add("connect", c=1, purpose="work", body="").end("closed"))
        with clock, pytest.raises(TimeoutError):
            async with asyncio.timeout(60), play.client():
                pass
        assert play.player.describe() == "the recording ends here (0 of 0 frames played)"
        play.player.finish()

    async def test_a_recording_that_holds_nothing_is_no_wait(self, tape: Tape, clock: VirtualClock) -> None:
        tape.c = 1
        play = Play(tape.add("connect", c=1, purpose="work", body=""))
        with clock, pytest.raises(Divergence) as caught:
            async with play.client():
                pass
        assert str(caught.value) == (
            "cassettes/x-1.yaml: connection 1 (work): the control request initialize was sent, "
            f"but the recording ends here (0 of 0 frames played)\n{REMEDY}"
        )
