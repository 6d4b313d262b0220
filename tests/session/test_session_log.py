"""Session logs: where they lie, what is read from them, and logs written from recorded frames."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_mala.errors import HarnessError
from pytest_mala.session.log import (
    LogWriter,
    assistant_texts,
    bash_commands,
    end_offset,
    has_uuid,
    last_uuid,
    log_path,
    main_thread,
    read_entries,
    tool_results,
)

DATA = Path(__file__).parent.parent / "data"
REAL = DATA / "session_logs"
SESSION = "cab88e41-a898-4bc8-81f0-44a0305eaa93"


def frames():
    lines = (DATA / "frames" / "one_turn.ndjson").read_text("utf-8").splitlines()
    return [frame["msg"] for frame in map(json.loads, lines) if frame["dir"] == "<"]


def writer(tmp_path, **given):
    workspace = tmp_path / "workspace"
    workspace.mkdir(exist_ok=True)
    return LogWriter(tmp_path / "config", workspace, now=lambda: datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), **given)


def data_of(path):
    return [dict(entry.data) for entry in read_entries(path)]


def message(uuid, text="hi", **more):
    content = [{"type": "text", "text": text}]
    frame = {"type": "assistant", "message": {"role": "assistant", "content": content}, "uuid": uuid}
    return frame | {"session_id": "s1", "timestamp": "T", "parent_tool_use_id": None} | more


@pytest.fixture
def far_east(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def write(tmp_path, *lines):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


class TestWhereALogLies:
    def test_every_other_character_of_the_real_path_is_a_hyphen(self, tmp_path):
        place = tmp_path / "Sp äce_1.X"
        place.mkdir()
        (tmp_path / "link").symlink_to(place)
        encoded = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(place.resolve()))
        assert log_path(tmp_path / "c", tmp_path / "link", "id-1") == tmp_path / f"c/projects/{encoded}/id-1.jsonl"

    def test_a_long_path_is_cut_as_the_cli_cuts_it_and_found_under_the_hash_it_chose(self, tmp_path):
        deep = Path("/", "x" * 150, "y" * 150)
        made = log_path(tmp_path, deep, "id")
        assert made.parent.name == f"-{'x' * 150}-{'y' * 48}-mala"
        theirs = made.parent.with_name(made.parent.name.removesuffix("-mala") + "-1a2b3c")
        theirs.mkdir(parents=True)
        (theirs / "id.jsonl").touch()
        assert log_path(tmp_path, deep, "id") == theirs / "id.jsonl"

    def test_two_hundred_characters_are_not_too_long(self, tmp_path):
        encoded = [log_path(tmp_path, Path("/", "x" * length), "id").parent.name for length in (199, 200)]
        assert encoded == [f"-{'x' * 199}", f"-{'x' * 199}-mala"]

    def test_an_id_need_not_be_a_uuid(self, tmp_path):
        assert log_path(tmp_path, tmp_path, "X.").name == "X..jsonl"

    @pytest.mark.parametrize("session_id", ["", ".", "..", "../../x", "a\\b", "a\x00b"])
    def test_an_id_that_leads_elsewhere_is_refused(self, tmp_path, session_id):
        with pytest.raises(HarnessError) as caught:
            log_path(tmp_path, tmp_path, session_id)
        assert str(caught.value) == f"session id {session_id!r} can't name a log file; expected an id like a UUID"


class TestReadingRealLogs:
    @pytest.mark.parametrize(
        ("name", "entries", "texts", "commands", "results", "errors"),
        [("short", 15, 2, 1, 2, 2), ("tool_heavy", 39, 2, 2, 6, 0), ("subagent", 10, 3, 0, 2, 0)],
    )
    def test_all_lines_are_understood(self, name, entries, texts, commands, results, errors):
        log = read_entries(REAL / f"{name}.jsonl")
        found = list(log)
        outcomes = list(tool_results(found))
        counts = (len(found), len(list(assistant_texts(found))), len(list(bash_commands(found))), len(outcomes))
        assert counts == (entries, texts, commands, results)
        assert (sum(is_error for _, is_error in outcomes), log.skipped) == (errors, 0)

    def test_offsets_and_lengths_tile_the_file(self):
        path = REAL / "tool_heavy.jsonl"
        found = list(read_entries(path))
        assert [entry.offset for entry in found[1:]] == [entry.offset + entry.length for entry in found[:-1]]
        assert end_offset(path) == path.stat().st_size == found[-1].offset + found[-1].length
        assert list(read_entries(path, found[20].offset)) == found[20:]

    def test_what_the_agent_ran_and_said(self):
        found = list(read_entries(REAL / "short.jsonl"))
        assert list(bash_commands(found)) == [("toolu_0116Hyi5v8ut7Ffb7d8qV1Sc", "mix phx.server 2>&1 | head -80")]
        assert list(assistant_texts(found)) == [
            "\n\n",
            "Let me check the project structure and try running the server to see the error.",
        ]

    def test_a_sub_agents_log_has_nothing_of_the_main_thread(self):
        assert list(main_thread(read_entries(REAL / "subagent.jsonl"))) == []

    def test_ids_are_found(self):
        path = REAL / "short.jsonl"
        last = "40003bdd-2613-4975-83d5-36fb0b6bbc59"
        assert last_uuid(path) == last
        assert has_uuid(path, last)
        assert not has_uuid(path, last, end_offset(path))
        assert not has_uuid(path, "3382059c-1d1a-4972-9e58-d3bc5edaf4d0"), "only named as parentToolUseID"


class TestReadingOddLogs:
    def test_odd_lines_are_skipped_and_counted(self, tmp_path):
        good = message("u1")
        odd = [b"[]", b"123", b"null", b'"text"', b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b'{"a": 1} x']
        log = read_entries(write(tmp_path, good, *odd, b"", b"   ", good))
        assert log.skipped == 0, "before it is read"
        assert [entry.data for entry in log] == [good, good]
        assert log.skipped == len(odd)

    @pytest.mark.parametrize("role", ["assistant", "user"])
    @pytest.mark.parametrize(
        "odd",
        [None, 1, "text", [], {}, {"content": None}, {"content": "text"}, {"content": [None, 1, "x", []]}]
        + [{"content": [{"type": kind}]} for kind in ("text", "tool_use", "tool_result", "", None)]
        + [{"content": [{"type": "tool_use", "name": "Bash", "id": "x", "input": given}]} for given in (None, [], {})]
        + [{"content": [{"type": "tool_use", "name": 1, "id": "x", "input": {"command": "ls"}}]}]
        + [{"content": [{"type": "tool_use", "name": "Bash", "id": None, "input": {"command": "ls"}}]}]
        + [{"content": [{"type": "tool_use", "name": "Bash", "id": "x", "input": {"command": 7}}]}]
        + [{"content": [{"type": "tool_result", "tool_use_id": 4}, {"type": "text", "text": 4}]}],
    )
    def test_odd_messages_hold_nothing(self, tmp_path, role, odd):
        path = write(tmp_path, {"type": role, "message": odd, "uuid": ["no id"]})
        found = list(read_entries(path))
        assert len(found) == 1
        assert [*assistant_texts(found), *bash_commands(found), *tool_results(found)] == []
        assert last_uuid(path) is None

    def test_an_error_flag_that_is_not_plainly_false_is_an_error(self, tmp_path):
        flags = [("a", None), ("b", False), ("c", True), ("d", "true"), ("e", 0)]
        content = [{"type": "tool_result", "tool_use_id": key, "is_error": flag} for key, flag in flags]
        content.append({"type": "tool_result", "tool_use_id": "f"})
        path = write(tmp_path, {"message": {"role": "user", "content": content}})
        expected = {"a": False, "b": False, "c": True, "d": True, "e": True, "f": False}
        assert dict(tool_results(read_entries(path))) == expected

    def test_what_the_user_says_is_never_the_agents_text(self, tmp_path):
        content = [{"type": "text", "text": "hi"}]
        path = write(tmp_path, {"type": "user", "message": {"role": "assistant", "content": content}})
        assert list(assistant_texts(read_entries(path))) == []

    def test_there_may_be_no_file(self, tmp_path):
        for path in (tmp_path / "none.jsonl", tmp_path):
            assert (list(read_entries(path)), end_offset(path, 7), last_uuid(path)) == ([], 7, None)
            assert not has_uuid(path, "x")

    def test_a_half_written_line_is_left_for_the_next_reader(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"}, b'{"uuid": "b", "te')
        end = end_offset(path)
        assert end == len(b'{"uuid": "a"}\n')
        path.write_bytes(path.read_bytes() + b'xt": 1}\n')
        assert [entry.data for entry in read_entries(path, end)] == [{"uuid": "b", "text": 1}]

    def test_a_whole_last_line_without_its_newline_counts(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"}, {"uuid": "b"})
        assert end_offset(path) == path.stat().st_size
        assert list(read_entries(path, end_offset(path))) == []

    def test_a_whole_line_that_is_no_entry_is_passed_over(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"}, b"[odd]", b"")
        assert end_offset(path) == path.stat().st_size

    def test_a_log_is_read_from_its_first_byte(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"})
        assert has_uuid(path, "a")
        assert end_offset(write(tmp_path)) == 0

    @pytest.mark.parametrize("uuid", ['a"b', "ä", "a/b", "AZ_az-09"])
    def test_an_id_is_found_however_json_writes_it(self, tmp_path, uuid):
        path = write(tmp_path, {"uuid": "other"}, {"uuid": uuid})
        assert has_uuid(path, uuid)
        assert not has_uuid(path, uuid + "x")

    def test_offsets_out_of_range_are_the_start_or_the_end(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"})
        assert len(list(read_entries(path, -5))) == 1
        assert list(read_entries(path, 10_000)) == []
        assert end_offset(path, 10_000) == 10_000

    def test_an_offset_inside_a_line_costs_only_that_line(self, tmp_path):
        path = write(tmp_path, {"uuid": "a"}, {"uuid": "b"})
        log = read_entries(path, 3)
        assert [entry.data for entry in log] == [{"uuid": "b"}]
        assert log.skipped == 1


class TestWriting:
    def test_the_log_of_a_recorded_session_has_the_messages_of_the_clis_own_log(self, tmp_path):
        """`one_turn.cli.jsonl`: uuid, parent, role and blocks of the log that the CLI wrote of the same session."""
        log = writer(tmp_path)
        log.connection()
        log.prompt("please do it")
        for frame in frames():
            log.frame(frame)
        made = data_of(log.path(SESSION))
        own = [json.loads(line) for line in (DATA / "frames" / "one_turn.cli.jsonl").read_text("utf-8").splitlines()]
        assert [entry["message"]["content"] for entry in made] == [entry["content"] for entry in own]
        assert [entry["type"] for entry in made] == [entry["type"] for entry in own]
        assert [entry["uuid"] for entry in made[1:]] == [entry["uuid"] for entry in own[1:]], "all but the prompt's"
        assert [entry["timestamp"] for entry in made[1:]] == [entry["timestamp"] for entry in own[1:]]

    def test_an_entry_has_what_the_cli_needs_to_resume(self, tmp_path):
        log = writer(tmp_path, version="2.1.330")
        log.prompt("do it")
        log.frame(message("u1", request_id="req_1", tool_use_result={"stdout": "x"}))
        cwd = str((tmp_path / "workspace").resolve())
        common = {"isSidechain": False, "userType": "external", "cwd": cwd, "sessionId": "s1", "version": "2.1.330"}
        prompt, answer = data_of(log.path("s1"))
        assert prompt == common | {
            "parentUuid": None,
            "type": "user",
            "message": {"role": "user", "content": "do it"},
            "uuid": "aa4c291a-289a-5c37-8edd-140ffc47e628",
            "timestamp": "2026-01-02T03:04:05.678Z",
        }
        assert answer == common | {
            "parentUuid": prompt["uuid"],
            "type": "assistant",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
            "requestId": "req_1",
            "toolUseResult": {"stdout": "x"},
            "uuid": "u1",
            "timestamp": "T",
        }

    def test_a_resumed_session_continues_the_chain_in_one_file(self, tmp_path):
        log = writer(tmp_path)
        log.prompt("one")
        log.frame(message("u1"))
        log.connection(resume="s1")
        log.prompt("two")
        assert len(data_of(log.path("s1"))) == 3, "known at once where it goes"
        log.frame(message("u2"))
        again = writer(tmp_path)
        again.connection()
        again.prompt("three")
        again.frame(message("u3"))
        made = data_of(log.path("s1"))
        assert [entry["parentUuid"] for entry in made] == [None, *(entry["uuid"] for entry in made[:-1])]
        assert [entry["uuid"] for entry in made] == [
            "aa4c291a-289a-5c37-8edd-140ffc47e628",
            "u1",
            "e1393f2f-a0bd-5816-8050-7d224620537d",
            "u2",
            "25129d19-e3f9-5539-9685-a9100a33c313",
            "u3",
        ], "ids of prompts are made of the session's and their place"
        assert b"\n\n" not in log.path("s1").read_bytes()

    def test_a_prompt_on_an_open_connection_is_written_at_once(self, tmp_path):
        log = writer(tmp_path)
        log.frame(message("u1"))
        log.prompt("and now?")
        assert [entry["message"]["content"] for entry in data_of(log.path("s1"))][1:] == ["and now?"]

    def test_another_session_has_a_chain_of_its_own(self, tmp_path):
        log = writer(tmp_path)
        log.prompt("one")
        log.frame(message("u1"))
        log.connection()
        log.prompt("two")
        log.frame(message("u2", session_id="s2"))
        first, _ = data_of(log.path("s2"))
        assert (first["parentUuid"], first["message"]["content"]) == (None, "two")
        assert len(data_of(log.path("s1"))) == 2

    def test_equal_runs_write_equal_bytes(self, tmp_path):
        logs = []
        for name in ("a", "b"):
            log = LogWriter(tmp_path / name, tmp_path, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
            log.prompt("one ä")
            log.frame(message("u1"))
            logs.append(log.path("s1").read_bytes())
        assert logs[0] == logs[1]
        start = '{"parentUuid":null,"isSidechain":false,"userType":"external","cwd":'
        end = ',"sessionId":"s1","version":"","type":"user","message":{"role":"user","content":"one ä"},'
        first, _ = logs[0].decode().splitlines()
        assert first.startswith(start + json.dumps(str(tmp_path.resolve()), ensure_ascii=False) + end)

    def test_times_are_written_in_utc_wherever_it_runs(self, tmp_path, far_east):
        early = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
        log = LogWriter(tmp_path, tmp_path, now=lambda: early)
        log.prompt("one", "s1")
        assert [entry["timestamp"] for entry in data_of(log.path("s1"))] == ["2025-12-31T23:30:00.000Z"]

    def test_nothing_is_written_before_the_cli_would_save_it(self, tmp_path):
        log = writer(tmp_path)
        log.prompt("one")
        log.frame({"type": "system", "subtype": "session_state_changed", "session_id": "s1"})
        assert not log.path("s1").exists()
        log.frame({"type": "system", "subtype": "init", "session_id": "s1", "claude_code_version": "9.9"})
        assert [entry["version"] for entry in data_of(log.path("s1"))] == ["9.9"]

    def test_a_prompt_that_was_never_taken_is_dropped_with_its_connection(self, tmp_path):
        log = writer(tmp_path)
        log.prompt("lost")
        log.connection()
        log.prompt("kept")
        log.frame(message("u1"))
        first, _ = data_of(log.path("s1"))
        assert first["message"]["content"] == "kept"

    def test_sub_agents_echoes_and_other_frames_are_left_out(self, tmp_path):
        log = writer(tmp_path)
        log.frame(message("u0"))
        for odd in (
            message("u1", parent_tool_use_id="toolu_1"),
            message("u2", isReplay=True),
            message("u3", message=None),
            message("u4", message=[]),
            message("u5", session_id=""),
            message("u6", session_id=7),
            message("u7", type="stream_event"),
            message("u0"),
            {},
        ):
            log.frame(odd)
        assert [entry["uuid"] for entry in data_of(log.path("s1"))] == ["u0"]

    def test_a_message_without_an_id_gets_one(self, tmp_path):
        log = writer(tmp_path)
        log.frame(message(None))
        log.frame(message(None))
        first, second = data_of(log.path("s1"))
        assert second["parentUuid"] == first["uuid"] != second["uuid"]

    def test_half_a_surrogate_pair_is_kept(self, tmp_path):
        log = writer(tmp_path)
        log.frame(message("u1", text="\ud800 ä"))
        assert list(assistant_texts(read_entries(log.path("s1")))) == ["\ud800 ä"]
        assert rb'"content":[{"type":"text","text":"\ud800 \u00e4"}]}' in log.path("s1").read_bytes()

    def test_a_torn_last_line_of_an_older_run_is_not_glued_to_the_next(self, tmp_path):
        log = writer(tmp_path)
        log.frame(message("u1"))
        path = log.path("s1")
        path.write_bytes(path.read_bytes() + b'{"type": "assi')
        again = writer(tmp_path)
        again.frame(message("u2"))
        again.frame(message("u3"))
        assert [(entry["uuid"], entry["parentUuid"]) for entry in data_of(path)] == [
            ("u1", None),
            ("u2", "u1"),
            ("u3", "u2"),
        ]


SCRIPT = """\
answers:
  - say: I am back.
    expect: {prompt_contains: and now?}
"""


@pytest.mark.cli
def test_the_real_cli_resumes_from_a_log_written_of_frames(tmp_path):
    """The history it sends to the model is the recorded one, under the same session id, in the same file."""
    from pytest_mala.agent.environment import SCRIPTED_API_KEY, bundled_cli, cli_environment
    from pytest_mala.model import load_script, serve

    places = {name: tmp_path / name for name in ("home", "config", "tmp")}
    for place in places.values():
        place.mkdir()
    log = writer(tmp_path, version="2.1.330")
    log.prompt("please do it")
    for frame in frames():
        log.frame(frame)
    before = len(data_of(log.path(SESSION)))
    (tmp_path / "s.model.yaml").write_text(SCRIPT)
    argv = [str(bundled_cli()), "--print", "--output-format", "stream-json", "--verbose", "--resume", SESSION]
    with serve(load_script(tmp_path / "s.model.yaml"), {}) as server:
        env = cli_environment(**places, base_url=server.url, api_key=SCRIPTED_API_KEY, fixed_git_date=None)
        done = subprocess.run(
            [*argv, "--model", "sonnet", "--permission-mode", "bypassPermissions", "--setting-sources=", "and now?"],
            cwd=tmp_path / "workspace",
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, server.problems) == (0, ()), done.stdout + done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert {frame["session_id"] for frame in said if "session_id" in frame} == {SESSION}
    sent = next(request.everything for request in server.requests if request.number == 1)
    parts = ["please do it", "I will look.", "hello", "Exit code 1", "Done.", "and now?"]
    places_in_text = [sent.find(part) for part in parts]
    assert -1 not in places_in_text
    assert places_in_text == sorted(places_in_text)
    assert len(data_of(log.path(SESSION))) > before


def test_a_log_that_is_handed_over_says_what_its_session_cost_and_is_written_no_more(tmp_path):
    """The CLI takes no entry about costs without all of these numbers; it was measured."""
    log = writer(tmp_path)
    log.prompt("please", "s1")
    log.frame(message("u1"))
    usage = {"m": {"inputTokens": 400, "costUSD": 0.5}}
    log.frame({"type": "result", "session_id": "s1", "total_cost_usd": 0.5, "modelUsage": usage})
    before = data_of(log.path("s1"))
    log.prompt("once more")
    log.hand_over()
    log.connection("s1")
    log.prompt("and again", "s1")
    log.frame(message("u2"))
    *entries, prompt, cost = data_of(log.path("s1"))
    assert entries == before
    assert prompt["message"]["content"] == "once more"
    assert cost == {
        "type": "cost-state",
        "sessionId": "s1",
        "totalCostUSD": 0.5,
        "totalAPIDuration": 0,
        "totalAPIDurationWithoutRetries": 0,
        "totalToolDuration": 0,
        "totalLinesAdded": 0,
        "totalLinesRemoved": 0,
        "totalDuration": 0,
        "startTime": 1767323045678,
        "modelUsage": usage,
        "hasUnknownModelCost": False,
    }


def test_a_session_without_a_log_has_no_costs_to_tell(tmp_path):
    log = writer(tmp_path)
    log.frame({"type": "result", "session_id": "s1", "total_cost_usd": 0.5})
    log.hand_over()
    assert not log.path("s1").exists()
