"""Secrets never reach the disk (design D15): what is recorded goes through a scrubber, which is proven by canaries.

Pure: no file, clock or environment is asked. What the machine knows is given by the caller (`known_values`).
"""

from __future__ import annotations

from pytest_mala.transport.scrub.audit import Leak, check_text, leaks_of
from pytest_mala.transport.scrub.known import known_values
from pytest_mala.transport.scrub.likeness import Likeness
from pytest_mala.transport.scrub.outlet import Outlet
from pytest_mala.transport.scrub.proving import prove
from pytest_mala.transport.scrub.rules import RULES, RULES_VERSION, Rule
from pytest_mala.transport.scrub.scrubber import Scrubber
from pytest_mala.transport.scrub.trees import SecretFoundError, check_tree

__all__ = [
    "RULES",
    "RULES_VERSION",
    "Leak",
    "Likeness",
    "Outlet",
    "Rule",
    "Scrubber",
    "SecretFoundError",
    "check_text",
    "check_tree",
    "known_values",
    "leaks_of",
    "prove",
]
