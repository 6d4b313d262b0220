"""Bad input of a hostile or clumsy user: one clear message each, and nothing written where it does not belong."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from broken_cassettes import (
    ANOTHER,
    EVIL,
    add_issue,
    answer,
    body,
    by_method,
    commit,
    fingerprint,
    frame,
    gate,
    insert,
    issue_text,
    only,
    place,
    put,
    resealed,
    session_id,
    text_of,
    told,
    tree,
    write_file,
)

from pytest_mala.case.stage import Stage
from pytest_mala.cli import main
from pytest_mala.plugin.foreign import presentable
from pytest_mala.transport.compare import word_diff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from case_project import Project

OURS = ("INTERNALERROR", "Traceback", "pytest_mala/", "pytest_asyncio/")
"""What must never be seen: errors of pytest's or of ours, and frames of our code."""

DIGITS = "the 40 hexadecimal digits of an id"
TRUNCATED = "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it"
EDITED = "look at the change, then accept it with `pytest-mala cassette seal PATH`"
QUERY = "interaction QUERY claude-sdk://NAME/1/connection/1/query/1: response.frames"
CONTROL = "interaction CONTROL claude-sdk://NAME/1/connection/1/control/1"
GATE = "interaction GATE claude-sdk://NAME/1/gate/1"
PLACES = "expected CONNECT, QUERY, CONTROL, END, TREE or GATE at a known place"
KEYS = "name, kind, command, verdict, exit_status, reason, output"
BASE = "kind, tree, commit, branch, files"
TREE = "turn, head, branch, index, work, clean, refs, ahead, commits, tags, kept_out"
NO_COMMIT = f"no commit {ANOTHER[:12]} stands before this in the take"

FILES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "cut-early": (text_of(lambda text: text[:300], is_sealed=False), TRUNCATED),
    "cut-late": (text_of(lambda text: text[:-2], is_sealed=False), TRUNCATED),
    "cut-middle": (text_of(lambda text: text[: len(text) // 2], is_sealed=False), TRUNCATED),
    "edited": (
        text_of(lambda text: text.replace("return a + b", "return b + a"), is_sealed=False),
        f"the text does not match its digest, it was edited by hand; {EDITED}",
    ),
    "later-format": (
        text_of(lambda text: text.replace("format: 1", "format: 2")),
        "cassette format 2 is not known, this pytest-mala reads 1; use the pytest-mala that wrote the file, "
        "or record it again",
    ),
    "empty": (lambda _: "", "is empty; take it from version control or record it again"),
    "binary": (lambda _: b"\x89PNG\r\n\x1a\n\x00", "is not UTF-8 text (byte 0x89)"),
    "latin-1": (
        text_of(lambda text: text.replace("add()", "\xe4dd()", 1).encode("latin-1", "replace")),
        "is not UTF-8 text (byte 0xe4)",
    ),
    "repeated-key": (
        text_of(lambda text: text.replace("  lane: scripted\n", "  lane: scripted\n  lane: live\n", 1)),
        "the key 'lane' stands twice in one mapping",
    ),
    "tag": (
        text_of(lambda text: text.replace("headers: {}", "headers: !!python/object/apply:os.system [ls]", 1)),
        "a YAML tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed; a cassette holds JSON data only",
    ),
    "anchor": (
        text_of(lambda text: text.replace("headers: {}", "headers: &x {}", 1)),
        "an anchor (&x) is not allowed; write the value out where it is needed",
    ),
    "brackets": (
        text_of(lambda text: text.replace("headers: {}", "headers: " + "[" * 100_000, 1)),
        "nested deeper than 64 levels",
    ),
    "other-issue": (
        text_of(lambda text: text.replace("other-issue", "calc-1")),
        "expected a cassette of issue 'other-issue', got 'calc-1'",
    ),
    "ms-negative": (
        lambda data: answer(data)["ms"].__setitem__(3, -1),
        "interactions[3].response.ms[3]: expected milliseconds, 0 or more, got -1",
    ),
    "ms-huge": (
        lambda data: answer(data)["ms"].__setitem__(3, 10**15),
        "interactions[3].response.ms[3]: expected at most 31622400000 ms (a year), got 1000000000000000",
    ),
    "year-1": (
        lambda data: data["mala"]["takes"][0].update(start="0001-01-01T00:00:00+14:00"),
        "mala.takes[0].start: expected a year from 1970 to 2999, got 1",
    ),
}
"""Told before anything of the take is looked at; the message begins behind file and line."""

TAKES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "body-not-json": (body("CONTROL", "{"), f"{CONTROL}: request.body: expected the JSON of a control request"),
    "body-deep": (body("CONTROL", "[" * 99999), f"{CONTROL}: request.body: expected the JSON of a control request"),
    "body-list": (body("CONTROL", "[]"), f"{CONTROL}: request.body: expected a mapping, got a list of 0"),
    "hooks-odd": (
        body("CONTROL", '{"subtype": "initialize", "hooks": {"Stop": [1]}}'),
        f"{CONTROL}: request.body: expected a mapping, got 1",
    ),
    "place-odd": (place("GATE", "gate/1", "gate/\xb2"), f"{GATE[:-1]}\xb2: {PLACES}"),
    "place-zero": (place("GATE", "gate/1", "gate/0"), f"{GATE[:-1]}0: {PLACES}"),
    "place-twice": (
        lambda data: data["interactions"].append(by_method(data, "GATE")),
        f"{GATE}: this place stands twice in the take",
    ),
    "connection-7": (
        place("CONNECT", "connection/1", "connection/7"),
        "interaction CONNECT claude-sdk://NAME/1/connection/7: expected connection 1: they are numbered upwards from 1",
    ),
    "not-connected": (
        lambda data: data["interactions"].pop(1),
        f"{CONTROL}: connection 1 was never opened (no CONNECT before it)",
    ),
    "end-odd": (
        body("END", "exploded"),
        "interaction END claude-sdk://NAME/1/connection/1/end: response: the body must be eof, error or closed, "
        "got 'exploded'",
    ),
    "decisions-text": (
        put(gate, decisions="SUCCESS"),
        f"{GATE}: response.decisions: expected a list, got 'SUCCESS'",
    ),
    "gate-key": (
        put(gate, colour="red"),
        f"{GATE}: response.colour: unknown key; known here are checks, decisions, took_ms",
    ),
    "gate-row-text": (put(gate, checks=["ok"]), f"{GATE}: response.checks[0]: expected a mapping, got 'ok'"),
    "gate-times": (
        put(gate, took_ms=[1, 2]),
        f"{GATE}: response.took_ms: expected 1 numbers, one for each check, got 2",
    ),
    "gate-time-negative": (
        put(gate, took_ms=[-1]),
        f"{GATE}: response.took_ms[0]: expected milliseconds from 0 to 31622400000, got -1",
    ),
    "gate-row-key": (
        put(lambda data: gate(data)["checks"][0], verdict=None),
        f"gate/1: recorded check result: expected the keys {KEYS}; "
        "got name, command, exit_status, kind, output, reason",
    ),
    "gate-verdict": (
        lambda data: gate(data)["checks"][0].update(verdict="great"),
        "gate/1: recorded check result: verdict: expected one of passed, failed, timed-out, error; got 'great'",
    ),
    "session-id-up": (
        session_id("../../../../evil"),
        f"{QUERY}[0].cli.session_id: expected an id like a UUID, got '../../../../evil'",
    ),
    "session-id-name": (
        session_id("${CONFIG}"),
        f"{QUERY}[0].cli.session_id: expected an id like a UUID, got '${{CONFIG}}'",
    ),
    "frame-empty": (
        lambda data: answer(data)["frames"].__setitem__(2, {"cli": {}}),
        f"{QUERY}[2].cli.type: expected a text, got nothing",
    ),
    "frame-no-message": (
        lambda data: frame(data, 2).pop("message"),
        f"{QUERY}[2].cli.message: expected a mapping, got nothing",
    ),
    "frame-block": (
        lambda data: frame(data, 2)["message"].update(content=[{"type": "text", "text": 5}]),
        f"{QUERY}[2].cli.message.content[0].text: expected a text, got 5",
    ),
    "frame-usage": (
        lambda data: frame(data, 2)["message"].update(usage={"input_tokens": "many"}),
        f"{QUERY}[2].cli.message.usage.input_tokens: expected a whole number or null, got 'many'",
    ),
    "frame-result": (
        lambda data: frame(data, 13).update(result=["done"]),
        f"{QUERY}[13].cli.result: expected a text or null, got a list of 1",
    ),
    "frame-request": (
        lambda data: insert(data, {"cli": {"type": "control_request", "request_id": "a", "request": "x"}}),
        f"{QUERY}[5].cli.request: expected a mapping, got 'x'",
    ),
    "frame-answer": (
        lambda data: insert(data, {"sdk": {"type": "control_response"}}),
        f"{QUERY}[5].sdk.response: expected a mapping, got nothing",
    ),
    "no-base": (
        lambda data: data["interactions"].pop(0),
        "turn/0/tree: the take has no base (expected a TREE interaction at turn/0/tree)",
    ),
    "base-key": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(colour="red"),
        f"turn/0/tree: base: expected a mapping of {BASE}",
    ),
    "base-kind": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(kind="castle"),
        "turn/0/tree: base.kind: expected template or repository, got 'castle'",
    ),
    "base-files": (
        lambda data: by_method(data, "TREE")["response"]["base"].update(files={"calc.py": "x"}),
        "turn/0/tree: base.files: expected `mode id` for each name",
    ),
    "tree-key": (put(tree, colour="red"), f"turn/1/tree: tree: unknown key 'colour' (known here: {TREE})"),
    "tree-turn": (put(tree, turn=7), "turn/1/tree: tree.turn: expected 1, got 7"),
    "tree-head": (put(tree, head="../x"), f"turn/1/tree: tree.head: expected {DIGITS}, got '../x'"),
    "tree-work": (put(tree, work=ANOTHER), f"turn/1/tree: tree.work: {NO_COMMIT}"),
    "tree-parent": (put(commit, parents=[ANOTHER]), f"turn/1/tree: tree.commits.parents: {NO_COMMIT}"),
    "tree-branch": (
        put(tree, branch="main\n[core]"),
        "turn/1/tree: tree.branch: expected a name that git allows, got 'main\\n[core]'",
    ),
    "tree-refs": (
        put(tree, refs={"../../../evil": None}),
        "turn/1/tree: tree.refs: expected a branch or a tag, got '../../../evil'",
    ),
    "tree-refs-up": (
        put(tree, refs={"refs/heads/../../../evil": None}),
        "turn/1/tree: tree.refs: expected a name that git allows, got 'refs/heads/../../../evil'",
    ),
    "tree-ahead": (
        put(commit, message="nothing\n"),
        "turn/1/tree: tree.ahead: expected what the commits say, 0df39e0de9d7 'nothing'; "
        "got 0df39e0de9d7 'NAME: add() adds'",
    ),
    "tree-clean": (
        put(tree, index="4ef32746d1ae46ad19e18dda15dddc19acc49231"),
        "turn/1/tree: tree.clean: expected false, since index or files are not those of head; got true",
    ),
    "tree-author": (
        put(commit, author="a\nparent x"),
        "turn/1/tree: commit 0df39e0de9d7: author: expected one line, got 'a\\nparent x'",
    ),
    "tree-option": (
        lambda data: insert(data, {"tree": "--index-output=/tmp/evil"}),
        "turn 1: a frame names the tree '--index-output=/tmp/evil', which no commit of the take has",
    ),
    "gitlink": (
        write_file("x", f"{ANOTHER} x\nM 100644 inline evil\ndata 0\n", "160000"),
        "turn/1/tree: commit 0df39e0de9d7: x: mode 160000 needs the id of a commit as its text",
    ),
    **{
        f"path-{name}": (write_file(path), f"turn/1/tree: commit 0df39e0de9d7: path {path!r} {why}")
        for name, path, why in (
            ("up", "../../escaped.txt", "leads out of the workspace"),
            ("inside-up", "a/../../escaped.txt", "leads out of the workspace"),
            ("absolute", "/tmp/escaped.txt", "leads out of the workspace"),
            ("config", ".git/config", "leads into a .git folder"),
            ("hook", ".git/hooks/post-checkout", "leads into a .git folder"),
            ("case", "sub/.GIT/config", "leads into a .git folder"),
            ("short", "GIT~1/config", "leads into a .git folder"),
            ("nul", "x\0y", "is not a path that git knows"),
            ("slashes", "x//y", "is not a path that git knows"),
            ("dot", "./x", "is not a path that git knows"),
            ("empty", "", "is not a path that git knows"),
        )
    },
}
"""Told before the session, with what replay could not work with; the message begins behind file and line."""

DIVERGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "hook-unknown": (
        lambda data: insert(
            data,
            {
                "cli": {
                    "type": "control_request",
                    "request_id": "a",
                    "request": {"subtype": "hook_callback", "callback_id": "hook_9", "input": {}},
                }
            },
        ),
        "cassettes/hook-unknown.yaml: connection 1 (work), turn 1, frame 10: the hook hook_9 was answered, "
        "but in the recording it never was",
    ),
    "no-frames": (
        lambda data: data.update(interactions=data["interactions"][:2]),
        "cassettes/no-frames.yaml: connection 1 (work): the control request initialize was sent, "
        "but the recording ends here (0 of 0 frames played)",
    ),
    "result-bare": (
        lambda data: answer(data)["frames"].__setitem__(13, {"cli": {"type": "result"}}),
        "cassettes/result-bare.yaml: step 2: the lifecycle decided otherwise\n"
        "  recorded: AWAITING_LOG WAIT_FOR_LOG\n"
        "  this run: FAILED COMPLETE_FAILURE, because of MessageParseError: "
        "Missing required field in result message: 'subtype'",
    ),
}
"""What only the session can notice; the words before the command that records anew."""

HARMLESS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "good": lambda _: None,
    "placeholders": lambda data: frame(data, 2)["message"].update(
        content=[{"type": "text", "text": "${NOSUCH} ${} ${$} ${WORKSPACE ${WORKSPACE}${HOME}$${TMP}"}]
    ),
    "unknown-frame": lambda data: insert(data, {"cli": {"type": "aliens", "here": [1, None]}}),
    "huge-frame": lambda data: frame(data, 2)["message"].update(content=[{"type": "text", "text": "x" * 1_000_000}]),
    "many-frames": lambda data: [insert(data, {"cli": frame(data, 2)}) for _ in range(200)],
}

FOLDER = "folder"
LINK = "symlink"


def record_command(name: str, lane: str = "--mala-lane=live --mala-max-usd=AMOUNT") -> str:
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
        assert said[name] == f"{what}\nrecord it with: {record_command(name)}"
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


def front(*lines: str, text: str = "Do it.\n") -> str:
    return "\n".join(["---", *lines, "---", text])


CHECKED = "gate: {checks: {a: 'true'}}"
ALLOWED = (
    "Allowed: id, title, type, status, priority, labels, depends_on, workspace, gate, review, agent, limits, expect, "
    "xfail, skip"
)
NAME = "expected a name of 1 to 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"
ISSUES: dict[str, tuple[str | bytes, str]] = {
    "empty-front": ("---\n---\nx\n", "1: the front matter is empty: expected fields like 'id: calc-1'"),
    "unclosed": ("---\nid: a\n", "1: the front matter is not closed: expected a line '---' after the fields"),
    "no-body": (
        front("id: a", "title: t", CHECKED, text=""),
        "5: the body is missing: write what to do below the front matter",
    ),
    "unknown": (front("id: a", "title: t", CHECKED, "colour: red"), f"5: colour: unknown field. {ALLOWED}"),
    "escape": (front("id: a", "title: t", CHECKED, '"\\e[31m": 1'), f"5: '\\x1b[31m': unknown field. {ALLOWED}"),
    "wrong-type": (front("id: a", "title: [t]", CHECKED), "3: title: expected a text, got a list"),
    "repeated": (
        front("id: a", "title: t", "title: u", CHECKED),
        "4: title: repeated field, the first is on line 3",
    ),
    "id-colon": (front("id: a::b", "title: t", CHECKED), f"2: id: {NAME}, got 'a::b'"),
    "id-path": (front("id: ../x", "title: t", CHECKED), f"2: id: {NAME}, got '../x'"),
    "id-missing": (front("title: t", CHECKED), "1: id: missing, every issue needs one like 'id: calc-1'"),
    "id-taken": (
        front("id: setup_module", "title: t", CHECKED),
        "1: id: 'setup_module' has a meaning to pytest: choose another one",
    ),
    "id-twice": (
        front("id: GOOD", "title: t", CHECKED),
        "1: id: 'GOOD' must be the only one of its name, but 'good', which some file systems take for the same name, "
        "is used in issues/good.md:1",
    ),
    "cannot-fail": (
        front("id: a", "title: t", "gate: {commit: allowed}"),
        "4: gate: this issue can't fail: name a check, or set commit to required or forbidden",
    ),
    "check-quote": (
        front("id: a", "title: t", 'gate: {checks: {a: "echo \'x"}}'),
        '4: gate.checks.a: expected a command that can be split into words, got "echo \'x" (no closing quotation)',
    ),
    "tag": (
        front("id: a", "title: !!python/object/apply:os.system [ls]", CHECKED),
        "3: YAML tags ('tag:yaml.org,2002:python/object/apply:os.system') are not allowed: every value is read as the "
        "type of its field",
    ),
    "anchor": (
        front("id: a", "title: &x t", CHECKED),
        "3: YAML anchors and aliases (&x) are not allowed: write the value out",
    ),
    "deep": (
        front("id: a", "title: t", "labels: " + "[" * 99_990),
        "1: the front matter is too large: expected at most 65536 bytes, got 100014",
    ),
    "yaml": (
        front("id: a", "title: 'abc", CHECKED),
        "4: not valid YAML: expected <block end>, but found '<scalar>' "
        "(while parsing a block mapping that starts on line 2)",
    ),
    "duration": (
        front("id: a", "title: t", CHECKED, "limits: {idle: soon}"),
        "5: limits.idle: expected a duration like 90s, 5m or 1h, got 'soon'",
    ),
    "priority": (
        front("id: a", "title: t", CHECKED, "priority: 9"),
        "5: priority: expected a priority from 0 to 4, or P0 to P4, got '9'",
    ),
    "list": (
        "---\n- a\n- b\n---\nx\n",
        "2: expected fields like 'id: calc-1' in the front matter, got a list",
    ),
    "control": ("---\nid: c\ntitle: 'a\x07b'\n---\nx\n", "3: not valid YAML: the character U+0007 is not allowed"),
    "bidi": (
        front("id: a", "title: t", CHECKED, 'type: "\\u202e"'),
        "5: type: expected one of task, bug, feature, chore, epic, got '\\u202e'",
    ),
    "binary": (b"---\n\x89PNG\r\n\x1a\n\x00\xff---\n", "4: is a binary file: expected UTF-8 text, got a NUL byte"),
    "latin-1": (
        front("id: a", "title: gr\xfc\xdf", CHECKED).encode("latin-1"),
        "3: is not UTF-8: byte 0xfc at offset 19; save the file as UTF-8",
    ),
    "utf-16": (front("id: a", "title: t", CHECKED).encode("utf-16"), "1: is UTF-16 text: save it as UTF-8"),
    "large": (
        front("id: a", "title: t", CHECKED, text="x" * 2_000_000),
        "1: is too large: expected at most 1048576 bytes",
    ),
}


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
    "lane": (("--mala-lane=party",), "--mala-lane: expected replay, scripted or live, got 'party'"),
    "record in replay": (
        ("--mala-record=all",),
        "--mala-record=all can't be used in lane replay, which has no agent to record: "
        "add --mala-lane=scripted or --mala-lane=live",
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
    assert "recorded \\x1b[31mRED\\x1b]0;title\\x07\\x9b31m\\u202eevil" in said["row-name"]
    assert "... (995,182 more characters) ..." in said["row-long"]
    assert said["prompt-long"].endswith(f"\nrecord it with: {record_command('prompt-long')}")
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
        "calc-1": "the installed claude-agent-sdk carries no CLI for this platform: expected an executable "
        "_bundled/claude; install a wheel of it "
        "(python -m pip install --force-reinstall --only-binary :all: claude-agent-sdk)"
    }
    left = fingerprint(project.root / "cassettes")
    assert {name: left[name] for name in before} == before
    assert list(scratch.iterdir()) == []


CALL = """
import os, socket, time
line = socket.create_connection(("127.0.0.1", {port}))
line.sendall(f"{{os.getppid()}}\\n".encode())
time.sleep(100)
"""


class Interrupted:
    """A run of pytest that is interrupted when its child calls us on a line that closes when the child dies."""

    def __init__(self, project: Project, scratch: Path) -> None:
        self.project = project
        self.scratch = scratch
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(60)
        self.program = scratch.parent / "call.py"
        self.program.write_text(CALL.format(port=self.server.getsockname()[1]))
        self.output = ""

    @property
    def command(self) -> str:
        return f"python {self.program}"

    def run(self, *arguments: str) -> int:
        import os

        env = {"PATH": os.environ["PATH"], "HOME": str(self.project.root.parent), "TMPDIR": str(self.scratch)}
        env |= {"LANG": "C.UTF-8", "TRANSCRIPTS": str(self.project.transcripts)}
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
        pytest_run = subprocess.Popen(
            command, cwd=self.project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            with self.calling():
                pytest_run.send_signal(signal.SIGINT)
                self.output = pytest_run.communicate(timeout=60)[0]
        finally:
            pytest_run.kill()
            pytest_run.wait()
        return pytest_run.returncode

    @contextmanager
    def calling(self) -> Iterator[None]:
        """From the child's call to its death."""
        line, _ = self.server.accept()
        with line:
            line.settimeout(20)
            assert line.recv(100)
            yield
            assert line.recv(100) == b""  # the kernel closed it: nobody is there any more


@pytest.fixture
def interrupted(project: Project, scratch: Path) -> Iterator[Interrupted]:
    made = Interrupted(project, scratch)
    yield made
    made.server.close()


def test_an_interrupt_in_the_gate_of_a_replay_leaves_nothing(interrupted: Interrupted) -> None:
    project = interrupted.project
    only(project)
    add_issue(project, "slow", check=interrupted.command)
    before = fingerprint(project.root)
    assert interrupted.run("--mala-issues", "issues") == 2
    assert "KeyboardInterrupt" in interrupted.output
    assert "Traceback" not in interrupted.output
    assert re.search("^slow +not finished$", interrupted.output, re.MULTILINE)
    assert list(interrupted.scratch.iterdir()) == []
    assert fingerprint(project.root) == before


@pytest.mark.cli
def test_an_interrupt_in_a_recording_leaves_the_old_cassette_and_no_cli(interrupted: Interrupted) -> None:
    project = interrupted.project
    script = project.root / "issues" / "calc-1.model.yaml"
    text = script.read_text()
    asked = "python -c 'import calc; print(calc.add(2, 3))'"
    assert asked in text
    script.write_text(text.replace(asked, interrupted.command))
    before = fingerprint(project.root)
    assert interrupted.run(*SCRIPTED, "--mala-record=all") == 2
    assert re.search("^calc-1 +not finished$", interrupted.output, re.MULTILINE)
    assert list(interrupted.scratch.iterdir()) == []
    after = fingerprint(project.root)
    [journal] = after.keys() - before.keys()
    assert re.fullmatch(r"cassettes/calc-1\.yaml\.\d+\.part", journal)
    assert {name: after[name] for name in before} == before
