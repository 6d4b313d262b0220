"""Options and ini values: what they mean, and the one line that refuses what can't work."""

from __future__ import annotations

import pytest

from pytest_mala.plugin import options

SHOW = """\
import pytest
from pytest_mala.plugin.stash import SETTINGS

def test_show(pytestconfig):
    settings = pytestconfig.stash[SETTINGS]
    for name in settings.__slots__:
        print(f"{name}={getattr(settings, name)}")
"""


def shown(project, *args: str) -> dict[str, str]:
    project.write("test_show.py", SHOW)
    result = project.run("test_show.py", "-s", *args)
    result.assert_outcomes(passed=1)
    return dict(line.removeprefix("test_show.py ").split("=", 1) for line in result.outlines if "=" in line[:30])


def refusal(project, *args: str) -> str:
    project.write("test_show.py", SHOW)
    result = project.run("test_show.py", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not any("Traceback" in line or "INTERNALERROR" in line for line in result.errlines + result.outlines)
    [line] = [line for line in result.errlines if line]
    return line.removeprefix("ERROR: ")


def test_the_defaults_start_no_agent_and_write_nothing(project):
    settings = shown(project)
    assert settings["lane"] == "replay"
    assert settings["record"] == "none"
    assert settings["roots"] == "()"
    assert settings["cassette_dir"] == str(project.path / "cassettes")
    assert settings["prompts_dir"] == "None"
    assert settings["frozen"] == "True"


def test_ini_paths_are_relative_to_the_ini_file(project, monkeypatch):
    (project.path / "words").mkdir()
    (project.path / "issues").mkdir()
    project.ini('mala_issues = ["issues"]\nmala_cassettes = "tapes"\nmala_prompts = "words"\nmala_frozen = false')
    settings = shown(project)
    assert settings["cassette_dir"] == str(project.path / "tapes")
    assert settings["prompts_dir"] == str(project.path / "words")
    assert str(project.path / "issues") in settings["roots"]
    assert settings["frozen"] == "False"


def test_the_lanes_that_can_record_take_the_ini_value(project):
    project.ini('mala_record = "once"')
    assert shown(project)["record"] == "none"
    assert shown(project, "--mala-lane=scripted")["record"] == "once"
    assert shown(project, "--mala-lane=scripted", "--mala-record=none")["record"] == "none"
    assert shown(project, "--mala-lane=scripted", "--mala-record=all")["record"] == "all"


NO_LIVE = "--mala-lane=live is not part of this version, which never calls the real API: expected replay or scripted"

REFUSED = {
    "--mala-lane=real": "--mala-lane: expected replay or scripted, got 'real'",
    "--mala-lane=live": NO_LIVE,
    "--mala-record=always": "--mala-record: expected none, once, all or stale, got 'always'",
    "--mala-record=once": "--mala-record=once can't be used in lane replay, which has no agent to record: "
    "add --mala-lane=scripted",
    "--mala-stale=ignore": "--mala-stale: expected fail or warn, got 'ignore'",
    "--mala-takes=2": "--mala-takes=2 says how many sessions are recorded, and this run records none: "
    "add --mala-lane=scripted and --mala-record=once (what is recorded already is replayed take by take)",
    "--mala-takes=none": "--mala-takes: expected a number from 1 to 1000, got 'none'",
    "--mala-takes=0": "--mala-takes: expected a number from 1 to 1000, got '0'",
    "--mala-plays=1001": "--mala-plays: expected a number from 1 to 1000, got '1001'",
    "--mala-plays=-1": "--mala-plays: expected a number from 1 to 1000, got '-1'",
    "--mala-issues=nowhere": "--mala-issues: no such file or folder: nowhere",
    "--mala-issues=issues/a.md::calc-1": "--mala-issues: no such file or folder: issues/a.md::calc-1 "
    "(an id is an argument of its own: pytest FILE::ID)",
}


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_can_not_work_is_refused(project, option):
    assert refusal(project, option) == REFUSED[option]


@pytest.mark.parametrize("mode", ["new_episodes", "any", "rewrite"])
def test_record_modes_that_mix_old_and_new_are_refused(project, mode):
    assert refusal(project, "--mala-lane=scripted", f"--mala-record={mode}") == (
        f"--mala-record: {mode} is refused, because a live agent is not in the state that the recorded one was in: "
        "use once for cassettes that are missing, stale for those that no longer match"
    )


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ('mala_issues = ["gone"]', "mala_issues: no such file or folder: {path}/gone (in pyproject.toml)"),
        ('mala_prompts = "gone"', "mala_prompts: no such folder: {path}/gone (in pyproject.toml)"),
        ('mala_record = "sometimes"', "mala_record: expected none, once, all or stale, got 'sometimes'"),
    ],
)
def test_an_ini_value_that_can_not_work_is_refused(project, ini, message):
    project.ini(ini)
    assert refusal(project) == message.format(path=project.path)


@pytest.mark.parametrize("place", ["ini", "addopts", "environment"])
def test_live_is_refused_wherever_it_is_asked_for(project, monkeypatch, place):
    args = "--mala-lane=live"
    if place == "environment":
        monkeypatch.setenv("PYTEST_ADDOPTS", args)
    else:
        project.ini(f"addopts = {args.split()}".replace("'", '"'))
    assert refusal(project) == NO_LIVE


def test_live_is_refused_once_and_not_for_each_issue(project):
    for number in range(3):
        project.issue(f"calc-{number}")
    result = project.run_issues("--mala-lane=live", "--mala-record=all", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {NO_LIVE}"]
    assert result.outlines == []


def test_an_amount_to_spend_is_no_option_while_nothing_can_be_spent(project):
    result = project.run("--mala-max-usd=1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*: error: unrecognized arguments: --mala-max-usd=1"])


def test_ci_refuses_to_record_by_the_ini_file_and_obeys_the_command_line(project, monkeypatch):
    monkeypatch.setenv("CI", "true")
    project.ini('mala_record = "once"')
    assert refusal(project, "--mala-lane=scripted") == (
        "mala_record: once is refused where CI is set: recording in CI is asked for on the command line, "
        "with --mala-record=once"
    )
    assert shown(project, "--mala-lane=scripted", "--mala-record=once")["record"] == "once"


def test_all_names_are_ours():
    """Another plugin's `dest` of the same name would stop pytest."""
    assert all(option.flag.startswith("--mala-") for option in options.OPTIONS)
    assert all(option.dest == option.flag.removeprefix("--").replace("-", "_") for option in options.OPTIONS)
    assert all(value.name.startswith("mala_") for value in options.INI_VALUES)


def test_the_table_for_the_documentation_has_every_option():
    table = options.options_table().splitlines()
    assert table[:3] == [
        "| option or ini value | default | meaning |",
        "|---|---|---|",
        "| `--mala-issues=PATH` | the ini value mala_issues | "
        "collect the issues of this file or folder; may be repeated |",
    ]
    assert len(table) == 2 + len(options.OPTIONS) + len(options.INI_VALUES)
    assert "| `--mala-lane=replay\\|scripted` | replay |" in table[3]


def test_help_and_marks_are_shown(project):
    project.run("--help").stdout.fnmatch_lines(["*--mala-issues=PATH*", "*mala_frozen (bool)*"])
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.mala(id, type, priority, status, labels): *"])
