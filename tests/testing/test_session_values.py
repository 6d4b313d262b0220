"""What a hand-written test asserts with: values that compare like plain ones, and what they say when they don't."""

from __future__ import annotations

import copy
import pickle

import pytest

from pytest_mala.case import CheckRow
from pytest_mala.issue import EndReason
from pytest_mala.session.conversation import Prompt, ToolCall
from pytest_mala.testing import Gates, Outcome, Prompts, ToolCalls, UnknownNameError, explain


def row(name, verdict="passed", reason="", output=""):
    return CheckRow(name=name, verdict=verdict, reason=reason, output=output, seconds=0.5)


def call(name, turn=1, **given):
    return ToolCall(id=f"toolu_{name}", name=name, input=given, turn=turn, result="ok")


GATE_FAILED = Outcome(EndReason.GATE_FAILED, "Gate failed: test")
ATTEMPTS = [
    [row("commit"), row("test", "failed", "exit status 1, expected 0", "E   assert -1 == 5\n1 failed\n")],
    [row("commit"), row("test")],
]


class TestOutcome:
    def test_it_is_equal_to_its_name_from_both_sides_and_to_its_reason(self):
        passed = Outcome(EndReason.PASSED, "")
        assert passed == "passed"
        assert "passed" == passed  # noqa: SIM300 - this side is what is tested
        assert passed == EndReason.PASSED
        assert passed != "idle"
        assert passed != EndReason.IDLE
        assert passed in ("no-change", "passed")
        assert {passed: 1}["passed"] == 1
        assert passed != 3

    def test_a_word_that_is_no_outcome_is_refused(self):
        with pytest.raises(UnknownNameError) as caught:
            assert GATE_FAILED == "gate_failed"
        assert str(caught.value) == (
            "no outcome is called 'gate_failed', did you mean 'gate-failed'? There are: passed, no-change, obsolete, "
            "already-complete, gate-failed, review-failed, no-progress, no-log, idle, timeout, context, budget, "
            "agent-error, aborted, deadlock-victim, unjudged"
        )

    def test_it_can_be_copied_and_sent_between_processes(self):
        for other in (copy.deepcopy(GATE_FAILED), pickle.loads(pickle.dumps(GATE_FAILED))):
            assert (other, other.why, type(other)) == ("gate-failed", GATE_FAILED.why, Outcome)

    def test_the_agent_s_words_do_nothing_to_the_terminal(self):
        outcome = Outcome(EndReason.PASSED, "\x1b]0;title\x07done")
        assert repr(outcome) == "<passed: done>"
        assert explain("==", outcome, "idle") == ["the session ended passed, expected idle", "because: done"]

    def test_it_shows_why(self):
        assert repr(GATE_FAILED) == "<gate-failed: Gate failed: test>"
        assert repr(Outcome(EndReason.PASSED, "")) == "<passed>"
        assert str(GATE_FAILED) == "gate-failed"

    def test_a_comparison_that_fails_is_explained(self):
        lines = ["the session ended gate-failed, expected passed", "because: Gate failed: test"]
        assert explain("==", GATE_FAILED, "passed") == lines
        assert explain("==", "passed", GATE_FAILED) == lines
        assert explain("==", GATE_FAILED, EndReason.PASSED) == lines
        assert explain("!=", GATE_FAILED, "gate-failed") == [
            "the session ended gate-failed, expected another outcome than gate-failed",
            "because: Gate failed: test",
        ]
        assert explain("==", Outcome(EndReason.IDLE, ""), "passed") == ["the session ended idle, expected passed"]

    @pytest.mark.parametrize("op", ["in", "<", "is", "not in"])
    def test_other_comparisons_are_left_to_pytest(self, op):
        assert explain(op, GATE_FAILED, "passed") is None

    def test_other_values_are_left_to_pytest(self):
        assert explain("==", "a", "b") is None


class TestGates:
    def test_the_last_attempt_counts(self):
        gates = Gates(ATTEMPTS)
        assert list(gates) == ["commit", "test"]
        assert gates["test"]
        assert gates["test"] == "passed"
        assert gates.passed
        assert gates.attempts == len(ATTEMPTS)
        assert repr(gates) == "<gate attempt 2 of 2: commit ok, test ok>"

    def test_an_earlier_attempt(self):
        first = Gates(ATTEMPTS).attempt(1)
        assert not first["test"]
        assert first["test"] == "failed"
        assert first["test"] != "passed"
        assert not first.passed
        assert first["test"].output.startswith("E   assert")
        assert repr(first) == "<gate attempt 1 of 2: commit ok, test FAILED>"
        assert repr(first["test"]) == "<check test: failed (exit status 1, expected 0)>"
        assert repr(first["commit"]) == "<check commit: passed>"

    def test_what_is_not_there_is_named(self):
        with pytest.raises(UnknownNameError) as caught:
            Gates(ATTEMPTS)["tests"]
        assert str(caught.value) == "no check is called 'tests', did you mean 'test'? There are: commit, test"
        with pytest.raises(UnknownNameError) as caught:
            Gates(ATTEMPTS).attempt(3)
        assert str(caught.value) == "there is no gate attempt 3: the session had 2"
        with pytest.raises(UnknownNameError) as caught:
            Gates([])["test"]
        assert str(caught.value) == "there is no check 'test': the session never came to its gate"
        with pytest.raises(UnknownNameError) as caught:
            assert Gates(ATTEMPTS)["test"] == "ok"
        assert str(caught.value) == "no verdict is called 'ok'. There are: passed, failed, timed-out, error"

    def test_two_checks_are_equal_by_name_verdict_and_output(self):
        one, other = Gates(ATTEMPTS).attempt(1)["test"], Gates(ATTEMPTS)["test"]
        assert one == Gates(ATTEMPTS).attempt(1)["test"]
        assert one != other

    def test_without_an_attempt_nothing_passed(self):
        gates = Gates([])
        assert not gates.passed
        assert "test" not in gates
        assert gates.get("test") is None
        assert repr(gates) == "<no gate attempt>"

    def test_a_comparison_that_fails_shows_the_end_of_the_output(self):
        first = Gates(ATTEMPTS).attempt(1)
        assert explain("==", first["test"], "passed") == [
            "check test failed, expected passed",
            "because: exit status 1, expected 0",
            "  E   assert -1 == 5",
            "  1 failed",
        ]
        assert explain("!=", first["commit"], "passed") == ["check commit passed, expected another verdict than passed"]

    def test_a_long_output_is_cut_and_has_no_colours(self):
        long = "\x1b[31m" + "".join(f"{number}\n" for number in range(25))
        (check,) = Gates([[row("test", "failed", "", long)]]).values()
        lines = explain("==", check, "passed")
        assert lines[:3] == ["check test failed, expected passed", "  ... (last 20 of 25 lines)", "  5"]
        assert lines[-1] == "  24"


class TestTools:
    calls = ToolCalls(
        [
            call("Read", file_path="calc.py"),
            call("Bash", command="pytest -q -k add"),
            call("Bash", 2, command="git commit -q -a -m 'calc-1: add() adds, as its name says it should'", timeout=5),
        ]
    )

    def test_they_are_found_by_name_input_and_turn(self):
        assert len(self.calls) == 3
        assert self.calls.names == ["Read", "Bash", "Bash"]
        assert [one.input["command"][:6] for one in self.calls.named("Bash")] == ["pytest", "git co"]
        assert self.calls.matching(command="pytest*") == [self.calls[1]]
        assert self.calls.matching(command="*commit*", timeout="5") == self.calls.in_turn(2)
        assert not self.calls.matching(command="Pytest*")
        assert self.calls[1:].names == ["Bash", "Bash"]

    def test_a_selection_says_what_was_asked_for(self):
        assert repr(self.calls.named("Bash").in_turn(1)) == (
            "<1 tool call named 'Bash' in turn 1: Bash(command=pytest -q -k add)>"
        )
        assert repr(self.calls.named("Edit").matching(file_path="*.py")) == (
            "<no tool call named 'Edit' with file_path='*.py', among 3 tool calls: Read, Bash, Bash>"
        )
        assert repr(self.calls.named("Bash").matching(command="make*")) == (
            "<no tool call with command='make*', among 2 tool calls named 'Bash': "
            "Bash(command=pytest -q -k add), Bash(command=git commit -q -a -m 'calc-1:...)>"
        )
        assert repr(ToolCalls([]).named("Bash")) == "<no tool call named 'Bash': the session has none>"
        assert repr(ToolCalls([])) == "<no tool call: the session has none>"
        assert repr(self.calls[:1].in_turn(2)) == "<no tool call in turn 2, among 1 tool call: Read(file_path=calc.py)>"

    def test_many_calls_and_long_inputs_are_cut(self):
        assert repr(ToolCalls([call("TodoWrite", todos=[])])) == "<1 tool call: TodoWrite>"
        read = [call("Read", file_path="/tmp/mala-12345678/workspace/package/calc.py")]
        assert repr(ToolCalls(read)) == "<1 tool call: Read(file_path=/tmp/mala-12345678/workspace/...)>"
        of_a_tree = ToolCalls(read, folder="/tmp/mala-12345678/workspace")
        assert repr(of_a_tree.named("Read")) == "<1 tool call named 'Read': Read(file_path=package/calc.py)>"
        many = repr(ToolCalls([call("Read", file_path=str(n)) for n in range(10)]))
        assert many.startswith("<10 tool calls: Read(file_path=0), ")
        assert many.endswith("Read(file_path=5) and 4 more>")

    def test_a_call_that_is_not_there_is_explained(self):
        with pytest.raises(IndexError) as caught:
            self.calls.named("Edit")[0]
        assert str(caught.value) == (
            "there is no call 0: <no tool call named 'Edit', among 3 tool calls: Read, Bash, Bash>"
        )


class TestPrompts:
    prompts = Prompts(
        [Prompt(turn=1, why="work", text="Do it."), Prompt(turn=2, why="gate retry", text="Do it again.")]
    )

    def test_what_was_sent_and_why(self):
        assert self.prompts.why == ["work", "gate retry"]
        assert self.prompts.texts == ["Do it.", "Do it again."]
        assert (self.prompts[1].turn, self.prompts[-1].text) == (2, "Do it again.")
        assert self.prompts[1:].why == ["gate retry"]
        assert len(self.prompts) == 2
        assert repr(self.prompts) == "<2 prompts: work, gate retry>"
        assert repr(Prompts([])) == "<0 prompts: none was sent>"
        with pytest.raises(IndexError) as caught:
            self.prompts[2]
        assert str(caught.value) == "there is no prompt 2: <2 prompts: work, gate retry>"
