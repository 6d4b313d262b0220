"""What terminal, JUnit XML and reports tell about issues."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "0"], ["-n", "2"]], ids=["plain", "n0", "n2"])

MIXED = """
    if issue.id == "calc-1":
        return result(issue, "passed", row("test"), row("lint"))
    if issue.id == "calc-2":
        bad = row("test", "failed", "exit status 1, expected 0", "E  1 == 2\\n")
        return result(issue, "gate-failed", row("lint"), bad, why="3 retries are used up",
                      turns=4, gate_attempts=4, cost_usd=0.421, transcript="step\\n" * 70)
    if issue.id == "calc-3":
        late = row("test", "timed-out", "killed after 120 s")
        return result(issue, "gate-failed", late, turns=4, notes=["other words"])
    if issue.id == "calc-4":
        raise Divergence("turn 1, frame 7: expected 'a', got 'b'\\nrecord it again: pytest issues --mala-record=all")
    if issue.id == "calc-5":
        raise GateChangedError("the gate changed its mind")
    return result(issue, "idle", why="silent for 15 minutes")
"""


def write_mixed(project) -> None:
    for number in (1, 2, 4, 5, 6):
        project.issue(f"calc-{number}")
    project.issue("calc-3", "expect: gate-failed")
    project.issue("calc-7", "skip: not now")
    project.issue("calc-10", "status: closed")
    project.play(MIXED)


def section(result: pytest.RunResult, title: str) -> list[str]:
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if line.strip("=") == f" {title} ")
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith("="))
    return lines[start + 1 : end]


@WORKERS
def test_the_summary_has_a_row_per_issue(project, workers):
    write_mixed(project)
    result = project.run_issues(*workers)
    result.assert_outcomes(passed=2, failed=2, errors=2, skipped=1, deselected=0 if workers == ["-n", "2"] else 1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert section(result, "issues") == [
        "calc-1  passed                     test ok, lint ok      1 turn",
        "calc-2  gate-failed, not expected  lint ok, test FAILED  4 turns, $0.42",
        "calc-3  gate-failed, expected      test TIMED OUT        4 turns",
        "        note: other words",
        "calc-4  DIVERGED",
        "calc-5  DIVERGED",
        "calc-6  idle, not expected                               1 turn",
        "calc-7  skipped",
        "not run: calc-10 (closed)",
    ]


def test_quiet_runs_and_runs_without_a_summary_have_no_rows(project):
    write_mixed(project)
    for option in ("-q", "--no-summary"):
        project.run_issues(option).stdout.no_fnmatch_line("*issues ==*")


def test_a_run_without_issues_says_nothing_of_them(project):
    project.write("test_own.py", "def test_own(): pass\n")
    result = project.run("test_own.py")
    result.stdout.no_fnmatch_line("*mala*")
    result.stdout.no_fnmatch_line("*= issues =*")


def test_the_header_names_lane_roots_and_cassettes(project):
    project.issue("calc-1")
    project.run_issues().stdout.fnmatch_lines(["mala: lane replay, 1 root (issues), cassettes in cassettes"])
    project.run("issues/calc-1.md").stdout.fnmatch_lines(["mala: lane replay, no roots, cassettes in cassettes"])
    project.run_issues("--mala-lane=scripted", "--mala-record=all").stdout.fnmatch_lines(
        ["mala: lane scripted, recording all, 1 root (issues), cassettes in cassettes"]
    )
    project.run_issues("--no-header").stdout.no_fnmatch_line("mala:*")


@WORKERS
def test_verbose_words(project, workers):
    write_mixed(project)
    result = project.run_issues("-v", *workers)
    words = {
        ("calc-1", "PASSED (1 turn)"),
        ("calc-2", "FAILED"),
        ("calc-3", "PASSED (4 turns)"),
        ("calc-4", "DIVERGED"),
        ("calc-5", "DIVERGED"),
    }
    lines = [line for line in result.outlines if "::" in line]
    for name, word in words:
        assert any(f"{name}.md::{name}" in line and word in line for line in lines), (name, word)


def test_a_failure_is_told_as_a_table_and_no_traceback(project):
    write_mixed(project)
    result = project.run_issues()
    result.stdout.fnmatch_lines(
        [
            "*_ calc-2 _*",
            "1 of 2 checks failed: test",
            "ok      lint",
            "FAILED  test  exit status 1, expected 0",
            "          E  1 == 2",
            "expected passed, got gate-failed after 4 gate attempts, 4 turns: 3 retries are used up",
            "*- transcript of calc-2 (last 60 of 70 lines) -*",
            "step",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(["*_ calc-6 _*", "expected passed, got idle: silent for 15 minutes"], consecutive=True)
    result.stdout.fnmatch_lines(
        [
            "FAILED issues/calc-2.md::calc-2 - GatesFailed: 1 of 2 checks failed: test*",
            "FAILED issues/calc-6.md::calc-6 - OutcomeDiffers: expected passed, got idle: silent for 15 minutes",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*Captured*")


@WORKERS
def test_a_harness_error_is_told_by_its_message_alone(project, workers):
    project.issue("calc-4")
    project.play(MIXED)
    result = project.run_issues(*workers)
    # xdist puts a line about the worker before it
    assert section(result, "ERRORS")[2 if workers == ["-n", "2"] else 1 :] == [
        "turn 1, frame 7: expected 'a', got 'b'",
        "record it again: pytest issues --mala-record=all",
    ]
    result.stdout.fnmatch_lines(
        ["*_ ERROR at setup of calc-4 _*", "DIVERGED issues/calc-4.md::calc-4 - Divergence: turn 1, frame 7: *"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_other_harness_errors_are_called_error(project):
    project.issue("calc-1", "expect: [passed, agent-error]", "xfail: never mind")
    project.play("raise HarnessError('no git here: install git')")
    result = project.run_issues("-v")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*calc-1 ERROR *", "no git here: install git", "ERROR issues/calc-1.md::calc-1 - HarnessError: no git here: *"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_what_is_wrong_before_the_session_is_an_error_at_setup(project):
    project.issue("calc-1", "xfail: never mind")
    project.write(
        "issues/conftest.py",
        """\
        import pytest
        from pytest_mala.errors import CassetteMissingError

        @pytest.fixture
        def mala_case():
            raise CassetteMissingError("no cassette: record it with `pytest --mala-lane=scripted`")
        """,
    )
    result = project.run_issues()
    result.assert_outcomes(errors=1)
    assert section(result, "ERRORS") == [
        next(line for line in result.outlines if "ERROR at setup of calc-1" in line),
        "no cassette: record it with `pytest --mala-lane=scripted`",
    ]
    result.stdout.fnmatch_lines(
        [
            "calc-1  ERROR",
            "ERROR issues/calc-1.md::calc-1 - CassetteMissingError: no cassette: *",
        ]
    )


def test_an_error_of_the_users_own_keeps_its_traceback(project):
    project.issue("calc-1")
    project.play("return 1 / 0")
    result = project.run_issues()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*return 1 / 0*", "E*ZeroDivisionError: division by zero"])
    result.stdout.no_fnmatch_line("*title: Do calc-1*")


def test_an_error_at_teardown_is_on_the_row(project):
    project.issue("calc-1")
    project.write(
        "issues/conftest.py",
        """\
        import pytest

        @pytest.fixture(autouse=True)
        def broken():
            yield
            raise RuntimeError("left over")
        """,
    )
    result = project.run_issues()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["calc-1  passed, ERROR at teardown  test ok, lint ok  1 turn"])


def test_outputs_of_checks_are_sections_with_our_headings(project):
    project.issue("calc-1")
    project.issue("calc-2")
    project.play("""
        if issue.id == "calc-1":
            return result(issue, "passed", row("test", output="12 passed"), transcript="long")
        bad = row("test", "failed", "exit status 1", "line\\n" * 30)
        return result(issue, "gate-failed", bad, row("lint", output="fine"))
    """)
    result = project.run_issues("-rP")
    result.stdout.fnmatch_lines(
        [
            "FAILED  test  exit status 1",
            "          ... (last 12 of 30 lines)",
            "*- check test of calc-2: FAILED -*",
            "*= PASSES =*",
            "*- check test of calc-1: ok -*",
            "12 passed",
        ]
    )
    result.stdout.no_fnmatch_line("*transcript of calc-1*")
    result.stdout.no_fnmatch_line("*check lint*")


@WORKERS
def test_junit_has_a_property_per_check(project, workers):
    write_mixed(project)
    project.run_issues("--junitxml=out.xml", *workers)
    tree = ET.parse(project.path / "out.xml")
    cases = {case.get("name"): case for case in tree.iter("testcase")}
    assert sorted(cases) == [f"calc-{number}" for number in range(1, 8)]
    assert cases["calc-2"].get("classname") == "issues.calc-2.md"
    properties = {
        name: {each.get("name"): each.get("value") for each in case.iter("property")} for name, case in cases.items()
    }
    assert properties["calc-2"] == {
        "mala.issue": "calc-2",
        "mala.outcome": "gate-failed",
        "mala.turns": "4",
        "mala.virtual_s": "2.5",
        "mala.cost_usd": "0.421",
        "check.lint": "passed",
        "check.test": "failed (exit status 1, expected 0)",
    }
    assert properties["calc-4"] == {"mala.issue": "calc-4", "mala.error": "DIVERGED"}
    assert properties["calc-7"] == {"mala.issue": "calc-7"}


def test_junit_without_our_properties_has_the_shape_of_pytests_schema(project):
    """The rules of pytest's junit-10.xsd that issues could break: elements, their order, attributes and counts."""
    write_mixed(project)
    project.run_issues("--junitxml=out.xml")
    root = ET.parse(project.path / "out.xml").getroot()
    assert root.tag == "testsuites"
    [suite] = root
    assert suite.tag == "testsuite"
    assert set(suite.attrib) == {
        "name", "errors", "failures", "skipped", "tests", "time", "timestamp", "hostname",
    }  # fmt: skip
    assert int(suite.get("tests")) == len(suite) == 7
    for case in suite:
        assert case.tag == "testcase"
        assert set(case.attrib) == {"classname", "name", "time"}
        rest = [child for child in case if child.tag != "properties"]
        assert len(rest) <= 1  # one failure per issue, however many checks failed
        assert {child.tag for child in rest} <= {"failure", "skipped", "error"}
        assert all(set(child.attrib) <= {"message", "type"} for child in rest)


def test_control_characters_of_a_check_reach_neither_terminal_nor_junit(project):
    project.issue("calc-1")
    project.play('return result(issue, "gate-failed", row("test", "failed", "exit", "\\x1b[31mred\\x1b[0m\\x00\\n"))')
    result = project.run_issues("--junitxml=out.xml", "--color=no")
    result.stdout.fnmatch_lines(["          red"])
    assert "\\x1b" not in (project.path / "out.xml").read_text()
    assert "\x1b" not in result.stdout.str()
