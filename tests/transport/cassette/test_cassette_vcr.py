"""What we rely on in vcrpy, which moves quickly; and that stock vcrpy opens every cassette of ours."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import vcr
from cassette_examples import cassette, interaction, recorded, take
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.patch import PATCHER_NAMES
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.request import Request

from pytest_mala.transport.cassette import Cassette, write

if TYPE_CHECKING:
    from pathlib import Path


def query(number: int = 1) -> Request:
    return Request("QUERY", f"claude-sdk://calc-1/1/1/query/{number}", "please do it", {})


def opened(path: Path, mode: str = "none", **options: Any) -> Any:
    return vcr.VCR(record_mode=mode).use_cassette(str(path), skip_patchers=PATCHER_NAMES, **options)


def test_stock_vcrpy_opens_a_cassette(tmp_path: Path, small: Cassette) -> None:
    for number, one in enumerate((small, recorded("one"))):
        path = tmp_path / f"{number}.yaml"
        write(path, one)
        expected = one.takes[0].interactions
        with vcr.VCR(record_mode="none").use_cassette(str(path)) as played:
            assert [(request.method, request.uri) for request in played.requests] == [
                (each.method, each.uri) for each in expected
            ]
            assert [request.body.decode() for request in played.requests] == [each.body for each in expected]
            assert [response.get("ms") for response in played.responses] == [
                each.response.get("ms") for each in expected
            ]
            assert played.can_play_response_for(played.requests[1])
            assert played.play_response(played.requests[1]) == played.responses[1]


def test_stock_vcrpy_does_not_change_the_file(tmp_path: Path, small: Cassette) -> None:
    path = tmp_path / "x.yaml"
    write(path, small)
    before = path.read_bytes()
    with opened(path, "once") as played, pytest.raises(CannotOverwriteExistingCassetteException):
        raise CannotOverwriteExistingCassetteException(cassette=played, failed_request=query(9))
    assert path.read_bytes() == before


def test_headers_come_through_stock_vcrpy(tmp_path: Path) -> None:
    connect = interaction("CONNECT", "1/1")
    connect.headers["purpose"] = "gate retry"
    write(tmp_path / "x.yaml", cassette(take(1, connect)))
    with opened(tmp_path / "x.yaml") as played:
        assert dict(played.requests[0].headers) == {"purpose": "gate retry"}


def test_a_request_and_a_response_with_keys_of_our_own_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    response = {"frames": [{"cli": {"type": "x"}}], "ms": [3], "runner": [{"state": "a"}]}
    with opened(path, "once") as recording:
        recording.append(query(), response)
    with opened(path) as played:
        assert played.requests[0].uri == query().uri
        assert played.requests[0].body == b"please do it"
        assert played.play_response(query()) == response
        assert played.all_played


def test_all_patching_can_be_switched_off() -> None:
    assert "httpx" in PATCHER_NAMES


class Lazy:
    """A response that is read when it is asked for; vcrpy must not copy it."""

    def __deepcopy__(self, memo: object) -> Lazy:
        return self


class Persister:
    """Gives what it was made with, and keeps what it is asked to save."""

    def __init__(self, *interactions: tuple[Request, Any]) -> None:
        self.interactions = interactions
        self.saved: Any = None

    def load_cassette(self, path: str, serializer: object) -> tuple[list[Request], list[Any]]:
        if not self.interactions:
            raise CassetteNotFoundError
        return [request for request, _ in self.interactions], [response for _, response in self.interactions]

    def save_cassette(self, path: str, data: dict[str, Any], serializer: object) -> None:
        self.saved = data


def test_a_persister_gives_requests_and_responses(tmp_path: Path) -> None:
    lazy = Lazy()
    with opened(tmp_path / "x.yaml", persister=Persister((query(), lazy))) as played:
        assert played.responses[0] is lazy
        assert played.play_response(query()) is lazy


def test_an_appended_response_is_kept_by_identity(tmp_path: Path) -> None:
    lazy, persister = Lazy(), Persister()
    with opened(tmp_path / "x.yaml", "all", persister=persister) as recording:
        recording.append(query(), lazy)
        assert recording.responses[0] is lazy
    assert persister.saved["responses"][0] is lazy
    assert [request.uri for request in persister.saved["requests"]] == [query().uri]
    assert copy.deepcopy(lazy) is lazy


def test_the_error_has_the_facts_that_a_divergence_is_made_from(tmp_path: Path, small: Cassette) -> None:
    write(tmp_path / "x.yaml", small)
    with opened(tmp_path / "x.yaml") as played:
        error = CannotOverwriteExistingCassetteException(cassette=played, failed_request=query(7))
    assert error.cassette is played
    assert error.failed_request.uri == query(7).uri
    assert error.reason == "no_match"
    assert error.similar_requests[0][0].method == "QUERY"


@pytest.mark.parametrize(
    ("mode", "has_file", "plays", "records"),
    [
        ("once", False, False, True),
        ("none", False, False, False),
        ("all", False, False, True),
        ("once", True, True, False),
        ("none", True, True, False),
        ("all", True, False, True),
    ],
)
def test_the_record_modes_are_what_we_build_on(
    tmp_path: Path,
    mode: str,
    has_file: bool,
    plays: bool,
    records: bool,
) -> None:
    path = tmp_path / "x.yaml"
    if has_file:
        with opened(path, "once") as recording:
            recording.append(query(), {"ms": []})
    with opened(path, mode, record_on_exception=False) as played:
        assert bool(played.can_play_response_for(query())) is plays
        assert (not played.write_protected) is records
