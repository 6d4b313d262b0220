"""Run coding agents on issues as pytest tests; record their sessions and replay them deterministically.

The public names are loaded when they are first used: importing the package costs nothing and does nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "pytest_mala.agent.runtime": ("AgentRuntime", "AgentRuntimeBuilder"),
    "pytest_mala.case.case": ("Case",),
    "pytest_mala.case.settings": ("CaseResult", "CaseSettings", "CheckRow", "Lane", "RecordMode"),
    "pytest_mala.clock": ("Clock", "RealClock", "Stalled", "VirtualClock"),
    "pytest_mala.errors": (
        "CassetteError",
        "CassetteMissingError",
        "Divergence",
        "GateChangedError",
        "HarnessError",
        "IssueError",
        "MalaError",
        "UsageError",
        "WorkspaceError",
    ),
    "pytest_mala.issue": ("EndReason", "Issue", "load_issues"),
    "pytest_mala.session.context": (
        "ContextUsage",
        "Effect",
        "LifecycleConfig",
        "LifecycleContext",
        "LifecycleState",
        "RetryState",
        "TransitionResult",
    ),
    "pytest_mala.session.events": ("BaseEventSink", "NullEventSink"),
    "pytest_mala.session.idle": ("IdleTimeoutStream",),
    "pytest_mala.session.lifecycle": ("ImplementerLifecycle",),
    "pytest_mala.session.models": ("GateResult", "IssueResolution", "ResolutionOutcome", "ReviewIssue", "ReviewResult"),
    "pytest_mala.session.pressure": ("CheckpointResult", "ContextPressureConfig", "ContextPressureHandler"),
    "pytest_mala.session.prompts": ("PromptProvider", "load_prompt", "load_prompts"),
    "pytest_mala.session.protocols": (
        "MalaEventSink",
        "ReviewIssueProtocol",
        "SDKClientFactoryProtocol",
        "SDKClientProtocol",
    ),
    "pytest_mala.session.runner": (
        "AgentSessionConfig",
        "AgentSessionInput",
        "AgentSessionOutput",
        "AgentSessionRunner",
        "SessionCallbacks",
        "SessionPrompts",
    ),
    "pytest_mala.session.stream": (
        "ContextPressureError",
        "IdleTimeoutError",
        "MessageIterationResult",
        "MessageIterationState",
        "MessageStreamProcessor",
        "StreamProcessorCallbacks",
        "StreamProcessorConfig",
    ),
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
    from pytest_mala.agent.runtime import AgentRuntime as AgentRuntime, AgentRuntimeBuilder as AgentRuntimeBuilder
    from pytest_mala.case.case import Case as Case
    from pytest_mala.case.settings import (
        CaseResult as CaseResult,
        CaseSettings as CaseSettings,
        CheckRow as CheckRow,
        Lane as Lane,
        RecordMode as RecordMode,
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
        GateChangedError as GateChangedError,
        HarnessError as HarnessError,
        IssueError as IssueError,
        MalaError as MalaError,
        UsageError as UsageError,
        WorkspaceError as WorkspaceError,
    )
    from pytest_mala.issue import EndReason as EndReason, Issue as Issue, load_issues as load_issues
    from pytest_mala.session.context import (
        ContextUsage as ContextUsage,
        Effect as Effect,
        LifecycleConfig as LifecycleConfig,
        LifecycleContext as LifecycleContext,
        LifecycleState as LifecycleState,
        RetryState as RetryState,
        TransitionResult as TransitionResult,
    )
    from pytest_mala.session.events import BaseEventSink as BaseEventSink, NullEventSink as NullEventSink
    from pytest_mala.session.idle import IdleTimeoutStream as IdleTimeoutStream
    from pytest_mala.session.lifecycle import ImplementerLifecycle as ImplementerLifecycle
    from pytest_mala.session.models import (
        GateResult as GateResult,
        IssueResolution as IssueResolution,
        ResolutionOutcome as ResolutionOutcome,
        ReviewIssue as ReviewIssue,
        ReviewResult as ReviewResult,
    )
    from pytest_mala.session.pressure import (
        CheckpointResult as CheckpointResult,
        ContextPressureConfig as ContextPressureConfig,
        ContextPressureHandler as ContextPressureHandler,
    )
    from pytest_mala.session.prompts import (
        PromptProvider as PromptProvider,
        load_prompt as load_prompt,
        load_prompts as load_prompts,
    )
    from pytest_mala.session.protocols import (
        MalaEventSink as MalaEventSink,
        ReviewIssueProtocol as ReviewIssueProtocol,
        SDKClientFactoryProtocol as SDKClientFactoryProtocol,
        SDKClientProtocol as SDKClientProtocol,
    )
    from pytest_mala.session.runner import (
        AgentSessionConfig as AgentSessionConfig,
        AgentSessionInput as AgentSessionInput,
        AgentSessionOutput as AgentSessionOutput,
        AgentSessionRunner as AgentSessionRunner,
        SessionCallbacks as SessionCallbacks,
        SessionPrompts as SessionPrompts,
    )
    from pytest_mala.session.stream import (
        ContextPressureError as ContextPressureError,
        IdleTimeoutError as IdleTimeoutError,
        MessageIterationResult as MessageIterationResult,
        MessageIterationState as MessageIterationState,
        MessageStreamProcessor as MessageStreamProcessor,
        StreamProcessorCallbacks as StreamProcessorCallbacks,
        StreamProcessorConfig as StreamProcessorConfig,
    )
