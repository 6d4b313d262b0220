"""The checks of a session's gate, by name and by attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.report.failure import verdict_word
from pytest_mala.report.text import counted, indented, plain, tail
from pytest_mala.testing.names import UnknownNameError, known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_mala.case import CheckRow

__all__ = ["GateCheck", "Gates"]

_VERDICTS: Final = ("passed", "failed", "timed-out", "error")
_OUTPUT_LINES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class GateCheck:
    """One check of one gate attempt: true if it passed, equal to its verdict (passed, failed, timed-out, error).

    `reason` is one line, empty if it passed; `output` is bounded; `seconds` is what it took when it was recorded.
    """

    name: str
    verdict: str
    reason: str
    output: str
    seconds: float

    def __bool__(self) -> bool:
        """Whether it passed."""
        return self.verdict == "passed"

    def __eq__(self, other: object) -> bool:
        """Whether that is its verdict; UnknownNameError for a string that is none."""
        __tracebackhide__ = True
        if isinstance(other, str):
            return self.verdict == known("verdict", other, _VERDICTS)
        if isinstance(other, GateCheck):
            return (self.name, self.verdict, self.output) == (other.name, other.verdict, other.output)
        return NotImplemented

    def __hash__(self) -> int:
        """As its verdict's."""
        return hash(self.verdict)

    def __repr__(self) -> str:
        """One line: name, verdict, reason."""
        return f"<check {self.name}: {self.verdict}{f' ({plain(self.reason)})' if self.reason else ''}>"

    def explained(self, op: str, other: Any) -> list[str]:
        """Lines for a comparison that does not hold, with the end of the check's output."""
        word = {"==": "expected", "!=": "expected another verdict than"}[op]
        wanted = other if isinstance(other, str) else repr(other)
        text, total = tail(plain(self.output), _OUTPUT_LINES)
        cut = [f"  ... (last {_OUTPUT_LINES} of {total} lines)"] if total > _OUTPUT_LINES else []
        reason = [f"because: {plain(self.reason)}"] if self.reason else []
        shown = [*cut, *indented(text, "  ")] if total else []
        return [f"check {self.name} {self.verdict}, {word} {wanted}", *reason, *shown]


class Gates(Mapping[str, GateCheck]):
    """The checks of the last gate attempt by name, the commit rule's row included; `attempt(1)` is the first attempt.

    A name that no check has raises UnknownNameError, which is a KeyError.
    """

    def __init__(self, attempts: Sequence[Sequence[CheckRow]], number: int | None = None) -> None:
        self._attempts = attempts
        self._number = len(attempts) if number is None else number
        rows = attempts[self._number - 1] if attempts else ()
        self._checks = {
            row.name: GateCheck(
                name=row.name, verdict=row.verdict, reason=row.reason, output=row.output, seconds=row.seconds
            )
            for row in rows
        }

    @property
    def passed(self) -> bool:
        """Whether there was an attempt and each of its checks passed."""
        return bool(self._checks) and all(self.values())

    @property
    def attempts(self) -> int:
        """How often the gate was tried."""
        return len(self._attempts)

    def attempt(self, number: int) -> Gates:
        """The checks of that attempt, counted from 1. Raises UnknownNameError if there was none."""
        __tracebackhide__ = True
        if number not in range(1, len(self._attempts) + 1):
            raise UnknownNameError(f"there is no gate attempt {number!r}: the session had {len(self._attempts)}")
        return Gates(self._attempts, number)

    def __getitem__(self, name: str) -> GateCheck:
        """The check of that name."""
        __tracebackhide__ = True
        if not self._attempts:
            raise UnknownNameError(f"there is no check {name!r}: the session never came to its gate")
        return self._checks[known("check", name, self._checks)]

    def __contains__(self, name: object) -> bool:
        """Whether there is a check of that name."""
        return name in self._checks

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the checks."""
        return iter(self._checks)

    def __len__(self) -> int:
        """How many checks there are."""
        return len(self._checks)

    def __repr__(self) -> str:
        """One line with all verdicts."""
        if not self._attempts:
            return "<no gate attempt>"
        rows = ", ".join(f"{check.name} {verdict_word(check.verdict)}" for check in self.values())
        return f"<gate attempt {self._number} of {counted(len(self._attempts), 'attempt').split()[0]}: {rows}>"
