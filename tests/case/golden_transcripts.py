"""The transcripts of the samples, byte for byte; `python -m tests.case.golden_transcripts` renews them.

They are rendered from the committed cassettes, so they change only with the samples, with the transcript's layout, or
by mistake: look at the difference before it is committed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from pytest_mala.case import Case, CaseSettings, Lane, RecordMode
from pytest_mala.issue import load_issues

__all__ = ["NAMES", "path_of", "rendered"]

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(f"calc-{number}" for number in range(1, 9))


def path_of(name: str) -> Path:
    """Where the transcript of a sample is kept."""
    return ROOT / "tests" / "case" / "golden" / f"{name}.transcript"


def rendered(name: str) -> bytes:
    """The transcript of a sample, as a replay renders it now."""
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=ROOT / "cassettes",
        prompts=ROOT / "prompts",
        frozen=True,
        rootdir=ROOT,
        record_command="pytest issues --mala-lane=scripted --mala-record=all",
    )
    case = Case(load_issues(ROOT / "issues" / f"{name}.md")[0], settings)
    try:
        case.prepare()
        return asyncio.run(case.run()).transcript.encode()
    finally:
        case.close()


def main() -> None:
    """Write all of them and say which changed."""
    for name in NAMES:
        path, now = path_of(name), rendered(name)
        was = path.read_bytes() if path.is_file() else None
        path.write_bytes(now)
        print(f"{path.relative_to(ROOT)}: {'as it was' if was == now else 'changed'}")


if __name__ == "__main__":
    main()
