"""The command `pytest-mala`: what is done to cassettes outside of a test run."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mala.errors import MalaError
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 when all went well, 1 when a file was refused, 2 for unusable arguments."""
    chosen = _parser().parse_args(arguments)
    failed = 0
    for path in chosen.paths:
        try:
            print(_one_line(chosen.action(path)))  # noqa: T201 - a command's output
        except MalaError as error:
            print(f"error: {_one_line(str(error))}", file=sys.stderr)  # noqa: T201 - a command's output
            failed = 1
    return failed


def _one_line(text: str) -> str:
    """A path may hold anything, a line end too."""
    return escaped(text).replace("\n", "\\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pytest-mala", description="Look after the recorded sessions of pytest-mala.")
    parser.add_argument(
        "--version", action="version", version=f"pytest-mala {version('pytest-mala')}", help="show the version and exit"
    )
    areas = parser.add_subparsers(title="areas", required=True, metavar="AREA")
    cassette = areas.add_parser("cassette", help="work on cassette files", description="Work on cassette files.")
    actions = cassette.add_subparsers(title="actions", required=True, metavar="ACTION")
    seal = actions.add_parser(
        "seal",
        help="accept a cassette that was edited by hand",
        description="Check a cassette that was edited by hand, as a replay does; mark it as edited and write its "
        "digest anew. A file whose digest is right stays as it is; one that a replay would refuse is refused, and "
        "stays too.",
    )
    seal.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a cassette file")
    seal.set_defaults(action=_seal)
    return parser


def _seal(path: Path) -> str:
    from pytest_mala.cli.sealing import sealed  # here: `--help` needs no YAML

    return sealed(path)
