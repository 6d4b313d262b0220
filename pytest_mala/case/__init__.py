"""One issue from start to outcome: workspace, session and gate put together on a lane (design section 3)."""

from __future__ import annotations

from pytest_mala.case.case import Case
from pytest_mala.case.settings import CaseResult, CaseSettings, CheckRow, Lane, RecordMode, StaleMode

__all__ = ["Case", "CaseResult", "CaseSettings", "CheckRow", "Lane", "RecordMode", "StaleMode"]
