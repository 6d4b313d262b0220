"""Say without playing it from which turn on a recorded take answers prompts that no longer exist.

The first prompt is made as a session makes it. Of the others only the wording of their files is known, for what is
filled in depends on how the session went: a recorded prompt is fresh if its file could have made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_mala.issue.markdown import without_acceptance_criteria
from pytest_mala.session.prompts import commands_of_checks, format_checks, format_implementer_prompt
from pytest_mala.session.templates import pattern_of
from pytest_mala.transport.names import Names
from pytest_mala.transport.scrub import Likeness

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_mala.issue import Issue
    from pytest_mala.session.prompts import PromptProvider
    from pytest_mala.transport.cassette import Take

__all__ = ["first_prompt", "stale_turn"]

_NOWHERE: Final = "/workspace-of-no-session"
"""Stands for the workspace in a prompt that no session sends."""
_RETRIES: Final = ("idle resume", "crash retry")


def first_prompt(issue: Issue, prompts: PromptProvider, workspace: Path | str) -> str:
    """What a session on the issue is asked first."""
    checks = issue.gate.checks
    return format_implementer_prompt(
        prompts.implementer_prompt,
        issue.id,
        workspace,
        issue.id,
        commands_of_checks(checks),
        "",
        "",
        issue_title=issue.title,
        issue_body=without_acceptance_criteria(issue.body),
        acceptance_criteria=issue.acceptance_criteria or "What the issue says, and no less.",
        checks=format_checks(checks),
    )


def stale_turn(take: Take, issue: Issue, prompts: PromptProvider, environment: Mapping[str, str]) -> int | None:
    """The first turn, from 1, whose recorded prompt could not be sent today; None if all could.

    `environment` are variables whose values may have been taken out of a recorded prompt as secrets.
    """
    now = Names({"WORKSPACE": _NOWHERE}).hide(first_prompt(issue, prompts, _NOWHERE))
    likeness, files = Likeness(environment), _patterns(prompts)
    asked: set[str] = set()
    for turn, (purpose, text) in enumerate(_prompts(take), 1):
        if purpose == "work":
            is_fresh = likeness.named(text, now) == text
        else:
            told = Names({}).show(text)
            is_fresh = purpose not in files or any(pattern.fullmatch(told) for pattern in files[purpose])
        if not is_fresh and not (purpose in _RETRIES and text in asked):
            return turn
        asked.add(text)
    return None


def _patterns(prompts: PromptProvider) -> dict[str, list[re.Pattern[str]]]:
    """What the prompts of a connection look like, by its purpose. A continuation asks again what was asked for last; a
    retry may repeat what was not answered, word for word.
    """
    asked_for = (prompts.gate_followup_prompt, prompts.review_followup_prompt)
    go_on = prompts.continuation_prompt
    texts = {
        "gate retry": [prompts.gate_followup_prompt],
        "review retry": [prompts.review_followup_prompt],
        "checkpoint": [prompts.checkpoint_request_prompt],
        "continuation": [go_on, *(f"{go_on}\n\n{text}" for text in asked_for)],
        **{retry: [prompts.idle_resume_prompt] for retry in _RETRIES},
    }
    return {purpose: list(map(pattern_of, found)) for purpose, found in texts.items()}


def _prompts(take: Take) -> Iterator[tuple[str, str]]:
    """What each connection was opened for, with each prompt that it was sent."""
    purpose = "work"
    for one in take.interactions:
        if one.method == "CONNECT":
            purpose = one.headers.get("purpose", "work")
        elif one.method == "QUERY":
            yield purpose, one.body
