"""What must hold of every session, whatever its peers did: rules that read a history and say what is wrong with it.

Each rule is its own judge: it works from what the peers saw and said, and knows nothing of the runner's code.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from session_agents import CLEAN_UP, Entry, Played

from pytest_mala.errors import HarnessError
from pytest_mala.issue.model import EndReason
from pytest_mala.session.models import ResolutionOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEW_TURN = ("work", "gate retry", "review retry", "continuation")
STUBBORN = ("stubborn", "stubborn-fail")
LEAVING = ("decide", "interrupt", "disconnect", "terminate", "exit")
STEP = 20.0
"""Seconds that one step of leaving a client may take, with the drains around it."""
RETRY = ("idle resume", "crash retry")
ENDED_WELL = {
    ResolutionOutcome.NO_CHANGE: EndReason.NO_CHANGE,
    ResolutionOutcome.OBSOLETE: EndReason.OBSOLETE,
    ResolutionOutcome.ALREADY_COMPLETE: EndReason.ALREADY_COMPLETE,
}


class Client:
    """What one client saw."""

    def __init__(self, created: Entry) -> None:
        self.created = created
        self.number = created.client
        self.purpose: str = created.facts["purpose"]
        self.entries: list[Entry] = [created]

    def all(self, what: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.what == what]

    @property
    def query(self) -> dict[str, Any] | None:
        found = self.all("query")
        return found[0].facts if found else None

    @property
    def told(self) -> list[str]:
        return [entry.facts["told"] for entry in self.all("said") if entry.facts["told"]]

    @property
    def was_heard(self) -> bool | None:
        """None where only results came, and no sooner than the client was given up: one may answer our interrupt."""
        heard = [entry for entry in self.all("said") if entry.facts["heard"]]
        given_up = min((entry.at for entry in self.entries if entry.what in ("decide", "disconnect")), default=None)
        if given_up is None or any(entry.at < given_up or entry.facts["speaks"] for entry in heard):
            return bool(heard)
        return None if heard else False

    @property
    def used_tools(self) -> bool:
        return any(entry.facts["used"] for entry in self.all("said"))


def clients(played: Played) -> list[Client]:
    found: dict[int, Client] = {}
    for entry in played.history:
        if entry.what == "create":
            found[entry.client] = Client(entry)
        elif entry.client in found:
            found[entry.client].entries.append(entry)
    return list(found.values())


def turns(played: Played) -> list[list[Client]]:
    """The clients of each turn; a checkpoint is none."""
    found: list[list[Client]] = []
    for client in clients(played):
        if client.purpose in NEW_TURN:
            found.append([client])
        elif client.purpose in RETRY and found:
            found[-1].append(client)
    return found


def last(played: Played, *whats: str) -> Entry | None:
    return next((entry for entry in reversed(played.history) if entry.what in whats), None)


def told(played: Played, event: str) -> list[Entry]:
    return [entry for entry in played.history if entry.what == "told" and entry.facts["event"] == event]


def attempts_stay_within_their_limits(played: Played) -> Iterator[str]:
    script = played.script
    limits = {"gate": max(1, script.gate_limit), "review": max(1, script.review_limit)}
    for what, limit in limits.items():
        numbers = [entry.facts["attempt"] for entry in played.history if entry.what == what]
        if any(number > limit for number in numbers):
            yield f"{what} attempts {numbers}, allowed are {limit}"
        if numbers != list(_counted(played, what)):
            yield f"{what} attempts are counted {numbers}"
    failures = sum(entry.what == "judged" and not entry.facts["passed"] for entry in played.history)
    if failures > limits["gate"]:
        yield f"{failures} gates failed, allowed are {limits['gate']}"
    restarts = sum(client.purpose == "continuation" for client in clients(played))
    if restarts > script.restarts:
        yield f"{restarts} restarts, allowed are {script.restarts}"


def _counted(played: Played, what: str) -> Iterator[int]:
    """Every review counts; a gate counts on only when it has failed."""
    number = 1
    for entry in played.history:
        if entry.what == what:
            yield number
        if entry.what == ("judged" if what == "gate" else what) and not (what == "gate" and entry.facts["passed"]):
            number += 1


def nothing_is_pending_between_attempts(played: Played) -> Iterator[str]:
    for client in clients(played):
        if client.purpose != "checkpoint" and client.created.facts["pending"]:
            yield f"client {client.number} begins with pending {client.created.facts['pending']}"


def nothing_is_asked_after_the_end(played: Played) -> Iterator[str]:
    asked = ("create", "enter", "query", "log", "gate", "review")
    ended = False
    for entry in played.history:
        if ended and entry.what in asked:
            yield f"{entry.what} at {entry.at} after a terminal state"
        ended = ended or (
            entry.what == "told"
            and entry.facts["event"] == "on_state_entered"
            and entry.facts["arguments"][1] in ("SUCCESS", "FAILED")
        )


def there_is_one_end_and_it_fits(played: Played) -> Iterator[str]:
    ends = [entry.facts["arguments"][1:] for entry in told(played, "on_session_ended")]
    output = played.output
    if output is None:
        # a harness error of the sink at the very end comes after the event
        if ends and not played.script.sink and not _was_cancelled(played):
            yield f"told of the end {ends}, but it raised {played.error!r}"
        return
    if ends != [[output.reason, output.summary]]:
        yield f"told of the ends {ends}, the output is {output.reason} {output.summary!r}"
    if output.success != (output.reason in (EndReason.PASSED, *ENDED_WELL.values())):
        yield f"success {output.success} with {output.reason}"
    if not output.success and not output.summary:
        yield "a failure without a word"
    if _known(clients(played)) and output.session_id is None:
        yield "the session id is lost"
    if output.reason not in FITS or not FITS[output.reason](played):
        yield f"nothing in the history makes the reason {output.reason}"


def _known(found: list[Client]) -> list[str]:
    """The ids that the clients told; a session that its CLI does not know any more is none."""
    known: list[str] = []
    for client in found:
        is_gone = client.query is None and client.created.facts["resume"] is not None
        known = [] if is_gone else [*known, *client.told]
    return known


def _judged(played: Played, **facts: Any) -> bool:
    found = last(played, "judged", "query")
    return found is not None and found.what == "judged" and all(found.facts[key] == facts[key] for key in facts)


def _resolved(outcome: ResolutionOutcome) -> Callable[[Played], bool]:
    def fits(played: Played) -> bool:
        found = last(played, "judged")
        return found is not None and found.facts["how"] is not None and found.facts["how"].outcome is outcome

    return fits


def _summary(played: Played, start: str) -> bool:
    return played.output is not None and played.output.summary.startswith(start)


def _out_of_progress(played: Played) -> bool:
    asked = last(played, "progress", "judged")
    if asked is not None and asked.what == "progress":
        return bool(asked.facts["none"])
    return _judged(played, passed=False, stuck=True)


def _ran_into_an_error(played: Played) -> bool:
    """An error of a peer, an error result, no result at all, or no session id."""
    broken = ("raises", "times-out", "fails")
    found = last(played, "gate", "review", "log", "query", "create")
    trouble = found is not None and (
        found.facts.get("word") in broken or found.facts.get("how") in broken or found.what in ("query", "create")
    )
    return trouble or bool(played.script.sink) or (bool(played.script.breaks) and last(played, "broke") is not None)


FITS: dict[EndReason | None, Callable[[Played], bool]] = {
    EndReason.PASSED: lambda played: _judged(played, passed=True),
    EndReason.NO_CHANGE: _resolved(ResolutionOutcome.NO_CHANGE),
    EndReason.OBSOLETE: _resolved(ResolutionOutcome.OBSOLETE),
    EndReason.ALREADY_COMPLETE: _resolved(ResolutionOutcome.ALREADY_COMPLETE),
    EndReason.GATE_FAILED: lambda played: _judged(played, passed=False) and _summary(played, "Quality gate failed: "),
    EndReason.REVIEW_FAILED: lambda played: (
        (entry := last(played, "reviewed", "query", "judged")) is not None
        and entry.what == "reviewed"
        and not _is_good(entry)
        and _summary(played, "External review failed: ")
    ),
    EndReason.NO_PROGRESS: _out_of_progress,
    EndReason.NO_LOG: lambda played: (
        (entry := last(played, "log", "gate", "query")) is not None and entry.what == "log"
    ),
    EndReason.IDLE: lambda played: clients(played)[-1].purpose != "checkpoint" and "idle" in str(played.output).lower(),
    EndReason.TIMEOUT: lambda played: (
        played.output is not None and played.output.duration_seconds >= played.script.timeout
    ),
    EndReason.CONTEXT: lambda played: (
        sum(client.purpose == "continuation" for client in clients(played)) == played.script.restarts
    ),
    EndReason.BUDGET: lambda played: any(entry.facts["word"] == "result$" for entry in clients(played)[-1].all("said")),
    EndReason.AGENT_ERROR: _ran_into_an_error,
}


def _is_good(review: Entry) -> bool:
    """Design D10, told once more: what a review must be like to end a session well."""
    facts = review.facts
    blocks = any(priority is not None and priority <= 1 for priority in facts["priorities"])
    return not (facts["fatal"] or facts["unreadable"] or blocks) and (facts["passed"] or bool(facts["priorities"]))


def success_was_earned(played: Played) -> Iterator[str]:
    """The last turn ended with a good result, then the gate passed, then (where there is one) the review."""
    if played.output is None or not played.output.success:
        return
    after = played.history[max((n for n, entry in enumerate(played.history) if entry.what == "query"), default=0) :]
    results = [entry.facts["word"] for entry in after if entry.what == "said" and entry.facts["word"].startswith("res")]
    if not results or results[-1] in ("result!", "result$", "result-"):
        yield f"success after a turn with the results {results}"
    steps = [entry for entry in after if entry.what in ("log", "gate", "judged", "review", "reviewed")]
    if [entry.what for entry in steps[:3]] != ["log", "gate", "judged"] or not steps[2].facts["passed"]:
        yield "success, but the gate did not pass after the last turn"
        return
    gate = steps[2].facts
    ended_well = gate["how"] is not None and gate["how"].outcome in ENDED_WELL
    is_reviewed = played.script.review and gate["commit"] is not None and not ended_well
    if is_reviewed and (steps[-1].what != "reviewed" or not _is_good(steps[-1])):
        yield "success, but the last review does not allow it"
    if not is_reviewed and len(steps) > 3:
        yield "reviewed what is not to be reviewed"


def answers_have_their_consequences(played: Played) -> Iterator[str]:
    """What is asked next after a gate's or a reviewer's answer, told once more from D10 and the gate's rows."""
    asked = [entry for entry in played.history if entry.what in (*_ANSWERS, "create", "gate", "review")]
    for entry, following in pairwise(asked):
        if entry.what not in _ANSWERS:
            continue
        allowed = _ANSWERS[entry.what](entry)
        if following.what not in allowed:
            yield f"{following.what} after {entry.what} {entry.facts}, allowed is {allowed or 'nothing'}"


def _after_gate(entry: Entry) -> tuple[str, ...]:
    if entry.facts["passed"]:
        return ("progress", "review")
    return () if entry.facts["stuck"] else ("create",)


def _after_review(entry: Entry) -> tuple[str, ...]:
    if entry.facts["fatal"] or _is_good(entry):
        return ()
    return ("review",) if entry.facts["unreadable"] or not entry.facts["priorities"] else ("create",)


_ANSWERS: dict[str, Callable[[Entry], tuple[str, ...]]] = {
    "judged": _after_gate,
    "reviewed": _after_review,
    "progress": lambda entry: () if entry.facts["none"] else ("review",),
}


def every_client_is_left_once(played: Played) -> Iterator[str]:
    is_open = None
    for client in clients(played):
        entered, exits = len(client.all("entered")), len(client.all("exit"))
        if exits != entered or entered > 1:
            yield f"client {client.number} was entered {entered} times and left {exits} times"
        calls = [entry.what for entry in client.entries if entry.what in ("query", "interrupt", "disconnect", "exit")]
        if "exit" in calls[:-1]:
            yield f"client {client.number} was used after it was left: {calls}"
        if len(client.all("query")) > 1:
            yield f"client {client.number} was asked {len(client.all('query'))} times"
        if calls.count("disconnect") > 1 or ("interrupt" in calls and "disconnect" not in calls):
            yield f"client {client.number} was given up like this: {calls}"
    for entry in played.history:
        if entry.what == "create" and is_open is not None:
            yield f"client {entry.client} is made while {is_open} is open"
        if entry.what == "entered":
            is_open = entry.client
        if entry.what == "exit":
            is_open = None


def retries_stay_within_their_budgets(played: Played) -> Iterator[str]:
    script = played.script
    budgets = {"idle resume": script.idle_retries, "crash retry": script.crash_retries}
    for turn in turns(played):
        for purpose, budget in budgets.items():
            count = sum(client.purpose == purpose for client in turn)
            if count > budget:
                yield f"{count} times {purpose} in the turn of client {turn[0].number}, allowed are {budget}"
        for before, client in pairwise(turn):
            so_far = played.history[: played.history.index(client.created)]
            decided = next(entry.at for entry in reversed(so_far) if entry.facts.get("event") == "on_idle_retry")
            steps = (0.0, 5.0) if client.purpose == "idle resume" else (1.0, 2.0)
            count = sum(other.purpose == client.purpose for other in turn[: turn.index(client) + 1])
            due = 0.0 if before.all("query") == [] else steps[min(count, 2) - 1]
            if abs(client.created.at - decided - due) > 0.001:
                yield f"client {client.number} comes {client.created.at - decided} s after the last, due is {due}"
    for purpose, what in (("idle resume", "idle: all"), ("crash retry", "(crash): all")):
        used = sum(client.purpose == purpose for client in turns(played)[-1]) if turns(played) else 0
        if used < budgets[purpose] and what in _failure(played):
            yield f"given up after {used} times {purpose}, allowed are {budgets[purpose]}"
    for entry in told(played, "on_idle_retry"):
        _, attempt, limit, _ = entry.facts["arguments"]
        if attempt > limit or limit not in budgets.values():
            yield f"told of retry {attempt} of {limit}"


def _failure(played: Played) -> str:
    return played.output.summary if played.output is not None and not played.output.success else ""


def retries_lose_and_repeat_nothing(played: Played) -> Iterator[str]:
    for turn in turns(played):
        asked = [client for client in turn if client.query is not None]
        for number, client in enumerate(asked[1:], 1):
            yield from _check_retry(client, asked[0], turn[: turn.index(client)], asked[number - 1])


def _check_retry(client: Client, first: Client, before: list[Client], previous: Client) -> Iterator[str]:
    assert client.query is not None
    assert first.query is not None
    assert previous.query is not None
    name, prompt = f"client {client.number}", client.query["prompt"]
    if client.query["session"] is None:
        if first.query["session"] is not None:
            yield f"{name} is fresh, and the history of {first.query['session']} is lost"
        if any(other.used_tools for other in before):
            yield f"{name} is fresh, and tools may be used twice"
        if prompt != first.query["prompt"]:
            yield f"{name} is fresh and asked {prompt!r}, but the turn's prompt is {first.query['prompt']!r}"
        if _known(before):
            yield f"{name} is fresh, although the session id is known"
    elif previous.was_heard is False and prompt != previous.query["prompt"]:
        yield f"{name} is asked {prompt!r}, but {previous.query['prompt']!r} was never answered"
    elif previous.was_heard is True and not prompt.startswith("go on with "):
        yield f"{name} is asked again what was answered: {prompt!r}"


def only_its_own_session_is_resumed(played: Played) -> Iterator[str]:
    """The id is the last one that the session told since it was begun afresh; option and query agree."""
    known: list[str] = []
    for client in clients(played):
        query, resume = client.query, client.created.facts["resume"]
        if query is None:
            continue
        session = query["session"] or None
        if (resume != session and played.script.resumes) or (resume and not played.script.resumes):
            yield f"client {client.number} resumes {resume}, but asks {session}"
        if session is not None and session not in (known[-1:] if client.purpose != "checkpoint" else known):
            yield f"client {client.number} resumes {session}, but the session told {known}"
        if client.purpose == "checkpoint":
            continue
        if session is not None and client.purpose in ("work", "continuation"):
            yield f"client {client.number} goes on in {session} for a {client.purpose}"
        if session is None and client.purpose not in ("work", "continuation", *RETRY):
            yield f"client {client.number} begins a new session for a {client.purpose}"
        known = (known if session is not None else []) + client.told


def what_was_asked_for_is_asked_again(played: Played) -> Iterator[str]:
    """Every turn until the next gate or review answer carries the failure that it is to repair."""
    due: str | None = None
    reason = ""
    for entry in played.history:
        if entry.what in ("gate", "review"):
            reason = entry.facts["reason"]
        if entry.what == "judged":
            due = None if entry.facts["passed"] else reason
        if entry.what == "reviewed":
            due = reason if entry.facts["priorities"] else None
        if entry.what == "query" and due is not None:
            purpose = next(client.purpose for client in clients(played) if client.number == entry.client)
            if purpose in NEW_TURN and due not in entry.facts["prompt"]:
                yield f"client {entry.client} ({purpose}) is not told of {due}: {entry.facts['prompt']!r}"


def silence_is_judged_fairly(played: Played) -> Iterator[str]:
    """An agent is given up when nothing came for the idle time and no tool was at work, and not otherwise.

    What comes in the very moment when the time is up may be too late.
    """
    idle = played.script.idle
    if idle is None:
        idle = min(900.0, max(300.0, played.script.timeout / 5))
    for client in clients(played):
        if client.purpose == "checkpoint":
            continue
        heard = [entry for entry in client.entries if entry.what in ("asked", "said")]
        for decided in client.all("decide")[:1]:
            before = [entry for entry in heard if entry.at < decided.at - 0.001]
            silent = decided.at - before[-1].at if before else 0.0
            # a stream's own TimeoutError counts as silence (session:3.1)
            is_timer = decided.facts["by"] == "idle" and "late" not in [e.facts["word"] for e in client.all("broke")]
            if is_timer and (not idle or pending_tools(before) or silent < idle - 0.001):
                yield f"client {client.number} given up after {silent} s, pending {pending_tools(before)}"
        left = next((entry for entry in client.entries if entry.what in LEAVING or is_error_result(entry)), None)
        if left is not None:  # what is drained afterwards came to somebody who had stopped waiting
            heard = [entry for entry in heard if entry.at <= left.at]
        for number, (now, later) in enumerate(pairwise(heard), 1):
            if idle and later.at - now.at > idle + 0.001 and not pending_tools(heard[:number]):
                yield f"client {client.number} was silent from {now.at} to {later.at}"


def is_error_result(entry: Entry) -> bool:
    return entry.what == "said" and entry.facts["word"] in ("result!", "result-", "result$")


def pending_tools(heard: list[Entry]) -> set[str]:
    pending: set[str] = set()
    for entry in heard:
        pending = (pending | set(entry.facts.get("used", ()))) - set(entry.facts.get("answered", ()))
    return pending


def pressure_cuts_no_tool_off(played: Played) -> Iterator[str]:
    """Inside a turn a full context is acted on when a tool has answered and no other one is at work."""
    for client in clients(played):
        if not any(entry.facts["by"] == "pressure" for entry in client.all("decide")):
            continue
        said = client.all("said")
        words = [entry.facts["word"] for entry in said]
        if not any(
            {"full", "fulluse1"} & set(words[:number]) and entry.facts["answered"] and not pending_tools(said[:number])
            for number, entry in enumerate(said, 1)
        ):
            yield f"client {client.number} is left as full after {words}"


def time_is_kept(played: Played) -> Iterator[str]:
    timeout, end = played.script.timeout, played.history[-1].at if played.history else 0.0
    cancelled = next((entry.at for entry in played.history if entry.what == "cancel"), None)
    if end > timeout + CLEAN_UP:
        yield f"still alive at {end}, the timeout is {timeout}"
    if cancelled is not None and end > cancelled + CLEAN_UP and not _swallows(played):
        yield f"still alive at {end}, cancelled at {cancelled}"
    for client in clients(played):
        steps = [entry for entry in client.entries if entry.what in LEAVING]
        for now, later in pairwise(steps):
            if later.at - now.at > STEP:
                yield f"client {client.number} takes {later.at - now.at} s from {now.what} to {later.what}"
    for entry in played.history:
        if entry.at > timeout and entry.what in ("create", "query", "gate", "review", "log"):
            yield f"{entry.what} at {entry.at}, the timeout is {timeout}"
    if played.output is not None:
        is_late = played.output.duration_seconds > timeout
        if is_late and played.output.reason is not EndReason.TIMEOUT and not _swallows(played):
            yield f"ended as {played.output.reason} after {played.output.duration_seconds} s of {timeout}"
        if abs(played.output.duration_seconds - end) > 0.001:
            yield f"{played.output.duration_seconds} s are told, it took {end}"


def only_harness_errors_and_cancellation_are_raised(played: Played) -> Iterator[str]:
    if isinstance(played.error, asyncio.CancelledError):
        if not _was_cancelled(played):
            yield "cancelled by itself"
    elif played.error is not None and not isinstance(played.error, HarnessError):
        yield f"raised {played.error!r}"
    elif played.error is not None and not _somebody_diverges(played):
        yield f"raised {played.error!r}, which nobody else did"
    if (played.error is None) == (played.output is None):
        yield f"output {played.output} and error {played.error!r}"
    if played.output is not None and _was_cancelled(played) and not _swallows(played):
        yield "a cancellation was lost"


def _somebody_diverges(played: Played) -> bool:
    words = [entry.facts["word"] for entry in played.history if entry.what in ("gate", "review", "broke")]
    is_the_sink = played.script.sink.endswith("!")
    return is_the_sink or any("diverge" in text for text in (*words, str(played.script.talks)))


def _swallows(played: Played) -> bool:
    """Whether a gate took a cancellation for itself: then it is the gate that nobody can stop."""
    return any(entry.what == "gate" and entry.facts["word"] in STUBBORN for entry in played.history)


def _was_cancelled(played: Played) -> bool:
    return any(entry.what == "cancel" for entry in played.history)


FOLLOWS = {
    "": ("PROCESSING",),
    "PROCESSING": ("PROCESSING", "AWAITING_LOG", "FAILED"),
    "AWAITING_LOG": ("log_waiting",),
    "log_waiting": ("log_ready", "log_timeout"),
    "log_ready": ("validation_started",),
    "validation_started": ("gate_started",),
    "gate_started": ("gate_passed", "gate_failed", "gate_retry"),
    "gate_passed": ("valid",),
    "gate_failed": ("gate_result",),
    "gate_retry": ("gate_result",),
    "gate_result": ("invalid",),
    "valid": ("review_started", "review_skipped_no_progress"),
    "invalid": ("AWAITING_LOG", "FAILED", "PROCESSING"),
    "review_started": ("review_passed", "review_retry", "warning"),
    "warning": ("review_started",),
    "review_retry": ("AWAITING_LOG", "FAILED", "PROCESSING"),
}
OPTIONAL = ("state_entered", "idle_retry", "context_restart", "review_failed", "session_ended")


def events_come_in_order(played: Played) -> Iterator[str]:
    """The orders of session:6.9, as what may follow what; a session may end anywhere."""
    before = ""
    for entry in played.history:
        if entry.what != "told" or (name := entry.facts["event"][3:]) in OPTIONAL:
            continue
        arguments = entry.facts["arguments"]
        if name == "lifecycle_state":
            name = arguments[1]
        if name == "validation_result":
            name = "valid" if "passed=True" in arguments else "invalid"
        if name not in FOLLOWS.get(before, ()):
            yield f"{name} is told after {before or 'nothing'}"
        before = name


RULES: tuple[Callable[[Played], Iterator[str]], ...] = (
    attempts_stay_within_their_limits,
    nothing_is_pending_between_attempts,
    nothing_is_asked_after_the_end,
    there_is_one_end_and_it_fits,
    success_was_earned,
    answers_have_their_consequences,
    every_client_is_left_once,
    retries_stay_within_their_budgets,
    retries_lose_and_repeat_nothing,
    only_its_own_session_is_resumed,
    what_was_asked_for_is_asked_again,
    silence_is_judged_fairly,
    pressure_cuts_no_tool_off,
    time_is_kept,
    only_harness_errors_and_cancellation_are_raised,
    events_come_in_order,
)
RULES_OF_BEGINNINGS = tuple(
    rule
    for rule in RULES
    if rule
    not in (there_is_one_end_and_it_fits, every_client_is_left_once, only_harness_errors_and_cancellation_are_raised)
)
"""Those that hold at any moment, not just when a session is over."""


def broken_rules(played: Played) -> list[str]:
    """Everything that is wrong with a history, with the rule's name."""
    return [f"{rule.__name__}: {text}" for rule in RULES for text in rule(played)]


def comparable(played: Played) -> list[Any]:
    """A history as text, with how it ended: equal runs have equal ones."""
    return [*[str(tuple(entry)) for entry in played.history], str(played.output), repr(played.error)]
