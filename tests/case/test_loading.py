"""A take that was kept from an earlier run is the take that the file holds; anything else is read from the file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_mala.case.loading import LoadedTake, load_take
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import read, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sample with a text in it that makes it large enough to be kept."""
    sample = read(ROOT / "cassettes" / "calc-3.yaml")
    (take,) = sample.takes
    at = next(index for index, one in enumerate(take.interactions) if one.method == "QUERY")
    said = {
        "role": "assistant",
        "id": "m",
        "model": "m",
        "content": [{"type": "text", "text": "word ${HOME}\n" * 15_000}],
    }
    item = {"cli": {"type": "assistant", "message": said, "session_id": "s"}}
    query = take.interactions[at]
    response = {**query.response, "frames": [item, *query.response["frames"]], "ms": [0, *query.response["ms"]]}
    longer = dataclasses.replace(query, response=response)
    interactions = (*take.interactions[:at], longer, *take.interactions[at + 1 :])
    made = tmp_path / "calc-3.yaml"
    write(made, dataclasses.replace(sample, takes=(dataclasses.replace(take, interactions=interactions),)))
    return made


def loaded(path: Path, **more: Any) -> LoadedTake:
    given = {"take": 1, "allow_incomplete": False, "keeps_ignored": False, "kept_in": path.parent / "kept", **more}
    return load_take(path, "calc-3", **given)


def entry_of(path: Path) -> Path:
    (entry,) = (path.parent / "kept").iterdir()
    return entry


def exact(take: LoadedTake) -> str:
    """As text, without the cassette that only one read from the file has."""
    return json.dumps(dataclasses.asdict(dataclasses.replace(take, cassette=None)), sort_keys=True, default=str)


def test_what_was_kept_is_what_is_read(path: Path) -> None:
    cold, warm, without = loaded(path), loaded(path), loaded(path, kept_in=None)
    assert entry_of(path).is_file()
    assert exact(cold) == exact(warm) == exact(without)
    assert (
        warm.recorded.script.connections[0].steps[0]._fields == without.recorded.script.connections[0].steps[0]._fields
    )


def test_the_second_time_it_is_the_entry_that_is_read(path: Path) -> None:
    loaded(path)
    entry = entry_of(path)
    payload = entry.read_bytes()[32:].replace(b"FAILED COMPLETE_FAILURE", b"FAILED OTHERWISE")
    entry.write_bytes(hashlib.sha256(payload).digest() + payload)
    assert loaded(path).recorded.script.decisions[-1] == "FAILED OTHERWISE"


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b'{"head": [], "script": {}}', b'{"head": [1,2,3,4,5], "script": 7}', b"null"]
)
def test_an_entry_that_says_nothing_is_none(path: Path, payload: bytes) -> None:
    cold = loaded(path)
    entry_of(path).write_bytes(hashlib.sha256(payload).digest() + payload)
    assert exact(loaded(path)) == exact(cold)


def test_an_edited_cassette_is_refused_though_it_was_kept(path: Path) -> None:
    loaded(path)
    path.write_text(path.read_text().replace("word", "Word", 1))
    with pytest.raises(CassetteError) as caught:
        loaded(path)
    assert "the text does not match its digest, it was edited by hand" in str(caught.value)


def test_what_was_kept_of_an_incomplete_recording_is_still_refused(path: Path) -> None:
    write(path, dataclasses.replace(read(path), complete=False))
    assert not loaded(path, allow_incomplete=True).is_complete
    assert not loaded(path, allow_incomplete=True).is_complete
    with pytest.raises(CassetteError) as caught:
        loaded(path)
    assert "the recording was cut short (complete: false)" in str(caught.value)


def test_a_kept_cassette_of_another_issue_is_refused(path: Path) -> None:
    loaded(path)
    with pytest.raises(CassetteError) as caught:
        load_take(path, "calc-9", take=1, allow_incomplete=False, keeps_ignored=False, kept_in=path.parent / "kept")
    assert str(caught.value) == f"{path}: expected a cassette of issue 'calc-9', got 'calc-3'"
