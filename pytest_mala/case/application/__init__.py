"""The SDK calls of a user's own code, recorded and replayed without our runner (issue 4, "any SDK application")."""

from __future__ import annotations

from pytest_mala.case.application.asked import FOLDER, Asked
from pytest_mala.case.application.run import Application

__all__ = ["FOLDER", "Application", "Asked"]
