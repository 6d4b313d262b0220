"""One state, one word: in the list of tests, as letter, in the summary and in the JUnit file."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "n2"])

ERRORS = {
    "divergence": ("Divergence('another prompt')", "DIVERGED", "Divergence: another prompt"),
    "gate": ("GateChangedError('the gate changed')", "DIVERGED", "GateChangedError: the gate changed"),
    "missing": ("CassetteMissingError('no cassette')", "ERROR", "CassetteMissingError: no cassette"),
    "broken": ("CassetteError('x.yaml', 'is empty')", "ERROR", "CassetteError: x.yaml: is empty"),
    "workspace": ("WorkspaceError('no git')", "ERROR", "WorkspaceError: no git"),
    "harness": ("HarnessError('disk full')", "ERROR", "HarnessError: disk full"),
    "usage": ("UsageError('no such option')", "ERROR", "UsageError: no such option"),
}
LETTERS = {"DIVERGED": "D", "ERROR": "E"}


def write_errors(project) -> dict[str, tuple[str, str]]:
    """An issue for each error in the set-up and in the session; the answer is word and message by issue."""
    wanted = {}
    raising = {}
    for name, (error, word, message) in ERRORS.items():
        for phase in ("setup", "call"):
            project.issue(f"{name}-{phase}")
            wanted[f"{name}-{phase}"] = (word, message)
            raising[f"{name}-{phase}"] = error
    made = "ERRORS = {" + "".join(f"{name!r}: lambda: {error}, " for name, error in raising.items()) + "}"
    project.play("raise ERRORS[issue.id]()")
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            f"\n\n{made}\n\n\n@pytest.fixture(autouse=True)\ndef before(mala_issue):\n"
            "    if mala_issue.id.endswith('-setup'):\n        raise ERRORS[mala_issue.id]()\n"
        )
    return wanted


def rows_of(result: pytest.RunResult) -> dict[str, str]:
    lines = result.outlines
    start = next(at for at, line in enumerate(lines) if line.strip("=") == " issues ")
    found = {}
    for line in lines[start + 1 :]:
        if line.startswith("="):
            break
        name, _, rest = line.partition(" ")
        found[name] = rest.strip()
    return found


@WORKERS
def test_word_letter_and_row_agree(project, workers):
    wanted = write_errors(project)
    verbose = project.run_issues("-v", *workers)
    verbose.assert_outcomes(errors=len(wanted))
    text = verbose.stdout.str()
    for name, (word, message) in wanted.items():
        place = re.escape(f"issues/{name}.md::{name}")
        said = re.findall(rf"^{place} ([A-Z]+)\b|\] ([A-Z]+) {place}", text, flags=re.MULTILINE)
        assert [one or other for one, other in said] == [word], name
        assert f"{word} issues/{name}.md::{name} - {message}" in verbose.outlines
    assert rows_of(verbose) == {name: word for name, (word, _) in wanted.items()}

    letters = project.run_issues(*workers)
    assert rows_of(letters) == {name: word for name, (word, _) in wanted.items()}
    if workers:  # one line for all, in the order in which they ended
        [line] = [line for line in letters.outlines if re.match(r"[DE]{14} ", line)]
        assert sorted(line.split()[0]) == sorted(LETTERS[word] for word, _ in wanted.values())
    else:
        for name, (word, _) in wanted.items():
            assert any(re.match(rf"issues/{name}\.md {LETTERS[word]} ", line) for line in letters.outlines), name


@WORKERS
def test_junit_calls_an_error_what_the_terminal_calls_an_error(project, workers):
    """pytest writes whatever fails in the phase "call" as a failure."""
    wanted = write_errors(project)
    project.issue("failed-call")
    project.issue("own-call")
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            "\n\ndef play(issue):\n"
            "    if issue.id == 'failed-call':\n        return result(issue, 'idle', why='silent')\n"
            "    if issue.id == 'own-call':\n        return 1 / 0\n"
            "    raise ERRORS[issue.id]()\n"
        )
    project.run_issues("--junitxml=out.xml", *workers).assert_outcomes(errors=len(wanted), failed=2)
    [suite] = ET.parse(project.path / "out.xml").getroot()
    counts: dict[str, Any] = {name: int(suite.get(name, "")) for name in ("tests", "errors", "failures", "skipped")}
    assert counts == {"tests": len(wanted) + 2, "errors": len(wanted), "failures": 2, "skipped": 0}
    cases = {case.get("name"): case for case in suite}
    assert len(cases) == len(suite) == len(wanted) + 2
    for name, (word, message) in wanted.items():
        [properties, error] = cases[name]
        assert error.tag == "error"
        assert error.get("message") == f'failed on setup with "{message}"'
        assert error.text == message.partition(": ")[2]
        values = [(one.get("name"), one.get("value")) for one in properties]
        assert values == [("mala.issue", name), ("mala.error", word)]
    for name in ("failed-call", "own-call"):
        assert [child.tag for child in cases[name]] == ["properties", "failure"]


def test_a_failure_of_the_user_s_own_code_is_one_in_the_summary_too(project):
    project.issue("own")
    project.play("return 1 / 0")
    result = project.run_issues("-v")
    assert rows_of(result) == {"own": "FAILED"}
    result.stdout.fnmatch_lines(["issues/own.md::own FAILED *"])


def test_an_error_at_teardown_has_its_own_word_after_a_divergence(project):
    project.issue("both")
    project.play("raise Divergence('another prompt')")
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
    result = project.run_issues("-v")
    result.assert_outcomes(errors=2)
    assert rows_of(result) == {"both": "DIVERGED, ERROR at teardown"}
    result.stdout.fnmatch_lines(
        ["issues/both.md::both DIVERGED *", "issues/both.md::both ERROR *", "*_ ERROR at teardown of both _*"]
    )


def test_the_phase_is_the_call_for_who_looks_while_the_report_is_made(project):
    """pytest's recipe for fixtures that want to know how their test went, and its `tmp_path`, look at it there."""
    project.issue("calc-1")
    project.play("raise Divergence('another prompt')")
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            "\n\nSEEN = []\n\n\n@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
            "def pytest_runtest_makereport(item):\n    report = yield\n"
            "    SEEN.append((report.when, report.outcome))\n    return report\n\n\n"
            "def pytest_terminal_summary(terminalreporter):\n    terminalreporter.write_line(str(SEEN))\n"
        )
    project.run_issues().stdout.fnmatch_lines(["[[]('setup', 'passed'), ('call', 'failed'), ('teardown', 'passed')[]]"])


@pytest.mark.parametrize("option", ["-x", "--lf", "--sw", "--durations=0"])
def test_pytest_s_own_bookkeeping_counts_a_divergence(project, option):
    for name in ("calc-1", "calc-2"):
        project.issue(name)
    project.play("raise Divergence('another prompt')")
    project.run_issues().assert_outcomes(errors=2)
    project.run_issues(option).assert_outcomes(errors=1 if option in ("-x", "--sw") else 2)
