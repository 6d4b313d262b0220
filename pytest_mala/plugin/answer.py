"""Take the answer of the fixture `mala_case`, which a project may replace or wrap, and say in a line what is wrong."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.case import CaseResult

__all__ = ["result_of"]

REMEDY: Final = "return what `await mala_case()` of the wrapped fixture gives"


TOO_MUCH: Final = 10**12
"""No session has such a number of anything, and texts of much larger ones can't be made."""


async def result_of(run: object) -> CaseResult:
    """Call what `mala_case` is, and await the result. Raises UsageError for anything that can't be judged."""
    from pytest_mala.case import CaseResult  # here: the room of the case comes with the first test

    if not callable(run):
        raise _refused(f"mala_case is {_named(run)}, expected a coroutine function", run)
    answer = run()
    if not inspect.isawaitable(answer):
        raise _refused(f"mala_case() gave {_named(answer)}, expected something to await: write `async def`", answer)
    result = await answer
    if not isinstance(result, CaseResult):
        raise _refused(f"mala_case gave {_named(result)}, expected a CaseResult", result)
    for wrong in _wrong_fields(result):
        raise _refused(f"mala_case gave a CaseResult with {wrong}", result)
    return result


def _refused(what: str, given: object) -> UsageError:
    if inspect.iscoroutine(given):
        given.close()  # or Python would remark later that nobody has awaited it
    return UsageError(f"{what}; {REMEDY}")


def _named(value: object) -> str:
    """What a value is; not its `repr`, which is foreign text of any length."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _wrong_fields(result: CaseResult) -> Iterator[str]:
    """Each field that holds something else than its type says: a dataclass takes whatever it is given."""
    from pytest_mala.case import CheckRow
    from pytest_mala.issue import EndReason

    number = (int, float)
    yield from _wrong(result, "", outcome=EndReason, why=str, turns=int, gate_attempts=int)
    yield from _wrong(result, "", cost_usd=(*number, type(None)), virtual_seconds=number, transcript=str)
    for field, kind in {"expected": EndReason, "checks": CheckRow, "notes": str}.items():
        values = getattr(result, field)
        if not (isinstance(values, (tuple, list)) and all(isinstance(one, kind) for one in values)):
            yield f"{field} of another type: expected a tuple of {kind.__name__}"
    for row in result.checks:
        yield from _wrong(row, "checks.", name=str, verdict=str, reason=str, output=str, seconds=number)


def _wrong(holder: object, place: str, **kinds: type | tuple[type, ...]) -> Iterator[str]:
    for field, kind in kinds.items():
        value = getattr(holder, field)
        if isinstance(value, (int, float)) and not (0 <= value < TOO_MUCH):  # also what is no number at all
            yield f"{place}{field} out of range: expected at least 0 and less than {TOO_MUCH:,}"
        elif isinstance(value, bool) or not isinstance(value, kind):
            expected = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            yield f"{place}{field} = {_named(value)}: expected {expected.replace('NoneType', 'None')}"
