"""Prompts: rows T1-T6 of session:5 and design D16."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from session_peers import finding

import pytest_mala
from pytest_mala.errors import UsageError
from pytest_mala.session.commands import (
    PRESETS,
    PromptValidationCommands,
    build_prompt_validation_commands,
    commands_of_checks,
    get_default_validation_commands,
)
from pytest_mala.session.prompts import (
    ALLOWED,
    PromptError,
    build_continuation_prompt,
    default_prompt_dir,
    extract_checkpoint,
    format_checks,
    format_gate_followup,
    format_idle_resume,
    format_implementer_prompt,
    format_review_followup,
    format_review_issues,
    load_prompt,
    load_prompts,
)
from pytest_mala.session.templates import fill, pattern_of

NAMES = [
    "implementer_prompt",
    "review_followup",
    "gate_followup",
    "fixer",
    "idle_resume",
    "checkpoint_request",
    "continuation",
]
GO = build_prompt_validation_commands(Path(), preset="go")


@dataclass
class Check:
    name: str
    command: str


# T1, T2


@pytest.mark.parametrize(
    ("text", "checkpoint"),
    [
        ("before <checkpoint>in</checkpoint> after", "in"),
        ("<checkpoint>\n a\n b \n</checkpoint>", "\n a\n b \n"),
        ("```xml\n<checkpoint>in</checkpoint>\n```", "in"),
        ("```\n<checkpoint>in</checkpoint>\n```", "in"),
        ("no tags", "no tags"),
        ("", ""),
        ("  \n ", "  \n "),
        ("<checkpoint>a <checkpoint>b</checkpoint> c</checkpoint> d", "a <checkpoint>b</checkpoint> c"),
        ("<checkpoint>one</checkpoint><checkpoint>two</checkpoint>", "one"),
        ("x <checkpoint>never closed", "never closed"),
        ("<checkpoint>a <checkpoint>b</checkpoint> c", "a <checkpoint>b</checkpoint> c"),
        ("only </checkpoint>", "only </checkpoint>"),
        ("<Checkpoint>a</Checkpoint>", "<Checkpoint>a</Checkpoint>"),
        ("```markdown\n# Notes\n```", "# Notes"),
        ("  ```\ntext\n   ```  ", "text"),
        ("```\ntext```", "text"),
        ("text\n```", "text"),
        ("```python\ntext", "text"),
    ],
)
def test_t1_extract_checkpoint(text: str, checkpoint: str) -> None:
    assert extract_checkpoint(text) == checkpoint


def test_x12_a_newline_after_the_closing_fence_does_not_keep_it() -> None:
    assert extract_checkpoint("```\ntext\n```\n") == "text"
    assert extract_checkpoint("```\ntext\n```  \n\n") == "text"


def test_t2_the_continuation_is_plain_text_replacement() -> None:
    assert build_continuation_prompt("a {checkpoint} b {checkpoint} {c}", "{x}") == "a {x} b {x} {c}"
    assert build_continuation_prompt("", "x") == "Continue from checkpoint:\n\nx"


# T3 and D16: loading


def write_all(folder: Path, **texts: str) -> Path:
    for name in NAMES:
        (folder / f"{name}.md").write_text(texts.get(name, f"text of {name}"))
    return folder


def test_t3_load_prompts_reads_every_file(tmp_path: Path) -> None:
    prompts = load_prompts(write_all(tmp_path))
    assert (prompts.implementer_prompt, prompts.review_followup_prompt, prompts.gate_followup_prompt) == (
        "text of implementer_prompt",
        "text of review_followup",
        "text of gate_followup",
    )
    assert (prompts.fixer_prompt, prompts.idle_resume_prompt) == ("text of fixer", "text of idle_resume")
    assert prompts.checkpoint_request_prompt == "text of checkpoint_request"
    assert (prompts.continuation_prompt, prompts.reviewer_prompt) == ("text of continuation", "")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fixer"])
def test_t3_a_missing_file_is_an_error(tmp_path: Path, name: str) -> None:
    (write_all(tmp_path) / f"{name}.md").unlink()
    with pytest.raises(FileNotFoundError):
        load_prompts(tmp_path)


def test_d16_the_fixer_may_be_absent(tmp_path: Path) -> None:
    (write_all(tmp_path) / "fixer.md").unlink()
    assert load_prompts(tmp_path).fixer_prompt == ""


def test_t3_load_prompt_reads_ours_by_default(tmp_path: Path) -> None:
    assert "{issue_id}" in load_prompt("idle_resume")
    with pytest.raises(FileNotFoundError):
        load_prompt("nothing")
    with pytest.raises(FileNotFoundError):
        load_prompt("idle_resume", tmp_path)


def test_d16_an_unknown_placeholder_is_refused_with_its_line(tmp_path: Path) -> None:
    write_all(tmp_path, idle_resume="go on\nwith {issue_id} and {issue_ID}")
    with pytest.raises(PromptError) as caught:
        load_prompts(tmp_path)
    path = tmp_path / "idle_resume.md"
    assert str(caught.value) == (
        f"{path}:2: unknown placeholder {{issue_ID}}: expected one of issue_id; "
        "write {{issue_ID}} for the literal text"
    )
    assert (caught.value.path, caught.value.line, caught.value.name) == (str(path), 2, "issue_ID")
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize("fancy", ["{issue_id!r}", "{issue_id:>5}", "{issue_id.x}", "{issue_id[0]}"])
def test_d16_only_plain_placeholders_are_allowed(tmp_path: Path, fancy: str) -> None:
    write_all(tmp_path, idle_resume=f"go on with {fancy}")
    with pytest.raises(PromptError) as caught:
        load_prompt("idle_resume", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'idle_resume.md'}:1: placeholder {fancy} has a format or an attribute: "
        "only a plain {name} is filled; write {issue_id} or change the braces"
    )
    assert (caught.value.path, caught.value.line, caught.value.name) == (
        str(tmp_path / "idle_resume.md"),
        1,
        "issue_id",
    )


def test_d16_the_placeholders_that_there_are_are_listed(tmp_path: Path) -> None:
    write_all(tmp_path, review_followup="{review_isues}")
    with pytest.raises(PromptError) as caught:
        load_prompt("review_followup", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'review_followup.md'}:1: unknown placeholder {{review_isues}}: "
        "expected one of attempt, issue_id, max_attempts, review_issues; "
        "write {{review_isues}} for the literal text"
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (write_all(tmp_path) / "idle_resume.md").write_bytes(b"a\xff")
    with pytest.raises(PromptError) as caught:
        load_prompts(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'idle_resume.md'}:1: not UTF-8 text (invalid start byte at byte 1)"
    assert (caught.value.line, caught.value.name) == (1, "")


def test_other_braces_are_text(tmp_path: Path) -> None:
    text = 'json: {"a": {"b": [1]}} {} { x } {0} {{issue_id}} {issue_id}'
    write_all(tmp_path, idle_resume=text, checkpoint_request="{anything!r}")
    loaded = load_prompts(tmp_path)
    assert loaded.checkpoint_request_prompt == "{anything!r}"
    told = format_idle_resume(loaded.idle_resume_prompt, issue_id="{issue_id}")
    assert told == 'json: {"a": {"b": [1]}} {} { x } {0} {issue_id} {issue_id}'


def test_an_unknown_placeholder_of_a_given_template_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="who"):
        fill("{who}", {})


# Our own files


def test_our_prompts_lie_beside_the_package_of_a_checkout_and_inside_that_of_a_wheel(tmp_path: Path) -> None:
    """A file of the wheel is UTF-8 whatever the locale says."""
    installed = Path(pytest_mala.__file__).parent
    assert default_prompt_dir() == installed.parent / "prompts"
    package = tmp_path / "pytest_mala"
    shutil.copytree(installed, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "prompts").mkdir()
    (package / "prompts" / "idle_resume.md").write_text("wäke up, {issue_id}", encoding="utf-8")
    assert load_prompt("idle_resume", package / "prompts") == "wäke up, {issue_id}"
    code = (
        "from pytest_mala.session.prompts import default_prompt_dir, load_prompt\n"
        "print(default_prompt_dir(), ascii(load_prompt('idle_resume')), sep='\\n')"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | plain, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"{package / 'prompts'}\n'w\\xe4ke up, {{issue_id}}'\n", "")


def ours(name: str) -> str:
    return (default_prompt_dir() / f"{name}.md").read_text(encoding="utf-8")


def test_our_prompts_are_complete() -> None:
    prompts = load_prompts()
    assert prompts.reviewer_prompt
    assert "{checkpoint}" in prompts.continuation_prompt
    assert "continuation" in prompts.continuation_prompt
    for part in ("<checkpoint>", "</checkpoint>", "## Goal", "## Completed Work", "## Remaining Tasks"):
        assert part in prompts.checkpoint_request_prompt


@pytest.mark.parametrize("name", ["gate_followup", "review_followup"])
def test_our_followups_use_every_placeholder(name: str) -> None:
    assert set(re.findall(r"\{(\w+)\}", ours(name))) == ALLOWED[name]


def test_our_gate_followup_leaves_no_placeholder() -> None:
    told = format_gate_followup(
        ours("gate_followup"), attempt=2, max_attempts=3, failure_reasons=["a", "b {c}"], issue_id="i1", commands=GO
    )
    assert "- a\n- b {c}" in told
    assert re.findall(r"\{\w+\}", told) == ["{c}"]
    assert "go test ./..." in told


def test_our_implementer_prompt_renders_with_go_commands_and_names_no_other_tool() -> None:
    told = format_implementer_prompt(ours("implementer_prompt"), "i1", Path("/repo"), "a1", GO, "/locks", "/scripts")
    for command in (GO.lint, GO.format, GO.typecheck, GO.test):
        assert f"`{command}`" in told
    assert "ruff" not in told
    assert "uvx" not in told
    assert re.findall(r"\{\w+\}", told) == []


def test_our_implementer_prompt_shows_issue_checks_and_markers() -> None:
    checks = format_checks([Check("answer", "sh -c 'test {x} = 42'"), Check("docs", "make docs")])
    told = format_implementer_prompt(
        ours("implementer_prompt"), "i-7", "/work", "a1", GO, "", "",
        issue_title="Add {things}", issue_body="\nPlease {add}.\n", acceptance_criteria="- it adds", checks=checks,
    )  # fmt: skip
    assert "# Issue i-7: Add {things}\n\nPlease {add}.\n" in told
    assert "- answer: `sh -c 'test {x} = 42'`\n- docs: `make docs`" in told
    assert "- it adds" in told
    assert "`/work`" in told
    assert "`i-7: say what changed`" in told
    assert all(marker in told for marker in ("ISSUE_NO_CHANGE", "ISSUE_OBSOLETE", "ISSUE_ALREADY_COMPLETE"))
    # a marker on a line of its own in the prompt could be taken for the agent's
    assert not re.search(r"^\s*ISSUE_\w+\s*$", told, re.MULTILINE)


def test_every_placeholder_of_the_implementer_prompt_is_filled() -> None:
    names = sorted(ALLOWED["implementer_prompt"])
    template = "\n".join(f"{name}={{{name}}}" for name in names)
    told = format_implementer_prompt(template, "i-7", Path("/work"), "a1", GO, Path("/locks"), Path("/scripts"))
    assert told == (
        "acceptance_criteria=(none)\nagent_id=a1\nchecks="
        f"- lint: `{GO.lint}`\n- format: `{GO.format}`\n- typecheck: `{GO.typecheck}`\n- test: `{GO.test}`\n"
        f"format_command={GO.format}\nissue_body=\nissue_id=i-7\nissue_title=\nlint_command={GO.lint}\n"
        "lock_dir=/locks\nrepo_path=/work\nscripts_dir=/scripts\n"
        f"test_command={GO.test}\ntypecheck_command={GO.typecheck}"
    )


def test_an_issue_without_criteria_or_checks_says_so() -> None:
    assert format_checks([]) == "- (none)"
    told = format_implementer_prompt("{acceptance_criteria}", "i", "", "", GO, "", "")
    assert told == "(none)"


def test_the_review_followup_carries_the_findings() -> None:
    told = format_review_followup(
        ours("review_followup"), attempt=2, max_attempts=3, review_issues="File: a.py\n  L1: {x}", issue_id="i1"
    )
    assert "File: a.py\n  L1: {x}" in told
    assert "2 of 3" in told


# T4, T5


def test_t4_default_commands() -> None:
    assert get_default_validation_commands() == PromptValidationCommands(
        lint="RUFF_CACHE_DIR=/tmp/ruff-${AGENT_ID:-default} uvx ruff check .",
        format="RUFF_CACHE_DIR=/tmp/ruff-${AGENT_ID:-default} uvx ruff format .",
        typecheck="uvx ty check",
        test="uv run pytest -o cache_dir=/tmp/pytest-${AGENT_ID:-default}",
    )


def test_t5_without_anything_the_defaults_hold() -> None:
    assert build_prompt_validation_commands(Path()) == get_default_validation_commands()


def test_t5_the_users_commands_win_over_the_preset() -> None:
    commands = build_prompt_validation_commands(Path(), preset="go", commands={"lint": "my lint"})
    missing = "echo 'No typecheck command configured' >&2; exit 0"
    assert commands == PromptValidationCommands("my lint", PRESETS["go"]["format"], missing, "go test ./...")
    assert "gofmt" in commands.format
    assert GO.lint == "golangci-lint run"
    config = {"preset": "go", "commands": {"lint": "my lint"}}
    assert PromptValidationCommands.from_validation_config(config) == commands
    assert build_prompt_validation_commands(Path(), commands={}).test == "echo 'No test command configured' >&2; exit 0"


def test_t5_an_unknown_preset_is_named() -> None:
    with pytest.raises(
        UsageError,
        match=r"^unknown preset 'cobol' of validation commands: expected one of python-uv, node-npm, go, rust$",
    ):
        build_prompt_validation_commands(Path(), preset="cobol")


def test_d16_the_four_commands_are_found_among_the_checks() -> None:
    found = commands_of_checks([Check("types", "mypy ."), Check("test", "pytest"), Check("other", "make")])
    assert found == PromptValidationCommands("(none)", "(none)", "mypy .", "pytest")
    assert commands_of_checks([Check("types", "a"), Check("typecheck", "b")]).typecheck == "b"


# T6


def test_t6_findings_are_grouped_and_sorted(tmp_path: Path) -> None:
    def at(
        file: str, start: int, end: int, priority: int | None, title: str, body: str = "why", by: str = "rev"
    ) -> object:
        made = finding(priority, title, start)
        made.file, made.line_end, made.body, made.reviewer = file, end, body, by
        return made

    issues = [
        at("b.py", 9, 12, 1, "later"),
        at(str(tmp_path / "src" / "a.py"), 3, 3, None, "unranked"),
        at(str(tmp_path / "src" / "a.py"), 3, 3, 0, "ranked", "line one\n  indented\n\nend", ""),
    ]
    assert format_review_issues(issues, tmp_path) == (  # type: ignore[arg-type]
        "File: src/a.py\n"
        "  L3: ranked\n    line one\n      indented\n\n    end\n"
        "  L3: [rev] unranked\n    why\n"
        "\n"
        "File: b.py\n"
        "  L9-12: [rev] later\n    why"
    )


def test_t6_on_one_line_the_graver_comes_first_and_the_unranked_last() -> None:
    issues = [finding(None, "d"), finding(2, "c"), finding(0, "a"), finding(1, "b")]
    told = format_review_issues(issues)
    assert [line[-1] for line in told.splitlines() if "[critic]" in line] == ["a", "b", "c", "d"]


def test_t6_no_findings_are_said() -> None:
    assert format_review_issues([]) == "There are no specific issues."


def test_t6_paths_elsewhere_stay_as_they_are(tmp_path: Path) -> None:
    made = finding()
    made.file = "/elsewhere/a.py"
    assert format_review_issues([made], tmp_path).startswith("File: /elsewhere/a.py\n")


@pytest.mark.parametrize(
    ("template", "text", "fits"),
    [
        ("Fix {a}.", "Fix it.", True),
        ("Fix {a}.", "Fix \nall of it.\n.", True),
        ("Fix {a}.", "Fix it!", False),
        ("Fix {a}.", "Please fix it.", False),
        ("{{a}} (b) {c}", "{a} (b) ", True),
        ("{{a}} (b) {c}", "x (b) ", False),
        ("{a} and {b}", "1 and 2 and 3", True),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_what_a_template_could_have_made(template: str, text: str, fits: bool) -> None:
    assert bool(pattern_of(template).fullmatch(text)) is fits
