"""The page about the lifecycle: it draws the table, what cells tell of themselves is true, no name is missing."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from session_peers import failing, finding, passing, reviewed

from pytest_mala.errors import UsageError
from pytest_mala.issue.model import EndReason, Limits
from pytest_mala.session import diagram, happenings as happened
from pytest_mala.session.config import AgentSessionConfig
from pytest_mala.session.context import Effect, LifecycleConfig, LifecycleContext, LifecycleState, RetryState
from pytest_mala.session.lifecycle import TABLE, Ignored, Illegal
from pytest_mala.session.models import IssueResolution, ResolutionOutcome
from pytest_mala.session.retry import Attempt, Cause, Refused, Retry, Spent, decide_retry
from pytest_mala.session.sinks import EVENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "lifecycle.md"
TEXT = PAGE.read_text(encoding="utf-8")
EVENTS = list(happened.Event.__args__)  # type: ignore[attr-defined]


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def cells(title: str) -> list[list[str]]:
    """The rows of all tables of a section, heads left out."""
    rows = [line.strip("|").split("|") for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def names(title: str) -> list[str]:
    return [row[0].strip("`") for row in cells(title) if row[0].startswith("`")]


# The generated part


def test_the_page_is_as_the_table_is() -> None:
    renew = f"docs/lifecycle.md is older than the table: run `{diagram.COMMAND}`"
    assert diagram.renewed(TEXT) == TEXT, renew


def test_the_command_that_the_page_names_renews_it(tmp_path: Path) -> None:
    assert diagram.COMMAND in TEXT
    page = tmp_path / "page.md"
    page.write_text(f"before\n{diagram.BEGIN}\nold\n{diagram.END}\nafter\n", encoding="utf-8")
    module = diagram.COMMAND.split()[-1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, str(page)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = page.read_text(encoding="utf-8")
    assert text == f"before\n{diagram.BEGIN}\n\n{diagram.generated()}\n\n{diagram.END}\nafter\n"
    assert diagram.renewed(text) == text


def test_by_default_the_page_of_the_checkout_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        diagram.main([])
    assert str(caught.value) == (
        f"{Path('docs/lifecycle.md')} does not exist: run this at the top of a checkout, or give the path"
    )
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "lifecycle.md"
    page.write_text(f"{diagram.BEGIN}{diagram.END}", encoding="utf-8")
    diagram.main([])
    assert "stateDiagram-v2" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", diagram.BEGIN, diagram.END, f"{diagram.END}{diagram.BEGIN}"])
def test_a_page_without_its_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        diagram.main([str(page)])
    assert str(caught.value) == (
        f"{page}: the page has no generated part: it begins with the line {diagram.BEGIN} and ends with {diagram.END}"
    )
    assert page.read_text(encoding="utf-8") == text


def test_a_cell_that_tells_no_way_is_refused() -> None:
    def silent(config: Any, ctx: Any, event: Any) -> Any:
        """Says nothing of where it leads."""

    with pytest.raises(UsageError) as caught:
        diagram.ways({LifecycleState.INITIAL: {happened.Started: silent}})
    assert str(caught.value) == (
        f"the docstring of the cell {silent!r} tells no way: write lines `- guard: STATE, EFFECT`"
    )


def test_each_way_is_drawn_or_told_in_the_note() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (.*)$", diagram.diagram(), re.MULTILINE))
    arrows = {(begin, end): label.split("<br/>") for begin, end, label in drawn}
    assert len(arrows) == len(drawn)
    in_note = {"TimedOut", "WentIdle", "Erred", "Aborted"}
    assert f"        {', '.join(['TimedOut', 'WentIdle', 'Erred', 'Aborted'])}\n" in diagram.diagram()
    for way in diagram.ways():
        name, ends = way.event.__name__, (way.state.name, way.target.name)
        if name in in_note:
            assert (way.target, way.guard) == (LifecycleState.FAILED, "always")
        else:
            assert (name if way.guard == "always" else f"{name} ({way.guard})") in arrows[ends]
    assert sum(map(len, arrows.values())) == sum(way.event.__name__ not in in_note for way in diagram.ways())


def test_labels_hold_nothing_that_ends_a_label_in_mermaid() -> None:
    labels = re.findall(r"^    \w+ --> \w+: (.*)$", diagram.diagram(), re.MULTILINE)
    assert labels
    assert [label for label in labels if re.search(r"[:;#]|-->", label)] == []


def test_each_cell_of_the_table_stands_in_the_page() -> None:
    rows = {row[0].strip("`"): row[1:] for row in cells("The table") if len(row) == 8 and row[0].startswith("`")}
    assert list(rows) == [event.__name__ for event in EVENTS]
    for state, event in itertools.product(LifecycleState, EVENTS):
        cell = TABLE[state][event]
        word = "ignored" if isinstance(cell, Ignored) else "illegal" if isinstance(cell, Illegal) else "moves"
        assert rows[event.__name__][state.value - 1] == word


# What the cells tell of themselves is what they do

TIGHT = LifecycleConfig(max_gate_retries=1, max_review_retries=1, max_context_restarts=0)
LOOSE = LifecycleConfig()
NO_REVIEW = LifecycleConfig(review_enabled=False)
ENDED = [happened.TurnEnded(has_session_id=True), happened.TurnEnded(has_session_id=False)]
RESOLUTIONS = [None, *[IssueResolution(outcome, "why") for outcome in ResolutionOutcome]]
GATES = [
    *[passing(commit, resolution=resolution) for commit in ("c1", "", None) for resolution in RESOLUTIONS],
    *[failing(commit=commit, no_progress=stalled) for commit in ("c1", None) for stalled in (True, False)],
]
REVIEWS = [
    reviewed(*found, passed=passed, parse_error=error, fatal_error=fatal)
    for found in ([], [finding(0)], [finding(1), finding(3)], [finding(2)], [finding(None)])
    for passed in (True, False)
    for error in (None, "", "bad json")
    for fatal in (True, False)
]


def occurrences(event: type) -> list[Any]:
    """The event in all its kinds."""
    return {
        happened.Started: [happened.Started()],
        happened.TurnEnded: ENDED,
        happened.TurnFailed: [happened.TurnFailed(reason=EndReason.BUDGET, text="turns")],
        happened.TurnBroken: [happened.TurnBroken(text="no result")],
        happened.ContextFilled: [happened.ContextFilled()],
        happened.LogReady: [happened.LogReady()],
        happened.LogTimedOut: [happened.LogTimedOut(log_path="/log")],
        happened.GateAnswered: [happened.GateAnswered(gate=gate, new_log_offset=5) for gate in GATES],
        happened.ReviewAnswered: [
            happened.ReviewAnswered(review=review, new_log_offset=5, no_progress=stalled)
            for review in REVIEWS
            for stalled in (True, False)
        ],
        happened.TimedOut: [happened.TimedOut(minutes=1)],
        happened.WentIdle: [happened.WentIdle(error=RuntimeError("silent"))],
        happened.Erred: [happened.Erred(error=RuntimeError("boom"))],
        happened.Aborted: [happened.Aborted(text="stop")],
    }[event]


def moves(state: LifecycleState, event: type) -> Iterator[tuple[LifecycleState, Effect]]:
    for config, given, gates, reviews, restarts in itertools.product(
        (TIGHT, LOOSE, NO_REVIEW), occurrences(event), (1, 2, 3), (0, 1, 3), (0, 5)
    ):
        ctx = LifecycleContext(
            retry_state=RetryState(gate_attempt=gates, review_attempt=reviews), context_restarts=restarts
        )
        move = TABLE[state][event](config, ctx, given)  # type: ignore[operator]
        yield move.state, move.effect


@pytest.mark.parametrize(
    ("state", "event"),
    sorted({(way.state, way.event) for way in diagram.ways()}, key=lambda pair: (pair[0].value, pair[1].__name__)),
    ids=lambda value: value.__name__ if isinstance(value, type) else value.name,
)
def test_a_cell_leads_where_its_docstring_says_and_nowhere_else(state: LifecycleState, event: type) -> None:
    told = {(way.target, way.effect) for way in diagram.ways() if (way.state, way.event) == (state, event)}
    assert set(moves(state, event)) == told


def gate_of(result: Any) -> Any:
    return happened.GateAnswered(gate=result, new_log_offset=5)


def review_of(result: Any, *, no_progress: bool = False) -> Any:
    return happened.ReviewAnswered(review=result, new_log_offset=5, no_progress=no_progress)


EXAMPLES: dict[tuple[type, str], list[tuple[LifecycleConfig, Any]]] = {
    (happened.TurnEnded, "a session id is known"): [(LOOSE, ENDED[0])],
    (happened.TurnEnded, "no session id"): [(LOOSE, ENDED[1])],
    (happened.ContextFilled, "restarts are left"): [(LOOSE, happened.ContextFilled())],
    (happened.ContextFilled, "no restarts left"): [(TIGHT, happened.ContextFilled())],
    (happened.GateAnswered, "passed, and there is a commit to review"): [(LOOSE, gate_of(passing("c1")))],
    (happened.GateAnswered, "passed, nothing to review"): [
        (LOOSE, gate_of(passing(None))),
        (NO_REVIEW, gate_of(passing("c1"))),
        (LOOSE, gate_of(passing("c1", resolution=IssueResolution(ResolutionOutcome.NO_CHANGE, "why")))),
    ],
    (happened.GateAnswered, "failed, attempts left"): [(LOOSE, gate_of(failing()))],
    (happened.GateAnswered, "failed, no progress or no attempts left"): [
        (TIGHT, gate_of(failing())),
        (LOOSE, gate_of(failing(no_progress=True))),
    ],
    (happened.ReviewAnswered, "no progress since the last review"): [
        (LOOSE, review_of(reviewed(passed=True), no_progress=True))
    ],
    (happened.ReviewAnswered, "fatal error"): [(LOOSE, review_of(reviewed(passed=True, fatal_error=True)))],
    (happened.ReviewAnswered, "no usable answer, attempts left"): [
        (LOOSE, review_of(reviewed())),
        (LOOSE, review_of(reviewed(finding(0), passed=True, parse_error=""))),
    ],
    (happened.ReviewAnswered, "no usable answer, none left"): [
        (TIGHT, review_of(reviewed())),
        (TIGHT, review_of(reviewed(parse_error="bad"))),
    ],
    (happened.ReviewAnswered, "a P0 or P1 finding, attempts left"): [
        (LOOSE, review_of(reviewed(finding(0), passed=True))),
        (LOOSE, review_of(reviewed(finding(1)))),
    ],
    (happened.ReviewAnswered, "a P0 or P1 finding, none left"): [(TIGHT, review_of(reviewed(finding(1))))],
    (happened.ReviewAnswered, "passed, or only lesser findings"): [
        (LOOSE, review_of(reviewed(passed=True))),
        (LOOSE, review_of(reviewed(finding(2)))),
        (LOOSE, review_of(reviewed(finding(None), passed=True))),
    ],
}


def test_each_condition_has_an_example() -> None:
    assert {(way.event, way.guard) for way in diagram.ways() if way.guard != "always"} == set(EXAMPLES)


@pytest.mark.parametrize(
    "way", [way for way in diagram.ways() if way.guard != "always"], ids=lambda way: f"{way.event.__name__} {way.guard}"
)
def test_where_a_condition_holds_the_cell_leads_where_it_says(way: diagram.Way) -> None:
    for config, event in EXAMPLES[way.event, way.guard]:
        ctx = LifecycleContext(retry_state=RetryState(review_attempt=1))
        move = TABLE[way.state][way.event](config, ctx, event)  # type: ignore[operator]
        assert (move.state, move.effect) == (way.target, way.effect)


# The rest of the page


def test_every_state_effect_reason_and_event_is_explained() -> None:
    assert names("States") == [state.name for state in LifecycleState]
    assert names("Effects") == [effect.name for effect in Effect]
    assert names("What ends a session") == [reason.value for reason in EndReason]
    told = set(re.findall(r"\bon_\w+", section("Listening")))
    assert told <= set(EVENT_NAMES)
    assert {name for name in EVENT_NAMES if name in source_of_the_runner_s_events()} <= told


def source_of_the_runner_s_events() -> set[str]:
    text = (ROOT / "pytest_mala" / "session" / "emit.py").read_text(encoding="utf-8")
    return set(re.findall(r"\bon_\w+", text))


def test_the_budgets_are_those_of_the_code() -> None:
    rows = [row for row in cells("How often it is tried again") if row[0].startswith("`max_")]
    fields = {field.name: field.default for field in dataclasses.fields(AgentSessionConfig)}
    assert {row[0].strip("`") for row in rows} == {name for name in fields if name.startswith("max_")}
    for setting, limit, default, _ in rows:
        assert fields[setting.strip("`")] == int(default)
        if limit:
            assert getattr(Limits(), limit.strip("`")) == int(default)


def test_the_figures_are_those_of_the_code() -> None:
    fields: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(AgentSessionConfig)}
    figures = {
        "at 90 % (`context_restart_threshold`) of 200,000 tokens (`context_limit`)": (0.9, 200_000),
        "for at most `log_file_wait_timeout` (60 s)": 60.0,
        "0, 5 and 15 seconds (`idle_retry_backoff`)": (0.0, 5.0, 15.0),
        "1, 2, 4 and 8 seconds (`crash_retry_backoff`)": (1.0, 2.0, 4.0, 8.0),
    }
    for text, value in figures.items():
        settings = [fields[name] for name in re.findall(r"`(\w+)`", text)]
        assert text in TEXT
        assert (settings[0] if len(settings) == 1 else tuple(settings)) == value


@pytest.mark.parametrize(
    ("cause", "known", "tools", "heard", "is_later", "row"),
    [
        (Cause.IDLE, "s1", 2, True, False, ("the session id, and the agent was heard", "resumed with the idle prompt")),
        (Cause.CRASH, "s1", 0, False, True, ("the session id, and the agent was not", "resumed with the same prompt")),
        (Cause.IDLE, None, 0, True, False, ("no session id, and no tool", "same prompt in a fresh session")),
        (Cause.CRASH, None, 1, True, False, ("no session id, and tools", "no retry")),
        (Cause.STALE, "s1", 0, False, False, ("it is the first prompt", "same prompt in a fresh session")),
        (Cause.STALE, "s1", 0, False, True, ("can't be resumed, otherwise", "no retry")),
        (Cause.STALE, "s1", 1, False, False, ("can't be resumed, otherwise", "no retry")),
    ],
)
def test_retries_go_on_as_the_page_says(
    cause: Cause, known: str | None, tools: int, heard: bool, is_later: bool, row: tuple[str, str]
) -> None:
    last = Attempt(prompt="same", resume="s1" if is_later else None, resumed_first=is_later)
    spent = Spent(used=0, allowed=1, session_id=known, tool_calls=tools, answered=heard)
    decision = decide_retry(cause, last, spent, "idle")
    (told,) = [found[1] for found in cells("How often it is tried again") if row[0] in found[0]]
    assert row[1] in told
    match decision:
        case Refused():
            assert "no retry" in told
        case Retry(attempt=attempt):
            assert (f"{attempt.prompt} prompt" in told, attempt.resume is None) == (True, "fresh" in told)


def test_the_example_of_a_sink_is_true() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", section("Listening"), flags=re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})


def test_the_prompt_files_that_are_named_are_there() -> None:
    named = set(re.findall(r"`(\w+\.md)`", section("What the agent is told")))
    assert named
    assert {name for name in named if not (ROOT / "prompts" / name).exists()} == set()
