"""What a session log tells: branches, repeated and missing entries, sub-agents, compaction, torn lines."""

from __future__ import annotations

import copy
import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from logged_sessions import BEGAN, FOLDER, MISSING, SESSION, Log, told

from pytest_mala.session.history import Prompt, Said, SessionLogError, Story, Torn, read_log, story_of

if TYPE_CHECKING:
    from pathlib import Path

NO_LOG = "is no session log of Claude Code: no entry of type user or assistant is in it"


def story(log: Log, folder: Path) -> Story:
    return story_of(read_log(log.write(folder / f"{log.session}.jsonl")))


def lost(found: Story) -> tuple[int, int, int]:
    return found.abandoned, found.repeated, found.unlinked


class TestBranches:
    def test_a_straight_log_is_told_as_it_stands(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("I look.")
        log.call("t1")
        log.result("t1")
        log.text("Done.")
        log.prompt([{"type": "text", "text": "more"}])
        log.text("Done again.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "I look.", "t1", "=t1", "Done.", "prompt more", "Done again."]
        assert lost(found) == (0, 0, 0)
        assert (found.versions, found.folder, found.session, found.sub_agents) == (("2.1.38",), FOLDER, SESSION, 0)
        first, second = found.steps[:2]
        assert first == Prompt(number=1, content="please", session=SESSION, time=BEGAN)
        assert isinstance(second, Said)
        assert second.frame == {
            "type": "assistant",
            "message": log.entries[1]["message"],
            "parent_tool_use_id": None,
            "uuid": log.entries[1]["uuid"],
            "session_id": SESSION,
        }

    def test_an_edited_prompt_leaves_its_branch_behind(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        start = log.text("Yes?")
        log.prompt("first thought")
        log.text("answer to the first")
        log.prompt("second thought", parent=start)
        log.text("answer to the second")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "Yes?", "prompt second thought", "answer to the second"]
        assert lost(found) == (2, 0, 0)

    def test_another_beginning_is_another_branch(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("Yes?")
        log.prompt("anew", parent=None)
        log.text("Good.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt anew", "Good."]
        assert lost(found) == (2, 0, 0)

    def test_calls_that_ran_side_by_side_are_kept_with_their_results(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        one = log.call("t1", answer="msg_1")
        two = log.call("t2", answer="msg_1")
        three = log.call("t3", answer="msg_1")
        log.result("t2", parent=two)
        log.result("t3", parent=three)
        log.result("t1", parent=one)
        log.text("Done.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "t1", "t2", "t3", "=t2", "=t3", "=t1", "Done."]
        assert lost(found) == (0, 0, 0)

    def test_a_result_of_an_abandoned_branch_is_not_kept(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        call = log.call("t1", answer="msg_1")
        log.result("t1", "first try", parent=call)
        log.result("t1", "second try", parent=call)
        log.text("Done.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "t1", "=t1", "Done."]
        assert found.steps[2].number == 4
        assert lost(found) == (1, 0, 0)

    def test_entries_that_a_resume_wrote_again_are_told_once(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("Yes?")
        log.entries += log.entries[:2]
        log.prompt("go on")
        log.text("Done.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "Yes?", "prompt go on", "Done."]
        assert lost(found) == (0, 2, 0)

    def test_a_missing_link_leads_to_what_stands_before(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("Yes?")
        log.text("lost")
        log.text("after")
        del log.entries[2]
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "Yes?", "after"]
        assert lost(found) == (0, 0, 1)

    def test_entries_without_ids_follow_each_other(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please", parentUuid=MISSING, uuid=MISSING)
        log.text("Yes?", parentUuid=MISSING, uuid=MISSING)
        log.text("Done.", parentUuid=MISSING, uuid=MISSING)
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "Yes?", "Done."]
        assert lost(found) == (0, 0, 0)

    def test_a_ring_of_links_ends(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        last = log.text("Yes?")
        log.entries[0]["parentUuid"] = last
        log.entries[1]["parentUuid"] = log.entries[0]["uuid"]
        assert told(story(log, tmp_path).steps) == ["prompt please", "Yes?"]

    def test_links_may_run_over_entries_that_are_no_messages(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.add("progress", data={"type": "hook_progress", "hookEvent": "PreToolUse"})
        log.add("attachment", attachment={"type": "date"})
        log.add("system", subtype="turn_duration")
        log.text("Done.")
        found = story(log, tmp_path)
        assert told(found.steps) == ["prompt please", "Done."]
        assert found.others == {"attachment date": 1, "progress hook_progress": 1, "system turn_duration": 1}


class TestCompaction:
    @pytest.mark.parametrize("logical", [True, False], ids=["linked", "not linked"])
    def test_the_story_goes_on_over_a_boundary(self, tmp_path: Path, logical: bool) -> None:
        log = Log()
        log.prompt("please")
        log.text("I work.")
        log.boundary(**({} if logical else {"logicalParentUuid": MISSING}))
        log.prompt("This session is being continued ...", isCompactSummary=True)
        log.text("I go on.")
        found = story(log, tmp_path)
        assert told(found.steps) == [
            "prompt please",
            "I work.",
            "compact_boundary",
            "This session is being continued ...",
            "I go on.",
        ]
        assert lost(found) == (0, 0, 0)
        boundary, summary = found.steps[2:4]
        assert isinstance(boundary, Said)
        assert isinstance(summary, Said)
        assert boundary.frame["compact_metadata"] == {"trigger": "auto", "pre_tokens": 160000}
        assert summary.frame["isSynthetic"] is True

    def test_several_versions_are_told_in_their_order(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.version = "2.1.40"
        log.text("I work.")
        log.version = "2.1.38"
        log.text("Done.")
        assert story(log, tmp_path).versions == ("2.1.38", "2.1.40")


class TestPrompts:
    @pytest.mark.parametrize(
        "text",
        [
            "[Request interrupted by user]",
            "[Request interrupted by user for tool use]",
            "<local-command-stdout>ok</local-command-stdout>",
            "<bash-input>ls</bash-input>",
            "<task-notification>done</task-notification>",
        ],
    )
    def test_words_of_the_cli_are_no_prompts(self, tmp_path: Path, text: str) -> None:
        log = Log()
        log.prompt("please")
        log.prompt(text)
        log.prompt([{"type": "text", "text": text}])
        log.text("Done.")
        assert told(story(log, tmp_path).steps) == ["prompt please", text, text, "Done."]

    def test_a_command_that_the_agent_answers_is_a_prompt(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("<command-message>review</command-message><command-name>/review</command-name>")
        log.prompt("Look at the changes.", isMeta=True)
        log.text("I look.")
        log.prompt("<command-name>/mcp</command-name>")
        log.prompt("<local-command-stdout>ok</local-command-stdout>")
        kinds = [type(step).__name__ for step in story(log, tmp_path).steps]
        assert kinds == ["Prompt", "Said", "Said", "Said", "Said"]

    def test_a_prompt_with_an_image_keeps_its_blocks(self, tmp_path: Path) -> None:
        blocks = [{"type": "text", "text": "see"}, {"type": "image", "source": {"type": "base64", "data": "AAAA"}}]
        log = Log()
        log.prompt(blocks)
        log.text("I see.")
        first = story(log, tmp_path).steps[0]
        assert isinstance(first, Prompt)
        assert first.content == blocks

    def test_an_error_of_the_api_is_marked(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("API Error: 529", isApiErrorMessage=True)
        log.text("API Error: 429", isApiErrorMessage=True, error="rate_limit")
        steps = story(log, tmp_path).steps[1:]
        assert [step.frame["error"] for step in steps if isinstance(step, Said)] == ["unknown", "rate_limit"]

    def test_what_the_sdk_needs_is_there(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.says({"type": "thinking", "thinking": "hm"}, requestId="req_1")
        log.says()
        log.entries[-1]["message"]["content"] = "a plain text"
        log.result("t1", toolUseResult={"stdout": "x"})
        steps = [step.frame for step in story(log, tmp_path).steps[1:] if isinstance(step, Said)]
        assert steps[0]["message"]["content"] == [{"signature": "", "type": "thinking", "thinking": "hm"}]
        assert steps[0]["request_id"] == "req_1"
        assert steps[1]["message"]["content"] == [{"type": "text", "text": "a plain text"}]
        assert steps[2]["tool_use_result"] == {"stdout": "x"}


class TestSubAgents:
    TASK = "find the bug"

    def main(self) -> Log:
        log = Log()
        log.prompt("please")
        log.call("t1", "Task", given={"prompt": self.TASK, "description": "d"})
        log.at = BEGAN.replace(minute=5)
        log.result("t1", "found", toolUseResult={"agentId": "ab12cd3", "status": "completed"})
        log.text("Done.")
        return log

    def agent(self, *, agent: str | None = "ab12cd3", task: str = TASK) -> Log:
        log = Log(agent=agent)
        log.at = BEGAN.replace(minute=1)
        log.prompt(task)
        log.call("t2", "Grep", given={"pattern": "x"})
        log.result("t2")
        log.text("It is here.")
        return log

    WHOLE = ("prompt please", "t1", "t1/find the bug", "t1/t2", "t1/=t2", "t1/It is here.", "=t1", "Done.")

    @pytest.mark.parametrize("place", [f"{SESSION}/subagents/agent-ab12cd3.jsonl", "agent-ab12cd3.jsonl"])
    def test_a_file_of_its_own_is_put_where_it_ran(self, tmp_path: Path, place: str) -> None:
        self.agent().write(tmp_path / place)
        found = story(self.main(), tmp_path)
        assert tuple(told(found.steps)) == self.WHOLE
        assert (found.sub_agents, found.unplaced, found.wrong) == (1, (), ())
        assert {step.name for step in found.steps if isinstance(step, Said)} == {"", "agent-ab12cd3.jsonl"}

    def test_one_of_another_session_is_left_alone(self, tmp_path: Path) -> None:
        other = self.agent()
        other.session = "99999999-2222-4333-8444-555555555555"
        for entry in other.entries:
            entry["sessionId"] = other.session
        other.write(tmp_path / "agent-ab12cd3.jsonl")
        (tmp_path / "agent-broken.jsonl").write_text("{")
        (tmp_path / "agent-folder.jsonl").mkdir()
        found = story(self.main(), tmp_path)
        assert (found.sub_agents, found.unplaced, found.wrong) == (0, (), ())

    def test_entries_among_those_of_the_session(self, tmp_path: Path) -> None:
        log, side = self.main(), self.agent(agent="x")
        for entry in side.entries:
            del entry["agentId"]  # older versions do not tell it
        log.entries[2:2] = side.entries
        found = story(log, tmp_path)
        assert tuple(told(found.steps)) == self.WHOLE
        assert found.sub_agents == 1

    def test_progress_names_the_call(self, tmp_path: Path) -> None:
        log = self.main()
        del log.entries[2]["toolUseResult"]
        progress = {"type": "progress", "uuid": "p1", "parentToolUseID": "t1"}
        log.entries.insert(2, {**progress, "data": {"type": "agent_progress", "agentId": "ab12cd3"}})
        self.agent(task="other words").write(tmp_path / SESSION / "subagents" / "agent-ab12cd3.jsonl")
        assert "t1/other words" in told(story(log, tmp_path).steps)

    def test_a_sub_agent_of_a_sub_agent(self, tmp_path: Path) -> None:
        folder = tmp_path / SESSION / "subagents"
        outer = self.agent()
        inner = Log(agent="ef45")
        inner.at = BEGAN.replace(minute=1, second=2)
        inner.prompt("look there")
        inner.text("Nothing.")
        outer.entries[1]["message"]["content"][0] |= {"name": "Agent", "input": {"prompt": "look there"}}
        outer.entries[2]["timestamp"] = "2026-03-01T10:02:00.000Z"
        outer.entries[3]["timestamp"] = "2026-03-01T10:02:01.000Z"
        inner.write(folder / "agent-a-first.jsonl")
        outer.write(folder / "agent-b-second.jsonl")
        found = story(self.main(), tmp_path)
        assert told(found.steps) == [
            *("prompt please", "t1", "t1/find the bug", "t1/t2"),
            *("t2/look there", "t2/Nothing.", "t1/=t2", "t1/It is here.", "=t1", "Done."),
        ]

    def test_one_that_nothing_started_is_named(self, tmp_path: Path) -> None:
        self.agent(agent="zz", task="who asked?").write(tmp_path / SESSION / "subagents" / "agent-zz.jsonl")
        found = story(self.main(), tmp_path)
        assert (found.sub_agents, found.unplaced) == (0, ("agent-zz.jsonl",))

    def test_a_broken_file_of_a_sub_agent_is_named(self, tmp_path: Path) -> None:
        folder = tmp_path / SESSION / "subagents"
        path = self.agent().write(folder / "agent-ab12cd3.jsonl")
        path.write_text(path.read_text() + '{"type":')
        empty = folder / "agent-empty.jsonl"
        empty.write_text("")
        found = story(self.main(), tmp_path)
        assert found.wrong == (f"{path}: line 5 can't be read (not whole JSON)", f"{empty}: is empty")
        assert tuple(told(found.steps)) == self.WHOLE

    def test_times_that_are_missing_put_it_behind_its_call(self, tmp_path: Path) -> None:
        side = self.agent()
        for entry in side.entries:
            entry["timestamp"] = "yesterday"
        side.write(tmp_path / SESSION / "subagents" / "agent-ab12cd3.jsonl")
        assert tuple(told(story(self.main(), tmp_path).steps)) == self.WHOLE

    def test_the_log_of_a_sub_agent_is_a_session_of_its_own(self, tmp_path: Path) -> None:
        side = self.agent()
        side.prompt("and look there")
        side.text("Nothing.")
        found = story_of(read_log(side.write(tmp_path / "agent-ab12cd3.jsonl")))
        assert found.is_side
        words = ["prompt find the bug", "t2", "=t2", "It is here.", "and look there", "Nothing."]
        assert told(found.steps) == words


class TestDamage:
    def test_each_bad_line_is_named(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("Yes?")
        first, second = (line.encode() for line in log.lines())
        deep = b'{"a":' * 60 + b"1" + b"}" * 60
        bad = [first[:50], b"[1]", b"\xff{}", b'{"a": NaN}', b'{"a": 1e999}', deep, b"[" * 100_000]
        (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join([first, b"", *bad, second, first[:20]]))
        found = read_log(tmp_path / "x.jsonl")
        assert [line.number for line in found.lines] == [1, 10]
        assert found.torn == (
            Torn(number=3, why="not whole JSON"),
            Torn(number=4, why="no JSON object"),
            Torn(number=5, why="not UTF-8"),
            Torn(number=6, why="not whole JSON"),
            Torn(number=7, why="not whole JSON"),
            Torn(number=8, why="nested deeper than 48 levels"),
            Torn(number=9, why="not whole JSON"),
            Torn(number=11, why="not whole JSON", is_last=True),
        )

    def test_a_long_line_is_read(self, tmp_path: Path) -> None:
        log = Log()
        log.prompt("please")
        log.text("x" * 5_000_000)
        assert len(told(story(log, tmp_path).steps)[1]) == 5_000_000

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"", "is empty"),
            (b"\n \n", "is empty"),
            (b"# hello\n", f"{NO_LOG} (line 1: not whole JSON)"),
            (b'{"type": "summary"}\n', NO_LOG),
            (b'{"type": "user", "message": null}\n', NO_LOG),
        ],
    )  # fmt: skip
    def test_a_file_that_is_no_log_is_refused(self, tmp_path: Path, content: bytes, what: str) -> None:
        path = tmp_path / "x.jsonl"
        path.write_bytes(content)
        with pytest.raises(SessionLogError) as caught:
            read_log(path)
        assert str(caught.value) == f"{path}: {what}"

    def test_what_is_no_file_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        wrong = {
            "none.jsonl": "no such file; name a session log, a file <session id>.jsonl",
            ".": "is a folder; name one session log in it, a file <session id>.jsonl",
            "pipe": "is not a regular file",
        }
        for name, what in wrong.items():
            with pytest.raises(SessionLogError) as caught:
                read_log(tmp_path / name)
            assert str(caught.value) == f"{tmp_path / name}: {what}"


def sample() -> Log:
    log = Log()
    log.prompt("please")
    call = log.call("t1", answer="msg_1")
    log.call("t2", answer="msg_1")
    log.result("t2")
    log.result("t1", parent=call)
    log.boundary()
    log.prompt("This session ...", isCompactSummary=True)
    log.prompt("more")
    log.text("Done.")
    return log


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), junk=JUNK)
def test_nothing_in_a_log_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, seed: int, junk: Any) -> None:
    """Fields are replaced by junk, lines torn, dropped, repeated and put in another order: a story or one error."""
    rules = random.Random(seed)
    log = sample()
    for _ in range(rules.randint(1, 4)):
        entry: Any = rules.choice(log.entries)
        while isinstance(entry, dict) and entry:
            key = rules.choice(list(entry))
            if rules.random() < 0.4:
                entry[key] = copy.deepcopy(junk)  # it may be chosen again, and must not come into itself
                break
            inside = entry[key]
            entry = rules.choice(inside) if isinstance(inside, list) and inside else inside
    lines = [json.dumps(entry).encode() for entry in log.entries]
    for _ in range(rules.randint(0, 3)):
        at = rules.randrange(len(lines))
        change = rules.randrange(4)
        if change == 0:
            lines[at] = lines[at][: rules.randrange(len(lines[at]) + 1)]
        elif change == 1:
            lines.insert(at, rules.choice(lines))
        elif change == 2:
            rules.shuffle(lines)
        else:
            lines[at] = lines[at][:-1] + bytes([rules.randrange(256)])
    path = tmp_path_factory.mktemp("log") / "x.jsonl"
    path.write_bytes(b"\n".join(lines))
    try:
        log_read = read_log(path)
    except SessionLogError:
        return
    found = story_of(log_read)
    messages = sum(line.is_message for line in log_read.lines)
    kept = sum(isinstance(step, Prompt) or step.frame["type"] != "system" for step in found.steps)
    if not found.unplaced:
        assert kept + found.abandoned + found.repeated == messages
    assert len({id(step) for step in found.steps}) == len(found.steps)
