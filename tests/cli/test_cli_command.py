"""The command `pytest-mala`: its help, and what it says to arguments that mean nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Said

HELP = {
    (): """\
Usage: pytest-mala [OPTIONS] COMMAND [ARGS]...

  Look after the recorded sessions of pytest-mala.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
  cassette  Work on cassette files.
  import    Make an issue and a cassette of a session log of Claude Code.
""",
    ("import",): """\
Usage: pytest-mala import [OPTIONS] LOG

  Make an issue and a cassette of a session log of Claude Code.

  LOG is a file <session id>.jsonl; files of its sub-agents beside it are read too. Secrets are
  taken out as from a recording. What a log does not tell (options, hook answers, timing inside a
  turn, workspace) stays unknown: a replay plays what was said and done, and no check runs.

Options:
  --issue PATH     An issue file that is there already; it stays as it is.
  --id ID          The id of the new issue; made of the log's name by default.
  --issues DIR     Where the issue goes.  [default: issues]
  --cassettes DIR  Where the cassette goes.  [default: cassettes]
  --force          Replace files that are there already.
  --json           One JSON object.
  -h, --help       Show this message and exit.
""",
    ("cassette",): """\
Usage: pytest-mala cassette [OPTIONS] COMMAND [ARGS]...

  Work on cassette files.

Options:
  -h, --help  Show this message and exit.

Commands:
  check    Look over cassettes; the exit status is 1 if one is refused.
  diff     Compare two cassettes, or two takes; the exit status is 1 if they differ.
  recover  Make a cassette of what a killed recording left behind.
  seal     Accept a cassette that was edited by hand.
  show     Tell what a cassette holds, as a story.
  upgrade  Bring cassettes up to what this version writes.
""",
    ("cassette", "seal"): """\
Usage: pytest-mala cassette seal [OPTIONS] PATH...

  Accept a cassette that was edited by hand.

  It is checked as a replay does, marked as edited, and its digest is written anew. A file whose
  digest is right stays as it is; one that a replay would refuse is refused, and stays too.

Options:
  --json      One JSON object for each file, on a line of its own.
  -h, --help  Show this message and exit.
""",
    ("cassette", "show"): """\
Usage: pytest-mala cassette show [OPTIONS] PATH...

  Tell what a cassette holds, as a story.

  Prompts, answers, tool calls, decisions and gates stand in their order. Nothing is played: no
  check runs, and none of your hooks. A recording that was cut short is told as far as it goes.

Options:
  --times / --no-times  Whether each step has its time; they differ by recording.
  --json                One JSON object for each file, on a line of its own.
  -h, --help            Show this message and exit.
""",
    ("cassette", "check"): """\
Usage: pytest-mala cassette check [OPTIONS] [PATH]...

  Look over cassettes; the exit status is 1 if one is refused.

  PATH is a cassette or a folder of them, `cassettes` by default. Each is read as a replay reads
  it. Told as well: which were edited by hand or recorded with another SDK, and what killed
  recordings left behind. A stale one answers prompts that its issue or the prompt files no longer
  make.

Options:
  --issues PATH   Tell which cassettes no issue of this file or folder reads, and which are stale.
  --prompts PATH  The folder of the prompt files; by default that of `mala_prompts` in pytest's
                  configuration here, or ours.
  --json          One JSON object for each file, on a line of its own.
  -h, --help      Show this message and exit.
""",
    ("cassette", "upgrade"): """\
Usage: pytest-mala cassette upgrade [OPTIONS] PATH...

  Bring cassettes up to what this version writes.

  That is the format, its layout, and the present rules for secrets: a cassette without secrets
  says afterwards that they were looked for. A file that is so already stays as it is; one that a
  replay would refuse is refused, and so is one with a secret in it.

Options:
  --json      One JSON object for each file, on a line of its own.
  -h, --help  Show this message and exit.
""",
    ("cassette", "diff"): """\
Usage: pytest-mala cassette diff [OPTIONS] PATH [OTHER]

  Compare two cassettes, or two takes; the exit status is 1 if they differ.

  Times are not compared. Sessions, tool calls and commits have numbers, so other ids are no
  difference. The exit status is 2 if a file can't be read.

Options:
  --takes A B  Take A of PATH with take B of OTHER, or of PATH.
  --json       A JSON object with the lines of the difference.
  -h, --help   Show this message and exit.
""",
    ("cassette", "recover"): """\
Usage: pytest-mala cassette recover [OPTIONS] PART...

  Make a cassette of what a killed recording left behind.

  PART is its journal, a file *.part beside the cassettes. The cassette is marked incomplete, and
  a replay refuses it unless it is told otherwise (--mala-allow-incomplete). A cassette that is
  there already is never replaced; the journal is removed when its cassette is written.

Options:
  -o, --output PATH  Where to write it; beside PART by default.
  --json             One JSON object for each file, on a line of its own.
  -h, --help         Show this message and exit.
""",
}

USAGE = {
    ("nonsense",): "Error: No such command 'nonsense'.",
    ("--nonsense",): "Error: No such option '--nonsense'.",
    ("cassette", "open"): "Error: No such command 'open'.",
    ("cassette", "seal"): "Error: Missing argument 'PATH...'.",
    ("cassette", "seal", "x", "--force"): "Error: No such option '--force'.",
    ("cassette", "diff", "x"): "Error: name what to compare it with: OTHER, or two takes of PATH (--takes 1 2)",
    ("import",): "Error: Missing argument 'LOG'.",
    ("cassette", "recover", "a", "b", "-o", "c"): "Error: --output names one file: give one PART with it",
}


def test_the_version_is_the_installed_one(command: Callable[..., Said]) -> None:
    said = command("--version")
    assert (said.status, said.out, said.err) == (0, f"pytest-mala {version('pytest-mala')}\n", "")


def test_a_path_with_a_line_end_stays_on_one_line(command: Callable[..., Said], tmp_path: Path) -> None:
    said = command("cassette", "seal", tmp_path / "a\nb.yaml")
    assert (said.status, said.out) == (1, "")
    assert said.err == f"error: {tmp_path}/a\\nb.yaml: there is no cassette\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("place", HELP)
def test_help_is_told_at_each_level(command: Callable[..., Said], place: tuple[str, ...], flag: str) -> None:
    said = command(*place, flag)
    assert (said.status, said.err) == (0, "")
    assert said.out == HELP[place]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_what_means_nothing_is_a_usage_error(command: Callable[..., Said], arguments: tuple[str, ...]) -> None:
    said = command(*arguments)
    assert (said.status, said.out) == (2, "")
    usage, hint, empty, message = said.err.splitlines()
    assert usage.startswith("Usage: pytest-mala ")
    assert (hint.startswith("Try 'pytest-mala "), empty, message) == (True, "", USAGE[arguments])


@pytest.mark.parametrize("place", [(), ("cassette",)])
def test_without_a_command_the_commands_are_told(command: Callable[..., Said], place: tuple[str, ...]) -> None:
    said = command(*place)
    assert (said.status, said.out + said.err) == (2, HELP[place])


STARTS = {
    "script": [str(Path(sys.executable).with_name("pytest-mala"))],
    "module": [sys.executable, "-m", "pytest_mala.cli"],
}


@pytest.mark.parametrize("how", STARTS)
def test_it_is_a_program(how: str, cassette: Path) -> None:
    arguments = ["cassette", "seal", str(cassette), "nowhere.yaml"]
    done = subprocess.run([*STARTS[how], *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == f"{cassette}: unchanged, its digest is right\n"
    assert done.stderr == "error: nowhere.yaml: there is no cassette\n"


def test_help_loads_neither_yaml_nor_sdk() -> None:
    code = (
        "import sys\nfrom pytest_mala.cli import main\n"
        "try:\n    main(['cassette', 'seal', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'yaml', 'vcr', 'claude_agent_sdk', 'pytest', 'pytest_mala.case'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("\n[]\n")
