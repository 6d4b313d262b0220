"""What came of a check: its verdict, how the command ended, and the words it printed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import HarnessError
from pytest_mala.gate.output import readable
from pytest_mala.session.transcript import CheckRow

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CheckResult", "Verdict"]


class Verdict(Enum):
    """How a check ended; only PASSED is good."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check, or of a rule of the gate (`kind` is then `commit` or `resolution`).

    `exit_status` is None when the command never started or was killed; `output` is bounded, paths of this run are
    replaced by names; `seconds` are real ones and kept apart from the rest; `reason` is one line, empty if passed.
    `left` says what the command left running, `blind` why a daemon of it would not have been found; both are empty
    in the usual case, are told in this run and not recorded.
    """

    name: str
    kind: str
    command: str
    verdict: Verdict
    exit_status: int | None = None
    output: str = ""
    seconds: float = 0.0
    reason: str = ""
    left: str = ""
    blind: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether the verdict is good."""
        return self.verdict is Verdict.PASSED

    def to_data(self) -> dict[str, Any]:
        """The result as it stands in a cassette: a JSON object without what differs from run to run."""
        return {
            "name": self.name,
            "kind": self.kind,
            "command": self.command,
            "verdict": self.verdict.value,
            "exit_status": self.exit_status,
            "reason": self.reason,
            "output": self.output,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], seconds: float = 0.0) -> CheckResult:
        """The inverse of `to_data`; raises HarnessError if a key is missing, unknown or of the wrong type."""
        if sorted(data, key=str) != sorted(_TYPES):
            raise HarnessError(f"recorded check result: expected the keys {', '.join(_TYPES)}; got {', '.join(data)}")
        for key, wanted in _TYPES.items():
            if not isinstance(data[key], wanted) or isinstance(data[key], bool):
                raise HarnessError(f"recorded check result: {key}: can't be {data[key]!r}")
        if data["verdict"] not in (verdicts := [verdict.value for verdict in Verdict]):
            what = f"expected one of {', '.join(verdicts)}; got {data['verdict']!r}"
            raise HarnessError(f"recorded check result: verdict: {what}")
        return cls(**{**data, "verdict": Verdict(data["verdict"])}, seconds=seconds)

    @property
    def row(self) -> CheckRow:
        """The result as a transcript or a report shows it."""
        return CheckRow(
            name=self.name,
            verdict=self.verdict.value,
            exit_status=self.exit_status,
            reason=readable(self.reason),
            output=readable(self.output),
        )


_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "kind": (str,),
    "command": (str,),
    "verdict": (str,),
    "exit_status": (int, type(None)),
    "reason": (str,),
    "output": (str,),
}
