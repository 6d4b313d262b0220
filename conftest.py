"""The project's own test configuration; `pytester` may only be named here, at the root."""

pytest_plugins = ["pytester"]
