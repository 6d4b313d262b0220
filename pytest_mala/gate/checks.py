"""Run the checks of an issue in its workspace and say what came of each; a broken check is a verdict, never a crash."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_mala.errors import UsageError
from pytest_mala.gate.environment import check_environment
from pytest_mala.gate.output import steady_output
from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.process import Completed, ProcessError, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_mala.issue import Check

__all__ = ["run_checks"]

_SHELL_WORDS = frozenset(["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "1>&2"])


class _Unusable(Exception):
    """The check can't be started; the text is the reason, on its way to a verdict."""


async def run_checks(
    checks: Sequence[Check],
    *,
    workspace: Path,
    home: Path,
    path: str | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[CheckResult, ...]:
    """Runs the checks one after the other, all of them, and waits for each up to its own deadline in real time.

    `home` is an existing folder outside the workspace; each check gets a fresh empty HOME and TMPDIR in it, removed
    afterwards. `path` is the caller's PATH (that of this process if not given), `names` what stands for this run's
    paths in the stored output. A cancellation ends the running check. Raises UsageError for a check of kind `evidence`.
    """
    for check in checks:
        if check.kind != "run":
            what = "evidence checks arrive with a later version"
            raise UsageError(f"check {check.name!r}: {what}; use a command to run: `{check.name}: {check.command}`")
    path = os.environ.get("PATH", os.defpath) if path is None else path
    names = {str(workspace): "${WORKSPACE}", str(workspace.resolve()): "${WORKSPACE}", **(names or {})}
    place, home = workspace.resolve(), home.resolve()
    return tuple([await _run_one(check, place, home, path, names) for check in checks])


async def _run_one(check: Check, workspace: Path, home: Path, path: str, names: Mapping[str, str]) -> CheckResult:
    with TemporaryDirectory(prefix="check-", dir=home, ignore_cleanup_errors=True) as place:
        own_home, tmp = Path(place) / "home", Path(place) / "tmp"
        own_home.mkdir()
        tmp.mkdir()
        names = {str(own_home): "${HOME}", str(tmp): "${TMPDIR}", **names}
        env = check_environment(home=own_home, tmp=tmp, path=path, extra=check.env)
        try:
            cwd = _folder(check, workspace)
            argv = _argv(check, cwd, env["PATH"])
            return _judged(check, await run_in_thread(argv, cwd=cwd, env=env, timeout=check.timeout), names)
        except (_Unusable, ProcessError) as error:
            reason = steady_output(str(error), names)
            return CheckResult(
                name=check.name, kind=check.kind, command=check.command, verdict=Verdict.ERROR, reason=reason
            )


def _folder(check: Check, workspace: Path) -> Path:
    """The folder the check runs in; the agent may have removed it, or put a link in its place."""
    wanted = check.cwd or "."
    folder = (workspace / wanted).resolve()
    if not folder.is_relative_to(workspace):
        raise _Unusable(f"cwd `{wanted}` leads out of the workspace; expected a folder inside it")
    if not folder.is_dir():
        raise _Unusable(f"cwd `{wanted}` is no folder of the workspace after the agent's work")
    return folder


def _argv(check: Check, cwd: Path, path: str) -> list[str]:
    if check.shell:
        return ["/bin/sh", "-c", check.command]
    try:
        argv = shlex.split(check.command)
    except ValueError as error:
        raise _Unusable(f"the command line can't be read: {error}; quote it, or set `shell: true`") from None
    if not argv or not argv[0]:
        raise _Unusable("the command line is empty")
    _find(argv[0], cwd, path)
    return argv


def _find(program: str, cwd: Path, path: str) -> None:
    """Makes sure that there is such a program, since a missing one is told best before it is missed."""
    if "/" in program:
        if not (cwd / program).is_file():
            raise _Unusable(f"there is no file `{program}`, seen from the folder that the check runs in")
        if not os.access(cwd / program, os.X_OK):
            raise _Unusable(f"`{program}` is not executable; make it so, or name its interpreter (`sh {program}`)")
    elif shutil.which(program, path=path) is None:
        is_variable = "=" in program and program.split("=", 1)[0].isidentifier()
        hint = "set variables with `env:`, or set `shell: true`" if is_variable else _INSTALL
        raise _Unusable(
            f"`{program}` is not on the check's PATH (the folder of this Python, then the caller's); {hint}"
        )


_INSTALL = "install it beside this Python, or give its path"


def _judged(check: Check, done: Completed, names: Mapping[str, str]) -> CheckResult:
    verdict, reason = _verdict(check, done)
    return CheckResult(
        name=check.name,
        kind=check.kind,
        command=check.command,
        verdict=verdict,
        exit_status=done.exit_status,
        output=steady_output(done.output, names),
        seconds=done.seconds,
        reason=reason,
        left=_left(done),
        # elsewhere it is always so, and the docs say it
        blind=done.blind_because if sys.platform == "linux" else "",
    )


def _left(done: Completed) -> str:
    if done.lives_on:
        return "left a process behind that could not be found or ended"
    return "left processes behind; they were ended" if done.left_behind else ""


def _verdict(check: Check, done: Completed) -> tuple[Verdict, str]:
    if done.timed_out:
        return Verdict.TIMED_OUT, f"did not end within {check.timeout:g} s and was killed"
    if done.signal is not None:
        return Verdict.FAILED, f"killed by signal {_signal_name(done.signal)}, expected exit status {check.expect_exit}"
    if done.exit_status == check.expect_exit:
        return Verdict.PASSED, ""
    reason = f"exit status {done.exit_status}, expected {check.expect_exit}"
    words = [] if check.shell else sorted(_SHELL_WORDS & set(shlex.split(check.command)))
    if words:
        reason += f"; `{words[0]}` was given to the program as it stands: set `shell: true` for shell syntax"
    return Verdict.FAILED, reason


def _signal_name(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
