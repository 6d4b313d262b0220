"""The prompts of a session: what was sent, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from pytest_mala.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mala.session.conversation import Prompt

__all__ = ["Prompts"]


class Prompts(Sequence["Prompt"]):
    """Prompts in the order in which they were sent; each has `turn` (from 1), `why` and `text`."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._prompts = tuple(prompts)

    @property
    def why(self) -> list[str]:
        """Why each was sent: work, gate retry, idle resume, crash retry, checkpoint, continuation, ..."""
        return [prompt.why for prompt in self._prompts]

    @property
    def texts(self) -> list[str]:
        """What was sent."""
        return [prompt.text for prompt in self._prompts]

    @overload
    def __getitem__(self, index: int) -> Prompt: ...
    @overload
    def __getitem__(self, index: slice) -> Prompts: ...
    def __getitem__(self, index: int | slice) -> Prompt | Prompts:
        """A prompt by its place, or a part of them."""
        if isinstance(index, slice):
            return Prompts(self._prompts[index])
        try:
            return self._prompts[index]
        except IndexError:
            raise IndexError(f"there is no prompt {index}: {self!r}") from None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._prompts)

    def __repr__(self) -> str:
        """One line: how many, and why each was sent."""
        return f"<{counted(len(self._prompts), 'prompt')}: {', '.join(self.why) or 'none was sent'}>"
