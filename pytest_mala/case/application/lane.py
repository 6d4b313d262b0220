"""What a lane has to offer to an application's test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_mala.transport.record import WireTransport

__all__ = ["ApplicationLane"]


class ApplicationLane(Protocol):
    """The cassette of one test on a lane: load it, open it for the test, check, and store what is to be kept."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that are no failures."""

    def load(self) -> None:
        """Read what the lane needs. Raises HarnessError or UsageError."""

    def open(self) -> AbstractContextManager[None]:
        """What stands behind the SDK is there while the block lasts."""

    def transport(self, options: Any, prompt: str | None) -> WireTransport:
        """The transport of the next connection."""

    def raise_pending(self) -> None:
        """Raise what the application was told already and may have swallowed."""

    def check(self) -> None:
        """Raise what is wrong when the application has done all that it does."""

    def all_closed(self) -> bool:
        """Whether no connection is open."""

    def store(self, *, has_failed: bool) -> None:
        """Keep what was recorded, if it is to be kept; `has_failed` says whether the test has."""

    def describe(self) -> str:
        """What the lane waits for, for the explanation of a hang."""
