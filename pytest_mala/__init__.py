"""Run coding agents on issues as pytest tests; record their sessions and replay them deterministically.

The public names are loaded when they are first used: importing the package costs nothing and does nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "pytest_mala.agent.client": ("SDKClientFactory",),
    "pytest_mala.agent.deadlock": (
        "AgentInfo",
        "DeadlockCallback",
        "DeadlockInfo",
        "DeadlockMonitor",
        "LockEvent",
        "LockEventType",
        "WaitForGraph",
    ),
    "pytest_mala.agent.lint": ("LintCache",),
    "pytest_mala.agent.runtime": ("AgentRuntime", "AgentRuntimeBuilder"),
    "pytest_mala.case.case": ("Case",),
    "pytest_mala.case.settings": ("CaseResult", "CaseSettings", "CheckRow", "Lane", "RecordMode", "StaleMode"),
    "pytest_mala.clock": ("Clock", "RealClock", "Stalled", "VirtualClock"),
    "pytest_mala.errors": (
        "CassetteError",
        "CassetteMissingError",
        "Divergence",
        "FlakyReplayError",
        "GateChangedError",
        "HarnessError",
        "IssueError",
        "MalaError",
        "StalePrompt",
        "UsageError",
        "WorkspaceError",
    ),
    "pytest_mala.issue": ("EndReason", "Issue", "load_issues"),
    "pytest_mala.session.context": (
        "TRACKING_DISABLED",
        "ContextUsage",
        "Effect",
        "GateOutcome",
        "LifecycleConfig",
        "LifecycleContext",
        "LifecycleState",
        "RetryState",
        "ReviewOutcome",
        "TransitionResult",
    ),
    "pytest_mala.session.events": ("BaseEventSink", "NullEventSink"),
    "pytest_mala.session.idle": ("IdleTimeoutStream",),
    "pytest_mala.session.lifecycle": ("IllegalTransition", "ImplementerLifecycle"),
    "pytest_mala.session.messages": ("Usage",),
    "pytest_mala.session.models": (
        "GateResult",
        "IssueResolution",
        "ResolutionOutcome",
        "RetryConfig",
        "ReviewIssue",
        "ReviewResult",
        "ValidationArtifacts",
    ),
    "pytest_mala.session.pressure": (
        "DEFAULT_CHECKPOINT_TIMEOUT_SECONDS",
        "CheckpointResult",
        "ContextPressureConfig",
        "ContextPressureHandler",
    ),
    "pytest_mala.session.prompts": (
        "PromptError",
        "PromptProvider",
        "PromptValidationCommands",
        "build_continuation_prompt",
        "build_prompt_validation_commands",
        "extract_checkpoint",
        "format_implementer_prompt",
        "format_review_issues",
        "get_default_validation_commands",
        "load_prompt",
        "load_prompts",
    ),
    "pytest_mala.session.protocols": (
        "DeadlockInfoProtocol",
        "GateResultProtocol",
        "MalaEventSink",
        "ReviewIssueProtocol",
        "ReviewResultProtocol",
        "SDKClientFactoryProtocol",
        "SDKClientProtocol",
    ),
    "pytest_mala.session.runner": (
        "DISCONNECT_TIMEOUT",
        "AgentSessionConfig",
        "AgentSessionInput",
        "AgentSessionOutput",
        "AgentSessionRunner",
        "GateCheckCallback",
        "LogOffsetCallback",
        "ReviewCheckCallback",
        "ReviewEffectResult",
        "ReviewNoProgressCallback",
        "SessionCallbacks",
        "SessionConfig",
        "SessionConfigError",
        "SessionExecutionState",
        "SessionPrompts",
        "SessionUsage",
    ),
    "pytest_mala.session.sinks": ("EverySink", "LoggingSink", "RecordingSink", "SinkEvent"),
    "pytest_mala.session.stream": (
        "AgentTextCallback",
        "ContextPressureError",
        "IdleTimeoutError",
        "LintCacheProtocol",
        "MessageIterationResult",
        "MessageIterationState",
        "MessageStreamProcessor",
        "StreamProcessorCallbacks",
        "StreamProcessorConfig",
        "ToolUseCallback",
    ),
    "pytest_mala.session.telemetry": ("NullSpan", "NullTelemetryProvider", "TelemetryProvider", "TelemetrySpan"),
    "pytest_mala.transport.cassette.vcrpy": ("register_with_vcr",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'pytest_mala' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:  # the same names for type checkers; tests/test_house.py compares the two lists
    from pytest_mala.agent.client import SDKClientFactory as SDKClientFactory
    from pytest_mala.agent.deadlock import (
        AgentInfo as AgentInfo,
        DeadlockCallback as DeadlockCallback,
        DeadlockInfo as DeadlockInfo,
        DeadlockMonitor as DeadlockMonitor,
        LockEvent as LockEvent,
        LockEventType as LockEventType,
        WaitForGraph as WaitForGraph,
    )
    from pytest_mala.agent.lint import LintCache as LintCache
    from pytest_mala.agent.runtime import AgentRuntime as AgentRuntime, AgentRuntimeBuilder as AgentRuntimeBuilder
    from pytest_mala.case.case import Case as Case
    from pytest_mala.case.settings import (
        CaseResult as CaseResult,
        CaseSettings as CaseSettings,
        CheckRow as CheckRow,
        Lane as Lane,
        RecordMode as RecordMode,
        StaleMode as StaleMode,
    )
    from pytest_mala.clock import (
        Clock as Clock,
        RealClock as RealClock,
        Stalled as Stalled,
        VirtualClock as VirtualClock,
    )
    from pytest_mala.errors import (
        CassetteError as CassetteError,
        CassetteMissingError as CassetteMissingError,
        Divergence as Divergence,
        FlakyReplayError as FlakyReplayError,
        GateChangedError as GateChangedError,
        HarnessError as HarnessError,
        IssueError as IssueError,
        MalaError as MalaError,
        StalePrompt as StalePrompt,
        UsageError as UsageError,
        WorkspaceError as WorkspaceError,
    )
    from pytest_mala.issue import EndReason as EndReason, Issue as Issue, load_issues as load_issues
    from pytest_mala.session.context import (
        TRACKING_DISABLED as TRACKING_DISABLED,
        ContextUsage as ContextUsage,
        Effect as Effect,
        GateOutcome as GateOutcome,
        LifecycleConfig as LifecycleConfig,
        LifecycleContext as LifecycleContext,
        LifecycleState as LifecycleState,
        RetryState as RetryState,
        ReviewOutcome as ReviewOutcome,
        TransitionResult as TransitionResult,
    )
    from pytest_mala.session.events import BaseEventSink as BaseEventSink, NullEventSink as NullEventSink
    from pytest_mala.session.idle import IdleTimeoutStream as IdleTimeoutStream
    from pytest_mala.session.lifecycle import (
        IllegalTransition as IllegalTransition,
        ImplementerLifecycle as ImplementerLifecycle,
    )
    from pytest_mala.session.messages import Usage as Usage
    from pytest_mala.session.models import (
        GateResult as GateResult,
        IssueResolution as IssueResolution,
        ResolutionOutcome as ResolutionOutcome,
        RetryConfig as RetryConfig,
        ReviewIssue as ReviewIssue,
        ReviewResult as ReviewResult,
        ValidationArtifacts as ValidationArtifacts,
    )
    from pytest_mala.session.pressure import (
        DEFAULT_CHECKPOINT_TIMEOUT_SECONDS as DEFAULT_CHECKPOINT_TIMEOUT_SECONDS,
        CheckpointResult as CheckpointResult,
        ContextPressureConfig as ContextPressureConfig,
        ContextPressureHandler as ContextPressureHandler,
    )
    from pytest_mala.session.prompts import (
        PromptError as PromptError,
        PromptProvider as PromptProvider,
        PromptValidationCommands as PromptValidationCommands,
        build_continuation_prompt as build_continuation_prompt,
        build_prompt_validation_commands as build_prompt_validation_commands,
        extract_checkpoint as extract_checkpoint,
        format_implementer_prompt as format_implementer_prompt,
        format_review_issues as format_review_issues,
        get_default_validation_commands as get_default_validation_commands,
        load_prompt as load_prompt,
        load_prompts as load_prompts,
    )
    from pytest_mala.session.protocols import (
        DeadlockInfoProtocol as DeadlockInfoProtocol,
        GateResultProtocol as GateResultProtocol,
        MalaEventSink as MalaEventSink,
        ReviewIssueProtocol as ReviewIssueProtocol,
        ReviewResultProtocol as ReviewResultProtocol,
        SDKClientFactoryProtocol as SDKClientFactoryProtocol,
        SDKClientProtocol as SDKClientProtocol,
    )
    from pytest_mala.session.runner import (
        DISCONNECT_TIMEOUT as DISCONNECT_TIMEOUT,
        AgentSessionConfig as AgentSessionConfig,
        AgentSessionInput as AgentSessionInput,
        AgentSessionOutput as AgentSessionOutput,
        AgentSessionRunner as AgentSessionRunner,
        GateCheckCallback as GateCheckCallback,
        LogOffsetCallback as LogOffsetCallback,
        ReviewCheckCallback as ReviewCheckCallback,
        ReviewEffectResult as ReviewEffectResult,
        ReviewNoProgressCallback as ReviewNoProgressCallback,
        SessionCallbacks as SessionCallbacks,
        SessionConfig as SessionConfig,
        SessionConfigError as SessionConfigError,
        SessionExecutionState as SessionExecutionState,
        SessionPrompts as SessionPrompts,
        SessionUsage as SessionUsage,
    )
    from pytest_mala.session.sinks import (
        EverySink as EverySink,
        LoggingSink as LoggingSink,
        RecordingSink as RecordingSink,
        SinkEvent as SinkEvent,
    )
    from pytest_mala.session.stream import (
        AgentTextCallback as AgentTextCallback,
        ContextPressureError as ContextPressureError,
        IdleTimeoutError as IdleTimeoutError,
        LintCacheProtocol as LintCacheProtocol,
        MessageIterationResult as MessageIterationResult,
        MessageIterationState as MessageIterationState,
        MessageStreamProcessor as MessageStreamProcessor,
        StreamProcessorCallbacks as StreamProcessorCallbacks,
        StreamProcessorConfig as StreamProcessorConfig,
        ToolUseCallback as ToolUseCallback,
    )
    from pytest_mala.session.telemetry import (
        NullSpan as NullSpan,
        NullTelemetryProvider as NullTelemetryProvider,
        TelemetryProvider as TelemetryProvider,
        TelemetrySpan as TelemetrySpan,
    )
    from pytest_mala.transport.cassette.vcrpy import register_with_vcr as register_with_vcr
