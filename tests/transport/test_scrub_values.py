"""Scrubbing of JSON values and of journal entries: structure, names, deltas, trees, the second look; false alarms."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pytest_mala.transport.scrub import (
    RULES,
    Leak,
    Outlet,
    Scrubber,
    SecretFoundError,
    check_text,
    check_tree,
    leaks_of,
)

LOGS = Path(__file__).resolve().parents[1] / "data" / "session_logs"
CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"
TOKEN = "gh" + "p_" + "a1B2c3D4e5" * 4
VALUE = "cage door/1"

FALSE_ALARMS: dict[str, list[str]] = {"short.jsonl": [], "subagent.jsonl": [], "tool_heavy.jsonl": []}
"""What the shapes find in real sessions, which hold no secret: nothing."""

SIGNATURES = {"short.jsonl": 1, "subagent.jsonl": 0, "tool_heavy.jsonl": 1}


@pytest.mark.parametrize("name", FALSE_ALARMS)
def test_false_alarms_in_real_sessions(name: str) -> None:
    scrubber = Scrubber()
    lines = [json.loads(line) for line in (LOGS / name).read_text(encoding="utf-8").splitlines()]
    assert [hit.rule for line in lines for hit in scrubber.leaks(line)] == FALSE_ALARMS[name]
    cleaned = [scrubber.clean(line) for line in lines]
    assert sum(json.dumps(line).count('"<signature>"') for line in cleaned) == SIGNATURES[name]
    assert sum(before != after for before, after in zip(lines, cleaned, strict=True)) == SIGNATURES[name]


@pytest.mark.parametrize("path", sorted(CASSETTES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_committed_cassettes_hold_no_secret(path: Path) -> None:
    assert leaks_of(path.read_text(encoding="utf-8"), Scrubber()) == ()


SECRETS = [VALUE, TOKEN, base64.b64encode(f"x{VALUE}y".encode()).decode(), *(rule.planted() for rule in RULES)]
TEXTS = (
    st.text(max_size=12) | st.sampled_from(SECRETS) | st.sampled_from(['password = "', "token=", "Bearer ", "<", ">"])
)
STRINGS = st.lists(TEXTS, max_size=4).map("".join)
VALUES = st.recursive(
    STRINGS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    return [shape(item) for item in value] if isinstance(value, list) else type(value)


@given(VALUES)
def test_scrubbing_twice_is_scrubbing_once_and_keeps_the_structure(value: Any) -> None:
    scrubber = Scrubber([VALUE])
    once = scrubber.clean(value)
    assert scrubber.clean(once) == once
    assert Scrubber([VALUE]).leaks(once) == []
    assert shape(once) == shape(value)


@given(st.lists(STRINGS, max_size=5))
def test_texts_in_pieces_read_as_the_text_does(pieces: list[str]) -> None:
    cleaned = Scrubber([VALUE]).clean_pieces(pieces)
    assert len(cleaned) == len(pieces)
    assert "".join(cleaned) == Scrubber([VALUE]).clean_pieces(["".join(pieces)])[0]


def test_letters_that_grow_in_lower_case_move_nothing() -> None:
    assert Scrubber().clean(f"İİİ {TOKEN} İ") == "İİİ <github-1> İ"


def test_a_password_that_is_the_name_of_a_rule_is_replaced_once() -> None:
    scrubber = Scrubber(["signature", "anthropic"])
    assert scrubber.clean({"say": "my signature", "x": scrubber.clean("anthropic")}) == {
        "say": "my <secret-2>",
        "x": "<secret-1>",
    }


HOSTILE = {
    "one letter": "a" * 1_000_000,
    "one run": "aB3" * 300_000,
    "lines": ("aB3" * 25 + "\\n") * 10_000,
    "slashes": "://" * 100_000,
    "names": "password=" * 30_000,
    "marks": "-----BEGIN PRIVATE KEY-----" * 20_000,
    "half a key": "-----BEGIN PRIVATE KEY-----\n" + ("aB3x" * 16 + "\n") * 10_000,
    "heads of tokens": "eyJ" * 100_000 + "sk-" * 100_000 + "gh" * 100_000,
    "escapes": "%41" * 100_000,
    "quotes": '"' * 300_000 + "\\" * 300_000,
    "words": "Bearer " * 50_000 + "signature: " * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_more_than_its_length(name: str) -> None:
    """The square of it would be minutes."""
    Scrubber([VALUE]).clean({"say": HOSTILE[name]})


def delta(kind: str, field: str, text: str, *, index: int = 0, c: int = 1, parent: str | None = None) -> dict[str, Any]:
    event = {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: text}}
    return {"k": "recv", "c": c, "m": {"type": "stream_event", "event": event, "parent_tool_use_id": parent}}


def event(kind: str, c: int = 1, **more: Any) -> dict[str, Any]:
    return {"k": "recv", "c": c, "m": {"type": "stream_event", "event": {"type": kind, **more}}}


def texts(entries: list[tuple[dict[str, Any], Any]], field: str = "text") -> list[str]:
    deltas = [entry["m"].get("event", {}).get("delta", {}) for entry, _ in entries if "m" in entry]
    return [one[field] for one in deltas if field in one]


def test_a_secret_that_is_spread_over_deltas_stands_where_it_began() -> None:
    outlet: Outlet[int] = Outlet(Scrubber())
    said = f"see {TOKEN} there"
    assert [note for _, note in outlet.put(event("message_start"), 0)] == [0]
    assert outlet.put(event("content_block_start", index=0), 1) == []
    for number in range(0, len(said), 10):
        assert outlet.put(delta("text_delta", "text", said[number : number + 10]), 2) == []
    out = outlet.put(event("content_block_stop", index=0), 3)
    assert [note for _, note in out] == [1, 2, 2, 2, 2, 2, 2, 3]
    assert texts(out) == ["see <github-1>", "", "", "", " t", "here"]


def test_entries_behind_a_streamed_block_wait_and_keep_their_order() -> None:
    outlet: Outlet[int] = Outlet(Scrubber())
    other = {"k": "recv", "c": 2, "m": {"type": "system", "text": TOKEN}}
    assert outlet.put(delta("text_delta", "text", TOKEN[:9]), 1) == []
    assert outlet.put(delta("text_delta", "text", "of a sub-agent", parent="toolu_1"), 2) == []
    assert outlet.put(other, 3) == []
    assert outlet.put(delta("text_delta", "text", TOKEN[9:]), 4) == []
    assert outlet.put(event("content_block_stop", index=0), 5) == []  # the sub-agent still streams
    out = outlet.put({"k": "recv", "c": 1, "m": {"type": "result"}}, 6)
    assert [note for _, note in out] == [1, 2, 3, 4, 5, 6]
    assert texts(out) == ["<github-1>", "of a sub-agent", ""]
    assert out[2][0]["m"]["text"] == "<github-1>"
    assert other["m"] == {"type": "system", "text": TOKEN}, "what the application sees is not changed"


@pytest.mark.parametrize(
    "last",
    [
        {"k": "end", "c": 1, "how": "eof", "stderr": []},
        {"k": "turn", "turn": 1, "data": {}},
        {"k": "gate", "attempt": 1, "rows": [], "ms": []},
        event("message_stop"),
        event("message_start"),
    ],
    ids=["end", "turn", "gate", "message_stop", "message_start"],
)
def test_a_stream_that_breaks_off_is_written(last: dict[str, Any]) -> None:
    outlet: Outlet[int] = Outlet(Scrubber())
    assert outlet.put(delta("input_json_delta", "partial_json", '{"password": "'), 1) == []
    assert outlet.put(delta("input_json_delta", "partial_json", "k3Jx9vQ2mT7w"), 2) == []
    assert texts(outlet.put(last, 3), "partial_json") == ['{"password": "', "<assigned-1>"]


def test_signatures_of_thoughts_are_replaced_in_frames_and_deltas() -> None:
    signature = base64.b64encode(bytes(range(90))).decode()
    outlet: Outlet[None] = Outlet(Scrubber())
    block = {"type": "thinking", "thinking": "hm", "signature": signature}
    ((entry, _),) = outlet.put({"k": "recv", "c": 1, "m": {"type": "assistant", "content": [block]}}, None)
    assert entry["m"]["content"] == [{"type": "thinking", "thinking": "hm", "signature": "<signature>"}]
    for at in range(0, len(signature), 50):
        outlet.put(delta("signature_delta", "signature", signature[at : at + 50]), None)
    assert texts(outlet.flush(), "signature") == ["<signature>", "", ""]


def test_a_signature_in_base64_hides_no_secret_and_destroys_nothing() -> None:
    signed = json.dumps({"signature": "k3Jx9vQ2mT7w" * 10})
    harmless = base64.b64encode(signed.encode()).decode()
    assert Scrubber().clean({"data": harmless}) == {"data": harmless}
    both = base64.b64encode(f"{signed} {TOKEN}".encode()).decode()
    assert Scrubber().clean({"data": both}) == {"data": "<github-1>"}
    assert [hit.rule for hit in Scrubber().leaks({"data": both})] == ["github"]


def test_frames_of_an_unknown_make_pass() -> None:
    outlet: Outlet[None] = Outlet(Scrubber())
    odd = [
        {"k": "recv", "c": 1, "m": {"type": "stream_event", "event": None}},
        {"k": "recv", "c": 1, "m": None},
        {"k": "recv", "c": 1, "m": {"type": "stream_event", "event": {"type": "content_block_delta", "delta": 5}}},
        {
            "k": "recv",
            "c": 1,
            "m": {"type": "stream_event", "event": {"type": "content_block_delta", "delta": {"n": 5}}},
        },
    ]
    out = [entry for one in odd for entry, _ in outlet.put(one, None)] + [entry for entry, _ in outlet.flush()]
    assert out == odd


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tree(*changes: dict[str, Any], message: str = "work\n", **more: Any) -> dict[str, Any]:
    commit = {"id": COMMIT, "parents": [], "author": "A <a@x> 1 +0000", "message": message, "changes": list(changes)}
    return {"turn": 2, "head": COMMIT, "branch": "main", "refs": {}, "commits": [commit], **more}


FILE = {"path": "config/.env", "mode": "100644", "text": f"A=1\nGITHUB={TOKEN}\n"}
ENDING = (
    "what looks like a secret, and a tree is never changed, so nothing was stored; name it under `workspace.exclude`, "
    "or keep the secret out of the workspace"
)
COMMITTED = (
    "what looks like a secret, and a tree is never changed, so nothing was stored; it is committed or staged, which "
    "`workspace.exclude` can't leave out: keep the secret out of commits"
)
BINARY = base64.b64encode(b"\x00\xff" + TOKEN.encode() + b"\xfe").decode()
KNOWN = base64.b64encode(f"x {VALUE}".encode()).decode()
TREES = {
    "a file": (tree(FILE), f"turn 2: config/.env (rule github) holds {ENDING}"),
    "a binary file": (
        tree({"path": "a.bin", "mode": "100644", "base64": BINARY}),
        f"turn 2: a.bin (rule github) holds {ENDING}",
    ),
    "UTF-16": (
        tree({"path": "a.txt", "mode": "100644", "base64": base64.b64encode(TOKEN.encode("utf-16")).decode()}),
        f"turn 2: a.txt (rule github) holds {ENDING}",
    ),
    "a known value": (
        tree({"path": "b", "mode": "100644", "text": KNOWN}),
        f"turn 2: b (rule secret) holds {ENDING}",
    ),
    "a committed file": (tree(FILE, message="add\n"), f"turn 2: config/.env (rule github) holds {COMMITTED}"),
    "a message": (tree(message=f"use {TOKEN}\n"), f"turn 2: commit 0123456789ab (rule github) holds {COMMITTED}"),
    "a tag": (
        tree(tags=[{"id": COMMIT, "object": COMMIT, "kind": "commit", "name": "v1", "message": f"use {TOKEN}\n"}]),
        f"turn 2: tag 0123456789ab (rule github) holds {COMMITTED}",
    ),
    "a branch": (
        tree(branch=TOKEN),
        f"turn 2: the name of a branch or tag (rule github) holds {COMMITTED}",
    ),
    "a name": (
        tree(kept_out=[f"{TOKEN} (ignored)"]),
        f"turn 2: the name of a file that is left out (rule github) holds {COMMITTED}",
    ),
    "many files": (
        tree(*({**FILE, "path": f"f{number}"} for number in range(7))),
        "turn 2: f0 (rule github), f1 (rule github), f2 (rule github), f3 (rule github), f4 (rule github), 2 more hold "
        + ENDING.replace("it under", "them under"),
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_a_secret_in_a_tree_is_told_and_not_shown(name: str) -> None:
    data, message = TREES[name]
    with pytest.raises(SecretFoundError) as caught:
        check_tree(data, Scrubber([VALUE]))
    assert str(caught.value) == message
    assert TOKEN not in message


def test_a_path_with_a_secret_is_told_too() -> None:
    with pytest.raises(SecretFoundError, match=r"\(rule github\) holds what looks like a secret"):
        check_tree(tree({"path64": base64.b64encode(TOKEN.encode()).decode(), "deleted": True}), Scrubber())


def test_a_tree_without_secrets_passes() -> None:
    image = base64.b64encode(bytes(range(256)) * 50).decode()
    signed = {"path": "b.json", "mode": "100644", "text": json.dumps({"signature": "k3Jx9vQ2mT7w" * 10})}
    check_tree(tree({"path": "a.png", "mode": "100644", "base64": image}, signed), Scrubber([VALUE]))
    check_tree({"base": {"kind": "template", "tree": COMMIT}}, Scrubber())


def test_the_second_look_names_line_and_rule_and_not_the_secret() -> None:
    text = f"version: 1\nbody: {TOKEN}\nmore: |\n  {VALUE}\n"
    known = Scrubber([VALUE])
    assert leaks_of(text, known) == (Leak(rule="github", line=2), Leak(rule="secret", line=4))
    assert leaks_of(text, Scrubber()) == (Leak(rule="github", line=2),)
    assert leaks_of("version: 1\n", known, {"a": [VALUE], "b": VALUE}) == (Leak(rule="secret", line=None),)
    assert leaks_of("version: 1\n", known, {"signature": "k3Jx9vQ2mT7w" * 10}) == ()
    check_text("version: 1\n", known, {"a": 1}, where="x.yaml")
    with pytest.raises(SecretFoundError) as caught:
        check_text(text, Scrubber(), {"a": "sk-" + "ant-api03-" + "a1B2c3D4e5" * 4}, where="cassettes/x.yaml")
    assert str(caught.value) == (
        "cassettes/x.yaml: not written, since what looks like a secret would stand in line 2 (rule github), its data "
        "(rule anthropic); it was not replaced while it was recorded: keep it out of names of files and branches, or "
        "report this"
    )
    with pytest.raises(SecretFoundError, match=r"line 5 \(rule github\), 2 more; it was"):
        check_text(f"{TOKEN}\n" * 7, Scrubber(), None, where="x")
