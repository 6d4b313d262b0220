"""Files of format 1 that may never change their meaning: each is read to the data that stands beside it.

A change of the format that makes one of these tests fail is another format. The files themselves are pinned, so that
none is renewed along with the code; a new feature of the format gets a new file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_mala.transport.cassette import read

GOLDEN = Path(__file__).parent / "golden"
PINNED = {
    "everything.json": "4eac7467b49858fd98999aa183c308c73f2ce86f4c4c5b8329a7c96858ced2e9",
    "everything.yaml": "c659364e3f733dbccd8e31d5f834c187d56aa4a77cdad87e5bb68b6075bafb51",
    "incomplete.json": "e27e4820a95a7f874e7d73b7d0a84156ca06c328d149fb3b0f11d9f1c6c37152",
    "incomplete.yaml": "5882e6f16de70d09e56109efec1f093a79398e61c11430d49a3a4bbd2882b0a9",
    "shared.json": "b101867d5835379eb9f24435f4c7d9706657a72f6da7bfc204fffeb03a0c3989",
    "shared.yaml": "ec6b3b6a639db4f7b9f7c68b03830f435a61046922b340e4523d6920b7e9e01f",
    "takes.json": "3f7ea38612387c5cef674f614a05a972dad2f694d40caebce1bd30fd99f69546",
    "takes.yaml": "646d14126de2e749bf23fde3b5cd037f3a2d8ed35b19c0988b31dde417856717",
}


@pytest.mark.parametrize("name", ["everything", "incomplete", "shared", "takes"])
def test_a_file_of_format_1_means_what_it_always_meant(name: str) -> None:
    found = asdict(read(GOLDEN / f"{name}.yaml", allow_incomplete=True))
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    found["takes"] = [as_golden(now, then) for now, then in zip(found["takes"], expected["takes"], strict=True)]
    assert exact(as_golden(found, expected)) == exact(expected)


def test_the_files_are_those_of_the_first_day() -> None:
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in GOLDEN.iterdir()} == PINNED


def as_golden(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Without fields that are younger than the file; in an old file they have nothing to say."""
    assert {key: value for key, value in found.items() if key not in expected and value is not None} == {}
    return {key: value for key, value in found.items() if key in expected}


def exact(data: Any) -> str:
    """As text, which tells 1 from true and from 1.0, and -0.0 from 0."""
    return json.dumps(data, sort_keys=True)
