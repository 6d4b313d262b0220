"""The frames of an interaction that was read from a file; they are parsed and checked when somebody looks at them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, overload

from pytest_mala.transport.cassette.quick import NotCanonicalError, quick_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_mala.transport.cassette.outline import Cut

__all__ = ["Frames"]

CHUNK: Final = 64
"""How many frames are parsed at once: one that is asked for costs no more than a hundredth of a second."""

_COLUMN: Final = 4
_NEXT_FRAME: Final = b"\n    - "

Frame = dict[str, Any]


class Frames(Sequence[Frame]):
    """A list of frame items that is read from the bytes of a file as far as it is looked at, and then kept.

    Looking raises CassetteError, with file and line, for what can't be read. `accepted` checks items that were parsed
    and makes them whole; `whole` reads the file in full, which decides if anything here is not as expected: it raises,
    or gives the items.
    """

    __slots__ = ("_accepted", "_at", "_content", "_cut", "_items", "_whole")

    def __init__(
        self,
        content: bytes,
        cut: Cut,
        *,
        accepted: Callable[[list[Any]], list[Frame] | None],
        whole: Callable[[], list[Frame]],
    ) -> None:
        self._content = content
        self._cut = cut
        self._at = cut.start
        self._items: list[Frame] = []
        self._accepted = accepted
        self._whole = whole

    def __len__(self) -> int:
        return self._cut.count

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        found = range(len(self))[index]
        wanted = max(found, default=-1) if isinstance(found, range) else found
        while len(self._items) <= wanted:
            self._read_on()
        return self._items[index]

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        while number < self._cut.count:
            if number == len(self._items):
                self._read_on()
            yield self._items[number]
            number += 1

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Frames | list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} frames, {len(self._items)} of them read>"

    def __deepcopy__(self, memo: object) -> Frames:
        """Itself: vcrpy copies what it is given, which would read everything."""
        return self

    def _read_on(self) -> None:
        """Parse the next frames, and keep them."""
        count = min(CHUNK, self._cut.count - len(self._items))
        starts = [self._at]
        for _ in range(count):
            found = self._content.find(_NEXT_FRAME, starts[-1], self._cut.end)
            starts.append(found + 1 if found >= 0 else self._cut.end)
        items = self._parsed(starts)
        made = None if items is None else self._accepted(items)
        if made is None:
            self._items = self._whole()
            return
        self._at = starts[-1]
        self._items += made
        if len(self._items) == self._cut.count:
            self._content = b""  # nothing more to read: the file need not stay in memory

    def _parsed(self, starts: list[int]) -> list[Any] | None:
        """The items that begin there; None if the whole file must be asked what they are."""
        try:
            items = quick_list(self._content[starts[0] : starts[-1]], _COLUMN)
        except NotCanonicalError:
            items = []
            for start, end in itertools.pairwise(starts):
                one = _one(self._content[start:end])
                if one is None:
                    return None
                items += one
        return items if len(items) == len(starts) - 1 else None


def _one(content: bytes) -> list[Any] | None:
    """The list of one item, also where it is not quite canonical: with control characters, for example."""
    try:
        return quick_list(content, _COLUMN)
    except NotCanonicalError:
        pass
    from pytest_mala.errors import CassetteError
    from pytest_mala.transport.cassette import strict

    try:
        found = strict.load(f"{content.decode()}...\n", "")
    except CassetteError:
        return None
    return found if isinstance(found, list) else None
