"""What a recording writes down, and its journal if it is broken off: kept and named if it holds something."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from case_tapes import ISSUE, only_issue
from transport_tapes import Listener

from pytest_mala.case.gatekeeper import Gatekeeper
from pytest_mala.case.scripted import ScriptedRun
from pytest_mala.case.settings import CaseSettings, Lane, RecordMode
from pytest_mala.case.stage import Stage
from pytest_mala.case.watch import Watch
from pytest_mala.errors import HarnessError, WorkspaceError
from pytest_mala.issue import EndReason
from pytest_mala.session.context import RetryState
from pytest_mala.session.transcript import Transcript
from pytest_mala.transport.cassette import read_journal
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage.make()
    yield made
    made.remove()


def recording(
    folder: Path, stage: Stage, script: str = "[{say: hi}]", *, store: bool = True, check: str = "'true'"
) -> ScriptedRun:
    """A recording that is about to begin."""
    issue = only_issue(folder, check=check)
    (folder / f"{ISSUE}.model.yaml").write_text(f"answers: {script}\n", encoding="utf-8")
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
    return run


def broken_off(folder: Path, stage: Stage, error: BaseException, *, has_said: bool = True, store: bool = True) -> None:
    """A recording in which the CLI has said a word, or has not, and then this happens."""
    run = recording(folder, stage, store=store)
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


def test_what_a_check_leaves_is_not_in_the_tree_of_the_next_turn(tmp_path: Path, stage: Stage) -> None:
    run = recording(tmp_path, stage, store=False, check="{run: 'echo x > left.txt', shell: true}")
    watch = Watch(Transcript(ISSUE, "", {}), run.clock, None)
    gate = Gatekeeper(run._issue, stage, run._workspace, run, watch, run.clock)
    log = tmp_path / "log.jsonl"
    log.touch()

    async def turns() -> list[Any]:
        with run.clock, run.open(Listener()) as tape:  # type: ignore[arg-type]
            tape.turn_ended()
            await gate.check(ISSUE, log, RetryState())
            tape.turn_ended()
            return [entry["data"] for entry in read_journal(run._journal.part) if entry["k"] == "turn"]

    _, first, second = asyncio.run(turns())
    assert {**second, "turn": 1} == first


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("[{say: hi}]", "x-1.model.yaml: 1 answer was never asked for"),
        ("[{say: hi}, {say: ho}]", "x-1.model.yaml: 2 answers were never asked for"),
    ],
)
def test_answers_of_the_script_that_nobody_asked_for_are_a_note(
    tmp_path: Path, stage: Stage, script: str, told: str
) -> None:
    run = recording(tmp_path, stage, script, store=False)
    with run.open(Listener()):  # type: ignore[arg-type]
        assert run.finish(EndReason.PASSED, "") == (told,)
