"""What an application said to the agent, and what the agent did, as values for a test's own assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.session.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Heard"]


class Heard:
    """Told of every frame, with real values; of connections side by side the frames come as they came over the wire."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.connections = 0

    def connection(self, number: int, purpose: str, resumed: str | None) -> None:
        """A connection is opened."""
        self.connections += 1
        self.conversation.connection(purpose)

    def frame(self, direction: str, frame: Mapping[str, Any]) -> None:
        """A frame went over the wire."""
        self.conversation.frame(direction, frame)

    def decision(self, what: str) -> None:
        """Nobody decides: there is no runner."""
