"""Known values of this run (workspace, home, ids) and the names that stand for them in a cassette.

Nothing is erased by shape (design D7): only values that the run knows are replaced, the longest first; a `$` that
already stands before a brace is written as `${$}`, so that hiding can always be undone.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

__all__ = ["EVERYWHERE", "Names", "Places", "map_strings", "named_places"]

Places = Sequence[Sequence[str | int]]


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of a JSON value in which `change` was applied to each string, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key): map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [map_strings(item, change) for item in value]
    return value


EVERYWHERE: Final[Places] = ((),)
"""The places of a value that must be looked through whole."""


def named_places(value: Any) -> Places:
    """Where in a JSON value `${` stands: keys and indexes down to each text, so that nothing else needs a look.

    >>> named_places({"cwd": "${WORKSPACE}", "rest": ["a", "${HOME}/b"]})
    (('cwd',), ('rest', 1))
    """
    if b"${" not in marshal.dumps(value):  # far quicker than a walk, and most frames have none
        return ()
    places: list[tuple[str | int, ...]] = []
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while stack:
        place, one = stack.pop()
        if isinstance(one, str):
            if "${" in one:
                places.append(place)
        elif isinstance(one, Mapping):
            if any("${" in key for key in one):
                return EVERYWHERE
            stack += [((*place, key), item) for key, item in one.items()]
        elif isinstance(one, list | tuple):
            stack += [((*place, index), item) for index, item in enumerate(one)]
    return tuple(sorted(places, key=str))


_SIMPLE: Final = re.compile(r"[^${}]*[^${}A-Z0-9_][^${}]*")
"""A value that can't become part of a name, whatever it is put into: its place is looked at no second time."""


class Names:
    """Two-way substitution between real values and `${NAME}`.

    >>> names = Names({"WORKSPACE": "/tmp/a/ws"})
    >>> names.hide({"file": "/tmp/a/ws/x.py", "cost": "${5}"})
    {'file': '${WORKSPACE}/x.py', 'cost': '${$}{5}'}
    >>> names.show(names.hide("/tmp/a/ws ${5}"))
    '/tmp/a/ws ${5}'

    Values of the names in `whole` are paths that other paths may begin with; they are found where they end:

    >>> Names({"HOME": "/ann"}, whole=["HOME"]).hide("/ann/x, /anna, see/ann")
    '${HOME}/x, /anna, see/ann'
    """

    def __init__(self, values: Mapping[str, str], *, whole: Collection[str] = ()) -> None:
        self._values = {name: value for name, value in values.items() if value}
        self._by_reference = {"${" + name + "}": value for name, value in self._values.items()} | {"${$}": "$"}
        self._is_simple = all(map(_SIMPLE.fullmatch, self._values.values()))
        self._by_value = {value: name for name, value in self._values.items()}
        longest_first = sorted(self._by_value, key=lambda value: (-len(value), value))
        patterns = (_whole(one) if self._by_value[one] in whole else re.escape(one) for one in longest_first)
        self._hide = re.compile("|".join([r"\$(?=\{)", *patterns]))
        self._show = re.compile(r"\$\{(\$|[A-Z][A-Z0-9_]*)\}")

    @property
    def values(self) -> Mapping[str, str]:
        """The real values by name."""
        return dict(self._values)

    def hide(self, value: Any) -> Any:
        """The JSON value as it stands in a cassette: each known value replaced by its `${NAME}`."""
        return map_strings(value, self._hide_text)

    def show(self, value: Any) -> Any:
        """The JSON value as this run sees it: each `${NAME}` replaced by its value; unknown names stay."""
        return map_strings(value, self._show_text)

    def show_at(self, value: Any, places: Places) -> Any:
        """As `show`, for a mapping of which `named_places` is known; what does not change is shared with it."""
        if places and not places[0]:  # everywhere
            return self.show(value)
        shown = dict(value)
        for place in places:
            inside = shown
            for step in place[:-1]:
                inside[step] = inside[step].copy()
                inside = inside[step]
            inside[place[-1]] = self._show_text(inside[place[-1]])
        return shown

    def _hide_text(self, text: str) -> str:
        return self._hide.sub(lambda match: "${" + self._by_value.get(match.group(), "$") + "}", text)

    def _show_text(self, text: str) -> str:
        if self._is_simple and "${$}" not in text:  # a third of the time; most texts have one name
            for reference, value in self._by_reference.items():
                if reference in text:
                    text = text.replace(reference, value)
            return text
        return self._show.sub(self._shown, text)

    def _shown(self, match: re.Match[str]) -> str:
        return self._by_reference.get(match.group(), match.group())


def _whole(path: str) -> str:
    """A pattern for the path where no longer name goes on; a path of one part must begin there, too."""
    begins = r"(?<![A-Za-z0-9_.~-])" if path.count("/") < 2 else ""
    return begins + re.escape(path) + "(?![A-Za-z0-9_-])"
