"""Doing: one issue worked on from its first prompt to its end; names are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "checkpoint": ("build_continuation_prompt", "extract_checkpoint"),
    "commands": (
        "PromptValidationCommands",
        "build_prompt_validation_commands",
        "commands_of_checks",
        "get_default_validation_commands",
    ),
    "config": (
        "DISCONNECT_TIMEOUT",
        "AgentSessionConfig",
        "AgentSessionInput",
        "AgentSessionOutput",
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
    "context": (
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
    "events": ("BaseEventSink", "NullEventSink"),
    "idle": ("IdleTimeoutStream",),
    "lifecycle": ("IllegalTransition", "ImplementerLifecycle"),
    "messages": ("Usage",),
    "models": (
        "GateResult",
        "IssueResolution",
        "ResolutionOutcome",
        "RetryConfig",
        "ReviewIssue",
        "ReviewResult",
        "ValidationArtifacts",
    ),
    "pressure": (
        "DEFAULT_CHECKPOINT_TIMEOUT_SECONDS",
        "CheckpointResult",
        "ContextPressureConfig",
        "ContextPressureHandler",
    ),
    "prompts": (
        "PromptError",
        "PromptProvider",
        "default_prompt_dir",
        "format_checks",
        "format_implementer_prompt",
        "format_review_issues",
        "load_prompt",
        "load_prompts",
    ),
    "protocols": (
        "DeadlockInfoProtocol",
        "GateResultProtocol",
        "MalaEventSink",
        "ReviewIssueProtocol",
        "ReviewResultProtocol",
        "SDKClientFactoryProtocol",
        "SDKClientProtocol",
    ),
    "runner": ("AgentSessionRunner",),
    "sinks": ("EVENT_NAMES", "EverySink", "LoggingSink", "RecordingSink", "SinkEvent"),
    "stream": (
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
    "telemetry": ("NullSpan", "NullTelemetryProvider", "TelemetryProvider", "TelemetrySpan"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
