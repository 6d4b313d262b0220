"""Sealing: a change by hand is accepted knowingly, and marked; nothing else gets through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cassette_examples import resealed

from pytest_mala.errors import CassetteError, CassetteMissingError
from pytest_mala.transport.cassette import Cassette, dump, read, seal, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_edit_is_refused_until_it_is_sealed(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "my cassette.yaml"
    write(path, small)
    path.write_text(path.read_text().replace("return a + b", "return a - b"))
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}:60: the text does not match its digest, it was edited by hand; look at the change, "
        f"then accept it with `pytest-mala cassette seal '{path}'`"
    )
    assert seal(path) is True
    sealed = read(path)
    assert sealed.edited
    assert "return a - b" in sealed.takes[0].interactions[2].response["commits"][0]["changes"][0]["text"]
    assert replace(sealed, edited=False, takes=()) == replace(small, takes=())


def test_sealing_again_changes_nothing(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    recorded_bytes = path.read_bytes()
    assert seal(path) is False
    assert path.read_bytes() == recorded_bytes
    path.write_text(path.read_text().replace("Done.", "Did it."))
    seal(path)
    sealed_bytes = path.read_bytes()
    assert seal(path) is False
    assert path.read_bytes() == sealed_bytes


def test_sealing_puts_the_file_into_canonical_form(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    text = path.read_text()
    path.write_text(
        text.replace("  takes: [{take: 1, ", "  # a comment\n  takes:\n    - {take: 1,   ").replace('Z"}]', 'Z"}')
    )
    seal(path)
    assert read(path) == replace(small, edited=True)
    assert path.read_text() == dump(replace(small, edited=True))


def test_a_lost_digest_is_put_back_by_sealing(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    path.write_text(path.read_text().rpartition("# sha256:")[0] + "...\n")
    seal(path)
    assert read(path) == replace(small, edited=True)


def test_a_recording_that_was_cut_short_stays_incomplete(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, replace(small, complete=False))
    path.write_text(path.read_text().replace("Done.", "Did it."))
    seal(path)
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}:10: the recording was cut short (complete: false); record it again, "
        "or replay it with --mala-allow-incomplete"
    )
    assert read(path, allow_incomplete=True).edited


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("...\n", ""),
            "the end mark `...` is missing: the file is truncated, or pytest-mala did not write it",
        ),
        (lambda text: text.replace("  lane: scripted\n", ""), "mala: missing key 'lane'"),
        (
            lambda text: text.replace("body:", "bodi:", 1),
            "interactions[0].request.bodi: unknown key; known here are method, uri, body, headers",
        ),
    ],
)
def test_sealing_refuses_what_could_not_be_read(
    tmp_path: Path, small: Cassette, change: Callable[[str], str], message: str
) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    broken = change(path.read_text())
    path.write_text(broken)
    with pytest.raises(CassetteError) as caught:
        seal(path)
    assert caught.value.what == message
    assert path.read_text() == broken


def test_sealing_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissingError) as caught:
        seal(tmp_path / "x.yaml")
    assert str(caught.value) == f"{tmp_path / 'x.yaml'}: there is no cassette"


def test_who_computes_the_digest_himself_is_believed(tmp_path: Path, small: Cassette) -> None:
    (tmp_path / "x.yaml").write_text(resealed(dump(small).replace("Done.", "Did it.")))
    assert not read(tmp_path / "x.yaml").edited
