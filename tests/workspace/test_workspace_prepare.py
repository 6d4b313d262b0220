"""Where a workspace comes from: templates, repositories, what is refused; the user's own files stay untouched."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workspace_bench import FILES, Bench, digest, files, make_repository, sh

from pytest_mala.errors import Divergence, WorkspaceError
from pytest_mala.issue import WorkspaceSource
from pytest_mala.workspace import Base, BaseKind, prepare


def refused(bench, *, error=WorkspaceError, room="room", **given):
    with pytest.raises(error) as caught:
        bench.prepare(room, **given)
    return str(caught.value)


# --- templates


def test_a_template_is_one_commit_with_the_same_id_everywhere(bench, own_bench):
    first, second = bench.prepare("first"), own_bench.prepare("second")
    assert first.base == second.base
    assert first.base.kind is BaseKind.TEMPLATE
    assert sh(first.path, "git log --format='%an <%ae> %at %cn %ct %s %D'") == (
        "mala <mala@localhost> 946684800 mala 946684800 base HEAD -> main\n"
    )
    assert {name: content.decode() for name, (_, content) in files(first.path).items()} == FILES
    assert sh(first.path, "git status --porcelain; git diff-files --name-only; git remote") == ""
    assert (first.path / "run.sh").stat().st_mode & 0o111


def test_the_base_can_be_made_again_from_plain_values(bench):
    base = bench.prepare("first").base
    assert Base(**dataclasses.asdict(base)) == base
    assert str(dataclasses.asdict(base)["kind"]) == "template"


def test_the_agent_has_an_identity_and_nothing_to_push_to(bench):
    workspace = bench.prepare("first", "repository")
    config = sh(workspace.path, "git config --list --local")
    for line in ("user.name=agent", "commit.gpgsign=false", "core.autocrlf=false", "core.fsmonitor=false", "gc.auto=0"):
        assert line in config.splitlines()
    assert "remote" not in config


def test_a_template_inside_a_repository_is_what_the_index_lists_as_it_is_on_disk(own_bench):
    issues = own_bench.issues
    sh(
        issues,
        "rm -rf repository; git init -q; git config user.name u; git config user.email e; git add -A; git commit -qm x",
    )
    untouched = own_bench.prepare("first").base
    template = issues / "template"
    (template / "junk.txt").write_text("not tracked")
    (template / "__pycache__").mkdir()
    (template / "calc.py").write_text("changed\n")
    (template / "sub/data.txt").unlink()
    sh(issues, "git update-index --chmod=+x template/calc.py; chmod -x template/calc.py")

    workspace = own_bench.prepare("second")

    assert sorted(files(workspace.path)) == [".gitignore", "calc.py", "run.sh"]
    assert files(workspace.path)["calc.py"] == ("x", b"changed\n")
    assert workspace.notes == (
        "template: not tracked, so not in the workspace: junk.txt; `git add` what belongs there",
    )
    assert workspace.base.tree != untouched.tree


def test_a_template_that_is_not_tracked_yet_is_all_its_files_but_caches(own_bench):
    sh(own_bench.issues, "rm -rf repository; git init -q")
    for name in ("__pycache__/x.pyc", ".pytest_cache/y", "sub/z.pyc", "keep.txt"):
        (own_bench.source("template") / name).parent.mkdir(exist_ok=True)
        (own_bench.source("template") / name).write_text("x")
    (own_bench.source("template") / "link").symlink_to("sub")
    os.mkfifo(own_bench.source("template") / "pipe")
    workspace = own_bench.prepare("first")
    assert sorted(files(workspace.path)) == sorted([*FILES, "keep.txt", "link"])


def test_no_attribute_of_a_template_changes_a_byte(own_bench):
    template = own_bench.source("template")
    (template / ".gitattributes").write_text(
        "* text eol=crlf\n*.txt text=auto ident filter=lfs\n*.u16 working-tree-encoding=UTF-16\n"
    )
    (template / "crlf.txt").write_bytes(b"a\r\nb\nc\r\n$Id$\n")
    (template / "wide.u16").write_bytes("\ufeffx".encode("utf-16"))
    workspace = own_bench.prepare("first")
    assert files(workspace.path) == files(template)
    assert sh(workspace.path, "git status --porcelain; touch *; git status --porcelain") == ""


def test_a_submodule_of_a_template_is_named(own_bench):
    issues = own_bench.issues
    make_repository(issues / "template" / "lib")
    sh(issues, "rm -rf repository; git init -q; git add -A 2>/dev/null")
    workspace = own_bench.prepare("first")
    assert workspace.notes == ("template: lib (submodule) is not in the workspace",)


def test_an_empty_template_is_a_commit_without_files(own_bench):
    own_bench.source("void").mkdir()
    workspace = own_bench.prepare("first", "void")
    (workspace.path / "new").write_text("x")
    snapshot = workspace.capture(1)
    assert [change.path for change in snapshot.commits[0].changes] == ["new"]


def test_a_changed_template_is_a_divergence_that_lists_the_files(own_bench):
    recorded = own_bench.prepare("first").base
    template = own_bench.source("template")
    (template / "calc.py").write_text("other\n")
    (template / "extra").write_text("x")
    (template / ".gitignore").unlink()
    (template / "run.sh").chmod(0o644)
    text = refused(own_bench, error=Divergence, recorded=recorded)
    assert text == (
        f"{template}: the template is not the recorded one: .gitignore (gone), calc.py (changed), extra (added), "
        "run.sh (mode 100755 became 100644); undo the change, or record the issue again"
    )
    bare = dataclasses.replace(recorded, files={})
    text = refused(own_bench, error=Divergence, recorded=bare, room="other")
    assert "it was recorded without a list of its files, so which ones differ is not known" in text


def test_the_list_of_differing_files_is_bounded(own_bench):
    recorded = own_bench.prepare("first").base
    for number in range(30):
        (own_bench.source("template") / f"f{number:02}").write_text("x")
    text = refused(own_bench, error=Divergence, recorded=recorded)
    assert "f19 (added) and 10 more; undo" in text


def test_an_unchanged_template_is_accepted_on_replay(bench):
    recorded = bench.prepare("first").base
    assert bench.prepare("second", recorded=recorded).base == recorded


def test_a_template_has_no_revisions(bench):
    assert refused(bench, revision="v1") == (
        f"{bench.issue}: workspace: revision 'v1' needs a git repository, template is a plain folder; "
        "leave `revision` out, or name a repository"
    )


def test_another_kind_of_source_than_recorded_is_a_divergence(bench):
    recorded = bench.prepare("first").base
    folder = bench.source("repository")
    assert refused(bench, error=Divergence, path="repository", recorded=recorded) == (
        f"{folder}: the workspace was recorded on a template, this is a repository; "
        "put the source back as it was, or record the issue again"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_of_a_template_that_cannot_be_read_is_named(own_bench):
    path = own_bench.source("template") / "calc.py"
    path.chmod(0)
    assert refused(own_bench) == (
        f"{path}: a file of the template can't be read: Permission denied; "
        "make it readable, or take it out of the index"
    )


# --- repositories


def test_a_repository_is_cloned_at_head_without_what_is_not_committed(own_bench):
    source = own_bench.source("repository")
    (source / "calc.py").write_text("dirty")
    (source / "untracked").write_text("dirty")
    head = sh(source, "git rev-parse HEAD").strip()
    workspace = own_bench.prepare("first", "repository")
    assert workspace.base == Base(
        kind=BaseKind.REPOSITORY, commit=head, tree=sh(source, "git rev-parse HEAD^{tree}").strip(), branch="main"
    )
    assert (workspace.path / "calc.py").read_text() == FILES["calc.py"]
    assert not (workspace.path / "untracked").exists()
    assert sh(workspace.path, "git log --format='%s %D'") == "second HEAD -> main\nfirst tag: v1\n"


def test_a_repository_at_a_revision(bench):
    workspace = bench.prepare("first", "repository", revision="v1")
    assert sorted(files(workspace.path)) == ["old.txt"]


def test_without_a_path_it_is_the_repository_that_holds_the_issue(own_bench):
    make_repository(own_bench.issues.parent / "issues")
    workspace = own_bench.prepare("first", None)
    assert (workspace.path / "calc.py").exists()


def test_replay_starts_from_the_recorded_commit_wherever_head_is_now(own_bench):
    source = own_bench.source("repository")
    recorded = own_bench.prepare("first", "repository").base
    sh(source, "git checkout -q -b elsewhere; echo x > later; git add -A; git commit -qm later")
    workspace = own_bench.prepare("second", "repository", recorded=recorded)
    assert workspace.base == recorded
    assert sh(workspace.path, "git symbolic-ref HEAD") == "refs/heads/main\n"
    assert not (workspace.path / "later").exists()


def test_a_detached_head_stays_detached(own_bench):
    sh(own_bench.source("repository"), "git checkout -q --detach")
    workspace = own_bench.prepare("first", "repository")
    assert workspace.base.branch is None
    assert sh(workspace.path, "git symbolic-ref -q HEAD || echo detached") == "detached\n"


def test_a_shallow_clone_without_the_recorded_commit_is_told_what_to_do(own_bench):
    recorded = own_bench.prepare("first", "repository", revision="v1").base
    sh(own_bench.issues, 'git clone -q --depth 1 "file://$PWD/repository" shallow 2>/dev/null')
    shallow = own_bench.source("shallow")
    assert refused(own_bench, path="shallow", recorded=recorded) == (
        f"{shallow}: commit {recorded.commit} is not in this repository; the clone is shallow: get all history "
        "(actions/checkout: `fetch-depth: 0`, or `git fetch --unshallow`)"
    )


def test_a_shallow_clone_that_holds_the_commit_will_do(own_bench):
    recorded = own_bench.prepare("first", "repository").base
    sh(own_bench.issues, 'git clone -q --depth 1 "file://$PWD/repository" shallow 2>/dev/null')
    workspace = own_bench.prepare("second", "shallow", recorded=recorded)
    assert sh(workspace.path, "git log --format=%s; git fsck --no-progress --no-dangling") == "second\n"


def test_a_missing_commit_in_a_whole_clone_is_told_what_to_do(bench):
    recorded = Base(kind=BaseKind.REPOSITORY, commit="1" * 40, tree="2" * 40)
    folder = bench.source("repository")
    assert refused(bench, path="repository", recorded=recorded) == (
        f"{folder}: commit {'1' * 40} is not in this repository; fetch it (`git fetch --all --tags`), "
        "or correct `revision:`, or record the issue again"
    )
    assert "commit no-such-tag is not in this repository" in refused(bench, path="repository", revision="no-such-tag")


def test_a_repository_without_a_commit_is_refused(own_bench):
    sh(own_bench.issues, "git init -q blank")
    assert refused(own_bench, path="blank") == (
        f"{own_bench.source('blank')}: the repository has no commit yet; "
        "make one, or remove its .git to use it as a template"
    )


def test_a_folder_with_a_broken_git_is_refused(own_bench):
    (own_bench.source("template") / ".git").write_text("gitdir: /nowhere\n")
    text = refused(own_bench)
    assert text.startswith(f"{own_bench.source('template')}: not a usable git repository: ")
    assert text.endswith("; check it with `git status`")


def test_a_repository_with_other_ids_is_refused(own_bench):
    sh(own_bench.issues, "git init -q --object-format=sha256 wide")
    assert refused(own_bench, path="wide") == (
        f"{own_bench.source('wide')}: the repository's ids are sha256; only sha1 repositories can be workspaces"
    )


@pytest.mark.parametrize(
    "make", ["git clone -q --bare repository it", "git -C repository worktree add -q ../it --detach"]
)
def test_bare_repositories_and_worktrees_are_repositories_too(own_bench, make):
    sh(own_bench.issues, make + " 2>/dev/null")
    workspace = own_bench.prepare("first", "it")
    assert workspace.base.kind is BaseKind.REPOSITORY
    assert (workspace.path / "calc.py").read_text() == FILES["calc.py"]


def test_submodules_of_a_repository_are_empty_folders(own_bench):
    source = own_bench.source("repository")
    make_repository(source / "lib")
    sh(source, "git add lib 2>/dev/null; git commit -qm lib")
    first = own_bench.prepare("first", "repository")
    assert list((first.path / "lib").iterdir()) == []
    assert sh(first.path, "git status --porcelain") == ""
    (first.path / "lib" / "x").write_text("lost")
    snapshot = first.capture(1)
    assert (snapshot.work, snapshot.clean) == (first.base.commit, True)
    assert snapshot.kept_out == ("lib (nested repository)",)


def test_objects_borrowed_through_odd_path_names(tmp_path, own_bench):
    odd = tmp_path / '#sp äce "q"\nnew'
    shutil.move(own_bench.issues, odd)
    workspace = Bench(tmp_path, odd).prepare("first", "repository")
    sh(workspace.path, "git log; echo x >> calc.py; git commit -qam x; git fsck --no-progress")
    assert len(workspace.capture(1).ahead) == 1


# --- the place


def test_a_place_inside_a_git_tree_is_refused(own_bench):
    sh(own_bench.root, "git init -q outer; mkdir outer/deep")
    assert refused(own_bench, room="outer/deep") == (
        f"{own_bench.root / 'outer/deep'}: a workspace must lie outside of any git tree, "
        f"and {own_bench.root / 'outer'} is one; choose another temporary folder (TMPDIR, --basetemp)"
    )


def test_a_place_inside_the_source_is_refused(own_bench):
    place = own_bench.source("template") / "room"
    assert refused(own_bench, room=place) == (
        f"{place}: a workspace must lie outside of its source {place.parent}; "
        "choose another temporary folder (TMPDIR, --basetemp)"
    )


def test_a_place_can_be_used_once(bench):
    bench.prepare("room")
    place = bench.root / "room" / "workspace"
    assert refused(bench) == f"{place}: already there; every case needs a fresh folder"


def test_a_source_that_is_not_there_is_refused(bench):
    assert refused(bench, path="../none") == (
        f"{bench.issue}: workspace: ../none does not exist (looked for the folder {bench.issues.parent / 'none'}); "
        "the path is relative to the issue file"
    )
    assert "workspace: one.md is a file (looked for" in refused(bench, path="one.md")


def test_an_issue_outside_of_any_repository_must_name_its_source(bench):
    assert refused(bench, path=None) == (
        f"{bench.issue}: workspace: the file is in no git repository; name one, or a folder: `workspace: PATH`"
    )


def test_the_path_of_a_workspace_is_real(tmp_path, bench):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    workspace = bench.prepare("link/room")
    assert workspace.path == tmp_path / "real/room/workspace"
    (workspace.path / "x").write_text("x")
    assert workspace.capture(1).kept_out == ()


# --- nothing of the user's is written, nothing of the user's environment is read

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from workspace_bench import Bench, sh
bench = Bench(Path(sys.argv[1]), Path(sys.argv[2]))
first = bench.prepare("first", "repository")
(first.path / "calc.py").write_text("new\\n")
print(first.note_tree())
sh(first.path, "git add -A; GIT_AUTHOR_DATE='100000001 +0000' GIT_COMMITTER_DATE='100000001 +0000' git commit -qm work")
snapshot = first.capture(1)
first.clean()
second = bench.prepare("second", "repository", recorded=first.base)
second.load([snapshot])
second.switch(snapshot.work)
second.restore(snapshot)
print(second.capture(1).work, second.commit_naming("work"), (second.path / "calc.py").read_text())
"""


def test_the_users_repository_and_environment_stay_out_of_it(own_bench, tmp_path):
    source = own_bench.source("repository")
    marker = tmp_path / "executed"
    program = f"#!/bin/sh\necho $0 >> {marker}\nexit 1\n"
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        hook = source / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(program)
        hook.chmod(0o755)
    (tmp_path / "config").write_text(
        f"[core]\n\thooksPath = {source}/.git/hooks\n\tautocrlf = true\n[user]\n\tname = nobody\n"
    )
    before = digest(source)
    hostile = {
        "GIT_DIR": str(source / ".git"),
        "GIT_WORK_TREE": str(source),
        "GIT_INDEX_FILE": str(source / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "config"),
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
        "GIT_AUTHOR_DATE": "yesterday",
        "GIT_TRACE": str(marker),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(own_bench.issues), str(Path(__file__).parent)],
        env={**os.environ, **hostile},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    noted, result = done.stdout.split("\n", 1)
    assert len(noted) == 40
    work, named, text = result.split(" ", 2)
    assert work == named
    assert text == "new\n\n"
    assert digest(source) == before
    assert not marker.exists()
    assert not (tmp_path / "objects").exists()


def test_a_recording_with_every_git_command_leaves_the_source_byte_identical(own_bench):
    source = own_bench.source("repository")
    before = digest(source)
    workspace = own_bench.prepare("first", "repository")
    sh(
        workspace.path,
        "git checkout -qb agent-branch; echo x >> calc.py; git commit -qam x; git tag -a t -m t; git stash list; "
        "git gc -q --prune=now; git repack -adfq; git pack-refs --all; git worktree add -q ../w 2>/dev/null",
    )
    workspace.capture(1)
    assert digest(source) == before


def test_the_default_issue_value_is_understood(bench):
    workspace = prepare(WorkspaceSource(path="template"), issue_path=bench.issue, root=bench.root / "room")
    assert workspace.path == bench.root / "room" / "workspace"
