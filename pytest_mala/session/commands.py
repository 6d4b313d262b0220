"""The four validation commands that prompts can name: presets, the user's own, those among an issue's checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_mala.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "PRESETS",
    "PromptValidationCommands",
    "build_prompt_validation_commands",
    "commands_of_checks",
    "get_default_validation_commands",
]

_RUFF = "RUFF_CACHE_DIR=/tmp/ruff-${AGENT_ID:-default} uvx ruff"  # the exact text is the contract (T4)

PRESETS: Mapping[str, Mapping[str, str]] = {
    "python-uv": {
        "lint": f"{_RUFF} check .",
        "format": f"{_RUFF} format .",
        "typecheck": "uvx ty check",
        "test": "uv run pytest -o cache_dir=/tmp/pytest-${AGENT_ID:-default}",
    },
    "node-npm": {
        "lint": "npx eslint .",
        "format": "npx prettier --check .",
        "typecheck": "npx tsc --noEmit",
        "test": "npm test",
    },
    "go": {
        "lint": "golangci-lint run",
        "format": 'test -z "$(gofmt -l .)"',
        "test": "go test ./...",
    },
    "rust": {
        "lint": "cargo clippy -- -D warnings",
        "format": "cargo fmt --check",
        "typecheck": "cargo check",
        "test": "cargo test",
    },
}
_KINDS = ("lint", "format", "typecheck", "test")
_CHECK_NAMES = {"lint": ("lint",), "format": ("format",), "typecheck": ("typecheck", "types"), "test": ("test",)}


class NamedCommand(Protocol):
    """A check: what it is called and which command it stands for."""

    @property
    def name(self) -> str: ...
    @property
    def command(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PromptValidationCommands:
    """What the agent is told to run; a kind without a command says so itself."""

    lint: str
    format: str
    typecheck: str
    test: str

    @classmethod
    def from_validation_config(cls, config: Mapping[str, Any]) -> PromptValidationCommands:
        """From `{"preset": ..., "commands": {"lint": ..., ...}}`, both optional."""
        return _merge(config.get("preset"), config.get("commands") or {})


def get_default_validation_commands() -> PromptValidationCommands:
    """Those of the preset python-uv."""
    return _merge("python-uv", {})


def build_prompt_validation_commands(
    repo_path: Path, *, preset: str | None = None, commands: Mapping[str, str] | None = None
) -> PromptValidationCommands:
    """The user's commands over a preset's; neither given: the default ones. `repo_path` names no file that is read."""
    if preset is None and commands is None:
        return get_default_validation_commands()
    return _merge(preset, commands or {})


def commands_of_checks(checks: Iterable[NamedCommand]) -> PromptValidationCommands:
    """The commands of the checks called lint, format, typecheck (or types) and test; `(none)` where there is none."""
    by_name = {check.name: check.command for check in checks}
    found = {
        kind: next((by_name[name] for name in names if name in by_name), "(none)")
        for kind, names in _CHECK_NAMES.items()
    }
    return PromptValidationCommands(**found)


def _merge(preset: str | None, commands: Mapping[str, str]) -> PromptValidationCommands:
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r} of validation commands: expected one of {', '.join(PRESETS)}")
    known = PRESETS[preset] if preset is not None else {}
    merged = {kind: commands.get(kind) or known.get(kind) or _missing(kind) for kind in _KINDS}
    return PromptValidationCommands(**merged)


def _missing(kind: str) -> str:
    return f"echo 'No {kind} command configured' >&2; exit 0"
