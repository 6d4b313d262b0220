"""Checks as real child processes: what they see, how they end, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from freezegun import freeze_time

from pytest_mala.errors import UsageError
from pytest_mala.gate import Verdict, run_checks
from pytest_mala.gate.checks import _signal_name
from pytest_mala.gate.environment import check_environment
from pytest_mala.issue import Check

ENVIRONMENT = "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), sys.executable], indent=1))"


@pytest.fixture
def run(tmp_path):
    workspace, home = tmp_path / "workspace", tmp_path / "home"
    workspace.mkdir()
    home.mkdir()

    def run_them(*checks, **given):
        return asyncio.run(run_checks(checks, workspace=workspace, home=home, **given))

    run_them.workspace, run_them.home = workspace, home
    return run_them


def python(code, name="test", **given):
    return Check(name=name, command=shlex.join(["python", "-c", code]), **given)


def summary(result):
    return (result.verdict, result.exit_status, result.reason)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


class TestWhatIsLeftRunning:
    def test_nothing(self, run):
        (found,) = run(python("print('hi')"))
        assert found.left == ""

    def test_what_was_left_is_ended_and_told(self, run):
        (found,) = run(Check(name="t", command="sleep 60 >/dev/null 2>&1 & echo $!", shell=True))
        assert (found.verdict, found.left) == (Verdict.PASSED, "left processes behind; they were ended")
        assert not is_alive(int(found.output))

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no daemon is found, and the docs say so")
    def test_where_daemons_can_not_be_found_it_says_so(self, tmp_path):
        """In a process of its own: a hard limit can't be raised again."""
        (tmp_path / "workspace").mkdir()
        code = f"""
            import asyncio, pathlib, resource
            from pytest_mala.gate import run_checks
            from pytest_mala.issue import Check
            resource.setrlimit(10, (1000, 1000))
            place = pathlib.Path({str(tmp_path)!r})
            checks = [Check(name="t", command="true")]
            (found,) = asyncio.run(run_checks(checks, workspace=place / "workspace", home=place))
            print(found.blind)
            """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
        assert done.stdout == "the limit of file locks is 1000 (`ulimit -H -x`), expected none, or 200000000 and more\n"

    def test_a_result_is_recorded_without_it(self, run):
        (found,) = run(Check(name="t", command="sleep 60 >/dev/null 2>&1 & echo hi", shell=True))
        assert "left" not in found.to_data()


class TestHowAChecksEnds:
    def test_all_are_run_in_order_and_reported(self, run):
        found = run(
            python("print('one')", name="a"),
            python("print('two'); raise SystemExit(3)", name="b"),
            Check(name="c", command="echo three"),
        )
        assert [(result.name, result.output) for result in found] == [("a", "one"), ("b", "two"), ("c", "three")]
        assert list(map(summary, found)) == [
            (Verdict.PASSED, 0, ""),
            (Verdict.FAILED, 3, "exit status 3, expected 0"),
            (Verdict.PASSED, 0, ""),
        ]
        assert all(0 < result.seconds < 60 for result in found)
        assert {(result.kind, result.command) for result in found[2:]} == {("run", "echo three")}

    def test_another_exit_status_may_be_expected(self, run):
        code = "raise SystemExit(3)"
        found = run(python(code, name="a", expect_exit=3), python("", name="b", expect_exit=3))
        assert list(map(summary, found)) == [(Verdict.PASSED, 3, ""), (Verdict.FAILED, 0, "exit status 0, expected 3")]

    def test_a_signal_is_named(self, run):
        (result,) = run(Check(name="a", command="kill -SEGV $$", shell=True))
        assert summary(result) == (Verdict.FAILED, None, "killed by signal 11 (SIGSEGV), expected exit status 0")
        assert _signal_name(999) == "999"

    def test_a_check_that_hangs_in_a_child_of_its_own_is_killed_with_it(self, run):
        code = (
            "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True)\n"
            "child.wait(timeout=60)"
        )
        (result,) = run(python(code, timeout=0.7))
        assert summary(result) == (Verdict.TIMED_OUT, None, "did not end within 0.7 s and was killed")
        assert result.seconds < 10
        assert not is_alive(int(result.output.split()[0]))

    def test_the_deadline_is_real_also_in_frozen_time(self, run):
        code = "import subprocess; subprocess.run(['sleep', '60'], timeout=60)"
        with freeze_time("2026-01-01", real_asyncio=True, ignore=["_pytest.timing", "subprocess"]):
            (result,) = run(python(code, timeout=0.5))
        assert result.verdict is Verdict.TIMED_OUT

    def test_a_child_that_keeps_the_pipe_open_holds_nobody_up(self, run):
        code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
        (result,) = run(python(code, timeout=30))
        assert result.verdict is Verdict.PASSED
        assert result.seconds < 15
        assert not is_alive(int(result.output.split()[0]))

    def test_a_long_output_is_bounded(self, run):
        (result,) = run(python("print(*range(100_000), sep='\\n')"))
        lines = result.output.split("\n")
        assert (lines[0], lines[-1]) == ("0", "99999")
        assert len(lines) == 161

    def test_output_that_is_no_text_is_kept_readable(self, run):
        (result,) = run(python("import sys; sys.stdout.buffer.write(b'\\xff\\xfe ok')"))
        assert result.output == "\ufffd\ufffd ok"


class TestWhatCanNotBeRun:
    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (
                {"command": "no-such-tool --x"},
                "`no-such-tool` is not on the check's PATH (the folder of this Python, then the caller's); "
                "install it beside this Python, or give its path",
            ),
            (
                {"command": "DEBUG=1 python x.py"},
                "`DEBUG=1` is not on the check's PATH (the folder of this Python, then the caller's); "
                "set variables with `env:`, or set `shell: true`",
            ),
            ({"command": "./none.sh"}, "there is no file `./none.sh`, seen from the folder that the check runs in"),
            (
                {"command": "./plain.sh"},
                "`./plain.sh` is not executable; make it so, or name its interpreter (`sh ./plain.sh`)",
            ),
            (
                {"command": "echo 'x"},
                "the command line can't be read: No closing quotation; quote it, or set `shell: true`",
            ),
            ({"command": "  "}, "the command line is empty"),
            ({"command": "''"}, "the command line is empty"),
            ({"command": "true", "cwd": "none"}, "cwd `none` is no folder of the workspace after the agent's work"),
            (
                {"command": "true", "cwd": "plain.sh"},
                "cwd `plain.sh` is no folder of the workspace after the agent's work",
            ),
            ({"command": "true", "cwd": ".."}, "cwd `..` leads out of the workspace; expected a folder inside it"),
            ({"command": "true", "cwd": "/"}, "cwd `/` leads out of the workspace; expected a folder inside it"),
            ({"command": "true", "cwd": "link"}, "cwd `link` leads out of the workspace; expected a folder inside it"),
        ],
    )
    def test_is_an_error_with_its_reason(self, run, given, reason):
        (run.workspace / "plain.sh").touch(0o644)
        (run.workspace / "link").symlink_to("/")
        found = run(Check(name="a", **given), Check(name="b", command="true"))
        assert summary(found[0]) == (Verdict.ERROR, None, reason)
        assert found[1].verdict is Verdict.PASSED

    def test_a_script_whose_interpreter_is_missing(self, run):
        script = run.workspace / "tool"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        (result,) = run(Check(name="a", command="./tool"))
        assert result.verdict is Verdict.ERROR
        assert result.reason

    def test_shell_syntax_without_a_shell_is_pointed_out(self, run):
        command = shlex.join(["python", "-c", "raise SystemExit(1)"]) + " && true"
        (result,) = run(Check(name="a", command=command))
        assert result.reason == (
            "exit status 1, expected 0; `&&` was given to the program as it stands: set `shell: true` for shell syntax"
        )
        assert run(Check(name="a", command="false || true", shell=True))[0].verdict is Verdict.PASSED

    def test_evidence_is_refused(self, run):
        with pytest.raises(UsageError) as caught:
            run(Check(name="types", kind="evidence", command="mypy"))
        assert str(caught.value) == (
            "check 'types': evidence checks arrive with a later version; use a command to run: `types: mypy`"
        )


class TestWhatACheckSees:
    def test_a_made_environment_and_nothing_of_the_callers(self, run, monkeypatch):
        for name in (
            "COLUMNS",
            "CI",
            "FORCE_COLOR",
            "PY_COLORS",
            "PYTEST_ADDOPTS",
            "PYTHONPATH",
            "GIT_DIR",
            "VIRTUAL_ENV",
        ):
            monkeypatch.setenv(name, "999")
        import json

        # long lines of an output are cut, so the PATH is kept short
        (result,) = run(python(ENVIRONMENT, env={"MINE": "1"}), names={}, path="/usr/bin:/bin")
        seen, cwd, executable = json.loads(result.output)
        seen.pop("__CF_USER_TEXT_ENCODING", None)  # macOS sets it in every process
        folder = str(Path(sys.executable).parent)
        assert seen.pop("PATH").split(os.pathsep)[0] == folder
        seen.pop("LC_CTYPE", None)  # Python itself sets it where the C locale was coerced
        assert seen == {
            "HOME": "${HOME}",
            "LANG": "C.UTF-8",
            "MINE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "TMPDIR": "${TMPDIR}",
        }
        assert (cwd, Path(executable).parent) == ("${WORKSPACE}", Path(folder))

    def test_the_callers_variables_change_no_word(self, run, monkeypatch):
        (run.workspace / "test_x.py").write_text("def test_x():\n    assert 1 == 2\n")
        check = Check(
            name="test", command="python -m pytest -q -p no:cacheprovider", env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        )
        (plain,) = run(check)
        for name, value in {
            "COLUMNS": "200",
            "CI": "true",
            "FORCE_COLOR": "1",
            "PYTEST_ADDOPTS": "--no-such-option",
        }.items():
            monkeypatch.setenv(name, value)
        (again,) = run(check)
        assert plain.to_data() == again.to_data()
        assert plain.exit_status == 1
        assert plain.output.endswith("FAILED test_x.py::test_x - assert 1 == 2\n1 failed in 0.00s")

    def test_home_is_empty_for_each_check_and_gone_afterwards(self, run):
        code = "import os, pathlib; home = pathlib.Path.home(); print(os.listdir(home)); (home / 'x').touch()"
        found = run(python(code, name="a"), python(code, name="b"))
        assert [result.output for result in found] == ["[]", "[]"]
        assert list(run.home.iterdir()) == []

    def test_paths_of_this_run_have_names(self, run, tmp_path):
        (run.workspace / "sub").mkdir()
        code = "import os, tempfile; print(os.getcwd(), tempfile.gettempdir(), os.environ['OTHER'])"
        other = str(tmp_path / "other")
        (result,) = run(python(code, cwd="sub", env={"OTHER": other}), names={other: "${OTHER}"})
        assert result.output == "${WORKSPACE}/sub ${TMPDIR} ${OTHER}"

    def test_a_workspace_behind_a_link(self, run, tmp_path):
        (tmp_path / "link").symlink_to(run.workspace)
        (result,) = asyncio.run(
            run_checks([Check(name="a", command="pwd -P")], workspace=tmp_path / "link", home=run.home)
        )
        assert result.output == "${WORKSPACE}"

    def test_the_callers_path_comes_after_the_folder_of_this_python(self, tmp_path):
        tool = tmp_path / "bin" / "mala-tool"
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\necho found\n")
        tool.chmod(0o755)
        env = check_environment(home=tmp_path, tmp=tmp_path, path=f"{tool.parent}:/bin", extra={"LANG": "C"})
        assert env["PATH"] == f"{Path(sys.executable).parent}:{tool.parent}:/bin"
        assert env["LANG"] == "C", "the issue's own word is the last"
        check = Check(name="a", command="mala-tool")
        found = asyncio.run(run_checks([check], workspace=tmp_path, home=tmp_path, path=f"{tool.parent}:/bin:/usr/bin"))
        assert found[0].output == "found"


def test_a_cancelled_gate_leaves_no_check_running(tmp_path: Path) -> None:
    """A session whose time is up must not wait for a check, nor leave it behind."""
    mark = tmp_path / "pid"
    check = Check(name="slow", command=f"sh -c 'echo $$ > {mark}; exec sleep 60'")

    async def cancel_when_it_runs() -> None:
        gate = asyncio.create_task(run_checks([check], workspace=tmp_path, home=tmp_path))
        while not (mark.exists() and mark.read_text().strip()):  # noqa: ASYNC110 - a child can't set an event
            await asyncio.sleep(0.01)
        gate.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gate

    asyncio.run(cancel_when_it_runs())
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
