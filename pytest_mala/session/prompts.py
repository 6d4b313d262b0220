"""Loads prompt files, checks their placeholders, and fills them for a turn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_mala.session.checkpoint import build_continuation_prompt, extract_checkpoint
from pytest_mala.session.commands import (
    PromptValidationCommands,
    build_prompt_validation_commands,
    commands_of_checks,
    get_default_validation_commands,
)
from pytest_mala.session.review_text import format_review_issues
from pytest_mala.session.templates import PromptError, check, fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.resources.abc import Traversable

    from pytest_mala.session.commands import NamedCommand

__all__ = [
    "ALLOWED",
    "PromptError",
    "PromptProvider",
    "PromptValidationCommands",
    "build_continuation_prompt",
    "build_prompt_validation_commands",
    "commands_of_checks",
    "default_prompt_dir",
    "extract_checkpoint",
    "format_checks",
    "format_gate_followup",
    "format_idle_resume",
    "format_implementer_prompt",
    "format_review_followup",
    "format_review_issues",
    "get_default_validation_commands",
    "load_prompt",
    "load_prompts",
]

_COMMANDS = frozenset({"lint_command", "format_command", "typecheck_command", "test_command"})
_ISSUE = frozenset({"issue_id", "issue_title", "issue_body", "acceptance_criteria", "checks"})
_ATTEMPT = frozenset({"issue_id", "attempt", "max_attempts"})

ALLOWED = {
    "implementer_prompt": _COMMANDS | _ISSUE | {"repo_path", "lock_dir", "scripts_dir", "agent_id"},
    "gate_followup": _COMMANDS | _ATTEMPT | {"failure_reasons"},
    "review_followup": _ATTEMPT | {"review_issues"},
    "idle_resume": frozenset({"issue_id"}),
    "continuation": frozenset({"checkpoint"}),
    "fixer": frozenset({"attempt", "max_attempts", "failure_output"}),
    "reviewer": _ISSUE | {"repo_path", "baseline_commit", "diff", "previous_findings", "agent_reply"},
}
"""Placeholders by file; a file that is not listed (checkpoint_request) is sent as it stands."""


@dataclass(frozen=True)
class PromptProvider:
    """The texts of all prompt files; `fixer_prompt` and `reviewer_prompt` are empty where the file is absent."""

    implementer_prompt: str
    review_followup_prompt: str
    gate_followup_prompt: str
    fixer_prompt: str
    idle_resume_prompt: str
    checkpoint_request_prompt: str
    continuation_prompt: str
    reviewer_prompt: str = ""


def default_prompt_dir() -> Traversable:
    """Our own prompts: `pytest_mala/prompts` of an installed wheel, the folder beside the package in a checkout."""
    installed = resources.files("pytest_mala") / "prompts"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "prompts"


def load_prompt(name: str, prompt_dir: Path | None = None) -> str:
    """The text of `<name>.md`; `FileNotFoundError` without the file, `PromptError` for a placeholder it can't have."""
    folder = prompt_dir if prompt_dir is not None else default_prompt_dir()
    file = folder / f"{name}.md"
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PromptError(str(file), 1, "", f"not UTF-8 text ({error.reason} at byte {error.start})") from None
    if name in ALLOWED:
        check(text, str(file), frozenset(ALLOWED[name]))
    return text


def load_prompts(prompt_dir: Path | None = None) -> PromptProvider:
    """All prompts of a project's own directory, or ours; only `fixer.md` and `reviewer.md` may be absent."""
    return PromptProvider(
        implementer_prompt=load_prompt("implementer_prompt", prompt_dir),
        review_followup_prompt=load_prompt("review_followup", prompt_dir),
        gate_followup_prompt=load_prompt("gate_followup", prompt_dir),
        fixer_prompt=_load_optional("fixer", prompt_dir),
        idle_resume_prompt=load_prompt("idle_resume", prompt_dir),
        checkpoint_request_prompt=load_prompt("checkpoint_request", prompt_dir),
        continuation_prompt=load_prompt("continuation", prompt_dir),
        reviewer_prompt=_load_optional("reviewer", prompt_dir),
    )


def _load_optional(name: str, prompt_dir: Path | None) -> str:
    try:
        return load_prompt(name, prompt_dir)
    except FileNotFoundError:
        return ""


def format_checks(checks: Iterable[NamedCommand]) -> str:
    """A list of checks for the agent: one line per check, with the command."""
    lines = [f"- {check.name}: `{check.command}`" for check in checks]
    return "\n".join(lines) or "- (none)"


def format_implementer_prompt(
    implementer_prompt: str,
    issue_id: str,
    repo_path: Path | str,
    agent_id: str,
    validation_commands: PromptValidationCommands,
    lock_dir: Path | str,
    scripts_dir: Path | str,
    *,
    issue_title: str = "",
    issue_body: str = "",
    acceptance_criteria: str = "",
    checks: str | None = None,
) -> str:
    """The first prompt of a session; `checks` is the text of `format_checks`, or made from the validation commands."""
    commands = _command_values(validation_commands)
    listed = "\n".join(f"- {name.removesuffix('_command')}: `{command}`" for name, command in commands.items())
    return fill(
        implementer_prompt,
        {
            **commands,
            "issue_id": issue_id,
            "repo_path": str(repo_path),
            "agent_id": agent_id,
            "lock_dir": str(lock_dir),
            "scripts_dir": str(scripts_dir),
            "issue_title": issue_title,
            "issue_body": issue_body.strip(),
            "acceptance_criteria": acceptance_criteria.strip() or "(none)",
            "checks": checks if checks is not None else listed,
        },
    )


def format_gate_followup(
    template: str,
    *,
    attempt: int,
    max_attempts: int,
    failure_reasons: Sequence[str],
    issue_id: str,
    commands: PromptValidationCommands,
) -> str:
    """What the agent is told after a failed gate: one line per reason."""
    return fill(
        template,
        {
            **_command_values(commands),
            "attempt": str(attempt),
            "max_attempts": str(max_attempts),
            "failure_reasons": "\n".join(f"- {reason}" for reason in failure_reasons),
            "issue_id": issue_id,
        },
    )


def format_review_followup(template: str, *, attempt: int, max_attempts: int, review_issues: str, issue_id: str) -> str:
    """What the agent is told after a review with blocking findings."""
    return fill(
        template,
        {
            "attempt": str(attempt),
            "max_attempts": str(max_attempts),
            "review_issues": review_issues,
            "issue_id": issue_id,
        },
    )


def format_idle_resume(template: str, *, issue_id: str) -> str:
    """What a resumed agent is told after it fell silent."""
    return fill(template, {"issue_id": issue_id})


def _command_values(commands: PromptValidationCommands) -> dict[str, str]:
    return {
        "lint_command": commands.lint,
        "format_command": commands.format,
        "typecheck_command": commands.typecheck,
        "test_command": commands.test,
    }
