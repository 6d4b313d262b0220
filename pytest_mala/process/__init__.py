"""Runs one command to its end or its deadline, and leaves none of its processes behind (design D14)."""

from pytest_mala.process.command import Completed, run, run_in_thread
from pytest_mala.process.start import ProcessError

__all__ = ["Completed", "ProcessError", "run", "run_in_thread"]
