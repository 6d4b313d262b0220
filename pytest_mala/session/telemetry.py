"""Where a session's messages can be traced to: the protocols of a span and its provider, and no-op ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["NullSpan", "NullTelemetryProvider", "TelemetryProvider", "TelemetrySpan"]


class TelemetrySpan(Protocol):
    """One traced session, used as a context manager by whoever started it; the runner only calls `log_message`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None: ...

    def log_input(self, prompt: str) -> None: ...

    def log_message(self, message: object) -> None: ...

    def set_success(self, success: bool) -> None: ...

    def set_error(self, error: str) -> None: ...


class TelemetryProvider(Protocol):
    """Makes spans."""

    def is_enabled(self) -> bool: ...

    def create_span(self, name: str, metadata: dict[str, Any] | None = None) -> TelemetrySpan: ...

    def flush(self) -> None: ...


class NullSpan:
    """A span that keeps nothing and suppresses no exception."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Lets every exception pass."""

    def log_input(self, prompt: str) -> None:
        """Does nothing."""

    def log_message(self, message: object) -> None:
        """Does nothing."""

    def set_success(self, success: bool) -> None:
        """Does nothing."""

    def set_error(self, error: str) -> None:
        """Does nothing."""


class NullTelemetryProvider:
    """Telemetry switched off."""

    def is_enabled(self) -> bool:
        return False

    def create_span(self, name: str, metadata: dict[str, Any] | None = None) -> NullSpan:
        return NullSpan()

    def flush(self) -> None:
        """Does nothing."""
