"""The names of ids: two recordings of one script are equal, and a frame more moves nothing but its own kind."""

from __future__ import annotations

import json
import re

import pytest
from cassette_examples import frames_of, recorded

from pytest_mala.transport.cassette import Aliases, dump

ONE = "519b86dd-f7df-4e4b-96ba-fe5e52cbc6a5"
TWO = "8d2d77c2-98d0-4e19-a890-eaa6d7b47760"
SESSION = "cab88e41-a898-4bc8-81f0-44a0305eaa93"


def canonical(*frames: dict, connection: int = 1) -> list[dict]:
    aliases = Aliases()
    return [aliases.canonical(frame, connection) for frame in frames]


def test_two_recordings_of_one_script_are_equal() -> None:
    assert frames_of("one") != frames_of("two")
    assert dump(recorded("one")) == dump(recorded("two"))


def test_no_id_of_the_recording_is_left() -> None:
    raw = json.dumps(frames_of("one"))
    text = dump(recorded("one"))
    ids = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", raw))
    assert len(ids) > 15
    assert not [name for name in ids if name in text]
    assert "2026-11-24T08:09:28Z" in text  # the start of the take
    assert text.count("2026") == 1


def test_usage_and_cost_are_kept() -> None:
    (result,) = (frame for _, frame in frames_of("one") if frame["type"] == "result")
    (kept,) = canonical(result)
    assert kept["usage"] == result["usage"]
    assert kept["modelUsage"] == result["modelUsage"]
    assert kept["total_cost_usd"] == result["total_cost_usd"]
    assert {key for key in result if kept[key] != result[key]} == {
        *("duration_api_ms", "duration_ms", "ttft_ms", "ttft_stream_ms", "time_to_request_ms"),
        *("first_content_frame_ms", "session_id", "uuid"),
    }


def test_one_frame_more_renumbers_nothing_of_another_kind() -> None:
    frames = [frame for _, frame in frames_of("one")]
    idle = {"type": "system", "subtype": "session_state_changed", "state": "idle", "uuid": ONE, "session_id": SESSION}
    without, more = canonical(*frames), canonical(*frames[:9], idle, *frames[9:])
    del more[9]
    different = [old for old, new in zip(without, more, strict=True) if old != new]
    assert [frame["subtype"] for frame in different] == ["session_state_changed"]


def test_one_frame_more_renumbers_nothing_in_another_connection() -> None:
    frames = [{"type": "assistant", "uuid": ONE, "message": {"id": "msg_01Ab", "content": [{"id": "toolu_01Cd"}]}}]
    few, many = Aliases(), Aliases()
    many.canonical({"type": "assistant", "uuid": TWO, "message": {"id": "msg_01Xy"}, "request_id": "req_011"}, 1)
    assert [few.canonical(frame, 2) for frame in frames] == [many.canonical(frame, 2) for frame in frames]


def test_each_kind_of_id_has_its_own_names() -> None:
    hook = {"subtype": "hook_callback", "input": {"prompt_id": TWO, "session_id": SESSION}, "tool_use_id": "toolu_01Ef"}
    stop = "11111111-98d0-4e19-a890-eaa6d7b47760"
    first, second, third, fourth = canonical(
        {"type": "control_request", "request_id": "req_1_c84fe30f", "request": {"subtype": "initialize"}},
        {"type": "control_request", "request_id": ONE, "request": hook},
        {"type": "control_response", "response": {"request_id": ONE, "response": {}}},
        {
            "type": "assistant",
            "uuid": stop,
            "parent_uuid": ONE.replace("5", "6"),
            "request_id": "req_011CSy",
            "parent_tool_use_id": "toolu_01Ef",
            "message": {"id": "msg_01Gh"},
            "tool_use_id": stop.replace("1", "2"),
        },
        connection=3,
    )
    assert first["request_id"] == "req_1_00000003"
    assert second["request_id"] == third["response"]["request_id"] == "00000005-0003-4000-8000-000000000001"
    assert second["request"]["tool_use_id"] == fourth["parent_tool_use_id"] == "toolu_3_0001"
    assert second["request"]["input"] == {
        "prompt_id": "00000002-0003-4000-8000-000000000001",
        "session_id": "00000001-0000-4000-8000-000000000001",
    }
    assert fourth["uuid"] == "00000014-0003-4000-8000-000000000001"
    assert fourth["parent_uuid"] == "00000009-0003-4000-8000-000000000001"
    assert fourth["request_id"] == "req_api_3_0001"
    assert fourth["message"]["id"] == "msg_3_0001"
    assert fourth["tool_use_id"] == "00000003-0003-4000-8000-000000000001"


def test_a_session_keeps_its_name_over_connections() -> None:
    aliases = Aliases()
    first = aliases.canonical({"type": "system", "session_id": SESSION}, 1)
    again = aliases.canonical({"type": "system", "session_id": SESSION}, 2)
    other = aliases.canonical({"type": "system", "session_id": ONE}, 2)
    assert first == again
    assert other["session_id"] == "00000001-0000-4000-8000-000000000002"
    assert aliases.map_text(f"--resume {SESSION}") == "--resume 00000001-0000-4000-8000-000000000001"


@pytest.mark.parametrize("task_id", ["babcdefgh", "b12345678", "xa1b2c3d4"])
def test_the_id_of_a_task_needs_no_digit(task_id: str) -> None:
    """The CLI draws eight of 36 characters: one id in fourteen has letters only."""
    aliases = Aliases()
    assert aliases.canonical({"type": "system", "task_id": task_id}, 1)["task_id"] == f"{task_id[0]}10000001"
    assert aliases.map_text(f"see {task_id}.output") == f"see {task_id[0]}10000001.output"


def test_the_run_of_a_background_task_is_counted_on_each_connection() -> None:
    aliases = Aliases()
    frame = {"type": "system", "subtype": "task_started", "task_id": "bcme8un9m", "run_id": "0mwumjqqf-889782b5"}
    assert aliases.canonical(frame, 2)["run_id"] == "000000002-00000001"
    assert aliases.canonical(frame | {"run_id": "0mwumkaaa-00000000"}, 2)["run_id"] == "000000002-00000002"
    assert aliases.map_text("run 0mwumjqqf-889782b5.") == "run 000000002-00000001."


def test_a_known_id_is_replaced_wherever_it_occurs() -> None:
    aliases = Aliases()
    aliases.canonical({"type": "system", "session_id": SESSION}, 1)
    aliases.canonical({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "toolu_1"}]}}, 1)
    aliases.canonical({"type": "system", "task_id": "b3x9k2m"}, 1)
    text = f"/c/{SESSION}.jsonl toolu_1 toolu_10 toolu_1.txt xtoolu_1 (b3x9k2m) b3x9k2mm {ONE}"
    expected = (
        "/c/00000001-0000-4000-8000-000000000001.jsonl toolu_1_0001 toolu_10 toolu_1_0001.txt xtoolu_1 "
        f"(b100001) b3x9k2mm {ONE}"
    )
    assert aliases.map_text(text) == expected
    frame = {"type": "user", "message": {"content": text}, "tool_use_result": {"map": {SESSION: [text]}}}
    replaced = aliases.canonical(frame, 1)
    assert replaced["message"]["content"] == expected
    assert replaced["tool_use_result"] == {"map": {"00000001-0000-4000-8000-000000000001": [expected]}}


def test_ids_are_never_guessed_from_what_the_agent_says() -> None:
    tool = {"type": "tool_use", "id": "toolu_01", "input": {"session_id": ONE, "duration_ms": 7, "timestamp": 1}}
    ask = {"subtype": "can_use_tool", "input": {"uuid": TWO, "timeout_ms": 9}}
    frames = [
        {"type": "assistant", "message": {"content": [tool, {"type": "text", "text": ONE}]}},
        {"type": "control_request", "request_id": "x", "request": ask},
    ]
    said, asked = canonical(*frames)
    assert said["message"]["content"][0]["input"] == tool["input"]
    assert said["message"]["content"][1]["text"] == ONE
    assert asked == frames[1]


def test_values_that_no_two_runs_share_are_fixed() -> None:
    (fixed,) = canonical(
        {
            "type": "x",
            "timestamp": "2026-11-24T08:09:28.801Z",
            "pid": 2064,
            "messaging_socket_path": "/tmp/cc-socks/2064.sock",
            "duration_ms": 335,
            "ttft_ms": 0.5,
            "totalDurationMs": 12,
            "elapsed_time_seconds": 3,
            "end_time": 1795507768801,
            "resetsAt": 1795507768,
            "timeout_ms": 500,
            "interrupted": True,
            "has_elapsed": False,
            "started_at": None,
            "date": "2026-11-24",
            "retry_delay_ms": 100,
        }
    )
    assert fixed == {
        "type": "x",
        "timestamp": "2000-01-01T00:00:00.000Z",
        "pid": 1,
        "messaging_socket_path": "${SOCKET}",
        "duration_ms": 1,
        "ttft_ms": 1,
        "totalDurationMs": 1,
        "elapsed_time_seconds": 1,
        "end_time": 946684800000,
        "resetsAt": 946684800,
        "timeout_ms": 500,
        "interrupted": True,
        "has_elapsed": False,
        "started_at": None,
        "date": "2026-11-24",
        "retry_delay_ms": 1,
    }


def test_the_given_frame_is_not_changed() -> None:
    frames = frames_of("one")
    before = json.dumps(frames)
    canonical(*(frame for _, frame in frames))
    assert json.dumps(frames) == before


def test_half_a_surrogate_pair_is_made_writable() -> None:
    (frame,) = canonical({"type": "user", "message": {"content": "cut \ud83d"}})
    assert frame["message"]["content"] == "cut \ufffd"


def test_naming_again_changes_nothing() -> None:
    first = canonical(*(frame for _, frame in frames_of("one")))
    assert canonical(*first) == first


def test_deep_data_does_not_exhaust_the_stack() -> None:
    deep: list = []
    for _ in range(900):
        deep = [deep]
    (frame,) = canonical({"type": "user", "message": deep})
    assert frame["message"][0][0][0]


def test_frames_that_nobody_expects_are_named_as_well() -> None:
    odd = [
        {"type": "session", "uuid": ONE},
        {"type": "control_request", "request_id": TWO, "request": {"subtype": ["x"]}},
        {"type": "control_request", "request_id": SESSION, "request": None},
        {"type": 7, "uuid": "11111111-98d0-4e19-a890-eaa6d7b47760"},
        {"uuid": "21111111-98d0-4e19-a890-eaa6d7b47760"},
    ]
    names = [frame.get("uuid", frame.get("request_id")) for frame in canonical(*odd)]
    assert names == [
        "00000010-0001-4000-8000-000000000001",
        "00000004-0001-4000-8000-000000000001",
        "00000004-0001-4000-8000-000000000002",
        "00000009-0001-4000-8000-000000000001",
        "00000009-0001-4000-8000-000000000002",
    ]


def test_an_id_of_a_list_is_named_by_the_key_of_the_list() -> None:
    (frame,) = canonical({"type": "system", "tool_use_ids": ["toolu_a", "toolu_b"], "preserved_uuids": [ONE]})
    assert frame["tool_use_ids"] == ["toolu_1_0001", "toolu_1_0002"]
    assert frame["preserved_uuids"] == ["00000009-0001-4000-8000-000000000001"]


@pytest.mark.parametrize("value", ["default", "", None, 7, "reviewer", "not-a-uuid"])
def test_what_has_not_the_form_of_an_id_is_kept(value: object) -> None:
    frame = {"type": "user", "session_id": value, "agent_id": value, "uuid": value, "request_id": value}
    assert canonical(frame) == [frame]


def named(aliases: Aliases, frames: list[dict]) -> list[dict]:
    """The frames as a CLI says them that took up the session under its new names."""
    return json.loads(aliases.map_text(json.dumps(frames)))


@pytest.mark.parametrize("kept", [1, 8, 20, 30])
def test_names_go_on_behind_those_that_are_kept(kept: int) -> None:
    """A session that is recorded in two goes, the second one behind a cassette, is as one that is recorded in one."""
    frames = [frame for _, frame in frames_of("one")]
    first = Aliases()
    before = [first.canonical(frame, 1) for frame in frames[:kept]]
    rest = named(first, frames[kept:])
    second = Aliases()
    second.keep(before, 1)
    assert [second.canonical(frame, 1) for frame in rest] == canonical(*frames)[kept:]
    assert [second.canonical(frame, 1) for frame in before] == before


def test_names_of_tasks_are_kept_and_go_on() -> None:
    frames = [
        {"type": "system", "task_id": f"b{number}a2c3d4e", "run_id": f"mj{number}x9k2lq-0a1b2c{number:02d}"}
        for number in range(1, 5)
    ]
    whole = Aliases()
    expected = [whole.canonical(frame, connection) for connection, frame in zip((1, 1, 2, 2), frames, strict=True)]
    for kept in range(1, 4):
        aliases = Aliases()
        for connection, frame in zip((1, 1, 2)[:kept], expected, strict=False):
            aliases.keep(frame, connection)
        rest = [
            aliases.canonical(frame, connection)
            for connection, frame in zip((1, 1, 2, 2)[kept:], frames[kept:], strict=True)
        ]
        assert rest == expected[kept:]
        assert aliases.map_text(f"see {expected[0]['task_id']}") == f"see {expected[0]['task_id']}"


def test_a_new_session_beside_one_that_is_kept_is_the_second() -> None:
    aliases = Aliases()
    aliases.keep(canonical({"type": "system", "session_id": SESSION}), 1)
    (frame,) = [aliases.canonical({"type": "system", "session_id": TWO}, 3)]
    assert frame["session_id"] == "00000001-0000-4000-8000-000000000002"
