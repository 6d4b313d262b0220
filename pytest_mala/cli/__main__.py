"""`python -m pytest_mala.cli`: the command without its script."""

from __future__ import annotations

import sys

from pytest_mala.cli import main

if __name__ == "__main__":
    sys.exit(main())
