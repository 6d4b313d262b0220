"""Commands that are run to their end or their deadline: how they ended, what they wrote, and that none is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import freezegun
import pytest

from pytest_mala import process
from pytest_mala.clock import VirtualClock
from pytest_mala.process import Completed, ProcessError, run, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

REAL = (time.monotonic,)
ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELD_PIPE = "sleep 30 & echo $!"


def _run(argv: Sequence[str], **options: Any) -> Completed:
    return run(argv, **{"cwd": "/", "env": ENV, "timeout": 60, **options})


def _sh(script: str, **options: Any) -> Completed:
    return _run(["sh", "-c", script], **options)


def _python(code: str, **options: Any) -> Completed:
    return _run([sys.executable, "-I", "-S", "-c", textwrap.dedent(code)], **options)


def _await_file(path: Path) -> None:
    """Another process writes it."""
    deadline = REAL[0]() + 30
    while not (path.exists() and path.read_text().endswith("\n")) and REAL[0]() < deadline:
        threading.Event().wait(0.01)


def _is_running(pid: int) -> bool:
    """A killed process may stay a zombie where nobody reaps orphans."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False  # whoever gets orphans reaped it just now


def test_a_command_that_ends_well():
    done = _run(["echo", "hello"])
    assert done == Completed(
        argv=("echo", "hello"),
        exit_status=0,
        signal=None,
        output="hello\n",
        truncated=False,
        seconds=done.seconds,
        timed_out=False,
        left_behind=False,
        lives_on=False,
        blind_because=done.blind_because,
    )
    assert 0 < done.seconds < 30


def test_an_exit_status_is_reported():
    assert _sh("exit 3").exit_status == 3


def test_death_by_a_signal_is_reported():
    done = _sh("kill -SEGV $$")
    assert (done.exit_status, done.signal, done.timed_out) == (None, signal.SIGSEGV, False)


def test_output_and_errors_come_in_their_order():
    assert _sh("echo 1; echo 2 >&2; echo 3; echo 4 >&2").output == "1\n2\n3\n4\n"


def test_the_command_sees_its_directory_and_its_environment_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    done = _run([sys.executable, "-c", "import os; print(os.getcwd(), os.environ.get('SECRET'))"], cwd=tmp_path)
    assert done.output == f"{tmp_path.resolve()} None\n"


def test_without_input_the_command_reads_an_end_at_once():
    assert _run(["cat"]).output == ""


@pytest.mark.parametrize("size", [0, 5, 1_000_000])
def test_input_is_written(size):
    assert _run(["wc", "-c"], stdin=b"x" * size).output.strip() == str(size)


def test_input_that_the_command_does_not_want_is_no_error():
    assert _run(["true"], stdin=b"x" * 10_000_000).exit_status == 0


def test_output_that_closes_early_is_no_end():
    done = _sh("exec >&- 2>&-; sleep 0.1; exit 4")
    assert (done.exit_status, done.left_behind) == (4, False)


def test_bytes_that_are_no_text_are_kept_readable():
    assert _sh(r"printf 'a\377b'").output == "a\N{REPLACEMENT CHARACTER}b"


def test_the_command_leads_a_group_and_a_session_of_its_own():
    done = _python("import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))")
    assert done.output == "True\n"


# Long output


def test_output_up_to_the_limit_is_whole():
    done = _run(["printf", "0123456789"], output_limit=10)
    assert (done.output, done.truncated) == ("0123456789", False)


def test_the_middle_of_a_long_output_is_left_out_with_a_line_that_says_so():
    done = _run(["printf", "0123456789ab"], output_limit=10)
    assert (done.output, done.truncated) == ("01234\n[... 2 bytes left out ...]\n789ab", True)


def test_the_gap_needs_no_line_end_of_its_own_where_one_is():
    done = _run(["printf", r"012\n456789ab"], output_limit=8)
    assert done.output == "012\n[... 4 bytes left out ...]\n89ab"


def test_no_character_is_cut_in_two():
    done = _run(["printf", "äöüäöü"], output_limit=6)
    assert done.output == "ä\n[... 8 bytes left out ...]\nü"


def test_a_limit_of_one_byte_still_says_what_is_missing():
    assert _run(["printf", "abc"], output_limit=0).output == "[... 2 bytes left out ...]\nc"


@pytest.mark.stress
def test_a_hundred_megabytes_take_bounded_memory():
    tracemalloc.start()
    try:
        done = _sh("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.output.startswith("first\nxxx")
    assert done.output.endswith("xxx\nlast\n")
    assert f"[... {100_000_012 - 65_536} bytes left out ...]" in done.output
    assert len(done.output) < 70_000
    assert peak < 2_000_000


# Deadlines


def test_a_deadline_ends_the_command():
    done = _run(["sleep", "30"], timeout=0.1)
    assert (done.exit_status, done.signal, done.timed_out, done.left_behind) == (None, signal.SIGTERM, True, False)
    assert 0.1 <= done.seconds < 20


def test_what_was_written_before_the_deadline_is_kept():
    done = _sh("echo before; sleep 30", timeout=0.3)
    assert (done.output, done.timed_out) == ("before\n", True)


def test_a_command_may_clean_up_at_its_deadline():
    done = _sh("trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done", timeout=0.5)
    assert (done.output.splitlines()[0], done.output.splitlines()[-1]) == ("ready", "cleaned")
    assert (done.exit_status, done.signal, done.timed_out) == (None, None, True)


def test_a_command_that_ignores_term_is_killed():
    done = _sh("trap '' TERM; while :; do sleep 1; done", timeout=0.2)
    assert (done.signal, done.timed_out, done.left_behind) == (signal.SIGKILL, True, False)


def test_the_whole_group_ends_at_the_deadline():
    done = _sh("sleep 30 & echo $!; (trap '' TERM; sleep 30 & echo $!; wait) & wait", timeout=0.3)
    pids = [int(line) for line in done.output.split()]
    assert len(pids) == 2
    assert [pid for pid in pids if _is_running(pid)] == []


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_deadline_that_can_not_be_is_refused(timeout):
    with pytest.raises(ProcessError) as caught:
        _run(["true"], timeout=timeout)
    assert str(caught.value) == f"can't start 'true': expected a timeout above 0 seconds, got {timeout}"


@pytest.mark.parametrize("timeout", [1e9, float("inf")])
def test_a_deadline_may_be_far_away(timeout):
    assert _run(["true"], timeout=timeout).exit_status == 0


# What is left behind


def test_a_child_that_keeps_the_pipe_open_does_not_hang_us():
    done = _sh(HELD_PIPE)
    assert (done.exit_status, done.left_behind, done.timed_out) == (0, True, False)
    assert done.seconds < 20
    assert not _is_running(int(done.output))


def test_a_child_that_ends_shortly_after_is_waited_for():
    done = _sh("(sleep 0.1; echo late) & echo early")
    assert (done.output, done.left_behind) == ("early\nlate\n", False)


def test_children_without_the_pipe_are_ended_as_well():
    done = _sh("sleep 30 >/dev/null 2>&1 & echo $!")
    assert (done.exit_status, done.left_behind) == (0, True)
    assert not _is_running(int(done.output))


def test_children_that_ignore_term_are_ended_as_well():
    done = _sh("(trap '' TERM; exec sleep 30) >/dev/null 2>&1 & echo $!; sleep 0.1")
    assert done.left_behind
    assert not _is_running(int(done.output))


def test_nothing_of_ours_is_left():
    """No thread, no descriptor, no child."""
    before = _resources()
    for script in ("echo", HELD_PIPE, "exit 1"):
        _sh(script)
    _run(["cat"], stdin=b"x")
    for thread in threading.enumerate():
        if thread.name == "mala-exit":
            thread.join(10)
    fds, threads = _resources()
    # A thread of an earlier test may end meanwhile: what counts is what is new.
    assert (fds, threads - before[1]) == (before[0], set())


def _resources() -> tuple[int, set[threading.Thread]]:
    return len(list(Path("/dev/fd").iterdir())), set(threading.enumerate())


def test_an_error_in_the_waiting_ends_the_command(tmp_path):
    """As Ctrl-C does, which arrives while we wait."""
    code = f"""
        import pathlib, signal, threading, time
        from pytest_mala.process import run
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
        pid = pathlib.Path({str(tmp_path / "pid")!r})
        def interrupt():
            while not pid.exists() or not pid.read_text():
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        threading.Thread(target=interrupt).start()
        run(["sh", "-c", f"echo $$ > {{pid}}; exec sleep 30"], cwd="/", env={ENV!r}, timeout=60)
        """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=False, timeout=60)
    assert ended.stderr.endswith(b"KeyboardInterrupt\n")
    assert not _is_running(int((tmp_path / "pid").read_text()))


def test_ctrl_c_in_the_midst_of_a_fork_is_not_swallowed(tmp_path):
    """Python prints and forgets an error in a hook that runs at a fork."""
    code = f"""
        import os, signal
        from pytest_mala.process import run
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
        run(["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 30"], cwd="/", env={ENV!r}, timeout=60)
        """
    began = REAL[0]()
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=False, timeout=60)
    assert b"Exception ignored" not in ended.stderr
    assert ended.stderr.endswith(b"KeyboardInterrupt\n")
    assert REAL[0]() - began < 20
    made = tmp_path / "pid"
    pid = made.read_text().strip() if made.exists() else ""  # it may have been ended before it wrote anything
    assert not pid or not _is_running(int(pid))


def test_the_callers_ctrl_c_handler_stays():
    usual = signal.getsignal(signal.SIGINT)
    _run(["true"])
    assert signal.getsignal(signal.SIGINT) is usual


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_command_dies_with_us(tmp_path):
    code = f"""
        from pytest_mala.process import run
        run(["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 30"], cwd="/", env={ENV!r}, timeout=60)
        """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    pid = tmp_path / "pid"
    _await_file(pid)
    parent.kill()
    parent.wait()
    deadline = REAL[0]() + 30
    while _is_running(int(pid.read_text())) and REAL[0]() < deadline:
        threading.Event().wait(0.01)
    assert not _is_running(int(pid.read_text()))


def test_it_works_where_the_kernel_can_not_tell_the_exit_without_reaping(monkeypatch):
    """As on macOS before Python 3.13."""
    monkeypatch.delattr(os, "waitid")
    assert _sh("exit 3").exit_status == 3
    assert _run(["sleep", "30"], timeout=0.1).signal == signal.SIGTERM
    assert _sh(HELD_PIPE).left_behind


def test_many_at_once():
    done: list[Completed] = []
    threads = [threading.Thread(target=lambda: done.append(_sh("echo $$; exit 7"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.exit_status for each in done] == [7] * 10
    assert len({each.output for each in done}) == 10


# What can't be started


def _refusal(argv: Sequence[str], **options: Any) -> str:
    with pytest.raises(ProcessError) as caught:
        _run(argv, **options)
    return str(caught.value)


def test_a_missing_program_is_told():
    assert _refusal(["no-such-program"], env={"PATH": "/a:/b"}) == (
        "can't start 'no-such-program': no such program on PATH (/a:/b); install it or name its path"
    )


def test_a_missing_file_is_told(tmp_path):
    assert _refusal(["./nothing"], cwd=tmp_path) == (
        f"can't start './nothing': no such file (seen from {tmp_path}), or the interpreter in its first line is "
        "missing; check the path"
    )


def test_a_file_that_may_not_be_executed_is_told(tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert _refusal(["./script"], cwd=tmp_path) == (
        f"can't start './script': permission denied in {tmp_path}; make the file executable (chmod +x) and the "
        "directory accessible"
    )


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_a_missing_directory_is_told(tmp_path, kind):
    (tmp_path / "file").touch()
    assert _refusal(["true"], cwd=tmp_path / kind) == (
        f"can't start 'true': the working directory {tmp_path / kind} does not exist or is no directory; create it or "
        "name another"
    )


def test_a_file_that_is_no_program_is_told(tmp_path):
    (tmp_path / "data").write_bytes(b"\0\1\2")
    (tmp_path / "data").chmod(0o755)
    assert _refusal(["./data"], cwd=tmp_path) == (
        "can't start './data': Exec format error; check the program, its arguments and env"
    )


def test_an_argument_that_can_not_be_is_told():
    assert _refusal(["echo", "a\0b"]) == (
        "can't start 'echo': embedded null byte; check the program, its arguments and env"
    )


def test_an_empty_command_is_told():
    assert _refusal([]) == "can't start a command: it is empty; name a program"


# In a session


@pytest.mark.asyncio
async def test_under_a_frozen_clock_deadlines_are_real_and_the_clock_stands():
    clock = VirtualClock(START)
    with clock:
        with clock.stand(1.25):
            done = await run_in_thread(["sleep", "30"], cwd="/", env=ENV, timeout=0.3)
        assert clock.now() == datetime(2026, 3, 1, 12, 0, 1, 250_000, tzinfo=UTC)
    assert (done.timed_out, done.signal) == (True, signal.SIGTERM)
    assert 0.3 <= done.seconds < 20


@pytest.mark.asyncio
async def test_a_check_that_hangs_in_subprocess_run_with_a_timeout_of_its_own_ends():
    code = "import subprocess; subprocess.run(['sleep', '30'], timeout=0.1)"
    with VirtualClock(START):
        done = await asyncio.to_thread(_python, code)
    assert done.exit_status == 1
    assert "TimeoutExpired" in done.output


def test_deadlines_are_real_under_anybodys_freeze():
    """A user's own `freeze_time` makes no exception for `subprocess`; nothing here may depend on one."""
    with freezegun.freeze_time("2020-01-01"):
        done = _sh("(trap '' TERM; exec sleep 30) >/dev/null 2>&1 & sleep 30", timeout=0.2)
    assert (done.timed_out, done.left_behind) == (True, False)
    assert 0.2 <= done.seconds < 20


@pytest.mark.asyncio
async def test_a_cancelled_task_ends_its_command(tmp_path):
    script = f"echo $$ > {tmp_path}/pid; exec sleep 30"
    task = asyncio.create_task(run_in_thread(["sh", "-c", script], cwd="/", env=ENV, timeout=60))
    await asyncio.to_thread(_await_file, tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.asyncio
async def test_a_task_that_is_cancelled_as_its_command_fails_is_just_cancelled():
    task = asyncio.create_task(run_in_thread(["no-such-program"], cwd="/", env=ENV, timeout=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_in_a_thread_the_result_is_the_same():
    done = await run_in_thread(["cat"], cwd="/", env=ENV, timeout=60, stdin=b"hello world", output_limit=4)
    assert (done.output, done.exit_status) == ("he\n[... 7 bytes left out ...]\nld", 0)


def test_the_public_names():
    assert process.__all__ == ["Completed", "ProcessError", "run", "run_in_thread"]
