"""Results of checks as data and as a table, kept outputs, and the comparison with the recorded verdicts."""

from __future__ import annotations

import json
import platform

import pytest

from pytest_mala.errors import GateChangedError, HarnessError
from pytest_mala.gate.output import last_lines, readable, steady_output
from pytest_mala.gate.results import CheckResult, Verdict
from pytest_mala.gate.verdicts import compare_verdicts, notes
from pytest_mala.session.transcript import CheckRow


def result(name="test", verdict=Verdict.PASSED, **given):
    given = {"kind": "run", "command": f"run {name}"} | given
    return CheckResult(name=name, verdict=verdict, **given)


def compare(recorded, now, **given):
    compare_verdicts(
        recorded, now, where="cassettes/x-1.yaml: gate attempt 2", remedy="record it with: RECORD", **given
    )


FAILED = result(verdict=Verdict.FAILED, exit_status=1, output="E  boom\n1 failed", reason="exit status 1, expected 0")


class TestData:
    def test_goes_to_json_and_back_without_the_seconds(self):
        given = result(verdict=Verdict.FAILED, exit_status=2, output="x", reason="r", seconds=1.5)
        data = json.loads(json.dumps(given.to_data()))
        assert data == {
            "name": "test",
            "kind": "run",
            "command": "run test",
            "verdict": "failed",
            "exit_status": 2,
            "reason": "r",
            "output": "x",
        }
        assert CheckResult.from_data(data, seconds=1.5) == given

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"verdict": "fine"}, "verdict: expected one of passed, failed, timed-out, error; got 'fine'"),
            ({"exit_status": "1"}, "exit_status: can't be '1'"),
            ({"exit_status": True}, "exit_status: can't be True"),
            ({"output": None}, "output: can't be None"),
            (
                {"more": 1},
                "expected the keys name, kind, command, verdict, exit_status, reason, output; "
                "got name, kind, command, verdict, exit_status, reason, output, more",
            ),
        ],
    )
    def test_odd_data_are_refused(self, change, message):
        with pytest.raises(HarnessError) as caught:
            CheckResult.from_data(result().to_data() | change)
        assert str(caught.value) == f"recorded check result: {message}"

    def test_a_transcript_s_row(self):
        row = CheckRow(name="test", verdict="failed", exit_status=1, reason=FAILED.reason, output=FAILED.output)
        assert FAILED.row == row


class TestKeptOutput:
    @pytest.mark.parametrize(
        ("output", "kept"),
        [
            ("1 failed in 0.12s", "1 failed in 0.00s"),
            ("1 failed in 61.02s (0:01:01)", "1 failed in 0.00s"),
            ("===== 1 failed in 12.31s =====", "=== 1 failed in 0.00s ==="),
            ("Ran 3 tests in 0.001s", "Ran 3 tests in 0.00s"),
            ("<A object at 0x7f3a9c1b2d10>", "<A object at 0x...>"),
            ("expected 30 s, slept 12.5 s in all", "expected 30 s, slept 12.5 s in all"),
            ("\n\na\r\nb\n\n", "a\nb"),
            ("/t/ws/a /t/ws-b /t/home", "${WORKSPACE}/a ${WORKSPACE}-b ${HOME}"),
            ("${FOO} ${WORKSPACE} $HOME {x}", "${$}{FOO} ${$}{WORKSPACE} $HOME {x}"),
            ("", ""),
        ],
    )
    def test_is_the_same_for_equal_runs(self, output, kept):
        assert steady_output(output, {"/t": "${ROOT}", "/t/ws": "${WORKSPACE}", "/t/home": "${HOME}", "": "x"}) == kept

    def test_the_middle_of_a_long_one_is_left_out(self):
        lines = steady_output("\n".join(map(str, range(1000))), {}).split("\n")
        assert lines[:2] == ["0", "1"]
        assert lines[40] == "... (840 lines left out)"
        assert lines[-1] == "999"
        assert len(lines) == 161

    def test_last_lines(self):
        assert last_lines("a\nb\nc\nd", 2) == ["... (2 lines left out)", "c", "d"]
        assert last_lines("a\nb", 2) == ["a", "b"]
        assert last_lines(" \n", 2) == []

    def test_a_line_that_was_cut_is_not_cut_again(self):
        kept = steady_output("x" * 1000, {})
        assert kept == "x" * 400 + "... (600 more characters)"
        assert last_lines(kept, 2) == [kept]

    def test_people_read_what_the_check_wrote(self):
        assert readable(steady_output("/t/ws: ${FOO} costs ${5}", {"/t/ws": "${WORKSPACE}"})) == (
            "${WORKSPACE}: ${FOO} costs ${5}"
        )


class TestComparison:
    def test_the_same_verdicts_are_no_error_whatever_the_words(self):
        compare([result(), FAILED], [result(output="x", seconds=9), result(verdict=Verdict.FAILED)])

    def test_another_verdict_names_check_both_ends_and_the_output(self):
        lint = result("lint", Verdict.ERROR, reason="`ruff` is not on the check's PATH")
        with pytest.raises(GateChangedError) as caught:
            compare(
                [result("lint"), result("types"), result(exit_status=0)],
                [lint, result("types"), FAILED],
                python="3.12.1",
            )
        assert str(caught.value) == (
            "cassettes/x-1.yaml: gate attempt 2: the gate changed its mind (checks run by Python 3.12.1 now)\n"
            "  check 'lint' (`run lint`): recorded passed; now error (`ruff` is not on the check's PATH)\n"
            "    it prints nothing now\n"
            "  check 'test' (`run test`): recorded passed (exit status 0, as expected); "
            "now failed (exit status 1, expected 0)\n"
            "    the output now ends with:\n"
            "      E  boom\n"
            "      1 failed\n"
            "undo what changed, or, if it is meant, record it with: RECORD"
        )

    @pytest.mark.parametrize("is_now_expected", [False, True])
    def test_another_expectation_of_the_same_end_is_told_as_that(self, is_now_expected):
        good = result(exit_status=3)
        bad = result(verdict=Verdict.FAILED, exit_status=3, reason="exit status 3, expected 0")
        as_wanted, otherwise = "passed (exit status 3, as expected)", "failed (exit status 3, expected 0)"
        was, now = (otherwise, as_wanted) if is_now_expected else (as_wanted, otherwise)
        with pytest.raises(GateChangedError) as caught:
            compare(*([bad], [good]) if is_now_expected else ([good], [bad]), python="3.12.1")
        assert str(caught.value) == (
            "cassettes/x-1.yaml: gate attempt 2: the gate changed its mind (checks run by Python 3.12.1 now)\n"
            f"  check 'test' (`run test`): recorded {was}; now {now}\n"
            "    it prints nothing now\n"
            "undo what changed, or, if it is meant, record it with: RECORD"
        )

    def test_another_command_is_named_and_literal_names_are_read(self):
        now = result(verdict=Verdict.FAILED, exit_status=1, command="new", reason="no `${$}{X}`", output="${$}{FOO}")
        with pytest.raises(GateChangedError) as caught:
            compare([result(command="old")], [now], python="3.12.1")
        assert str(caught.value) == (
            "cassettes/x-1.yaml: gate attempt 2: the gate changed its mind (checks run by Python 3.12.1 now)\n"
            "  check 'test' (`new`, recorded `old`): recorded passed; now failed (no `${X}`)\n"
            "    the output now ends with:\n"
            "      ${FOO}\n"
            "undo what changed, or, if it is meant, record it with: RECORD"
        )

    def test_the_python_named_is_this_one(self):
        with pytest.raises(GateChangedError, match=f"Python {platform.python_version()} now"):
            compare([result()], [FAILED])

    def test_other_checks_are_another_gate(self):
        with pytest.raises(GateChangedError) as caught:
            compare([result("lint"), result()], [])
        assert str(caught.value) == (
            "cassettes/x-1.yaml: gate attempt 2: the gate has other checks than the recorded one: "
            "recorded lint, test; now none\n"
            "undo what changed, or, if it is meant, record it with: RECORD"
        )

    def test_a_terminal_is_not_recoloured(self):
        red = result(verdict=Verdict.FAILED, exit_status=1, output="\x1b[31mred")
        with pytest.raises(GateChangedError, match=r"      \\x1b\[31mred"):
            compare([result()], [red])

    def test_other_words_under_the_same_verdict_are_notes(self):
        recorded = [result("a"), result("b", output="x"), FAILED, result("d", command="old"), result("e")]
        now = [result("a"), result("b", output="y"), result(verdict=Verdict.FAILED, exit_status=2), result("d"), FAILED]
        assert notes(recorded, now) == (
            "check 'b': passed as recorded, in other words than the recorded ones",
            "check 'test': failed as recorded, now failed (exit status 2); recorded failed (exit status 1, expected 0)",
            "check 'd': the command is `run d` now; recorded `old`",
        )
