"""Sessions on takes that are written by hand: the real runner, SDK client, player and virtual clock, and real git."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import selectors
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "transport"))

from transport_tapes import SESSION, START, Listener, Tape

from pytest_mala.agent.client import SDKClients
from pytest_mala.case import Case, CaseSettings, Lane, RecordMode
from pytest_mala.case.watch import StateWatch
from pytest_mala.clock import VirtualClock
from pytest_mala.issue import load_issues
from pytest_mala.session.config import AgentSessionConfig, AgentSessionInput, SessionCallbacks, SessionPrompts
from pytest_mala.session.models import GateResult
from pytest_mala.session.prompts import PromptProvider
from pytest_mala.session.runner import AgentSessionRunner
from pytest_mala.transport.cassette import Cassette, Take, write
from pytest_mala.transport.names import Names
from pytest_mala.transport.play import Player
from pytest_mala.transport.takes import interactions, read_take
from pytest_mala.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pytest_mala.session.runner import AgentSessionOutput

ISSUE = "x-1"
PLACE = f"cassettes/{ISSUE}.yaml"
REMEDY = "record it with: RECORD x-1"
HALF_AN_HOUR = 1800.0

OPTIONS = {
    "cwd": '"${WORKSPACE}"',
    "disallowed_tools": '["TodoWrite"]',
    "model": '"sonnet"',
    "permission_mode": '"bypassPermissions"',
    "setting_sources": '["project"]',
    "system_prompt": '{"preset": "claude_code", "type": "preset"}',
}

PROMPTS = PromptProvider(
    implementer_prompt="do it",
    review_followup_prompt="review",
    gate_followup_prompt="gate",
    fixer_prompt="",
    idle_resume_prompt="go on",
    checkpoint_request_prompt="",
    continuation_prompt="",
)

STARTED = "PROCESSING CONTINUE"
FAILED, SUCCEEDED = "FAILED COMPLETE_FAILURE", "SUCCESS COMPLETE_SUCCESS"
JUDGED = ("AWAITING_LOG WAIT_FOR_LOG", "RUNNING_GATE RUN_GATE")

CHECK = {
    "name": "ok",
    "kind": "run",
    "command": "true",
    "verdict": "passed",
    "exit_status": 0,
    "reason": "",
    "output": "",
}


def options_with(**more: str) -> str:
    """The options of a connection as they stand in a take, with these on top (each as JSON)."""
    return "\n".join(f"{name}: {value}" for name, value in sorted({**OPTIONS, **more}.items()))


class SessionTape(Tape):
    """A take of a whole session: connections that carry the real options, trees and gates."""

    def connect(
        self, purpose: str = "work", body: str | None = None, hooks: Mapping[str, Any] | None = None
    ) -> SessionTape:
        super().connect(purpose, options_with() if body is None else body, hooks)
        return self

    def recv(self, frame: Mapping[str, Any], after: float = 0.0) -> SessionTape:
        """Frames of a later connection have ids of their own."""
        own = {"uuid": f"{frame['uuid']}-{self.c}"} if "uuid" in frame and self.c > 1 else {}
        super().recv({**frame, **own}, after)
        return self

    def first_turn(self, body: str | None = None, hooks: Mapping[str, Any] | None = None) -> SessionTape:
        """Connected, asked, and the session has its id."""
        self.connect(body=body, hooks=hooks).prompt("do it").init(after=0.1)
        return self

    def unanswered_connect(self) -> SessionTape:
        """The CLI was started and never spoke."""
        self.c += 1
        self.add("connect", c=self.c, purpose="work", body=options_with())
        request = {"subtype": "initialize", "hooks": None}
        self.send({"type": "control_request", "request_id": f"req_{self.c}", "request": request})
        return self

    def hook(
        self, number: int = 0, tool: str | None = "toolu_1", after: float = 0.0, request_id: str = ""
    ) -> SessionTape:
        super().hook(number, tool, after)
        if request_id:
            self.entries[-1]["m"]["request_id"] = request_id
        return self

    def tool_use(self, tool: str = "toolu_1", name: str = "Bash", after: float = 1.0) -> SessionTape:
        self.assistant([{"type": "tool_use", "id": tool, "name": name, "input": {"command": "ls"}}], after=after)
        return self

    def tool_result(self, tool: str = "toolu_1", after: float = 1.0, text: str = "ok") -> SessionTape:
        content = [{"type": "tool_result", "tool_use_id": tool, "content": text}]
        message = {"role": "user", "content": content}
        self.recv({"type": "user", "message": message, "session_id": SESSION, "uuid": f"r-{tool}"}, after=after)
        return self

    def asked(self, request: Mapping[str, Any], request_id: str = "cli-1", after: float = 0.1) -> SessionTape:
        """The CLI asks something."""
        self.recv({"type": "control_request", "request_id": request_id, "request": request}, after=after)
        return self

    def answered(self, response: Mapping[str, Any], request_id: str = "cli-1", after: float = 0.0) -> SessionTape:
        body = {"subtype": "success", "request_id": request_id, "response": response}
        self.send({"type": "control_response", "response": body}, after=after)
        return self

    def refused(self, error: str, request_id: str = "cli-1") -> SessionTape:
        body = {"subtype": "error", "request_id": request_id, "error": error}
        self.send({"type": "control_response", "response": body})
        return self

    def decided(self, what: str, after: float = 300.0) -> SessionTape:
        self.add("decide", c=self.c, what=what, after=after)
        return self

    def interrupt(self, *, answered: bool = True) -> SessionTape:
        """The session interrupts the agent, which ends its turn with an error result, if it hears it at all."""
        request = {"subtype": "interrupt"}
        self.send({"type": "control_request", "request_id": f"req_i{self.c}", "request": request})
        if answered:
            response = {"subtype": "success", "request_id": f"req_i{self.c}", "response": {}}
            self.recv({"type": "control_response", "response": response}, after=0.1)
            self.result("", after=0.1, subtype="error_during_execution", is_error=True)
        return self

    def over(
        self, turn: int = 1, how: str = "closed", left: Mapping[str, Any] | None = None, **more: Any
    ) -> SessionTape:
        """The connection is left, and the tree of its turn captured; unless it is given, the agent changed nothing."""
        self.end(how, **more)
        self.add("turn", turn=turn, data={**(left or tree()), "turn": turn})
        return self

    def gate(self, attempt: int = 1, ms: int = 5, **row: Any) -> SessionTape:
        """The one check passed, unless something else is given."""
        self.add("gate", attempt=attempt, rows=[{**CHECK, **row}], ms=[ms])
        return self

    def retry(self, prompt: str = "gate") -> SessionTape:
        """The gate has sent the agent back, in the same session."""
        self.connect("gate retry", options_with(resume=f'"{SESSION}"')).prompt(prompt, SESSION)
        return self

    def states(self, *texts: str) -> SessionTape:
        """The lifecycle's steps; where they stand in the take does not matter, only their order."""
        for text in texts:
            self.add("state", text=text)
        return self

    def passed(self) -> SessionTape:
        return self.gate().states(STARTED, *JUDGED, SUCCEEDED)

    def failed(self) -> SessionTape:
        return self.states(STARTED, FAILED)


@dataclass
class Played:
    """What came of a session: its result, or the error instead; and what it cost in real waits and left behind."""

    result: Any = None
    error: BaseException | None = None
    real_waits: list[float | None] = field(default_factory=list)
    tasks_left: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """The text of the error."""
        assert self.error is not None, f"no error, but {self.result}"
        return str(self.error)


class _CountingSelector(selectors.DefaultSelector):
    """Writes down each real wait: a `select` that may take longer than no time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout > 0:
            self.waits.append(timeout)
        return super().select(timeout)


def _played(run: Callable[[], Coroutine[Any, Any, Any]]) -> Played:
    selector = _CountingSelector()
    played = Played()

    async def session() -> None:
        try:
            played.result = await run()
        except Exception as error:
            played.error = error
        played.real_waits = list(selector.waits)
        for _ in range(5):
            await asyncio.sleep(0)  # what was cancelled may end
        played.tasks_left = [
            repr(task.get_coro()) for task in asyncio.all_tasks() if task is not asyncio.current_task()
        ]

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(session())
    return played


@functools.cache
def _recorded() -> tuple[dict[str, Any], dict[str, Any]]:
    """Base and tree of a session that changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        issue = only_issue(Path(folder).resolve())
        root = Path(folder).resolve() / "stage"
        root.mkdir()
        workspace = prepare(issue.workspace, issue_path=issue.path, root=root, recorded=None)
        found = dataclasses.asdict(workspace.base), workspace.capture(1).to_data()
        first, second = json.loads(json.dumps(found))  # as a journal would hold them
        return first, second


def base() -> dict[str, Any]:
    return _recorded()[0]


def tree() -> dict[str, Any]:
    return _recorded()[1]


def only_issue(folder: Path, limits: str = "{idle_retries: 0}", more: str = "", check: str = "'true'") -> Any:
    """An issue on a template of one file, with one check that passes, unless another one is given (as YAML)."""
    template = folder / "template"
    template.mkdir(exist_ok=True)
    (template / "hello.txt").write_text("hello\n", encoding="utf-8")
    path = folder / "x.md"
    gate = f"gate: {{commit: allowed, checks: {{ok: {check}}}}}"
    text = f"---\nid: {ISSUE}\ntitle: a title\nworkspace: template\n{gate}\nlimits: {limits}\n{more}---\nDo it.\n"
    path.write_text(text, encoding="utf-8")
    return load_issues(path)[0]


def play(
    folder: Path,
    tape: Tape,
    *,
    limits: str = "{idle_retries: 0}",
    more: str = "",
    check: str = "'true'",
    options: Mapping[str, Any] | None = None,
    events: object | None = None,
    prompts: PromptProvider = PROMPTS,
    frozen: bool = True,
    with_base: bool = True,
    start: Mapping[str, Any] | None = None,
    look: Callable[[Case], object] = lambda case: None,
) -> Played:
    """A whole case on a cassette that holds this take, from its file to its outcome; `look` is called before the end
    of its folders.
    """
    issue = only_issue(folder, limits, more, check)
    first = {"k": "turn", "t": 0.0, "turn": 0, "data": {"base": start or base()}}
    entries = ([first] if with_base else []) + tape.entries
    made = interactions(entries, issue=ISSUE, take=1, canonical=lambda value, connection: value)
    take = Take(number=1, start=START.isoformat(), interactions=made)
    write(folder / PLACE, Cassette(issue=ISSUE, lane="scripted", sdk="1", cli="1", takes=(take,)))
    settings = CaseSettings(
        lane=Lane.REPLAY,
        record=RecordMode.NONE,
        cassettes=folder / "cassettes",
        prompts=None,
        frozen=frozen,
        rootdir=folder,
        record_command="RECORD {issue}",
    )
    heard = [events] if events is not None else []
    case = Case(issue, settings, prompts=prompts, agent_options=options, events=heard)
    try:
        case.prepare()
    except Exception as error:
        return Played(error=error)
    else:
        played = _played(case.run)
        look(case)
        return played
    finally:
        case.close()


async def _pass(*_: object) -> tuple[GateResult, int]:
    return GateResult(passed=True), 0


def _as_it_is(transport: Any) -> Any:
    return transport


@dataclass
class Session:
    """The runner alone on a take: what a case gives it may be something else here; `log` is the path of its log."""

    folder: Path
    tape: Tape
    gate: Callable[..., Coroutine[Any, Any, tuple[GateResult, int]]] = _pass
    log: Path | None = None
    wrap: Callable[[Any], Any] = _as_it_is
    elapsed: float = 0.0
    turns: list[int] = field(default_factory=list)

    def play(self) -> Played:
        return _played(self._run)

    async def _run(self) -> AgentSessionOutput:
        made = interactions(self.tape.entries, issue=ISSUE, take=1, canonical=lambda value, connection: value)
        player = Player(
            read_take(made),
            Names({"WORKSPACE": str(self.folder)}),
            Listener(),
            switch_tree=lambda commit: None,
            restore_turn=self.turns.append,
            where=PLACE,
            remedy=REMEDY,
        )
        log = self.log
        if log is None:
            log = self.folder / "log.jsonl"
            log.write_text('{"uuid": "u2"}\n', encoding="utf-8")
        tape = _Wrapped(player, self.wrap)
        clock = VirtualClock(START)
        runner = AgentSessionRunner(
            config=AgentSessionConfig(
                repo_path=self.folder,
                timeout_seconds=HALF_AN_HOUR,
                prompts=SessionPrompts(gate_followup="gate", review_followup="review", idle_resume="go on"),
                review_enabled=False,
                max_idle_retries=0,
            ),
            sdk_client_factory=SDKClients(tape, settings={"model": "sonnet"}, overrides={}),
            callbacks=SessionCallbacks(on_gate_check=self.gate, get_log_path=lambda session_id: log),
            event_sink=StateWatch(lambda state, effect: player.state(f"{state} {effect}")),
            clock=clock,
        )
        clock.describe = lambda: f"{runner.describe()}; {player.describe()}"
        with clock:
            try:
                output = await runner.run_session(AgentSessionInput(issue_id=ISSUE, prompt="do it", agent_id=ISSUE))
            finally:
                self.elapsed = clock.elapsed
            player.finish()
        return output


class _Wrapped:
    """A tape whose transports are something more than a player's."""

    def __init__(self, player: Player, wrap: Callable[[Any], Any]) -> None:
        self._player = player
        self._wrap = wrap

    def connection(self, purpose: str, options: Any) -> Any:
        return self._wrap(self._player.connection(purpose, options))

    def decide(self, what: str) -> None:
        self._player.decide(what)

    def turn_ended(self) -> None:
        self._player.turn_ended()
