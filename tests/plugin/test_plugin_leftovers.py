"""A run leaves no folder behind, however its sessions ended."""

from __future__ import annotations

import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from samples import COMMAND, copy_samples, edit, environment, run_samples

from pytest_mala.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    made = tmp_path / "home" / "scratch"
    made.mkdir(parents=True)
    return made


def left_in(scratch: Path) -> list[str]:
    return [path.name for path in scratch.iterdir() if path.name.startswith("mala-")]


def note_stages(project) -> Path:
    """The project keeps a list of the folders that its sessions work in, so that a test knows that there were some."""
    project.write(
        "issues/conftest.py",
        """\
        import pathlib
        import tempfile

        import pytest

        @pytest.fixture(autouse=True)
        def stages(mala_case, mala_issue, pytestconfig):
            folder = pathlib.Path(tempfile.gettempdir())
            found = [path.name for path in folder.iterdir() if path.name.startswith("mala-")]
            (pytestconfig.rootpath / f"stages-{mala_issue.id}").write_text(" ".join(found))
        """,
    )
    return project.path


def test_passes_failures_divergences_and_broken_cassettes_leave_nothing(project, scratch):
    copy_samples(project)
    note_stages(project)
    done = run_samples(project, scratch)
    assert " 4 passed in " in done.stdout, done.stdout + done.stderr
    for number in range(1, 5):
        assert (project.path / f"stages-calc-{number}").read_text().startswith("mala-")
    assert left_in(scratch) == []

    edit(project.path / "issues" / "calc-3.md", "expect: gate-failed\n", "")
    edit(project.path / "cassettes" / "calc-2.yaml", "calc-2", "calc-9")
    edit(project.path / "issues" / "calc-4.md", "priority:", "agent: {model: opus}\npriority:")
    done = run_samples(project, scratch, "-n", "2")
    assert " 1 failed, 1 passed, 2 errors in " in done.stdout, done.stdout + done.stderr
    assert left_in(scratch) == []


RECORDED = "python -m pytest -q -p no:cacheprovider -k add"

WAITS = """\
import os, socket, time
line = socket.create_connection({address!r})
line.sendall(os.getcwd().encode())
time.sleep(100)
"""


def replace_check(project, command: str) -> None:
    """Another check for calc-1, as if it had been recorded with it; the other issues go."""
    for number in (2, 3, 4):
        (project.path / "issues" / f"calc-{number}.md").unlink()
    cassette = project.path / "cassettes" / "calc-1.yaml"
    for path in (project.path / "issues" / "calc-1.md", cassette):
        edit(path, RECORDED, command)
    assert main(["cassette", "seal", str(cassette)]) == 0


def test_an_interrupt_in_the_middle_of_a_check_leaves_nothing(project, scratch):
    """The check is a program that calls us, waits, and is gone when the line closes."""
    copy_samples(project)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        program = scratch.parent / "waits"
        program.write_text(WAITS.format(address=server.getsockname()))
        replace_check(project, f"python {program}")
        started = subprocess.Popen(
            COMMAND,
            cwd=project.path,
            env=environment(scratch),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            line, _ = server.accept()
            with line:
                line.settimeout(30)
                place = line.recv(4096).decode()
                assert place.startswith(f"{scratch.resolve()}/mala-")
                assert len(left_in(scratch)) == 1
                started.send_signal(signal.SIGINT)
                output, _ = started.communicate(timeout=60)
                assert line.recv(1) == b""
        finally:
            started.kill()
            started.wait()
    assert started.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "Traceback" not in output
    assert left_in(scratch) == []
