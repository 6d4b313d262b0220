"""The project's own test configuration; `pytester` may only be named here, at the root."""

import signal

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """A shell starts background jobs with SIGINT ignored, and children that tests interrupt would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
