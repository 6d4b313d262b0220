"""Shows that each row's tests notice a change of the code: `python -m tests.session.traceability [-j N] [ROW ...]`.

Without rows it runs all of them and writes docs/traceability.md. Status 1 if a mutant survived or could not be tried,
status 2 if nothing could be shown (tests that fail unchanged, an unknown row, a canary that was noticed).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from .copies import Copy, Outcome, Verdict
from .model import Kind, Row
from .report import COMMAND, PAGE, line, page, summary
from .rows import CANARY, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Tries the mutant of each row on the row's tests.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="for example R13 or session:R13; all rows by default")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="N", help="child processes at a time")
    given = parser.parse_args(arguments)
    chosen = {f"session:{name.removeprefix('session:')}" for name in given.rows}
    if unknown := chosen - {row.id for row in ROWS}:
        print(f"no such row: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rows = [row for row in ROWS if row.id in chosen or not chosen]
    began = time.monotonic()
    with copies(max(1, given.jobs)) as free:
        status, outcomes = try_all(rows, free, max(1, given.jobs))
    print(f"{summary(rows, outcomes)}; {time.monotonic() - began:.0f} s")
    if not chosen and status != 2:
        PAGE.write_text(page(ROWS, {outcome.row.id: outcome.verdict.value for outcome in outcomes}), encoding="utf-8")
    return status


def try_all(rows: Sequence[Row], free: SimpleQueue[Copy], jobs: int, canary: Row = CANARY) -> tuple[int, list[Outcome]]:
    """Status and outcomes, in the order of the rows, told as they come."""
    tested = [row for row in rows if row.kind is Kind.TESTED]
    if failure := in_a_copy(free, lambda copy: copy.fails_unchanged([canary, *tested])):
        print(f"the tests fail without any mutant: {failure}", file=sys.stderr)
        return 2, []
    planted = in_a_copy(free, lambda copy: copy.try_row(canary))
    print(line(planted))
    if planted.verdict is not Verdict.SURVIVED:
        print("the canary changes nothing, and did not survive: this run proves nothing", file=sys.stderr)
        return 2, []
    outcomes = []
    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(lambda row: in_a_copy(free, lambda copy: copy.try_row(row)), tested):
            print(line(outcome), flush=True)
            outcomes.append(outcome)
    return int(any(outcome.verdict is not Verdict.KILLED for outcome in outcomes)), outcomes


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Copy]]:
    """Copies of the package that are free to be changed; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mala-mutants-") as folder:
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(count):
            place = Path(folder).resolve() / str(number)
            place.mkdir()
            free.put(Copy(place))
        yield free


def in_a_copy(free: SimpleQueue[Copy], work: Callable[[Copy], T]) -> T:
    """Takes a free copy for the work and gives it back."""
    copy = free.get()
    try:
        return work(copy)
    finally:
        free.put(copy)


if __name__ == "__main__":
    sys.exit(main())
