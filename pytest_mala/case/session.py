"""The session of a case: the runner with its clients, gate and listeners, and the result that comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_mala.agent.client import SDKClients
from pytest_mala.case.freshness import first_prompt
from pytest_mala.case.gatekeeper import Gatekeeper
from pytest_mala.case.settings import CaseResult, CheckRow
from pytest_mala.case.watch import Sinks, StateWatch, Watch
from pytest_mala.session.log import log_path
from pytest_mala.session.prompts import commands_of_checks
from pytest_mala.session.runner import (
    AgentSessionConfig,
    AgentSessionInput,
    AgentSessionRunner,
    SessionCallbacks,
    SessionPrompts,
)
from pytest_mala.session.transcript import Transcript
from pytest_mala.transport.quiet import quiet_reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_mala.agent.client import Tape
    from pytest_mala.case.lane import LaneRun
    from pytest_mala.case.stage import Stage
    from pytest_mala.gate import CheckResult
    from pytest_mala.issue import EndReason, Issue
    from pytest_mala.session.models import GateResult
    from pytest_mala.session.prompts import PromptProvider
    from pytest_mala.session.runner import AgentSessionOutput
    from pytest_mala.workspace import Workspace

__all__ = ["Session"]


class _Clients(SDKClients):
    """Clients that may use neither the tools that no session may use nor those that the issue takes away."""

    def __init__(
        self, tape: Tape, *, forbidden: Sequence[str], settings: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> None:
        super().__init__(tape, settings=settings, overrides=overrides)
        self._forbidden = forbidden

    def create_options(self, *, disallowed_tools: list[str] | None = None, **asked: Any) -> object:
        """The SDK's options; the issue adds to the runner's own list and does not replace it."""
        forbidden = list(dict.fromkeys([*(disallowed_tools or []), *self._forbidden]))
        return super().create_options(disallowed_tools=forbidden, **asked)


class Session:
    """One session of an issue on a lane; `run` is called once, in a running loop."""

    def __init__(
        self,
        issue: Issue,
        lane: LaneRun,
        stage: Stage,
        workspace: Workspace,
        *,
        prompts: PromptProvider,
        agent_options: Mapping[str, Any],
        events: Sequence[object],
    ) -> None:
        self._issue = issue
        self._lane = lane
        self._stage = stage
        self._workspace = workspace
        self._prompts = prompts
        self._agent_options = agent_options
        self._events = events
        names = {value: "${" + name + "}" for name, value in stage.names().values.items()}
        self._watch = Watch(Transcript(issue.id, issue.title, names), lane.clock, lane.log_writer())
        self._gate = Gatekeeper(issue, stage, workspace, lane, self._watch, lane.clock)
        self._runner: AgentSessionRunner | None = None

    async def run(self) -> CaseResult:
        """The session from its first prompt to its result. Raises HarnessError if it can't be judged."""
        with self._lane.clock as clock, quiet_reader():
            clock.describe = self._describe
            with self._lane.open(self._watch) as tape:
                output = await self._run(tape)
                notes = self._lane.finish(_reason(output), _why(output))
            elapsed = clock.elapsed
        return self._result(output, notes, elapsed)

    async def _run(self, tape: Tape) -> AgentSessionOutput:
        self._runner = AgentSessionRunner(
            config=self._config(),
            sdk_client_factory=self._clients(tape),
            callbacks=SessionCallbacks(on_gate_check=self._gate.check, get_log_path=self._log_path),
            event_sink=self._sinks(),
            clock=self._lane.clock,
        )
        prompt = first_prompt(self._issue, self._prompts, self._stage.workspace)
        return await self._runner.run_session(
            AgentSessionInput(
                issue_id=self._issue.id,
                prompt=prompt,
                baseline_commit=self._workspace.base.commit,
                issue_description=self._issue.body,
                agent_id=self._issue.id,
            )
        )

    def _clients(self, tape: Tape) -> SDKClients:
        return _Clients(
            tape,
            forbidden=self._issue.agent.disallowed_tools,
            settings=self._settings(),
            overrides=self._agent_options,
        )

    def _config(self) -> AgentSessionConfig:
        limits = self._issue.limits
        return AgentSessionConfig(
            repo_path=self._stage.workspace,
            timeout_seconds=limits.timeout,
            prompts=SessionPrompts(
                gate_followup=self._prompts.gate_followup_prompt,
                review_followup=self._prompts.review_followup_prompt,
                idle_resume=self._prompts.idle_resume_prompt,
                checkpoint_request=self._prompts.checkpoint_request_prompt,
                continuation=self._prompts.continuation_prompt,
            ),
            max_gate_retries=limits.gate_retries,
            max_review_retries=limits.review_retries,
            review_enabled=False,
            idle_timeout_seconds=limits.idle if limits.idle is not None else 0.0,
            max_idle_retries=limits.idle_retries,
            max_context_restarts=limits.restarts,
            prompt_validation_commands=commands_of_checks(self._issue.gate.checks),
        )

    def _settings(self) -> dict[str, Any]:
        """Options of the SDK that the issue and the lane ask for."""
        agent, limits = self._issue.agent, self._issue.limits
        asked: dict[str, Any] = {
            "model": agent.model,
            "permission_mode": agent.permission_mode,
            "allowed_tools": list(agent.allowed_tools),
            "max_turns": limits.turns,
            "max_budget_usd": limits.budget_usd,
        }
        if agent.system_prompt is not None:
            asked["system_prompt"] = agent.system_prompt
        return asked | self._lane.agent_settings()

    def _log_path(self, session_id: str) -> Path:
        return log_path(self._stage.config, self._stage.workspace, session_id)

    def _sinks(self) -> Sinks:
        return Sinks(StateWatch(self._entered), *self._events)

    def _entered(self, state: str, effect: str) -> None:
        self._watch.transcript.state(state, effect, self._lane.clock.elapsed)
        self._lane.state(f"{state} {effect}")

    def _describe(self) -> str:
        runner = self._runner.describe() if self._runner is not None else "the session has not begun"
        return f"{runner}; {self._lane.describe()}"

    def _result(self, output: AgentSessionOutput, notes: tuple[str, ...], elapsed: float) -> CaseResult:
        reason, why = _reason(output), _why(output)
        self._watch.transcript.outcome(reason.value, why, elapsed)
        attempts = tuple(_check_rows(judged) for judged in self._gate.judged)
        said = self._watch.conversation
        return CaseResult(
            outcome=reason,
            why=why,
            expected=self._issue.expect,
            checks=attempts[-1] if attempts else (),
            attempts=attempts,
            prompts=said.prompts,
            tools=said.tools,
            usage=output.usage,
            turns=len(said.prompts),
            gate_attempts=output.gate_attempts,
            cost_usd=output.usage.cost_usd,
            virtual_seconds=elapsed,
            transcript=self._watch.transcript.render(),
            notes=(*notes, *self._gate.notes, *self._watch.notes),
            stale=self._lane.stale,
            take=self._lane.take,
            parting=self._lane.parting,
            kept=self._lane.kept,
        )


def _check_rows(judged: GateResult) -> tuple[CheckRow, ...]:
    return tuple(_shown(result) for result in judged.validation_evidence)


def _shown(result: CheckResult) -> CheckRow:
    row = result.row
    return CheckRow(name=row.name, verdict=row.verdict, reason=row.reason, output=row.output, seconds=result.seconds)


def _reason(output: AgentSessionOutput) -> EndReason:
    assert output.reason is not None, "the runner always says how the session ended"
    return output.reason


def _why(output: AgentSessionOutput) -> str:
    """Below the first line stands the output of checks, which is told where it belongs."""
    return output.summary.partition("\n")[0]
