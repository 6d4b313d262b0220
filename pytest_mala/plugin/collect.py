"""Make tests from issue files: one async function per issue in a module that pytest collects like any other."""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_mala.errors import IssueError
from pytest_mala.plugin.failures import GatesFailed, OutcomeDiffers
from pytest_mala.plugin.foreign import presentable
from pytest_mala.plugin.roots import Roots, is_issue
from pytest_mala.plugin.settings import SUFFIXES
from pytest_mala.plugin.stash import ISSUE, LABEL_MARKS, NOT_RUN, ROOTS, SETTINGS
from pytest_mala.plugin.takes import take_marks
from pytest_mala.plugin.verdict import run_item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mala.issue import Issue

__all__ = ["IssueFile", "collect_file", "deselect", "is_asyncio_there", "remarks", "start"]

NO_ASYNCIO: Final = "issues need the plugin pytest-asyncio, which is switched off: leave out `-p no:asyncio`"

# names that pytest looks up in a module and gives a meaning of their own
TAKEN_NAMES: Final = frozenset(
    (
        "setUpModule",
        "tearDownModule",
        "setup_module",
        "teardown_module",
        "setup_function",
        "teardown_function",
        "pytestmark",
        "pytest_plugins",
        "pytest_generate_tests",
    )
)

MARK_WORDS: Final = frozenset(("and", "or", "not", "None", "True", "False"))


def start(config: pytest.Config) -> None:
    """Get ready to collect issues. Raises pytest.UsageError if there are roots but no pytest-asyncio."""
    settings = config.stash[SETTINGS]
    config.stash[ROOTS] = Roots(settings.roots, skipped=config.getini("norecursedirs"), shown=settings.shown)
    config.stash[NOT_RUN] = {}
    config.stash[LABEL_MARKS] = set()
    if settings.roots and not is_asyncio_there(config):
        raise pytest.UsageError(NO_ASYNCIO)


def is_asyncio_there(config: pytest.Config) -> bool:
    """Whether pytest-asyncio is loaded, by its entry point or by `-p`."""
    names = ("asyncio", "pytest_asyncio", "pytest_asyncio.plugin")
    return any(config.pluginmanager.hasplugin(name) for name in names)


def collect_file(path: Path, parent: pytest.Collector, others: list[Any]) -> list[Any]:
    """The collectors of a file: those that `others` found, and ours if it holds issues.

    A file that is named on the command line and that nobody else takes is ours too, so that it can say what is wrong.
    """
    if path.suffix not in SUFFIXES:
        return others
    is_named = parent.session.isinitpath(path)
    if not (is_named or parent.config.stash[ROOTS].hold(path)):
        return others
    if is_issue(path) or (is_named and not others):
        return [*others, IssueFile.from_parent(parent, path=path)]
    return others


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests of issues that are not to be run: closed, blocked, epic."""
    left_out = [item for item in items if _reason_not_to_run(item) is not None]
    if not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _reason_not_to_run(item) is None]
    config.stash[NOT_RUN].update({item.name: str(_reason_not_to_run(item)) for item in left_out})


def remarks(config: pytest.Config) -> list[str]:
    """A line for each root of this run that holds no issue at all: nothing is run there, which is seldom meant."""
    roots, settings = config.stash[ROOTS], config.stash[SETTINGS]
    how = "issues are files *.md that begin with front matter"
    return [
        f"mala: no issues in {settings.shown(root)} ({how})" for root in settings.roots if not roots.has_issues(root)
    ]


def _reason_not_to_run(item: pytest.Item) -> str | None:
    return item.stash[ISSUE].is_deselected_reason if ISSUE in item.stash else None


class IssueFile(pytest.Module):
    """An issue file as pytest sees it: a module with one async test function per issue.

    It is a `pytest.Module` because fixtures of scope "module" are looked up by that class, and because pytest-asyncio,
    syrupy and others then treat the tests as they treat any function.
    """

    def _getobj(self) -> types.ModuleType:
        # pytest asks more than once
        if not hasattr(self, "_made"):
            self._made = self._make_module()
        return self._made

    def _make_module(self) -> types.ModuleType:
        if not is_asyncio_there(self.config):
            raise self.CollectError(NO_ASYNCIO)
        module = types.ModuleType("issues_" + re.sub(r"\W", "_", self.path.stem))
        # pytest's plugins may look at the file that a module stands in
        module.__file__ = str(self.path)
        self.issues = {issue.id: issue for issue in self._load()}
        for issue in self.issues.values():
            module.__dict__[issue.id] = self._make_function(issue, module.__name__)
        return module

    def _load(self) -> tuple[Issue, ...]:
        roots = self.config.stash[ROOTS]
        try:
            issues = roots.load(self.path)
            for issue in issues:
                _check_name(issue)
                roots.claim(issue)
        except IssueError as error:
            raise self.CollectError(presentable(str(error))) from None
        return issues

    def _make_function(self, issue: Issue, module_name: str) -> Any:
        async def body(request: pytest.FixtureRequest, mala_case: Any, mala_take: int) -> None:
            # its frame claims to stand in the issue file, so a traceback would print Markdown
            __tracebackhide__ = True
            await run_item(request.node, mala_case)

        body.__name__ = body.__qualname__ = issue.id
        # another module's name would make pytest drop it under collect_imported_tests = false
        body.__module__ = module_name
        body.__doc__ = issue.title
        body.__code__ = body.__code__.replace(co_filename=str(self.path), co_firstlineno=issue.line)
        takes = take_marks(issue.id, self.config.stash[SETTINGS])
        body.pytestmark = [*_own_marks(issue), *_label_marks(issue, self.config), *takes]  # type: ignore[attr-defined]
        return body

    def istestfunction(self, obj: object, name: str) -> bool:
        """Every issue is one, whatever `python_functions` says."""
        return name in self.issues

    def istestclass(self, obj: object, name: str) -> bool:
        """There are none."""
        return False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The tests; each knows its issue by the stash (an attribute of the function would be a keyword for -k)."""
        for item in super().collect():
            if isinstance(item, pytest.Function):
                issue = self.issues[item.originalname]
                item.stash[ISSUE] = issue
                item.extra_keyword_matches |= {*issue.labels, issue.title}
                item.user_properties.append(("mala.issue", issue.id))
            yield item


def _check_name(issue: Issue) -> None:
    if issue.id in TAKEN_NAMES:
        raise IssueError(issue.shown, issue.line, f"id: {issue.id!r} has a meaning to pytest: choose another one")


def _own_marks(issue: Issue) -> list[pytest.MarkDecorator]:
    facts: dict[str, Any] = {
        "id": issue.id,
        "type": issue.type.value,
        "priority": issue.priority,
        "status": issue.status.value,
    }
    # -m compares one value with one, so each label gets a mark of its own: `-m 'mala(labels="docs", priority=1)'`
    variants = [facts | {"labels": label} for label in issue.labels] or [facts]
    marks = [pytest.mark.asyncio, *(pytest.mark.mala(**variant) for variant in variants)]
    if issue.skip is not None:
        marks.append(pytest.mark.skip(reason=presentable(issue.skip)))
    if issue.xfail is not None:
        marks.append(pytest.mark.xfail(reason=presentable(issue.xfail), raises=(GatesFailed, OutcomeDiffers)))
    return marks


def _label_marks(issue: Issue, config: pytest.Config) -> list[pytest.MarkDecorator]:
    """A mark per label, unless a plugin or the project has registered that name: such a mark may do something."""
    ours = config.stash[LABEL_MARKS]
    marks = []
    for label in issue.labels:
        name = re.sub(r"\W", "_", label)
        if name.startswith("_") or name in MARK_WORDS:
            continue
        if name not in ours:
            if name in _registered_marks(config):
                continue
            config.addinivalue_line("markers", f"{name}: issues with the label {presentable(label)}")
            ours.add(name)
        marks.append(getattr(pytest.mark, name))
    return marks


def _registered_marks(config: pytest.Config) -> set[str]:
    return {line.split(":", 1)[0].split("(", 1)[0].strip() for line in config.getini("markers")}
