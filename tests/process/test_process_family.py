"""What a command started outside of its group: found on Linux and ended."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from process_children import ENDED, ENV, LIVES_ON, LOCKS, STRAY, _await_line, _facts, _is_running, _python, _run, _sh

from pytest_mala.process import run_in_thread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell who descends from a command")

# What a command leaves behind


@pytest.mark.parametrize("script", [STRAY, "setsid sleep 30 & echo $!"], ids=["without the pipe", "with the pipe"])
def test_a_child_in_a_session_of_its_own_is_ended(script):
    done = _sh(script)
    assert (done.exit_status, _facts(done)) == (0, ENDED)
    assert done.seconds < 20
    assert not _is_running(int(done.output))


def test_a_child_that_ends_shortly_after_is_waited_for():
    done = _sh("setsid sh -c 'sleep 0.2; echo late' & echo early")
    assert (done.output, _facts(done)) == ("early\nlate\n", (False, False, False))


def test_a_daemon_that_gave_up_all_that_it_had_from_us_is_ended(tmp_path):
    """Two forks, a session, no descriptor, another directory, an empty environment."""
    code = """
        import os, sys
        if os.fork():
            os.wait()
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        with open(sys.argv[1], "w") as file:
            print(os.getpid(), file=file)
        os.chdir("/")
        os.closerange(0, 100)
        os.execve("/bin/sleep", ["database", "30"], {})
        """
    pid = tmp_path / "pid"
    assert _facts(_run(_python(code, str(pid)), cwd=tmp_path)) == ENDED
    assert not _is_running(int(_await_line(pid)))


def test_one_that_ignores_term_is_killed():
    done = _sh(f"trap '' TERM; {STRAY}")
    assert _facts(done) == ENDED
    assert done.seconds < 20
    assert not _is_running(int(done.output))


def test_one_may_clean_up_and_is_told_once(tmp_path):
    end = tmp_path / "end"
    (tmp_path / "tidy").write_text(
        f"trap 'echo cleaned >> {end}; last=1' TERM; while [ -z \"$last\" ]; do sleep 0.01; done; sleep 0.1; sleep 0.1"
    )
    assert _facts(_sh(f"setsid sh {tmp_path}/tidy >/dev/null 2>&1 & sleep 0.2")) == ENDED
    assert end.read_text() == "cleaned\n"


def test_one_that_is_born_as_we_end_them_is_ended(tmp_path):
    born = f"trap '' TERM; setsid sleep 30 & echo $! > {tmp_path}/pid; exit"
    (tmp_path / "phoenix").write_text(f'trap "{born.replace("$", chr(92) + "$")}" TERM\nwhile :; do sleep 0.01; done\n')
    done = _sh(f"setsid sh {tmp_path}/phoenix >/dev/null 2>&1 & sleep 0.2")
    assert _facts(done) == ENDED
    assert not _is_running(int(_await_line(tmp_path / "pid")))


def test_we_kill_until_none_is_left():
    """One is found only after the first round: it hides its mark while another lives, who has to be killed."""
    code = f"""
        import os, resource, signal, time
        mark = resource.getrlimit({LOCKS})
        hears, tells = os.pipe()
        if os.fork() == 0:
            os.close(tells)
            os.setsid()
            resource.setrlimit({LOCKS}, (7, mark[1]))
            print(os.getpid(), flush=True)
            os.read(hears, 1)
            resource.setrlimit({LOCKS}, mark)
            time.sleep(30)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            time.sleep(30)
        time.sleep(0.2)
        """
    done = _run(_python(code))
    assert _facts(done) == ENDED
    assert not _is_running(int(done.output))


def test_one_that_took_off_its_mark_and_keeps_the_pipe_is_told():
    code = f"""
        import os, resource, time
        if os.fork():
            os.wait4(-1, os.WNOHANG)
            time.sleep(0.2)
            os._exit(0)
        resource.setrlimit({LOCKS}, (7, 7))
        os.setsid()
        print(os.getpid(), flush=True)
        time.sleep(30)
        """
    done = _run(_python(code))
    try:
        assert (done.exit_status, _facts(done)) == (0, LIVES_ON)
        assert done.seconds < 20
        assert _is_running(int(done.output))
    finally:
        os.kill(int(done.output), signal.SIGKILL)


# What we end


def test_a_deadline_ends_them(tmp_path):
    done = _sh(f"setsid sleep 30 & echo $!; ({STRAY}); sleep 30", timeout=0.3)
    pids = [int(line) for line in done.output.split()]
    assert _facts(done) == (True, False, False)
    assert len(pids) == 2
    assert [pid for pid in pids if _is_running(pid)] == []


def test_a_deadline_tells_who_lives_on():
    code = f"""
        import os, resource, time
        if os.fork() == 0:
            resource.setrlimit({LOCKS}, (7, 7))
            os.setsid()
            print(os.getpid(), flush=True)
        time.sleep(30)
        """
    done = _run(_python(code), timeout=0.5)
    try:
        assert _facts(done) == (True, True, True)
    finally:
        os.kill(int(done.output), signal.SIGKILL)


@pytest.mark.asyncio
async def test_a_cancelled_task_ends_them(tmp_path):
    script = f"{STRAY} > {tmp_path}/pid; sleep 30"
    task = asyncio.create_task(run_in_thread(["sh", "-c", script], cwd="/", env=ENV, timeout=60))
    pid = int(await asyncio.to_thread(_await_line, tmp_path / "pid"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _is_running(pid)


def test_ctrl_c_ends_them(tmp_path):
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
        run(["sh", "-c", f"{STRAY} > {{pid}}; sleep 30"], cwd="/", env={ENV!r}, timeout=60)
        """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=False, timeout=60)
    assert ended.stderr.endswith(b"KeyboardInterrupt\n")
    assert not _is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what was open is closed when it is collected
def test_an_error_before_we_watch_ends_them(tmp_path, monkeypatch):
    """As Ctrl-C just after the start, or a system that gives us no thread."""

    def fail(_: threading.Thread) -> None:
        _await_line(tmp_path / "pid")
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError):
        _sh(f"echo $$ > {tmp_path}/leader; {STRAY} > {tmp_path}/pid; sleep 30")
    assert not _is_running(int((tmp_path / "leader").read_text()))
    assert not _is_running(int((tmp_path / "pid").read_text()))
    gc.collect()


@pytest.mark.asyncio
async def test_a_command_that_is_ended_takes_along_what_its_own_commands_started(tmp_path):
    """A check may run pytest with checks of its own, which have marks of their own and die with no time to clean up."""
    inner = f"""
        from pytest_mala.process import run
        run(["sh", "-c", {f"{STRAY} > {tmp_path}/pid; sleep 30"!r}], cwd="/", env={ENV!r}, timeout=60)
        """
    argv = [sys.executable, "-c", textwrap.dedent(inner)]
    task = asyncio.create_task(run_in_thread(argv, cwd=Path.cwd(), env=ENV, timeout=60))
    pid = int(await asyncio.to_thread(_await_line, tmp_path / "pid"))
    assert _is_running(pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _is_running(pid)
