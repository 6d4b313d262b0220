"""Ctrl-C in the middle of a session: nothing is left, neither processes nor folders, and no cassette is spoilt."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from broken_cassettes import add_issue, fingerprint, only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from case_project import Project

RECORDING = ("--mala-issues", "issues/calc-1.md", "--mala-lane=scripted", "--mala-record=all")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """TMPDIR of a run, in a folder of its own, so that what is written beside it is seen."""
    made = tmp_path / "beside" / "tmp"
    made.mkdir(parents=True)
    return made


CALL = """
import os, socket, time
line = socket.create_connection(("127.0.0.1", {port}))
line.sendall(f"{{os.getppid()}}\\n".encode())
time.sleep(100)
"""


class Interrupted:
    """A run of pytest that is interrupted when its child calls us on a line that closes when the child dies."""

    def __init__(self, project: Project, scratch: Path) -> None:
        self.project = project
        self.scratch = scratch
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(60)
        self.program = scratch.parent / "call.py"
        self.program.write_text(CALL.format(port=self.server.getsockname()[1]))
        self.output = ""

    @property
    def command(self) -> str:
        return f"python {self.program}"

    def run(self, *arguments: str) -> int:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.project.root.parent), "TMPDIR": str(self.scratch)}
        env |= {"LANG": "C.UTF-8", "TRANSCRIPTS": str(self.project.transcripts)}
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
        pytest_run = subprocess.Popen(
            command, cwd=self.project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            with self.calling():
                pytest_run.send_signal(signal.SIGINT)
                self.output = pytest_run.communicate(timeout=60)[0]
        finally:
            pytest_run.kill()
            pytest_run.wait()
        return pytest_run.returncode

    @contextmanager
    def calling(self) -> Iterator[None]:
        """From the child's call to its death."""
        line, _ = self.server.accept()
        with line:
            line.settimeout(20)
            assert line.recv(100)
            yield
            assert line.recv(100) == b""  # the kernel closed it: nobody is there any more


@pytest.fixture
def interrupted(project: Project, scratch: Path) -> Iterator[Interrupted]:
    made = Interrupted(project, scratch)
    yield made
    made.server.close()


def test_an_interrupt_in_the_gate_of_a_replay_leaves_nothing(interrupted: Interrupted) -> None:
    project = interrupted.project
    only(project)
    add_issue(project, "slow", check=interrupted.command)
    before = fingerprint(project.root)
    assert interrupted.run("--mala-issues", "issues") == 2
    assert "KeyboardInterrupt" in interrupted.output
    assert "Traceback" not in interrupted.output
    assert re.search("^slow +not finished$", interrupted.output, re.MULTILINE)
    assert list(interrupted.scratch.iterdir()) == []
    assert fingerprint(project.root) == before


@pytest.mark.cli
def test_an_interrupt_in_a_recording_leaves_the_old_cassette_and_no_cli(interrupted: Interrupted) -> None:
    project = interrupted.project
    script = project.root / "issues" / "calc-1.model.yaml"
    text = script.read_text()
    asked = "python -c 'import calc; print(calc.add(2, 3))'"
    assert asked in text
    script.write_text(text.replace(asked, interrupted.command))
    before = fingerprint(project.root)
    assert interrupted.run(*RECORDING) == 2
    assert re.search("^calc-1 +not finished$", interrupted.output, re.MULTILINE)
    assert list(interrupted.scratch.iterdir()) == []
    after = fingerprint(project.root)
    [journal] = after.keys() - before.keys()
    assert re.fullmatch(r"cassettes/calc-1\.yaml\.\d+\.part", journal)
    assert {name: after[name] for name in before} == before
