"""Import a session log of Claude Code: an issue file and a cassette come out, and all that could not be taken over."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_mala.case.ending import Ending
from pytest_mala.case.from_log import NO_TIME, import_story
from pytest_mala.case.imported import gate_problems
from pytest_mala.case.recorded import read_imported
from pytest_mala.errors import CassetteError, IssueError, UsageError
from pytest_mala.issue import Issue, load_issues
from pytest_mala.issue.readers import ID, ID_WORDS
from pytest_mala.report.text import counted
from pytest_mala.session.conversation import Conversation
from pytest_mala.session.history import Prompt, read_log, story_of
from pytest_mala.session.transcript.lines import escaped
from pytest_mala.transport.cassette import write
from pytest_mala.transport.names import Names
from pytest_mala.transport.scrub import check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_mala.case.from_log import Imported
    from pytest_mala.session.history import Story, Torn
    from pytest_mala.transport.telling import ToldStep

__all__ = ["Report", "Wanted", "import_log"]

_UNKNOWN: Final = ("options", "hook answers", "control requests", "timing inside a turn", "workspace", "gate", "cost")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID: Final = re.compile(ID, re.ASCII)
_NAMES: Final = Names({})
_SHOWN: Final = 10
_BODY: Final = 20_000
_TITLE: Final = 72
_NO_PROMPT: Final = "The log does not tell the prompt: it begins behind it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for: the log, and where its issue and cassette go.

    `issue` is an issue file that is there already and stays as it is; `name` is the id of a new one. `force` replaces
    files that are there.
    """

    log: Path
    issue: Path | None
    name: str | None
    issues: Path
    cassettes: Path
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written, what the session holds, and everything of the log that is not in it."""

    id: str
    issue: Path
    is_issue_new: bool
    cassette: Path
    facts: Mapping[str, Any]
    outcome: str
    why: str
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def next_command(self) -> str:
        """How the session is played."""
        cassettes = "" if self.cassette.parent.name == "cassettes" else f" -o mala_cassettes={self.cassette.parent}"
        return f"pytest --mala-issues {self.issue}{cassettes}"

    def lines(self) -> Iterator[str]:
        """For a reader, a line for each thing."""
        facts = self.facts
        yield f"{self.issue}: {'written' if self.is_issue_new else 'kept as it is'}"
        yield f"{self.cassette}: written"
        counts = [counted(facts[name], word) for name, word in _COUNTS.items()]
        yield f"session: {', '.join(counts)}; CLI {facts['cli']}"
        yield f"outcome: {self.outcome} ({self.why})"
        yield f"unknown: {', '.join(facts['unknown'])}"
        yield from (f"left out: {one}" for one in self.left_out)
        yield from (f"warning: {one}" for one in self.warnings)
        yield f"next: {self.next_command}"

    def to_data(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "id": self.id,
            "issue": str(self.issue),
            "cassette": str(self.cassette),
            "issue_written": self.is_issue_new,
            **self.facts,
            "outcome": self.outcome,
            "why": self.why,
            "left_out": list(self.left_out),
            "warnings": list(self.warnings),
            "next": self.next_command,
        }


_COUNTS: Final = {"turns": "turn", "tool_calls": "tool call", "frames": "frame", "sub_agents": "sub-agent"}


def import_log(wanted: Wanted, environment: Mapping[str, str] | None = None) -> Report:
    """Read the log, and write its cassette and, unless one was named, its issue file.

    Raises SessionLogError for a file that is none, UsageError for arguments that can't be, CassetteError for files that
    are there already, and SecretFoundError if a secret would be written. The files are written last.
    """
    story = story_of(read_log(wanted.log))
    given = _given_issue(wanted.issue) if wanted.issue is not None else None
    issue_id = given.id if given is not None else _id(wanted)
    issue = wanted.issue if wanted.issue is not None else wanted.issues / f"{issue_id}.md"
    cassette = wanted.cassettes / f"{issue_id}.yaml"
    for path in (cassette, *([issue] if given is None else [])):
        if (path.exists() or path.is_symlink()) and not wanted.force:
            raise CassetteError(
                path, "is there already, and is not replaced; name another id with --id, or say --force"
            )
    imported = import_story(story, issue=issue_id, environment=os.environ if environment is None else environment)
    steps = read_imported(cassette, imported.cassette)
    if not any(step.frame is not None for step in steps):
        raise CassetteError(wanted.log, f"not imported: nothing that the agent did can be played{_first(imported)}")
    ending = _ending(steps)
    values = imported.cassette.values()
    text = None if given is not None else _issue_text(issue_id, steps, ending, wanted.log)
    _write(cassette, imported, values)
    if text is not None:
        _write_issue(issue, text)
    return Report(
        id=issue_id,
        issue=issue,
        is_issue_new=given is None,
        cassette=cassette,
        facts=_facts(story, imported, steps),
        outcome=ending.reason.value,
        why=ending.why,
        left_out=tuple(map(escaped, _left_out(story, imported))),
        warnings=tuple(map(escaped, _warnings(story, imported, given, ending))),
    )


def _given_issue(path: Path) -> Issue:
    if not path.is_file():
        raise UsageError(f"--issue: no such file: {path}; name an issue file that is there, or leave it out")
    try:
        found = load_issues(path)
    except IssueError as error:
        raise UsageError(f"--issue: {error}") from None
    if len(found) != 1:
        raise UsageError(f"--issue: {path}: expected one issue in the file, got {len(found)}")
    return found[0]


def _id(wanted: Wanted) -> str:
    """The id that was asked for, else one made of the log's name: the CLI names its logs by session."""
    if wanted.name is not None:
        if not _ID.fullmatch(wanted.name):
            raise UsageError(f"--id: expected {ID_WORDS}, got {wanted.name!r}")
        return wanted.name
    stem = wanted.log.stem
    if _UUID.fullmatch(stem):
        return f"session-{stem[:8].lower()}"
    made = re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:100].lstrip(".-")
    return made or "session"


def _ending(steps: tuple[ToldStep, ...]) -> Ending:
    ending = Ending()
    for step in steps:
        if step.frame is None:
            ending.frame("sdk", {"message": {"content": step.content}})
        else:
            ending.frame("cli", step.frame)
    return ending


def _issue_text(issue_id: str, steps: tuple[ToldStep, ...], ending: Ending, log: Path) -> str:
    """The file of a new issue, made of what the cassette holds: no secret and no path of another machine is in it."""
    prompt = next((step.content for step in steps if step.frame is None), None)
    text = escaped(_NAMES.show(_words(prompt))).strip("\n")
    title = " ".join(text.split()) if prompt is not None else f"The session of {log.name}"
    title = title if len(title) <= _TITLE else f"{title[: _TITLE - 3].rstrip()}..."
    body = text if len(text) <= _BODY else f"{text[:_BODY]}\n\n(The whole prompt stands in the cassette.)"
    return (
        f"---\nid: {issue_id}\ntitle: {json.dumps(title or 'A session', ensure_ascii=False)}\nlabels: [imported]\n"
        "gate: {commit: allowed}  # nothing can judge the work: a session log does not tell the workspace\n"
        f"expect: {ending.reason.value}  # how the session ended\n---\n{body or _NO_PROMPT}\n"
    )


def _words(prompt: str | list[Any] | None) -> str:
    if prompt is None or isinstance(prompt, str):
        return prompt or ""
    texts = [block.get("text") for block in prompt if isinstance(block, dict)]
    return "\n\n".join(text for text in texts if isinstance(text, str)) or "(A prompt without a text.)"


def _write(cassette: Path, imported: Imported, values: list[dict[str, Any]]) -> None:
    """As a recording does it: after a second look for secrets at the finished text."""
    where = str(cassette)
    write(cassette, imported.cassette, check=lambda text: check_text(text, imported.scrubber, values, where=where))


def _write_issue(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: the issue file can't be written: {error.strerror}") from None


def _facts(story: Story, imported: Imported, steps: tuple[ToldStep, ...]) -> dict[str, Any]:
    said = Conversation()
    for step in steps:
        if step.frame is not None:
            said.frame("cli", step.frame)
    return {
        "turns": sum(step.frame is None for step in steps),
        "tool_calls": len(said.tools),
        "frames": sum(step.frame is not None for step in steps),
        "sub_agents": story.sub_agents,
        "cli": imported.cassette.cli,
        "start": imported.cassette.takes[0].start if imported.has_times else None,
        "unknown": [*_UNKNOWN, *([] if imported.has_times else ["time"])],
    }


def _left_out(story: Story, imported: Imported) -> Iterator[str]:
    if story.others:
        yield f"entries that are no messages: {', '.join(f'{count} {kind}' for kind, count in story.others.items())}"
    if story.abandoned:
        yield f"{counted(story.abandoned, 'message')} of branches that were given up (edited or repeated prompts)"
    if story.repeated:
        yield f"{counted(story.repeated, 'message')} whose id was there before"
    if story.torn:
        yield _shown(map(_torn, story.torn), "that can't be read", "line")
    if imported.unplayable:
        told = (f"{one.name + ' ' if one.name else ''}line {one.number} ({one.why})" for one in imported.unplayable)
        yield _shown(told, "that the SDK can't read", "message")
    if story.unplaced:
        yield _shown(story.unplaced, "whose tool call is not in the session", "sub-agent")
    yield from story.wrong


def _torn(one: Torn) -> str:
    return f"line {one.number} ({one.why}{', the file breaks off in it' if one.is_last else ''})"


def _shown(things: Iterable[str], what: str, noun: str) -> str:
    told = list(things)
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f"{counted(len(told), noun)} {what}: {', '.join(told[:_SHOWN])}{more}"


def _warnings(story: Story, imported: Imported, given: Issue | None, ending: Ending) -> Iterator[str]:
    if story.is_side:
        yield "this is the log of a sub-agent: its own work was imported; the log of the session is another file"
    if not story.steps or not isinstance(story.steps[0], Prompt):
        yield "the log begins behind the first prompt"
    if story.unlinked:
        yield f"{counted(story.unlinked, 'link')} to entries that are missing: what stands before in the file was taken"
    if "WORKSPACE" not in imported.names.values:
        yield "the log does not tell in which folder the agent worked: paths stay as they are"
    elif "HOME" not in imported.names.values:
        yield "the log does not tell the user's home folder: paths that lead there stay as they are"
    if not imported.has_times:
        yield f"the log tells no time: the session begins at {NO_TIME}"
    if given is not None:
        for problem in gate_problems(given):
            yield f"{given.place}: {problem}: a log can't show that, so a replay will refuse it"
        if ending.reason not in given.expect:
            expected = " or ".join(reason.value for reason in given.expect)
            yield f"{given.place}: expect: {expected}, but the session ended as {ending.reason.value}"


def _first(imported: Imported) -> str:
    return "".join(f" (line {one.number}: {one.why})" for one in imported.unplayable[:1])
