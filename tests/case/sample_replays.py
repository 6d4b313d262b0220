"""A sample issue on a cassette that somebody changed: the whole case, in this process, with a limit in real time."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import case_tapes
from broken_cassettes import sealed
from case_project import ROOT
from fuzzed_cassettes import spoilt_bytes as spoilt_bytes, spoilt_data as spoilt_data

from pytest_mala.case import Case, CaseSettings, Lane, RecordMode
from pytest_mala.case.stage import Stage
from pytest_mala.issue import load_issues
from pytest_mala.session.prompts import load_prompts
from pytest_mala.transport.cassette.strict import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from case_tapes import Played

SAMPLES = tuple(f"calc-{number}" for number in range(1, 9))


class Hung(BaseException):
    """A replay took longer than any may."""


@cache
def text_of(name: str) -> str:
    return (ROOT / "cassettes" / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def _issue(name: str) -> Any:
    return load_issues(ROOT / "issues" / f"{name}.md")[0]


@cache
def _prompts() -> Any:
    return load_prompts(ROOT / "prompts")


def data_of(name: str) -> dict[str, Any]:
    """New data of a sample's cassette."""
    found: dict[str, Any] = load(text_of(name), name)
    return found


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises Hung in this block when so much real time has passed; pytest-timeout keeps its own alarm."""

    def strike(*_: object) -> None:
        raise Hung(f"more than {seconds} s")

    before = signal.signal(signal.SIGUSR2, strike)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGUSR2))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR2, before)


def replay(
    folder: Path, name: str, content: str | bytes, *, seconds: float = 60.0, issue: Any = None, ear: object = None
) -> tuple[Played, Callable[[Any], Any]]:
    """The sample (or this issue in its place) with this file as its cassette, from its reading to its outcome; and what
    puts the names of a cassette in place of the run's values.
    """
    path = folder / "cassettes" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=path.parent,
        prompts=None,
        frozen=True,
        rootdir=folder,
        record_command="RECORD {issue}",
    )
    case = Case(issue or _issue(name), settings, prompts=_prompts(), events=[] if ear is None else [ear])
    hide: Callable[[Any], Any] = str
    try:
        with limited(seconds):
            case.prepare()
            hide = Stage(root=case.workspace.path.parent).names().hide
            return case_tapes._played(case.run), hide
    except (Exception, Hung) as error:
        return case_tapes.Played(error=error), hide
    finally:
        case.close()


def replay_data(folder: Path, name: str, data: Mapping[str, Any]) -> Played:
    """The sample with this data as its cassette, with the digest that belongs to it."""
    return replay(folder, name, sealed(data))[0]
