"""The JUnit file is what pytest's own schema allows, once the properties are out that this schema does not know."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from lxml import etree

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

SCHEMA = "testing/example_scripts/junit-10.xsd"

BROKEN = """\
import pytest
from pytest_mala.errors import CassetteMissingError


@pytest.fixture
def mala_case(mala_case, mala_issue):
    if mala_issue.id == "calc-3":
        raise CassetteMissingError("cassettes/calc-3.yaml: there is no cassette for <calc-3> & \\x1b[31m")
    return mala_case
"""

PLAY = """
if issue.id == "calc-1":
    return result(issue, "passed", row("test", output="1 passed"), row("lint"), notes=("other words",), cost_usd=0.25)
if issue.id == "calc-2":
    return result(issue, "gate-failed", row("test", "failed", "exit status 1", "E  1 < 2 & \\x1b[31m\\x00\\u202e"))
return result(issue, "no-change", why="it is right as it is")
"""


def write_four(project: Project) -> None:
    """Passed, failed, in error and skipped: every element that the schema knows of a testcase."""
    for number in (1, 2, 3):
        project.issue(f"calc-{number}")
    project.issue("calc-4", "skip: not here")
    project.play(PLAY)
    project.write("issues/conftest.py", BROKEN)


def report_of(project: Project) -> etree._ElementTree:
    write_four(project)
    project.run_issues("--junitxml=report.xml")
    return etree.parse(project.path / "report.xml")


def test_four_issues_are_four_testcases_with_their_properties_first(project: Project) -> None:
    [suite] = report_of(project).getroot()
    assert {name: suite.get(name) for name in ("tests", "errors", "failures", "skipped")} == {
        "tests": "4",
        "errors": "1",
        "failures": "1",
        "skipped": "1",
    }
    assert [(case.get("name"), [child.tag for child in case]) for case in suite] == [
        ("calc-1", ["properties"]),
        ("calc-2", ["properties", "failure"]),
        ("calc-3", ["properties", "error"]),
        ("calc-4", ["properties", "skipped"]),
    ]
    for one in suite.iter("property"):
        assert set(one.attrib) == {"name", "value"}
        assert one.get("value")


@pytest.mark.stress
def test_the_report_is_valid_against_pytest_s_own_schema(project: Project, tmp_path: Path) -> None:
    tree = report_of(project)
    assert len(tree.findall(".//properties")) == 4
    schema = etree.XMLSchema(etree.fromstring(schema_of_pytest(tmp_path / "download")))
    assert not schema.validate(tree)  # it knows no properties of a testcase
    etree.strip_elements(tree, "properties", with_tail=False)
    schema.assertValid(tree)


def schema_of_pytest(folder: Path) -> bytes:
    """From the sources of the installed pytest; the test is skipped where no package index can be reached."""
    wanted = f"pytest=={pytest.__version__}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    # the index and its certificates may be named there; pytester has taken HOME away
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "USERPROFILE")}
    done = subprocess.run(
        [*command, "--disable-pip-version-check", wanted],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        pytest.skip(f"pip can't get the sources of {wanted}: {last}")
    [archive] = folder.glob("pytest-*.tar.gz")
    with tarfile.open(archive) as sources:
        member = sources.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{SCHEMA}")
        assert member is not None
        return member.read()
