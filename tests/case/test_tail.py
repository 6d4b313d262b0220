"""A recording with a stale prompt: its fresh turns are kept as they are, and only the rest is recorded again."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from case_project import KEEP_TRANSCRIPTS
from recordings import without_durations, without_times

from pytest_mala.cli.recovering import recovered
from pytest_mala.transport.cassette import read, write

if TYPE_CHECKING:
    from pathlib import Path

    from case_project import Project

    from pytest_mala.transport.cassette import Interaction

pytestmark = pytest.mark.cli

SCRIPTED = ("--mala-lane=scripted",)
STALE = (*SCRIPTED, "--mala-record=stale")


def change(project: Project, prompt: str) -> None:
    file = project.root / "prompts" / f"{prompt}.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")


def stored(project: Project, name: str) -> Path:
    return project.root / "cassettes" / f"{name}.yaml"


def lines_before(text: str, place: str) -> list[str]:
    """The lines of a cassette up to an interaction."""
    lines = text.splitlines()
    return lines[: next(at for at, line in enumerate(lines) if place in line)]


def test_the_fresh_turn_is_kept_and_the_new_recording_replays(project: Project) -> None:
    change(project, "gate_followup")
    before = stored(project, "calc-2").read_text(encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == 0, done.stdout + done.stderr
    told = "turn 1 of 2 was kept, 1 recorded; $0.0012 saved"
    assert f"note: {told}\n" in done.stdout
    assert f"cassettes renewed: cassettes/calc-2.yaml ({told})\n" in done.stdout
    assert list(stored(project, "calc-2").parent.glob("*.part")) == []
    recorded = project.read_transcripts()["calc-2"]

    renewed = stored(project, "calc-2").read_text(encoding="utf-8")
    place = "claude-sdk://calc-2/1/connection/2/query/1"
    assert lines_before(renewed, place) == lines_before(before, place)
    replayed = []
    for _ in range(2):
        done = project.run("--mala-issues", "issues/calc-2.md")
        assert done.returncode == 0, done.stdout
        replayed.append(project.read_transcripts()["calc-2"])
    assert replayed[0] == replayed[1]
    assert without_times(replayed[0]) == without_times(recorded)

    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == 0, done.stdout
    assert "cassettes replayed as they are: cassettes/calc-2.yaml\n" in done.stdout
    assert stored(project, "calc-2").read_text(encoding="utf-8") == renewed


@pytest.mark.parametrize(
    ("prompt", "name", "kept"),
    [
        ("gate_followup", "calc-2", "turn 1 of 2 was kept, 1 recorded"),
        ("gate_followup", "calc-3", "turn 1 of 2 was kept, 1 recorded"),
        ("idle_resume", "calc-5", "turn 1 of 2 was kept, 1 recorded"),
        ("checkpoint_request", "calc-6", "turn 1 of 3 was kept, 2 recorded"),
        ("continuation", "calc-6", "turns 1 to 2 of 3 were kept, 1 recorded"),
    ],
)
def test_the_rest_is_what_a_whole_recording_has(project: Project, prompt: str, name: str, kept: str) -> None:
    """The CLI goes on in its old session, with its costs, in the workspace of that turn; ids go on too."""
    change(project, prompt)
    done = project.run("--mala-issues", f"issues/{name}.md", *STALE)
    assert f"note: {kept}" in done.stdout, done.stdout + done.stderr
    in_two_parts = read(stored(project, name))
    recorded = project.read_transcripts()[name]
    project.run("--mala-issues", f"issues/{name}.md", *SCRIPTED, "--mala-record=all")
    assert without_durations(in_two_parts) == without_durations(read(stored(project, name)))
    assert without_times(recorded) == without_times(project.read_transcripts()[name])


def test_a_script_with_too_few_answers_is_told_and_nothing_is_stored(project: Project) -> None:
    """The answers of the kept turn count as used: the model goes on with the next one."""
    change(project, "gate_followup")
    script = project.root / "issues" / "calc-2.model.yaml"
    head, marker, _ = script.read_text(encoding="utf-8").partition("  - expect: {last_tool_result_contains")
    assert marker
    script.write_text(head, encoding="utf-8")
    before = stored(project, "calc-2").read_bytes()
    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == 1
    assert (
        'issues/calc-2.model.yaml: the script has no answer for request 7 (it has 6); last user text: "Your work on '
        in done.stdout
    )
    assert "; what was recorded is in cassettes/calc-2.yaml." in done.stdout
    assert stored(project, "calc-2").read_bytes() == before


def edited_script(project: Project) -> None:
    script = project.root / "issues" / "calc-2.model.yaml"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("I have not run the tests.", "I have not tested it."), encoding="utf-8")


def another_cli(project: Project) -> None:
    path = stored(project, "calc-2")
    write(path, dataclasses.replace(read(path), cli="2.1.0"))


def another_sdk(project: Project) -> None:
    path = stored(project, "calc-2")
    write(path, dataclasses.replace(read(path), sdk="0.2.0"))


def edited_cassette(project: Project) -> None:
    path = stored(project, "calc-2")
    write(path, dataclasses.replace(read(path), edited=True))


@pytest.mark.parametrize(
    ("first", "prompt", "why"),
    [
        (another_cli, "gate_followup", r"they were recorded with CLI 2\.1\.0, and now it is [0-9.]+"),
        (another_sdk, "gate_followup", r"they were recorded with SDK 0\.2\.0, and now it is [0-9.]+"),
        (edited_cassette, "gate_followup", "the cassette was edited by hand"),
        (
            edited_script,
            "gate_followup",
            r"issues/calc-2\.model\.yaml:1: answers: expected an answer that says what message 4 of the recording does "
            r"\(text 'divide\(\) no longer rounds down\. I have not run the tests\.'\), got none",
        ),
        (None, "implementer_prompt", "no turn is fresh; turn 1 of 2 answers a prompt that no longer exists"),
    ],
)
def test_what_can_not_be_gone_on_with_is_recorded_whole(project: Project, first: Any, prompt: str, why: str) -> None:
    if first is not None:
        first(project)
    change(project, prompt)
    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^ +note: recorded again from the first turn: {why}\n", done.stdout, re.MULTILINE), done.stdout
    assert "cassettes renewed: cassettes/calc-2.yaml\n" in done.stdout
    assert list(stored(project, "calc-2").parent.glob("*.part")) == []
    found = read(stored(project, "calc-2"))
    assert (found.edited, len(found.takes[0].interactions)) == (False, 13)
    assert project.run("--mala-issues", "issues/calc-2.md").returncode == 0


TOOLS = '''


@pytest.fixture
def mala_agent_options():
    """A tool of this process and two hooks; MARK says in which order they are registered."""
    from claude_agent_sdk import HookMatcher, create_sdk_mcp_server, tool

    @tool("double", "Twice a number", {"n": int})
    async def double(arguments):
        return {"content": [{"type": "text", "text": str(2 * arguments["n"])}]}

    async def before(call, tool, context):
        return {}

    async def after(call, tool, context):
        said = {"hookEventName": "PostToolUse", "additionalContext": f"{call['tool_name']} was used"}
        return {"hookSpecificOutput": said}

    hooks = {"PreToolUse": [HookMatcher(hooks=[before])], "PostToolUse": [HookMatcher(hooks=[after])]}
    if Path("reversed").exists():
        hooks = dict(reversed(hooks.items()))
    return {"hooks": hooks, "mcp_servers": {"numbers": create_sdk_mcp_server("numbers", tools=[double])}}
'''

DOUBLES = """\
  - tool: {{name: mcp__numbers__double, input: {{n: {0}}}}}
  - expect: {{last_tool_result_contains: "{1}"}}
    say: """


def hooks_of(one: Interaction) -> list[tuple[str, str]]:
    """Event and recorded id of each hook that was called."""
    requests = [item["cli"].get("request", {}) for item in one.response["frames"] if "cli" in item]
    called = [request for request in requests if request.get("subtype") == "hook_callback"]
    return sorted((request["input"]["hook_event_name"], request["callback_id"]) for request in called)


def test_hooks_and_tools_of_this_process_go_on_too(project: Project) -> None:
    """They are told to the CLI that goes on; its questions have the ids that the recording has for them."""
    (project.root / "conftest.py").write_text(KEEP_TRANSCRIPTS + TOOLS, encoding="utf-8")
    script = project.root / "issues" / "calc-2.model.yaml"
    text = script.read_text(encoding="utf-8").replace("  - say: ", DOUBLES.format(3, 6), 1)
    before, expect, after = text.partition("  - expect: {prompt_contains")
    condition, _, rest = after.partition("    say: ")
    script.write_text(before + DOUBLES.format(4, 8) + rest, encoding="utf-8")
    assert "" not in (expect, condition)
    run = ("--mala-issues", "issues/calc-2.md")
    done = project.run(*run, *SCRIPTED, "--mala-record=all")
    assert done.returncode == 0, done.stdout + done.stderr
    old = read(stored(project, "calc-2")).takes[0].interactions
    change(project, "gate_followup")
    (project.root / "reversed").touch()
    done = project.run(*run, *STALE)
    assert "note: turn 1 of 2 was kept, 1 recorded" in done.stdout, done.stdout + done.stderr
    new = read(stored(project, "calc-2")).takes[0].interactions
    at = next(at for at, one in enumerate(old) if one.uri.endswith("connection/2/query/1"))
    assert new[:at] == old[:at]
    assert hooks_of(new[at]) == hooks_of(old[at])
    assert len(hooks_of(new[at])) > 6
    assert project.run(*run).returncode == 0
    (project.root / "reversed").unlink()
    assert project.run(*run).returncode == 0


KILLED = '''


@pytest.fixture
def mala_events():
    """A listener that kills the process when the second turn is over."""

    class Killer:
        turns = 0

        def on_state_entered(self, agent, state, effect):
            self.turns += state == "AWAITING_LOG"
            if self.turns == 2:
                os.kill(os.getpid(), 9)

    return Killer()
'''


def test_a_kill_in_the_rest_leaves_the_old_cassette_and_a_journal_with_all_turns(project: Project) -> None:
    (project.root / "conftest.py").write_text(KEEP_TRANSCRIPTS + KILLED, encoding="utf-8")
    change(project, "gate_followup")
    before = stored(project, "calc-2").read_bytes()
    old = read(stored(project, "calc-2")).takes[0].interactions
    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == -9, done.stdout + done.stderr
    assert stored(project, "calc-2").read_bytes() == before
    (part,) = stored(project, "calc-2").parent.glob("*.part")
    recovered(part, project.root / "again.yaml")
    found = read(project.root / "again.yaml", allow_incomplete=True).takes[0].interactions
    at = next(at for at, one in enumerate(old) if one.uri.endswith("connection/2/query/1"))
    assert found[:at] == old[:at]
    assert found[at].body == old[at].body + "\nBe brief.\n"
    assert "result" in [item["cli"]["type"] for item in found[at].response["frames"] if "cli" in item]


def test_time_limits_hold_in_the_rest(project: Project) -> None:
    """The model goes silent there: that is a matter of real seconds, and replays as ever."""
    change(project, "gate_followup")
    issue, script = project.root / "issues" / "calc-2.md", project.root / "issues" / "calc-2.model.yaml"
    issue.write_text(issue.read_text(encoding="utf-8").replace("priority: 2", "priority: 2\nlimits: {idle: 3s}"))
    text = script.read_text(encoding="utf-8").replace(
        "    say: The result", "    say: Let me think.\n    stall: after-text\n  - say: The result"
    )
    script.write_text(text, encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-2.md", *STALE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: turn 1 of 3 was kept, 2 recorded" in done.stdout
    recorded = project.read_transcripts()["calc-2"]
    assert "the session decided: idle" in recorded
    assert project.run("--mala-issues", "issues/calc-2.md").returncode == 0
    assert without_times(project.read_transcripts()["calc-2"]) == without_times(recorded)


def test_each_take_keeps_its_own_turns(project: Project) -> None:
    run = ("--mala-issues", "issues/calc-2.md", "--mala-takes=2")
    assert project.run(*run, *SCRIPTED, "--mala-record=all").returncode == 0
    change(project, "gate_followup")
    before = read(stored(project, "calc-2"))
    done = project.run(*run, *STALE)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("note: turn 1 of 2 was kept, 1 recorded") == 2
    for old, new in zip(before.takes, read(stored(project, "calc-2")).takes, strict=True):
        at = next(at for at, one in enumerate(old.interactions) if one.uri.endswith("connection/2/query/1"))
        assert (new.number, new.interactions[:at]) == (old.number, old.interactions[:at])
        assert new.interactions[at].body == old.interactions[at].body + "\nBe brief.\n"
    assert project.run("--mala-issues", "issues/calc-2.md").returncode == 0
