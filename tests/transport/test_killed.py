"""A recording that is killed at any step leaves the old cassette, a new and whole one, or a journal to recover."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from transport_tapes import START

from pytest_mala.cli.recovering import recovered
from pytest_mala.errors import CassetteError
from pytest_mala.transport.cassette import Cassette, Take, dump, read, read_journal

PROGRAM = Path(__file__).with_name("killed_recordings.py")
NAME = "x-1.yaml"


def recorded(top: Path, *, old: bool) -> list[Path]:
    """The folders of all runs in their order; the last one was not killed."""
    if old:
        take = Take(number=1, start=START.isoformat(), interactions=())
        before = Cassette(issue="x-1", lane="scripted", sdk="0.2.187", cli="unknown", takes=(take,))
        (top / "old.yaml").write_text(dump(before), encoding="utf-8")
    done = subprocess.run([sys.executable, str(PROGRAM), str(top)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return sorted((path for path in top.iterdir() if path.is_dir()), key=lambda path: int(path.name))


def frames_of(cassette: Cassette) -> list[object]:
    """Every frame of the CLI in order; which of them are trailing is known at the end only."""
    items = [item for one in cassette.takes[0].interactions for item in one.response.get("frames", [])]
    return [item.get("cli", item.get("trailing")) for item in items if item.keys() & {"cli", "trailing"}]


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")
@pytest.mark.parametrize("old", [False, True], ids=["nothing before", "a cassette before"])
def test_kill_9_at_every_step_of_a_recording_loses_nothing(tmp_path: Path, old: bool) -> None:
    *killed, whole = recorded(tmp_path, old=old)
    new = (whole / NAME).read_bytes()
    frames = frames_of(read(whole / NAME))
    assert (len(frames), [path.name for path in whole.iterdir()]) == (5, [NAME])
    assert len(killed) > 25
    before = (tmp_path / "old.yaml").read_bytes() if old else None
    seen = []
    for folder in killed:
        found = (folder / NAME).read_bytes() if (folder / NAME).exists() else None
        assert found in (before, new)
        for part in folder.glob("*.part"):
            count = sum(entry["k"] == "recv" for entry in read_journal(part))
            seen.append(count)
            if not count:
                with pytest.raises(CassetteError, match="the CLI had not said a word when the recording ended"):
                    recovered(part, folder / "again.yaml")
                continue
            recovered(part, folder / "again.yaml")
            assert not part.exists()
            with pytest.raises(CassetteError, match=r"the recording was cut short \(complete: false\)"):
                read(folder / "again.yaml")
            assert frames_of(read(folder / "again.yaml", allow_incomplete=True)) == frames[:count]
    assert seen == sorted(seen)
    assert set(seen) == set(range(6))
