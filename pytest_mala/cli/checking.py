"""Look over the cassettes of a folder: what a replay would refuse, and what deserves a second look."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_mala.agent.environment import SCRIPTED_API_KEY
from pytest_mala.case.application import FOLDER
from pytest_mala.case.case import prompts_in
from pytest_mala.case.freshness import stale_turn
from pytest_mala.case.recorded import says_application
from pytest_mala.cli.sealing import SUFFIX, must_be_playable
from pytest_mala.errors import CassetteError, IssueError, UsageError
from pytest_mala.issue import load_issues, looks_like_issue
from pytest_mala.transport.cassette import read
from pytest_mala.transport.play import freshness
from pytest_mala.transport.scrub import RULES_VERSION, Scrubber, leaks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_mala.issue import Issue
    from pytest_mala.session.prompts import PromptProvider
    from pytest_mala.transport.cassette import Cassette

__all__ = ["Checked", "check", "must_be_scrubbed"]

_PART = ".part"
_SDK = "claude-agent-sdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One cassette: `error` is why a replay refuses it, `remarks` are no reasons to refuse it."""

    path: Path
    error: str | None = None
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.error is not None:
            return f"error: {self.error}"
        return f"{self.path}: {'; '.join(self.remarks) or 'ok'}"

    def to_data(self) -> dict[str, Any]:
        """As JSON data."""
        return {"path": str(self.path), "ok": self.error is None, "error": self.error, "remarks": list(self.remarks)}


def check(
    paths: Sequence[Path],
    issues: Sequence[Path] = (),
    prompts: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Checked]:
    """Every cassette of these files and folders, in the order of their names.

    Of a folder those of applications are looked at too, one level below. With issue files or folders, cassettes that
    none of their issues reads are told as unused, and those that answer other prompts than the issue and the files in
    the folder `prompts` (None: ours) make now, as stale. Journals that killed recordings left are told too. Secrets are
    looked for by their shapes, and by the values of `environment`. Raises UsageError for a path that is not there, or
    an issue or a prompt file that can't be read.
    """
    variables = os.environ if environment is None else environment
    wanted = _Wanted(_issues(issues), prompts_in(prompts), variables) if issues else None
    installed = version(_SDK)
    scrubber = Scrubber(public=(SCRIPTED_API_KEY,))
    scrubber.learn(variables)
    for path in paths:
        for file in _files(path):
            yield _left_over(file) if file.name.endswith(_PART) else _checked(file, wanted, installed, scrubber)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the cassettes are for: issues by id, with the prompts that sessions on them are sent."""

    issues: Mapping[str, Issue]
    prompts: PromptProvider
    environment: Mapping[str, str]

    def remarks(self, found: Cassette) -> Iterator[str]:
        """Whether the cassette is unused, or stale from a turn on."""
        if says_application(found):  # a test asks for it, and tests are not at hand
            return
        issue = self.issues.get(found.issue)
        if issue is None:
            yield f"unused: none of the issues is called {found.issue}"
            return
        for take in found.takes if found.source is None else ():  # the prompts of a log come from no issue
            if turn := stale_turn(take, issue, self.prompts, self.environment):
                turns = sum(one.method == "QUERY" for one in take.interactions)
                which = f"take {take.number} is stale" if len(found.takes) > 1 else "stale"
                yield f"{which}: {freshness(turn, turns)}"


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        folders = [path, path / FOLDER]
        files = sorted(file for folder in folders if folder.is_dir() for file in folder.iterdir())
        if found := [file for file in files if file.name.endswith((SUFFIX, _PART))]:
            return found
        raise UsageError(f"{path}: there is no cassette in this folder (*{SUFFIX}, or *{_PART} of a killed recording)")
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"{path}: no such file or folder; name cassettes or their folder (`cassettes` by default)")
    return [path]


def _checked(file: Path, wanted: _Wanted | None, installed: str, scrubber: Scrubber) -> Checked:
    """As a replay would read it, and without a secret in it."""
    try:
        found = read(file)
        must_be_playable(file, found)
        must_be_scrubbed(file, found, scrubber)
    except CassetteError as error:
        return Checked(path=file, error=str(error))
    more = wanted.remarks(found) if wanted is not None else ()
    return Checked(path=file, remarks=(*_remarks(found, installed), *more))


def must_be_scrubbed(file: Path, found: Cassette, scrubber: Scrubber) -> None:
    """Raises CassetteError for the first thing that looks like a secret; never with the secret itself."""
    leaks = leaks_of(file.read_text(encoding="utf-8"), scrubber, found.values())
    if leaks:
        more = f" and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        what = f"holds what looks like a secret (rule {leaks[0].rule}){more}: revoke it, and record the session again"
        raise CassetteError(file, what, leaks[0].line)


def _remarks(found: Cassette, installed: str) -> Iterator[str]:
    if found.edited:
        yield "edited by hand"
    if found.scrub is None:
        yield "recorded by a version that did not take secrets out"
    elif found.scrub.rules < RULES_VERSION:
        yield f"secrets were taken out by rules {found.scrub.rules}, older than the present {RULES_VERSION}"
    if found.source is not None:
        yield f"imported from a {found.source}: its workspace is unknown, so no check runs"
    elif _numbers(found.sdk) < _numbers(installed):
        yield f"recorded with SDK {found.sdk}, older than the installed {installed}"
    elif _numbers(found.sdk) > _numbers(installed):
        yield f"recorded with SDK {found.sdk}, newer than the installed {installed}"


def _left_over(part: Path) -> Checked:
    what = "left behind by a recording that was killed: make a cassette of it (`pytest-mala cassette recover`)"
    return Checked(path=part, remarks=(f"{what} or delete it",))


def _numbers(text: str) -> tuple[int, ...]:
    """The release of a version; what comes after its numbers plays no part."""
    leading = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def _issues(paths: Iterable[Path]) -> dict[str, Issue]:
    found: dict[str, Issue] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"--issues: no such file or folder: {path}")
        files = sorted(path.rglob("*.md")) if path.is_dir() else [path]
        for file in files:
            try:
                found |= {issue.id: issue for issue in load_issues(file)} if looks_like_issue(file) else {}
            except IssueError as error:
                raise UsageError(f"--issues: {error}") from None
    return found
