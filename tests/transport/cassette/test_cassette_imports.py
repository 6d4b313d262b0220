"""A project that only has the plugin installed must not pay for the cassettes of others."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_imports_no_yaml_and_no_vcr() -> None:
    heavy = {"yaml", "vcr", "claude_agent_sdk", "pytest"}
    code = f"import sys, pytest_mala.transport.cassette; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
