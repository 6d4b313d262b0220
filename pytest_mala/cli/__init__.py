"""The command `pytest-mala`: what is done to cassettes outside of a test run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_mala.errors import MalaError, UsageError
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["main"]

_HELP_WIDTH = 100
_PATH = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object for each file, on a line of its own.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 when all went well, 1 when a file was refused, 2 for unusable arguments."""
    try:
        pytest_mala.main(arguments, prog_name="pytest-mala")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _HELP_WIDTH})
@click.version_option(package_name="pytest-mala", message="%(prog)s %(version)s")
def pytest_mala() -> None:
    """Look after the recorded sessions of pytest-mala."""


@pytest_mala.command("import")
@click.argument("log", metavar="LOG", type=_PATH)
@click.option("--issue", metavar="PATH", type=_PATH, help="An issue file that is there already; it stays as it is.")
@click.option("--id", "name", metavar="ID", help="The id of the new issue; made of the log's name by default.")
@click.option("--issues", metavar="DIR", type=_PATH, default="issues", show_default=True, help="Where the issue goes.")
@click.option(
    "--cassettes",
    metavar="DIR",
    type=_PATH,
    default="cassettes",
    show_default=True,
    help="Where the cassette goes.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(
    log: Path, *, issue: Path | None, name: str | None, issues: Path, cassettes: Path, force: bool, as_json: bool
) -> None:
    """Make an issue and a cassette of a session log of Claude Code.

    LOG is a file <session id>.jsonl; files of its sub-agents beside it are read too. Secrets are taken out as from a
    recording. What a log does not tell (options, hook answers, timing inside a turn, workspace) stays unknown: a replay
    plays what was said and done, and no check runs.
    """
    from pytest_mala.cli.importing import Wanted, import_log

    if issue is not None and name is not None:
        raise click.UsageError("--issue names an issue that has an id; leave out --id")
    wanted = Wanted(log=log, issue=issue, name=name, issues=issues, cassettes=cassettes, force=force)
    try:
        report = import_log(wanted)
    except UsageError as error:
        raise click.UsageError(_one_line(str(error))) from None
    except MalaError as error:
        click.echo(f"error: {_one_line(str(error))}", err=True)
        raise SystemExit(1) from None
    for line in [json.dumps(report.to_data())] if as_json else map(_one_line, report.lines()):
        click.echo(line)


@pytest_mala.group()
def cassette() -> None:
    """Work on cassette files."""


@cassette.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=_PATH)
@_JSON
def seal(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Accept a cassette that was edited by hand.

    It is checked as a replay does, marked as edited, and its digest is written anew. A file whose digest is right stays
    as it is; one that a replay would refuse is refused, and stays too.
    """
    from pytest_mala.cli.sealing import sealed  # here and below: `--help` needs no YAML

    _each(paths, sealed, as_json=as_json)


@cassette.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=_PATH)
@click.option("--times/--no-times", default=True, help="Whether each step has its time; they differ by recording.")
@_JSON
def show(paths: tuple[Path, ...], *, times: bool, as_json: bool) -> None:
    """Tell what a cassette holds, as a story.

    Prompts, answers, tool calls, decisions and gates stand in their order. Nothing is played: no check runs, and none
    of your hooks. A recording that was cut short is told as far as it goes.
    """
    from pytest_mala.cli.showing import facts, story
    from pytest_mala.cli.styling import styled_story

    def told(path: Path) -> str:
        return json.dumps(facts(path, times=times)) if as_json else styled_story(story(path, times=times))

    _each(paths, told, is_text=True)


@cassette.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=_PATH)
@click.option(
    "--issues",
    multiple=True,
    metavar="PATH",
    type=_PATH,
    help="Tell which cassettes no issue of this file or folder reads, and which are stale.",
)
@click.option(
    "--prompts",
    metavar="PATH",
    type=_PATH,
    help="The folder of the prompt files; by default that of `mala_prompts` in pytest's configuration here, or ours.",
)
@_JSON
def check(paths: tuple[Path, ...], issues: tuple[Path, ...], prompts: Path | None, *, as_json: bool) -> None:
    """Look over cassettes; the exit status is 1 if one is refused.

    PATH is a cassette or a folder of them, `cassettes` by default. Each is read as a replay reads it. Told as well:
    which were edited by hand or recorded with another SDK, and what killed recordings left behind. A stale one answers
    prompts that its issue or the prompt files no longer make.
    """
    from pytest_mala.cli.checking import check as checked
    from pytest_mala.cli.prompting import prompt_folder

    failed = False
    try:
        folder = prompt_folder(Path.cwd()) if issues and prompts is None else prompts
        for one in checked(paths or (Path("cassettes"),), issues, folder):
            failed = failed or one.error is not None
            click.echo(
                json.dumps(one.to_data()) if as_json else _one_line(str(one)), err=bool(one.error) and not as_json
            )
    except MalaError as error:
        raise click.UsageError(_one_line(str(error))) from None
    raise SystemExit(1 if failed else 0)


@cassette.command()
@click.argument("one", metavar="PATH", type=_PATH)
@click.argument("other", metavar="[OTHER]", type=_PATH, required=False)
@click.option("--takes", nargs=2, type=int, metavar="A B", help="Take A of PATH with take B of OTHER, or of PATH.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object with the lines of the difference.")
def diff(one: Path, other: Path | None, takes: tuple[int, int] | None, *, as_json: bool) -> None:
    """Compare two cassettes, or two takes; the exit status is 1 if they differ.

    Times are not compared. Sessions, tool calls and commits have numbers, so other ids are no difference. The exit
    status is 2 if a file can't be read.
    """
    from pytest_mala.cli.comparing import differences
    from pytest_mala.cli.styling import styled_diff

    if other is None and takes is None:
        raise click.UsageError("name what to compare it with: OTHER, or two takes of PATH (--takes 1 2)")
    try:
        lines = differences(one, one if other is None else other, takes)
    except MalaError as error:
        click.echo(f"error: {_one_line(str(error))}", err=True)
        raise SystemExit(2) from None
    if as_json:
        click.echo(json.dumps({"same": not lines, "diff": lines}))
    elif lines:
        click.echo(styled_diff(lines))
    raise SystemExit(1 if lines else 0)


@cassette.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=_PATH)
@_JSON
def upgrade(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Bring cassettes up to what this version writes.

    That is the format, its layout, and the present rules for secrets: a cassette without secrets says afterwards that
    they were looked for. A file that is so already stays as it is; one that a replay would refuse is refused, and so
    is one with a secret in it.
    """
    from pytest_mala.cli.upgrading import upgraded

    _each(paths, upgraded, as_json=as_json)


@cassette.command()
@click.argument("paths", nargs=-1, required=True, metavar="PART...", type=_PATH)
@click.option("-o", "--output", metavar="PATH", type=_PATH, help="Where to write it; beside PART by default.")
@_JSON
def recover(paths: tuple[Path, ...], output: Path | None, *, as_json: bool) -> None:
    """Make a cassette of what a killed recording left behind.

    PART is its journal, a file *.part beside the cassettes. The cassette is marked incomplete, and a replay refuses it
    unless it is told otherwise (--mala-allow-incomplete). A cassette that is there already is never replaced; the
    journal is removed when its cassette is written.
    """
    from pytest_mala.cli.recovering import recovered

    if output is not None and len(paths) > 1:
        raise click.UsageError("--output names one file: give one PART with it")
    _each(paths, lambda path: recovered(path, output), as_json=as_json)


def _each(
    paths: Iterable[Path], action: Callable[[Path], str], *, is_text: bool = False, as_json: bool = False
) -> None:
    """What was done with each path, on one line unless it is a text; the exit status is 1 if one was refused."""
    failed = False
    for path in paths:
        try:
            done = action(path)
            if as_json:
                done = json.dumps({"path": str(path), "ok": True, "done": done, "error": None})
            click.echo(done.rstrip("\n") if is_text else _one_line(done))
        except MalaError as error:
            if as_json:
                click.echo(json.dumps({"path": str(path), "ok": False, "done": None, "error": str(error)}))
            else:
                click.echo(f"error: {_one_line(str(error))}", err=True)
            failed = True
    if failed:
        raise SystemExit(1)


def _one_line(text: str) -> str:
    """A path may hold anything, a line end too."""
    return escaped(text).replace("\n", "\\n")
