"""The mark by which a command's descendants are found, and who is never touched because of it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process_children import ENDED, ENV, LOCKS, STRAY, _await, _await_line, _facts, _is_running, _python, _run, _sh

from pytest_mala.process.family import Family, Mark, new_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mala.process import Completed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell who descends from a command")

NOBODY = 2**22 + 1  # above the highest process id that Linux gives

# Who is not touched


def test_somebody_elses_process_is_not_touched():
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as other:
        try:
            assert _sh(STRAY).left_behind
            assert _is_running(other.pid)
        finally:
            other.kill()


def test_what_another_command_started_is_not_touched(tmp_path):
    done: list[Completed] = []
    script = f"{STRAY} | tee {tmp_path}/pid; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    thread = threading.Thread(target=lambda: done.append(_sh(script)))
    thread.start()
    pid = int(_await_line(tmp_path / "pid"))
    assert _sh(STRAY).left_behind
    assert _is_running(pid)
    (tmp_path / "go").touch()
    thread.join()
    assert _facts(done[0]) == ENDED
    assert not _is_running(pid)


def _stranger() -> int:
    """Leads a group of its own, and is not our child."""
    return int(subprocess.run(["sh", "-c", STRAY], stdout=subprocess.PIPE, check=True).stdout)


def test_a_group_that_got_the_number_of_ours_is_not_touched():
    stranger = _stranger()
    try:
        family = Family(stranger, _new_mark())
        assert not family.is_alive()
        family.send(signal.SIGKILL)
        threading.Event().wait(0.05)
        assert _is_running(stranger)
    finally:
        os.kill(stranger, signal.SIGKILL)


def test_the_number_of_our_group_is_kept_until_it_is_ended(tmp_path):
    """By its dead leader: as long as nobody reaps it, no other process gets its id."""
    (tmp_path / "tidy").write_text(
        f"trap 'cat /proc/$1/stat > {tmp_path}/leader; exit' TERM; while :; do sleep 0.01; done"
    )
    assert _facts(_sh(f"sh {tmp_path}/tidy $$ >/dev/null 2>&1 & sleep 0.2")) == ENDED
    assert (tmp_path / "leader").read_text().split()[2] == "Z"


@pytest.mark.parametrize("has_handles", [True, False])
def test_a_process_that_got_the_number_of_one_of_ours_is_not_touched(monkeypatch, has_handles):
    if not has_handles:
        monkeypatch.delattr(os, "pidfd_open")
    mark = _new_mark()
    with _marked(mark, "input()") as ours:
        with subprocess.Popen(["sleep", "30"]) as other:
            for process in (other, ours):
                mark.send(process.pid, signal.SIGKILL)
            ours.wait()
            threading.Event().wait(0.05)
            assert _is_running(other.pid)
            other.kill()
        mark.send(ours.pid, signal.SIGKILL)
    mark.send(NOBODY, signal.SIGKILL)
    assert ours.returncode == -signal.SIGKILL


# The mark


def _limited(soft: int, hard: int, script: str) -> list[str]:
    """What a caller with limits of file locks of its own prints of a command."""
    code = f"""
        from pytest_mala.process import run
        done = run(["sh", "-c", {script!r}], cwd="/", env={ENV!r}, timeout=60)
        print(done.output, done.left_behind, done.blind_because, sep="|")
        """
    argv = [sys.executable, "-c", textwrap.dedent(code)]
    limit = (
        f"import os, resource, sys; resource.setrlimit({LOCKS}, ({soft}, {hard})); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", limit, *argv], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return ended.stdout.strip().split("|")


@pytest.mark.parametrize(("soft", "hard"), [(100, -1), (1000, 300_000_000), (0, 200_000_000)])
def test_under_a_limit_of_the_callers_own_there_are_marks_all_the_same(soft, hard):
    output, *facts = _limited(soft, hard, f"{STRAY}; grep locks /proc/self/limits")
    pid, limits = output.splitlines()
    assert facts == ["True", ""]
    assert not _is_running(int(pid))
    assert limits.split()[3] == str(soft)


def test_under_a_low_hard_limit_it_is_told_that_daemons_are_not_found():
    pid, *facts = _limited(1000, 1000, STRAY)
    try:
        assert facts == [
            "False",
            "the limit of file locks is 1000 (`ulimit -H -x`), expected none, or 200000000 and more",
        ]
    finally:
        os.kill(int(pid), signal.SIGKILL)


def test_where_there_are_marks_nothing_is_told():
    assert _run(["true"]).blind_because == ""


def test_the_youngest_are_found_first():
    """Those who replace themselves again and again are found only if one is quick."""
    mark = _new_mark()
    with _marked(mark, "input()") as one, _marked(mark, "input()") as other, _marked(mark, "input()") as third:
        assert list(mark.carriers()) == sorted((one.pid, other.pid, third.pid), reverse=True)


def test_the_command_does_not_see_its_mark():
    assert sorted(_run(["env"]).output.splitlines()) == sorted(f"{name}={value}" for name, value in ENV.items())
    first, again = (_run(["grep", "locks", "/proc/self/limits"]).output for _ in range(2))
    assert first == again
    assert first.startswith("Max file locks            unlimited            ")


def test_two_marks_differ_and_are_as_long_as_the_word_for_none():
    marks = [_new_mark().number for _ in range(10)]
    assert len(set(marks)) == 10
    assert {len(str(number)) for number in marks} == {len("unlimited")}


def test_in_a_marked_command_marks_are_lower_and_leave_the_outer_one_on():
    code = """
        from pytest_mala.process.family import new_mark
        marks = [new_mark() for _ in range(50)]
        print(all(mark.number < mark.ceiling for mark in marks), len({mark.ceiling for mark in marks}))
        """
    argv = [sys.executable, "-c", textwrap.dedent(code)]
    assert _run(argv, cwd=Path.cwd()).output == "True 1\n"


def test_without_marks_the_group_is_ended_all_the_same(monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(resource, "prlimit")
    assert new_mark() is None
    done = _sh("sleep 30 >/dev/null 2>&1 & echo $!")
    assert _facts(done) == ENDED
    assert done.blind_because == "only Linux with /proc tells what descends from a command"
    assert not _is_running(int(done.output))


def test_where_the_mark_is_refused_the_command_runs_all_the_same(monkeypatch):
    """As sandboxes with a kernel of their own do."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    done = _run(["echo", "hello"])
    assert done.output == "hello\n"
    assert done.blind_because == "this system lets no process set its limit of file locks"


def test_who_is_gone_may_have_had_the_mark():
    assert Mark(number=1, ceiling=-1).may_be_on(NOBODY)
    assert not Family(NOBODY, _new_mark()).is_alive()


def _new_mark() -> Mark:
    mark = new_mark()
    assert mark is not None
    return mark


@contextmanager
def _marked(mark: Mark, code: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        _python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=mark.put_on, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_dead_whom_nobody_reaped_do_not_count():
    mark = _new_mark()
    with _marked(mark, "input()") as process:
        family = Family(NOBODY, mark)
        assert family.is_alive()
        process.kill()
        _await(lambda: not _is_running(process.pid))
        assert mark.may_be_on(process.pid)
        assert not family.is_alive()


def test_a_child_that_is_born_while_we_look_is_found(monkeypatch):
    """Its parent is on the list, but has ended by the time that it is asked; the child is not on the list."""
    mark, real = _new_mark(), os.scandir
    code = """
        import os, time
        input()
        if child := os.fork():
            print(child, flush=True)
            os._exit(0)
        os.setsid()
        os.close(1)
        time.sleep(30)
        """
    born: list[int] = []
    with _marked(mark, code) as process:

        @contextmanager
        def scandir(path: Path) -> Iterator[list[os.DirEntry[str]]]:
            with real(path) as entries:
                listed = list(entries)
            if not born:
                born.append(int(process.communicate(b"\n")[0]))
            yield listed

        monkeypatch.setattr(os, "scandir", scandir)
        family = Family(NOBODY, mark)
        try:
            assert family.is_alive()
        finally:
            family.send(signal.SIGKILL)
    _await(lambda: not _is_running(born[0]))
