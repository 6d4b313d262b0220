"""The command `pytest-mala`: its help, and what it says to arguments that mean nothing."""

from __future__ import annotations

import re
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
usage: pytest-mala [-h] [--version] AREA ...

Look after the recorded sessions of pytest-mala.

options:
  -h, --help  show this help message and exit
  --version   show the version and exit

areas:
  AREA
    cassette  work on cassette files
""",
    ("cassette",): """\
usage: pytest-mala cassette [-h] ACTION ...

Work on cassette files.

options:
  -h, --help  show this help message and exit

actions:
  ACTION
    seal      accept a cassette that was edited by hand
""",
    ("cassette", "seal"): """\
usage: pytest-mala cassette seal [-h] PATH [PATH ...]

Check a cassette that was edited by hand, as a replay does; mark it as edited and write its digest anew. A file whose \
digest is right stays as it is; one that a replay would refuse is refused, and
stays too.

positional arguments:
  PATH        a cassette file

options:
  -h, --help  show this help message and exit
""",
}

USAGE = {
    (): "pytest-mala: error: the following arguments are required: AREA",
    ("nonsense",): "pytest-mala: error: argument AREA: invalid choice: 'nonsense' (choose from cassette)",
    ("--nonsense",): "pytest-mala: error: the following arguments are required: AREA",
    ("cassette",): "pytest-mala cassette: error: the following arguments are required: ACTION",
    ("cassette", "open"): "pytest-mala cassette: error: argument ACTION: invalid choice: 'open' (choose from seal)",
    ("cassette", "seal"): "pytest-mala cassette seal: error: the following arguments are required: PATH",
    ("cassette", "seal", "x", "--force"): "pytest-mala: error: unrecognized arguments: --force",
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
    usage, message = said.err.splitlines()
    assert usage.startswith("usage: pytest-mala ")
    # some versions of Python quote the choices
    assert re.sub(r"choose from '(\w+)'", r"choose from \1", message) == USAGE[arguments]


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
