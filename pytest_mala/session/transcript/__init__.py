"""The session as readable text: feed a `Transcript` what happens, and render it; pure, so that it can be compared."""

from pytest_mala.session.transcript.record import CheckRow, Transcript

__all__ = ["CheckRow", "Transcript"]
