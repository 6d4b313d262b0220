"""Opens the checked bytes of a cassette: everything but the frames is read at once, frames when they are looked at.

Why late is safe: the digest proves nothing, since anyone can compute it, so nothing is skipped: every check is made
before the value that it is about is given out. A replay reads all frames of its take before the session begins. Where
the quick way meets anything that it does not expect, the whole file is read by the strict parser, and that
decides: so there is one set of rules and of messages, whichever way a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import strict
from pytest_mala.transport.cassette.frames import Frames
from pytest_mala.transport.cassette.outline import outline
from pytest_mala.transport.cassette.quick import NotCanonicalError, quick_mapping
from pytest_mala.transport.cassette.schema import SchemaError, frame_items, to_cassette

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mala.transport.cassette.model import Cassette
    from pytest_mala.transport.cassette.outline import Cut, Outline

__all__ = ["COMMENT", "opened", "parsed"]

COMMENT: Final = (
    b"# pytest-mala cassette: recorded agent sessions. Review it like code, it drives hooks and checks; "
    b"after an edit: pytest-mala cassette seal FILE\n"
)
"""The first line of a file."""


def opened(path: Path, content: bytes, digest: str) -> Cassette:
    """The cassette of a file with this content and this digest in it. Raises CassetteError."""
    if not content.startswith(COMMENT):
        return parsed(path, content)
    found = outline(content, len(COMMENT), content.rindex(b"\n# sha256:") + 1, digest)
    data = _skeleton(found)
    if data is None or not _put_frames(_Whole(path, content), found, data):
        return parsed(path, content)
    try:
        return to_cassette(data)
    except SchemaError:
        return parsed(path, content)  # which says where


def parsed(path: Path, content: bytes) -> Cassette:
    """The cassette, read whole by the strict parser. Raises CassetteError."""
    text = content.decode()
    data = strict.load(text, path)
    try:
        return to_cassette(data)
    except SchemaError as error:
        raise CassetteError(path, str(error), strict.line_of(text, error.where)) from None


class _Whole:
    """The whole file, read at most once, for what the quick way can't read."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self.content = content
        self._cassette: Cassette | None = None

    def frames(self, index: int) -> list[dict[str, Any]]:
        """The frames of an interaction. Raises CassetteError."""
        if self._cassette is None:
            self._cassette = parsed(self._path, self.content)
        every = [one for take in self._cassette.takes for one in take.interactions]
        return list(every[index].response["frames"])


def _skeleton(found: Outline) -> dict[str, Any] | None:
    """The data of the file with marks in place of frames; None if it can't be read without them."""
    try:
        return quick_mapping(found.skeleton)
    except NotCanonicalError:
        pass
    try:
        data = strict.load(f"{found.skeleton.decode()}...\n", "")
    except CassetteError:
        return None
    return data if isinstance(data, dict) else None


def _put_frames(whole: _Whole, found: Outline, data: dict[str, Any]) -> bool:
    """Frames in place of their marks; false if a mark is not where it must be."""
    shared = data.get("shared", {})
    interactions = data.get("interactions")
    if type(shared) is not dict or type(interactions) is not list:
        return False
    for number, cut in enumerate(found.cuts):
        one = interactions[cut.interaction] if cut.interaction < len(interactions) else None
        response = one.get("response") if type(one) is dict else None
        if type(response) is not dict or response.get("frames") != found.mark(number):
            return False
        response["frames"] = _frames(whole, cut, shared)
    return True


def _frames(whole: _Whole, cut: Cut, shared: dict[str, Any]) -> Frames:
    return Frames(whole.content, cut, accepted=_accepting(shared), whole=lambda: whole.frames(cut.interaction))


def _accepting(shared: dict[str, Any]) -> Callable[[list[Any]], list[dict[str, Any]] | None]:
    def accepted(items: list[Any]) -> list[dict[str, Any]] | None:
        try:
            return frame_items(items, shared)
        except SchemaError:
            return None

    return accepted
