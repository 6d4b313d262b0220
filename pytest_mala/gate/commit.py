"""Judge what the agent committed: the commit rule of an issue against the tree as it was before the checks ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.issue import CommitRule
from pytest_mala.issue.mention import names_issue
from pytest_mala.session.transcript.lines import escaped

if TYPE_CHECKING:
    from pytest_mala.workspace import Snapshot

__all__ = ["commit_naming", "commit_result", "uncommitted"]

SHOWN = 10
"""Files and commits that a reason lists; the rest is counted."""


def commit_naming(snapshot: Snapshot, issue_id: str) -> str | None:
    """The newest commit of the session that names the issue, or None."""
    return next((commit.id for commit in reversed(snapshot.ahead) if names_issue(commit.message, issue_id)), None)


def commit_result(rule: CommitRule, issue_id: str, snapshot: Snapshot) -> CheckResult | None:
    """The rule's own row among the results, or None where anything is allowed."""
    if rule is CommitRule.ALLOWED:
        return None
    reason = _forbidden(snapshot) if rule is CommitRule.FORBIDDEN else _required(issue_id, snapshot)
    verdict = Verdict.FAILED if reason else Verdict.PASSED
    return CheckResult(name="commit", kind="commit", command=rule.value, verdict=verdict, reason=reason)


def uncommitted(snapshot: Snapshot) -> tuple[str, ...]:
    """The files that are changed, staged or untracked on top of HEAD, in a form that can be shown.

    None are named where an earlier snapshot of the take had the same uncommitted work already.
    """
    on_top = {snapshot.index, snapshot.work} - {snapshot.head}
    commits = [commit for commit in snapshot.commits if commit.id in on_top]
    paths = {change.path for commit in commits for change in commit.changes}
    return tuple(escaped(path).replace("\n", "\\n") for path in sorted(paths))


def _required(issue_id: str, snapshot: Snapshot) -> str:
    if commit_naming(snapshot, issue_id) is None:
        return f"no commit names the issue: expected a commit whose message contains {issue_id!r}, {_made(snapshot)}"
    if not snapshot.clean:
        return f"uncommitted work: {_listed(uncommitted(snapshot)) or 'some files'}; commit it or remove it"
    return ""


def _forbidden(snapshot: Snapshot) -> str:
    if not snapshot.ahead:
        return ""
    return f"this issue allows no commit, {_made(snapshot)}"


def _made(snapshot: Snapshot) -> str:
    if not snapshot.ahead:
        return "got no commit"
    subjects = [repr(commit.message.split("\n", 1)[0]) for commit in snapshot.ahead]
    return f"got {len(subjects)}: {_listed(subjects)}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
