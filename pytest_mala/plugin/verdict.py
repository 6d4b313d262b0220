"""Turn the result of a session into the verdict of its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.plugin.answer import result_of
from pytest_mala.plugin.failures import GatesFailed, OutcomeDiffers
from pytest_mala.plugin.foreign import presentable
from pytest_mala.plugin.properties import STALE, note
from pytest_mala.plugin.stash import RESULT
from pytest_mala.report.failure import check_value, failed_checks, gates_failed, outcome_differs

if TYPE_CHECKING:
    import pytest

    from pytest_mala.case import CaseResult

__all__ = ["judge_case", "result_properties", "run_item"]


async def run_item(item: pytest.Item, run: object) -> None:
    """Work on an issue, note the result on its test, and judge it; `run` is what the fixture `mala_case` gave."""
    result = await result_of(run)
    item.stash[RESULT] = result
    note(item, result_properties(result))
    judge_case(result)


def judge_case(result: CaseResult) -> None:
    """Return if the session ended as expected.

    Raises GatesFailed if checks failed, else OutcomeDiffers; unknown verdicts count as failures.
    """
    if result.outcome in result.expected:
        return
    if failed_checks(result.checks):
        raise GatesFailed(presentable(gates_failed(result)))
    raise OutcomeDiffers(presentable(outcome_differs(result)))


def result_properties(result: CaseResult) -> list[tuple[str, object]]:
    """What JUnit XML tells about the session and the summary is made from: properties cross to xdist's controller."""
    properties: list[tuple[str, object]] = [
        ("mala.outcome", result.outcome.value),
        ("mala.turns", result.turns),
        ("mala.virtual_s", round(result.virtual_seconds, 3)),
    ]
    if result.cost_usd is not None:
        properties.append(("mala.cost_usd", result.cost_usd))
    if result.take > 1 or result.parting is not None:
        properties.append(("mala.take", result.take))
    if result.parting is not None:
        properties.append(("mala.parting_turn", result.parting))
    if result.plays > 1:
        properties.append(("mala.plays", result.plays))
    if result.stale:
        properties.append((STALE, result.stale))
    properties += [("mala.note", presentable(note)) for note in result.notes]
    return properties + [(f"check.{presentable(row.name)}", presentable(check_value(row))) for row in result.checks]
