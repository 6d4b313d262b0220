"""What a hand-written test gets from a session: values that compare like plain ones and explain themselves when an
assertion fails.
"""

from pytest_mala.testing.explain import explain
from pytest_mala.testing.gates import GateCheck, Gates
from pytest_mala.testing.names import UnknownNameError
from pytest_mala.testing.outcome import Outcome
from pytest_mala.testing.prompts import Prompts
from pytest_mala.testing.session_run import SessionRun
from pytest_mala.testing.tools import ToolCalls
from pytest_mala.testing.tree import Tree

__all__ = [
    "GateCheck",
    "Gates",
    "Outcome",
    "Prompts",
    "SessionRun",
    "ToolCalls",
    "Tree",
    "UnknownNameError",
    "explain",
]
