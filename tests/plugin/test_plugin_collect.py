"""Issue files become tests: their ids, marks and keywords, what is left out, and what can't be collected."""

from __future__ import annotations

import pytest

WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "0"], ["-n", "2"]], ids=["plain", "n0", "n2"])

NEVER = ["*INTERNALERROR*", "*Traceback*"]


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line and " " not in line]


@WORKERS
def test_an_issue_file_is_a_test_with_the_issues_id(project, workers):
    project.issue("calc-1", file="issues/add.md")
    project.issue("calc-2", file="issues/sub/more.md")
    result = project.run_issues("-v", *workers)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["*issues/add.md::calc-1*", "*issues/sub/more.md::calc-2*"])


def test_one_issue_can_be_named_without_any_option(project):
    project.issue("calc-1")
    project.issue("calc-2", file="issues/two.md")
    project.run("issues/two.md").assert_outcomes(passed=1)
    project.run("issues/two.md::calc-2").assert_outcomes(passed=1)
    result = project.run("issues/two.md::calc-3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: not found: *issues/two.md::calc-3", "(no match in any of [[]<IssueFile two.md>])"]
    )


def test_ids_may_have_dots_and_dashes(project):
    project.issue("bd-a1b2.1")
    assert ids(project.run("issues/bd-a1b2.1.md::bd-a1b2.1", "--collect-only", "-q")) == [
        "issues/bd-a1b2.1.md::bd-a1b2.1"
    ]


def test_the_option_runs_issues_only_and_with_paths_both(project):
    project.issue("calc-1")
    project.write("test_own.py", "def test_own(): pass\n")
    assert ids(project.run("--mala-issues", "issues", "--collect-only", "-q")) == ["issues/calc-1.md::calc-1"]
    assert ids(project.run("test_own.py", "--mala-issues=issues", "--collect-only", "-q")) == [
        "test_own.py::test_own",
        "issues/calc-1.md::calc-1",
    ]


def test_the_option_may_be_repeated_and_overlap(project):
    project.issue("calc-1")
    project.issue("calc-2", file="more/two.md")
    args = ["--mala-issues=issues", "--mala-issues=more/two.md", "--mala-issues=issues/calc-1.md"]
    assert ids(project.run(*args, "--collect-only", "-q")) == ["issues/calc-1.md::calc-1", "more/two.md::calc-2"]


def test_a_conftest_below_a_root_may_add_options(project):
    project.issue("calc-1")
    project.write("issues/conftest.py", "def pytest_addoption(parser):\n    parser.addoption('--team-flag')\n")
    project.run_issues("--team-flag=x").assert_outcomes(passed=1)


@pytest.mark.parametrize("testpaths", ["", '\ntestpaths = ["tests"]'], ids=["no-testpaths", "testpaths"])
def test_the_ini_value_makes_a_bare_pytest_run_issues(project, testpaths):
    project.issue("calc-1")
    project.write("tests/test_own.py", "def test_own(): pass\n")
    project.ini(f'mala_issues = ["issues"]{testpaths}')
    assert sorted(ids(project.run("--collect-only", "-q"))) == [
        "issues/calc-1.md::calc-1",
        "tests/test_own.py::test_own",
    ]
    assert ids(project.run("tests", "--collect-only", "-q")) == ["tests/test_own.py::test_own"]


def test_the_ini_value_works_from_another_folder(project, monkeypatch):
    project.issue("calc-1")
    project.ini('mala_issues = ["issues"]')
    (project.path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project.path / "deep" / "er")
    assert ids(project.run("../../issues", "--collect-only", "-q")) == ["issues/calc-1.md::calc-1"]
    assert ids(project.run("--mala-issues=../../issues", "--collect-only", "-q")) == ["issues/calc-1.md::calc-1"]


def test_another_rootdir_only_changes_the_ids(project):
    project.issue("calc-1")
    assert ids(project.run_issues("--rootdir=issues", "-c", "pyproject.toml", "--collect-only", "-q")) == [
        "calc-1.md::calc-1"
    ]


def test_a_readme_below_a_root_is_no_issue(project):
    project.issue("calc-1")
    project.write("issues/README.md", "# About these issues\n")
    project.run_issues().assert_outcomes(passed=1)


def test_a_file_without_front_matter_is_an_error_if_it_is_named(project):
    project.write("notes.md", "# Notes\n")
    result = project.run("notes.md")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ERROR collecting notes.md*", "notes.md:1: *front matter*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_named_file_that_another_plugin_takes_is_left_to_it(project):
    project.write("notes.md", ">>> 1 + 1\n2\n")
    project.run("notes.md", "--doctest-glob=*.md").assert_outcomes(passed=1)


def test_selection_by_mark_label_and_title(project):
    project.issue("calc-1", "priority: 1", "labels: [arithmetic, needs-review]")
    project.issue("calc-2", "priority: P0", "labels: [docs]", "type: bug")
    for choice, expected in {
        ("-m", "mala(priority=1)"): "calc-1",
        ("-m", "mala(id='calc-2')"): "calc-2",
        ("-m", "mala(type='bug')"): "calc-2",
        ("-m", "mala(labels='needs-review', priority=1)"): "calc-1",
        ("-m", "needs_review"): "calc-1",
        ("-k", "needs-review"): "calc-1",
        ("-k", "docs"): "calc-2",
        ("-k", "calc-2"): "calc-2",
    }.items():
        found = ids(project.run_issues("--collect-only", "-q", *choice))
        assert found == [f"issues/{expected}.md::{expected}"], choice


def test_a_label_that_is_a_registered_mark_already_does_nothing_but_select(project):
    project.issue("calc-1", "labels: [skip, slow, usefixtures, or]")
    project.ini('markers = ["slow: takes long"]')
    result = project.run_issues("-v")
    result.assert_outcomes(passed=1)
    assert ids(project.run_issues("-k", "slow", "--collect-only", "-q")) == ["issues/calc-1.md::calc-1"]
    assert ids(project.run_issues("-m", "slow", "--collect-only", "-q")) == []


def test_skip_and_xfail_come_from_the_front_matter(project):
    project.issue("calc-1", "skip: not now")
    project.issue("calc-2", "xfail: too hard")
    project.issue("calc-3", "xfail: too hard")
    project.issue("calc-4", "xfail: too hard")
    project.play("""
        if issue.id == "calc-2":
            return result(issue, "gate-failed", row("test", "failed", "exit status 1, expected 0"))
        if issue.id == "calc-3":
            return result(issue, "timeout", why="30 minutes are over")
        raise Divergence("turn 1: another prompt")
    """)
    result = project.run_issues("-rsx", "-v")
    result.assert_outcomes(skipped=1, xfailed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED [[]1] issues/calc-1.md:1: not now", "XFAIL issues/calc-2.md::calc-2 - too hard*", "*1 error*"]
    )


@WORKERS
def test_issues_that_are_not_open_are_left_out_and_named(project, workers):
    project.issue("calc-1")
    project.issue("calc-2", "status: closed")
    project.issue("calc-3", "status: blocked")
    project.issue("calc-10", "type: epic")
    result = project.run_issues(*workers)
    result.stdout.fnmatch_lines(["not run: calc-2 (closed), calc-3 (blocked), calc-10 (epic)"])
    if workers != ["-n", "2"]:  # xdist's controller does not hear of what workers leave out
        result.assert_outcomes(passed=1, deselected=3)


def test_what_was_not_selected_is_not_named_as_left_out(project):
    project.issue("calc-1")
    project.issue("calc-2", "status: closed")
    project.run_issues("-k", "calc-1").stdout.no_fnmatch_line("not run:*")
    project.run_issues("-k", "calc-2").stdout.fnmatch_lines(["not run: calc-2 (closed)"])


def test_broken_files_are_collection_errors_with_their_line(project):
    project.issue("good-1")
    head = "---\nid: x\ntitle: t\n"
    gate = "gate: {checks: {test: make}}\n"
    broken = {
        "b01": "---\n",
        "b02": "---\n---\nbody\n",
        "b03": head + gate + "---\n",
        "b04": head + "---\nbody\n".replace("---", "gate: {commit: allowed}\n---"),
        "b05": head + gate + "colour: red\n---\nbody\n",
        "b06": head + gate + "id: y\n---\nbody\n",
        "b07": head + gate + "priority: 9\n---\nbody\n",
        "b08": head + gate + "limits: {idle: soon}\n---\nbody\n",
        "b09": "---\nid: a b\ntitle: t\n" + gate + "---\nbody\n",
        "b10": "---\nid: a[1]\ntitle: t\n" + gate + "---\nbody\n",
        "b11": "---\nid: a::b\ntitle: t\n" + gate + "---\nbody\n",
        "b12": "---\ntitle: t\n" + gate + "---\nbody\n",
        "b13": "---\nid: x\n" + gate + "status: gone\n---\nbody\n",
        "b14": head + "gate: [1, 2]\n---\nbody\n",
        "b15": head + "gate: {checks: {test: }}\n---\nbody\n",
        "b16": head + gate + "labels: {a: b}\n---\nbody\n",
        "b17": head + gate + "expect: victory\n---\nbody\n",
        "b18": "---\n\tid: x\n---\nbody\n",
        "b19": "---\n- a\n- b\n---\nbody\n",
        "b20": "---\nid: !!python/object:os.system x\n---\nbody\n",
        "b21": "---\nid: setup_module\ntitle: t\n" + gate + "---\nbody\n",
        "b22": "---\n" + "[" * 50_000 + "\n---\nbody\n",
    }
    for name, text in broken.items():
        project.write(f"issues/{name}.md", text)
    (project.path / "issues" / "b23.md").write_bytes(b"---\nid: x\ntitle: \xff\n---\nbody\n")
    (project.path / "issues" / "b24.md").write_bytes(b"---\nid: \0\n---\nbody\n")
    result = project.run_issues()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=len(broken) + 2)
    result.stdout.fnmatch_lines([f"issues/{name}.md:[0-9]*: ?*" for name in [*broken, "b23", "b24"]])
    for line in NEVER:
        result.stdout.no_fnmatch_line(line)
    project.run_issues("--continue-on-collection-errors").assert_outcomes(passed=1, errors=len(broken) + 2)


def test_an_id_that_means_something_to_pytest_is_refused(project):
    project.issue("setup_module", file="issues/x.md")
    result = project.run_issues()
    result.stdout.fnmatch_lines(["issues/x.md:1: id: 'setup_module' has a meaning to pytest: choose another one"])


@WORKERS
def test_an_id_is_unique_over_all_roots(project, workers):
    project.issue("calc-1", file="issues/a.md")
    project.issue("calc-1", file="more/b.md")
    result = project.run_issues("--mala-issues=more", *workers)
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED)
    result.stdout.fnmatch_lines(["more/b.md:*: id: 'calc-1' * issues/a.md:*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_file_that_is_named_twice_is_no_duplicate(project):
    project.issue("calc-1")
    project.run("issues", "issues/calc-1.md", "--mala-issues=issues", "--keep-duplicates").assert_outcomes(passed=3)


def test_sources_of_workspaces_below_a_root_are_not_collected(project):
    project.issue("calc-1", "workspace: repos/calc", file="issues/z/calc-1.md")
    project.issue("calc-2", "workspace: {path: ../a-source}", file="issues/z/calc-2.md")
    for folder in ("issues/z/repos/calc", "issues/a-source"):
        project.write(f"{folder}/test_inner.py", "def test_inner(): assert False, 'not ours'\n")
        project.write(f"{folder}/conftest.py", "raise RuntimeError('must not be imported')\n")
        project.write(f"{folder}/NOTES.md", "---\nlayout: page\n---\n# Not an issue\n")
    project.write("issues/other/test_own.py", "def test_own(): pass\n")
    result = project.run_issues("-v")
    result.assert_outcomes(passed=3)
    named = project.run("issues/other/test_own.py", "--collect-only", "-q")
    assert ids(named) == ["issues/other/test_own.py::test_own"]


def test_a_workspace_around_the_issues_does_not_hide_them(project):
    project.issue("calc-1", "workspace: .")
    project.issue("calc-2", "workspace: ..", file="issues/sub/calc-2.md")
    project.run_issues().assert_outcomes(passed=2)


def test_transcripts_are_not_collected(project):
    project.issue("calc-1")
    project.issue("calc-9", file="issues/__transcripts__/calc-9.md")
    project.run_issues().assert_outcomes(passed=1)


def test_last_failed_runs_the_failed_issue_again(project):
    for number in (1, 2, 3):
        project.issue(f"calc-{number}")
    project.play("return result(issue, 'gate-failed' if issue.id == 'calc-2' else 'passed')")
    project.run_issues().assert_outcomes(passed=2, failed=1)
    result = project.run_issues("--lf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["run-last-failure: rerun previous 1 failure*"])


@pytest.mark.parametrize("option", ["--fixtures-per-test", "--setup-plan", "--setup-show", "--durations=3", "-Werror"])
def test_pytests_own_views_work(project, option):
    project.issue("calc-1")
    result = project.run_issues(option)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*calc-1*"])


def test_it_works_without_the_cache(project):
    project.issue("calc-1")
    project.run_issues("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_without_pytest_asyncio_the_remedy_is_told(project):
    project.issue("calc-1")
    project.write("pyproject.toml", "[tool.pytest]\n")
    project.plugins = ["pytest_mala.plugin"]
    message = "issues need the plugin pytest-asyncio, which is switched off: leave out `-p no:asyncio`"
    result = project.run_issues()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    named = project.run("issues/calc-1.md")
    assert named.ret == pytest.ExitCode.INTERRUPTED
    named.stdout.fnmatch_lines([message])


def test_python_functions_and_imported_tests_settings_do_not_matter(project):
    project.issue("calc-1")
    project.ini('python_functions = ["check_*"]\ncollect_imported_tests = false')
    project.run_issues().assert_outcomes(passed=1)


def test_auto_mode_and_session_loops_work(project):
    project.issue("calc-1")
    project.ini('asyncio_mode = "auto"\nasyncio_default_test_loop_scope = "session"')
    project.run_issues().assert_outcomes(passed=1)


def test_parametrized_fixtures_make_variants(project):
    project.issue("calc-1")
    project.write(
        "issues/conftest.py",
        """\
        import pytest

        @pytest.fixture(params=["opus", "haiku"], autouse=True)
        def model(request):
            return request.param
        """,
    )
    assert ids(project.run_issues("--collect-only", "-q")) == [
        "issues/calc-1.md::calc-1[opus]",
        "issues/calc-1.md::calc-1[haiku]",
    ]
    project.run("issues/calc-1.md::calc-1[haiku]").assert_outcomes(passed=1)


NOTHING_THERE = "mala: no issues in {} (issues are files *.md that begin with front matter)"


@WORKERS
@pytest.mark.parametrize("how", ["option", "ini"])
def test_a_root_without_issues_is_named_once(project, workers, how):
    (project.path / "empty" / "below").mkdir(parents=True)
    project.write("empty/notes.md", "# Notes\n")
    project.issue("calc-1")
    if how == "ini":
        project.ini('mala_issues = ["empty", "issues"]')
        roots = ["issues", "empty"]
    else:
        roots = ["--mala-issues=empty", "--mala-issues=issues"]
    result = project.run(*roots, *workers)
    result.assert_outcomes(passed=1)
    assert [line for line in result.outlines if "no issues" in line] == [NOTHING_THERE.format("empty")]


@WORKERS
def test_a_run_of_nothing_says_why(project, workers):
    (project.path / "empty").mkdir()
    result = project.run("--mala-issues=empty", "-q", *workers)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert [line for line in result.outlines if "no issues" in line] == [NOTHING_THERE.format("empty")]


def test_the_title_is_shown_when_collecting(project):
    project.issue("calc-1")
    project.run_issues("--collect-only", "-v").stdout.fnmatch_lines(
        ["*IssueFile calc-1.md*", "*calc-1*", "*Do calc-1*"]
    )
