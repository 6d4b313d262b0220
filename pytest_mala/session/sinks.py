"""Event sinks to listen with: `RecordingSink` keeps every event as a value, `LoggingSink` writes a log record of each.

To do something else with every event, derive from `EverySink` and write one method, `heard(event)`; to pass calls on as
they come, from `AnySink`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import logging
import re
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_mala.errors import UsageError
from pytest_mala.issue.model import EndReason
from pytest_mala.session.events import BaseEventSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["EVENT_NAMES", "AnySink", "EverySink", "LoggingSink", "RecordingSink", "SinkEvent"]

EVENT_NAMES = tuple(name for name in vars(BaseEventSink) if name.startswith("on_"))
"""The contract's events and the optional ones, in the order of `BaseEventSink`."""

_SIGNATURES = {name: inspect.signature(getattr(BaseEventSink, name)) for name in EVENT_NAMES}
_WORD = re.compile(r"(?!(?:None|True|False)\Z)[A-Za-z][\w.-]*")
_NO_ID = object()


@dataclass(frozen=True, slots=True, repr=False)
class SinkEvent:
    """What a sink was told: the event's name, and all its arguments by name, defaults included.

    Lists and mappings among the arguments are copied: an event does not change any more.

    >>> SinkEvent.told("on_gate_retry", "calc-1", 2, 3, issue_id="calc-1")
    on_gate_retry(calc-1, attempt=2, max_attempts=3)
    """

    name: str
    arguments: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        copied = {name: _copied(value) for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", MappingProxyType(copied))

    @classmethod
    def told(cls, name: str, *args: object, **named: object) -> SinkEvent:
        """The event as a sink is told it; `UsageError` for an unknown name, `TypeError` for arguments that don't fit.

        >>> SinkEvent.told("on_log_ready", "calc-1") == SinkEvent("on_log_ready", {"agent_id": "calc-1"})
        True
        """
        bound = _SIGNATURES[_known(name)].bind(None, *args, **named)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        del arguments["self"]
        return cls(name, arguments)

    def __repr__(self) -> str:
        """One line: the agent's id without its name, then what is neither a default nor that id again."""
        return f"{self.name}({', '.join(self._shown())})"

    def __reduce__(self) -> tuple[type[SinkEvent], tuple[str, dict[str, Any]]]:
        """A mapping proxy can't be pickled, and events are sent between processes."""
        return SinkEvent, (self.name, dict(self.arguments))

    def _shown(self) -> list[str]:
        parameters = _SIGNATURES[self.name].parameters if self.name in _SIGNATURES else {}
        agent_id = self.arguments.get("agent_id", _NO_ID)
        shown = [] if agent_id is _NO_ID else [_text(agent_id)]
        for name, value in self.arguments.items():
            known = parameters.get(name)
            is_default = known is not None and known.default is not known.empty and value == known.default
            is_same_id = name == "issue_id" and value == agent_id
            # without an issue id the event says something else than with the usual one, so that is never left out
            if name != "agent_id" and not is_same_id and (name == "issue_id" or not is_default):
                shown.append(f"{name}={_text(value)}")
        return shown


def _known(name: str) -> str:
    if name not in _SIGNATURES:
        near = difflib.get_close_matches(name, EVENT_NAMES)
        hint = f": did you mean {near[0]}?" if near else ": see BaseEventSink for those there are"
        raise UsageError(f"no event is called {name!r}{hint}")
    return name


def _copied(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    return {key: _copied(item) for key, item in value.items()} if isinstance(value, dict) else value


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value)
    return value if isinstance(value, str) and _WORD.fullmatch(value) else repr(value)


class AnySink(BaseEventSink):
    """A sink with one ear: every event, the optional ones too, comes to `told` as it was called."""

    def told(self, name: str, *args: Any, **named: Any) -> None:
        """Override this; what it raises passes to whoever told the event."""
        raise NotImplementedError(f"{type(self).__name__} must define told(name, *args, **named)")


def _tells(name: str) -> Callable[..., None]:
    @functools.wraps(getattr(BaseEventSink, name))
    def tell(self: AnySink, *args: object, **named: object) -> None:
        self.told(name, *args, **named)

    return tell


for _name in EVENT_NAMES:
    setattr(AnySink, _name, _tells(_name))
del _name


class EverySink(AnySink):
    """A sink with one ear: every event, the optional ones too, comes to `heard` as a value."""

    def told(self, name: str, *args: Any, **named: Any) -> None:
        """Makes a value of the call."""
        self.heard(SinkEvent.told(name, *args, **named))

    def heard(self, event: SinkEvent) -> None:
        """Override this; what it raises passes to whoever told the event."""
        raise NotImplementedError(f"{type(self).__name__} must define heard(event)")


class RecordingSink(EverySink):
    """Keeps what it is told, in order.

    A test compares `events` with values, or `str` of them with text, or only `names`.

    >>> sink = RecordingSink()
    >>> sink.on_lifecycle_state("calc-1", "PROCESSING")
    >>> sink.on_gate_passed("calc-1", issue_id="calc-1")
    >>> sink.events
    [on_lifecycle_state(calc-1, state=PROCESSING), on_gate_passed(calc-1)]
    >>> sink.named("on_lifecycle_state")[0].arguments["state"]
    'PROCESSING'
    """

    def __init__(self) -> None:
        self._events: list[SinkEvent] = []

    def __len__(self) -> int:
        """How many events there are."""
        return len(self._events)

    def __iter__(self) -> Iterator[SinkEvent]:
        """All events so far, in order."""
        return iter(self.events)

    def __repr__(self) -> str:
        """Their number and names, for the person who reads a failed test."""
        names = ", ".join(self.names) or "none"
        return f"<events, {len(self)}: {names}>"

    def heard(self, event: SinkEvent) -> None:
        """Keeps the event."""
        self._events.append(event)

    def clear(self) -> None:
        """Forgets all events so far: the session is given up, and another one begins in its place."""
        self._events.clear()

    @property
    def events(self) -> list[SinkEvent]:
        """All events so far, in a list of its own."""
        return list(self._events)

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [event.name for event in self._events]

    def named(self, name: str) -> list[SinkEvent]:
        """Those of that name; `UsageError` for a name that no event has (a misspelt one would never be found)."""
        wanted = _known(name)
        return [event for event in self._events if event.name == wanted]


_QUIET = frozenset({
    "on_agent_text", "on_fixer_text", "on_fixer_tool_use", "on_log_ready", "on_log_waiting", "on_state_entered",
    "on_tool_use", "on_validation_step_running", "on_waiting_for_agents",
})  # fmt: skip
_LOUD = frozenset({
    "on_abort_requested", "on_claim_failed", "on_deadlock_detected", "on_epic_verification_failed", "on_fixer_failed",
    "on_gate_failed", "on_log_timeout", "on_review_failed", "on_review_skipped_no_progress", "on_review_warning",
    "on_tasks_aborting", "on_validation_step_failed", "on_warning",
})  # fmt: skip
_ENDED_WELL = frozenset({EndReason.PASSED, EndReason.NO_CHANGE, EndReason.OBSOLETE, EndReason.ALREADY_COMPLETE})


class LoggingSink(EverySink):
    """Writes one log record per event, formatted only where a handler wants it; `record.mala_event` is the event.

    Failures and a session that does not end well are warnings, what the agent does and each state are debug records,
    the rest is info. The logger is `pytest_mala.events` unless another one is given.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger if logger is not None else logging.getLogger("pytest_mala.events")

    def heard(self, event: SinkEvent) -> None:
        """Writes the record."""
        self._logger.log(_level(event), event, extra={"mala_event": event})


def _level(event: SinkEvent) -> int:
    if event.name == "on_session_ended" and event.arguments["reason"] not in _ENDED_WELL:
        return logging.WARNING
    if event.name in _QUIET:
        return logging.DEBUG
    return logging.WARNING if event.name in _LOUD else logging.INFO
