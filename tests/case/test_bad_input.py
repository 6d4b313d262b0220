"""Bad input of a hostile or clumsy user: one clear message each, and nothing written where it does not belong."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bad_issues import ISSUES
from bad_takes import DIVERGED, FILES, HARMLESS, TAKES
from broken_cassettes import (
    ANOTHER,
    EVIL,
    add_issue,
    answer,
    body,
    by_method,
    fingerprint,
    frame,
    gate,
    issue_text,
    only,
    place,
    put,
    resealed,
    told,
    tree,
    write_file,
)

from pytest_mala.case.stage import Stage
from pytest_mala.cli import main
from pytest_mala.plugin.foreign import presentable
from pytest_mala.transport.compare import word_diff

if TYPE_CHECKING:
    from collections.abc import Callable

    from case_project import Project

OURS = ("INTERNALERROR", "Traceback", "pytest_mala/", "pytest_asyncio/")
"""What must never be seen: errors of pytest's or of ours, and frames of our code."""

FOLDER = "folder"
LINK = "symlink"


def record_command(name: str, lane: str = "--mala-lane=scripted") -> str:
    return f"pytest issues/{name}.md::{name} {lane} --mala-record=all"


def assert_clean(done: subprocess.CompletedProcess[str]) -> None:
    for word in OURS:
        assert word not in done.stdout + done.stderr


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """TMPDIR of a run, in a folder of its own, so that what is written beside it is seen."""
    made = tmp_path / "beside" / "tmp"
    made.mkdir(parents=True)
    return made


def test_every_broken_cassette_is_told_and_writes_nothing(project: Project, scratch: Path, tmp_path: Path) -> None:
    only(project)
    for name, (change, _) in {**FILES, **TAKES, **DIVERGED}.items():
        add_issue(project, name, change)
    for name, harmless in HARMLESS.items():
        add_issue(project, name, harmless)
    outside = tmp_path / "outside"
    outside.mkdir()
    add_issue(
        project,
        "through-a-link",
        lambda data: (write_file("link", str(outside), "120000")(data), write_file("link/evil")(data)),
    )
    path = add_issue(project, FOLDER)
    path.unlink()
    path.mkdir()
    path = add_issue(project, LINK)
    path.rename(tmp_path / "elsewhere.yaml")
    path.symlink_to(tmp_path / "elsewhere.yaml")
    before = fingerprint(tmp_path, without=("transcripts",))

    done = project.run("--mala-issues", "issues", "-p", "no:cacheprovider", env={"TMPDIR": str(scratch)})

    assert done.returncode == 1
    assert_clean(done)
    assert fingerprint(tmp_path, without=("transcripts",)) == before
    said = told(done.stdout)
    for name, (_, what) in {**FILES, **TAKES}.items():
        rest = said[f"{name} setup"].removeprefix(f"cassettes/{name}.yaml")
        path = project.root / "cassettes" / f"{name}.yaml"
        expected = (
            f": {what.replace('NAME', name).replace('PATH', str(path))}; to record it anew: {record_command(name)}"
        )
        assert re.sub("^:[0-9]+(?=: )", "", rest) == expected
    for name, (_, what) in DIVERGED.items():
        assert said[f"{name} setup"] == f"{what}\nrecord it with: {record_command(name)}"
    assert said[f"{FOLDER} setup"].startswith("cassettes/folder.yaml: is a folder, not a cassette; ")
    assert said[f"{LINK} setup"].startswith("cassettes/symlink.yaml: is a symbolic link; a cassette must be a ")
    assert len(said) == len(FILES) + len(TAKES) + len(DIVERGED) + 2
    assert f" {len(HARMLESS) + 1} passed, {len(said)} errors in " in done.stdout
    rows = dict(line.split()[:2] for line in done.stdout.splitlines() if re.match(r"[\w-]+ +[A-Za-z]+", line))
    assert {name: rows[name] for name in ("tag", "gate-key", *DIVERGED)} == {
        "tag": "ERROR",
        "gate-key": "ERROR",
        **dict.fromkeys(DIVERGED, "DIVERGED"),
    }


def test_the_line_of_a_take_s_error_is_the_one_to_look_at(project: Project) -> None:
    only(project)
    wanted = {
        "gate-verdict": "method: GATE",
        "frame-block": '"text"',
        "path-up": "method: TREE",
        "decisions-text": "decisions:",
        "body-list": "body:",
        "place-twice": "method: GATE",
    }
    for name in wanted:
        add_issue(project, name, TAKES[name][0])
    done = project.run("--mala-issues", "issues", "-p", "no:cacheprovider")
    for name, message in told(done.stdout).items():
        issue = name.removesuffix(" setup")
        line = int(message.split(":")[1])
        lines = (project.root / "cassettes" / f"{issue}.yaml").read_text(encoding="utf-8").splitlines()
        near = "\n".join(lines[line - 8 : line + 2])
        assert wanted[issue].strip('"') in near, (issue, near)


def test_commit_ids_that_do_not_fit_are_refused_where_nothing_was_sealed(project: Project) -> None:
    only(project)
    add_issue(project, "one", put(lambda data: data["mala"], edited=None))
    done = project.run("--mala-issues", "issues", "-p", "no:cacheprovider")
    assert re.fullmatch(
        "cassettes/one.yaml: turn 1: commit 'one: add.. adds' was recorded as 0df39e0de9d7 and is [0-9a-f]{12} when it "
        "is made again: the tree in the cassette was changed; mark it as edited with `pytest-mala cassette seal`, "
        f"or record the issue again; record it with: {record_command('one')}",
        told(done.stdout)["one setup"],
    )


def test_every_broken_issue_file_is_told_and_the_good_one_runs(project: Project) -> None:
    only(project, "good")
    issues = project.root / "issues"
    for name, (text, _) in ISSUES.items():
        content = text if isinstance(text, bytes) else text.encode()
        (issues / f"z-{name}.md").write_bytes(content)
    (issues / "z-loop.md").symlink_to("z-loop.md")
    (issues / "z-nowhere.md").symlink_to("/nowhere/at/all")
    (issues / "z-folder.md").mkdir()

    stopped = project.run("--mala-issues", "issues", "-p", "no:cacheprovider")
    assert stopped.returncode == 2
    done = project.run("--mala-issues", "issues", "-p", "no:cacheprovider", "--continue-on-collection-errors")
    assert done.returncode == 1
    for run in (stopped, done):
        assert_clean(run)
        expected = {f"z-{name}.md": f"issues/z-{name}.md:{message}" for name, (_, message) in ISSUES.items()}
        assert told(run.stdout) == expected
    assert f" {len(ISSUES)} errors in " in stopped.stdout
    assert f" 1 passed, {len(ISSUES)} errors in " in done.stdout


USAGE = {
    "empty root": (("--mala-issues=",), "--mala-issues: expected a file or folder, got an empty text"),
    "no such root": (("--mala-issues=nowhere",), "--mala-issues: no such file or folder: nowhere"),
    "not Markdown": (
        ("--mala-issues=pyproject.toml",),
        "--mala-issues: pyproject.toml is no issue file: expected a folder, or a file *.md",
    ),
    "not Markdown by ini": (
        ("-o", "mala_issues=pyproject.toml"),
        "mala_issues: ROOT/pyproject.toml is no issue file: expected a folder, or a file *.md (in pyproject.toml)",
    ),
    "lane": (("--mala-lane=party",), "--mala-lane: expected replay or scripted, got 'party'"),
    "record in replay": (
        ("--mala-record=all",),
        "--mala-record=all can't be used in lane replay, which has no agent to record: add --mala-lane=scripted",
    ),
    "record in CI": (
        ("-o", "mala_record=all"),
        "mala_record: all is refused where CI is set: recording in CI is asked for on the command line, "
        "with --mala-record=all",
    ),
    "cassettes a file": (
        ("-o", "mala_cassettes=conftest.py"),
        "mala_cassettes: expected a folder, got a file: ROOT/conftest.py (in pyproject.toml)",
    ),
    "prompts a file": (
        ("-o", "mala_prompts=conftest.py"),
        "mala_prompts: no such folder: ROOT/conftest.py (in pyproject.toml)",
    ),
    "frozen": (
        ("-o", "mala_frozen=perhaps"),
        "mala_frozen: expected true or false: invalid truth value 'perhaps' (in pyproject.toml)",
    ),
    "no asyncio": (
        ("-p", "no:asyncio"),
        "issues need the plugin pytest-asyncio, which is switched off: leave out `-p no:asyncio`",
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_what_can_not_work_is_refused_before_anything_runs(project: Project, name: str) -> None:
    arguments, message = USAGE[name]
    roots = () if "root" in name or "Markdown" in name else ("--mala-issues", "issues")
    done = project.run(*roots, *arguments, env={"CI": "true"})
    assert done.returncode == 4
    assert done.stderr.strip() == f"ERROR: {message.replace('ROOT', str(project.root))}"
    assert_clean(done)


def test_a_file_in_place_of_the_cassettes_folder_concerns_only_runs_with_issues(project: Project) -> None:
    shutil.rmtree(project.root / "cassettes")
    (project.root / "cassettes").write_text("")
    done = project.run("--mala-issues", "issues", "--mala-lane=scripted", "--mala-record=all")
    assert done.returncode == 4
    assert done.stderr.strip() == f"ERROR: mala_cassettes: expected a folder, got a file: {project.root}/cassettes"
    (project.root / "test_other.py").write_text("def test_it(): pass\n")
    assert project.run("test_other.py").returncode == 0


def test_a_root_without_issues_is_named(project: Project) -> None:
    (project.root / "empty" / "below").mkdir(parents=True)
    (project.root / "empty" / "notes.md").write_text("# Notes\n")
    done = project.run("--mala-issues", "empty")
    assert done.returncode == 5
    assert "\nmala: no issues in empty (issues are files *.md that begin with front matter)\n" in done.stdout
    only(project, "good")
    assert "no issues in" not in project.run("--mala-issues", "issues", "--collect-only").stdout


def test_without_the_plugin_pytest_says_that_it_knows_no_such_option(project: Project) -> None:
    done = project.run("--mala-issues", "issues", "-p", "no:mala")
    assert done.returncode == 4
    assert "error: unrecognized arguments: --mala-issues" in done.stderr


PROMPTS = {
    "missing": (
        None,
        "there is no such prompt file; a prompt folder holds all of ours but fixer.md and reviewer.md; "
        "copy the missing one from the package",
    ),
    "folder": (FOLDER, "the prompt file can't be read: Is a directory"),
    "latin-1": (b"gr\xfc\xdf\n", "1: not UTF-8 text (invalid start byte at byte 2)"),
    "placeholder": (
        b"Hello {colour}\n",
        "1: unknown placeholder {colour}: expected one of attempt, failure_reasons, format_command, issue_id, "
        "lint_command, max_attempts, test_command, typecheck_command; write {{colour}} for the literal text",
    ),
}


def test_a_prompt_that_can_not_be_used_is_told(project: Project) -> None:
    only(project, *PROMPTS)
    with (project.root / "conftest.py").open("a") as file:
        file.write(
            "\n\n@pytest.fixture\ndef mala_settings(mala_settings, mala_issue):\n"
            "    import dataclasses\n"
            "    folder = mala_settings.rootdir / f'prompts-{mala_issue.id}'\n"
            "    return dataclasses.replace(mala_settings, prompts=folder)\n"
        )
    for name, (content, _) in PROMPTS.items():
        folder = shutil.copytree(project.root / "prompts", project.root / f"prompts-{name}")
        path = folder / "gate_followup.md"
        path.unlink()
        if content == FOLDER:
            path.mkdir()
        elif isinstance(content, bytes):
            path.write_bytes(content)
    done = project.run("--mala-issues", "issues", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert_clean(done)
    said = told(done.stdout)
    for name, (_, message) in PROMPTS.items():
        path = project.root / f"prompts-{name}" / "gate_followup.md"
        where = f"{path}:" if message.startswith("1:") else f"{path}: "
        assert said[f"{name} setup"].startswith(where + message)
        assert "\n" not in said[f"{name} setup"]


RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
PRINTS = f"python -c \"print({EVIL!a}, 'x' * 50_000); raise SystemExit(1)\"".replace("\\", "\\\\")

EVIL_PLACES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "row-name": lambda data: gate(data)["checks"][0].update(name=EVIL),
    "row-command": lambda data: gate(data)["checks"][0].update(command=EVIL),
    "row-output": lambda data: gate(data)["checks"][0].update(output=EVIL),
    "row-reason": lambda data: gate(data)["checks"][0].update(verdict="failed", reason=EVIL),
    "row-key": lambda data: gate(data)["checks"][0].update({EVIL: EVIL}),
    "row-long": lambda data: gate(data)["checks"][0].update(name="x" * 1_000_000),
    "prompt": lambda data: by_method(data, "QUERY")["request"].update(body=f"{EVIL} please"),
    "prompt-long": body("QUERY", "y" * 1_000_000),
    "prompt-words": body("QUERY", " ".join(map(str, range(20_000)))),
    "options": body("CONNECT", EVIL),
    "control": body("CONTROL", f'{{"subtype": "initialize", "{ascii(EVIL)[1:5]}": "{EVIL[1:4]}"}}'),
    "purpose": lambda data: by_method(data, "CONNECT")["request"]["headers"].update(purpose=[EVIL]),
    "decision": put(gate, decisions=[EVIL]),
    "place": place("GATE", "gate/1", f"gate/1{EVIL}"),
    "key": lambda data: data.update({EVIL: 1}),
    "header": lambda data: by_method(data, "GATE")["request"]["headers"].update({EVIL: [1]}),
    "issue": lambda data: data["mala"].update(issue=EVIL),
    "path": write_file(f"../{EVIL}"),
    "branch": put(tree, branch=EVIL),
    "base": lambda data: by_method(data, "TREE")["response"]["base"].update(
        tree=ANOTHER, files={EVIL: "100644 198166503ca9"}
    ),
    "end": lambda data: (
        by_method(data, "END")["request"].update(body="error"),
        by_method(data, "END").update(response={"error": {"type": EVIL, "text": EVIL}, "stderr": [EVIL]}),
        answer(data)["frames"].pop(13),
        answer(data)["ms"].pop(13),
    ),
    "agent": lambda data: (
        frame(data, 2)["message"].update(content=[{"type": "text", "text": EVIL}]),
        frame(data, 13).update(subtype=f"error_{EVIL}", is_error=True, result=EVIL),
    ),
}


def test_nothing_of_a_cassette_or_check_reaches_the_terminal_raw(project: Project, tmp_path: Path) -> None:
    only(project)
    for name, change in EVIL_PLACES.items():
        add_issue(project, name, change)
    add_issue(project, "prints", lambda data: gate(data)["checks"][0].update(verdict="failed", exit_status=1), PRINTS)
    skipped = issue_text("skipped").replace("priority: 1", 'priority: 1\nskip: "because\\u202e"')
    (project.root / "issues" / "skipped.md").write_text(skipped)
    report = tmp_path / "report.xml"
    done = project.run("--mala-issues", "issues", "-rA", f"--junitxml={report}", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert_clean(done)
    assert [ascii(line[:200]) for line in done.stdout.split("\n") if RAW.search(line)] == []
    assert max(map(len, done.stdout.split("\n"))) < 6000
    assert len(done.stdout) < 200_000
    said = told(done.stdout)
    assert "recorded \\x1b[31mRED\\x1b]0;title\\x07\\x9b31m\\u202eevil" in said["row-name setup"]
    assert re.search(r"\.\.\. \(995,\d{3} more characters\) \.\.\.", said["row-long setup"])
    assert said["prompt-long setup"].endswith(f"\nrecord it with: {record_command('prompt-long')}")
    cases = {case.get("name"): case for case in ET.parse(report).getroot().iter("testcase")}
    assert len(cases) == len(EVIL_PLACES) + 2
    text = report.read_text(encoding="utf-8")
    assert RAW.search(text) is None
    assert len(text) < 200_000


def test_the_command_spells_out_what_a_cassette_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(resealed(f"version: 1\nmala: {{}}\n{chr(0x202E)}evil: 1\n# sha256: x"), encoding="utf-8")
    assert main(["cassette", "seal", str(path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {path}:3: \\u202eevil: unknown key; known here are version, mala, interactions, shared\n"
    )


class TestBounds:
    def test_long_lines_keep_their_start_and_their_end(self) -> None:
        shown = presentable("a" * 10_000 + "z" * 10_000)
        assert shown == "a" * 4000 + " ... (15,000 more characters) ... " + "z" * 1000

    def test_many_lines_keep_their_start_and_their_end(self) -> None:
        shown = presentable("\n".join(map(str, range(9000)))).split("\n")
        assert [shown[0], shown[2999], shown[3000], shown[3001], shown[-1]] == [
            "0",
            "2999",
            "... (4,000 lines left out)",
            "7000",
            "8999",
        ]

    @pytest.mark.parametrize("count", [300, 5_000, 200_000])
    def test_texts_without_a_common_word_are_compared_at_once(self, count: int) -> None:
        """Matching each gap with each gap took 20 seconds for a thousand words, and hours for a long prompt."""
        began = time.perf_counter()
        said = word_diff(" ".join(f"a{n}" for n in range(count)), " ".join(f"b{n}" for n in range(count)))
        assert time.perf_counter() - began < 5
        assert said.startswith("[-a0")
        assert len(said) < 5000

    def test_a_word_in_a_long_text_is_still_found(self) -> None:
        words = [f"word{n % 700}" for n in range(50_000)]
        changed = [*words[:25_000], "another", *words[25_001:]]
        assert "[-word500-]{+another+}" in word_diff(" ".join(words), " ".join(changed))

    def test_folders_in_folders_without_end_are_removed(self) -> None:
        stage = Stage.make()
        at = stage.root / "deep"
        at.mkdir()
        script = "import os\nfor _ in range(1200):\n    os.mkdir('d')\n    os.chdir('d')\nopen('x', 'w').close()\n"
        subprocess.run([sys.executable, "-c", script], cwd=at, check=True)
        at.chmod(0o500)
        stage.remove()
        assert not stage.root.exists()


SCRIPTED = ("--mala-issues", "issues/calc-1.md", "--mala-lane=scripted", "-p", "no:cacheprovider")
SCRIPTS = {
    "missing": (
        None,
        ": there is no model script for calc-1; lane scripted needs one (its format: docs/model-script.md)",
    ),
    "empty": ("", ":1: expected a mapping with answers, got an empty file"),
    "unknown field": (
        "answers:\n- {say: x, colour: red}\n",
        ":2: answers[1]: expected one of say, think, tool, tools, wait, stall, fail, usage, stop, expect, repeat, "
        "either, got 'colour'",
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_model_script_that_can_not_be_used_is_told(project: Project, name: str) -> None:
    text, message = SCRIPTS[name]
    script = project.root / "issues" / "calc-1.model.yaml"
    script.unlink()
    if text is not None:
        script.write_text(text)
    done = project.run(*SCRIPTED)
    assert done.returncode == 1
    assert_clean(done)
    assert told(done.stdout) == {"calc-1 setup": f"issues/calc-1.model.yaml{message}"}


def test_an_sdk_without_cli_is_told_and_costs_no_cassette(project: Project, scratch: Path, tmp_path: Path) -> None:
    import claude_agent_sdk

    source = Path(claude_agent_sdk.__file__).parent
    bare = tmp_path / "bare"
    shutil.copytree(source, bare / source.name, ignore=shutil.ignore_patterns("_bundled", "__pycache__"))
    before = fingerprint(project.root / "cassettes")
    done = project.run(*SCRIPTED, "--mala-record=all", env={"PYTHONPATH": str(bare), "TMPDIR": str(scratch)})
    assert done.returncode == 1
    assert_clean(done)
    assert told(done.stdout) == {
        "calc-1 setup": "the installed claude-agent-sdk carries no CLI for this platform: expected an executable "
        "_bundled/claude; install a wheel of it "
        "(python -m pip install --force-reinstall --only-binary :all: claude-agent-sdk)"
    }
    left = fingerprint(project.root / "cassettes")
    assert {name: left[name] for name in before} == before
    assert list(scratch.iterdir()) == []
