"""Judge the agent's work by running: checks, the commit rule and resolution markers, and the verdict of it all."""

from pytest_mala.gate.checks import run_checks
from pytest_mala.gate.commit import commit_naming, commit_result
from pytest_mala.gate.judge import Since, judge
from pytest_mala.gate.markers import find_marker, marker_in_log
from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.gate.verdicts import compare_verdicts, notes

__all__ = [
    "CheckResult",
    "Since",
    "Verdict",
    "commit_naming",
    "commit_result",
    "compare_verdicts",
    "find_marker",
    "judge",
    "marker_in_log",
    "notes",
    "run_checks",
]
