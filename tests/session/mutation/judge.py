"""Holds what survived against what is explained: each survivor needs its explanation, and the other way round."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model import NOTICED, Change, Explanation, Mutant, Results, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`stale` are explanations of what did not survive, or survived less often than they say."""

    results: Results
    explained: int
    unexplained: tuple[Mutant, ...]
    stale: tuple[Explanation, ...]

    @property
    def status(self) -> int:
        """What the command ends with."""
        return int(bool(self.unexplained or self.stale))


def judge(results: Results, explanations: Iterable[Explanation], modules: Collection[str] | None = None) -> Judgement:
    """With `modules`, only their explanations can be stale: the others' mutants were not made."""
    known = {explanation.change: explanation for explanation in explanations}
    left = Counter({change: explanation.times for change, explanation in known.items()})
    unexplained = []
    survivors = [mutant for mutant in results.told if mutant.verdict not in NOTICED]
    for mutant in survivors:
        if left[mutant.change] > 0:
            left[mutant.change] -= 1
        else:
            unexplained.append(mutant)
    # a slow machine may end a mutant early that would have survived: its explanation is not wrong
    left.subtract(mutant.change for mutant in results.told if mutant.verdict is Verdict.TIMEOUT)
    stale = [one for change, one in known.items() if left[change] > 0 and _was_made(change, modules)]
    return Judgement(
        results=results,
        explained=len(survivors) - len(unexplained),
        unexplained=tuple(unexplained),
        stale=tuple(stale),
    )


def _was_made(change: Change, modules: Collection[str] | None) -> bool:
    return modules is None or change.module in modules


def told(judgement: Judgement) -> str:
    """The judgement for a terminal."""
    timeouts = [mutant for mutant in judgement.results.told if mutant.verdict is Verdict.TIMEOUT]
    parts = [_block(mutant.verdict.value, mutant.change) for mutant in timeouts]
    parts += [_block(f"{mutant.verdict.value}, not explained", mutant.change) for mutant in judgement.unexplained]
    for explanation in judgement.stale:
        often = f" {explanation.times} times" if explanation.times > 1 else ""
        parts.append(f"{_block(f'stale, did not survive{often}', explanation.change)}\n    why: {explanation.why}")
    return "\n".join([*parts, summary(judgement)])


def _block(label: str, change: Change) -> str:
    """`module function` and its lines."""
    lines = [*(f"    - {line}" for line in change.old), *(f"    + {line}" for line in change.new)]
    return "\n".join([f"{change.module} {change.function} ({label})", *lines])


def summary(judgement: Judgement) -> str:
    """The counts in one line."""
    counts = judgement.results.counts
    verdicts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return (
        f"{counts.total()} mutants: {verdicts}; {judgement.explained} explained, "
        f"{len(judgement.unexplained)} not explained, {len(judgement.stale)} stale"
    )
