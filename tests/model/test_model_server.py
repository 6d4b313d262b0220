"""The scripted model answers over HTTP as the Messages API does, notes every request, and stops when told."""

from __future__ import annotations

import http.client
import json
import logging
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mala.errors import HarnessError, UsageError
from pytest_mala.model import ModelScriptError, Script, Server, load_script, serve
from pytest_mala.model.ledger import Ledger
from pytest_mala.model.server import _Thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scripted(tmp_path: Path):
    def load(text: str, **names: str):
        path = tmp_path / "case.model.yaml"
        path.write_text(text)
        return serve(load_script(path), names)

    return load


_open: list[http.client.HTTPConnection | http.client.HTTPResponse] = []


@pytest.fixture(autouse=True)
def _closed():
    """Responses are read as far as a test wants; what is still open is closed after it."""
    yield
    for each in _open:
        each.close()
    _open.clear()


def ask(
    server: Server, *messages: dict | str, path: str = "/v1/messages?beta=true", **body: Any
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    said = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    data = {"model": "claude-sonnet-5", "messages": said, "max_tokens": 100, "stream": True, **body}
    connection.request("POST", path, json.dumps(data), {"content-type": "application/json"})
    response = connection.getresponse()
    _open.extend((connection, response))
    return response


def events(response: http.client.HTTPResponse) -> list[dict]:
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for chunk in response.read().decode().split("\n\n"):
        if chunk:
            name, data = chunk.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


def results(*texts: str) -> dict:
    blocks = [{"type": "tool_result", "tool_use_id": f"t{n}", "content": text} for n, text in enumerate(texts)]
    return {"role": "user", "content": blocks}


def test_an_answer_streams_as_the_api_does(scripted) -> None:
    text = """
answers:
  - think: Hm.
    say: Look.
    tools: [{name: Bash, input: {command: ls}}, {name: Read}]
    usage: {input: 7, cache_read: 8, cache_creation: 9, output: 10}
"""
    with scripted(text) as server:
        response = ask(server, "go")
        seen = events(response)
    assert response.headers["request-id"] == "req_0001"
    usage = {"input_tokens": 7, "cache_creation_input_tokens": 9, "cache_read_input_tokens": 8}
    start = {
        "id": "msg_0001",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }

    def block(index: int, empty: dict, *deltas: dict) -> list[dict]:
        return [
            {"type": "content_block_start", "index": index, "content_block": empty},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    def tool(number: int, name: str) -> dict:
        return {"type": "tool_use", "id": f"toolu_000{number}", "name": name, "input": {}}

    assert seen == [
        {"type": "message_start", "message": start},
        {"type": "ping"},
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Hm."},
            {"type": "signature_delta", "signature": "c2NyaXB0ZWQ="},
        ),
        *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Look."}),
        *block(2, tool(1, "Bash"), {"type": "input_json_delta", "partial_json": '{"command": "ls"}'}),
        *block(3, tool(2, "Read"), {"type": "input_json_delta", "partial_json": "{}"}),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {**usage, "output_tokens": 10},
        },
        {"type": "message_stop"},
    ]


def test_long_texts_come_in_pieces(scripted) -> None:
    with scripted(f"answers: [{{say: {'abc ' * 50}end}}]") as server:
        pieces = [e["delta"]["text"] for e in events(ask(server, "go")) if e["type"] == "content_block_delta"]
    assert [len(piece) for piece in pieces] == [64, 64, 64, 11]
    assert "".join(pieces) == "abc " * 50 + "end"


def test_answers_are_used_in_order_and_ids_count_on(scripted) -> None:
    text = """
answers:
  - tools: [{name: A}, {name: B}]
  - tool: {name: C}
  - {say: cut, stop: max_tokens}
"""
    with scripted(text) as server:
        seen = [events(ask(server, "go")) for _ in range(3)]
        assert (server.calls, server.unused, server.problems) == (3, 0, ())
    ids = [e["content_block"].get("id") for turn in seen for e in turn if e["type"] == "content_block_start"]
    assert ids == ["toolu_0001", "toolu_0002", "toolu_0003", None]
    assert [turn[0]["message"]["id"] for turn in seen] == ["msg_0001", "msg_0002", "msg_0003"]
    stops = [e["delta"]["stop_reason"] for turn in seen for e in turn if e["type"] == "message_delta"]
    assert stops == ["tool_use", "tool_use", "max_tokens"]


def test_without_streaming_the_answer_is_one_message(scripted) -> None:
    with scripted("answers: [{say: Hi., tool: {name: A, input: {n: 1}}}]") as server:
        response = ask(server, "go", stream=False)
        assert json.load(response) == {
            "id": "msg_0001",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5",
            "content": [
                {"type": "text", "text": "Hi."},
                {"type": "tool_use", "id": "toolu_0001", "name": "A", "input": {"n": 1}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 100,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 10,
            },
        }
    assert response.headers["request-id"] == "req_0001"


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def test_a_failure_has_the_apis_body(scripted) -> None:
    answers = ", ".join(f"{{fail: {{status: {status}, message: 'because ${{WHY}}'}}}}" for status in ERROR_TYPES)
    with scripted(f"answers: [{answers}]", WHY="of us") as server:
        for number, (status, kind) in enumerate(ERROR_TYPES.items(), 1):
            response = ask(server, "go")
            assert response.status == status
            assert json.load(response) == {
                "type": "error",
                "error": {"type": kind, "message": "because of us"},
                "request_id": f"req_{number:04d}",
            }
        assert server.problems == ()


def test_failures_come_as_often_as_they_should(scripted) -> None:
    with scripted("answers: [{fail: {status: 529, times: 2}}, {say: a, repeat: 2}]") as server:
        assert server.unused == 4
        assert [ask(server, "go").status for _ in range(4)] == [529, 529, 200, 200]


def test_a_wait_delays_the_headers(scripted) -> None:
    with scripted("answers: [{say: a, wait: 0.2s}]") as server:
        began = time.monotonic()
        ask(server, "go")
        assert 0.2 <= time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ("stall: true", {"type": "ping"}),
        (
            "{stall: true, say: part of it}",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "part of it"}},
        ),
        (
            f"{{stall: true, say: '{'x' * 200}'}}",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 64}},
        ),
        (
            "{stall: after-text, say: all of it, tool: {name: A}}",
            {"type": "content_block_stop", "index": 0},
        ),
        (
            "{stall: true, tool: {name: A, input: {a: 1}}}",
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
            },
        ),
    ],
)
def test_a_stall_is_silent_until_the_server_stops(scripted, answer: str, last: dict) -> None:
    with scripted(f"answers: [{answer if answer.startswith('{') else f'{{{answer}}}'}]") as server:
        response = ask(server, "go")
        assert response.fp is not None
        began = time.monotonic()
    seen = events(response)
    assert time.monotonic() - began < 5
    assert seen[-1] == last
    assert server.problems == ()


def test_waits_and_stalls_without_streaming_end_when_the_server_stops(scripted) -> None:
    statuses: list[int] = []
    with scripted("answers: [{say: a, wait: 1h}, {say: b, stall: true}]") as server:
        threads = [
            threading.Thread(target=lambda: statuses.append(ask(server, "go", stream=False).status)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        while server.calls < 2:
            threads[0].join(0.01)
        began = time.monotonic()
    for thread in threads:
        thread.join(5)
    assert sorted(statuses) == [200, 503]
    assert time.monotonic() - began < 5


def test_the_first_alternative_that_fits_is_taken(scripted) -> None:
    text = """
answers:
  - either:
      - {when: {last_tool_result_contains: [FAILED, two]}, say: fix}
      - {when: {prompt_contains: hurry, model: sonnet}, say: quick}
      - {say: else}
    repeat: 3
"""
    with scripted(text) as server:
        seen = [
            events(ask(server, *messages))[3]["delta"]["text"]
            for messages in ([results("one FAILED", "two")], ["please hurry"], ["go"])
        ]
        assert seen == ["fix", "quick", "else"]


def test_no_alternative_that_fits_is_a_problem(scripted, tmp_path: Path) -> None:
    text = "answers:\n- either:\n  - {when: {prompt_contains: a word}, say: a}\n  - {when: {model: opus}, say: b}\n"
    with scripted(text) as server:
        response = ask(server, "go")
        body = json.load(response)
    problem = (
        f"{tmp_path}/case.model.yaml:2: no alternative is for request 1: "
        "line 3 prompt_contains: expected 'a word', got 'go'; line 4 model: expected 'opus', got 'claude-sonnet-5'"
    )
    assert response.status == 403
    assert body["error"] == {"type": "permission_error", "message": problem}
    assert server.problems == (problem,)


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ("prompt_contains: [go, fast]", "prompt_contains: expected 'fast', got 'go'"),
        ("last_tool_result_contains: x", "last_tool_result_contains: expected 'x', got nothing"),
        ("request_contains: [be brief, x]", "request_contains: expected 'x', got 'be brief\\ngo'"),
        ("model: opus", "model: expected 'opus', got 'claude-sonnet-5'"),
    ],
)
def test_an_unmet_expectation_is_a_problem(scripted, tmp_path: Path, expect: str, problem: str) -> None:
    with scripted(f"answers:\n- say: a\n  expect: {{{expect}}}\n") as server:
        response = ask(server, "go", system=[{"type": "text", "text": "be brief"}])
        assert response.status == 403
        assert server.problems == (f"{tmp_path}/case.model.yaml:2: request 1: {problem}",)
        assert json.load(response)["error"]["message"] == server.problems[0]


def test_a_long_text_is_shown_by_its_ends(scripted) -> None:
    with scripted("answers: [{say: a, expect: {prompt_contains: x}}]") as server:
        ask(server, "a" * 500 + "b" * 500)
        assert server.problems[0].endswith(f"expected 'x', got '{'a' * 200} … {'b' * 200}'")


def test_a_script_without_more_answers_is_a_problem(scripted, tmp_path: Path) -> None:
    with scripted("answers: [{say: a}]") as server:
        assert [ask(server, "go").status for _ in range(3)] == [200, 403, 403]
        assert server.problems == tuple(
            f"{tmp_path}/case.model.yaml: the script has no answer for request {n} (it has 1); last user text: 'go'"
            for n in (2, 3)
        )
        assert (server.calls, server.unused) == (3, 0)


def test_the_prompt_is_what_was_written_last_without_reminders(scripted) -> None:
    reminder = {"type": "text", "text": "<system-reminder>\nmind this\n</system-reminder>"}
    conversation = [
        {"role": "user", "content": [reminder, {"type": "text", "text": "first"}]},
        {"role": "system", "content": "# Environment"},
        {"role": "assistant", "content": [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t0"}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "content": [{"type": "text", "text": "out"}]},
                {"type": "text", "text": "second"},
                {"type": "text", "text": "third"},
            ],
        },
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "tool_result", "content": "newest"}, reminder]},
    ]
    with scripted("answers: [{say: a}]") as server:
        ask(server, *conversation)
        [request] = server.requests
    assert (request.prompt, request.tool_results) == ("second\nthird", "newest")
    assert request.everything.split("\n") == [
        *reminder["text"].split("\n"),
        *("first", "# Environment", "ok", "out", "second", "third", "yes", "newest"),
        *reminder["text"].split("\n"),
    ]


TITLE = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}}}


def test_requests_beside_the_conversation_use_up_no_answer(scripted) -> None:
    with scripted("answers: [{say: a}]") as server:
        counted = json.load(ask(server, "go", path="/v1/messages/count_tokens?beta=true"))
        probed = json.load(ask(server, "go", max_tokens=1, stream=False))
        title = json.load(ask(server, "go", output_config=TITLE, tools=[], stream=False))
        streamed = events(ask(server, "go", output_config=TITLE, tools=[]))
        assert (server.calls, server.unused) == (0, 1)
        assert [request.kind.value for request in server.requests] == ["count", "probe", "title", "title"]
    assert counted == {"input_tokens": 1}
    assert probed["content"] == [{"type": "text", "text": "ok"}]
    assert title["content"] == [{"type": "text", "text": '{"title": "Scripted session"}'}]
    assert streamed[3]["delta"]["text"] == '{"title": "Scripted session"}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("HEAD", "/api/hello", None, 200),
        ("GET", "/v1/models", None, 404),
        ("POST", "/api/event_logging/batch", "{}", 404),
        ("POST", "/v1/messages", "[1]", 404),
        ("POST", "/v1/messages", "{broken", 404),
        ("POST", "/v1/messages", b"\xff\xfe", 404),
    ],
)
def test_other_requests_are_noted_and_refused(scripted, method: str, path: str, body: Any, status: int) -> None:
    with scripted("answers: [{say: a}]") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request(method, path, body)
        response = connection.getresponse()
        text = response.read()
        [request] = server.requests
        connection.close()
    assert response.status == status
    assert (request.kind.value, request.method, request.path, request.number) == ("other", method, path, 0)
    if status == 404:
        assert json.loads(text)["error"]["message"] == f"the scripted model has no {method} {path}"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": 5},
        {"messages": [5, {"role": "user"}, {"role": "user", "content": [5, {"type": "tool_result"}]}]},
        {"system": 5, "output_config": {"format": {"schema": 5}}},
    ],
)
def test_an_odd_request_is_still_answered(scripted, body: dict) -> None:
    with scripted("answers: [{say: a}]") as server:
        assert ask(server, **body).status == 200
        assert server.problems == ()


def test_a_client_that_goes_away_does_no_harm(scripted) -> None:
    with scripted("answers: [{say: a, stall: true}, {say: b}]") as server:
        ask(server, "go").close()
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        with socket.create_connection(("127.0.0.1", server.port)) as rubbish:
            rubbish.sendall(b"\x00\x01rubbish\r\n\r\n")
            rubbish.recv(1000)
        assert events(ask(server, "go"))[3]["delta"]["text"] == "b"
    assert server.problems == ()


def test_a_failure_of_the_server_itself_is_a_problem_and_not_a_log_line(
    scripted, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with scripted("answers: [{say: a}]") as server:
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.request("POST", "/v1/messages", "[" * 200_000)
            assert connection.getresponse().status == 500
            connection.close()
    [problem] = server.problems
    assert problem.startswith("the scripted model failed: RecursionError(")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_it_listens_on_loopback_only(scripted, tmp_path: Path) -> None:
    with scripted("answers: [{say: a}]") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        # all of 127/8 is this machine, yet only the one address answers: the socket is not bound to 0.0.0.0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", server.port), timeout=5)
    with (
        pytest.raises(UsageError) as caught,
        serve(load_script(tmp_path / "case.model.yaml"), {}, host="0.0.0.0"),
    ):
        pass
    assert str(caught.value) == "the scripted model listens on 127.0.0.1 only: expected that host, got '0.0.0.0'"


def test_a_missing_placeholder_is_told_before_anything_starts(scripted) -> None:
    before = threading.active_count()
    with pytest.raises(ModelScriptError), scripted("answers: [{say: '${NAME}'}]"):
        pass
    assert threading.active_count() == before


def test_nothing_is_left_behind(scripted, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    threads = set(threading.enumerate())
    filters = list(logging.getLogger("uvicorn.error").filters)
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    with scripted("answers: [{say: a}]") as server:
        ask(server, "go").read()
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        logging.getLogger("uvicorn.error").info("a record of the user's own server")
    assert set(threading.enumerate()) == threads
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert logging.getLogger("uvicorn.error").filters == filters
    assert capfd.readouterr() == ("", "")
    assert [r.getMessage() for r in caplog.records if r.name.startswith("uvicorn")] == [
        "a record of the user's own server"
    ]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_an_error_in_the_block_stops_the_server_too(scripted) -> None:
    def fail() -> None:
        with scripted("answers: [{say: a}]"):
            raise KeyError

    threads = set(threading.enumerate())
    with pytest.raises(KeyError):
        fail()
    assert set(threading.enumerate()) == threads


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[_Thread]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made = _Thread(Ledger(script=Script(path=tmp_path, entries=())), listener)
        yield made
        if made.is_alive():
            made.stop()
        made._loop.close()


def test_a_server_that_does_not_start_is_told(thread: _Thread) -> None:
    with pytest.raises(HarnessError) as caught:
        thread.wait_until_ready(0.01)
    assert str(caught.value) == "the scripted model did not start within 0.01 s; run the test again"


def test_a_server_that_does_not_stop_is_told_and_holds_nobody_up(thread: _Thread) -> None:
    held = threading.Event()
    thread.start()
    thread.wait_until_ready()
    thread._loop.call_soon_threadsafe(held.wait)
    thread.stop(0.01)
    held.set()
    assert thread._ledger.problems == ["the scripted model did not stop within 0.01 s"]


def test_an_error_in_the_servers_loop_is_a_problem(thread: _Thread) -> None:
    thread.start()
    thread.wait_until_ready()
    thread._loop.call_soon_threadsafe(lambda: 1 / 0)
    thread.stop()
    assert thread._ledger.problems == ["the scripted model failed: ZeroDivisionError('division by zero')"]


def test_a_missing_web_server_is_told(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError) as caught, scripted("answers: [{say: a}]"):
        pass
    assert str(caught.value) == (
        "the scripted model needs the package 'uvicorn', which comes with claude-agent-sdk; "
        "install that again: python -m pip install --force-reinstall claude-agent-sdk"
    )


def test_two_servers_run_at_once(tmp_path: Path) -> None:
    texts = {}
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"answers: [{{say: {name}}}]")
    with serve(load_script(tmp_path / "a"), {}) as first, serve(load_script(tmp_path / "b"), {}) as second:
        for server in (first, second):
            texts[server.port] = events(ask(server, "go"))[3]["delta"]["text"]
    assert list(texts.values()) == ["a", "b"]
