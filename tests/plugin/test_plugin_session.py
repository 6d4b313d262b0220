"""Tests written by hand: what `mala_session` runs, what it gives, and what a failed assertion says."""

from __future__ import annotations

import re

import pytest
from samples import ROOT, copy_samples, errors_shown, run_by_hand, run_file


@pytest.fixture
def samples(project):
    copy_samples(project)
    return project


def test_a_session_gives_all_that_can_be_asserted(samples):
    result = run_by_hand(
        samples,
        """\
from pytest_mala.issue import EndReason, load_issue


@pytest.mark.mala(issue="issues/calc-2.md")
async def test_the_gate_sends_it_back(mala_session, mala_events, pytestconfig):
    run = await mala_session()
    assert run.outcome == "passed" and run.outcome == EndReason.PASSED
    assert run.gates["test"] and run.gates["commit"] == "passed" and run.gates.passed
    assert run.gates.attempt(1)["test"] == "failed"
    assert "-3.5" in run.gates.attempt(1)["test"].output
    assert run.turns == 2
    assert run.prompts.why == ["work", "gate retry"]
    assert "did not pass the gate" in run.prompts[1].text
    assert run.tools.names == ["Read", "Edit", "Bash", "Edit", "Bash", "Bash"]
    assert [call.turn for call in run.tools.named("Bash")] == [1, 2, 2]
    assert run.tools.matching(command="python -c*")[0].result == "-3.5"
    assert not run.tools.matching(file_path="/etc/*")
    assert run.usage.tokens.output_tokens > 0 and run.cost_usd > 0 and run.seconds > 0
    assert run.events.names.count("on_gate_retry") == 1 and run.events.names == mala_events.names
    assert run.transcript.startswith("session calc-2: divide() drops the fraction")
    assert [one.message.splitlines()[0] for one in run.workspace.commits()] == [
        "calc-2: divide() rounds towards zero",
        "calc-2: divide() keeps the fraction",
    ]
    changed = [line for line in run.workspace.diff().splitlines() if line.startswith(("+", "-"))]
    assert changed == ["--- a/calc.py", "+++ b/calc.py", "-    return a // b", "+    return a / b"]
    (run.workspace.path / "new.txt").write_text("untracked\\n")
    assert "+untracked" in run.workspace.diff()
    assert repr(run) == "<session calc-2: passed, 2 turns, 2 gate attempts>"
    assert run.notes == ()
    pytestconfig.stash["tree"] = run.workspace.path


async def test_its_tree_is_gone(pytestconfig):
    assert not pytestconfig.stash["tree"].exists()


async def test_two_sessions_in_one_test(mala_session, pytestconfig):
    first = await mala_session(load_issue(pytestconfig.rootpath / "issues/calc-3.md"))
    second = await mala_session(pytestconfig.rootpath / "issues" / "calc-4.md")
    assert (first.outcome, second.outcome) == ("gate-failed", "no-change")
    assert first.workspace.path.is_dir() and second.workspace.path.is_dir()
    assert second.workspace.commits() == () and second.workspace.diff() == ""


class TestMarks:
    pytestmark = [pytest.mark.asyncio, pytest.mark.mala(issue="issues/calc-3.md", gate_retries=9)]

    @pytest.mark.mala(gate_retries=1)
    async def test_the_nearest_has_the_last_word(self, mala_session):
        from pytest_mala.errors import Divergence

        with pytest.raises(Divergence):
            await mala_session()
        run = await mala_session(gate_retries=2)
        assert run.outcome == "gate-failed"

    @pytest.mark.mala(gate_retries=2, idle="0.01s")
    async def test_silence_is_judged_by_the_mark(self, mala_session):
        from pytest_mala.errors import Divergence

        with pytest.raises(Divergence, match="idle"):
            await mala_session()
""",
    )
    result.assert_outcomes(passed=5)


def test_what_a_failed_assertion_says(samples):
    result = run_by_hand(
        samples,
        """\
@pytest.fixture
async def run(mala_session):
    return await mala_session("issues/calc-3.md")


async def test_outcome(run):
    assert run.outcome == "passed"


async def test_check(run):
    assert run.gates["test"] == "passed"


async def test_check_alone(run):
    assert run.gates["test"]


async def test_turns(run):
    assert run.turns == 3


async def test_tools(run):
    assert run.tools.named("Write")


async def test_prompts(run):
    assert run.prompts.why == ["work"]


async def test_usage(run):
    assert run.usage.tokens.output_tokens == 0


async def test_cost(run):
    assert run.cost_usd == 0


async def test_events(run):
    assert run.events.named("on_review_passed")


async def test_no_events(run):
    assert not run.events


async def test_transcript(run):
    assert "npm install" in run.transcript.splitlines()[0]


async def test_commits(run):
    assert [commit.message for commit in run.workspace.commits()] == ["calc-3: done"]


async def test_diff(run):
    assert run.workspace.diff() == ""


async def test_no_such_check(run):
    assert run.gates["lint"]


async def test_no_such_outcome(run):
    assert run.outcome == "fine"
""".replace("@pytest.fixture\nasync", "import pytest_asyncio\n\n\n@pytest_asyncio.fixture\nasync"),
    )
    said = errors_shown(result)
    assert said["test_outcome"] == [
        "AssertionError: assert the session ended gate-failed, expected passed",
        "because: Quality gate failed: check 'test' failed: `python -m pytest -q -p no:cacheprovider -k median`: exit "
        "status 1, expected 0",
    ]
    assert said["test_check"][:3] == [
        "AssertionError: assert check test failed, expected passed",
        "because: exit status 1, expected 0",
        "F                                                                        [100%]",
    ]
    assert said["test_check_alone"][0] == "assert <check test: failed (exit status 1, expected 0)>"
    assert said["test_turns"] == [
        "assert 2 == 3",
        "+  where 2 = <session calc-3: gate-failed, 2 turns, 2 gate attempts>.turns",
    ]
    assert said["test_tools"][0] == (
        "AssertionError: assert <no tool call named 'Write', among 5 tool calls: Read, Edit, Bash, Edit, Bash>"
    )
    assert said["test_prompts"][0] == "AssertionError: assert ['work', 'gate retry'] == ['work']"
    session = "<session calc-3: gate-failed, 2 turns, 2 gate attempts>"
    assert said["test_cost"] == ["assert 0.0021 == 0", f"+  where 0.0021 = {session}.cost_usd"]
    used = "Usage(input_tokens=700, output_tokens=70, cache_read_tokens=0, cache_creation_tokens=0)"
    assert said["test_usage"] == [
        "assert 70 == 0",
        f"+  where 70 = {used}.output_tokens",
        f"+    where {used} = SessionUsage(tokens={used}, cost_usd=0.0021).tokens",
        f"+      where SessionUsage(tokens={used}, cost_usd=0.0021) = {session}.usage",
    ]
    events = (
        "<events, 25: on_state_entered, on_lifecycle_state, on_state_entered, on_lifecycle_state, on_log_waiting, "
        "on_log_ready,...ion_started, on_gate_started, on_state_entered, on_gate_failed, on_gate_result, "
        "on_validation_result, on_session_ended>"
    )
    assert said["test_events"] == [
        "AssertionError: assert []",
        "+  where [] = named('on_review_passed')",
        f"+    where named = {events}.named",
        f"+      where {events} = {session}.events",
    ]
    assert said["test_no_events"] == [f"assert not {events}", f"+  where {events} = {session}.events"]
    assert said["test_transcript"] == [
        "AssertionError: assert 'npm install' in 'session calc-3: median() of an even number of values'"
    ]
    assert said["test_commits"][:4] == [
        "AssertionError: assert ['calc-3: tak...e the mean\\n'] == ['calc-3: done']",
        "",
        "At index 0 diff: 'calc-3: take the lower middle\\n' != 'calc-3: done'",
        "Left contains one more item: 'calc-3: use the mean\\n'",
    ]
    assert said["test_diff"][:4] == [
        "AssertionError: assert 'diff --git a... len(ordered)' == ''",
        "",
        "+ diff --git a/calc.py b/calc.py",
        "+ index 1981665..d2564da 100644",
    ]
    assert said["test_no_such_check"] == [
        "pytest_mala.testing.names.UnknownNameError: no check is called 'lint'. There are: commit, test"
    ]
    assert said["test_no_such_outcome"][0].startswith(
        "pytest_mala.testing.names.UnknownNameError: no outcome is called 'fine'. There are: passed, no-change, "
    )


def test_what_can_not_be_run_is_one_line_at_the_call(samples):
    result = run_by_hand(
        samples,
        """\
async def test_nothing(mala_session):
    await mala_session()


async def test_word(mala_session):
    await mala_session("calc-1")


async def test_no_file(mala_session):
    await mala_session("issues/calc-99.md")


async def test_keyword(mala_session):
    await mala_session("issues/calc-1.md", gate_retry=1)


@pytest.mark.mala(issue="issues/calc-1.md", idle="soon")
async def test_value(mala_session):
    await mala_session()


@pytest.mark.mala("issues/calc-1.md")
async def test_positional(mala_session):
    await mala_session()


async def test_prompt(mala_session):
    await mala_session("Make it so.", workspace="issues/repos/calc")


async def test_can_not_fail(mala_session):
    await mala_session("Make it so.", gate={"commit": "allowed"})


@pytest.mark.parametrize("word", ["a b/c"])
async def test_made_id(mala_session, word):
    for _ in range(2):
        with pytest.raises(Exception, match="no cassette for test_by_hand-test_made_id-a-b-c-[0-9a-f]{8}") as caught:
            await mala_session("Make it so.", workspace="issues/repos/calc")
    print(caught.value)
    raise caught.value
""",
    )
    how = "name one: `mala_session('issues/calc-1.md')`, `mala_session('What to do')` or `@pytest.mark.mala(issue=...)`"
    usage, place = "pytest_mala.errors.UsageError: ", "test_by_hand.py"
    said = errors_shown(result)
    assert {name: lines[0] for name, lines in said.items() if name != "test_made_id"} == {
        "test_nothing": f"{usage}{place}:5: mala_session: there is no issue to work on, got None; {how}",
        "test_word": f"{usage}{place}:9: mala_session: 'calc-1' is no path of an issue file and no prompt; {how}",
        "test_no_file": (
            f"{usage}{place}:13: mala_session: no such file: 'issues/calc-99.md'; correct the path, which starts at "
            f"the root folder '{samples.path}'"
        ),
        "test_keyword": (
            f"{usage}{place}:17: mala: unknown keyword 'gate_retry', did you mean 'gate_retries'? Allowed: issue, "
            "timeout, idle, gate_retries, review_retries, idle_retries, restarts, turns, budget_usd, workspace, gate, "
            "agent"
        ),
        "test_value": f"{usage}{place}:21: mala: limits.idle: expected a duration like 90s, 5m or 1h, got 'soon'",
        "test_positional": f"{usage}{place}:26: mala: the marker takes keywords only, got 'issues/calc-1.md'; {how}",
        "test_prompt": (
            "pytest_mala.errors.CassetteMissingError: cassettes/test_by_hand-test_prompt.yaml: there is no cassette "
            "for test_by_hand-test_prompt; write its model script test_by_hand-test_prompt.model.yaml first (the "
            "format: docs/model-script.md), then record it with: pytest test_by_hand.py::test_prompt "
            "--mala-lane=scripted --mala-record=all"
        ),
        "test_can_not_fail": (
            f"{usage}{place}:35: mala: gate: this issue can't fail: name a check, or set commit to required or "
            "forbidden"
        ),
    }
    result.stdout.fnmatch_lines(
        ["*cassettes/test_by_hand-test_made_id-a-b-c-????????-2.yaml: there is no cassette for *-2; *"]
    )


@pytest.mark.cli
def test_a_prompt_is_recorded_with_the_script_beside_the_test_and_replayed(samples):
    text = """\
@pytest.mark.mala(workspace="issues/repos/calc", gate={"commit": "allowed", "checks": {"there": "test -f done.txt"}})
async def test_it(mala_session):
    run = await mala_session("Write done.txt, please.")
    assert run.outcome == "passed"
    assert run.tools.names == ["Bash"]
"""
    samples.write(
        "test_by_hand-test_it.model.yaml",
        """\
        answers:
          - tool: {name: Bash, input: {command: "echo yes > done.txt", description: Write}}
          - say: Done.
        """,
    )
    run_by_hand(samples, text, "--mala-lane=scripted", "--mala-record=all").assert_outcomes(passed=1)
    assert (samples.path / "cassettes" / "test_by_hand-test_it.yaml").is_file()
    run_by_hand(samples, text).assert_outcomes(passed=1)


def test_the_sample_of_the_readme_is_true(samples):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (sample,) = [one for one in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if "mala_session" in one]
    assert len(sample.strip().splitlines()) <= 14
    samples.write("test_by_hand.py", sample)
    run_file(samples).assert_outcomes(passed=1)
