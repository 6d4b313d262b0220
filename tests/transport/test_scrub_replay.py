"""A session whose prompts, answers and options hold secrets replays, and says when it says something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import BY_NAME, Play, Tape, turn

from pytest_mala.errors import Divergence
from pytest_mala.transport.scrub import Likeness

if TYPE_CHECKING:
    from pytest_mala.clock import VirtualClock

FIRST = "gh" + "p_" + "a1B2c3D4e5" * 4
OTHER = "gh" + "o_" + "z9Y8x7W6v5" * 4
KEY = "sk-" + "ant-api03-" + "a1B2c3D4e5" * 4


async def play(tape: Tape, clock: VirtualClock, *prompts: str, hooks: dict[str, Any] | None = None) -> None:
    played = Play(tape)
    with clock:
        async with played.client(hooks=hooks) as client:
            for prompt in prompts:
                await turn(client, prompt)
    played.player.finish()


def recorded(tape: Tape, *prompts: str) -> Tape:
    tape.connect()
    for prompt in prompts:
        tape.prompt(prompt).text("x").result()
    return tape.end()


@pytest.mark.asyncio
async def test_a_prompt_with_secrets_replays(tape: Tape, clock: VirtualClock) -> None:
    recorded(tape, "use <github-2>, <github-1> and <anthropic-1>", "<github-1>?")
    await play(tape, clock, f"use {FIRST}, {OTHER} and {KEY}", f"{OTHER}?")


@pytest.mark.asyncio
async def test_another_secret_where_a_known_one_was_diverges_and_is_not_shown(tape: Tape, clock: VirtualClock) -> None:
    recorded(tape, "use <github-1>", "<github-1>?")
    with pytest.raises(Divergence) as caught:
        await play(tape, clock, f"use {FIRST}", f"{OTHER}?")
    assert str(caught.value) == (
        "cassettes/x-1.yaml: connection 1 (work), turn 2, frame 6: the prompt is not what was recorded "
        "(fresh up to turn 1 of 2; turn 2 answers a prompt that no longer exists)\n"
        "  <{+another +}github[--1-]>?\n"
        "  closest recorded prompt: this one, 67 % of the words alike\n"
        f"{BY_NAME}\n"
        "  last frame played: frame 5 (result success) at 0.300 s, 3 of 5\n"
        "record it with: RECORD"
    )


@pytest.mark.asyncio
async def test_other_words_around_a_secret_diverge(tape: Tape, clock: VirtualClock) -> None:
    recorded(tape, "use <github-1> here")
    with pytest.raises(Divergence, match=r"<github-1> \[-here-\]\{\+there\+\}"):
        await play(tape, clock, f"use {FIRST} there")


@pytest.mark.asyncio
async def test_a_hook_s_answer_with_a_secret_replays(tape: Tape, clock: VirtualClock) -> None:
    async def remind(*_: Any) -> dict[str, Any]:
        return {"systemMessage": f"use {KEY}"}

    tape.connect(hooks={"PreToolUse": [{"matcher": None, "hookCallbackIds": ["hook_0"]}]}).prompt("please")
    tape.hook().answer({"systemMessage": "use <anthropic-1>"}).result().end()
    await play(tape, clock, "please", hooks={"PreToolUse": [remind]})


def test_names_are_taken_once_and_kept() -> None:
    likeness = Likeness({"SOME_SECRET": "value-of-now"})
    assert likeness.named({"a": "<github-3> <secret-1>"}, {"a": f"{FIRST} value-of-now"}) == {
        "a": "<github-3> <secret-1>"
    }
    assert likeness.named("<github-3> <github-4>", f"{OTHER} {FIRST}") == "<github-4> <github-3>"
    assert likeness.named("<github-4>", KEY) == "<another anthropic>"
    assert likeness.named("<signature>", {"signature": "k3Jx9vQ2mT7w" * 10}) == {"signature": "<signature>"}
    assert likeness.named("no name", FIRST) is FIRST
