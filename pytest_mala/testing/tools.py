"""The tool calls of a session, to be searched by name and input."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, overload

from pytest_mala.report.text import counted, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mala.session.conversation import ToolCall

__all__ = ["ToolCalls"]

_SHOWN: Final = 6
_VALUE_LENGTH: Final = 32


class ToolCalls(Sequence["ToolCall"]):
    """Tool calls in the order in which they were begun; a selection of them remembers what was asked for, and of which
    calls. `folder` is the tree that they worked in.
    """

    def __init__(
        self, calls: Iterable[ToolCall], *, folder: str = "", asked: str = "", of: ToolCalls | None = None
    ) -> None:
        self._calls = tuple(calls)
        self._folder = folder
        self._asked = asked
        self._of = of

    def named(self, name: str) -> ToolCalls:
        """The calls of the tool of that name."""
        return self._selected(f"named {name!r}", (call for call in self._calls if call.name == name))

    def matching(self, **patterns: str) -> ToolCalls:
        """The calls whose input has each of these fields, as a text that fits the pattern (`*`, `?`, `[...]`; case
        counts), such as `command="pytest*"`.
        """
        asked = " and ".join(f"{name}={pattern!r}" for name, pattern in patterns.items())
        fits = (
            call
            for call in self._calls
            if all(name in call.input and fnmatchcase(str(call.input[name]), one) for name, one in patterns.items())
        )
        return self._selected(f"with {asked}", fits)

    def in_turn(self, turn: int) -> ToolCalls:
        """The calls of that turn, counted from 1."""
        return self._selected(f"in turn {turn}", (call for call in self._calls if call.turn == turn))

    @property
    def names(self) -> list[str]:
        """What the called tools are called."""
        return [call.name for call in self._calls]

    def _selected(self, asked: str, calls: Iterable[ToolCall]) -> ToolCalls:
        return ToolCalls(calls, folder=self._folder, asked=asked, of=self)

    @overload
    def __getitem__(self, index: int) -> ToolCall: ...
    @overload
    def __getitem__(self, index: slice) -> ToolCalls: ...
    def __getitem__(self, index: int | slice) -> ToolCall | ToolCalls:
        """A call by its place, or a part of them."""
        if isinstance(index, slice):
            return ToolCalls(self._calls[index], folder=self._folder, asked=self._asked, of=self._of)
        try:
            return self._calls[index]
        except IndexError:
            __tracebackhide__ = True
            raise IndexError(f"there is no call {index}: {self!r}") from None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._calls)

    def __eq__(self, other: object) -> bool:
        """Whether they are the same calls."""
        if isinstance(other, (ToolCalls, tuple, list)):
            return self._calls == tuple(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """One line: how many, and which; where none was found, what there was instead."""
        if self._calls:
            return f"<{self._counted()}: {_listed(self._shown(call) for call in self._calls)}>"
        asked, there = [], self
        while not there._calls and there._of is not None:
            asked.append(there._asked)
            there = there._of
        wanted = " ".join(["no tool call", *reversed(asked)])
        if not there:
            return f"<{wanted}: the session has none>"
        is_name = asked[-1].startswith("named ")
        shown = _listed(call.name if is_name else self._shown(call) for call in there)
        return f"<{wanted}, among {there._counted()}: {shown}>"  # noqa: SLF001

    def _counted(self) -> str:
        """How many of what."""
        asked, one = [], self
        while one._of is not None:
            asked.append(one._asked)
            one = one._of
        return " ".join([counted(len(self._calls), "tool call"), *reversed(asked)])

    def _shown(self, call: ToolCall) -> str:
        """The call with the first text of its input, which says most about it; files by their place in the tree."""
        first: tuple[str, Any] | None = next(((k, v) for k, v in call.input.items() if isinstance(v, str)), None)
        if first is None:
            return call.name
        text = " ".join(plain(first[1]).split())
        if self._folder:
            text = text.replace(f"{self._folder}/", "")
        if len(text) > _VALUE_LENGTH:
            text = text[: _VALUE_LENGTH - 3].rstrip() + "..."
        return f"{call.name}({first[0]}={text})"


def _listed(calls: Iterable[str]) -> str:
    shown = list(calls)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
