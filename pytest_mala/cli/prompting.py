"""Find the project's own prompt folder where pytest finds it: the ini value `mala_prompts`."""

from __future__ import annotations

import configparser
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["prompt_folder"]

_TABLES: Final = {
    "pytest.toml": ("pytest",),
    ".pytest.toml": ("pytest",),
    "pytest.ini": ("pytest",),
    ".pytest.ini": ("pytest",),
    "pyproject.toml": ("tool.pytest", "tool.pytest.ini_options"),
    "tox.ini": ("pytest",),
    "setup.cfg": ("tool:pytest",),
}
"""The files that pytest reads, in its order, with the tables that make one of them its own."""
_NAME: Final = "mala_prompts"


def prompt_folder(root: Path) -> Path | None:
    """The folder that the first of these files in `root` names; None: the prompts that come with us.

    Raises UsageError for a file that can't be read, and for a folder that is not there.
    """
    for name, tables in _TABLES.items():
        file = root / name
        if not file.is_file():
            continue
        found = [table for table in map(_reader(file), tables) if table is not None]
        if found or name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"):
            value = next((table[_NAME] for table in found if _NAME in table), None)
            return _folder(root, file, value)
    return None


def _folder(root: Path, file: Path, value: object) -> Path | None:
    if not value:
        return None
    folder = root / str(value)
    if not folder.is_dir():
        raise UsageError(f"{_NAME}: no such folder: {folder} (in {file.name})")
    return folder


def _reader(file: Path) -> Any:
    """Gives a table of the file, or None."""
    try:
        if file.suffix == ".toml":
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            return lambda table: _inside(data, table)
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error) as error:
        raise UsageError(f"{file}: can't be read: {str(error).splitlines()[0]}") from None
    return lambda table: parser[table] if parser.has_section(table) else None


def _inside(data: Any, table: str) -> Any:
    for key in table.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data
