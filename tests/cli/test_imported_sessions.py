"""Sessions that were imported from session logs: the real ones play as they stand there, and nothing is made up."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

from logged_sessions import FOLDER, SESSION, Log

from pytest_mala.case import Case, CaseResult, CaseSettings, Lane, RecordMode
from pytest_mala.case.ending import Ending
from pytest_mala.case.from_log import LogNames
from pytest_mala.case.imported import IMPORTED
from pytest_mala.case.recorded import read_imported
from pytest_mala.cli.importing import Wanted, import_log
from pytest_mala.clock import VirtualClock
from pytest_mala.errors import CassetteError, HarnessError, MalaError, UsageError
from pytest_mala.issue import EndReason, load_issue
from pytest_mala.session.history import Said, read_log, story_of
from pytest_mala.transport.cassette import Interaction, read, write
from pytest_mala.transport.telling import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOGS = Path(__file__).resolve().parents[1] / "data" / "session_logs"
NAMES = ("short", "subagent", "tool_heavy")
BACKGROUND = ("bae407b", "b100001")
"""The id of the one command that ran in the background, and its name in the cassette."""

SECRET = "ghp_" + "Zx81kQ0vTn5bRm2LwPc9" + "YhJd4sGf7uEaB3oX"


class Listener:
    """Keeps the frames that the SDK's client sends and is given, with their time."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Mapping[str, Any]]] = []

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        raise AssertionError("the transport opens nothing")

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        self.frames.append((direction, frame))

    def decision(self, what: str) -> None:
        raise AssertionError("a log tells no decisions")


def brought_in(log: Path, folder: Path, **more: Any) -> Path:
    """Imports a log into a project; the answer is its cassette."""
    given = {"issue": None, "name": None, "issues": folder / "issues", "cassettes": folder / "cassettes"}
    return import_log(Wanted(log=log, **{**given, "force": False, **more}), {}).cassette


def case_of(folder: Path, name: str, lane: Lane = Lane.REPLAY, record: RecordMode = RecordMode.NONE) -> Case:
    settings = CaseSettings(
        lane=lane,
        record=record,
        cassettes=folder / "cassettes",
        prompts=None,
        frozen=True,
        rootdir=folder,
        record_command="pytest {issue} --mala-record=all",
    )
    return Case(load_issue(folder / "issues" / f"{name}.md", shown=f"issues/{name}.md"), settings)


def played(folder: Path, name: str, **how: Any) -> CaseResult:
    case = case_of(folder, name, **how)
    try:
        case.prepare()
        return asyncio.run(case.run())
    finally:
        case.close()


def play_of(log: Log, folder: Path) -> CaseResult:
    brought_in(log.write(folder / "logs" / "x-1.jsonl"), folder)
    return played(folder, "x-1")


def in_a_log(path: Path) -> Iterator[tuple[str, Any]]:
    """What was said and done, read from the log line by line, with no code of ours."""
    text = path.read_text(encoding="utf-8").replace(*BACKGROUND)
    for line in text.splitlines():
        entry = json.loads(line)
        if entry["type"] in ("user", "assistant"):
            yield from in_a_message(entry["message"])


def in_a_message(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    content = message["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        match block["type"]:
            case "text" | "thinking" as kind:
                yield kind, block[kind]
            case "tool_use":
                yield "call", (block["name"], block["input"])
            case "tool_result":
                yield "result", (block["content"], block.get("is_error"))


def told_to_the_client(path: Path, folder: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The frames of a play, with the paths of the machine that wrote the log."""
    steps = read_imported(path, read(path))
    listener = Listener()

    async def play() -> None:
        with VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)) as clock:
            await tell(steps, names=LogNames.of(folder), observer=listener, now=clock.now, where="x")

    asyncio.run(play())
    return listener.frames


def first_folder(path: Path) -> str:
    return next(cwd for line in path.read_text().splitlines() if (cwd := json.loads(line).get("cwd")))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project into which the real logs were imported, to be read only."""
    folder = tmp_path_factory.mktemp("real")
    for name in NAMES:
        brought_in(LOGS / f"{name}.jsonl", folder)
    return folder


@pytest.fixture
def short(real: Path, tmp_path: Path) -> Path:
    """The cassette of the short one in a project of its own, to be changed."""
    shutil.copytree(real, tmp_path, dirs_exist_ok=True)
    return tmp_path / "cassettes" / "short.yaml"


@pytest.mark.parametrize("name", NAMES)
class TestRealLogs:
    def test_the_client_reads_what_stands_in_the_log(self, real: Path, name: str) -> None:
        log = LOGS / f"{name}.jsonl"
        frames = told_to_the_client(real / "cassettes" / f"{name}.yaml", first_folder(log))
        told = [one for _, frame in frames for one in in_a_message(frame["message"])]
        assert told == list(in_a_log(log))

    def test_the_result_of_the_case_tells_the_same(self, real: Path, name: str) -> None:
        log = LOGS / f"{name}.jsonl"
        folder = first_folder(log)
        result = played(real, name)
        wanted = list(in_a_log(log))
        assert [tool.name for tool in result.tools] == [value[0] for kind, value in wanted if kind == "call"]
        results = [value for kind, value in wanted if kind == "result"]
        assert sorted(tool.is_error for tool in result.tools) == sorted(bool(is_error) for _, is_error in results)
        assert all(tool.result is not None for tool in result.tools)
        assert folder not in result.transcript
        assert result.notes == (IMPORTED,)
        assert (result.checks, result.attempts, result.gate_attempts, result.cost_usd) == ((), (), 0, None)
        assert result.usage.tokens.output_tokens > 0

    def test_it_holds_nothing_that_no_log_tells(self, real: Path, name: str) -> None:
        path = real / "cassettes" / f"{name}.yaml"
        found = read(path)
        assert (found.source, found.lane, found.sdk) == ("session log", "unknown", "unknown")
        assert found.scrub is not None
        [take] = found.takes
        assert {one.method for one in take.interactions} == {"CONNECT", "QUERY"}
        connect = take.interactions[0]
        assert (connect.body, connect.headers, connect.response) == ("unknown", {"purpose": "unknown"}, {})
        for one in take.interactions[1:]:
            *inside, last = one.response["ms"]
            assert set(inside) <= {0}
            assert last > 0
        assert first_folder(LOGS / f"{name}.jsonl") not in path.read_text(encoding="utf-8")

    def test_two_imports_are_the_same_file(self, real: Path, tmp_path: Path, name: str) -> None:
        again = brought_in(LOGS / f"{name}.jsonl", tmp_path)
        assert again.read_bytes() == (real / "cassettes" / f"{name}.yaml").read_bytes()

    def test_stock_vcrpy_opens_it(self, real: Path, name: str) -> None:
        import vcr

        path = real / "cassettes" / f"{name}.yaml"
        with vcr.VCR(record_mode="none").use_cassette(str(path)) as opened:
            bodies = [request.body.decode() for request in opened.requests]
        assert bodies == [one.body for one in read(path).takes[0].interactions]


def test_where_what_is_stale_is_recorded_an_imported_session_is_played(real: Path) -> None:
    """Nothing of it was ever sent, so nothing of it is stale."""
    case = case_of(real, "short", lane=Lane.SCRIPTED, record=RecordMode.STALE)
    case.prepare()
    try:
        result = asyncio.run(case.run())
    finally:
        case.close()
    assert case.is_replayed
    assert result.transcript == played(real, "short").transcript


def test_the_prompts_of_a_session_are_sent_in_their_turn(real: Path) -> None:
    result = played(real, "tool_heavy")
    assert [prompt.text[:20] for prompt in result.prompts] == ["start phoenix in bac", "scrolling back in xt"]
    assert [(prompt.turn, prompt.why) for prompt in result.prompts] == [(1, "unknown"), (2, "unknown")]
    assert [tool.turn for tool in result.tools] == [1, 1, 2, 2, 2, 2]
    assert round(result.virtual_seconds, 3) == 112.064  # from the first prompt to the last entry of the log


BROKEN_OFF = "the log ends in the middle of a turn"
UNJUDGED = "the agent ended its turn; nothing could judge its work"
ENDS: dict[str, tuple[Callable[[Log], object], EndReason, str]] = {
    "an answer": (lambda log: log.text("Done."), EndReason.UNJUDGED, UNJUDGED),
    "a prompt": (lambda log: log.prompt("more"), EndReason.AGENT_ERROR, f"{BROKEN_OFF}, after a prompt"),
    "a call": (lambda log: log.call("t1"), EndReason.AGENT_ERROR, f"{BROKEN_OFF}, in the tool call Bash"),
    "two calls": (
        lambda log: (log.call("t1", answer="a"), log.call("t2", "Read", answer="a")),
        EndReason.AGENT_ERROR,
        f"{BROKEN_OFF}, in the tool calls Bash, Read",
    ),
    "words beside a call": (
        lambda log: (log.call("t1"), log.text("Meanwhile ...")),
        EndReason.AGENT_ERROR,
        f"{BROKEN_OFF}, in the tool call Bash",
    ),
    "a result": (
        lambda log: (log.call("t1"), log.result("t1")),
        EndReason.AGENT_ERROR,
        f"{BROKEN_OFF}, after the result of a tool",
    ),
    "a thought": (
        lambda log: log.says({"type": "thinking", "thinking": "hm", "signature": "s"}),
        EndReason.AGENT_ERROR,
        f"{BROKEN_OFF}, after a thought",
    ),
    "an interrupt": (
        lambda log: (log.call("t1"), log.prompt("[Request interrupted by user for tool use]"), log.result("t1")),
        EndReason.ABORTED,
        "the user interrupted the agent",
    ),
    "an error of the API": (
        lambda log: log.text("API Error: 529 overloaded", isApiErrorMessage=True),
        EndReason.AGENT_ERROR,
        "the API failed: API Error: 529 overloaded",
    ),
    "an answer that was cut": (
        lambda log: (log.text("I will"), log.entries[-1]["message"].update(stop_reason="max_tokens")),
        EndReason.AGENT_ERROR,
        "the agent's last answer is not whole: max_tokens",
    ),
    "words of the CLI": (
        lambda log: (log.text("Done."), log.prompt("<local-command-stdout>x</local-command-stdout>")),
        EndReason.UNJUDGED,
        UNJUDGED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_the_outcome_is_what_the_end_of_the_log_tells(tmp_path: Path, end: str) -> None:
    write_end, reason, why = ENDS[end]
    log = Log()
    log.prompt("please")
    log.text("I look.")
    write_end(log)
    ending = Ending()
    for step in story_of(read_log(log.write(tmp_path / "x.jsonl"))).steps:
        frame = step.frame if isinstance(step, Said) else {"message": {"content": step.content}}
        ending.frame("cli" if isinstance(step, Said) else "sdk", frame)
    assert (ending.reason, ending.why) == (reason, why)


def test_the_outcome_stands_in_result_and_transcript(tmp_path: Path) -> None:
    log = Log()
    log.result("t0")
    result = play_of(log, tmp_path)
    why = f"{BROKEN_OFF}, after the result of a tool"
    assert (result.outcome, result.why, result.expected) == (EndReason.AGENT_ERROR, why, (EndReason.AGENT_ERROR,))
    assert result.transcript.endswith(f"outcome: agent-error\n    {why}\n")
    assert result.turns == 0


def test_no_word_is_no_end() -> None:
    assert (Ending().reason, Ending().why) == (EndReason.AGENT_ERROR, "the log holds no word of the agent")


def test_tokens_are_counted_once_for_each_answer(tmp_path: Path) -> None:
    log = Log()
    log.prompt("please")
    log.text("one", answer="msg_1")
    log.text("two", answer="msg_1")
    log.entries[-1]["message"]["usage"] = {"input_tokens": 10, "output_tokens": 50, "cache_read_input_tokens": 7}
    log.text("three", answer="msg_2")
    tokens = play_of(log, tmp_path).usage.tokens
    assert (tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens) == (20, 55, 7)


def test_a_prompt_with_an_image_is_sent_as_it_was(tmp_path: Path) -> None:
    blocks = [{"type": "text", "text": "see"}, {"type": "image", "source": {"type": "base64", "data": "AAAA"}}]
    log = Log()
    log.prompt(blocks)
    log.text("I see.")
    cassette = brought_in(log.write(tmp_path / "x-1.jsonl"), tmp_path)
    [(direction, sent), _] = told_to_the_client(cassette, FOLDER)
    assert (direction, sent["message"]["content"]) == ("sdk", blocks)
    assert played(tmp_path, "x-1").prompts[0].text == "see"


def test_a_text_that_looks_like_blocks_stays_a_text(tmp_path: Path) -> None:
    log = Log()
    log.prompt('[{"type": "text"}]')
    log.text("Odd.")
    cassette = brought_in(log.write(tmp_path / "x-1.jsonl"), tmp_path)
    assert told_to_the_client(cassette, FOLDER)[0][1]["message"]["content"] == '[{"type": "text"}]'


def test_more_frames_than_the_client_buffers_before_any_prompt(tmp_path: Path) -> None:
    log = Log()
    for number in range(300):
        log.text(f"word {number}")
    log.prompt("please")
    log.text("Done.")
    assert play_of(log, tmp_path).turns == 1


def test_paths_of_the_other_machine_get_names(tmp_path: Path) -> None:
    log = Log()
    log.prompt(f"look at {FOLDER}/a.py, {FOLDER}-old and /home/ann/notes, not /home/anna; ${{X}}")
    log.text("See /srv/home/ann.")
    log.text("cc -I/home/ann/include '\\n/home/ann/x\\n'")
    cassette = brought_in(log.write(tmp_path / "x-1.jsonl"), tmp_path)
    body = read(cassette).takes[0].interactions[1].body
    assert body == "look at ${WORKSPACE}/a.py, ${HOME}/work/app-old and ${HOME}/notes, not /home/anna; ${$}{X}"
    last = read(cassette).takes[0].interactions[1].response["frames"][-1]["cli"]["message"]["content"][0]
    assert last["text"] == "cc -I${HOME}/include '\\n${HOME}/x\\n'"
    told = [frame["message"]["content"] for _, frame in told_to_the_client(cassette, FOLDER)]
    assert told[0] == log.entries[0]["message"]["content"]
    assert told[1][0]["text"] == "See /srv/home/ann."


@pytest.mark.parametrize("folder", ["/", "", "C:\\Users\\ann\\app", "/root", "/app"])
def test_any_folder_can_be_named(tmp_path: Path, folder: str) -> None:
    log = Log(folder=folder)
    text = f"/a/app/b \\ {folder}x {folder}"
    log.prompt(text)
    log.text("Done.")
    cassette = brought_in(log.write(tmp_path / "x-1.jsonl"), tmp_path)
    assert told_to_the_client(cassette, folder)[0][1]["message"]["content"] == text


def test_secrets_of_the_log_and_of_this_machine_are_taken_out(tmp_path: Path) -> None:
    log = Log()
    log.prompt(f"the token is {SECRET}")
    log.text("I keep correct-horse-battery to myself.")
    given = Wanted(
        log=log.write(tmp_path / "x-1.jsonl"),
        issue=None,
        name=None,
        issues=tmp_path / "issues",
        cassettes=tmp_path / "cassettes",
        force=False,
    )
    import_log(given, {"MY_PASSWORD": "correct-horse-battery"})
    written = [path.read_text(encoding="utf-8") for path in (*tmp_path.glob("issues/*"), *tmp_path.glob("cassettes/*"))]
    assert len(written) == 2
    assert not any(SECRET in text or "correct-horse" in text for text in written)
    assert all("the token is <github-1>" in text for text in written)
    assert "I keep <secret-1> to myself." in written[1]


def test_a_log_with_sub_agents_compaction_and_torn_lines_plays(tmp_path: Path) -> None:
    log, side = Log(), Log(agent="ab12cd3")
    log.prompt("please")
    log.call("t1", "Task", given={"prompt": "find it"})
    side.prompt("find it")
    side.call("t2", "Grep", given={"pattern": "x"})
    side.result("t2")
    log.result("t1", "found", toolUseResult={"agentId": "ab12cd3"})
    log.boundary()
    log.prompt("This session is being continued ...", isCompactSummary=True)
    log.text("Done.")
    path = log.write(tmp_path / f"{SESSION}.jsonl")
    side.write(tmp_path / SESSION / "subagents" / "agent-ab12cd3.jsonl")
    with path.open("a") as file:
        file.write('{"type": "assistant", "mess')
    brought_in(path, tmp_path)
    result = played(tmp_path, "session-11111111")
    assert [(tool.name, tool.parent is not None) for tool in result.tools] == [("Task", False), ("Grep", True)]
    assert (result.outcome, result.turns) == (EndReason.UNJUDGED, 1)
    assert "Grep (sub-agent of call 1)" in result.transcript
    assert "compact" in result.transcript


class TestIssues:
    def log(self, folder: Path) -> Path:
        log = Log()
        log.prompt("please")
        log.text("Done.")
        return log.write(folder / "x-1.jsonl")

    @pytest.mark.parametrize(
        ("gate", "problem"),
        [
            ("", "gate.commit: required"),
            ("gate: {commit: forbidden}\n", "gate.commit: forbidden"),
            ("gate: {commit: allowed, checks: {test: pytest -q}}\n", "gate.checks.test"),
        ],
    )
    def test_what_no_log_can_show_is_refused(self, tmp_path: Path, gate: str, problem: str) -> None:
        path = tmp_path / "issues" / "x-1.md"
        path.parent.mkdir()
        path.write_text(f"---\nid: x-1\ntitle: x\n{gate}---\nplease\n")
        brought_in(self.log(tmp_path), tmp_path, issue=path)
        with pytest.raises(UsageError) as caught:
            case_of(tmp_path, "x-1").prepare()
        assert str(caught.value) == (
            f"issues/x-1.md:1: {problem}: cassettes/x-1.yaml was imported from a session log, which does not tell the "
            "workspace, so this can't be judged; take it out (`gate: {commit: allowed}`), or record the session"
        )

    def test_the_workspace_is_unknown(self, tmp_path: Path) -> None:
        brought_in(self.log(tmp_path), tmp_path)
        case = case_of(tmp_path, "x-1")
        case.prepare()
        try:
            assert list(case.workspace.path.iterdir()) == []
            for name in ("diff", "commits"):
                with pytest.raises(UsageError) as caught:
                    getattr(case.workspace, name)()
                assert str(caught.value) == (
                    f"{name}() of an imported session: a session log does not tell its workspace"
                )
        finally:
            case.close()


def changed(path: Path, change: Callable[[list[Interaction]], list[Interaction]]) -> None:
    found = read(path)
    [take] = found.takes
    write(path, replace(found, takes=(replace(take, interactions=tuple(change(list(take.interactions)))),)))


def one(method: str, place: str, **response: Any) -> Interaction:
    return Interaction(method=method, uri=f"claude-sdk://short/1/{place}", body="", headers={}, response=response)


def with_headers(all_of: list[Interaction], **headers: str) -> list[Interaction]:
    return [all_of[0], replace(all_of[1], headers=headers)]


ADDED: dict[str, tuple[Callable[[list[Interaction]], list[Interaction]], str]] = {
    "a gate": (
        lambda found: [*found, one("GATE", "gate/1", checks=[], took_ms=[])],
        "interaction GATE claude-sdk://short/1/gate/1: a session log tells no GATE; expected CONNECT or QUERY",
    ),
    "a second connection": (
        lambda found: [*found, one("CONNECT", "connection/2")],
        "interaction CONNECT claude-sdk://short/1/connection/2: "
        "expected one connection that begins the take, and each place once",
    ),
    "no connection": (
        lambda found: found[1:],
        "interaction QUERY claude-sdk://short/1/connection/1/query/1: "
        "expected one connection that begins the take, and each place once",
    ),
    "a decision of ours": (
        lambda found: [*found, one("QUERY", "connection/1/query/2", decisions=["WORKING RUN_GATE"])],
        "interaction QUERY claude-sdk://short/1/connection/1/query/2: response.decisions: "
        "a session log tells no decisions",
    ),
    "a tree between frames": (
        lambda found: [*found, one("QUERY", "connection/1/query/2", ms=[0], frames=[{"tree": "a" * 40}])],
        "interaction QUERY claude-sdk://short/1/connection/1/query/2: response.frames[0]: "
        "a session log tells only frames of the CLI (`cli`)",
    ),
    "an unknown header": (
        lambda found: with_headers(found, mood="good"),
        "interaction QUERY claude-sdk://short/1/connection/1/query/1: request.headers.mood: "
        "expected content, session or time",
    ),
    "another form": (
        lambda found: with_headers(found, content="html"),
        "interaction QUERY claude-sdk://short/1/connection/1/query/1: request.headers.content: "
        "expected blocks, got 'html'",
    ),
    "no blocks": (
        lambda found: with_headers(found, content="blocks"),
        "interaction QUERY claude-sdk://short/1/connection/1/query/1: request.body: "
        "expected the JSON of a list of content blocks",
    ),
    "no time": (
        lambda found: with_headers(found, time="soon"),
        "interaction QUERY claude-sdk://short/1/connection/1/query/1: request.headers.time: "
        "expected a time with its zone, got 'soon'",
    ),
}


@pytest.mark.parametrize("what", ADDED)
def test_what_no_log_tells_is_refused_in_its_cassette(short: Path, tmp_path: Path, what: str) -> None:
    change, message = ADDED[what]
    changed(short, change)
    with pytest.raises(CassetteError) as caught:
        read_imported(short, read(short))
    assert str(caught.value).removeprefix(f"{short}:").partition(": ")[2] == message
    with pytest.raises(CassetteError) as caught:
        case_of(tmp_path, "short").prepare()
    assert str(caught.value).endswith(f": {message}; to record it anew: pytest short --mala-record=all")


def test_a_second_take_is_refused(short: Path) -> None:
    found = read(short)
    [take] = found.takes
    for takes in ((take, replace(take, number=2)), (replace(take, number=2),)):
        with pytest.raises(CassetteError) as caught:
            read_imported(short, replace(found, takes=takes))
        numbers = [one.number for one in takes]
        assert str(caught.value) == (f"{short}: expected take 1 alone, as a log tells one session, got takes {numbers}")
    with pytest.raises(CassetteError) as caught:
        read_imported(short, replace(found, takes=(replace(take, sdk="0.2.187"),)))
    assert str(caught.value) == f"{short}: take 1: a session log tells neither the lane nor the SDK"


def test_a_frame_that_the_sdk_can_t_read_is_told(short: Path, tmp_path: Path) -> None:
    def spoil(found: list[Interaction]) -> list[Interaction]:
        del found[1].response["frames"][0]["cli"]["message"]["model"]
        return found

    changed(short, spoil)
    with pytest.raises(HarnessError) as caught:
        played(tmp_path, "short")
    assert str(caught.value) == (
        "cassettes/short.yaml: the SDK can't read what the log tells: Missing required field in assistant message: "
        "'model'; import the log anew"
    )


def damaged(text: bytes, rules: random.Random) -> bytes:
    """Lines of a real log torn, dropped, repeated, swapped, and bytes of them changed."""
    lines = text.splitlines(keepends=True)
    for _ in range(rules.randint(1, 6)):
        at = rules.randrange(len(lines))
        match rules.randrange(6):
            case 0:
                lines[at] = lines[at][: rules.randrange(len(lines[at]))]
            case 1:
                del lines[at : at + rules.randint(1, 3)]
            case 2:
                lines.insert(rules.randrange(len(lines)), lines[at])
            case 3:
                lines.append(lines.pop(at))
            case 4:
                place = rules.randrange(len(lines[at]))
                lines[at] = lines[at][:place] + bytes([rules.randrange(256)]) + lines[at][place + 1 :]
            case _:
                words = [b'"text"', b'"tool_use"', b'"user"', b"null", b"false", b'"content"', b'"id"', b'"message"']
                lines[at] = lines[at].replace(rules.choice(words), rules.choice([b"7", b"[]", b"{}", b'"x"']), 1)
        if not lines:
            break
    return b"".join(lines)[: rules.randrange(len(text)) if rules.random() < 0.3 else None]


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_log_plays_or_is_refused(tmp_path: Path, seed: int) -> None:
    rules = random.Random(seed)
    original = (LOGS / f"{NAMES[seed % len(NAMES)]}.jsonl").read_bytes()
    path = tmp_path / "x-1.jsonl"
    path.write_bytes(damaged(original, rules))
    refused = ""
    try:
        cassette = brought_in(path, tmp_path)
    except MalaError as error:
        refused = str(error)
    if refused:
        assert refused.startswith(f"{path}: ")
        assert "\n" not in refused
        return
    told = told_to_the_client(cassette, FOLDER)
    assert len(told) == len(read_imported(cassette, read(cassette)))
    assert played(tmp_path, "x-1").notes[0] == IMPORTED


def test_an_imported_session_has_nothing_stale(tmp_path: Path) -> None:
    """None of its prompts is ever sent: a run that renews what is stale plays it as any other does."""
    brought_in(LOGS / "short.jsonl", tmp_path)
    renewing = played(tmp_path, "short", lane=Lane.SCRIPTED, record=RecordMode.STALE)
    plain = played(tmp_path, "short")
    assert (renewing.transcript, renewing.notes) == (plain.transcript, plain.notes)
