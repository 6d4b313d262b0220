"""`pytest-mala import`: what it writes and says, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

from logged_sessions import MISSING, SESSION, Log

from pytest_mala.issue import load_issue
from pytest_mala.transport.cassette import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

    Command = Callable[..., Said]

BY_HAND = """\
import pytest


@pytest.mark.asyncio
async def test_by_hand(mala_session):
    run = await mala_session("issues/x-1.md")
    assert run.outcome == "unjudged"
    assert [call.name for call in run.tools] == ["Bash"]
    assert run.prompts.why == ["unknown"]
    assert list(run.workspace.path.iterdir()) == []
    with pytest.raises(Exception, match="does not tell its workspace"):
        run.workspace.diff()
"""
UNKNOWN = "options, hook answers, control requests, timing inside a turn, workspace, gate, cost"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command writes below the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small() -> Log:
    log = Log()
    log.prompt("Please: fix\nthe bug\n")
    log.call("t1")
    log.result("t1")
    log.text("Done.")
    return log


def test_an_issue_and_a_cassette_come_out(command: Command, here: Path) -> None:
    small().write(here / "x-1.jsonl")
    said = command("import", "x-1.jsonl")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "issues/x-1.md: written",
        "cassettes/x-1.yaml: written",
        "session: 1 turn, 1 tool call, 3 frames, 0 sub-agents; CLI 2.1.38",
        "outcome: unjudged (the agent ended its turn; nothing could judge its work)",
        f"unknown: {UNKNOWN}",
        "next: pytest --mala-issues issues/x-1.md",
    ]
    assert (here / "issues" / "x-1.md").read_text() == (
        '---\nid: x-1\ntitle: "Please: fix the bug"\nlabels: [imported]\n'
        "gate: {commit: allowed}  # nothing can judge the work: a session log does not tell the workspace\n"
        "expect: unjudged  # how the session ended\n---\nPlease: fix\nthe bug\n"
    )
    assert sorted(path.name for path in here.rglob("*") if path.is_file()) == ["x-1.jsonl", "x-1.md", "x-1.yaml"]


def test_the_next_command_runs_without_key_network_or_cli(command: Command, here: Path) -> None:
    """In a process of its own, as CI runs it."""
    small().write(here / "x-1.jsonl")
    command("import", "x-1.jsonl", "--cassettes", "recorded")
    (here / "pyproject.toml").write_text(
        '[tool.pytest]\nstrict = true\nasyncio_default_fixture_loop_scope = "function"\nfilterwarnings = ["error"]\n'
    )
    (here / "test_by_hand.py").write_text(BY_HAND)
    environment = {"PATH": os.environ["PATH"], "HOME": str(here), "LANG": "C.UTF-8", "TMPDIR": str(here)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", "--mala-issues=issues", "-o", "mala_cassettes=recorded",
         "test_by_hand.py"],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    told = done.stdout.splitlines()
    assert "x-1  unjudged, expected    1 turn" in told
    assert "test_by_hand.py ." in [line[:17] for line in told]
    assert (
        "     note: imported from a session log: options, hook answers, timing inside a turn and workspace are unknown,"
        " and the prompts are those of the log, whatever the issue says"
    ) in told


def test_everything_as_json(command: Command, here: Path) -> None:
    log = small()
    log.version = "2.1.40"
    log.text("More.")
    log.write(here / "x-1.jsonl")
    said = command("import", "x-1.jsonl", "--json", "--cassettes", "recorded", "--issues", "work", "--id", "other")
    assert json.loads(said.out) == {
        "id": "other",
        "issue": "work/other.md",
        "cassette": "recorded/other.yaml",
        "issue_written": True,
        "turns": 1,
        "tool_calls": 1,
        "frames": 4,
        "sub_agents": 0,
        "cli": "2.1.38, 2.1.40",
        "start": "2026-03-01T10:00:00.000Z",
        "unknown": UNKNOWN.split(", "),
        "outcome": "unjudged",
        "why": "the agent ended its turn; nothing could judge its work",
        "left_out": [],
        "warnings": [],
        "next": "pytest --mala-issues work/other.md -o mala_cassettes=recorded",
    }


def test_all_that_is_left_out_is_told(command: Command, here: Path) -> None:
    log = Log()
    start = log.prompt("please")
    log.text("abandoned")
    log.prompt("again", parent=start)
    log.add("progress", data={"type": "hook_progress"})
    log.add("file-history-snapshot")
    log.says({"type": "text"})
    log.text("Done.")
    log.entries.append(log.entries[-1])
    log.write(here / "x-1.jsonl")
    Log(agent="zz").prompt("?")
    side = Log(agent="zz")
    side.prompt("who asked?")
    side.write(here / "x-1" / "subagents" / "agent-zz.jsonl")
    with (here / "x-1.jsonl").open("a") as file:
        file.write('{"a"\n{"type": "user')
    said = command("import", "x-1.jsonl")
    assert said.status == 0
    assert [line for line in said.out.splitlines() if line.startswith(("left out", "warning"))] == [
        "left out: entries that are no messages: 1 file-history-snapshot, 1 progress hook_progress",
        "left out: 1 message of branches that were given up (edited or repeated prompts)",
        "left out: 1 message whose id was there before",
        "left out: 2 lines that can't be read: line 9 (not whole JSON), "
        "line 10 (not whole JSON, the file breaks off in it)",
        "left out: 1 message that the SDK can't read: line 6 (message.content[0].text: expected a text, got nothing)",
        "left out: 1 sub-agent whose tool call is not in the session: agent-zz.jsonl",
    ]


def test_long_lists_are_cut(command: Command, here: Path) -> None:
    path = small().write(here / "x-1.jsonl")
    path.write_text(path.read_text() + "{\n" * 13)
    numbers = ", ".join(f"line {number} (not whole JSON)" for number in range(5, 15))
    assert f"left out: 13 lines that can't be read: {numbers} and 3 more\n" in command("import", "x-1.jsonl").out


def test_what_is_odd_is_told(command: Command, here: Path) -> None:
    log = Log(folder="/srv/app")
    log.text("lost beginning")
    log.text("lost link", parent="99999999-0000-4000-8000-000000000000")
    for entry in log.entries:
        del entry["timestamp"]
    log.write(here / "x-1.jsonl")
    said = command("import", "x-1.jsonl")
    assert [line for line in said.out.splitlines() if line.startswith(("unknown", "warning"))] == [
        f"unknown: {UNKNOWN}, time",
        "warning: the log begins behind the first prompt",
        "warning: 1 link to entries that are missing: what stands before in the file was taken",
        "warning: the log does not tell the user's home folder: paths that lead there stay as they are",
        "warning: the log tells no time: the session begins at 1970-01-01T00:00:00Z",
    ]
    issue = load_issue(here / "issues" / "x-1.md")
    assert (issue.title, issue.body) == (
        "The session of x-1.jsonl",
        "The log does not tell the prompt: it begins behind it.",
    )
    assert read(here / "cassettes" / "x-1.yaml").takes[0].start == "1970-01-01T00:00:00Z"


def test_a_log_without_a_folder_and_one_of_a_sub_agent(command: Command, here: Path) -> None:
    log = Log(agent="zz")
    log.prompt("find it", cwd=MISSING, version=MISSING)
    log.text("Here.", cwd=MISSING, version=MISSING)
    log.write(here / "agent-zz.jsonl")
    said = command("import", "agent-zz.jsonl")
    assert "; CLI unknown\n" in said.out
    assert [line for line in said.out.splitlines() if line.startswith("warning")] == [
        "warning: this is the log of a sub-agent: its own work was imported; the log of the session is another file",
        "warning: the log does not tell in which folder the agent worked: paths stay as they are",
    ]


def test_the_id_comes_from_the_name_of_the_log(command: Command, here: Path) -> None:
    for name, made in (
        (f"{SESSION}.jsonl", "session-11111111"),
        (".my log (2)!.jsonl", "my-log-2-"),
        ("--.jsonl", "session"),
    ):
        small().write(here / name)
        assert json.loads(command("import", "--json", "--", name).out)["id"] == made


def test_a_prompt_may_hold_anything(command: Command, here: Path) -> None:
    log = Log()
    log.prompt("\n---\nid: evil\n---\n\x1b[31m\u202e # \" ' \\ \ud800 " + "long " * 10_000)
    log.text("Done.")
    log.write(here / "x-1.jsonl")
    assert command("import", "x-1.jsonl").status == 0
    issue = load_issue(here / "issues" / "x-1.md")
    assert issue.title.startswith("--- id: evil --- \\x1b[31m\\u202e # \" ' \\ \ufffd long")
    assert len(issue.title) <= 72
    assert issue.title.endswith("...")
    assert issue.body.startswith("---\nid: evil\n---\n")
    assert issue.body.endswith("\n\n(The whole prompt stands in the cassette.)")


def test_files_that_are_there_are_not_replaced(command: Command, here: Path) -> None:
    small().write(here / "x-1.jsonl")
    (here / "issues").mkdir()
    issue = here / "issues" / "x-1.md"
    issue.write_text("mine")
    hint = "is there already, and is not replaced; name another id with --id, or say --force\n"
    said = command("import", "x-1.jsonl")
    assert (said.status, said.out, said.err) == (1, "", f"error: issues/x-1.md: {hint}")
    assert not (here / "cassettes").exists()
    said = command("import", "x-1.jsonl", "--force")
    assert (said.status, load_issue(issue).title) == (0, "Please: fix the bug")
    issue.unlink()
    assert command("import", "x-1.jsonl").err == f"error: cassettes/x-1.yaml: {hint}"
    assert not issue.exists()


class TestWithAnIssue:
    def issue(self, here: Path, *front: str) -> Path:
        path = here / "mine.md"
        path.write_text("\n".join(["---", "id: mine-1", "title: x", *front, "---", "Do it.", ""]))
        return path

    def test_it_stays_as_it_is(self, command: Command, here: Path) -> None:
        path = self.issue(here, "gate: {commit: allowed}", "expect: unjudged")
        before = path.read_bytes()
        small().write(here / "x-1.jsonl")
        said = command("import", "x-1.jsonl", "--issue", "mine.md")
        assert said.out.splitlines()[:2] == ["mine.md: kept as it is", "cassettes/mine-1.yaml: written"]
        assert said.out.splitlines()[-1] == "next: pytest --mala-issues mine.md"
        assert "warning" not in said.out
        assert path.read_bytes() == before
        assert not (here / "issues").exists()

    def test_what_a_replay_will_refuse_is_told(self, command: Command, here: Path) -> None:
        self.issue(here, "gate: {checks: {test: pytest -q}}")
        small().write(here / "x-1.jsonl")
        said = command("import", "x-1.jsonl", "--issue", "mine.md")
        assert [line for line in said.out.splitlines() if line.startswith("warning")] == [
            "warning: mine.md:1: gate.commit: required: a log can't show that, so a replay will refuse it",
            "warning: mine.md:1: gate.checks.test: a log can't show that, so a replay will refuse it",
            "warning: mine.md:1: expect: passed, but the session ended as unjudged",
        ]

    def test_one_that_can_t_be_read_is_refused(self, command: Command, here: Path) -> None:
        small().write(here / "x-1.jsonl")
        self.issue(here, "mood: good")
        for arguments, what in (
            (
                ("--issue", "none.md"),
                "--issue: no such file: none.md; name an issue file that is there, or leave it out",
            ),
            (("--issue", "mine.md", "--id", "x"), "--issue names an issue that has an id; leave out --id"),
        ):
            said = command("import", "x-1.jsonl", *arguments)
            assert (said.status, said.out, said.err.splitlines()[-1]) == (2, "", f"Error: {what}")
        said = command("import", "x-1.jsonl", "--issue", "mine.md")
        assert (said.status, said.out) == (2, "")
        assert said.err.splitlines()[-1].startswith("Error: --issue: mine.md:4: mood: unknown field")


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("", "is empty"),
            (
                "hello\n",
                "is no session log of Claude Code: no entry of type user or assistant is in it "
                "(line 1: not whole JSON)",
            ),
        ],
    )
    def test_a_file_that_is_no_log(self, command: Command, here: Path, content: str, what: str) -> None:
        (here / "x\n1.jsonl").write_text(content)
        said = command("import", "x\n1.jsonl")
        assert (said.status, said.out, said.err) == (1, "", f"error: x\\n1.jsonl: {what}\n")

    def test_a_log_of_which_nothing_can_be_played(self, command: Command, here: Path) -> None:
        log = Log()
        log.prompt("please")
        log.says({"type": "text"})
        log.write(here / "x-1.jsonl")
        said = command("import", "x-1.jsonl")
        assert (said.status, said.out, said.err) == (
            1,
            "",
            "error: x-1.jsonl: not imported: nothing that the agent did can be played "
            "(line 2: message.content[0].text: expected a text, got nothing)\n",
        )
        assert not (here / "cassettes").exists()

    def test_an_id_that_can_t_be_one(self, command: Command, here: Path) -> None:
        small().write(here / "x-1.jsonl")
        said = command("import", "x-1.jsonl", "--id", "../x")
        assert (said.status, said.err.splitlines()[-1]) == (
            2,
            "Error: --id: expected a name of 1 to 100 letters, digits, '.', '_' and '-', "
            "not starting with '.' or '-', got '../x'",
        )

    def test_folders_that_can_t_be_written(self, command: Command, here: Path) -> None:
        small().write(here / "x-1.jsonl")
        (here / "file").write_text("")
        said = command("import", "x-1.jsonl", "--cassettes", "file")
        assert (said.status, said.err) == (1, "error: file/x-1.yaml: not written: File exists\n")
        said = command("import", "x-1.jsonl", "--issues", "file")
        assert (said.status, said.err.splitlines()[-1]) == (
            2,
            "Error: file/x-1.md: the issue file can't be written: File exists",
        )


class TestOtherCommands:
    def test_show_check_and_diff_read_it(self, command: Command, here: Path) -> None:
        small().write(here / "x-1.jsonl")
        command("import", "x-1.jsonl")
        said = command("cassette", "show", "cassettes/x-1.yaml")
        first, _, *story = said.out.splitlines()
        assert first == "cassettes/x-1.yaml: lane unknown, SDK unknown, CLI 2.1.38, imported from a session log"
        assert story[:2] == ["session x-1: as recorded", ""]
        assert "turn 1, connection 1: prompt (unknown)" in story
        assert not any("0.000" in line or "silence" in line for line in story)
        assert json.loads(command("cassette", "show", "--json", "cassettes/x-1.yaml").out)["source"] == "session log"
        assert command("cassette", "check", "--issues", "issues").out == (
            "cassettes/x-1.yaml: imported from a session log: its workspace is unknown, so no check runs\n"
        )
        assert command("cassette", "diff", "cassettes/x-1.yaml", "cassettes/x-1.yaml").status == 0
        path = here / "cassettes" / "x-1.yaml"
        path.write_text(path.read_text().replace("Done.", "Perhaps."))
        assert command("cassette", "seal", path).out == f"{path}: sealed, marked as edited\n"
