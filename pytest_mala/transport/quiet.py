"""Keeps from the log of the user's tests what the SDK says about errors that we raise ourselves."""

from __future__ import annotations

import logging

__all__ = ["quiet_reader"]

_SDK_READER = "claude_agent_sdk._internal.query"


class quiet_reader:
    """Keeps the SDK's "Fatal error in message reader" out of the user's log: we raise the same error ourselves (sdk.md
    2).
    """

    def __enter__(self) -> None:
        logging.getLogger(_SDK_READER).addFilter(self._is_wanted)

    def __exit__(self, *_: object) -> None:
        logging.getLogger(_SDK_READER).removeFilter(self._is_wanted)

    @staticmethod
    def _is_wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Fatal error in message reader")
