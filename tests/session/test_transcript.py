"""Transcripts: a real session as text, equal runs as equal text, and frames that mean harm."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from pytest_mala.session.transcript import CheckRow, Transcript

DATA = Path(__file__).parent.parent / "data" / "frames"
NAMES = {"/tmp/mala-3d1bslnv/ws": "${WORKSPACE}", "/tmp/mala-3d1bslnv/config": "${CONFIG}"}

GOLDEN = """\
session calc-1: add() subtracts

    0.000  connection 1: work
    0.003  hooks: PreToolUse

    0.353  turn 1, connection 1: prompt (work)
               | please do it
    0.403  session <session 1>: model claude-sonnet-5-5, permissions bypassPermissions
    0.455  agent
               I will look.
    0.460  call 1: Bash
               $ cat a.txt
    0.469  hook PreToolUse for call 1: no opinion
    0.532  result 1
               hello
    0.554  call 2: Edit
               ${WORKSPACE}/a.txt
               - hello
               + bye
    0.561  hook PreToolUse for call 2: no opinion
    0.591  result 2
               The file ${WORKSPACE}/a.txt has been updated successfully. (file state is current in your context \
— no need to Read it back)
    0.607  call 3: Read
               ${WORKSPACE}/a.txt
    0.611  hook PreToolUse for call 3: no opinion
    0.635  result 3
               1       bye
               2
    0.657  call 4: Bash
               $ false
    0.659  hook PreToolUse for call 4: no opinion
    0.678  result 4 (error)
               Exit code 1
    0.694  agent
               Done.
    0.702  turn ended: success, 5 model calls
    0.702  state AWAITING_LOG, effect WAIT_FOR_LOG

    0.910  gate attempt 1: 1 of 2 checks failed: test
               ok      lint
               FAILED  test: exit status 1, expected 0
                     E   assert 5 == -1
                     1 failed in 0.00s
           (300.0 s of silence)
  300.910  * the agent was silent for 300 s: the session is interrupted

  300.910  outcome: gate-failed
               1 of 2 checks failed: test
"""


def real_frames():
    lines = map(json.loads, (DATA / "one_turn.ndjson").read_text("utf-8").splitlines())
    return [({">": "sdk", "<": "cli"}[line["dir"]], line["msg"], line["t"]) for line in lines]


def whole_session():
    transcript = Transcript("calc-1", "add() subtracts", NAMES)
    transcript.connection(1, "work", 0)
    for direction, frame, at in real_frames():
        transcript.frame(direction, frame, at)
    transcript.state("AWAITING_LOG", "WAIT_FOR_LOG", 0.7023)
    failed = CheckRow(
        name="test",
        verdict="failed",
        exit_status=1,
        reason="exit status 1, expected 0",
        output="E   assert 5 == -1\n1 failed in 0.00s\n",
    )
    transcript.checks(1, [CheckRow(name="lint", verdict="passed", output="all good"), failed], 0.91)
    transcript.note("the agent was silent for 300 s: the session is interrupted", 300.91)
    transcript.outcome("gate-failed", "1 of 2 checks failed: test", 300.91)
    return transcript


def shown(*frames, names=None, times=False):
    """The lines that these frames add, from the CLI unless it says `sdk`."""
    transcript = Transcript("x-1", "title", names or {})
    for index, frame in enumerate(frames):
        direction, content = frame if isinstance(frame, tuple) else ("cli", frame)
        transcript.frame(direction, content, float(index))
    return transcript.render(times=times).split("\n", 1)[1].strip("\n").split("\n")


def said(text, **more):
    content = [{"type": "text", "text": text}] if isinstance(text, str) else text
    return {"type": "assistant", "message": {"content": content}, "session_id": "session-1"} | more


def called(name, given, tool_id="toolu_1"):
    return said([{"type": "tool_use", "id": tool_id, "name": name, "input": given}])


def resulted(content, tool_id="toolu_1", **more):
    block = {"type": "tool_result", "tool_use_id": tool_id, "content": content} | more
    return {"type": "user", "message": {"content": [block]}}


def asked(request, request_id="r1"):
    return {"type": "control_request", "request_id": request_id, "request": request}


def answered(response, request_id="r1", **more):
    response = {"subtype": "success", "request_id": request_id, "response": response} | more
    return {"type": "control_response", "response": response}


HOOK = {"subtype": "hook_callback", "callback_id": "hook_0", "input": {"hook_event_name": "PreToolUse"}}


class TestAWholeSession:
    def test_reads_like_a_protocol(self):
        assert whole_session().render() == GOLDEN

    def test_without_times_nothing_tells_about_the_clock(self):
        text = whole_session().render(times=False)
        assert "\n(a long silence)\n* the agent was silent for 300 s" in text
        assert "\ncall 1: Bash\n    $ cat a.txt\nhook PreToolUse for call 1: no opinion\n" in text
        later = Transcript("calc-1", "add() subtracts", NAMES)
        later.connection(1, "work", 7.5)
        for direction, frame, at in real_frames():
            later.frame(direction, frame, 8 + at * 1.5)
        assert text.startswith(later.render(times=False))

    def test_is_equal_in_another_place_with_other_ids(self):
        text = (DATA / "one_turn.ndjson").read_text("utf-8")
        for old, new in (
            ("/tmp/mala-3d1bslnv", "/var/folders/sp äce/T"),
            ("-tmp-mala-3d1bslnv-ws", "-var-folders-sp--ce-T-ws"),
            ("cab88e41-a898-4bc8-81f0-44a0305eaa93", "11111111-2222-3333-4444-555555555555"),
            ("toolu_", "toolu_01AbCdEfGhIjKlMnOpQrSt"),
        ):
            text = text.replace(old, new)
        names = {"/var/folders/sp äce/T/ws": "${WORKSPACE}", "/var/folders/sp äce/T/config": "${CONFIG}"}
        transcript = Transcript("calc-1", "add() subtracts", names)
        transcript.connection(1, "work", 0)
        for line in map(json.loads, text.splitlines()):
            transcript.frame({">": "sdk", "<": "cli"}[line["dir"]], line["msg"], line["t"])
        assert GOLDEN.startswith(transcript.render())

    def test_the_order_of_hook_answers_and_of_keys_makes_no_difference(self):
        def turned(value):
            if isinstance(value, dict):
                return {key: turned(value[key]) for key in sorted(value, reverse=True)}
            return [turned(item) for item in value] if isinstance(value, list) else value

        call = called("mcp__calc__add", {"b": 3, "a": {"y": 1, "x": [2]}})
        hooks = [asked(HOOK, "r1"), asked(HOOK | {"callback_id": "hook_1"}, "r2")]
        answers = [("sdk", answered({"decision": "block", "reason": "no"}, "r1")), ("sdk", answered({}, "r2"))]
        one = shown(call, *hooks, *answers)
        other = shown(turned(call), *map(turned, hooks), *reversed(answers))
        assert one == other

    @pytest.mark.parametrize("hash_seed", ["0", "77"])
    def test_does_not_depend_on_the_hash_seed(self, hash_seed):
        code = (
            "import sys; sys.path[:0] = sys.argv[1:]; import test_transcript as t\n"
            "print(t.whole_session().render(), end='')"
        )
        places = [str(Path(__file__).parent), str(Path(__file__).parent.parent.parent)]
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code, *places],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode() == GOLDEN

    def test_a_trailing_idle_frame_and_partial_messages_show_nothing(self):
        idle = {"type": "system", "subtype": "session_state_changed", "state": "idle"}
        hidden = [idle, {"type": "stream_event", "event": {}}, {"type": "transcript_mirror"}]
        assert shown(said("hi"), *hidden) == shown(said("hi"))
        assert shown(said("hi"), said("echo", type="user", isReplay=True)) == shown(said("hi"))


class TestTurns:
    def test_a_prompt_has_its_number_its_purpose_and_its_time(self):
        transcript = Transcript("x-1", "title", {})
        for number, purpose in ((1, "work"), (2, "gate retry")):
            transcript.connection(number, purpose, number)
            transcript.frame("sdk", {"type": "user", "message": {"content": f"do\n\n{purpose}"}}, number + 0.5)
        assert transcript.render() == (
            "session x-1: title\n\n    1.000  connection 1: work\n\n    1.500  turn 1, connection 1: prompt (work)\n"
            "               | do\n               |\n               | work\n"
            "\n    2.000  connection 2: gate retry\n\n    2.500  turn 2, connection 2: prompt (gate retry)\n"
            "               | do\n               |\n               | gate retry\n"
        )

    @pytest.mark.parametrize(
        ("frame", "lines"),
        [
            ({"subtype": "success", "num_turns": 1, "result": "ok"}, ["turn ended: success, 1 model call"]),
            (
                {"subtype": "success", "is_error": True, "result": "API Error: 529"},
                ["turn ended: error", "    API Error: 529"],
            ),
            (
                {
                    "subtype": "error_during_execution",
                    "is_error": True,
                    "terminal_reason": "aborted_streaming",
                    "errors": ["[x] y", 7],
                },
                ["turn ended: error_during_execution (aborted_streaming)", "    [x] y", "    7"],
            ),
            ({}, ["turn ended: None"]),
        ],
    )
    def test_how_a_turn_ended(self, frame, lines):
        assert shown({"type": "result", **frame}) == lines

    def test_a_connection_says_once_what_the_cli_started(self):
        init = {"type": "system", "subtype": "init", "session_id": "session-1", "model": "m", "permissionMode": "p"}
        assert shown(init, init) == ["session <session 1>: model m, permissions p"]
        assert shown(init, init | {"model": "n"})[1:] == ["session <session 1>: model n, permissions p"]

    def test_a_background_task_has_a_name_of_its_own_and_says_how_it_ended(self):
        task = {"type": "system", "task_id": "b10000001", "run_id": "0mwumidkt-b1000002"}
        done = {"status": "completed", "summary": 'Background command "Write" completed (exit code 0)'}
        assert shown(
            resulted("Running as b10000001. Output: /tmp/tasks/b10000001.output"),
            task | {"subtype": "task_started", "description": "Write"},
            task | {"subtype": "task_progress", "description": "Write"},
            task | {"subtype": "task_updated", "patch": {"status": "completed", "end_time": 1}},
            task | {"subtype": "task_notification", **done},
            task | {"subtype": "task_started", "description": "Next", "task_id": "b10000009"},
        ) == [
            "result 1",
            "    Running as <task 1>. Output: /tmp/tasks/<task 1>.output",
            "task <task 1> started: Write",
            "task <task 1> completed",
            '    Background command "Write" completed (exit code 0)',
            "task <task 2> started: Next",
        ]

    def test_five_seconds_without_a_frame_are_a_silence(self):
        transcript = Transcript("x-1", "title", {})
        for at in (0.0, 4.999, 9.999, 10.0):
            transcript.frame("cli", said("hi"), at)
        assert transcript.render().count("silence") == 1
        assert "           (5.0 s of silence)\n    9.999  agent\n" in transcript.render()

    def test_partial_messages_are_no_silence_and_the_gates_time_neither(self):
        transcript = Transcript("x-1", "title", {})
        transcript.frame("cli", said("hi"), 0)
        for at in (4, 8, 12):
            transcript.frame("cli", {"type": "stream_event"}, at)
        transcript.frame("cli", said("hi"), 16)
        transcript.checks(1, [], 100)
        transcript.state("SUCCESS", "COMPLETE_SUCCESS", 200)
        assert "silence" not in transcript.render()


class TestToolCalls:
    def test_bash(self):
        given = {"command": "cat <<E\nx\nE", "description": "d", "timeout": 5, "run_in_background": False}
        assert shown(called("Bash", given)) == ["call 1: Bash", "    $ cat <<E", "      x", "      E", "    timeout: 5"]

    def test_edit(self):
        given = {"file_path": "a.py", "old_string": "x = 1\ny = 2\n", "new_string": "", "replace_all": True}
        lines = ["call 1: Edit", "    a.py (every occurrence)", "    - x = 1", "    - y = 2"]
        assert shown(called("Edit", given)) == lines

    def test_write_counts_and_bounds(self):
        lines = shown(called("Write", {"file_path": "a.py", "content": "".join(f"{n}\n" for n in range(100))}))
        assert lines[:3] == ["call 1: Write", "    a.py (100 lines)", "    + 0"]
        assert lines[21:24] == ["    + 19", "    + ... (70 lines left out)", "    + 90"]
        assert len(lines) == 33

    def test_other_tools_and_odd_inputs_are_shown_key_by_key(self):
        given = {"pattern": "*.py", "limit": 3, "more": {"b": None, "a": "ä"}, "text": "one\ntwo"}
        assert shown(called("Glob", given)) == [
            "call 1: Glob",
            "    limit: 3",
            '    more: {"a": "ä", "b": null}',
            "    pattern: *.py",
            "    text: one",
            "      two",
        ]
        assert shown(called("Bash", {"command": 7})) == ["call 1: Bash", "    command: 7"]
        assert shown(called("Edit", ["x"])) == ["call 1: Edit", '    ["x"]']
        assert shown(called(None, None, tool_id=None)) == ["call 1: None"]

    def test_results_are_bounded_and_errors_said(self):
        lines = shown(called("Bash", {"command": "x"}), resulted("\n".join("abcdefghij" * 5), is_error=True))
        assert lines[2] == "result 1 (error)"
        assert lines[3:] == [f"    {c}" for c in "abcdefghij" * 2] + ["    ... (20 lines left out)"] + [
            f"    {c}" for c in "abcdefghij"
        ]

    def test_results_in_blocks(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40}}
        content = [{"type": "text", "text": "a\nb"}, image, {"type": "tool_reference", "tool_name": "X"}, 7]
        assert shown(resulted(content)) == [
            "result 1",
            "    a",
            "    b",
            "    (image/png, 40 characters of base64)",
            '    {"tool_name": "X", "type": "tool_reference"}',
            "    7",
        ]

    def test_results_that_cross_name_their_calls(self):
        calls = [called("Read", {"file_path": name}, tool_id=f"toolu_{name}") for name in "ab"]
        results = [resulted("x", tool_id=f"toolu_{name}") for name in "ba"]
        assert shown(*calls, *results)[4:] == ["result 2", "    x", "result 1", "    x"]

    def test_a_sub_agent_is_named(self):
        task = called("Task", {"prompt": "look"}, tool_id="toolu_9")
        assert shown(task, said("hi", parent_tool_use_id="toolu_9"))[2:] == ["agent (sub-agent of call 1)", "    hi"]

    def test_thoughts_interruptions_and_errors(self):
        assert shown(
            said([{"type": "thinking", "thinking": "hm", "signature": "zzz"}]),
            said("half", aborted=True),
            {"type": "user", "message": {"content": [{"type": "text", "text": "[Request interrupted by user]"}]}},
            said("API Error", error="rate_limit"),
        ) == [
            "agent thinks",
            "    hm",
            "agent (cut off)",
            "    half",
            "to the agent",
            "    [Request interrupted by user]",
            "agent",
            "    API Error",
            "agent error: rate_limit",
        ]


class TestQuestionsAndAnswers:
    @pytest.mark.parametrize(
        ("answer", "lines"),
        [
            ({}, ["hook PreToolUse: no opinion"]),
            ({"decision": "block", "reason": "locked"}, ["hook PreToolUse: block: locked"]),
            ({"systemMessage": "careful"}, ["hook PreToolUse: answered", "    systemMessage: careful"]),
            (
                {
                    "hookSpecificOutput": {
                        "hookEventName": "PreToolUse",
                        "permissionDecision": "deny",
                        "permissionDecisionReason": "no",
                        "updatedInput": {"command": "ls"},
                    }
                },
                ["hook PreToolUse: deny: no", '    updatedInput: {"command": "ls"}'],
            ),
        ],
    )
    def test_hooks(self, answer, lines):
        assert shown(asked(HOOK), ("sdk", answered(answer))) == lines

    def test_an_answer_stands_with_its_question(self):
        call = called("Bash", {"command": "ls"})
        question = asked(HOOK | {"tool_use_id": "toolu_1"})
        lines = shown(call, question, said("meanwhile"), ("sdk", answered({})))
        assert lines[2:] == ["hook PreToolUse for call 1: no opinion", "agent", "    meanwhile"]

    def test_no_answer_and_a_failed_one_are_said(self):
        assert shown(asked(HOOK)) == ["hook PreToolUse: not answered"]
        failed = {"subtype": "error", "error": "boom"}
        assert shown(asked(HOOK), ("sdk", answered({}, **failed))) == ["hook PreToolUse: failed: boom"]
        assert shown(asked(HOOK), {"type": "control_cancel_request", "request_id": "r1"}) == [
            "hook PreToolUse: not answered",
            "the CLI withdrew a request: hook PreToolUse",
        ]

    @pytest.mark.parametrize(
        ("answer", "lines"),
        [
            ({"behavior": "allow", "updatedInput": {"command": "ls"}}, ["permission asked: Bash: allowed"]),
            (
                {"behavior": "allow", "updatedInput": {"command": "pwd"}},
                ["permission asked: Bash: allowed with another input", "    $ pwd"],
            ),
            ({"behavior": "deny", "message": "not here"}, ["permission asked: Bash: denied: not here"]),
            ({}, ["permission asked: Bash: denied: no reason given"]),
        ],
    )
    def test_permissions(self, answer, lines):
        request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}}
        assert shown(asked(request), ("sdk", answered(answer))) == lines

    def test_mcp_calls_but_not_their_handshakes(self):
        def mcp(method, **params):
            message = {"jsonrpc": "2.0", "method": method, "params": params}
            return {"subtype": "mcp_message", "server_name": "calc", "message": message}

        quiet = [asked(mcp(method), "r0") for method in ("initialize", "notifications/initialized", "tools/list")]
        call = asked(mcp("tools/call", name="add", arguments={"a": 2, "b": 3}))
        result = {"content": [{"type": "text", "text": "5"}], "isError": False}
        answer = ("sdk", answered({"mcp_response": {"result": result}}))
        lines = ["mcp calc: tools/call add: answered", "    a: 2", "    b: 3", "    5"]
        assert shown(*quiet, ("sdk", answered({}, "r0")), call, answer) == lines
        bad = ("sdk", answered({"mcp_response": {"error": {"code": -32601, "message": "no"}}}))
        assert shown(call, bad)[-1] == '    {"code": -32601, "message": "no"}'
        assert shown(call, bad)[0] == "mcp calc: tools/call add: answered with an error"

    def test_our_requests(self):
        interrupt = ("sdk", asked({"subtype": "interrupt"}))
        assert shown(interrupt) == ["request interrupt: not answered"]
        assert shown(interrupt, answered({"still_queued": []})) == ["request interrupt: done"]
        model = ("sdk", asked({"subtype": "set_model", "model": "m"}))
        bad = answered({}, subtype="error", error="no such model")
        assert shown(model, bad) == ["request set_model: failed: no such model", "    model: m"]

    def test_hooks_that_are_registered(self):
        hooks = {"PreToolUse": [{"matcher": "Bash|Edit"}, {"matcher": None}], "Stop": [{}]}
        request = ("sdk", asked({"subtype": "initialize", "hooks": hooks}))
        assert shown(request) == ["hooks: PreToolUse(Bash|Edit), PreToolUse, Stop"]
        assert shown(("sdk", asked({"subtype": "initialize", "hooks": None}))) == [""]


class TestNotices:
    @pytest.mark.parametrize(
        ("frame", "line"),
        [
            (
                {
                    "subtype": "api_retry",
                    "attempt": 1,
                    "max_retries": 10,
                    "retry_delay_ms": 572,
                    "error_status": 529,
                    "error": "overloaded",
                },
                "API retry 1 of 10 in 572 ms: overloaded (529)",
            ),
            (
                {"subtype": "compact_boundary", "compact_metadata": {"trigger": "auto", "pre_tokens": 9}},
                "the CLI compacted the conversation after 9 tokens (auto)",
            ),
            ({"subtype": "model_fallback"}, "system model_fallback"),
            ({}, "system None"),
        ],
    )
    def test_of_the_cli(self, frame, line):
        assert shown({"type": "system", **frame}) == [line]

    def test_other_kinds_of_frames(self):
        limit = {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}, "uuid": "u"}
        assert shown(limit) == ["rate limit event", '    rate_limit_info: {"status": "allowed"}']
        assert shown({"type": "x"}) == ["(frame of unknown type 'x')"]
        assert shown({}, ("sdk", {"type": 7})) == ["(frame without a type)", "(frame without a type)"]

    def test_notes_and_outcome_may_have_several_lines(self):
        transcript = Transcript("x-1", "title", {})
        transcript.note("first\nsecond", 1)
        transcript.outcome("idle", "", 2)
        text = "session x-1: title\n* first\n    second\n\noutcome: idle\n"
        assert transcript.render(times=False) == text

    def test_checks_that_pass_or_could_not_run(self):
        transcript = Transcript("x-1", "title", {})
        transcript.checks(1, [CheckRow(name="a", verdict="passed", output="not shown")], 1)
        transcript.checks(2, [CheckRow(name="b", verdict="timed-out", reason="did not end within 2 s")], 2)
        assert transcript.render(times=False) == (
            "session x-1: title\n\ngate attempt 1: 1 check passed\n    ok      a\n"
            "\ngate attempt 2: 1 of 1 check failed: b\n    TIMED OUT  b: did not end within 2 s\n"
        )


class TestNames:
    FULL = "42f302577aa1e9b5f3c0d1e2f3a4b5c6d7e8f901"

    def test_the_longest_value_wins(self):
        names = {"/a/b": "${ROOT}", "/a/b/ws": "${WORKSPACE}", "/a/b/ws/deep": "${DEEP}"}
        assert (
            shown(said("/a/b/ws/x /a/b/ws/deep/x /a/b/y"), names=names)[1] == "    ${WORKSPACE}/x ${DEEP}/x ${ROOT}/y"
        )

    def test_a_short_path_is_only_found_where_a_path_starts(self):
        names = {"/tmp": "${TMP}"}
        assert shown(said("/tmp/x /var/tmp/y =/tmp /tmpx"), names=names)[1] == "    ${TMP}/x /var/tmp/y =${TMP} /tmpx"

    def test_a_path_as_the_cli_makes_a_folder_name_of_it(self):
        names = {"/tmp/a b/ws": "${WORKSPACE}"}
        assert shown(said("projects/-tmp-a-b-ws/x.jsonl"), names=names)[1] == "    projects/${WORKSPACE}/x.jsonl"

    def test_a_short_commit_id_has_the_name_of_the_full_one_even_if_that_comes_later(self):
        lines = shown(said("[main 42f3025] x"), said(f"commit {self.FULL}"), said("0000000 deadbee1 deadbee1"))
        assert lines[1::2] == ["    [main <commit 1>] x", "    commit <commit 1>", "    0000000 <commit 2> <commit 2>"]

    def test_words_and_numbers_are_no_commit_ids(self):
        text = "    defaced 1700000000 0x7f3a9c1b2d #a1b2c3 abcdef012345678 sha256:" + "a1" * 32
        assert shown(said(text))[1] == "    " + text

    def test_digits_alone_are_an_id_where_they_start_a_known_one(self):
        full = "1234567" + "ab" * 16 + "c"
        assert shown(said(f"1234567 of {full}"))[1] == "    <commit 1> of <commit 1>"

    def test_colours_hide_no_id(self):
        assert shown(said("\x1b[33m42f3025\x1b[m"))[1] == "    \\x1b[33m<commit 1>\\x1b[m"

    def test_ids_of_sessions_calls_and_others(self):
        texts = [
            "session-1, resumed session-1, not session-10",
            "11111111-2222-3333-4444-555555555555 and 11111111-2222-3333-4444-555555555555",
            "toolu_1 msg_01AbCdEfGhIjKlMnOpQrStUv req_handler_function",
        ]
        assert shown(called("X", None), *map(said, texts))[2::2] == [
            "    <session 1>, resumed <session 1>, not session-10",
            "    <uuid 1> and <uuid 1>",
            "    call 1 <message 1> req_handler_function",
        ]

    def test_the_issues_own_id_is_left_alone(self):
        transcript = Transcript("bd-a1b2c3d", "title of bd-a1b2c3d", {})
        assert transcript.render() == "session bd-a1b2c3d: title of bd-a1b2c3d\n"

    def test_lines_are_cut_after_names_are_put_in(self):
        short, long = "/t/w", "/var/folders/of/some/very/long/name/w"
        text = "x" * 390 + " {}/abcdefghijkl"
        one, other = (shown(said(text.format(path)), names={path: "${W}"}) for path in (short, long))
        assert one == other
        assert one[1].endswith("${W}/abcd... (8 more characters)")


class TestHostileInput:
    def test_control_characters_are_spelt_out(self):
        text = "\x1b[31m\x07\r\nx\x00\x9b\u202e\u2028\ufeff\ud800 👩\u200d💻\ttab"
        assert shown(said(text))[1:] == [
            "    \\x1b[31m\\x07\\r",
            "    x\\x00\\x9b\\u202e\\u2028\\ufeff\\ud800 👩\u200d💻   tab",
        ]

    def test_titles_stay_on_one_line_and_bounded(self):
        lines = shown(called("a\nb" * 1000, None))
        assert len(lines) == 1
        assert lines[0].endswith("more characters)")

    def test_endless_texts_are_bounded(self):
        lines = shown(said("x" * 10_000_000), said("y\n" * 100_000), said([{"type": "text", "text": "z"}] * 3))
        assert lines[1] == "    " + "x" * 400 + "... (9999600 more characters)"
        assert lines[153] == "    ... (99801 lines left out)"
        assert len(shown(called("X", {str(n): n for n in range(10_000)}))) == 42
        assert len(shown(resulted([{"type": "text", "text": "x"}] * 10_000))) == 42

    def test_deep_nesting(self):
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        assert shown(called("X", {"a": deep})) == ["call 1: X", "    a: (a value that can't be shown)"]
        while deep:  # taken apart by hand, since freeing it at once would overflow the stack of some Pythons
            deep = deep.pop()

    def test_every_field_of_real_frames_may_be_anything(self):
        random_order = random.Random(5)
        odd = [None, True, 7, 1.5, "", "x\n\ud800", [], {}, [None], {"a": [1]}, [[]], [{"type": "text"}], {"type": 3}]

        def spoilt(value):
            if random_order.random() < 0.15:
                return random_order.choice(odd)
            if isinstance(value, dict):
                return {key: spoilt(item) for key, item in value.items()}
            return [spoilt(item) for item in value] if isinstance(value, list) else value

        for _ in range(60):
            transcript = Transcript("x-1", "title", NAMES)
            for direction, frame, at in real_frames():
                damaged = spoilt(frame)
                transcript.frame(direction, damaged if isinstance(damaged, dict) else {}, at)
            transcript.render().encode()

    @settings(deadline=None, database=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=8,
        ),
        st.sampled_from(["assistant", "user", "result", "system", "control_request", "control_response", "x"]),
        st.sampled_from(["cli", "sdk"]),
    )
    def test_any_json_can_be_told(self, value, kind, direction):
        transcript = Transcript("x-1", "title", {})
        for frame in ({"type": kind, "message": {"content": value}}, {"type": kind, "request": value}):
            transcript.frame(direction, frame, 0)
        transcript.frame(direction, {"type": kind, "response": value, "subtype": value, "error": value}, 0)
        transcript.render().encode()
