"""Waiting for the log of a turn: for the entry that was told, after the place where the turn began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_mala.session.logwait import AwaitedLog

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_stands_after_the_offset_counts(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"uuid": "a"}\n{"uuid": "b"}\n')
    second = len('{"uuid": "a"}\n')
    assert AwaitedLog(path=path, uuid="a").is_ready()
    assert not AwaitedLog(path=path, uuid="a", offset=second).is_ready()
    assert AwaitedLog(path=path, uuid="b", offset=second).is_ready()


def test_why_a_log_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = AwaitedLog(path=path, uuid="b")
    assert log.explain() == "the file does not exist"
    path.write_text("{}\n")
    assert log.explain() == "awaited the entry b, the last one found is none"
    path.write_text('{"uuid": "a"}\n')
    assert log.explain() == "awaited the entry b, the last one found is a"
