"""Makes all mutants of the session core and asks for a reason for each that survives.

`python -m tests.session.mutation [-j N] [--draft FILE] [MODULE ...]`; it needs mutmut, which is no dependency of the
project. Status 1 if a survivor is not explained in explained.toml or an explanation is stale, status 2 if nothing
could be shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .explained import EXPLAINED, draft, read
from .judge import judge, told
from .model import COMMAND, ROOM, CannotJudge, modules
from .run import needs, run

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None, *, explained: Path = EXPLAINED, tool: str = "mutmut") -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Makes mutants of the session core, in a copy.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="as stream.py or transcript/wire.py; default: all")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="child processes")
    parser.add_argument("--draft", type=Path, metavar="FILE", help="a new file for survivors that are not explained")
    given = parser.parse_args(arguments)
    try:
        chosen = choose(given.modules)
        explanations = read(explained)
        needs(tool)
        must_be_new(given.draft)
        judgement = judge(run(chosen, max(1, given.jobs), _say), explanations, chosen)
    except CannotJudge as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing can be said about the mutants", file=sys.stderr)
        return 2
    print(told(judgement))
    if given.draft:
        given.draft.write_text(draft(mutant.change for mutant in judgement.unexplained), encoding="utf-8")
    return judgement.status


def choose(names: Sequence[str]) -> list[str] | None:
    """The modules that are named, relative to the package; None for all. Raises CannotJudge for others."""
    wanted = [f"{ROOM}/{name.removeprefix(f'{ROOM}/')}" for name in names]
    if unknown := [name for name in wanted if name not in modules()]:
        raise CannotJudge(f"no such module is mutated: {', '.join(unknown)}; expected one as stream.py")
    return wanted or None


def must_be_new(draft: Path | None) -> None:
    """Raises CannotJudge where a draft could not be written after the run, or would replace another file."""
    if draft and (draft.exists() or not draft.parent.is_dir()):
        raise CannotJudge(f"--draft {draft}: expected the name of a new file in a folder that is there")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
