"""What the other end of a transport does while a rule of the conformance kit is checked, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Ends", "Exchange", "Hears", "HearsTheEnd", "PeerError", "Says", "play"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The other end sends this frame."""

    frame: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """The other end waits for this frame; if another one comes, its stream must end with an error."""

    frame: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HearsTheEnd:
    """The other end waits until nothing more will be written to it (`end_input`), where it can know that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The other end is done: its stream ends, with an error like that of a program with exit status 1, or without."""

    is_error: bool = False


Step = Says | Hears | HearsTheEnd | Ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The steps of the other end, in order; after the last one it is silent, until the transport is closed.

    `is_refused`: nothing is there to connect to, so `connect` must fail. `is_stubborn`: it takes no notice of being
    closed, as a program that goes on at the end of its input.
    """

    steps: tuple[Step, ...] = ()
    is_refused: bool = False
    is_stubborn: bool = False


class PeerError(Exception):
    """The other end ends with an error: because it is a step of the exchange, or because another frame came than its
    step says.
    """


async def play(
    exchange: Exchange,
    *,
    say: Callable[[Mapping[str, Any]], Awaitable[None]],
    hear: Callable[[], Awaitable[Mapping[str, Any] | None]],
) -> bool:
    """Plays the other end, for a peer of your own: `say` sends a frame, `hear` gives the next one, or None when nothing
    more will come.

    True if its stream ends then, False if it goes on in silence. Raises PeerError if it must end with an error.
    """
    for step in exchange.steps:
        match step:
            case Says(frame=frame):
                await say(frame)
            case Hears(frame=frame):
                if (heard := await hear()) != frame:
                    raise PeerError(f"expected the frame {frame}, got {heard}")
            case HearsTheEnd():
                if (heard := await hear()) is not None:
                    raise PeerError(f"expected the end of the input, got {heard}")
            case Ends(is_error=is_error):
                if is_error:
                    raise PeerError("the exchange ends with an error here")
                return True
    return False
