"""How a session ended, as a string that knows why."""

from __future__ import annotations

from typing import Any, Final

from pytest_mala.issue import EndReason
from pytest_mala.report.text import plain
from pytest_mala.testing.names import known

__all__ = ["Outcome"]

_NAMES: Final = tuple(reason.value for reason in EndReason)


class Outcome(str):
    """One of the outcomes of docs/issue-files.md, such as `passed`; equal to that string and to its `EndReason`.

    Comparing it with a string that is no outcome raises UnknownNameError.
    """

    reason: EndReason
    why: str

    def __new__(cls, reason: EndReason, why: str = "") -> Outcome:
        """The outcome with the runner's sentence about it, which may be the agent's own words."""
        made = super().__new__(cls, reason.value)
        made.reason = reason
        made.why = why
        return made

    def __reduce__(self) -> tuple[type[Outcome], tuple[EndReason, str]]:
        """A string with more to it is no string to `pickle` and `copy`."""
        return Outcome, (self.reason, self.why)

    def __eq__(self, other: object) -> bool:
        """Whether it is that outcome."""
        __tracebackhide__ = True
        if isinstance(other, EndReason):
            return self.reason is other
        if isinstance(other, str):
            return str.__eq__(self, known("outcome", other, _NAMES))
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        """Whether it is another one."""
        __tracebackhide__ = True
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        """The outcome and why."""
        return f"<{self!s}: {plain(self.why)}>" if self.why else f"<{self!s}>"

    def explained(self, op: str, other: Any) -> list[str]:
        """Lines for a comparison that does not hold."""
        wanted = other.value if isinstance(other, EndReason) else other
        word = {"==": "expected", "!=": "expected another outcome than"}[op]
        return [f"the session ended {self!s}, {word} {wanted}", *([f"because: {plain(self.why)}"] if self.why else [])]
