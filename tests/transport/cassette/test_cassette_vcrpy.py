"""Sessions through vcrpy's own machinery: the record modes as a table, and VCRs of users."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import vcr
from cassette_examples import cassette, interaction, recorded, take
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.patch import PATCHER_NAMES
from vcr.request import Request

import pytest_mala
from pytest_mala.errors import CassetteError, CassetteMissingError, UsageError
from pytest_mala.transport.cassette import Cassette, dump, read, write
from pytest_mala.transport.cassette.frames import Frames
from pytest_mala.transport.cassette.vcrpy import MATCH_ON, mala_prompt, mala_uri, register_with_vcr, store, use_cassette

ROOT = Path(__file__).parents[3]
DAMAGED = {"empty": "", "no cassette": "version: 1\ninteractions: [\n", "of another format": "mala: {format: 9}\n...\n"}


def query(number: int = 1, text: str = "please do it", *, host: str = "calc-1") -> Request:
    return Request("QUERY", f"claude-sdk://{host}/1/connection/1/query/{number}", text, {})


def session(*texts: str) -> Cassette:
    frames = [{"cli": {"type": "x", "number": number}} for number in range(200)]
    asked = [
        interaction("QUERY", f"1/connection/1/query/{number}", body=text, frames=frames, ms=[1] * len(frames))
        for number, text in enumerate(texts, 1)
    ]
    return cassette(take(1, interaction("CONNECT", "1/connection/1"), *asked))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calc-1.yaml"


def asked_for(path: Path, mode: str, *numbers: int) -> list[str]:
    """What becomes of requests, as a recorder uses vcrpy: played, recorded or refused."""
    answers = []
    with use_cassette(path, mode, head=session("one", "two", "three")) as used:
        for number in numbers:
            request = query(number, ["", "one", "two", "three", "four"][number])
            if used.can_play_response_for(request):
                used.play_response(request)
                answers.append("played")
            elif used.write_protected:
                answers.append("refused")
            else:
                used.append(request, {"ms": [], "frames": []})
                answers.append("recorded")
    return answers


@pytest.mark.parametrize(
    ("mode", "has_file", "becomes"),
    [
        ("once", False, ["recorded", "recorded", "recorded"]),
        ("all", False, ["recorded", "recorded", "recorded"]),
        ("none", True, ["played", "refused", "refused"]),
        ("once", True, ["played", "refused", "refused"]),
        ("all", True, ["recorded", "recorded", "recorded"]),
    ],
)
def test_what_a_mode_does(path: Path, mode: str, has_file: bool, becomes: list[str]) -> None:
    if has_file:
        write(path, session("one", "two", "three"))
    before = path.read_bytes() if has_file else b""
    assert asked_for(path, mode, 1, 1, 4) == becomes
    if "recorded" not in becomes:
        assert path.read_bytes() == before
    else:
        bodies = [one.body for one in read(path).takes[0].interactions]
        assert bodies == ["one", "one", "four"], "of the old session nothing is left"


def test_without_a_file_mode_none_is_an_error(path: Path) -> None:
    with pytest.raises(CassetteMissingError) as caught, use_cassette(path, "none"):
        pass
    assert str(caught.value) == f"{path}: there is no cassette"


@pytest.mark.parametrize("mode", ["new_episodes", "any", "rewrite", "ALL", ""])
def test_other_modes_are_refused(path: Path, mode: str) -> None:
    with pytest.raises(UsageError) as caught, use_cassette(path, mode):
        pass
    assert str(caught.value) == (
        f"record mode {mode!r} is refused: a live agent is not in the state of the recorded one; "
        "record what is missing (once), or all of it (all)"
    )


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("mode", ["none", "once"])
def test_a_damaged_file_is_never_taken_for_a_missing_one(path: Path, mode: str, damage: str) -> None:
    path.write_text(DAMAGED[damage])
    with pytest.raises(CassetteError) as caught, use_cassette(path, mode, head=session("one")):
        pass
    assert str(caught.value).startswith(str(path))
    assert path.read_text() == DAMAGED[damage]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_can_be_recorded_anew(path: Path, damage: str) -> None:
    path.write_text(DAMAGED[damage])
    store(path, session("one"))
    assert read(path) == session("one")


@pytest.mark.parametrize("mode", ["none", "once", "all"])
def test_a_session_that_raises_leaves_the_file_as_it_was(path: Path, mode: str) -> None:
    write(path, session("one", "two"))
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), use_cassette(path, mode, head=session("one")) as used:
        if mode == "all":
            used.append(query(), {})
        elif used.can_play_response_for(query(1, "one")):
            used.play_response(query(1, "one"))
        raise ZeroDivisionError
    assert path.read_bytes() == before


def test_what_is_stored_through_vcrpy_is_what_is_written_without_it(path: Path) -> None:
    frames = [{"cli": {"type": "x"}}]
    second = [
        interaction("CONNECT", "2/connection/1", body="line\n", frames=frames, ms=[0]),
        interaction("QUERY", "2/connection/1/query/1", body="Grüße", a=[1.5, None, True]),
    ]
    second[0].headers["purpose"] = "work"
    for one in (recorded("two"), cassette(session("one", "two").takes[0], take(2, *second), edited=True)):
        store(path, one)
        assert path.read_text() == dump(one)


def test_mode_once_replaces_nothing(path: Path) -> None:
    store(path, session("one"), mode="once")
    with pytest.raises(CassetteError) as caught:
        store(path, session("two"), mode="once")
    assert str(caught.value) == (
        f"{path}: not written: there is a cassette already, and mode once replaces none; use all"
    )
    assert read(path) == session("one")


def test_a_check_that_refuses_the_text_keeps_the_old_file(path: Path) -> None:
    def check(text: str) -> None:
        raise ValueError("a secret")

    store(path, session("one"))
    with pytest.raises(ValueError, match="a secret"):
        store(path, session("two"), check=check)
    assert read(path) == session("one")


def test_the_matchers_answer_with_a_bool() -> None:
    assert mala_uri(query(1), query(1, "other")) is True
    assert mala_uri(query(1), query(2)) is False
    assert mala_uri(query(1), Request("CONTROL", query(1).uri, "", {})) is False
    assert mala_prompt(query(1), query(2)) is True
    assert mala_prompt(query(1), query(1, "other")) is False


class TestUsersVCR:
    """`pytest_mala.register_with_vcr`."""

    @pytest.fixture
    def recorder(self) -> vcr.VCR:
        made = vcr.VCR(record_mode="none", match_on=["uri"])
        pytest_mala.register_with_vcr(made)
        return made

    def test_opens_a_session_lazily(self, path: Path, recorder: vcr.VCR) -> None:
        write(path, session("one", "two"))
        with recorder.use_cassette(str(path), match_on=MATCH_ON) as played:
            assert [request.uri.rpartition("/")[2] for request in played.requests] == ["1", "1", "2"]
            response = played.play_response(query(2, "two"))
            assert repr(response["frames"]) == "<200 frames, 0 of them read>"
            assert response["frames"][7] == {"cli": {"type": "x", "number": 7}}
            assert copy.deepcopy(response) is response
            assert not played.can_play_response_for(query(2, "three"))
            assert played.play_count == 1

    @pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "cassettes").glob("*.yaml"))])
    def test_opens_every_cassette_of_this_repository(self, recorder: vcr.VCR, name: str) -> None:
        path = ROOT / "cassettes" / name
        with recorder.use_cassette(str(path)) as ours, vcr.VCR(record_mode="none").use_cassette(str(path)) as stock:
            assert [(one.method, one.uri, one.body) for one in ours.requests] == [
                (one.method, one.uri, one.body) for one in stock.requests
            ]
            assert len(ours.responses) == len(stock.responses)
            for response in ours.responses:
                assert isinstance(response.get("frames", Frames.__new__(Frames)), Frames)

    def test_refuses_a_changed_file_even_where_it_could_record(self, path: Path) -> None:
        made = vcr.VCR(record_mode="once")
        register_with_vcr(made)
        write(path, session("one"))
        path.write_text(path.read_text().replace("body: one", "body: two"))
        with pytest.raises(CassetteError) as caught, made.use_cassette(str(path)):
            pass
        assert "the text does not match its digest, it was edited by hand" in str(caught.value)

    def test_never_cuts_a_session(self, path: Path) -> None:
        """vcrpy writes what was played when it is told to drop the rest, also where nothing may be recorded."""
        made = vcr.VCR(record_mode="none", drop_unused_requests=True, match_on=MATCH_ON[:0])
        register_with_vcr(made)
        write(path, session("one", "two"))
        before = path.read_bytes()
        with pytest.raises(CassetteError) as caught, made.use_cassette(str(path), match_on=MATCH_ON) as played:
            played.play_response(query(1, "one"))
        assert str(caught.value) == f"{path}: not written: a session is recorded by `pytest --mala-record`"
        assert path.read_bytes() == before

    def test_leaves_other_cassettes_to_the_persister_that_was_there(self, tmp_path: Path, recorder: vcr.VCR) -> None:
        register_with_vcr(recorder)  # a second time changes nothing
        request = Request("GET", "http://localhost/x", "", {})
        path = str(tmp_path / "http.yaml")
        with recorder.use_cassette(path, record_mode="once", skip_patchers=PATCHER_NAMES) as recording:
            recording.append(request, {"body": {"string": b"yes"}, "headers": {}, "status": {"code": 200}})
        with recorder.use_cassette(path, skip_patchers=PATCHER_NAMES) as played:
            assert played.play_response(request)["body"]["string"] == b"yes"

    def test_does_not_write_a_session_into_a_new_file(self, path: Path, recorder: vcr.VCR) -> None:
        with pytest.raises(CassetteError), recorder.use_cassette(str(path), record_mode="all") as recording:
            recording.append(query(), {})
        assert not path.exists()

    def test_says_what_is_asked_for_and_not_there(self, path: Path, recorder: vcr.VCR) -> None:
        write(path, session("one"))
        with recorder.use_cassette(str(path), match_on=MATCH_ON) as played:
            error = CannotOverwriteExistingCassetteException(cassette=played, failed_request=query(1, "uno"))
        assert error.reason == "no_match"
        assert error.similar_requests[0][0].body == b"one"

    def test_the_serializer_reads_with_vcrpy_s_own_persister(self, path: Path) -> None:
        made = vcr.VCR(record_mode="none")
        register_with_vcr(made)
        write(path, recorded("one"))
        stock: Any = vcr.persisters.filesystem.FilesystemPersister
        with made.use_cassette(str(path), serializer="mala", persister=stock) as played:
            assert played.responses[1]["frames"] == recorded("one").takes[0].interactions[1].response["frames"]
        path.write_text(path.read_text()[:-4])
        again = made.use_cassette(str(path), serializer="mala", persister=stock)
        with pytest.raises(CassetteError, match="truncated"), again:
            pass
        with pytest.raises(UsageError, match="record it with pytest --mala-record"):
            made.serializers["mala"].serialize({})


def test_a_replay_does_not_import_vcrpy() -> None:
    """It would cost the first replay 0.1 to 0.2 s."""
    code = "import sys, pytest_mala.case.case, pytest_mala.cli; print('vcr' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
