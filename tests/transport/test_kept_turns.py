"""What of a take is kept when a prompt has new words: everything before it, byte for byte, if a CLI can go on there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from transport_tapes import SESSION, START, Tape

from pytest_mala.transport.assemble import TakeHead, assemble
from pytest_mala.transport.cassette import Cassette, read
from pytest_mala.transport.kept import CannotGoOnError, Kept, kept_before
from pytest_mala.transport.takes import interactions, kept_entry

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = sorted((Path(__file__).parents[2] / "cassettes").glob("*.yaml"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_interactions_that_are_kept_stay_as_they_are(path: Path) -> None:
    """Wherever they end; and the ids of what comes later are not theirs."""
    cassette = read(path)
    (take,) = cassette.takes
    head = TakeHead(issue=cassette.issue, lane=cassette.lane, sdk=cassette.sdk, start=take.start)
    entries = [kept_entry(one) for one in take.interactions]
    made = assemble(head, entries)
    assert made.takes == cassette.takes
    assert made.cli == cassette.cli
    for end in range(len(entries)):
        assert assemble(head, entries[:end]).takes[0].interactions == take.interactions[:end]


def test_ids_go_on_behind_those_that_are_kept() -> None:
    """The same frames, recorded in one go and in two."""
    entries = two_turns(lambda tape: tape).entries
    head = TakeHead(issue="x-1", lane="scripted", sdk="1", start=START.isoformat())
    whole = assemble(head, entries).takes[0].interactions
    at = next(at for at, entry in enumerate(entries) if entry["k"] == "connect" and entry["c"] == 2)
    kept = whole[: next(index for index, one in enumerate(whole) if one.uri.endswith("connection/2"))]
    alias = "00000001-0000-4000-8000-000000000001"
    rest = [in_session(entry, alias) for entry in entries[at:]]
    assert assemble(head, [*map(kept_entry, kept), *rest]).takes[0].interactions == whole


def in_session(entry: dict[str, Any], session: str) -> dict[str, Any]:
    """The entry as it is in a recording that began with the session of a cassette."""
    if "m" not in entry or entry["m"].get("session_id") != SESSION:
        return entry
    return {**entry, "m": {**entry["m"], "session_id": session}}


def two_turns(end_of_first: Callable[[Tape], Tape], **result: Any) -> Tape:
    tape = Tape()
    tape.connect().prompt("please").init(after=0.1)
    end_of_first(tape)
    tape.result(after=1, **result).end().add("turn", turn=1, data={"head": "head-1"})
    tape.connect("gate retry").prompt("again", SESSION).init(after=0.1).text("fixed", after=2).result().end()
    return tape.add("turn", turn=2, data={"head": "head-2"})


def kept(tape: Tape, session: str | None = SESSION) -> Kept:
    made = interactions(tape.entries, issue="x-1", take=1, canonical=lambda value, _: value)
    return kept_before(made, 2, session)


def call(tape: Tape) -> Tape:
    return tape.assistant([{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}])


def called_back(tape: Tape) -> Tape:
    blocks = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]
    return call(tape).recv(
        {"type": "user", "message": {"role": "user", "content": blocks}, "session_id": SESSION, "uuid": "u9"}
    )


def compacted(tape: Tape) -> Tape:
    return tape.recv({"type": "system", "subtype": "compact_boundary", "session_id": SESSION, "uuid": "u8"})


def decided(tape: Tape) -> Tape:
    return tape.add("decide", c=1, what="idle")


def test_what_is_kept_ends_before_the_prompt() -> None:
    found = kept(two_turns(called_back, total_cost_usd=0.5))
    assert [one.method for one in found.interactions[-3:]] == ["TREE", "CONNECT", "CONTROL"]
    assert (found.prompts, found.connection, found.cost_usd, found.is_cut) == (1, 2, 0.5, False)
    assert [frame["type"] for frame in found.frames][1:4] == ["system", "assistant", "user"]


def test_costs_that_nobody_told_are_none() -> None:
    assert kept(two_turns(called_back)).cost_usd is None


@pytest.mark.parametrize(
    ("first", "result", "why"),
    [
        (call, {}, "turn 1 ended while a tool was at work (toolu_1)"),
        (called_back, {"is_error": True}, "turn 1 ended in an error"),
        (compacted, {}, "the history was compacted, and a recording does not hold what it was compacted to"),
    ],
)
def test_what_no_cli_can_take_up_is_not_kept(first: Any, result: dict[str, Any], why: str) -> None:
    tape = two_turns(first, **result)
    with pytest.raises(CannotGoOnError) as raised:
        kept(tape)
    assert raised.value.why == why
    assert str(raised.value) == f"the fresh turns can't be kept: {why}; record the session whole"
    assert kept(tape, session=None).prompts == 1  # another session begins there


def test_a_session_that_the_recording_does_not_know_is_not_kept() -> None:
    with pytest.raises(CannotGoOnError, match="the recording holds nothing of session other"):
        kept(two_turns(called_back), session="other")


@pytest.mark.parametrize(
    ("first", "is_cut"),
    [
        (decided, True),  # the model was asked, and was silent from the first
        (lambda tape: decided(called_back(tape)), True),
        (lambda tape: decided(tape.text("I think")), False),  # what it had begun to say is there
        (called_back, False),
    ],
)
def test_a_turn_that_waited_for_the_model_is_told_from_others(first: Any, *, is_cut: bool) -> None:
    found = kept(two_turns(first, is_error=is_cut, subtype="error_during_execution" if is_cut else "success"))
    assert found.is_cut is is_cut


def test_the_version_of_the_cli_is_that_of_what_was_kept() -> None:
    tape = Tape().connect().recv({"type": "system", "subtype": "init", "claude_code_version": "2.1.330"})
    head = TakeHead(issue="x-1", lane="scripted", sdk="1", start=START.isoformat())
    made: Cassette = assemble(head, tape.entries)
    assert assemble(head, [kept_entry(one) for one in made.takes[0].interactions]).cli == "2.1.330"
