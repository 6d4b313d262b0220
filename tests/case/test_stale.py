"""A prompt that was changed since: the recording is fresh up to a turn, and only where that prompt was sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from case_project import Project

RETRY = "did not pass the gate. This was found"
"""Words of the prompt `gate_followup`."""


def change(project: Project, prompt: str) -> None:
    file = project.root / "prompts" / f"{prompt}.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nBe brief.\n", encoding="utf-8")


def outcomes(text: str) -> dict[str, str]:
    """The words of the summary's rows."""
    return dict(re.findall(r"^(calc-\d)  +(\S+)", text, re.MULTILINE))


def stale_ones(text: str) -> dict[str, str]:
    """What the summary says about staleness, by issue."""
    rows = re.findall(r"^(calc-\d)  .*\n +stale: (.*)$", text, re.MULTILINE)
    return dict(rows)


def test_a_changed_retry_prompt_marks_the_issues_that_were_sent_it(project: Project) -> None:
    change(project, "gate_followup")
    cassettes = (project.root / "cassettes").iterdir()
    retried = {path.stem for path in cassettes if RETRY in path.read_text(encoding="utf-8")}
    assert 0 < len(retried) < 8
    done = project.run("--mala-issues", "issues")
    assert done.returncode == 1
    found = stale_ones(done.stdout)
    assert set(found) == retried
    assert {name for name, word in outcomes(done.stdout).items() if word == "DIVERGED"} == retried


def test_the_message_says_how_far_it_is_fresh_and_what_differs(project: Project) -> None:
    change(project, "gate_followup")
    done = project.run("--mala-issues", "issues/calc-2.md", "--mala-lane=replay", "--junitxml=report.xml")
    freshness = "fresh up to turn 1 of 2; turn 2 answers a prompt that no longer exists"
    assert (
        "cassettes/calc-2.yaml: connection 2 (gate retry), turn 2, frame 3: the prompt is not what was recorded "
        f"({freshness})\n" in done.stdout
    )
    assert "{+\n\n  Be brief.+}" in done.stdout
    assert stale_ones(done.stdout) == {"calc-2": freshness}
    assert properties(project.root / "report.xml") == [freshness]


def test_a_stale_recording_can_be_played_to_its_end(project: Project) -> None:
    change(project, "gate_followup")
    done = project.run("--mala-issues", "issues/calc-2.md", "--mala-stale=warn", "--junitxml=report.xml")
    assert done.returncode == 0, done.stdout
    freshness = "fresh up to turn 1 of 2; turn 2 answers a prompt that no longer exists"
    assert stale_ones(done.stdout) == {"calc-2": freshness}
    assert properties(project.root / "report.xml") == [freshness]


def test_what_is_not_a_matter_of_words_stays_a_divergence(project: Project) -> None:
    """The order of prompts, for example."""
    change(project, "implementer_prompt")
    (project.root / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef mala_agent_options():\n    return {'model': 'opus'}\n", "utf-8"
    )
    done = project.run("--mala-issues", "issues/calc-4.md", "--mala-stale=warn")
    assert done.returncode == 1
    assert "cassettes/calc-4.yaml: connection 1: the agent's options are not the recorded ones\n" in done.stdout
    assert stale_ones(done.stdout) == {}


@pytest.mark.cli
def test_what_is_recorded_anew_is_noticed_though_a_remark_would_do(project: Project) -> None:
    change(project, "implementer_prompt")
    before = (project.root / "cassettes" / "calc-4.yaml").read_bytes()
    how = ("--mala-lane=scripted", "--mala-record=stale", "--mala-stale=warn")
    done = project.run("--mala-issues", "issues/calc-4.md", *how)
    assert done.returncode == 0, done.stdout
    assert stale_ones(done.stdout) == {}
    assert (project.root / "cassettes" / "calc-4.yaml").read_bytes() != before


def properties(report: Path) -> list[str]:
    found = ET.parse(report).iter("property")
    return [one.get("value", "") for one in found if one.get("name") == "mala.stale"]
