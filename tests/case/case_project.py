"""A project with the sample issues, their cassettes and prompts, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """\
[tool.pytest]
strict = true
asyncio_default_fixture_loop_scope = "function"
filterwarnings = ["error"]
mala_prompts = "prompts"
"""

KEEP_TRANSCRIPTS = '''\
import os
from pathlib import Path

import pytest


@pytest.fixture
def mala_case(mala_case, mala_issue):
    """Keeps each transcript as a file, beside doing what the case does."""

    async def run():
        result = await mala_case()
        folder = Path(os.environ["TRANSCRIPTS"])
        folder.mkdir(exist_ok=True)
        (folder / mala_issue.id).write_text(result.transcript, encoding="utf-8")
        return result

    return run
'''

QUIET_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "u",
    "GIT_AUTHOR_EMAIL": "u@x",
}


@dataclass
class Project:
    """A copy of the samples; `run` starts pytest there as a process of its own."""

    root: Path
    transcripts: Path

    def run(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        python: str = sys.executable,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        made = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root.parent),
            "LANG": "C.UTF-8",
            "TRANSCRIPTS": str(self.transcripts),
            "PYTEST_DEBUG_TEMPROOT": str(self.root.parent),  # runs that share it clear each other's folders away
            **(env or {}),
        }
        command = [*prefix, python, "-m", "pytest", "-p", "no:randomly", *arguments]
        return subprocess.run(
            command, cwd=cwd or self.root, env=made, capture_output=True, text=True, check=False, timeout=100
        )

    def read_transcripts(self) -> dict[str, str]:
        """What the last run left, by issue."""
        found = {path.name: path.read_text(encoding="utf-8") for path in sorted(self.transcripts.iterdir())}
        shutil.rmtree(self.transcripts)
        return found

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root.parent),
                **QUIET_GIT,
                "GIT_COMMITTER_NAME": "u",
                "GIT_COMMITTER_EMAIL": "u@x",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
