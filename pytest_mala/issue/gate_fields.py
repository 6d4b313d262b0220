"""Read what the gate asserts: the commit rule and the checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mala.issue.model import CHECK_TIMEOUT_SECONDS, Check, CommitRule, GateRule
from pytest_mala.issue.readers import (
    ID,
    ID_WORDS,
    choice,
    command_line,
    flag,
    inner_path,
    line_text,
    long_text,
    optional,
    seconds,
    whole_number,
)

if TYPE_CHECKING:
    from pytest_mala.issue.value import Fields, Value


def gate_rule(value: Value) -> GateRule:
    """The commit rule and the checks by name."""
    fields = value.fields(("commit", "checks"), "a mapping of commit, checks")
    return GateRule(
        commit=fields.get("commit", choice(CommitRule), GateRule().commit),
        checks=fields.get("checks", _checks, ()),
    )


def _checks(value: Value) -> tuple[Check, ...]:
    pairs = value.entries("a mapping of names and commands like {test: python -m pytest}")
    return tuple(_check(name, child) for name, child in pairs)


def _check(name: str, value: Value) -> Check:
    if re.fullmatch(ID, name, re.ASCII) is None:
        value.fail(f"a check needs {ID_WORDS}")
    if value.is_text:
        return Check(name=name, command=command_line(value))
    allowed = ("run", "evidence", "timeout", "env", "cwd", "exit", "shell")
    fields = value.fields(allowed, "a command or a mapping with run or evidence")
    if ("run" in fields.values) == ("evidence" in fields.values):
        found = "both" if "run" in fields.values else "neither"
        value.fail(f"expected one of run (we run the command) and evidence (the agent ran it), got {found}")
    if "evidence" in fields.values:
        return _evidence(name, fields)
    is_shell = fields.get("shell", flag, default=False)
    return Check(
        name=name,
        command=fields.get("run", long_text if is_shell else command_line, ""),
        timeout=fields.get("timeout", seconds, CHECK_TIMEOUT_SECONDS),
        env=fields.get("env", _environment, {}),
        cwd=fields.get("cwd", optional(inner_path), None),
        expect_exit=fields.get("exit", whole_number(0, 255), 0),
        shell=is_shell,
    )


def _evidence(name: str, fields: Fields) -> Check:
    for other, value in fields.values.items():
        if other != "evidence":
            value.fail("only a check with run has this field")
    return Check(name=name, kind="evidence", command=fields.get("evidence", line_text, ""))


def _environment(value: Value) -> dict[str, str]:
    return {name: _variable(name, child) for name, child in value.entries("a mapping of names and texts")}


def _variable(name: str, value: Value) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) is None:
        value.fail("a variable's name must be letters, digits and '_', not starting with a digit")
    return value.scalar('a text ("" for an empty one)')
