"""Single steps of a transcript, read whole: every shape of frame, block and check, and where texts are cut."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from test_transcript import HOOK, answered, asked, called, resulted, said, shown

from pytest_mala.session.transcript import CheckRow, Transcript
from pytest_mala.session.transcript.lines import LINE_LENGTH, bounded

MORE = {"uuid": "u-1", "session_id": "session-1"}


def mcp(message):
    return asked({"subtype": "mcp_message", "server_name": "calc", "message": message})


class TestTheClock:
    def test_every_kind_of_step_has_its_time(self):
        frames = [
            said([{"type": "thinking", "thinking": "hm"}]),
            said("API Error", error="rate_limit"),
            {"type": "control_cancel_request", "request_id": "r9"},
            {"type": "rate_limit_event", **MORE},
            ("sdk", {"type": "x"}),
            {"type": "x"},
        ]
        assert shown(*frames, times=True) == [
            "    0.000  agent thinks",
            "               hm",
            "    1.000  agent",
            "               API Error",
            "    1.000  agent error: rate_limit",
            "    2.000  the CLI withdrew a request",
            "    3.000  rate limit event",
            "    4.000  (frame of unknown type 'x')",
            "    5.000  (frame of unknown type 'x')",
        ]

    def test_a_silence_begins_at_five_seconds_for_frames_and_notes(self):
        transcript = Transcript("x-1", "title", {})
        transcript.frame("cli", said("a"), 7.0)
        transcript.frame("cli", said("b"), 12.0)
        transcript.note("c", 17.0)
        transcript.frame("cli", {"type": "transcript_mirror"}, 23.0)
        transcript.frame("cli", {"type": "stream_event"}, 24.0)
        transcript.frame("cli", said("d"), 30.0)
        transcript.note("e", 34.9)
        assert transcript.render() == (
            "session x-1: title\n"
            "    7.000  agent\n               a\n"
            "           (5.0 s of silence)\n   12.000  agent\n               b\n"
            "           (5.0 s of silence)\n   17.000  * c\n"
            "           (6.0 s of silence)\n   30.000  agent\n               d\n"
            "   34.900  * e\n"
        )

    def test_a_first_note_follows_no_silence(self):
        transcript = Transcript("x-1", "title", {})
        transcript.note("late", 60.0)
        assert transcript.render() == "session x-1: title\n   60.000  * late\n"


class TestMessages:
    def test_contents_of_every_shape(self):
        assert shown(
            said([], message={"content": "a plain text"}),
            said([{"type": "text", "text": {"odd": 1}}, 7, {"type": "redacted_thinking", "data": "x"}]),
            resulted(""),
            said("end"),
        ) == [
            "agent",
            "    a plain text",
            "agent",
            '    {"odd": 1}',
            "agent",
            '    {"text": 7}',
            "agent",
            '    {"data": "x", "type": "redacted_thinking"}',
            "result 1",
            "agent",
            "    end",
        ]

    def test_a_prompt_before_any_connection_and_of_blocks(self):
        content = [{"type": "text", "text": "one\ntwo"}, {"type": "text", "text": "three"}]
        assert shown(("sdk", {"type": "user", "message": {"content": content}})) == [
            "turn 1, connection 0: prompt ()",
            "    | one",
            "    | two",
            "    | three",
        ]

    def test_a_very_long_prompt_shows_its_start_and_its_end(self):
        text = "\n".join(map(str, range(300)))
        lines = shown(("sdk", {"type": "user", "message": {"content": text}}))
        kept = [*range(150), "... (100 lines left out)", *range(250, 300)]
        assert lines[1:] == [f"    | {line}" for line in kept]

    def test_calls_by_servers_read_like_others_and_odd_ids_are_different_calls(self):
        blocks = [
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
            {"type": "mcp_tool_use", "id": 7, "name": "add", "input": None},
            {"type": "tool_use", "id": 8, "name": "add"},
        ]
        assert shown(said(blocks)) == ["call 1: web_search", "    query: x", "call 2: add", "call 3: add"]

    def test_a_title_stays_on_one_line(self):
        assert shown(called("a\nb", None)) == ["call 1: a b"]


class TestToolInputs:
    def test_a_long_command_is_shown_longer_than_a_result(self):
        lines = shown(called("Bash", {"command": "\n".join(map(str, range(42)))}))
        kept = [*range(30), "... (2 lines left out)", *range(32, 42)]
        assert lines == ["call 1: Bash", "    $ 0", *(f"      {line}" for line in kept[1:])]

    @pytest.mark.parametrize(
        ("content", "lines"),
        [
            ("", ["    a.py (0 lines)"]),
            ("x\n", ["    a.py (1 line)", "    + x"]),
            ("x\ny", ["    a.py (2 lines)", "    + x", "    + y"]),
        ],
    )
    def test_what_is_written_is_counted_in_lines(self, content, lines):
        given = {"file_path": "a.py", "content": content}
        assert shown(called("Write", given), said("end")) == ["call 1: Write", *lines, "agent", "    end"]

    def test_a_document_without_a_media_type_has_the_type_of_its_block(self):
        document = {"type": "document", "source": {"type": "text", "data": "abc"}}
        assert shown(resulted([document])) == ["result 1", "    (document, 3 characters of text)"]

    @pytest.mark.parametrize(
        ("count", "last"), [(40, "    39: x"), (41, "    ... (1 more)"), (99, "    ... (59 more)")]
    )
    def test_of_many_keys_forty_are_shown(self, count, last):
        lines = shown(called("X", {f"{n:02}": "x" for n in range(count)}))
        assert (len(lines), lines[40], lines[-1]) == (min(count + 1, 42), "    39: x", last)

    def test_values_and_keys_that_json_does_not_know_are_shown_too(self):
        given = {"b": [PurePosixPath("/x/y")], 1: "one"}
        assert shown(called("X", given)) == ["call 1: X", "    1: one", '    b: ["/x/y"]']


class TestQuestions:
    def test_a_question_whose_names_are_not_known(self):
        no_event = {"subtype": "hook_callback", "callback_id": "hook_0", "input": None}
        assert shown(
            asked(HOOK | {"tool_use_id": "toolu_77"}, "r1"),
            asked(HOOK | {"tool_use_id": ["toolu_77"]}, "r4"),
            asked(no_event, "r2"),
            asked({"subtype": "elicitation"}, "r3"),
            {"type": "control_cancel_request", "request_id": "r9"},
        ) == [
            "hook PreToolUse: not answered",
            "hook PreToolUse: not answered",
            "hook hook_0: not answered",
            'request of unknown type "elicitation": not answered',
            "the CLI withdrew a request",
        ]

    @pytest.mark.parametrize(
        ("message", "title"),
        [
            (None, "mcp calc: None"),
            ({"method": "ask", "params": [1]}, "mcp calc: ask"),
            ({"method": "resources/list", "params": {}}, "mcp calc: resources/list"),
            ({"method": "tools/call", "params": {"name": "add"}}, "mcp calc: tools/call add"),
        ],
    )
    def test_mcp_messages_of_every_shape(self, message, title):
        assert shown(mcp(message)) == [f"{title}: not answered"]

    @pytest.mark.parametrize(
        ("response", "lines"),
        [
            ("odd", ["answered with an error"]),
            ({"result": {"content": "no such key", "isError": True}}, ["answered with an error", "    no such key"]),
            ({"result": {"content": "5", "isError": False}}, ["answered", "    5"]),
        ],
    )
    def test_answers_of_mcp_servers(self, response, lines):
        call = mcp({"method": "tools/call", "params": {"name": "add"}})
        answer = ("sdk", answered({"mcp_response": response}))
        assert shown(call, answer) == [f"mcp calc: tools/call add: {lines[0]}", *lines[1:]]


class TestNoticesAndChecks:
    @pytest.mark.parametrize(
        ("frame", "lines"),
        [
            (
                {"subtype": "api_retry", "attempt": 1, "max_retries": 2, "retry_delay_ms": 5, "error": "unknown"},
                ["API retry 1 of 2 in 5 ms: unknown"],
            ),
            ({"subtype": "compact_boundary"}, ["the CLI compacted the conversation"]),
            (
                {"subtype": "new", "timestamp": "T", "usage": {}, "parent_tool_use_id": None, "more": 1, **MORE},
                ["system new", "    more: 1"],
            ),
        ],
    )
    def test_of_the_cli(self, frame, lines):
        assert shown({"type": "system", **frame}) == lines

    def test_the_envelope_of_other_frames_is_not_shown(self):
        limit = {"type": "rate_limit_event", "status": "allowed"} | MORE
        reset = {"type": "conversation_reset", "why": "clear"} | MORE
        lines = ["rate limit event", "    status: allowed", "conversation reset", "    why: clear"]
        assert shown(limit, reset) == lines

    def test_failed_checks_are_named_and_their_output_keeps_its_shape(self):
        transcript = Transcript("x-1", "title", {})
        rows = [
            CheckRow(name="a", verdict="failed", output="\n\n  X stands in, and ends in X\n\n"),
            CheckRow(name="b", verdict="error", reason="no program"),
            CheckRow(name="c", verdict="passed"),
        ]
        transcript.checks(1, rows, 1)
        assert transcript.render(times=False) == (
            "session x-1: title\n\ngate attempt 1: 2 of 3 checks failed: a, b\n"
            "    FAILED  a\n"
            "            X stands in, and ends in X\n"
            "    ERROR   b: no program\n"
            "    ok      c\n"
        )

    def test_an_output_that_begins_with_a_letter_of_the_frame_keeps_it(self):
        transcript = Transcript("x-1", "title", {})
        transcript.checks(1, [CheckRow(name="a", verdict="failed", output="XY\nYX\n")], 1)
        assert transcript.render(times=False).split("\n")[4:] == ["          XY", "          YX", ""]


class TestNames:
    @pytest.mark.parametrize(
        ("names", "text", "told"),
        [
            ({"/a/b": "${R}"}, "/a/b x/a/bc -a-b -a-bc", "${R} x${R}c ${R} -a-bc"),
            ({"/tmp": "${TMP}"}, "/tmp ./tmp a-/tmp X/tmp -tmp", "${TMP} ./tmp a-/tmp X/tmp -tmp"),
            ({"calc": "${C}"}, "calc x.calc xcalc Xcalc calcx calcX", "${C} x.${C} xcalc Xcalc calcx calcX"),
            ({"a/b/c": "${R}"}, "a/b/c a-b-c", "${R} a-b-c"),
            ({"/Users/Ann/ws": "${W}"}, "projects/-Users-Ann-ws/x.jsonl", "projects/${W}/x.jsonl"),
        ],
    )
    def test_where_a_value_is_found(self, names, text, told):
        assert shown(said(text), names=names)[1] == f"    {told}"

    def test_an_id_inside_a_word_is_none(self):
        assert shown(said("X1a2b3c4 1a2b3c4X x1a2b3c4 1a2b3c4"))[1] == "    X1a2b3c4 1a2b3c4X x1a2b3c4 <commit 1>"

    def test_ids_of_the_model_are_numbered_by_kind(self):
        one, other = ("01" + letter * 22 for letter in "aB")
        text = f"toolu_{one} toolu_{other} toolu_{one} req_{one} req_{other} msg_{other}"
        assert shown(said(text))[1] == ("    <tool id 1> <tool id 2> <tool id 1> <request 1> <request 2> <message 1>")

    def test_an_id_of_four_letters_has_a_name_and_a_shorter_one_not(self):
        assert shown(said("wxyz", session_id="wxyz"), said("abc", session_id="abc"))[1::2] == [
            "    <session 1>",
            "    abc",
        ]


class TestBounds:
    @pytest.mark.parametrize(
        ("count", "kept"),
        [
            (2, ["0", "1"]),
            (3, ["0", "1", "2"]),
            (4, ["0", "... (2 lines left out)", "3"]),
            (9, ["0", "... (7 lines left out)", "8"]),
        ],
    )
    def test_one_line_is_never_left_out(self, count, kept):
        assert bounded([str(n) for n in range(count)], head=1, tail=1) == kept

    def test_a_line_is_cut_where_it_is_longer_than_lines_may_be(self):
        whole = "x" * LINE_LENGTH
        assert bounded([whole, whole + "y"], head=2, tail=0) == [whole, f"{whole}... (1 more characters)"]
