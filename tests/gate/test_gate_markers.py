"""Resolution markers: what counts as the agent's word, and what only looks like it."""

from __future__ import annotations

import json

import pytest

from pytest_mala.gate.markers import find_marker, marker_in_log
from pytest_mala.session.models import IssueResolution, ResolutionOutcome

NO_CHANGE = ResolutionOutcome.NO_CHANGE


@pytest.mark.parametrize(
    ("text", "outcome", "rationale"),
    [
        ("ISSUE_NO_CHANGE: it is right", "no_change", "it is right"),
        ("ISSUE_OBSOLETE: add() is gone", "obsolete", "add() is gone"),
        ("ISSUE_ALREADY_COMPLETE: done in 1a2b3c4", "already_complete", "done in 1a2b3c4"),
        ("I looked.\n\n  ISSUE_NO_CHANGE:   why: because  \nBye.", "no_change", "why: because"),
        ("**ISSUE_NO_CHANGE**: why", "no_change", "why"),
        ("**ISSUE_NO_CHANGE:** why", "no_change", "why"),
        ("**ISSUE_NO_CHANGE: why**", "no_change", "why"),
        ("_ISSUE_NO_CHANGE_: why", "no_change", "why"),
        ("ISSUE_NO_CHANGE: why\r\n", "no_change", "why"),
        ("ISSUE_NO_CHANGE: see <https://example.org> for why", "no_change", "see <https://example.org> for why"),
        ("```\ncode\n```\nISSUE_NO_CHANGE: why", "no_change", "why"),
        ("~~~\n```\n~~~\nISSUE_NO_CHANGE: why", "no_change", "why"),
        ("ISSUE_NO_CHANGE:", "no_change", ""),
        ("ISSUE_NO_CHANGE:   \nthe next line is no rationale", "no_change", ""),
    ],
)
def test_a_marker_on_a_line_of_its_own_counts(text, outcome, rationale):
    assert find_marker([text]) == IssueResolution(ResolutionOutcome(outcome), rationale)


@pytest.mark.parametrize(
    "text",
    [
        "ISSUE_NO_CHANGE: <rationale>",
        "ISSUE_NO_CHANGE: {rationale}",
        "ISSUE_NO_CHANGE: [why]",
        "ISSUE_NO_CHANGE: ...",
        "I could answer ISSUE_NO_CHANGE: why",
        "xISSUE_NO_CHANGE: why",
        "issue_no_change: why",
        "ISSUE_NO_CHANGE why",
        "ISSUE_NO_CHANGED: why",
        "`ISSUE_NO_CHANGE: why`",
        "> ISSUE_NO_CHANGE: why",
        '"ISSUE_NO_CHANGE: why"',
        "- ISSUE_NO_CHANGE: why",
        "```\nISSUE_NO_CHANGE: why\n```",
        "  ```text\n  ISSUE_NO_CHANGE: why",
        "````\n```\nISSUE_NO_CHANGE: why\n````",
        "~~~\nISSUE_NO_CHANGE: why\n```",
        "```\nx\n``` not a fence's end\nISSUE_NO_CHANGE: why\n```",
        "",
    ],
)
def test_what_is_quoted_or_mentioned_does_not(text):
    assert find_marker([text]) is None


def test_the_last_marker_is_the_agents_final_word():
    texts = ["ISSUE_NO_CHANGE: one\nISSUE_OBSOLETE: two", "ISSUE_ALREADY_COMPLETE: three", "bye"]
    assert find_marker(texts) == IssueResolution(ResolutionOutcome.ALREADY_COMPLETE, "three")
    assert find_marker([*texts, "ISSUE_NO_CHANGE: <rationale>"]) == find_marker(texts)
    assert find_marker([*texts, "ISSUE_NO_CHANGE:"]) == IssueResolution(NO_CHANGE, "")


def test_a_fence_does_not_reach_into_the_next_text():
    assert find_marker(["```", "ISSUE_NO_CHANGE: why"]) == IssueResolution(NO_CHANGE, "why")


def entry(role, text, **more):
    message = {"role": role, "content": [{"type": "text", "text": text}]}
    return json.dumps({"type": role, "message": message} | more).encode() + b"\n"


def test_only_the_agents_own_words_at_or_after_the_offset_count(tmp_path):
    path = tmp_path / "log.jsonl"
    old = entry("assistant", "ISSUE_OBSOLETE: old")
    thought = {"type": "thinking", "thinking": "ISSUE_OBSOLETE: thought"}
    path.write_bytes(
        old
        + entry("user", "ISSUE_OBSOLETE: prompt")
        + entry("assistant", "ISSUE_OBSOLETE: sub-agent", isSidechain=True)
        + json.dumps({"type": "assistant", "message": {"content": [thought]}}).encode()
        + b"\n[]\n"
    )
    assert marker_in_log(path) == IssueResolution(ResolutionOutcome.OBSOLETE, "old")
    assert marker_in_log(path, len(old)) is None
    path.write_bytes(path.read_bytes() + entry("assistant", "ISSUE_NO_CHANGE: new"))
    assert marker_in_log(path, len(old)) == IssueResolution(NO_CHANGE, "new")
    assert marker_in_log(tmp_path / "none.jsonl") is None
