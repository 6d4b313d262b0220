"""Sessions of the real CLI against a scripted model: recorded, replayed, and recorded again to the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from case_project import KEEP_TRANSCRIPTS, ROOT, Project
from recordings import without_durations, without_times

from pytest_mala.transport.cassette import read

pytestmark = pytest.mark.cli

RECORD = ("--mala-lane=scripted", "--mala-record=all")
LOOPBACK_ONLY = 'ip link set lo up && exec "$@"'


@cache
def isolated() -> tuple[str, ...]:
    """What stands before a command so that it runs in a network namespace with nothing but loopback; nothing where the
    system allows none: `test_recording_contacts_no_other_host` says so.
    """
    probe = ["unshare", "-n", "sh", "-c", "ip link set lo up"]
    if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return ("unshare", "-n", "sh", "-c", LOOPBACK_ONLY, "sh")
    return ()


def test_recording_the_samples_again_gives_the_committed_cassettes(project: Project, tmp_path: Path) -> None:
    done = project.run("--mala-issues", "issues")
    assert done.returncode == 0, done.stdout
    committed = project.read_transcripts()

    again = tmp_path / "again"
    where = f"mala_cassettes={again}"
    done = project.run("--mala-issues", "issues", *RECORD, "-o", where, prefix=isolated())
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = project.read_transcripts()
    done = project.run("--mala-issues", "issues", "-o", where)
    assert done.returncode == 0, done.stdout + done.stderr
    replayed = project.read_transcripts()

    for number in range(1, 9):
        name = f"calc-{number}"
        assert without_durations(read(again / f"{name}.yaml")) == without_durations(
            read(ROOT / "cassettes" / f"{name}.yaml")
        )
        assert without_times(recorded[name]) == without_times(committed[name])
        assert without_times(replayed[name]) == without_times(committed[name])


def test_recording_contacts_no_other_host(project: Project) -> None:
    """The CLI works where there is none: what it tried in vain would be an error, or a silence until its deadline."""
    if not isolated():
        pytest.skip("recording the samples was not isolated: this system lets nobody make a network namespace")
    done = project.run("--mala-issues", "issues/calc-4.md", *RECORD, prefix=isolated())
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_take_without_the_fix_fails_there_with_the_check_s_output(project: Project) -> None:
    script = project.root / "issues" / "calc-1.model.yaml"
    text = script.read_text().replace("return a + b", "return a - b  # checked")
    text = text.replace('expect: {last_tool_result_contains: "5"}', 'expect: {last_tool_result_contains: "-1"}')
    script.write_text(text)
    issue = project.root / "issues" / "calc-1.md"
    issue.write_text(issue.read_text().replace("priority: 1", "priority: 1\nlimits: {gate_retries: 1}"))
    for arguments in (RECORD, ()):
        done = project.run("--mala-issues", "issues/calc-1.md", *arguments)
        assert done.returncode == 1, done.stdout
        assert "1 failed" in done.stdout
        assert "FAILED  test" in done.stdout
        assert "assert -1 == 5" in done.stdout


HOOKS = '''

import hashlib
from pathlib import Path

import pytest


@pytest.fixture
def mala_agent_options():
    """A read cache that knows contents, and a fence that follows links: both look at files that the agent made."""
    from claude_agent_sdk import HookMatcher

    read = {}

    def deny(reason):
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason
            }
        }

    async def read_cache(call, tool, context):
        if call["tool_name"] != "Read":
            return {}
        path = Path(call["tool_input"]["file_path"])
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if content is not None and read.get(path) == content:
            return deny("unchanged since it was read")
        read[path] = content
        return {}

    async def fence(call, tool, context):
        path = call["tool_input"].get("file_path")
        if path and not Path(path).resolve().is_relative_to(Path(call["cwd"]).resolve()):
            return deny("outside of the workspace")
        return {}

    return {"hooks": {"PreToolUse": [HookMatcher(hooks=[read_cache, fence])]}}
'''

HOOKED = """\
answers:
  - tool: {name: Read, input: {file_path: "${WORKSPACE}/calc.py"}}
  - tool: {name: Read, input: {file_path: "${WORKSPACE}/calc.py"}}
  - expect: {last_tool_result_contains: unchanged since it was read}
    tool:
      name: Edit
      input:
        file_path: ${WORKSPACE}/calc.py
        old_string: "def add(a, b):\\n    return a - b"
        new_string: "def add(a, b):\\n    return a + b"
  - tool: {name: Read, input: {file_path: "${WORKSPACE}/calc.py"}}
  - expect: {last_tool_result_contains: return a + b}
    tool: {name: Bash, input: {command: ln -s / away, description: Make a link}}
  - tool: {name: Read, input: {file_path: "${WORKSPACE}/away/etc/passwd"}}
  - expect: {last_tool_result_contains: outside of the workspace}
    tool:
      name: Bash
      input: {command: "rm away && git commit -q -a -m 'calc-1: add() adds'", description: Commit}
  - say: Done.
"""


def test_hooks_that_look_at_files_replay(project: Project) -> None:
    """The tools do not run on replay, so the tree must be there as it was when the hook looked (slice.md 4)."""
    (project.root / "conftest.py").write_text(KEEP_TRANSCRIPTS + HOOKS)
    (project.root / "issues" / "calc-1.model.yaml").write_text(HOOKED)
    done = project.run("--mala-issues", "issues/calc-1.md", *RECORD)
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = project.read_transcripts()["calc-1"]
    done = project.run("--mala-issues", "issues/calc-1.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert without_times(project.read_transcripts()["calc-1"]) == without_times(recorded)

    (project.root / "conftest.py").write_text(KEEP_TRANSCRIPTS + HOOKS.replace("unchanged since", "not changed since"))
    done = project.run("--mala-issues", "issues/calc-1.md")
    assert done.returncode == 1
    assert "was answered otherwise than recorded" in done.stdout


SILENT = """\
answers:
  - say: I think about it.
    stall: after-text
  - expect: {prompt_contains: [go on where you stopped]}
    tool:
      name: Edit
      input:
        file_path: ${WORKSPACE}/calc.py
        old_string: "def add(a, b):\\n    return a - b"
        new_string: "def add(a, b):\\n    return a + b"
  - tool:
      name: Bash
      input: {command: "git commit -q -a -m 'calc-1: add() adds'", description: Commit}
  - say: Done.
"""


def test_a_silent_agent_is_resumed_and_replays(project: Project) -> None:
    issue = project.root / "issues" / "calc-1.md"
    issue.write_text(issue.read_text().replace("priority: 1", "priority: 1\nlimits: {idle: 2s}"))
    (project.root / "issues" / "calc-1.model.yaml").write_text(SILENT)
    done = project.run("--mala-issues", "issues/calc-1.md", *RECORD)
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = project.read_transcripts()["calc-1"]
    assert "idle resume" in recorded

    done = project.run("--mala-issues", "issues/calc-1.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert without_times(project.read_transcripts()["calc-1"]) == without_times(recorded)

    # the silence was ended by us, so another limit decides the same, later; no more than that
    issue.write_text(issue.read_text().replace("idle: 2s", "idle: 20m"))
    done = project.run("--mala-issues", "issues/calc-1.md")
    assert done.returncode == 0, done.stdout + done.stderr


def test_once_records_what_is_missing_and_plays_the_rest(project: Project) -> None:
    cassette = project.root / "cassettes" / "calc-4.yaml"
    before = (project.root / "cassettes" / "calc-1.yaml").read_bytes()
    cassette.unlink()
    done = project.run(
        "--mala-issues",
        "issues/calc-4.md",
        "--mala-issues",
        "issues/calc-1.md",
        "--mala-lane=scripted",
        "--mala-record=once",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(cassette).issue == "calc-4"
    assert (project.root / "cassettes" / "calc-1.yaml").read_bytes() == before


KEEP_STATES = '''


@pytest.fixture
def mala_case(mala_case, mala_events):
    """Keeps the states that a sink was told of, as a file."""

    async def run():
        result = await mala_case()
        states = [one.arguments["state"] for one in mala_events.named("on_state_entered")]
        Path("states").write_text(" ".join(states), encoding="utf-8")
        return result

    return run
'''


def test_stale_records_what_does_not_replay(project: Project) -> None:
    """Who listens hears of the session that is recorded, and of nothing before it."""
    (project.root / "conftest.py").write_text("from pathlib import Path\n\nimport pytest\n" + KEEP_STATES, "utf-8")
    prompt = project.root / "prompts" / "implementer_prompt.md"
    prompt.write_text(prompt.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")
    assert project.run("--mala-issues", "issues/calc-4.md").returncode == 1
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-lane=scripted", "--mala-record=stale")
    assert done.returncode == 0, done.stdout + done.stderr
    why = "no turn is fresh; turn 1 of 1 answers a prompt that no longer exists"
    assert f"note: recorded again from the first turn: {why}\n" in done.stdout
    assert (project.root / "states").read_text(encoding="utf-8") == "PROCESSING AWAITING_LOG RUNNING_GATE SUCCESS"
    assert project.run("--mala-issues", "issues/calc-4.md").returncode == 0


def test_a_script_that_is_not_followed_stores_nothing(project: Project) -> None:
    script = project.root / "issues" / "calc-4.model.yaml"
    script.write_text(
        script.read_text().replace('last_tool_result_contains: "2"', "last_tool_result_contains: nonsense")
    )
    before = (project.root / "cassettes" / "calc-4.yaml").read_bytes()
    done = project.run("--mala-issues", "issues/calc-4.md", *RECORD)
    assert done.returncode == 1
    assert "nonsense" in done.stdout
    assert "calc-4.model.yaml" in done.stdout
    assert (project.root / "cassettes" / "calc-4.yaml").read_bytes() == before


def test_a_scripted_run_leaves_no_process_and_no_folder(project: Project, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-lane=scripted", env={"TMPDIR": str(scratch)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in scratch.iterdir() if path.name.startswith("mala-")] == []
    if sys.platform == "linux":
        alive = [path for path in Path("/proc").glob("[0-9]*/environ") if str(scratch).encode() in _read(path)]
        assert alive == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


PRINTS_PATHS = """\
    where: {run: "pwd; echo $HOME $TMPDIR; echo '${FOO}'; false", shell: true}
"""
SEES_PATHS = '["    ${WORKSPACE}\\n", "/home ", "    $${FOO}\\n"]'


def test_a_check_that_prints_paths_replays_elsewhere(project: Project, tmp_path: Path) -> None:
    """Its output goes into the retry prompt: real paths for the agent, names for the cassette, each hidden once."""
    issue = project.root / "issues" / "calc-3.md"
    issue.write_text(issue.read_text().replace("  checks:\n", f"  checks:\n{PRINTS_PATHS}"))
    script = project.root / "issues" / "calc-3.model.yaml"
    text, asked = script.read_text(), '["did not pass the gate"]'
    assert asked in text
    script.write_text(text.replace(asked, SEES_PATHS))
    done = project.run("--mala-issues", "issues/calc-3.md", *RECORD)
    assert done.returncode == 0, done.stdout + done.stderr
    cassette = (project.root / "cassettes" / "calc-3.yaml").read_text(encoding="utf-8")
    assert "${$}{WORKSPACE}" not in cassette
    assert "${$}{FOO}" in cassette
    recorded = project.read_transcripts()["calc-3"]

    elsewhere = tmp_path / "elsewhere, with a name that is longer than the other one"
    elsewhere.mkdir()
    done = project.run("--mala-issues", "issues/calc-3.md", env={"TMPDIR": str(elsewhere)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note:" not in done.stdout
    assert without_times(project.read_transcripts()["calc-3"]) == without_times(recorded)


def test_stale_records_what_can_not_even_be_loaded(project: Project) -> None:
    cassette = project.root / "cassettes" / "calc-4.yaml"
    cassette.write_text(cassette.read_text(encoding="utf-8").replace("scripted", "scriptet", 1), encoding="utf-8")
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-lane=scripted", "--mala-record=stale")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: recorded again from the first turn: cassettes/calc-4.yaml:839: the text does not match" in done.stdout
    assert project.run("--mala-issues", "issues/calc-4.md").returncode == 0
