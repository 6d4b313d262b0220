"""A recording that was cut short: refused, or played as far as it goes, when told so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_mala.transport.cassette import read, write

if TYPE_CHECKING:
    from case_project import Project

ISSUE = ("--mala-issues", "issues/calc-1.md", "-p", "no:cacheprovider")
AGAIN = "record it with: pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all"


def cut(project: Project, frames: int) -> None:
    """Leaves the first frames of the first prompt, as `pytest-mala cassette recover` writes them."""
    path = project.root / "cassettes" / "calc-1.yaml"
    whole = read(path)
    [take] = whole.takes
    at = next(index for index, one in enumerate(take.interactions) if one.method == "QUERY")
    query = take.interactions[at]
    response = {key: query.response[key][:frames] for key in ("ms", "frames")}
    left = (*take.interactions[:at], replace(query, response=response))
    write(path, replace(whole, takes=(replace(take, interactions=left),), complete=False))


def test_it_is_refused_and_the_option_is_named(project: Project) -> None:
    cut(project, 4)
    done = project.run(*ISSUE, "-q")
    assert done.returncode == 1
    assert (
        "cassettes/calc-1.yaml:9: the recording was cut short (complete: false); record it again, "
        "or replay it with --mala-allow-incomplete; to record it anew: "
        "pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all"
    ) in done.stdout.splitlines()


def test_it_is_played_as_far_as_it_goes(project: Project) -> None:
    cut(project, 4)
    done = project.run(*ISSUE, "-q", "--mala-allow-incomplete")
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert (
        "cassettes/calc-1.yaml: connection 1 (work), turn 1, frame 7: the session decided 'timeout' here, "
        "but the recording ends here (5 of 5 frames played)"
    ) in told
    assert AGAIN in told


def test_one_that_was_killed_after_its_last_frame_passes_with_a_note(project: Project) -> None:
    path = project.root / "cassettes" / "calc-1.yaml"
    write(path, replace(read(path), complete=False))
    done = project.run(*ISSUE, "--mala-allow-incomplete")
    assert done.returncode == 0
    assert "the recording was cut short: this is as far as it goes" in done.stdout
