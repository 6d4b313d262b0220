"""A take that loads but makes no sense ends in a named outcome or a clear error: no traceback of ours, and no hang."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from case_tapes import (
    FAILED,
    JUDGED,
    PLACE,
    REMEDY,
    SESSION,
    STARTED,
    SUCCEEDED,
    Played,
    SessionTape,
    options_with,
    play,
    tree,
)

from pytest_mala.errors import CassetteError, Divergence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    Fault: TypeAlias = Callable[[SessionTape], object]

WORK = f"{PLACE}: connection 1 (work), turn 1, frame"
ANEW = "to record it anew: RECORD x-1"
PASSED = (STARTED, *JUDGED, SUCCEEDED)
RATE_LIMIT = {"status": "allowed_warning", "resetsAt": 1, "rateLimitType": "five_hour"}
RETRY = {"attempt": 1, "max_retries": 10, "retry_delay_ms": 500, "error": "overloaded", "error_status": 529}


def begun() -> SessionTape:
    return SessionTape().first_turn().text("hi", after=1)


def told(played: Played) -> str:
    """`outcome: why`, or the error; whatever it is, nothing was left behind."""
    assert played.tasks_left == []
    if played.error is not None:
        assert isinstance(played.error, CassetteError | Divergence), repr(played.error)
        return played.told
    return f"{played.result.outcome.value}: {played.result.why}"


def message(content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "assistant",
        "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": content},
        "session_id": SESSION,
        **more,
    }


def without(key: str) -> Fault:
    """A result that lacks a key."""

    def made(tape: SessionTape) -> None:
        tape.result()
        del tape.entries[-1]["m"][key]
        tape.over().passed()

    return made


def frames(*each: dict[str, Any]) -> Fault:
    """A turn with these frames in it, that ends well."""

    def made(tape: SessionTape) -> None:
        for frame in each:
            tape.recv(frame)
        tape.result().over().passed()

    return made


def unreadable(why: str) -> str:
    """The SDK can't read a frame: the session ends there, which the recorded one did not."""
    this = f"{FAILED}, because of MessageParseError: {why}"
    recorded = "AWAITING_LOG WAIT_FOR_LOG"
    return f"{PLACE}: step 2: the lifecycle decided otherwise\n  recorded: {recorded}\n  this run: {this}\n{REMEDY}"


FAULTS: dict[str, tuple[Fault, str]] = {
    "a gate before its turn": (
        lambda tape: (tape.entries.insert(0, tape.gate().entries.pop()), tape.result().over().states(*PASSED)),
        "passed: done",
    ),
    "no gate": (
        lambda tape: tape.result().over().states(*PASSED),
        f"{PLACE}: gate attempt 1 was never recorded\n  recorded attempts: 0\n{REMEDY}",
    ),
    "one gate too many": (
        lambda tape: tape.result().over().passed().gate(2),
        f"{PLACE}: gate attempt 2 was recorded and never made\n{REMEDY}",
    ),
    "no tree": (
        lambda tape: tape.result().end().gate().states(*PASSED),
        f"{PLACE}: turn 1 left no recorded tree\n{REMEDY}",
    ),
    "two results": (
        lambda tape: tape.result().result("again", after=1).over().passed(),
        f"{WORK} 7: a frame result success was recorded and never read\n"
        f"  last frame played: frame 6 (result success) at 1.400 s, 4 of 5\n{REMEDY}",
    ),
    "two results with words between": (
        lambda tape: tape.result().text("and more", after=1).result("again", after=1).over().passed(),
        f"{WORK} 7: a frame assistant was recorded and never read\n"
        f"  last frame played: frame 6 (result success) at 1.400 s, 4 of 6\n{REMEDY}",
    ),
    "frames after the result": (lambda tape: tape.result().text("late").over().passed(), "passed: done"),
    "a result without a session id": (
        without("session_id"),
        unreadable("Missing required field in result message: 'session_id'"),
    ),
    "a result without a count": (
        without("num_turns"),
        unreadable("Missing required field in result message: 'num_turns'"),
    ),
    "a result with an empty session id": (lambda tape: tape.result(session_id="").over().passed(), "passed: done"),
    "an error result that calls itself a success": (
        lambda tape: tape.result("API Error: 529 overloaded", is_error=True, api_error_status=529).over().failed(),
        "agent-error: Agent error: API Error: 529 overloaded (an error result, API status 529)",
    ),
    "an error result with its text elsewhere": (
        lambda tape: (
            tape.result(None, is_error=True, subtype="error_during_execution", errors=["boom"]).over().failed()
        ),
        "agent-error: Agent error: boom (error_during_execution)",
    ),
    "an error result without any text": (
        lambda tape: tape.result(None, is_error=True).over().failed(),
        "agent-error: Agent error: no text (an error result)",
    ),
    "no turns left": (
        lambda tape: tape.result(None, is_error=True, subtype="error_max_turns").over().failed(),
        "budget: Agent error: no text (error_max_turns)",
    ),
    "a rate limit and an API retry": (
        frames(
            {"type": "rate_limit_event", "rate_limit_info": RATE_LIMIT, "uuid": "u8", "session_id": SESSION},
            {"type": "system", "subtype": "api_retry", **RETRY, "uuid": "u7", "session_id": SESSION},
        ),
        "passed: done",
    ),
    "a rate limit that says nothing": (
        frames({"type": "rate_limit_event", "uuid": "u8", "session_id": SESSION}),
        unreadable("Missing required field in rate_limit_event message: 'rate_limit_info'"),
    ),
    "a system frame without a subtype": (
        frames({"type": "system", "session_id": SESSION}),
        unreadable("Missing required field in system message: 'subtype'"),
    ),
    "no content": (
        frames(message(None)),
        f"{PLACE}:71: interaction QUERY claude-sdk://x-1/1/connection/1/query/1: "
        f"response.frames[2].cli.message.content: expected a text or a list, got nothing; {ANEW}",
    ),
    "a text for blocks": (frames(message("hi")), unreadable("Invalid assistant content (expected list, got str)")),
    "a block of unknown type": (frames(message([{"type": "hologram"}])), "passed: done"),
    "a result of a tool that nobody called": (
        lambda tape: tape.tool_result("toolu_9").result().over().passed(),
        "passed: done",
    ),
    "an answer to a request that nobody made": (
        frames({"type": "control_response", "response": {"request_id": "nobody", "subtype": "success"}}),
        "passed: done",
    ),
    "an answer of ours that nobody asked for": (
        lambda tape: tape.answered({}, "nobody").result().over().passed(),
        f"{WORK} 6: an answer was recorded and never came\n"
        f"  last frame played: frame 7 (result success) at 1.400 s, 4 of 4\n{REMEDY}",
    ),
    "a request that nobody made is withdrawn": (
        frames({"type": "control_cancel_request", "request_id": "nobody"}),
        "passed: done",
    ),
    "a request of unknown subtype": (
        lambda tape: (
            tape.asked({"subtype": "levitate"})
            .refused("Unsupported control request subtype: levitate")
            .result()
            .over()
            .passed()
        ),
        "passed: done",
    ),
    "one that was never refused": (
        lambda tape: tape.asked({"subtype": "levitate"}).result().over().passed(),
        f"{WORK} 7: the request levitate was answered, but in the recording it never was\n"
        f"  last frame played: frame 7 (result success) at 1.500 s, 5 of 5\n{REMEDY}",
    ),
    "a hook of unknown id": (
        lambda tape: (
            tape.hook(7, request_id="a").refused("No hook callback found for ID: hook_7", "a").result().over().passed()
        ),
        "passed: done",
    ),
    "one that was never answered": (
        lambda tape: tape.hook(7).result().over().passed(),
        f"{WORK} 7: the hook hook_7 for toolu_1 was answered, but in the recording it never was\n"
        f"  last frame played: frame 7 (result success) at 1.400 s, 5 of 5\n{REMEDY}",
    ),
    "no end": (
        lambda tape: tape.result().add("turn", turn=1, data={**tree(), "turn": 1}).passed(),
        "passed: done",
    ),
    "two ends": (
        lambda tape: tape.result().end().over().passed(),
        f"{PLACE}:79: interaction END claude-sdk://x-1/1/connection/1/end: this place stands twice in the take; {ANEW}",
    ),
    "a prompt after the end": (
        lambda tape: tape.result().over().prompt("x").passed(),
        f"{PLACE}: connection 1 (work), turn 2, frame 7: a prompt was recorded and never came\n"
        f"  last frame played: frame 6 (result success) at 1.400 s, 4 of 4\n{REMEDY}",
    ),
    "another connection before the first has ended": (
        lambda tape: tape.result().connect("gate retry").prompt("gate").result().over().passed(),
        f"{PLACE}: connection 2 (gate retry) was recorded and never opened\n{REMEDY}",
    ),
    "a tree that no commit has": (
        lambda tape: tape.add("tree", c=1, id="f" * 40).result().over().passed(),
        f"{PLACE}:69: interaction QUERY claude-sdk://x-1/1/connection/1/query/1: "
        f"response.frames[2].tree: expected the id of a commit of this take, got '{'f' * 40}'; {ANEW}",
    ),
    "a decision that no session makes": (
        lambda tape: tape.decided("dance", after=1).result().over().passed(),
        f"{WORK} 5: the session decided 'idle' here; the recorded one decided 'dance'\n"
        "  waiting for a frame after `text`; idle timer on (360 s) (state PROCESSING, turn 1); "
        f"the recording waits for the session to decide 'dance'\n"
        f"  last frame played: frame 5 (assistant) at 1.400 s, 3 of 4\n{REMEDY}",
    ),
    "a broken connection": (
        lambda tape: tape.over(how="error", error={"type": "OddError", "text": "its cable is cut"}).failed(),
        "agent-error: its cable is cut",
    ),
    "a broken connection that does not say why": (
        lambda tape: tape.over(how="error", error={"type": "OddError"}).failed(),
        "agent-error: OddError",
    ),
    "a program that is not there any more": (
        lambda tape: tape.over(how="error", error={"type": "CLINotFoundError", "text": "no CLI"}).failed(),
        "agent-error: no CLI",
    ),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_turn_with_a_fault(tmp_path: Path, fault: Fault, expected: str) -> None:
    tape = begun()
    fault(tape)
    assert told(play(tmp_path, tape)) == expected


def test_no_session_id_anywhere(tmp_path: Path) -> None:
    tape = SessionTape().connect()
    tape.prompt("do it").result(session_id="").over().failed()
    assert told(play(tmp_path, tape)) == "agent-error: No session ID received from the agent"


def test_a_take_without_a_connection(tmp_path: Path) -> None:
    what = "connection 1 (work) was never recorded\n  the take has no connection"
    assert told(play(tmp_path, SessionTape().passed())) == f"{PLACE}: {what}\n{REMEDY}"


def test_a_take_of_nothing(tmp_path: Path) -> None:
    steps = f"recorded: nothing more\n  this run: {STARTED}"
    assert told(play(tmp_path, SessionTape())) == (
        f"{PLACE}: step 1: the lifecycle decided otherwise\n  {steps}\n{REMEDY}"
    )


def test_a_take_without_a_base(tmp_path: Path) -> None:
    what = "turn/0/tree: the take has no base (expected a TREE interaction at turn/0/tree)"
    tape = begun().result().over().passed()
    assert told(play(tmp_path, tape, with_base=False)) == f"{PLACE}:10: {what}; {ANEW}"


def test_a_cli_that_could_not_be_started(tmp_path: Path) -> None:
    tape = SessionTape().add("connect", c=1, purpose="work", body=options_with())
    tape.c = 1
    tape.end("error", error={"type": "CLINotFoundError", "text": "no CLI"}).failed()
    assert told(play(tmp_path, tape)) == "agent-error: no CLI"


def test_a_cli_that_refuses_to_begin(tmp_path: Path) -> None:
    tape = SessionTape().unanswered_connect()
    answer = {"subtype": "error", "request_id": "req_1", "error": "not today"}
    tape.recv({"type": "control_response", "response": answer}).end()
    tape.failed()
    assert told(play(tmp_path, tape)) == "agent-error: not today"


def test_a_cli_that_died_says_so_in_the_words_of_the_recording(tmp_path: Path) -> None:
    """The SDK puts the exit code behind a text; a recorded text has it already."""
    text = "Command failed (exit code: 1)"
    body = options_with(resume=f'"{SESSION}"')
    tape = begun().over(1, "error", error={"type": "ProcessError", "text": text}, exit_status=1)
    for retry in range(2, 7):
        tape.connect("crash retry", body).prompt("go on", SESSION).text("hm")
        tape.over(retry, "error", error={"type": "ProcessError", "text": text}, exit_status=1)
    assert told(play(tmp_path, tape.failed())) == f"agent-error: {text}"


def test_frames_of_unknown_types_are_shown_and_counted(tmp_path: Path) -> None:
    tape = begun()
    frames({"type": "surprise", "session_id": SESSION}, {"type": "surprise"}, {"type": "gift"})(tape)
    played = play(tmp_path, tape)
    assert told(played) == "passed: done"
    assert played.result.transcript.count("(frame of unknown type 'surprise')") == 2
    assert played.result.notes == (
        "1 frame of unknown type 'gift': newer than this version's SDK?",
        "2 frames of unknown type 'surprise': newer than this version's SDK?",
    )
