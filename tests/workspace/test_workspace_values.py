"""Snapshots as JSON: round trips, and what is refused when a cassette is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from pytest_mala.workspace import Change, Commit, CommitSummary, Snapshot, Tag

IDS = st.text("0123456789abcdef", min_size=40, max_size=40)
TEXTS = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape")) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)
CHANGES = st.one_of(
    st.builds(Change, path=TEXTS, mode=st.none()),
    st.builds(Change, path=TEXTS, mode=st.sampled_from(["100644", "100755", "120000"]), content=st.binary(max_size=30)),
    st.builds(Change, path=TEXTS, mode=st.just("100644"), as_in=IDS, as_path=st.none() | TEXTS),
)
COMMITS = st.builds(
    Commit,
    id=IDS,
    parents=st.lists(IDS, max_size=3).map(tuple),
    author=TEXTS,
    committer=TEXTS,
    message=TEXTS,
    headers=TEXTS,
    changes=st.lists(CHANGES, max_size=3).map(tuple),
)
TAGS = st.builds(Tag, id=IDS, object=IDS, kind=st.just("commit"), name=TEXTS, tagger=st.none() | TEXTS, message=TEXTS)
SNAPSHOTS = st.builds(
    Snapshot,
    turn=st.integers(0, 99),
    head=st.none() | IDS,
    branch=st.none() | st.just("main"),
    index=IDS,
    work=IDS,
    clean=st.booleans(),
    commits=st.lists(COMMITS, max_size=2).map(tuple),
    tags=st.lists(TAGS, max_size=2).map(tuple),
    refs=st.dictionaries(st.just("refs/tags/x"), st.none() | IDS),
    ahead=st.lists(
        st.builds(CommitSummary, id=IDS, message=st.text(st.characters(exclude_categories=["Cs"]))), max_size=2
    ).map(tuple),
    kept_out=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=2).map(tuple),
)


@given(SNAPSHOTS)
def test_a_snapshot_survives_json_in_utf8(snapshot):
    text = json.dumps(snapshot.to_data(), ensure_ascii=False).encode("utf-8")
    assert Snapshot.from_data(json.loads(text)) == snapshot


A, B = "a" * 40, "b" * 40


def test_readable_things_are_text_and_others_base64():
    commit = Commit(
        id=A,
        parents=(),
        author="A <a@b> 1 +0000",
        committer="A <a@b> 1 +0000",
        message="gr\udcfcn",
        changes=(
            Change(path="a\nb", mode="100644", content=b"text\r\n\ttab \xc3\xa4\n"),
            Change(path="\udcfc", mode="120000", content=b"\xfc"),
            Change(path="gone", mode=None),
            Change(path="nul", mode="100755", content=b"\0"),
            Change(path="bom", mode="100644", content=b"\xef\xbb\xbfx"),
            Change(path="same", mode="100644", as_in=B),
        ),
    )
    snapshot = Snapshot(turn=1, head=A, branch=None, index=A, work=A, clean=True, commits=(commit,))
    assert snapshot.to_data() == {
        "turn": 1,
        "head": A,
        "branch": None,
        "index": A,
        "work": A,
        "clean": True,
        "refs": {},
        "commits": [
            {
                "id": A,
                "parents": [],
                "author": "A <a@b> 1 +0000",
                "message64": "Z3L8bg==",
                "changes": [
                    {"path64": "YQpi", "mode": "100644", "text": "text\r\n\ttab ä\n"},
                    {"path64": "/A==", "mode": "120000", "base64": "/A=="},
                    {"path": "gone", "deleted": True},
                    {"path": "nul", "mode": "100755", "base64": "AA=="},
                    {"path": "bom", "mode": "100644", "base64": "77u/eA=="},
                    {"path": "same", "mode": "100644", "as_in": B},
                ],
            }
        ],
    }


GOOD = {"turn": 1, "head": A, "branch": "main", "index": A, "work": A, "clean": True, "refs": {}}
COMMIT = {"id": A, "parents": [], "author": "x", "message": "m"}


def with_commit(**changes):
    return {**GOOD, "commits": [{**COMMIT, **changes}]}


def with_change(**fields):
    return with_commit(changes=[fields])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "tree: expected a mapping, got list"),
        ({}, "tree: 'turn' is missing"),
        ({**GOOD, "turn": "1"}, "tree.turn: expected int, got '1'"),
        ({**GOOD, "turn": True}, "tree.turn: expected int, got True"),
        ({**GOOD, "clean": 1}, "tree.clean: expected bool, got 1"),
        ({**GOOD, "branch": 3}, "tree.branch: expected str or null, got 3"),
        ({**GOOD, "head": "abc"}, "tree.head: expected the 40 hexadecimal digits of an id, got 'abc'"),
        ({**GOOD, "refs": {"r": "x"}}, "tree.refs[r]: expected the 40 hexadecimal digits of an id, got 'x'"),
        ({**GOOD, "kept_out": [1]}, "tree.kept_out: expected texts, got 1"),
        (
            {**GOOD, "extra": 1},
            "tree: unknown key 'extra' (known here: turn, head, branch, index, work, clean, refs, "
            "ahead, commits, tags, kept_out)",
        ),
        ({**GOOD, "commits": [1]}, "tree.commits[0]: expected a mapping, got int"),
        (with_commit(parents=["x"]), "tree.commits[0].parents: expected the 40 hexadecimal digits of an id, got 'x'"),
        (
            with_commit(extra=1),
            "tree.commits[0]: unknown key 'extra' (known here: "
            "author, id, parents, committer, headers, message, changes)",
        ),
        (
            with_change(path="x", mode="644", text=""),
            "tree.commits[0].changes[0].mode: expected one of 100644, 100755, 120000, 160000, got '644'",
        ),
        (with_change(path="x", mode="100644"), "tree.commits[0].changes[0]: 'text' is missing"),
        (with_change(path="x", deleted=False), "tree.commits[0].changes[0].deleted: expected true or no such key"),
        (
            with_change(path="x", mode="100644", base64="?"),
            "tree.commits[0].changes[0].base64: expected base64: Only base64 data is allowed",
        ),
        (
            with_change(path="x", mode="100644", text="", base64=""),
            "tree.commits[0].changes[0]: unknown key 'text' (known here: path, mode, base64)",
        ),
    ],
)
def test_what_we_would_not_write_is_refused(data, text):
    with pytest.raises(ValueError, match="tree") as caught:
        Snapshot.from_data(data)
    assert str(caught.value) == text
