"""Read pytest's command line and ini file into one frozen `Settings` value; refuse what can't work, in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import pytest

from pytest_mala.plugin.settings import SUFFIXES, LaneName, MatchName, RecordName, Settings, StaleName
from pytest_mala.plugin.stash import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["add_named_roots", "declare", "options_table", "read", "start"]

REFUSED_RECORDING: Final = ("new_episodes", "any", "rewrite")
"""Record modes of other tools that would mix old and new turns (design D5)."""

MOST: Final = 1000
"""Takes of one issue, and plays of one take."""


# tuples and no dataclasses: making those would be a third of what the plugin costs a run without issues
class Option(NamedTuple):
    """One command line option; `text` is its help, `default` what the documentation says about leaving it out.

    One without `metavar` is a switch.
    """

    flag: str
    dest: str
    metavar: str
    default: str
    text: str
    repeatable: bool = False


class IniValue(NamedTuple):
    """One key of pytest's ini file, with pytest's name of its type."""

    name: str
    type: Literal["string", "paths", "bool"]
    default: Any
    shown_default: str
    text: str


OPTIONS: Final = (
    Option(
        flag="--mala-issues",
        dest="mala_issues",
        metavar="PATH",
        default="the ini value mala_issues",
        text="collect the issues of this file or folder; may be repeated",
        repeatable=True,
    ),
    Option(
        flag="--mala-lane",
        dest="mala_lane",
        metavar="replay|scripted",
        default="replay",
        text="what stands behind the SDK: recorded frames; the real CLI against a scripted model on loopback",
    ),
    Option(
        flag="--mala-record",
        dest="mala_record",
        metavar="none|once|all|stale",
        default="the ini value mala_record",
        text="write cassettes in lane scripted: never; those that are missing; all; those that no longer match",
    ),
    Option(
        flag="--mala-takes",
        dest="mala_takes",
        metavar="K",
        default="as many as the cassette has, else 1",
        text="record so many sessions of each issue, one after the other; each is replayed as a test of its own",
    ),
    Option(
        flag="--mala-plays",
        dest="mala_plays",
        metavar="N",
        default="1",
        text="replay each take so many times, and fail if two plays of one take differ",
    ),
    Option(
        flag="--mala-stale",
        dest="mala_stale",
        metavar="fail|warn",
        default="fail",
        text="what a prompt is whose wording changed since it was recorded: an error; a remark in the summary",
    ),
    Option(
        flag="--mala-match",
        dest="mala_match",
        metavar="strict|loose",
        default="the ini value mala_match",
        text="compare what applications send (mala_cassette) word by word, or without ids, times and paths of any kind",
    ),
    Option(
        flag="--mala-allow-incomplete",
        dest="mala_allow_incomplete",
        metavar="",
        default="they are refused",
        text="replay also cassettes that were recovered from a recording which was cut short, as far as they go",
    ),
)

INI_VALUES: Final = (
    IniValue(
        name="mala_issues",
        type="paths",
        default=[],
        shown_default="none",
        text="files and folders whose Markdown files with front matter are issues",
    ),
    IniValue(
        name="mala_cassettes",
        type="string",
        default="",
        shown_default="cassettes in the rootdir",
        text="the folder of the cassettes",
    ),
    IniValue(
        name="mala_prompts",
        type="string",
        default="",
        shown_default="the prompts that come with pytest-mala",
        text="the folder of the prompt files",
    ),
    IniValue(
        name="mala_record",
        type="string",
        default="none",
        shown_default="none",
        text="as --mala-record, for lanes that can record; must be none where CI is set",
    ),
    IniValue(
        name="mala_match",
        type="string",
        default="strict",
        shown_default="strict",
        text="as --mala-match; issues are always matched strictly",
    ),
    IniValue(
        name="mala_frozen",
        type="bool",
        default=True,
        shown_default="true",
        text="move datetime.now(), time.time() and time.monotonic() with the session's clock",
    ),
)


def declare(parser: pytest.Parser) -> None:
    """Tell pytest about all options and ini values."""
    group = parser.getgroup("mala", "pytest-mala: agent sessions as tests")
    for option in OPTIONS:
        if not option.metavar:
            group.addoption(option.flag, dest=option.dest, action="store_true", help=option.text)
            continue
        action: dict[str, Any] = {"action": "append", "default": []} if option.repeatable else {"default": None}
        group.addoption(option.flag, dest=option.dest, metavar=option.metavar, help=option.text, **action)
    for value in INI_VALUES:
        parser.addini(value.name, value.text, type=value.type, default=value.default)


def options_table() -> str:
    """The reference of all options and ini values as Markdown, for the documentation."""
    head = ["| option or ini value | default | meaning |", "|---|---|---|"]
    options = [
        (f"{option.flag}={option.metavar}" if option.metavar else option.flag, option.default, option.text)
        for option in OPTIONS
    ]
    values = [(f"{value.name} (ini, {value.type})", value.shown_default, value.text) for value in INI_VALUES]
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in options + values]
    return "\n".join([*head, *(f"| `{name}` | {default} | {text} |" for name, default, text in cells)])


def add_named_roots(config: pytest.Config, args: list[str]) -> None:
    """Make the paths of `--mala-issues` ordinary arguments, early enough for their conftest files.

    pytest calls this before it reads the initial conftest files; a root so becomes one of them, and `pytest
    --mala-issues issues/` runs the issues only.
    """
    known = config.known_args_namespace
    for path in known.mala_issues:
        if not path:
            raise pytest.UsageError("--mala-issues: expected a file or folder, got an empty text")
        if not _absolute(config.invocation_params.dir, path).exists():
            hint = " (an id is an argument of its own: pytest FILE::ID)" if "::" in path else ""
            raise pytest.UsageError(f"--mala-issues: no such file or folder: {path}{hint}")
        if _is_no_issue(_absolute(config.invocation_params.dir, path)):
            raise pytest.UsageError(
                f"--mala-issues: {path} is no issue file: expected a folder, or a file *{SUFFIXES[0]}"
            )
        args.append(path)
        known.file_or_dir = [*known.file_or_dir, path]


def start(config: pytest.Config) -> Settings:
    """Read the settings, keep them on the config, and make the marker known."""
    settings = config.stash[SETTINGS] = read(config)
    config.addinivalue_line(
        "markers",
        "mala(id, type, priority, status, labels): set on the tests made from issue files, for -m; "
        "mala(issue=..., gate_retries=..., idle=..., ...): what mala_session works on, and its limits",
    )
    config.addinivalue_line(
        "markers",
        "mala_cassette(name, match): record and replay the SDK calls of the test's own code; the name is that of the "
        "cassette, match is strict or loose",
    )
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        # a bare `pytest` goes through `testpaths`; it runs the issues of the ini value too
        config.args += [str(root) for root in settings.roots if str(root) not in config.args]
    return settings


def read(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this run.

    Raises pytest.UsageError (exit status 4) for a value that can't work, with one line that says what can.
    """
    base = config.inipath.parent if config.inipath is not None else config.invocation_params.dir
    lane = _lane(config)
    roots = _roots(config)
    has_issues = bool(roots) or any(arg.split("::", 1)[0].endswith(SUFFIXES) for arg in config.args)
    record = _record(config, lane, environ)
    return Settings(
        lane=lane,
        record=record,
        match=_match(config),
        roots=roots,
        cassette_dir=_cassette_dir(config, base, has_issues=has_issues),
        prompts_dir=_prompts_dir(config, base),
        frozen=_frozen(config),
        stale=_one_of(config.getoption("mala_stale") or "fail", get_args(StaleName), "--mala-stale"),
        takes=_takes(config, record),
        plays=_number(config.getoption("mala_plays") or "1", "--mala-plays"),
        allow_incomplete=config.getoption("mala_allow_incomplete"),
        rootdir=config.rootpath,
        invocation_dir=config.invocation_params.dir,
        has_issues=has_issues,
    )


def _lane(config: pytest.Config) -> LaneName:
    value = config.getoption("mala_lane")
    if value is None:
        return "replay"
    if value == "live":
        raise pytest.UsageError(
            "--mala-lane=live is not part of this version, which never calls the real API: expected replay or scripted"
        )
    lane: LaneName = _one_of(value, get_args(LaneName), "--mala-lane")
    return lane


def _record(config: pytest.Config, lane: LaneName, environ: Mapping[str, str]) -> RecordName:
    given = config.getoption("mala_record")
    name, value = ("mala_record", config.getini("mala_record")) if given is None else ("--mala-record", given)
    if value in REFUSED_RECORDING:
        raise pytest.UsageError(
            f"{name}: {value} is refused, because a live agent is not in the state that the recorded one was in: "
            "use once for cassettes that are missing, stale for those that no longer match"
        )
    record: RecordName = _one_of(value, get_args(RecordName), name)
    if record == "none":
        return record
    if environ.get("CI") and not (given is not None and _is_typed(config, "--mala-record")):
        raise pytest.UsageError(
            f"{name}: {record} is refused where CI is set: recording in CI is asked for on the command line, "
            f"with --mala-record={record}"
        )
    if lane != "replay":
        return record
    if given is None:
        # the ini value speaks of lanes that can record; an ordinary replay must not become an error by it
        return "none"
    raise pytest.UsageError(
        f"--mala-record={record} can't be used in lane replay, which has no agent to record: add --mala-lane=scripted"
    )


def _takes(config: pytest.Config, record: RecordName) -> int | None:
    value = config.getoption("mala_takes")
    if value is None:
        return None
    takes = _number(value, "--mala-takes")
    if record == "none":
        raise pytest.UsageError(
            f"--mala-takes={value} says how many sessions are recorded, and this run records none: "
            "add --mala-lane=scripted and --mala-record=once (what is recorded already is replayed take by take)"
        )
    return takes


def _number(value: str, name: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= MOST):
        raise pytest.UsageError(f"{name}: expected a number from 1 to {MOST}, got {value!r}")
    return int(value)


def _match(config: pytest.Config) -> MatchName:
    given = config.getoption("mala_match")
    name, value = ("mala_match", config.getini("mala_match")) if given is None else ("--mala-match", given)
    match: MatchName = _one_of(value, get_args(MatchName), name)
    return match


def is_in_session(folder: Path) -> bool:
    """Whether we run inside of a session's workspace: then a check runs the tests of the project that is worked on, and
    the issues that its ini file names would be sessions inside of a session.
    """
    return any(
        place.name == "workspace"
        and place.parent.name.startswith("mala-")
        and (place.parent / "workspace.git").is_dir()
        for place in (folder, *folder.parents)
    )


def _roots(config: pytest.Config) -> tuple[Path, ...]:
    named = [_absolute(config.invocation_params.dir, path) for path in config.getoption("mala_issues")]
    kept = [_absolute(config.invocation_params.dir, path) for path in config.getini("mala_issues")]
    if kept and is_in_session(config.rootpath):
        kept = []
    for path in kept:
        if not path.exists():
            raise pytest.UsageError(f"mala_issues: no such file or folder: {path} (in {_ini_name(config)})")
        if _is_no_issue(path):
            raise pytest.UsageError(
                f"mala_issues: {path} is no issue file: expected a folder, or a file *{SUFFIXES[0]} "
                f"(in {_ini_name(config)})"
            )
    return tuple(dict.fromkeys(named + kept))


def _is_no_issue(path: Path) -> bool:
    """A file, and none that could be an issue by its name."""
    return path.is_file() and path.suffix not in SUFFIXES


def _cassette_dir(config: pytest.Config, base: Path, *, has_issues: bool) -> Path:
    """The folder of the cassettes; it may be missing, but where issues are run nothing else may stand in its place."""
    given = _ini_path(config, "mala_cassettes", base)
    path = given or config.rootpath / "cassettes"
    if has_issues and path.exists() and not path.is_dir():
        where = f" (in {_ini_name(config)})" if given else ""
        raise pytest.UsageError(f"mala_cassettes: expected a folder, got a file: {path}{where}")
    return path


def _frozen(config: pytest.Config) -> bool:
    try:
        return bool(config.getini("mala_frozen"))
    except (ValueError, pytest.UsageError) as error:  # the one or the other, by the version of pytest
        raise pytest.UsageError(f"mala_frozen: expected true or false: {error} (in {_ini_name(config)})") from None


def _prompts_dir(config: pytest.Config, base: Path) -> Path | None:
    path = _ini_path(config, "mala_prompts", base)
    if path is not None and not path.is_dir():
        raise pytest.UsageError(f"mala_prompts: no such folder: {path} (in {_ini_name(config)})")
    return path


def _ini_path(config: pytest.Config, name: str, base: Path) -> Path | None:
    value = config.getini(name)
    return _absolute(base, value) if value else None


def _ini_name(config: pytest.Config) -> str:
    return config.inipath.name if config.inipath is not None else "--override-ini"


def _one_of(value: str, allowed: tuple[str, ...], name: str) -> Any:
    if value not in allowed:
        raise pytest.UsageError(f"{name}: expected {', '.join(allowed[:-1])} or {allowed[-1]}, got {value!r}")
    return value


def _is_typed(config: pytest.Config, flag: str) -> bool:
    """Whether the flag stands on the command line itself, and not in addopts or PYTEST_ADDOPTS."""
    return any(str(arg).split("=", 1)[0] == flag for arg in config.invocation_params.args)


def _absolute(base: Path, path: str | Path) -> Path:
    """As pytest does it: `..` is folded, symbolic links stay."""
    return Path(os.path.normpath(base / path))
