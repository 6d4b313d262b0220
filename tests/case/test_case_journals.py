"""The journal of a recording that is broken off: kept and named where it holds something, else removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from case_tapes import ISSUE, only_issue
from transport_tapes import Listener

from pytest_mala.case.scripted import ScriptedRun
from pytest_mala.case.settings import CaseSettings, Lane, RecordMode
from pytest_mala.case.stage import Stage
from pytest_mala.errors import HarnessError, WorkspaceError
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage.make()
    yield made
    made.remove()


def broken_off(folder: Path, stage: Stage, error: BaseException, *, has_said: bool = True, store: bool = True) -> None:
    """A recording in which the CLI has said a word, or has not, and then this happens."""
    issue = only_issue(folder)
    (folder / f"{ISSUE}.model.yaml").write_text("answers: [{say: hi}]\n", encoding="utf-8")
    settings = CaseSettings(
        lane=Lane.SCRIPTED,
        record=RecordMode.ALL,
        cassettes=folder / "cassettes",
        prompts=None,
        frozen=True,
        rootdir=folder,
        record_command="RECORD {issue}",
    )
    run = ScriptedRun(issue, settings, store=store)
    run.load()
    run.begin(stage, prepare(issue.workspace, issue_path=issue.path, root=stage.root))
    with run.open(Listener()) as tape:  # type: ignore[arg-type]
        if has_said:
            tape.note("recv", c=1, m={"type": "result"})
        raise error


def parts(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*.part")]


def test_an_error_of_ours_names_it_in_its_first_line(tmp_path: Path, stage: Stage) -> None:
    with pytest.raises(HarnessError) as caught:
        broken_off(tmp_path, stage, WorkspaceError("the disk is full\n  12 bytes left"))
    (part,) = parts(tmp_path)
    assert str(caught.value) == f"the disk is full; what was recorded is in {part}\n  12 bytes left"


def test_another_error_gets_a_note(tmp_path: Path, stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        broken_off(tmp_path, stage, ZeroDivisionError("x"))
    (part,) = parts(tmp_path)
    assert caught.value.__notes__ == [f"what was recorded is in {part}"]


def test_an_interrupt_leaves_it(tmp_path: Path, stage: Stage) -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_off(tmp_path, stage, KeyboardInterrupt())
    assert len(parts(tmp_path)) == 1


@pytest.mark.parametrize("error", [WorkspaceError("full"), ZeroDivisionError("full"), KeyboardInterrupt("full")])
def test_one_without_a_word_of_the_cli_is_removed(tmp_path: Path, stage: Stage, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        broken_off(tmp_path, stage, error, has_said=False)
    assert str(caught.value) == "full"
    assert parts(tmp_path) == []


def test_one_that_nobody_asked_for_is_not_named(tmp_path: Path, stage: Stage) -> None:
    with pytest.raises(WorkspaceError) as caught:
        broken_off(tmp_path, stage, WorkspaceError("full"), store=False)
    assert str(caught.value) == "full"
    assert parts(tmp_path) == []
