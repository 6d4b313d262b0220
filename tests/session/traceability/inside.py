"""Runs in a child process: one run of pytest on the copy of the package, told in a JSON file.

Called as `python -P inside.py ANSWER INI TEST...`; the copy comes first on the path.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


class Watch:
    """Notes the first test that failed."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid.partition("::")[2]


def main(answer: Path, ini: str, *tests: str) -> None:
    watch = Watch()
    options = ["-c", ini, "--noconftest", "-p", "no:cacheprovider", "-x", "-q", "--tb=short"]
    status = pytest.main([*options, *tests], plugins=[watch])
    modules = [found for name, module in sys.modules.items() if (found := _file(name, module))]
    told = {"status": int(status), "failed": watch.failed, "modules": sorted(modules)}
    answer.write_text(json.dumps(told), encoding="utf-8")


def _file(name: str, module: object) -> str:
    """The file of one of the package's modules."""
    return (getattr(module, "__file__", None) or "") if name.partition(".")[0] == "pytest_mala" else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
