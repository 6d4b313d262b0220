"""The git cases of design D8: whatever an agent leaves is put back exactly on replay, or named as not kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from workspace_bench import files, repository, sh

from pytest_mala.workspace import Snapshot

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """An agent's script; `named` must be in `kept_out`; files that match `lost` may be missing after replay."""

    name: str
    script: str
    named: tuple[str, ...] = ()
    lost: str = "$^"
    differs: tuple[str, ...] = ()
    path: str = "repository"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    clean: bool | None = None


COMMIT = "git add -A; git commit -qm work; "
EDIT = "echo more >> calc.py; "
RAW = "tree=$(git write-tree); head=$(git rev-parse HEAD); "

KEPT = [
    Case("nothing at all", "true", clean=True),
    Case("a file edited", EDIT, clean=False),
    Case("a file edited in a template", EDIT, path="template", clean=False),
    Case("an untracked file", "mkdir -p new/deep; echo x > new/deep/file", clean=False),
    Case("staged, then edited again", "echo a >> calc.py; git add calc.py; echo b >> calc.py", clean=False),
    Case("staged, then put back in the files", "echo a >> calc.py; git add calc.py; git show HEAD:calc.py > calc.py"),
    Case("everything staged, nothing on top", EDIT + "git add -A", clean=False),
    Case("deleted, staged and not", "rm calc.py; git rm -q sub/data.txt"),
    Case("untracked again, still there", "git rm -q --cached calc.py"),
    Case("a commit", EDIT + COMMIT, clean=True),
    Case("a commit in a template", EDIT + COMMIT, path="template", clean=True),
    Case(
        "two commits, one amended", EDIT + COMMIT + EDIT + COMMIT + EDIT + "git commit -qa --amend -m other", clean=True
    ),
    Case(
        "a merge", f"git checkout -qb side; {EDIT}{COMMIT}git checkout -q main; echo x > x; {COMMIT}git merge -q side"
    ),
    Case(
        "an octopus merge",
        f"for one in a b; do git checkout -qb $one main; echo $one > $one; {COMMIT}done; "
        f"git checkout -q main; echo c > c; {COMMIT}git merge -q a b",
    ),
    Case("an orphan branch", "git checkout -q --orphan alone; git rm -rfq .; echo a > a; " + COMMIT, clean=True),
    Case("a branch without a commit", "git checkout -q --orphan unborn; echo a > a", clean=False),
    Case("an empty branch without files", "git checkout -q --orphan unborn; git rm -rfq ."),
    Case("a new branch", "git checkout -qb feature/one; " + EDIT + COMMIT, clean=True),
    Case(
        "branches moved and deleted",
        f"git checkout -qb keep; {EDIT}{COMMIT}git branch -D -q main; git branch old HEAD~1",
    ),
    Case("back to an older commit", f"git reset -q --hard HEAD~1; echo z > z; {COMMIT}", clean=True),
    Case("a detached HEAD", "git checkout -q --detach; " + EDIT + COMMIT, clean=True),
    Case("a light tag", EDIT + COMMIT + "git tag v2; git tag old HEAD~1"),
    Case("an annotated tag", EDIT + COMMIT + "git tag -a v2 -m 'two\n\nlines'"),
    Case("a tag of a tag", "git tag -a inner -m inner; git tag -a outer -m outer inner 2>/dev/null"),
    Case("a tag of the base moved, one gone", "git tag -f v1 HEAD >/dev/null; git tag -d v1 >/dev/null; git tag v9"),
    Case("an empty commit", "git commit -q --allow-empty -m nothing", clean=True),
    Case(
        "a message in latin-1",
        EDIT
        + "git add -A; printf 'gr\\374n\\n' > .git/m; git -c i18n.commitEncoding=latin-1 commit -qF .git/m; rm .git/m",
    ),
    Case(
        "a message that is not UTF-8",
        RAW + "printf 'gr\\374n' | git commit-tree $tree -p $head > ../id; git reset -q $(cat ../id)",
    ),
    Case("a message without line end", RAW + "git reset -q $(printf 'no end' | git commit-tree $tree -p $head)"),
    Case("an empty message", RAW + "git reset -q $(git commit-tree $tree -p $head < /dev/null)"),
    Case("trailing blanks", EDIT + "printf 'a  \\n\\n\\n b \\n\\n' | git commit -qa --cleanup=verbatim -F -"),
    Case(
        "an odd time zone",
        EDIT + "GIT_AUTHOR_DATE='1000000000 -0330' GIT_COMMITTER_DATE='100000001 +1345' git commit -qam zone",
    ),
    Case(
        "an empty author name",
        RAW
        + "printf 'tree %s\\nparent %s\\nauthor  <a@b> 1 +0000\\ncommitter <> 2 -0000\\n\\nx\\n' $tree $head > .git/c; "
        "git reset -q $(git hash-object -t commit -w --literally .git/c); rm .git/c",
    ),
    Case(
        "a signed commit",
        RAW + "printf 'tree %s\\nparent %s\\nauthor A <a@b> 1 +0000\\ncommitter A <a@b> 1 +0000\\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\\n \\n abc\\n -----END PGP SIGNATURE-----\\n\\nsigned\\n' "
        "$tree $head > .git/c; "
        "git reset -q $(git hash-object -t commit -w .git/c); rm .git/c; " + EDIT + COMMIT,
    ),
    Case("packed away by gc", f"{EDIT}{COMMIT}git tag -a v2 -m v2; {EDIT}{COMMIT}git gc -q --prune=now"),
    Case("renamed", "git mv calc.py sub/moved.py; mv run.sh run"),
    Case("a link", "ln -s calc.py link; ln -s nowhere broken; ln -s sub folder; " + COMMIT),
    Case("an absolute link", "ln -s /etc/hostname link"),
    Case("the exec bit", "chmod +x calc.py; chmod -x run.sh; git add run.sh"),
    Case(
        "a name that is not UTF-8",
        "echo x > \"$(printf 'gr\\374n')\"; " + COMMIT + "echo y >> \"$(printf 'gr\\374n')\"",
    ),
    Case("a line end in a name", "echo x > \"$(printf 'a\\nb')\"; echo x > 'q\"uo\\te\t'; " + COMMIT),
    Case(
        "bytes",
        "head -c 5000 /dev/urandom > random; printf 'a\\0b\\r\\n' > nul; printf '\\357\\273\\277x' > bom; " + COMMIT,
    ),
    Case(
        "CRLF under attributes",
        "printf 'a\\r\\nb\\n' > t.txt; echo '*.txt text eol=crlf' > .gitattributes; " + COMMIT,
        clean=True,
    ),
    Case("CRLF under autocrlf", "git -c core.autocrlf=true checkout -q HEAD -- .; printf 'a\\r\\n' > t.txt; " + COMMIT),
    Case("a file of 10 MB", "head -c 10000000 /dev/urandom > big; " + COMMIT, clean=True),
    Case("an empty file", ": > empty; " + COMMIT + ": > calc.py"),
    Case("a file becomes a folder", "rm calc.py; mkdir calc.py; echo x > calc.py/__init__"),
    Case("a folder becomes a file", "rm -r sub; echo x > sub; " + COMMIT),
    Case("a folder becomes a link", "mkdir other; mv sub/data.txt other; rmdir sub; ln -s other sub"),
    Case("all files deleted", "git rm -rfq ."),
    Case("an ignored file that is included", "echo s > .env", include=(".env",), clean=True),
    Case(
        "an ignored folder, partly included",
        "mkdir -p build/a; echo s > build/a/x.out",
        include=("build/**/*.out",),
        named=("build/ (ignored)",),
    ),
    Case("a folder that has a .git of its own taken away", "git init -q in; echo x > in/f; rm -rf in/.git"),
    Case("in a linked file name of git", "echo x > .gitmodules; mkdir .github; echo y > .github/w.yml; " + COMMIT),
    Case("no index at all", "rm .git/index", clean=False),
    Case("a branch that stands for another", EDIT + COMMIT + "git symbolic-ref refs/heads/alias refs/heads/main"),
    Case(
        "an encoding that nobody knows",
        EDIT + "git -c i18n.commitEncoding=no-such-one commit -qam 'one' 2>/dev/null",
    ),
    Case(
        "a tag without a tagger",
        "printf 'object %s\\ntype commit\\ntag t\\n\\nold\\n' $(git rev-parse HEAD) > .git/c; "
        "git update-ref refs/tags/t $(git hash-object -t tag -w --literally .git/c); rm .git/c",
    ),
]

NAMED = [
    Case(
        "ignored files",
        "mkdir build; echo x > build/a; echo s > .env",
        ("build/ (ignored)", ".env (ignored)"),
        "build|.env",
    ),
    Case("its own exclude file", "echo secret > .git/info/exclude; echo x > secret", ("secret (ignored)",), "secret"),
    Case("a nested repository", "git init -q in; echo x > in/f", ("in/ (nested repository)",), "in/", ("status",)),
    Case(
        "a nested repository with commits",
        "git init -q in; echo x > in/f; cd in; git config user.name a; git config user.email b; " + COMMIT,
        ("in/ (nested repository)",),
        "in/",
        ("status",),
    ),
    Case(
        "a nested repository that was committed",
        "git init -q in; cd in; git config user.name a; git config user.email b; echo x > f; "
        + COMMIT
        + "cd ..; git add -A 2>/dev/null; git commit -qm outer",
        ("in (nested repository)",),
        "in/",
        clean=True,
    ),
    Case("a repository made in a tracked folder", "git init -q sub", ("sub/.git (nested repository)",)),
    Case(
        "an empty folder", "mkdir -p empty/inner sub/void", ("empty/inner/ (empty folder)", "sub/void/ (empty folder)")
    ),
    Case("a pipe", "mkfifo pipe", ("pipe (pipe, socket or device)",)),
    Case(".git removed", EDIT + "rm -rf .git", (".git (removed or made unreadable",), differs=("all",)),
    Case(
        ".git made anew",
        f"{EDIT}rm -rf .git; git init -q -b main; git config user.name n; git config user.email e; {COMMIT}",
        (".git/config (git configuration)", ".git/hooks"),
        differs=("log", "refs"),
    ),
    Case("HEAD removed", EDIT + "rm .git/HEAD", (".git (removed or made unreadable",), differs=("all",)),
    Case("HEAD overwritten", EDIT + "echo junk > .git/HEAD", (".git (removed or made unreadable",), differs=("all",)),
    Case(
        "a branch that is broken",
        "git branch x; echo junk > .git/refs/heads/x",
        ("refs/heads/x (ref)",),
        differs=("refs", "log", "fsck"),
    ),
    Case(
        ".git is a link", "mv .git ../else; ln -s ../else .git", (".git (removed or made unreadable",), differs=("all",)
    ),
    Case(
        "an unmerged index",
        f"git checkout -qb side; echo s >> calc.py; {COMMIT}git checkout -q main; echo m >> calc.py; {COMMIT}"
        "git merge -q side >/dev/null || true",
        ("calc.py (unmerged)", ".git/MERGE_HEAD"),
        differs=("index", "status", "phantom"),
        clean=False,
    ),
    Case("a lock left behind", EDIT + "git add -A; : > .git/index.lock", (".git/index.lock",)),
    Case(
        "a broken index",
        "echo junk > .git/index",
        (".git/index (unreadable",),
        differs=("index", "status", "fsck", "phantom"),
    ),
    Case(
        "intent to add",
        "echo x > new; git add -N new",
        ("new (intent-to-add mark)",),
        differs=("index", "status", "phantom"),
    ),
    Case(
        "edited under assume-unchanged",
        "git update-index --assume-unchanged calc.py; " + EDIT,
        ("calc.py (assume-unchanged mark)",),
        differs=("status", "phantom"),
    ),
    Case(
        "edited under skip-worktree",
        "git update-index --skip-worktree calc.py; " + EDIT,
        ("calc.py (skip-worktree mark)",),
        differs=("status", "phantom"),
    ),
    Case("a stash", EDIT + "git stash -q", ("refs/stash (ref)",), differs=("log",)),
    Case("notes", "git notes add -m note", ("refs/notes/commits (ref)",), differs=("log",)),
    Case("a hook", "mkdir -p .git/hooks; echo exit 1 > .git/hooks/pre-commit", (".git/hooks",)),
    Case("its own configuration", "git config alias.x y", (".git/config (git configuration)",)),
    Case("a worktree", "git worktree add -q ../else 2>/dev/null", (".git/worktrees",)),
    Case(
        "an excluded file",
        "echo s > secret.txt; echo t >> calc.py",
        ("secret.txt (excluded)",),
        "secret",
        ("status",),
        exclude=("*.txt",),
    ),
    Case("a file of 17 MB", "truncate -s 17000000 big", ("big (larger than 16.8 MB)",), "big", ("status",)),
    Case(
        "a tag of a blob",
        "git tag blob $(git hash-object -w calc.py)",
        ("refs/tags/blob (a tag of neither commit",),
        differs=("refs", "log"),
    ),
    Case(
        "a branch whose name is not UTF-8",
        "git branch \"$(printf 'gr\\374n')\"",
        (r"refs/heads/gr\udcfcn (ref)",),
        differs=("refs",),
    ),
    Case(
        "on a branch whose name is not UTF-8",
        "git checkout -qb \"$(printf 'gr\\374n')\"; " + EDIT + COMMIT,
        (r"refs/heads/gr\udcfcn (ref)",),
        differs=("head", "refs", "log"),
    ),
    Case("no configuration", "rm .git/config", (".git/config (git configuration)",)),
    Case(
        "many ignored files",
        "for i in $(seq 100 130); do : > $i.log; done",
        ("119.log (ignored)", "11 more (ignored)"),
        ".*log",
    ),
]


def replayed(bench, case: Case, snapshot: Snapshot, base) -> Path:
    """A second workspace, from the same source, at the state of a snapshot that went through JSON."""
    again = Snapshot.from_data(json.loads(json.dumps(snapshot.to_data())))
    assert again == snapshot
    second = bench.prepare("second", case.path, recorded=base, include=case.include, exclude=case.exclude)
    second.load([again])
    second.restore(again)
    return second


@pytest.mark.parametrize("case", [*KEPT, *NAMED], ids=lambda case: case.name.replace(" ", "-"))
def test_what_an_agent_leaves_is_kept_or_named(bench, case):
    first = bench.prepare("first", case.path, include=case.include, exclude=case.exclude)
    sh(first.path, case.script)
    before = repository(first.path) if case.differs != ("all",) else {}

    snapshot = first.capture(1)

    for text in case.named:
        assert any(one.startswith(text) for one in snapshot.kept_out), snapshot.kept_out
    if not case.named:
        assert snapshot.kept_out == ()
    if case.clean is not None:
        assert snapshot.clean is case.clean
    if before and not case.differs:
        assert snapshot.clean is (before["status"] == "") or case.include
    second = replayed(bench, case, snapshot, first.base)
    there = {name: one for name, one in files(first.path).items() if not re.match(case.lost, name)}
    assert files(second.path) == there
    after = repository(second.path)
    for name in before:
        if name not in case.differs:
            assert after[name] == before[name], name
    again = second.capture(1)
    assert (again.head, again.branch, again.index, again.work) == (
        snapshot.head,
        snapshot.branch,
        snapshot.index,
        snapshot.work,
    )
    assert again.refs == snapshot.refs
    assert again.ahead == snapshot.ahead
    assert first.note_tree() is None, "a capture leaves our index warm"
