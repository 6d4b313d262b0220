"""When a turn of the agent is over: whoever waits for its end and whoever reads a recording ask the same few lines."""

from __future__ import annotations

__all__ = ["TurnWatch"]


class TurnWatch:
    """A CLI that reports its state ends a turn with `idle` after the result, or with the result if it is idle already;
    any other CLI, and an error, ends it with the result (sdk.md 0.2).

    A CLI is idle also while a command or sub-agent still runs in the background; its end wakes the agent, so the turn
    goes on (session:B10). One that never ends is a matter of the session's idle limit.

    Each method says whether the turn ends with what it is told; a turn that ended needs a new result to end again.
    """

    def __init__(self) -> None:
        self._state: str | None = None
        self._has_result = False
        self._is_work_left = False

    def begin(self) -> None:
        """A prompt is sent: a result that still waits for `idle` was given up."""
        self._has_result = False

    def result(self, *, is_error: bool) -> bool:
        """The CLI gave a result."""
        return self._ends_if(is_error or self._state is None or self._is_idle)

    def state(self, state: str | None) -> bool:
        """The CLI reported its state, in a frame `system` of subtype `session_state_changed`."""
        self._state = state
        return self._has_result and self._ends_if(self._is_idle)

    def tasks(self, running: object) -> None:
        """The CLI listed what runs in the background, in a frame `system` of subtype `background_tasks_changed`."""
        self._is_work_left = isinstance(running, list) and bool(running)

    @property
    def _is_idle(self) -> bool:
        return self._state == "idle" and not self._is_work_left

    def _ends_if(self, is_over: bool) -> bool:
        self._has_result = not is_over
        return is_over
