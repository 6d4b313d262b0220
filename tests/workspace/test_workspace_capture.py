"""Capture and replay inside a take: several turns, trees inside a turn, cleaning up, and an agent that sets traps."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from workspace_bench import files, repository, sh

from pytest_mala.errors import WorkspaceError
from pytest_mala.workspace import Snapshot

BUGGY, FIXED = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"


def commit(workspace, message="work"):
    sh(workspace.path, f"git add -A; git commit -qm '{message}'")


def second(bench, first, snapshots, *, edited=False, path="repository", name="second"):
    workspace = bench.prepare(name, path, recorded=first.base)
    workspace.load([Snapshot.from_data(json.loads(json.dumps(one.to_data()))) for one in snapshots], edited=edited)
    return workspace


# --- several turns


def test_turns_are_recorded_as_differences_and_restored_in_any_order(bench):
    first = bench.prepare("first", "repository")
    snapshots, pictures = [], []
    for turn, script in enumerate(
        (
            "echo one >> calc.py; git commit -qam one; echo two > two",
            "git add -A; git commit -qm two; git tag -a t -m t; echo three > three; git checkout -qb side",
            "rm three; git checkout -q main; git reset -q --hard HEAD~1; echo four >> calc.py; git add calc.py",
            "git stash -q; git stash drop -q; git checkout -q --detach side",
        ),
        1,
    ):
        sh(first.path, script)
        pictures.append((files(first.path), repository(first.path)))
        snapshots.append(first.capture(turn))
    assert [len(one.commits) for one in snapshots] == [2, 2, 1, 0]
    assert [[one.message for one in each.ahead] for each in snapshots] == [
        ["one\n"],
        ["one\n", "two\n"],
        ["one\n"],
        ["one\n", "two\n"],
    ]
    again = second(bench, first, snapshots)
    for number in (0, 1, 2, 3, 1, 3, 0, 2):
        again.restore(snapshots[number])
        assert (files(again.path), repository(again.path)) == pictures[number]


AT_NOON = "export GIT_AUTHOR_DATE='1767225600 +0000' GIT_COMMITTER_DATE='1767225600 +0000'; "
SECOND = AT_NOON + "echo two > two; git add -A; git commit -qm two; git tag -a t -m t"


def test_work_that_goes_on_from_a_restored_turn_is_captured_whole(bench):
    """Also where it does again what a later turn of the take did: that one is no longer part of it."""
    first = bench.prepare("first", "repository")
    sh(first.path, AT_NOON + "echo one >> calc.py; git commit -qam one")
    one = first.capture(1)
    sh(first.path, SECOND)
    two = first.capture(2)

    again = second(bench, first, [one, two])
    again.restore(one)
    again.go_on([one])
    sh(again.path, SECOND)
    assert again.capture(2) == two

    third = second(bench, first, [one, two], name="third")
    third.restore(two)
    third.go_on([one, two])
    sh(third.path, "echo three > three; git add -A; git commit -qm three")
    three = third.capture(3)
    assert [one.message for one in three.commits] == ["three\n"]
    assert [one.message for one in three.ahead] == ["one\n", "two\n", "three\n"]


def test_a_turn_without_changes_holds_no_commit_and_costs_one_process(bench, monkeypatch):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo x > x; git add x; echo y > x")
    before = first.capture(1)
    count = counted(monkeypatch)
    after = first.capture(2)
    assert count() == ["status"]
    assert after == dataclasses.replace(before, turn=2, commits=())


def counted(monkeypatch):
    """Which git commands were started from now on; the processes are real."""
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **given: started.append(command[1]) or real(command, **given)
    )
    return lambda: started


def test_a_capture_needs_at_most_six_processes_and_a_restore_three(bench, monkeypatch):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo x > x; git add x; git commit -qm x; echo y > x; git add x; echo z > x; rm calc.py")
    count = counted(monkeypatch)
    snapshot = first.capture(1)
    assert len(count()) <= 6
    again = second(bench, first, [snapshot])
    count().clear()
    again.restore(snapshot)
    assert count() == ["clean", "read-tree", "read-tree"]


# --- trees inside a turn


def test_a_tree_is_noted_only_if_the_files_changed(bench):
    first = bench.prepare("first", "repository")
    assert first.note_tree() is None
    (first.path / "calc.py").write_text(FIXED)
    noted = first.note_tree()
    assert noted is not None
    assert first.note_tree() is None
    os.utime(first.path / "calc.py")
    assert first.note_tree() is None
    sh(first.path, "git add -A; git commit -qm fix")
    assert first.note_tree() is None, "a commit changes no file"
    (first.path / "calc.py").write_text(BUGGY)
    assert first.note_tree() not in (None, noted), "back to an older content is a change"


def test_noted_trees_are_switched_in_with_head_and_index_of_the_turns_start(bench):
    first = bench.prepare("first", "repository")
    start = first.capture(1)
    states = {}
    for script in (
        "echo a > a",
        "rm a; mkdir a; echo b > a/b",
        "ln -s a link; chmod +x calc.py",
        "rm -r a link; echo c >> calc.py",
    ):
        sh(first.path, script)
        states[first.note_tree()] = files(first.path)
    commit(first)
    end = first.capture(2)
    assert [one.message for one in end.commits] == ["tree\n"] * 4 + ["work\n"]
    again = second(bench, first, [start, end])
    again.restore(start)
    before = repository(again.path)
    for name, there in states.items():
        again.switch(name)
        assert files(again.path) == there
        now = repository(again.path)
        assert (now["head"], now["index"], now["refs"]) == (before["head"], before["index"], before["refs"])
    again.restore(end)
    assert files(again.path) == files(first.path)
    assert sh(again.path, "git status --porcelain; git diff-files") == ""


def test_a_switch_is_one_process(bench, monkeypatch):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    noted = first.note_tree()
    again = second(bench, first, [first.capture(1)])
    count = counted(monkeypatch)
    again.switch(noted)
    assert count() == ["read-tree"]


def test_equal_contents_are_stored_once(bench):
    first = bench.prepare("first", "repository")
    (first.path / "new.py").write_text("content of some length\n" * 20)
    noted = first.note_tree()
    commit(first)
    sh(first.path, "cp new.py copy.py")
    snapshot = first.capture(1)
    assert json.dumps(snapshot.to_data()).count("content of some length") == 20
    assert [[(one.path, one.as_in, one.as_path) for one in each.changes] for each in snapshot.commits] == [
        [("new.py", None, None)],
        [("new.py", noted, None)],
        [("copy.py", noted, "new.py")],
    ]


# --- caches


@pytest.mark.parametrize("attempt", range(10))
def test_a_same_size_edit_within_a_second_leaves_no_stale_bytecode(bench, attempt, tmp_path):
    """slice.md 2.4: without stamps the old code was imported. The cache lies outside of the tree: no sweep finds it."""
    first = bench.prepare("first")
    broken = first.capture(1)
    (first.path / "calc.py").write_text(FIXED)
    noted = first.note_tree()
    (first.path / "calc.py").write_text(BUGGY.replace("-", "*"))
    fixed = first.capture(2)
    again = second(bench, first, [broken, fixed], path="template")
    results = []
    for step in (lambda: again.restore(broken), lambda: again.switch(noted), lambda: again.restore(fixed)):
        step()
        results.append(imported(again.path, tmp_path / "cache"))
    assert results == ["-1", "5", "6"]


def imported(folder, cache):
    code = "import sys; sys.path.insert(0, '.'); import calc; print(calc.add(2, 3))"
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", "-X", f"pycache_prefix={cache}", "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert list(cache.rglob("calc.*.pyc")), "the test needs the cache"
    return done.stdout.strip()


def test_times_of_restored_files_are_the_same_on_every_run(bench):
    first = bench.prepare("first")
    (first.path / "new").write_text("x")
    snapshot = first.capture(3)
    for room in ("second", "third"):
        again = bench.prepare(room, recorded=first.base)
        again.load([snapshot])
        again.restore(snapshot)
        times = {path.name: path.stat().st_mtime for path in again.path.iterdir() if path.is_file()}
        assert times == {
            "new": 1_000_003_000,
            "calc.py": 1_000_000_001,
            "run.sh": 1_000_000_001,
            ".gitignore": 1_000_000_001,
        }


# --- cleaning up after checks


def test_clean_takes_back_what_checks_left_and_keeps_what_the_agent_left(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo mine > mine; mkdir build; echo agent > build/a; echo s > .env; git init -q nested")
    sh(first.path, "echo staged >> calc.py; git add calc.py; echo unstaged >> calc.py; mkdir empty; mkfifo pipe")
    before, state = files(first.path), repository(first.path)
    snapshot = first.capture(1)
    script = """
        echo check >> calc.py; rm mine; rm -r sub; echo f > sub; chmod -x run.sh; mkfifo other
        mkdir -p left/deep/empty .pytest_cache __pycache__
        echo x > left/deep/x; echo x > y.log; echo x > __pycache__/z
        git add calc.py sub run.sh left; git commit -qm check; git tag check; git checkout -qb check
    """
    sh(first.path, script)
    first.clean()
    assert files(first.path) == before
    assert repository(first.path) == state
    assert not (first.path / "left").exists()
    assert first.capture(2) == dataclasses.replace(snapshot, turn=2, commits=())


def test_clean_on_replay_also_takes_ignored_files(bench):
    first = bench.prepare("first", "repository")
    snapshot = first.capture(1)
    again = second(bench, first, [snapshot])
    again.restore(snapshot)
    sh(
        again.path,
        "mkdir __pycache__ build; echo x > __pycache__/a; echo x > build/b; echo x > c.log; echo y >> calc.py",
    )
    again.clean()
    assert files(again.path) == files(first.path)


def test_clean_brings_back_a_repository_that_a_check_removed(bench):
    first = bench.prepare("first", "repository")
    state = repository(first.path)
    first.capture(1)
    sh(first.path, "rm -rf .git; echo x > .git")
    first.clean()
    assert repository(first.path) == state


def test_restore_removes_everything_that_is_not_in_the_snapshot(bench):
    first = bench.prepare("first", "repository")
    snapshot = first.capture(1)
    script = """
        mkdir build empty; echo x > build/a; git init -q nested; echo x > nested/y; mkfifo pipe
        rm calc.py; mkdir calc.py; echo z > calc.py/z; echo w > w; rm -rf .git
    """
    sh(first.path, script)
    first.restore(snapshot)
    assert sorted(path.name for path in first.path.iterdir()) == [".git", ".gitignore", "calc.py", "run.sh", "sub"]
    assert (first.path / "calc.py").is_file()
    assert sh(first.path, "git status --porcelain --ignored") == ""


# --- traps


def test_nothing_that_the_agent_configured_is_run_by_us(bench, tmp_path):
    first = bench.prepare("first", "repository")
    marker = tmp_path / "executed"
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {marker}\ncat\n')
    program.chmod(0o755)
    sh(first.path, f"""
        for hook in pre-commit post-checkout post-index-change reference-transaction post-commit; do
            mkdir -p .git/hooks; cp {program} .git/hooks/$hook
        done
        git config core.hooksPath .git/hooks
        git config core.fsmonitor {program}
        git config filter.x.clean {program}
        git config filter.x.smudge {program}
        git config filter.x.process {program}
        git config filter.x.required true
        git config diff.x.textconv {program}
        git config diff.x.command {program}
        git config diff.external {program}
        git config gpg.program {program}
        git config log.showSignature true
        git config core.sshCommand {program}
        git config core.pager {program}
        git config core.editor {program}
        git config core.askPass {program}
        git config alias.status '!{program}'
        git config core.attributesFile {first.path}/.gitattributes
        mkdir -p .git/info; echo '* filter=x diff=x' | tee .gitattributes > .git/info/attributes
        echo more >> calc.py; echo new > new
        git init -q nested; cd nested; git config core.fsmonitor {program}; echo x > x
    """)  # fmt: skip
    marker.unlink(missing_ok=True)
    assert first.note_tree() is not None
    (first.path / "calc.py").write_text("again\n")
    snapshot = first.capture(1)
    (first.path / "calc.py").write_text("check\n")
    first.clean()
    first.commit_naming("x")
    first.restore(snapshot)
    assert (first.path / "calc.py").read_text() == "again\n"
    assert not marker.exists()


def test_a_replaced_object_does_not_deceive_a_capture(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo x >> calc.py; git commit -qam one; git replace HEAD HEAD~1")
    snapshot = first.capture(1)
    assert [one.message for one in snapshot.ahead] == ["one\n"]
    assert [one for one in snapshot.kept_out if "refs/replace" in one]


def test_changes_of_the_same_size_in_quick_succession_are_all_seen(bench):
    first = bench.prepare("first", "repository")
    noted = set()
    for number in range(10, 30):
        (first.path / "calc.py").write_text(f"{number}\n")
        noted.add(first.note_tree())
    assert len(noted - {None}) == 20


@pytest.mark.parametrize(
    "script", ["rm -rf .git", "rm -rf .git; git init -q", "git gc -q --prune=now; git reflog expire --all"]
)
def test_commits_of_an_earlier_turn_outlive_the_agents_repository(bench, script):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo one >> calc.py; git commit -qam one; git tag -a t -m t; echo two > two; git add two")
    start = first.capture(1)
    sh(first.path, f"git reset -q --hard HEAD~1; git tag -d t; {script}; echo three > three")
    end = first.capture(2)
    again = second(bench, first, [start, end])
    again.restore(end)
    assert files(again.path) == files(first.path)
    first.restore(start)
    again.restore(start)
    assert repository(again.path) == repository(first.path)


def test_a_damaged_repository_is_an_error_that_says_so(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "echo x >> calc.py; git commit -qam one; id=$(git rev-parse HEAD:calc.py | sed 's,..,&/,'); "
       "rm -f .git/objects/$id; git read-tree HEAD~1 && git checkout-index -qfa")  # fmt: skip
    with pytest.raises(WorkspaceError) as caught:
        first.capture(1)
    assert str(caught.value).startswith(f"{first.path}: the agent's commits can't be read: ")
    assert str(caught.value).endswith("; its repository is damaged, see `git fsck` there")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(bench):
    first = bench.prepare("first", "repository")
    (first.path / "locked").write_text("x")
    (first.path / "locked").chmod(0)
    with pytest.raises(WorkspaceError, match=r"the files can't be captured: .*locked.*; make the file readable"):
        first.capture(1)


def test_a_capture_that_fails_says_what_git_said(bench):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    lock = first.path.parent / "workspace.git" / "index.lock"
    lock.touch()
    with pytest.raises(WorkspaceError) as caught:
        first.capture(1)
    assert str(caught.value).startswith(f"{first.path}: the files can't be captured: Unable to create '{lock}'")
    assert str(caught.value).endswith("; make the file readable, or name it under `workspace.exclude`")


def test_a_commit_in_an_unknown_form_is_an_error_that_names_it(bench):
    first = bench.prepare("first", "repository")
    script = """
        printf 'tree %s\\nauthor A <a@b> 1 +0000\\nodd 1\\ncommitter A <a@b> 1 +0000\\n\\nx\\n' \
            $(git write-tree) > .git/c
        git reset -q $(git hash-object -t commit -w --literally .git/c); rm .git/c; git rev-parse HEAD
    """
    name = sh(first.path, script).strip()
    with pytest.raises(WorkspaceError) as caught:
        first.capture(1)
    assert (
        str(caught.value) == f"commit {name}: it has a form that git itself never writes; remove it from the branches"
    )


def test_without_an_index_everything_is_untracked(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "rm .git/index")
    snapshot = first.capture(1)
    assert (snapshot.clean, snapshot.work) == (False, snapshot.head)
    again = second(bench, first, [snapshot])
    again.restore(snapshot)
    assert sh(again.path, "git status --porcelain; git ls-files") == sh(
        first.path, "git status --porcelain; git ls-files"
    )


def test_a_committed_file_beyond_the_limit_is_an_error_that_names_it(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "truncate -s 17000000 big; git add -A; git commit -qm big")
    with pytest.raises(WorkspaceError) as caught:
        first.capture(1)
    name = sh(first.path, "git rev-parse HEAD")[:12]
    assert str(caught.value) == (
        f"commit {name}: big has 17.0 MB, and a cassette holds files up to 16.8 MB; "
        "have the agent leave it uncommitted, or ignored"
    )


def test_a_tracked_file_that_is_excluded_keeps_its_old_content_on_replay(bench):
    first = bench.prepare("first", "repository", exclude=["calc.py"])
    (first.path / "calc.py").write_text("secret\n")
    snapshot = first.capture(1)
    assert (snapshot.work, snapshot.kept_out) == (first.base.commit, ("calc.py (excluded)",))
    first.clean()
    assert (first.path / "calc.py").read_text() == "secret\n", "it is not ours to take back"


# --- edited cassettes


def edit(snapshot, old, new):
    """What a person does in the file: replace a text, leave the ids."""
    text = json.dumps(snapshot.to_data())
    assert old in text
    return Snapshot.from_data(json.loads(text.replace(old, new)))


def test_an_edited_tree_is_refused_unless_it_is_marked(bench):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    commit(first, "one: fix")
    snapshot = first.capture(2)
    edited = edit(snapshot, "a + b", "a - b")
    again = bench.prepare("second", "repository", recorded=first.base)
    with pytest.raises(WorkspaceError) as caught:
        again.load([edited])
    text = str(caught.value)
    assert text.startswith(f"turn 2: commit 'one: fix' was recorded as {snapshot.head[:12]} and is ")
    assert text.endswith(
        " when it is made again: the tree in the cassette was changed; mark it as edited with "
        "`pytest-mala cassette seal`, or record the issue again"
    )


def test_an_edited_tree_is_reached_by_its_recorded_ids(bench):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    noted = first.note_tree()
    commit(first, "one: fix")
    sh(first.path, "git tag -a t -m t; echo more >> calc.py; git add calc.py; echo new > new")
    snapshot = first.capture(1)
    edited = edit(snapshot, "a + b", "a * b")
    again = second(bench, first, [edited], edited=True)
    again.switch(noted)
    assert (again.path / "calc.py").read_text() == FIXED.replace("+", "*"), "contents are stored once and edited once"
    again.restore(edited)
    assert sh(
        again.path, "git status --porcelain; git show HEAD:calc.py; git cat-file -t t; git log -1 --format=%s t^{}"
    ) == ("MM calc.py\n?? new\n".replace("MM", "M ") + FIXED.replace("+", "*") + "tag\none: fix\n")
    assert again.commit_naming("one") is not None


def test_a_reference_to_nowhere_is_an_error_that_names_it(bench):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    noted = first.note_tree()
    commit(first)
    data = first.capture(1).to_data()
    del data["commits"][0]
    again = bench.prepare("second", "repository", recorded=first.base)
    with pytest.raises(WorkspaceError) as caught:
        again.load([Snapshot.from_data(data)], edited=True)
    assert str(caught.value) == (
        f"commit {data['commits'][0]['id'][:12]}: calc.py: `as_in` names calc.py of commit {noted[:12]}, "
        "which no earlier part of the cassette holds; put the content there, or record the issue again"
    )


def test_a_commit_on_something_that_is_not_there_is_an_error(bench):
    first = bench.prepare("first", "repository")
    (first.path / "calc.py").write_text(FIXED)
    snapshot = first.capture(1)
    lost = dataclasses.replace(snapshot, commits=(dataclasses.replace(snapshot.commits[0], parents=("1" * 40,)),))
    again = bench.prepare("second", "repository", recorded=first.base)
    with pytest.raises(WorkspaceError) as caught:
        again.load([lost])
    assert str(caught.value).startswith(f"{again.path}: the recorded commits can't be made again: ")
    assert "(shallow? use `fetch-depth: 0`)" in str(caught.value)


def test_an_unknown_tree_is_an_error(bench):
    first = bench.prepare("first", "repository")
    with pytest.raises(WorkspaceError) as caught:
        first.switch("1" * 40)
    assert str(caught.value).startswith(f"{first.path}: the tree of commit 111111111111 can't be restored: ")
    assert str(caught.value).endswith("; is it part of this cassette, and can the folder be written?")


# --- commits that name an issue


@pytest.mark.parametrize(
    ("message", "is_named"),
    [
        ("mala-1: fix", True),
        ("bd-mala-10: other", False),
        ("fix (mala-1)", True),
        ("closes mala-1.", True),
        ("x-mala-1", False),
        ("mala-1.2 and mala-1-b", False),
        ("Mala-1", False),
        ("subject\n\nlate in the body: mala-1\n", True),
        ("mala11", False),
    ],
)
def test_a_commit_names_an_issue_by_its_whole_id(bench, message, is_named):
    first = bench.prepare("first", "repository")
    sh(first.path, f"git commit -q --allow-empty -m '{message}'; git commit -q --allow-empty -m later")
    snapshot = first.capture(1)
    found = first.commit_naming("mala-1")
    assert found == (snapshot.ahead[0].id if is_named else None)


def test_an_id_has_no_meaning_as_a_pattern(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "git commit -q --allow-empty -m 'axb --all'")
    first.capture(1)
    assert first.commit_naming("a.b") is None
    assert first.commit_naming("second") == first.base.commit, "commits of the base count"


def test_a_branch_without_commits_names_nothing(bench):
    first = bench.prepare("first", "repository")
    sh(first.path, "git checkout -q --orphan empty")
    assert first.capture(1).head is None
    assert first.commit_naming("second") is None
