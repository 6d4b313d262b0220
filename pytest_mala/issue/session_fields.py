"""Read what a session is given and may use up: workspace, reviewer, agent and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.issue.model import (
    TIMEOUT_SECONDS,
    AgentChoice,
    AgentReview,
    CommandReview,
    Limits,
    NoReview,
    Review,
    WorkspaceSource,
    idle_seconds_for,
)
from pytest_mala.issue.readers import (
    command_line,
    dollars,
    duration,
    duration_or_off,
    identifier,
    inner_path,
    line_text,
    long_text,
    matching,
    optional,
    unique,
    whole_number,
    word,
)

if TYPE_CHECKING:
    from pytest_mala.issue.value import Value

# the SDK's own words
PERMISSION_MODES = ("default", "acceptEdits", "plan", "bypassPermissions", "dontAsk", "auto")
RETRIES_MOST = 1000
TURNS_MOST = 100_000

_model = matching(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]*", "a model's name like sonnet")


def workspace_source(value: Value) -> WorkspaceSource:
    """A path, or a mapping with more about it."""
    if value.is_text:
        return WorkspaceSource(path=line_text(value, "a path relative to this file"))
    allowed = ("path", "revision", "shared", "include", "exclude")
    fields = value.fields(allowed, f"a path or a mapping of {', '.join(allowed)}")
    patterns = unique(inner_path, "a list of patterns like [dist/**]")
    return WorkspaceSource(
        path=fields.get("path", optional(line_text), None),
        revision=fields.get("revision", optional(_revision), None),
        shared=fields.get("shared", optional(identifier), None),
        include=fields.get("include", patterns, ()),
        exclude=fields.get("exclude", patterns, ()),
    )


def _revision(value: Value) -> str:
    text = line_text(value, "a commit, tag or branch")
    if text.startswith("-") or " " in text:  # git would take it for an option
        value.expected("a commit, tag or branch")
    return text


def review_choice(value: Value) -> Review:
    """Nobody, a command, or a second agent."""
    what = "none, a mapping with command, or a mapping with agent"
    if value.is_text:
        if value.written(what) != "none":
            value.expected(what)
        return NoReview()
    fields = value.fields(("command", "agent"), what)
    if len(fields.values) != 1:
        value.fail(f"expected one of command and agent, got {'both' if fields.values else 'neither'}")
    if "command" in fields.values:
        return CommandReview(command=fields.get("command", command_line, ""))
    return AgentReview(agent=fields.get("agent", _reviewing_agent, AgentChoice()))


def _reviewing_agent(value: Value) -> AgentChoice:
    if value.is_text:
        return AgentChoice(model=_model(value))
    return agent_choice(value)


def agent_choice(value: Value) -> AgentChoice:
    """Model, permissions, tools and system prompt."""
    allowed = ("model", "permission_mode", "allowed_tools", "disallowed_tools", "system_prompt")
    fields = value.fields(allowed, f"a mapping of {', '.join(allowed)}")
    tools = unique(line_text, "a list of tools like [Read, Bash]")
    default = AgentChoice()
    return AgentChoice(
        model=fields.get("model", _model, default.model),
        permission_mode=fields.get("permission_mode", word(PERMISSION_MODES), default.permission_mode),
        allowed_tools=fields.get("allowed_tools", tools, ()),
        disallowed_tools=fields.get("disallowed_tools", tools, ()),
        system_prompt=fields.get("system_prompt", optional(long_text), None),
    )


def limits(value: Value) -> Limits:
    """Times, retries, turns and money; the idle time depends on the timeout if it isn't given."""
    allowed = (
        "timeout", "idle", "gate_retries", "review_retries", "idle_retries", "restarts", "turns", "budget_usd",
    )  # fmt: skip
    fields = value.fields(allowed, f"a mapping of {', '.join(allowed)}")
    default = Limits()
    retries = whole_number(0, RETRIES_MOST)
    timeout = fields.get("timeout", duration, TIMEOUT_SECONDS)
    return Limits(
        timeout=timeout,
        idle=fields.get("idle", duration_or_off, idle_seconds_for(timeout)),
        gate_retries=fields.get("gate_retries", retries, default.gate_retries),
        review_retries=fields.get("review_retries", retries, default.review_retries),
        idle_retries=fields.get("idle_retries", retries, default.idle_retries),
        restarts=fields.get("restarts", retries, default.restarts),
        turns=fields.get("turns", optional(whole_number(1, TURNS_MOST)), None),
        budget_usd=fields.get("budget_usd", optional(dollars), None),
    )
