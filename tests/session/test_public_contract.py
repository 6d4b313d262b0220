"""The public names of session:1 as `pytest_mala` gives them: fields, defaults, parameters and values, in their order.

Ours may have more, behind the contract's and with defaults.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

import pytest_mala

CLASSES = {
    # session:1.1
    "LifecycleConfig": "max_gate_retries=3, max_review_retries=3, review_enabled=True",
    "RetryState": "gate_attempt=1, review_attempt=0, log_offset=0, previous_commit_hash=None, baseline_timestamp=0",
    "ContextUsage": "input_tokens=0, output_tokens=0, cache_read_tokens=0",
    "LifecycleContext": "retry_state=RetryState(), session_id=None, final_result='', success=False,"
    " last_gate_result=None, last_review_result=None, resolution=None, low_priority_review_issues=[],"
    " context_usage=ContextUsage()",
    "TransitionResult": "state, effect, message=None",
    "ImplementerLifecycle": "config",
    # session:1.2
    "ContextPressureError": "session_id, input_tokens, output_tokens, cache_read_tokens, pressure_ratio",
    "IdleTimeoutStream": "stream, timeout_seconds, pending_tool_ids",
    "MessageIterationState": "session_id=None, pending_session_id=None, tool_calls_this_turn=0, idle_retry_count=0,"
    " pending_tool_ids=set(), pending_lint_commands={}, first_message_received=False",
    "MessageIterationResult": "success, session_id=None, pending_query=None, pending_session_id=None,"
    " idle_retry_count=0",
    "StreamProcessorConfig": "context_limit=200_000, context_restart_threshold=0.90",
    "StreamProcessorCallbacks": "on_tool_use=None, on_agent_text=None",
    "MessageStreamProcessor": "config=None, callbacks=None",
    # session:1.3
    "ContextPressureConfig": "checkpoint_request_prompt, continuation_template, checkpoint_timeout_seconds=30",
    "CheckpointResult": "checkpoint, timed_out=False",
    "ContextPressureHandler": "config, sdk_client_factory",
    # session:1.4
    "PromptProvider": "implementer_prompt, review_followup_prompt, gate_followup_prompt, fixer_prompt,"
    " idle_resume_prompt, checkpoint_request_prompt, continuation_prompt",
    # session:1.5
    "SessionConfig": "agent_id, options, lint_cache, log_file_wait_timeout, log_file_poll_interval,"
    " idle_timeout_seconds",
    "SessionExecutionState": "lifecycle, lifecycle_ctx, session_id=None, log_path=None, final_result='',"
    " cerberus_review_log_path=None, msg_state=MessageIterationState()",
    "SessionPrompts": "gate_followup, review_followup, idle_resume, checkpoint_request='', continuation=''",
    "AgentSessionConfig": "repo_path, timeout_seconds, prompts, max_gate_retries=3, max_review_retries=3,"
    " review_enabled=True, log_file_wait_timeout=60.0, idle_timeout_seconds=None, max_idle_retries=2,"
    " idle_retry_backoff=(0.0, 5.0, 15.0), lint_tools=None, prompt_validation_commands=None,"
    " context_restart_threshold=0.90, context_limit=200_000, deadlock_monitor=None, max_context_restarts=5,"
    " max_crash_retries=5, crash_retry_backoff=(1, 2, 4, 8)",
    "AgentSessionInput": "issue_id, prompt, baseline_commit=None, issue_description=None, agent_id=None",
    "AgentSessionOutput": "success, summary, session_id=None, log_path=None, gate_attempts=1, review_attempts=0,"
    " resolution=None, duration_seconds=0.0, agent_id='', review_log_path=None, low_priority_review_issues=None,"
    " reason=None, usage=SessionUsage(), last_review_issues=None",
    "SessionCallbacks": "on_gate_check=None, on_review_check=None, on_review_no_progress=None, get_log_path=None,"
    " get_log_offset=None, on_abort=None, on_tool_use=None, on_agent_text=None",
    "ReviewEffectResult": "pending_query, should_break, cerberus_log_path, transition_result",
    "AgentSessionRunner": "config, sdk_client_factory, callbacks=SessionCallbacks(), event_sink=None",
    # session:1.6
    "IssueResolution": "outcome, rationale",
    "RetryConfig": "max_retries=2, initial_delay_ms=1000, backoff_multiplier=2.0, max_delay_ms=30000,"
    " timeout_ms=120000",
    "ValidationArtifacts": "log_dir, worktree_path=None, worktree_state=None, coverage_report=None,"
    " e2e_fixture_path=None",
    # session:1.8
    "LockEvent": "event_type, agent_id, lock_path, timestamp",
    "DeadlockInfo": "cycle, victim_id, victim_issue_id, blocked_on, blocker_id, blocker_issue_id",
    "AgentInfo": "agent_id, issue_id, start_time",
    "WaitForGraph": "",
    "DeadlockMonitor": "",
    # session:1.9
    "AgentRuntime": "options, file_read_cache, lint_cache, env, pre_tool_hooks=[], post_tool_hooks=[], stop_hooks=[]",
    "AgentRuntimeBuilder": "repo_path, agent_id, sdk_client_factory",
    # session:1.10, session:1.11
    "NullSpan": "",
    "NullTelemetryProvider": "",
    "GateResult": "passed, failure_reasons=[], commit_hash=None, validation_evidence=None, no_progress=False,"
    " resolution=None",
    "ReviewIssue": "file, line_start, line_end, priority, title, body, reviewer",
    "ReviewResult": "passed, issues=[], parse_error=None, fatal_error=False, review_log_path=None",
    "PromptValidationCommands": "lint, format, typecheck, test",
    "LintCache": "repo_path=None, lint_tools=None",
}
CALLS = {
    "ContextUsage.disable_tracking": "self",
    "ContextUsage.pressure_ratio": "self, limit",
    "ImplementerLifecycle.start": "self",
    "ImplementerLifecycle.on_messages_complete": "self, ctx, has_session_id",
    "ImplementerLifecycle.on_log_ready": "self, ctx",
    "ImplementerLifecycle.on_log_timeout": "self, ctx, log_path",
    "ImplementerLifecycle.on_gate_result": "self, ctx, gate_result, new_log_offset",
    "ImplementerLifecycle.on_review_result": "self, ctx, review_result, new_log_offset, no_progress=False",
    "ImplementerLifecycle.on_timeout": "self, ctx, timeout_minutes",
    "ImplementerLifecycle.on_error": "self, ctx, error",
    "MessageStreamProcessor.process_stream": "self, stream, issue_id, state, lifecycle_ctx, lint_cache, query_start,"
    " tracer",
    "ContextPressureHandler.fetch_checkpoint": "self, session_id, issue_id, options, timeout_seconds=None",
    "ContextPressureHandler.build_continuation_prompt": "self, checkpoint",
    "ContextPressureHandler.handle_pressure_error": "self, error, issue_id, options, continuation_count,"
    " remaining_time",
    "load_prompts": "prompt_dir",
    "load_prompt": "name, prompt_dir=None",
    "format_implementer_prompt": "implementer_prompt, issue_id, repo_path, agent_id, validation_commands, lock_dir,"
    " scripts_dir",
    "get_default_validation_commands": "",
    "extract_checkpoint": "text",
    "build_continuation_prompt": "continuation_template, checkpoint_text",
    "build_prompt_validation_commands": "repo_path",
    "PromptValidationCommands.from_validation_config": "config",
    "format_review_issues": "issues, base_path=None",
    "AgentSessionRunner.run_session": "self, input, tracer=None",
    "WaitForGraph.add_hold": "self, agent_id, lock_path",
    "WaitForGraph.add_wait": "self, agent_id, lock_path",
    "WaitForGraph.remove_hold": "self, agent_id, lock_path",
    "WaitForGraph.remove_agent": "self, agent_id",
    "WaitForGraph.get_holder": "self, lock_path",
    "WaitForGraph.get_waited_lock": "self, agent_id",
    "WaitForGraph.detect_cycle": "self",
    "DeadlockMonitor.register_agent": "self, agent_id, issue_id, start_time",
    "DeadlockMonitor.unregister_agent": "self, agent_id",
    "DeadlockMonitor.handle_event": "self, event",
    "AgentRuntimeBuilder.with_hooks": "self, *, deadlock_monitor=None, include_stop_hook=True,"
    " include_mala_disallowed_tools_hook=True",
    "AgentRuntimeBuilder.with_env": "self, extra=None",
    "AgentRuntimeBuilder.with_mcp": "self, servers=None",
    "AgentRuntimeBuilder.with_disallowed_tools": "self, tools=None",
    "AgentRuntimeBuilder.with_lint_tools": "self, lint_tools=None",
    "AgentRuntimeBuilder.build": "self",
    "NullTelemetryProvider.create_span": "self, name, metadata=None",
    "LintCache.detect_lint_command": "self, command",
    "LintCache.mark_success": "self, lint_type, command=''",
    "LintCache.check_and_update": "self, lint_type, command=''",
    "LintCache.invalidate": "self, lint_type=None",
}
VALUES = {
    "LifecycleState": "INITIAL PROCESSING AWAITING_LOG RUNNING_GATE RUNNING_REVIEW SUCCESS FAILED",
    "Effect": "CONTINUE WAIT_FOR_LOG RUN_GATE RUN_REVIEW SEND_GATE_RETRY SEND_REVIEW_RETRY COMPLETE_SUCCESS"
    " COMPLETE_FAILURE",
    "ResolutionOutcome": "success no_change obsolete already_complete",
    "LockEventType": "acquired waiting released",
}
OTHERS = [
    "GateOutcome", "ReviewOutcome", "LintCacheProtocol", "IdleTimeoutError", "ToolUseCallback", "AgentTextCallback",
    "GateCheckCallback", "ReviewCheckCallback", "ReviewNoProgressCallback", "LogOffsetCallback", "SDKClientProtocol",
    "SDKClientFactoryProtocol", "ReviewIssueProtocol", "GateResultProtocol", "ReviewResultProtocol",
    "DeadlockInfoProtocol", "MalaEventSink", "BaseEventSink", "NullEventSink", "DeadlockCallback", "TelemetrySpan",
    "TelemetryProvider",
]  # fmt: skip
FROZEN = {"PromptProvider", "IssueResolution", "PromptValidationCommands"}


def parameters(text: str) -> list[inspect.Parameter]:
    names = {name: getattr(pytest_mala, name) for name in pytest_mala.__all__}
    return list(inspect.signature(eval(f"lambda {text}: None", names)).parameters.values())


def of(path: str) -> Any:
    first, _, rest = path.partition(".")
    found = getattr(pytest_mala, first)
    return getattr(found, rest) if rest else found


@pytest.mark.parametrize(("path", "contract"), [*CLASSES.items(), *CALLS.items()])
def test_parameters_have_the_contract_s_names_order_and_defaults(path: str, contract: str) -> None:
    ours, wanted = list(inspect.signature(of(path)).parameters.values()), parameters(contract)
    assert [(one.name, one.kind) for one in ours[: len(wanted)]] == [(one.name, one.kind) for one in wanted]
    for mine, one in zip(ours, wanted, strict=False):
        if one.default is not one.empty and str(mine.default) != "<factory>":
            assert mine.default == one.default
    assert [one.name for one in ours[len(wanted) :] if one.default is one.empty] == []


@pytest.mark.parametrize("name", [name for name in CLASSES if dataclasses.is_dataclass(getattr(pytest_mala, name))])
def test_fields_have_the_contract_s_defaults_and_are_made_anew(name: str, tmp_path: Any) -> None:
    made, wanted = getattr(pytest_mala, name), parameters(CLASSES[name])
    prompts = pytest_mala.SessionPrompts("gate", "review", "idle")
    real = {"prompts": prompts, "config": pytest_mala.AgentSessionConfig(tmp_path, 60, prompts)}
    given = {one.name: real.get(one.name, tmp_path) for one in wanted if one.default is one.empty}
    one, other = made(**given), made(**given)
    for parameter in wanted:
        value = getattr(one, parameter.name)
        assert value == (given[parameter.name] if parameter.default is parameter.empty else parameter.default)
        if isinstance(value, list | set | dict) and parameter.name not in given:
            assert value is not getattr(other, parameter.name)
    assert made.__dataclass_params__.frozen or name not in FROZEN


@pytest.mark.parametrize(("name", "contract"), VALUES.items())
def test_enums_have_the_contract_s_members_in_order(name: str, contract: str) -> None:
    members = list(getattr(pytest_mala, name))[: len(contract.split())]
    assert [member.name for member in members] == contract.upper().split()
    numbers = list(range(1, len(members) + 1))
    assert [member.value for member in members] in (numbers, contract.split())


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_names_are_there(name: str) -> None:
    assert getattr(pytest_mala, name) is not None


def test_constants_have_the_contract_s_values() -> None:
    assert pytest_mala.TRACKING_DISABLED == -1
    assert pytest_mala.DISCONNECT_TIMEOUT == 10.0
    assert pytest_mala.DEFAULT_CHECKPOINT_TIMEOUT_SECONDS == 30
    assert not issubclass(pytest_mala.IdleTimeoutError, TimeoutError)


def test_every_name_of_the_session_core_that_is_public_in_its_room_comes_from_there() -> None:
    from pytest_mala import session

    both = set(session.__all__) & set(pytest_mala.__all__)
    assert [name for name in sorted(both) if getattr(session, name) is not getattr(pytest_mala, name)] == []
