"""A recording that goes wrong: the old cassette stays, and the error says what ended it and where the journal is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from broken_cassettes import told
from case_project import KEEP_TRANSCRIPTS

from pytest_mala.transport.cassette import read, read_journal

if TYPE_CHECKING:
    from case_project import Project

pytestmark = pytest.mark.cli

SCRIPTED = ("--mala-issues", "issues/calc-4.md", "--mala-lane=scripted", "-p", "no:cacheprovider")

REFUSED = "answers:\n  - fail: {status: 400, message: not like this, times: 20}\n"
"""No request is ever answered."""

UNKNOWN_OPTION = """

@pytest.fixture
def mala_agent_options():
    return {"extra_args": {"no-such-option": None}}
"""
"""With it the CLI says a word on stderr and ends."""

HINT = "make the session work, or expect the end (`expect: agent-error`)"
NO_OPTION = "Command failed with exit code 1 (exit code: 1)"
NOT_LIKE_THIS = "Agent error: API Error: 400 not like this (an error result, API status 400)"


def spoil_script(project: Project) -> None:
    (project.root / "issues" / "calc-4.model.yaml").write_text(REFUSED, encoding="utf-8")


def spoil_cli(project: Project) -> None:
    (project.root / "conftest.py").write_text(KEEP_TRANSCRIPTS + UNKNOWN_OPTION, encoding="utf-8")


def parts(project: Project) -> list[str]:
    return [f"cassettes/{path.name}" for path in (project.root / "cassettes").glob("*.part")]


def error_of(output: str) -> str:
    (text,) = told(output).values()
    return text


def test_an_agent_that_breaks_down_replaces_no_cassette(project: Project) -> None:
    spoil_cli(project)
    cassette = project.root / "cassettes" / "calc-4.yaml"
    before = cassette.read_bytes()
    done = project.run(*SCRIPTED, "--mala-record=all")
    assert done.returncode == 1
    assert error_of(done.stdout) == (
        f"calc-4: the session ended as agent-error ({NO_OPTION}), so cassettes/calc-4.yaml was left as it was; {HINT}\n"
        "  the CLI's stderr: error: unknown option '--no-such-option'"
    )
    assert cassette.read_bytes() == before
    assert parts(project) == []  # the CLI never said a word

    cassette.unlink()
    done = project.run(*SCRIPTED, "--mala-record=once")
    assert f"({NO_OPTION}), so cassettes/calc-4.yaml was not written; {HINT}\n" in error_of(done.stdout)
    assert not cassette.exists()


def test_what_the_cli_said_is_kept_and_named(project: Project) -> None:
    spoil_script(project)
    done = project.run(*SCRIPTED, "--mala-record=all")
    assert done.returncode == 1
    (part,) = parts(project)
    assert error_of(done.stdout) == (
        f"calc-4: the session ended as agent-error ({NOT_LIKE_THIS}), so cassettes/calc-4.yaml was left as it was; "
        f"{HINT}; what was recorded is in {part}"
    )
    assert any(entry["k"] == "recv" for entry in read_journal(project.root / part))


def test_a_script_that_is_not_followed_names_the_journal_too(project: Project) -> None:
    script = project.root / "issues" / "calc-4.model.yaml"
    script.write_text("answers:\n  - {say: hm, expect: {prompt_contains: nonsense}}\n", encoding="utf-8")
    done = project.run(*SCRIPTED, "--mala-record=all")
    assert done.returncode == 1
    (part,) = parts(project)
    text = error_of(done.stdout)
    assert text.startswith("issues/calc-4.model.yaml:2: request 1: prompt_contains: expected 'nonsense', got ")
    assert text.endswith(f"; what was recorded is in {part}")


def test_a_session_that_is_not_recorded_ends_as_it_ends_with_the_cli_s_last_words(project: Project) -> None:
    spoil_cli(project)
    done = project.run(*SCRIPTED)
    assert done.returncode == 1
    assert error_of(done.stdout).startswith(f"expected no-change, got agent-error: {NO_OPTION}\n")
    assert "note: the CLI's stderr: error: unknown option '--no-such-option'\n" in done.stdout
    assert parts(project) == []


def test_an_end_that_the_issue_expects_is_recorded_and_replays(project: Project) -> None:
    spoil_script(project)
    issue = project.root / "issues" / "calc-4.md"
    issue.write_text(issue.read_text(encoding="utf-8").replace("expect: no-change", "expect: agent-error"), "utf-8")
    done = project.run(*SCRIPTED, "--mala-record=all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert parts(project) == []
    assert read(project.root / "cassettes" / "calc-4.yaml").issue == "calc-4"
    done = project.run("--mala-issues", "issues/calc-4.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^calc-4 +agent-error", done.stdout, re.MULTILINE)


IGNORED = """\
answers:
  - tool: {name: Bash, input: {command: "echo '*.log' > .git/info/exclude; echo x > out.log", description: Write}}
  - say: "ISSUE_NO_CHANGE: it is right"
"""


def test_what_a_recording_leaves_out_is_told_at_once_and_on_replay(project: Project) -> None:
    (project.root / "issues" / "calc-4.model.yaml").write_text(IGNORED, encoding="utf-8")
    note = (
        "note: not in the cassette: out.log (ignored); checks on replay run without it; "
        "to keep it, name it under `workspace.include`\n"
    )
    for arguments in ((*SCRIPTED, "--mala-record=all"), ("--mala-issues", "issues/calc-4.md")):
        done = project.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert note in done.stdout
