"""What a case refuses before anything of its session has begun."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from case_tapes import ISSUE, PLACE, PROMPTS, only_issue

from pytest_mala.case import Case, CaseSettings, Lane, RecordMode
from pytest_mala.errors import CassetteMissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def case(folder: Path, *, rootdir: Path | None = None) -> Case:
    """The case of an issue in this folder, which has no cassette."""
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=folder / "cassettes",
        prompts=None,
        frozen=True,
        rootdir=rootdir or folder,
        record_command="RECORD {issue}",
    )
    return Case(only_issue(folder), settings, prompts=PROMPTS)


def test_windows_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError) as caught:
        case(tmp_path).prepare()
    assert str(caught.value) == "sessions need Linux or macOS; on Windows issues are only collected"


class TestMissingCassette:
    def told(self, folder: Path, rootdir: Path | None = None) -> str:
        with pytest.raises(CassetteMissingError) as caught:
            case(folder, rootdir=rootdir).prepare()
        return str(caught.value)

    def test_with_a_script_it_only_takes_the_command(self, tmp_path: Path) -> None:
        (tmp_path / f"{ISSUE}.model.yaml").write_text("answers: [{say: hi}]\n", encoding="utf-8")
        assert self.told(tmp_path) == f"{PLACE}: there is no cassette for x-1; record it with: RECORD x-1"

    def test_without_one_the_command_would_fail_so_that_comes_first(self, tmp_path: Path) -> None:
        assert self.told(tmp_path) == (
            f"{PLACE}: there is no cassette for x-1; write its model script x-1.model.yaml first "
            "(the format: docs/model-script.md), then record it with: RECORD x-1"
        )

    def test_paths_outside_of_the_root_folder_are_told_whole(self, tmp_path: Path) -> None:
        assert self.told(tmp_path, tmp_path / "root") == (
            f"{tmp_path}/{PLACE}: there is no cassette for x-1; write its model script {tmp_path}/x-1.model.yaml first "
            "(the format: docs/model-script.md), then record it with: RECORD x-1"
        )
