"""The fixtures that a project may use and override."""

from __future__ import annotations

from pytest_mala.plugin.fixtures import record_command


def test_mala_clock_makes_a_wait_instant_and_moves_the_wall_clock(project):
    project.write(
        "test_time.py",
        """\
        import asyncio
        from datetime import datetime, UTC

        import pytest

        @pytest.mark.asyncio
        async def test_a_quarter_of_an_hour(mala_clock):
            with mala_clock:
                await asyncio.sleep(900)
                assert mala_clock.elapsed == 900
                assert datetime.now(UTC) == datetime(2000, 1, 1, 0, 15, tzinfo=UTC)
            assert datetime.now(UTC).year > 2000
        """,
    )
    project.run("test_time.py").assert_outcomes(passed=1)


def test_mala_frozen_leaves_the_wall_clock_alone(project):
    project.ini("mala_frozen = false")
    project.write(
        "test_time.py",
        """\
        import asyncio
        from datetime import datetime, UTC

        import pytest

        @pytest.mark.asyncio
        async def test_a_quarter_of_an_hour(mala_clock):
            with mala_clock:
                await asyncio.sleep(900)
                assert mala_clock.now() == datetime(2000, 1, 1, 0, 15, tzinfo=UTC)
                assert datetime.now(UTC).year > 2000
        """,
    )
    project.run("test_time.py").assert_outcomes(passed=1)


def test_mala_issue_is_the_issue_of_the_test(project):
    project.issue("calc-1", "labels: [docs]")
    project.play('return result(issue, "passed" if issue.labels == ("docs",) else "idle")')
    project.run_issues().assert_outcomes(passed=1)


def test_mala_issue_says_where_it_can_be_used(project):
    project.write("test_own.py", "def test_own(mala_issue): pass\n")
    result = project.run("test_own.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["mala_issue is only there in tests that are made from issue files"])


def test_the_small_fixtures_have_plain_defaults(project):
    project.write(
        "test_own.py",
        """\
        def test_own(mala_prompts, mala_agent_options, mala_events):
            assert (mala_prompts, mala_agent_options, mala_events.events) == (None, {}, [])
        """,
    )
    project.run("test_own.py").assert_outcomes(passed=1)


def test_the_command_that_records_can_be_typed_as_it_stands():
    assert record_command("my issues/a.md::calc-1") == (
        "pytest 'my issues/a.md::calc-1' --mala-lane=scripted --mala-record=all"
    )


def test_the_settings_of_a_case_come_from_options_and_ini(project):
    project.issue("calc-1")
    project.ini('mala_cassettes = "tapes"\nmala_frozen = false')
    project.write(
        "issues/conftest.py",
        """\
        import pytest

        @pytest.fixture
        def mala_case(mala_settings):
            assert mala_settings.lane.value == "scripted"
            assert mala_settings.record.value == "all"
            assert mala_settings.cassettes.name == "tapes"
            assert mala_settings.prompts is None
            assert mala_settings.frozen is False
            assert mala_settings.record_command.format(issue="calc-1") == (
                "pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all"
            )
            pytest.skip("seen")
        """,
    )
    project.run_issues("--mala-lane=scripted", "--mala-record=all").assert_outcomes(skipped=1)


def test_a_missing_cassette_is_an_error_at_setup_with_the_command_that_records_it(project):
    """The real case, with no fixture overridden."""
    project.issue("calc-1")
    project.write("conftest.py", "")
    result = project.run_issues()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of calc-1*",
            "*cassettes/calc-1.yaml*: *pytest issues/calc-1.md::calc-1 --mala-lane=scripted --mala-record=all",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
