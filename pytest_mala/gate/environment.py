"""Make the environment of a check: the same on every machine, whatever the caller's terminal or CI has set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.agent.environment import agent_search_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["check_environment"]


def check_environment(*, home: Path, tmp: Path, path: str, extra: Mapping[str, str]) -> dict[str, str]:
    """All that a check sees (design D9); `path` is the caller's PATH, `extra` what the issue's `env:` names.

    The folder of this interpreter comes first on PATH, so that `python` and the tools installed beside it are those
    that the agent had. `extra` has the last word, also about the names set here.
    """
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": agent_search_path(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TMPDIR": str(tmp),
        **extra,
    }
