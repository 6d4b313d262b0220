"""Put marker, commit rule and check results together to the gate's verdict and its reasons; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mala.gate.commit import commit_naming, commit_result, uncommitted
from pytest_mala.gate.output import last_lines
from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.session.models import GateResult, IssueResolution, ResolutionOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mala.issue import Issue
    from pytest_mala.workspace import Snapshot

__all__ = ["Since", "judge"]

REASON_LINES = 20
"""Lines of a failed check's output that its reason carries, so that the agent can work with it."""

NO_PROGRESS = (
    "No progress: the same commit as in the attempt before, the same files, and no command ran; "
    "another attempt would end the same"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What happened since the attempt before; `previous_commit` is the commit that the gate found then, or None."""

    previous_commit: str | None
    is_tree_changed: bool
    has_run_commands: bool


def judge(
    *,
    issue: Issue,
    attempt: int,
    results: Sequence[CheckResult],
    snapshot: Snapshot,
    resolution: IssueResolution | None = None,
    already_complete_commit: str | None = None,
    since: Since | None = None,
    shown: Callable[[str], str] = str,
) -> GateResult:
    """The gate's verdict on an attempt.

    A marker is judged first and alone, by its rationale and the tree; checks need not have run for it. Without one
    the commit rule and all checks count, and every failure is a reason, in that order. `snapshot` is the tree before
    the checks ran; `already_complete_commit` any commit in HEAD's history that names the issue; `since` counts for
    nothing in the first attempt. `shown` puts real paths for the names in what checks printed, for the reasons that
    the agent is told. `validation_evidence` of the result is the tuple of all rows (`CheckResult`), as they are kept.

    A check that has no result fails: unknown never passes.
    """
    if resolution is not None:
        commit = already_complete_commit if resolution.outcome is ResolutionOutcome.ALREADY_COMPLETE else None
        rows: tuple[CheckResult, ...] = (_marker_result(resolution, issue.id, snapshot, commit),)
    else:
        commit = commit_naming(snapshot, issue.id)
        rule = commit_result(issue.gate.commit, issue.id, snapshot)
        rows = (*([rule] if rule else []), *results, *_missing(issue, results))
    reasons = [_reason(row, shown) for row in rows if not row.is_passed]
    is_stalled = bool(reasons) and attempt > 1 and since is not None and _is_stalled(commit, since)
    return GateResult(
        passed=not reasons,
        failure_reasons=[*reasons, *([NO_PROGRESS] if is_stalled else [])],
        commit_hash=commit,
        validation_evidence=rows,
        no_progress=is_stalled,
        resolution=resolution if not reasons else None,
    )


def _is_stalled(commit: str | None, since: Since) -> bool:
    return commit == since.previous_commit and not since.is_tree_changed and not since.has_run_commands


def _missing(issue: Issue, results: Sequence[CheckResult]) -> list[CheckResult]:
    known = {result.name for result in results}
    return [
        CheckResult(
            name=check.name,
            kind=check.kind,
            command=check.command,
            verdict=Verdict.ERROR,
            reason="there is no result: the check was not run",
        )
        for check in issue.gate.checks
        if check.name not in known
    ]


def _marker_result(resolution: IssueResolution, issue_id: str, snapshot: Snapshot, commit: str | None) -> CheckResult:
    name = resolution.outcome.name
    if not resolution.rationale:
        reason = f"{name} requires a rationale on the marker's line: `ISSUE_{name}: why`"
    elif resolution.outcome is ResolutionOutcome.ALREADY_COMPLETE:
        reason = "" if commit else f"{name}, but no commit in the history names {issue_id!r}"
    else:
        reason = _untouched(name, snapshot)
    verdict = Verdict.FAILED if reason else Verdict.PASSED
    return CheckResult(name="resolution", kind="resolution", command=f"ISSUE_{name}", verdict=verdict, reason=reason)


def _untouched(name: str, snapshot: Snapshot) -> str:
    """Why the tree contradicts a marker that says nothing was to be done, or nothing."""
    if snapshot.ahead:
        return (
            f"{name}, but there are commits of this session ({len(snapshot.ahead)}); take them back or drop the marker"
        )
    if not snapshot.clean:
        files = ", ".join(uncommitted(snapshot)[:10]) or "some files"
        return f"{name}, but there is uncommitted work: {files}; take it back or drop the marker"
    return ""


def _reason(row: CheckResult, shown: Callable[[str], str]) -> str:
    """One line, and below it the last lines of the output, indented.

    Lines are left out first and shown afterwards: real paths are of another length on another machine.
    """
    if row.kind in ("commit", "resolution"):
        return row.reason
    first = f"check {row.name!r} {_ENDED[row.verdict]}: `{row.command}`: {shown(row.reason)}"
    lines = last_lines(row.output, REASON_LINES)
    return "\n".join([first, *(f"    {shown(line)}".rstrip() for line in lines)])


_ENDED = {
    Verdict.PASSED: "passed",
    Verdict.FAILED: "failed",
    Verdict.TIMED_OUT: "timed out",
    Verdict.ERROR: "could not be run",
}
