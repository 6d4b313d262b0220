"""Worlds of generated sessions: factory, gate, reviewer, log and sink of a script, around the real runner."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from session_agents import LIMIT, AbleAgent, Agent, Cue, Entry, Played, Script, Talk
from session_peers import PROMPTS, RecordingSink, failing, finding, on_virtual_time, passing, reviewed

from pytest_mala.errors import Divergence
from pytest_mala.session.config import AgentSessionConfig, AgentSessionInput, SessionCallbacks, SessionPrompts
from pytest_mala.session.models import GateResult, IssueResolution, ResolutionOutcome, ReviewResult
from pytest_mala.session.runner import AgentSessionRunner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Factory:
    """Makes the agents of all worlds on one runner; the environment of the options says whose they are."""

    def __init__(self, worlds: Iterable[World]) -> None:
        self._worlds = {world.issue: world for world in worlds}
        self._purpose = ""

    def announce(self, purpose: str) -> None:
        self._purpose = purpose

    def create_options(self, **options: Any) -> object:
        self._worlds[options["env"]["AGENT_ID"]].fail_at("options")
        return {"agent": options["env"]["AGENT_ID"]}

    def create_hook_matcher(self, matcher: object | None, hooks: list[object]) -> object:
        return (matcher, hooks)

    def create(self, options: Any) -> Agent:
        return self._worlds[options["agent"]].agent(self._purpose, options.get("resume"))


class ResumingFactory(Factory):
    """With the SDK's `resume` option."""

    def with_resume(self, options: Any, session_id: str) -> object:
        self._worlds[options["agent"]].fail_at("resume")
        return {**options, "resume": session_id}


class Told(list[tuple[Any, ...]]):
    """Hands each event to the world that it is about, at once."""

    def __init__(self, worlds: Iterable[World]) -> None:
        super().__init__()
        self._worlds = {world.issue: world for world in worlds}

    def append(self, event: tuple[Any, ...]) -> None:
        name, *arguments = event
        issue = arguments[0] if arguments[0] in self._worlds else arguments[-1].split("'")[1]
        self._worlds[issue].hear(name, arguments)


GATES: dict[str, dict[str, Any]] = {
    "bare": {"commit": None},
    "no-change": {"resolution": IssueResolution(ResolutionOutcome.NO_CHANGE, "why")},
    "obsolete": {"resolution": IssueResolution(ResolutionOutcome.OBSOLETE, "why")},
    "complete": {"resolution": IssueResolution(ResolutionOutcome.ALREADY_COMPLETE, "why")},
    "resolved": {"resolution": IssueResolution(ResolutionOutcome.SUCCESS, "why")},
}


@dataclass
class World:
    """One session's peers; `note` writes the history and cancels where the script says so."""

    folder: Path
    script: Script
    issue: str = "i1"
    history: list[Entry] = field(default_factory=list)
    uuids: dict[str, list[str]] = field(default_factory=dict)
    runner: AgentSessionRunner | None = None
    task: asyncio.Task[Any] | None = None
    began: float = 0.0

    def __post_init__(self) -> None:
        script = self.script
        self._clients = 0
        self._gates, self._reviews, self._logs = Cue(script.gates), Cue(script.reviews), Cue(script.logs)
        self._progress = Cue(script.progress)
        for path in self.folder.glob(f"{self.issue}-*"):
            path.unlink()

    def note(self, what: str, client: int = -1, **facts: Any) -> None:
        at = round(asyncio.get_running_loop().time() - self.began, 6)
        self.history.append(Entry(at, what, client, facts))
        if len(self.history) - 1 in self.script.cancels:
            self.cancel()

    def cancel(self) -> None:
        if self.task is not None and not self.task.done():
            self.history.append(Entry(round(asyncio.get_running_loop().time() - self.began, 6), "cancel", -1, {}))
            self.task.cancel()

    def fail_at(self, peer: str) -> None:
        if self.script.breaks == peer:
            self.note("broke", word=peer)
            raise LookupError(f"{peer} is broken")

    def agent(self, purpose: str, resume: str | None) -> Agent:
        number, self._clients = self._clients, self._clients + 1
        messages = self._messages()
        pending = sorted(messages.pending_tool_ids) + sorted(messages.pending_lint_commands)
        self.note("create", number, purpose=purpose, resume=resume, pending=pending)
        talks = self.script.talks
        talk = talks[number] if number < len(talks) else Talk()
        if talk.connect == "absent":
            raise RuntimeError("no client can be made")
        return self._make(number, talk, resume)

    def _make(self, number: int, talk: Talk, resume: str | None) -> Agent:
        return (Agent if talk.bare else AbleAgent)(self, number, talk, resume)

    def _messages(self) -> Any:
        assert self.runner is not None
        return next(run._state.msg_state for run in self.runner._runs if run._input.issue_id == self.issue)

    def hear(self, name: str, arguments: list[Any]) -> None:
        self.note("told", event=name, arguments=arguments)
        if name == self.script.sink.rstrip("!"):
            raise Divergence(f"at {name}") if self.script.sink.endswith("!") else RuntimeError(f"deaf at {name}")

    def log_path(self, session_id: str) -> Path:
        how = self._logs.next("here")
        self.note("log", session=session_id, how=how)
        path = self.folder / f"{session_id}.jsonl"
        if how == "fails":
            raise OSError("the disk is gone")
        if how == "here":
            self._write_log(path, session_id)
        elif how == "later":
            asyncio.get_running_loop().call_later(1.2, self._write_log, path, session_id)
        elif how == "old":
            path.touch()
        return path

    def _write_log(self, path: Path, session_id: str) -> None:
        lines = [json.dumps({"type": "user", "uuid": uuid}) + "\n" for uuid in self.uuids.get(session_id, [])]
        path.write_text("".join(lines))

    async def gate(self, path: Path, retry: Any) -> tuple[GateResult, int]:
        word = self._gates.next("pass")
        number = sum(entry.what == "gate" for entry in self.history)
        self.note("gate", attempt=retry.gate_attempt, word=word, reason=f"reason-{number}.")
        offset = path.stat().st_size
        if word in ("raises", "times-out", "diverges"):
            raise {"raises": ValueError("no git"), "times-out": TimeoutError("git")}.get(word, Divergence("tree"))
        if word in ("slow", "stubborn", "stubborn-fail"):
            try:
                await asyncio.sleep(25)
            except asyncio.CancelledError:
                if word == "slow":
                    raise
                await asyncio.sleep(1)
        result = self._gate_result(word, f"reason-{number}.")
        self.note(
            "judged", passed=result.passed, commit=result.commit_hash, stuck=result.no_progress, how=result.resolution
        )
        return result, offset

    def _gate_result(self, word: str, reason: str) -> GateResult:
        if word in ("fail", "stuck", "stubborn-fail"):
            return failing(reason, commit="c1", no_progress=word == "stuck")
        return passing(**GATES.get(word, {}))

    async def review(self, retry: Any) -> ReviewResult:
        word = self._reviews.next("yes")
        number = sum(entry.what == "review" for entry in self.history)
        self.note("review", attempt=retry.review_attempt, word=word, reason=f"finding-{number}.")
        if word in ("raises", "times-out", "diverges"):
            raise {"raises": ValueError("no key"), "times-out": TimeoutError("API")}.get(word, Divergence("review"))
        if word == "slow":
            await asyncio.sleep(25)
        result = self._review_result(word, f"finding-{number}.")
        self.note(
            "reviewed",
            passed=result.passed,
            priorities=[issue.priority for issue in result.issues],
            unreadable=result.parse_error is not None,
            fatal=result.fatal_error,
        )
        return result

    def _review_result(self, word: str, title: str) -> ReviewResult:
        """Words may be joined: "yes+p0+garbled" is a yes with a P0 finding and a parse error."""
        words = word.split("+")
        priorities = {"p0": 0, "p1": 1, "p2": 2, "p3": 3, "px": None}
        return reviewed(
            *(finding(priorities[name], title) for name in words if name in priorities),
            passed="yes" in words,
            parse_error="bad json" if "garbled" in words else "" if "empty" in words else None,
            fatal_error="fatal" in words,
        )

    def has_no_progress(self, before: str | None, now: str | None) -> bool:
        self.fail_at("progress")
        answer = self._progress.next("moved") == "same"
        self.note("progress", none=answer, before=before, now=now)
        return answer

    def offset(self, path: Path) -> int:
        self.fail_at("offset")
        return path.stat().st_size

    def given(self) -> AgentSessionInput:
        return AgentSessionInput(self.issue, f"do {self.issue}", agent_id=self.issue)


def runner_of(worlds: list[World]) -> AgentSessionRunner:
    """One runner for all of them; its settings are those of the first script."""
    script, by_issue = worlds[0].script, {world.issue: world for world in worlds}

    def by_id(session_id: str) -> World:
        return by_issue[session_id.split("-")[0]]

    callbacks = SessionCallbacks(
        on_gate_check=lambda issue, path, retry: by_issue[issue].gate(path, retry),
        on_review_check=lambda issue, _what, _base, _session, retry: by_issue[issue].review(retry),
        on_review_no_progress=lambda path, _offset, before, now: by_id(path.name).has_no_progress(before, now),
        get_log_path=lambda session: by_id(session).log_path(session),
        get_log_offset=lambda path, start: by_id(path.name).offset(path),
        on_abort=lambda text: None,
        on_tool_use=lambda issue, name, arguments: by_issue[issue].fail_at("tool"),
        on_agent_text=lambda issue, text: by_issue[issue].fail_at("text"),
    )
    config = AgentSessionConfig(
        repo_path=worlds[0].folder,
        timeout_seconds=script.timeout,
        prompts=PROMPTS,
        max_gate_retries=script.gate_limit,
        max_review_retries=script.review_limit,
        review_enabled=script.review,
        log_file_wait_timeout=script.log_wait,
        idle_timeout_seconds=script.idle,
        max_idle_retries=script.idle_retries,
        idle_retry_backoff=(0.0, 5.0),
        max_crash_retries=script.crash_retries,
        crash_retry_backoff=(1.0, 2.0),
        max_context_restarts=script.restarts,
        context_limit=LIMIT,
    )
    if not script.checkpoints:
        config.prompts = SessionPrompts(PROMPTS.gate_followup, PROMPTS.review_followup, PROMPTS.idle_resume)
    sink = RecordingSink()
    sink.told = Told(worlds)
    factory = (ResumingFactory if script.resumes else Factory)(worlds)
    return AgentSessionRunner(config, factory, callbacks, sink)


def play(folder: Path, script: Script, issue: str = "i1") -> Played:
    """Runs a script alone, to the end, on virtual time."""
    return play_all(folder, {issue: script})[0]


def play_all(folder: Path, scripts: dict[str, Script]) -> list[Played]:
    """Runs the scripts of several issues at once, on one runner with the settings of the first."""
    worlds = [World(folder, script, issue) for issue, script in scripts.items()]
    return on_virtual_time(lambda: _all(worlds))


async def _all(worlds: list[World]) -> list[Played]:
    await asyncio.sleep(7)  # a loop's time means nothing by itself
    loop = asyncio.get_running_loop()
    runner = runner_of(worlds)
    for world in worlds:
        world.runner, world.began = runner, loop.time()
        world.task = asyncio.create_task(runner.run_session(world.given()))
        if world.script.cancel_after is not None:
            loop.call_later(world.script.cancel_after, world.cancel)
    await asyncio.wait([world.task for world in worlds if world.task is not None])
    return [played_by(world) for world in worlds]


def played_by(world: World) -> Played:
    task = world.task
    assert task is not None
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    output = None if error is not None else task.result()
    return Played(world.script, world.issue, world.history, output, error)
