"""A recording whose journal and cassette hold no secret, in whatever form it went over the wire; and which says so."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from transport_tapes import START, Listener, Play, Tape, turn

from pytest_mala.errors import HarnessError
from pytest_mala.transport.assemble import TakeHead, assemble, recovered
from pytest_mala.transport.cassette import Journal, dump, read, read_journal, write
from pytest_mala.transport.names import Names
from pytest_mala.transport.proof import Proof
from pytest_mala.transport.record import Recorder
from pytest_mala.transport.scrub import RULES, Scrubber, SecretFoundError, leaks_of
from pytest_mala.transport.scrub.known import forms_of, slug

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_mala.clock import VirtualClock

HEAD = TakeHead(issue="x-1", lane="scripted", sdk="0.2.187", start=START.isoformat())
KNOWN = 'open/sesame "7" & more'
OF_OPTIONS = "value-of-an-option"
OF_SERVER = "value-of-a-server"
TOKEN = "gh" + "p_" + "a1B2c3D4e5" * 4
SHAPES = [rule.planted() for rule in RULES if rule.is_secret and rule.name != "github"]


def forms() -> dict[str, str]:
    """40 texts with a secret each."""
    data = KNOWN.encode()
    known = {
        "raw": KNOWN,
        "json": json.dumps({"a": KNOWN}),
        "json in json": json.dumps({"a": json.dumps({"b": KNOWN})}),
        "url": f"https://h/{quote(KNOWN)}?x={quote(KNOWN, safe='')}",
        "slug": f"/c/projects/-h-{slug(KNOWN)}/x.jsonl",
        "hex": data.hex(),
        **{f"base64 {place}": base64.b64encode(b"ab"[:place] + data + b"?").decode() for place in range(3)},
        "base64 in lines": base64.encodebytes(b"x" * 50 + data + b"y" * 50).decode(),
        "base64 twice": base64.b64encode(base64.b64encode(data)).decode(),
    }
    return known | {f"shape {number}": f"see {text} there" for number, text in enumerate(SHAPES)} | {"token": TOKEN}


def streamed(tape: Tape, text: str, size: int) -> Tape:
    def event(event: Mapping[str, Any]) -> None:
        tape.recv({"type": "stream_event", "event": event, "session_id": "s", "uuid": "u", "parent_tool_use_id": None})

    event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for at in range(0, len(text), size):
        piece = {"type": "text_delta", "text": text[at : at + size]}
        event({"type": "content_block_delta", "index": 0, "delta": piece})
    event({"type": "content_block_stop", "index": 0})
    return tape


async def record(
    tape: Tape, clock: VirtualClock, path: Path, *, prompt: str = "please", tree: dict[str, Any] | None = None
) -> tuple[Journal, Listener, list[Any]]:
    """Play the tape as the CLI, and record that into a journal on the disk."""
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

    play, listener, names = Play(tape), Listener(), Names({"WORKSPACE": "/tmp/ws-1"})
    heard: list[Any] = []
    listener.frame = lambda direction, frame: heard.append(frame)  # type: ignore[method-assign]
    with Journal(path) as journal:
        recorder = Recorder(
            journal,
            names,
            listener,
            clock=clock,
            start=lambda options: play.player.connection("work", object()),
            note_tree=lambda: None,
            capture=lambda number: tree or {"head": None, "turn": number},
            scrubber=Scrubber([KNOWN], public=["/tmp/ws-1"], hide=names.hide),
        )
        recorder.take(HEAD.to_entry())
        options = ClaudeAgentOptions(
            env={"MY_TOKEN": OF_OPTIONS, "PATH": "/usr/bin:/bin"},
            mcp_servers={"s": {"type": "http", "url": "http://h", "headers": {"Authorization": f"Bearer {OF_SERVER}"}}},
            system_prompt=f"never say {KNOWN}",
        )
        with clock:
            async with ClaudeSDKClient(options, transport=recorder.connection("work", options)) as client:
                await turn(client, prompt)
            recorder.turn_ended()
            recorder.gate(1, [{"name": "test", "output": f"{KNOWN} in ${{WORKSPACE}} {TOKEN}"}], [5])
            recorder.state(f"said {KNOWN}")
    play.player.finish()
    return journal, listener, heard


@pytest.mark.asyncio
async def test_forty_forms_of_secrets_never_reach_the_disk(tape: Tape, clock: VirtualClock, tmp_path: Path) -> None:
    planted = forms()
    assert len(planted) == 40
    tape.connect().prompt("please").init()
    for text in planted.values():
        tape.text(text).assistant([{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": text}}])
        tape.recv(
            {
                "type": "user",
                "message": {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": text}],
                },
            }
        )
        streamed(tape, text, 11)
    tape.text(f"{OF_OPTIONS}, {OF_SERVER}").result(f"done with {KNOWN}").end()
    tape.entries[-1]["stderr"] = [f"warning: {KNOWN}"]
    tape.entries[-1]["how"] = "eof"
    journal, _, heard = await record(tape, clock, tmp_path / "x-1.yaml")

    written = journal.part.read_text(encoding="utf-8")
    told = "".join(
        entry["m"]["event"]["delta"]["text"]
        for entry in read_journal(journal.part)
        if "delta" in entry.get("m", {}).get("event", {})
    )
    secrets = [KNOWN, OF_OPTIONS, OF_SERVER, TOKEN]
    for number, secret in enumerate([*secrets, *SHAPES]):
        for form in forms_of(secret) if number < len(secrets) else forms_of(secret)[:1]:
            assert form.text not in written
            assert form.text not in told
    assert all(scrubber.leaks_in_text(written + told) == [] for scrubber in (Scrubber(), Scrubber([*secrets, *SHAPES])))
    assert written.count("<secret-1>") >= 4 * 10
    assert heard[-1]["result"] == f"done with {KNOWN}", "the application sees what was said"
    said = [frame for frame in heard if frame.get("type") == "assistant"]
    assert said[0]["message"]["content"][0]["text"] == planted["raw"]

    cassette = assemble(HEAD, read_journal(journal.part))
    write(tmp_path / "x-1.yaml", cassette)
    text = (tmp_path / "x-1.yaml").read_text(encoding="utf-8")
    assert leaks_of(text, Scrubber([*secrets, *SHAPES])) == ()
    assert "  scrub: {found: 174, planted: 174, rules: 1}\n" in text
    assert read(tmp_path / "x-1.yaml").scrub == Proof(rules=1, planted=174, found=174)


@pytest.mark.asyncio
async def test_prompts_options_gates_and_states_are_scrubbed(tape: Tape, clock: VirtualClock, tmp_path: Path) -> None:
    tape.connect().prompt(f"use {KNOWN}").text("in /tmp/ws-1/a").result().end()
    journal, _, _ = await record(tape, clock, tmp_path / "x-1.yaml", prompt=f"use {KNOWN}")
    entries = {entry["k"]: entry for entry in read_journal(journal.part)}
    assert list(entries)[:3] == ["take", "proof", "connect"]
    assert 'system_prompt: "never say <secret-1>"' in entries["connect"]["body"]
    assert entries["gate"]["rows"] == [{"name": "test", "output": "<secret-1> in ${WORKSPACE} <github-1>"}]
    assert entries["state"]["text"] == "said <secret-1>"
    frames = [entry["m"] for entry in read_journal(journal.part) if entry["k"] in ("send", "recv")]
    assert "use <secret-1>" in [frame["message"]["content"] for frame in frames if frame["type"] == "user"]
    assert "in ${WORKSPACE}/a" in json.dumps(frames)


@pytest.mark.asyncio
async def test_a_secret_in_a_tree_fails_the_recording_and_is_not_written(
    tape: Tape, clock: VirtualClock, tmp_path: Path
) -> None:
    change = {"path": "a/.env", "mode": "100644", "text": f"T={TOKEN}"}
    commit = {"id": "ab" * 20, "parents": [], "author": "A", "message": "work\n", "changes": [change]}
    tape.connect().prompt("please").text("x").result().end()
    with pytest.raises(SecretFoundError) as caught:
        await record(tape, clock, tmp_path / "x-1.yaml", tree={"turn": 1, "commits": [commit]})
    assert str(caught.value) == (
        "turn 1: a/.env (rule github) holds what looks like a secret, and a tree is never changed, so nothing was "
        "stored; name it under `workspace.exclude`, or keep the secret out of the workspace"
    )
    (part,) = tmp_path.glob("*.part")
    assert TOKEN not in part.read_text(encoding="utf-8")


def recorder_with(scrubber: Scrubber, clock: VirtualClock, journal: Journal) -> Recorder:
    return Recorder(
        journal,
        Names({}),
        Listener(),
        clock=clock,
        start=lambda options: None,  # type: ignore[arg-type,return-value]
        note_tree=lambda: None,
        capture=lambda number: {},
        scrubber=scrubber,
    )


@pytest.mark.asyncio
async def test_a_scrubber_that_lets_a_canary_through_records_nothing(clock: VirtualClock, tmp_path: Path) -> None:
    broken = Scrubber(rules=[rule for rule in RULES if rule.name not in ("npm", "jwt")])
    with Journal(tmp_path / "x-1.yaml") as journal, clock, pytest.raises(HarnessError) as caught:
        recorder_with(broken, clock, journal).take(HEAD.to_entry())
    assert str(caught.value) == (
        "nothing is recorded: 10 of 174 secrets that were planted to test the scrubber were not found (npm, raw; "
        "npm, JSON in a text; npm, deltas; npm, base64; npm, URL), so a real one could be stored; this is a fault of "
        "pytest-mala or of rules that were added to it"
    )
    assert [entry["k"] for entry in read_journal(journal.part)] == ["take"]


@pytest.mark.asyncio
async def test_what_a_killed_recording_left_has_the_proof_too(clock: VirtualClock, tmp_path: Path) -> None:
    with Journal(tmp_path / "x-1.yaml") as journal, clock:
        recorder_with(Scrubber(), clock, journal).take(HEAD.to_entry())
    entries = read_journal(journal.part)
    assert recovered(entries).scrub == Proof(rules=1, planted=174, found=174)
    assert recovered([entry for entry in entries if entry["k"] != "proof"]).scrub is None
    with pytest.raises(ValueError, match=r"^an entry is not one of a recording \(KeyError: 'planted'\)$"):
        recovered([entries[0], {"k": "proof", "rules": 1}])


def test_a_check_that_fails_leaves_the_old_cassette(tmp_path: Path) -> None:
    path = tmp_path / "x-1.yaml"
    cassette = assemble(HEAD, [{"k": "turn", "turn": 0, "t": 0.0, "data": {}}])
    write(path, cassette)
    before = path.read_bytes()
    seen: list[str] = []

    def refuse(text: str) -> None:
        seen.append(text)
        raise SecretFoundError("no")

    with pytest.raises(SecretFoundError, match=r"^no$"):
        write(path, cassette, check=refuse)
    assert seen == [dump(cassette)]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
