"""Cassettes of sessions in vcrpy's hands: `use_cassette` for the record modes of design D5, `register_with_vcr` for a
VCR of the user's own.

vcrpy gives configuration, registries, record modes, matching and play counts; its patching of HTTP clients is switched
off. A replay does not look its steps up here: each look-up of vcrpy's goes over all interactions, twice, which makes a
long session quadratic (benchmarks/bench_loading.py); it walks by place (transport/replay.py). This module costs the
import of vcrpy, 0.1 to 0.2 s: only what records or asks for vcrpy imports it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import vcr
from vcr.patch import PATCHER_NAMES
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.request import Request

from pytest_mala.errors import CassetteError, CassetteMissingError, UsageError
from pytest_mala.transport.cassette.file import read_lazily, read_text, write
from pytest_mala.transport.cassette.model import Cassette, Interaction

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MATCH_ON", "Response", "mala_prompt", "mala_uri", "register_with_vcr", "store", "use_cassette"]

MATCH_ON: Final = ("mala_uri", "mala_prompt")
"""The matchers of sessions: the place, and the words."""

_MODES: Final[dict[str, dict[str, Any]]] = {
    "none": {"record_mode": "none"},
    "once": {"record_mode": "once"},
    # without dropping, vcrpy keeps turns of the old session that no turn of the new one matches
    "all": {"record_mode": "all", "drop_unused_requests": True},
}
_SCHEME: Final = "claude-sdk://"
_HEAD_BYTES: Final = 4096
_IS_SESSION: Final = re.compile(rb"\A# pytest-mala cassette|^mala:", re.MULTILINE)


class Response(dict[str, Any]):
    """A recorded response. vcrpy copies what it is given, which would parse all frames: a copy is the thing itself."""

    def __deepcopy__(self, memo: object) -> Response:
        return self


def mala_uri(one: Request, other: Request) -> bool:
    """Whether both stand at the same place of the same take."""
    return bool(one.method == other.method and one.uri == other.uri)


def mala_prompt(one: Request, other: Request) -> bool:
    """Whether both say the same."""
    return bool(one.body == other.body)


@contextmanager
def use_cassette(
    path: Path, mode: str, *, head: Cassette | None = None, check: Callable[[str], None] | None = None
) -> Iterator[Any]:
    """A `vcr.cassette.Cassette` of a session, in one of the record modes of design D5: none, once or all.

    What is appended is written when the block ends without an error, with what `head` says about it and its takes;
    `check` as in `write`. Raises UsageError for another mode, CassetteError for a file that can't be trusted (in mode
    all it is not looked at), in mode none CassetteMissingError if there is no file.
    """
    if mode not in _MODES:
        raise UsageError(
            f"record mode {mode!r} is refused: a live agent is not in the state of the recorded one; "
            "record what is missing (once), or all of it (all)"
        )
    recorder = vcr.VCR(
        match_on=MATCH_ON, serializer="mala", skip_patchers=PATCHER_NAMES, record_on_exception=False, **_MODES[mode]
    )
    register_with_vcr(recorder)
    with recorder.use_cassette(str(path), persister=_SessionPersister(mode, head, check)) as used:
        yield used


def store(path: Path, cassette: Cassette, *, mode: str = "all", check: Callable[[str], None] | None = None) -> None:
    """Write a recorded session through vcrpy. Raises CassetteError, in mode once also if there is a cassette."""
    with use_cassette(path, mode, head=cassette, check=check) as recording:
        if recording.write_protected:
            raise CassetteError(
                path, f"not written: there is a cassette already, and mode {mode} replaces none; use all"
            )
        for one in (one for take in cassette.takes for one in take.interactions):
            recording.append(*_to_vcr(one))


def register_with_vcr(recorder: vcr.VCR) -> None:
    """Teach a VCR to open cassettes of sessions: lazily, checked, and never written.

    Other cassettes are read and written as before. Registers the matchers `mala_uri` and `mala_prompt`, for
    `match_on`, and the serializer `mala`, for whoever has a persister of their own.
    """
    recorder.register_matcher("mala_uri", mala_uri)
    recorder.register_matcher("mala_prompt", mala_prompt)
    recorder.register_serializer("mala", _Serializer)
    if not isinstance(recorder.persister, _Opener):
        recorder.register_persister(_Opener(recorder.persister))


class _SessionPersister:
    """Reads and writes one session, as the record mode wants it."""

    def __init__(self, mode: str, head: Cassette | None, check: Callable[[str], None] | None) -> None:
        self._mode = mode
        self._head = head
        self._check = check

    def load_cassette(self, path: str, serializer: object) -> tuple[list[Request], list[Response]]:
        if self._mode == "all":
            raise CassetteNotFoundError  # else a damaged file could not be recorded anew
        try:
            return _lists(read_lazily(Path(path)))
        except CassetteMissingError:
            if self._mode == "none":
                raise
            raise CassetteNotFoundError from None

    def save_cassette(self, path: str, data: dict[str, Sequence[Any]], serializer: object) -> None:
        if self._head is None:
            raise CassetteError(path, "not written: a session is recorded by `pytest --mala-record`")
        made = [_from_vcr(*pair) for pair in zip(data["requests"], data["responses"], strict=True)]
        takes = []
        for take in self._head.takes:
            prefix = Cassette.prefix(self._head.issue, take.number)
            takes.append(replace(take, interactions=tuple(one for one in made if one.uri.startswith(prefix))))
        write(Path(path), replace(self._head, takes=tuple(takes)), check=self._check)


class _Opener:
    """Opens cassettes of sessions and leaves all others to the persister that was there before."""

    def __init__(self, other: Any) -> None:
        self._other = other

    def load_cassette(self, path: str | os.PathLike[str], serializer: object) -> Any:
        if not _is_session(Path(path)):
            return self._other.load_cassette(path, serializer)
        return _lists(read_lazily(Path(path)))

    def save_cassette(self, path: str | os.PathLike[str], data: dict[str, Sequence[Any]], serializer: object) -> None:
        if _is_session(Path(path)) or any(request.uri.startswith(_SCHEME) for request in data["requests"]):
            raise CassetteError(Path(path), "not written: a session is recorded by `pytest --mala-record`")
        self._other.save_cassette(path, data, serializer)


class _Serializer:
    """For vcrpy's own persister: text to vcrpy's data. Nothing is written this way."""

    @staticmethod
    def deserialize(text: str) -> dict[str, Any]:
        found = read_text(text)
        requests = (
            {"method": one.method, "uri": one.uri, "body": one.body, "headers": _lists_of(one.headers)}
            for one in _interactions(found)
        )
        responses = (Response(one.response) for one in _interactions(found))
        pairs = zip(requests, responses, strict=True)
        return {"version": 1, "interactions": [{"request": one, "response": other} for one, other in pairs]}

    @staticmethod
    def serialize(data: object) -> str:
        raise UsageError("a cassette of a session is not written by a serializer: record it with pytest --mala-record")


def _is_session(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(_IS_SESSION.search(file.read(_HEAD_BYTES)))
    except OSError:
        return False


def _lists(found: Cassette) -> tuple[list[Request], list[Response]]:
    pairs = [_to_vcr(one) for one in _interactions(found)]
    return [request for request, _ in pairs], [response for _, response in pairs]


def _interactions(found: Cassette) -> list[Interaction]:
    return [one for take in found.takes for one in take.interactions]


def _lists_of(headers: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def _to_vcr(one: Interaction) -> tuple[Request, Response]:
    return Request(one.method, one.uri, one.body, dict(one.headers)), Response(one.response)


def _from_vcr(request: Request, response: dict[str, Any]) -> Interaction:
    body = (request.body or b"").decode()
    headers = dict(request.headers)
    return Interaction(method=request.method, uri=request.uri, body=body, headers=headers, response=dict(response))
