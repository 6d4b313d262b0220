"""What time it is: the real clock, or a virtual one that jumps over every wait in which nothing can happen."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from pytest_mala.errors import MalaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Describe = Callable[[], str]

__all__ = ["Clock", "RealClock", "Stalled", "VirtualClock"]

# In a tuple: freezegun replaces module attributes that are functions of `time`, and this one must stay real.
_REAL = (time.monotonic,)
# Frozen, subprocess.run(timeout=...) would wait for ever and pytest would show the year 2026 as a duration in seconds.
_NEVER_FROZEN = ["_pytest.timing", "subprocess"]
_CENTURY_SECONDS = 100 * 365 * 86_400.0
_LONGEST_SELECT_SECONDS = 86_400.0  # the loop asks for no longer waits than this, whatever its next timer says
# Time plus the loop's own 1e-9 s equals time after 194 days: a timer would be due and never count as due.
_RESOLUTION_SECONDS = 1e-6
_GRACE_SECONDS = 0.05  # for threads that the loop can't see; a hang is still told within 100 ms
_CANCELS_MAX = 3


class Stalled(MalaError):
    """Nothing is ready, scheduled or pending: outside of virtual time the session would have hung for ever."""


class Clock(Protocol):
    """The time of one session; entered with `with clock:` inside the running loop, by the task that runs it."""

    describe: Describe | None
    """Says in words what the session waits for; called when nothing else could happen."""
    explanation: str
    """Why the clock last moved far: "nothing else could have happened: ..."; empty if it never did."""
    last_jump: float
    """Length in seconds of the last jump; 0 if there was none."""

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was entered."""

    def time(self) -> float:
        """The loop's time in seconds; only differences mean something."""

    def now(self) -> datetime:
        """Date and time, aware, in UTC."""

    def hold(self) -> AbstractContextManager[None]:
        """Inside, time passes as it really does: for work that the loop can't see."""

    def stand(self, recorded_seconds: float | None) -> AbstractContextManager[None]:
        """Inside, time stands still; at its end it moves on by the recorded seconds, or by the real ones if None."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None: ...


class RealClock:
    """Time as it passes; `hold` and `stand` are there and do nothing."""

    explanation = ""
    last_jump = 0.0

    def __init__(self) -> None:
        self.describe: Describe | None = None
        self._entered: float | None = None

    @property
    def elapsed(self) -> float:
        """Real seconds since the clock was entered; 0 outside."""
        return 0.0 if self._entered is None else _REAL[0]() - self._entered

    def time(self) -> float:
        """The monotonic clock, which asyncio's loops run by."""
        return _REAL[0]()

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def hold(self) -> AbstractContextManager[None]:
        """Does nothing: real time always passes."""
        return nullcontext()

    def stand(self, recorded_seconds: float | None) -> AbstractContextManager[None]:
        """Does nothing but refuse what the virtual clock refuses: real time never stands still."""
        _check_recorded(recorded_seconds)
        return nullcontext()

    def __enter__(self) -> Self:
        self._entered = _REAL[0]()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._entered = None


class VirtualClock:
    """Time that jumps to the next timer whenever nothing else can happen (design D3).

    `with clock:` shadows five attributes of the running asyncio loop until its end; timers of asyncio and anyio follow.
    While executor jobs, anyio's threads, children (until their pipes are done: a daemon that keeps one open counts
    until the transport is closed) or `hold()` are pending, time passes as it really does; inside `stand()` it doesn't
    pass. With `frozen`, freezegun shows `now()` to all but what `threading` calls directly: a thread's outer functions.

    A jump longer than `notice_after` seconds asks `describe` for the reason and keeps it as `explanation`. If nothing
    is ready, scheduled or pending, the entering task is cancelled, and `Stalled` raised instead of the cancellation.
    """

    def __init__(
        self, start: datetime, frozen: bool = True, describe: Describe | None = None, *, notice_after: float = 1.0
    ) -> None:
        if start.tzinfo is None:
            raise UsageError(f"virtual clock: expected a start with a time zone, got {start}; add tzinfo=datetime.UTC")
        self.describe = describe
        self.notice_after = notice_after
        self._start = start.astimezone(UTC)
        self._frozen = frozen
        self._undo = ExitStack()
        self._loop: Any = None  # its attributes are private or read-only to type checkers
        self._reset()

    def _reset(self) -> None:
        self.explanation = self._stall_text = ""
        self.last_jump = self._now = self._charge = 0.0
        self._stands = self._cancels = 0
        self._flowing_since: float | None = None
        self._work: set[object] = set()

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the clock was entered; stays as it is when the clock is left."""
        return self.time()

    def time(self) -> float:
        """Virtual seconds; what the loop's own `time()` answers while the clock runs."""
        if self._flowing_since is None:
            return self._now
        return self._now + (_REAL[0]() - self._flowing_since)

    def now(self) -> datetime:
        """The start, moved on by the elapsed virtual time; aware, in UTC."""
        return self._start + timedelta(seconds=self.time())

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Inside, time passes as it really does: for threads and sockets of your own, which the loop can't see."""
        release = self._take_on()
        try:
            yield
        finally:
            release()

    @contextmanager
    def stand(self, recorded_seconds: float | None) -> Iterator[None]:
        """Inside, the loop runs but no time passes and no timer fires; then the clock moves on in one step.

        The step is `recorded_seconds`, or the real duration if None; overlapping stands make one step, as long as the
        longest. Work begun inside never makes time pass, and needs a real deadline of its own (`process.run` has one).
        """
        _check_recorded(recorded_seconds)
        began = _REAL[0]()
        self._stands += 1
        self._settle()
        try:
            yield
        finally:
            lasted = _REAL[0]() - began if recorded_seconds is None else recorded_seconds
            self._charge = max(self._charge, lasted)
            self._stands -= 1
            if not self._stands:
                self._advance(self._charge)
                self._charge = 0.0
            self._settle()

    def _advance(self, seconds: float) -> None:
        before, self._now = self._now, self._now + seconds
        if self._loop is not None and self._frozen:
            # the difference of two dates, not `seconds`: rounded microseconds must not add up
            self._calendar.tick(timedelta(seconds=self._now) - timedelta(seconds=before))

    def _settle(self, *, unseen_work: bool = False) -> None:
        """Adds the real time since the last look if it counted, and decides whether it counts from here on."""
        real = _REAL[0]()
        since, self._flowing_since = self._flowing_since, None
        if since is not None:
            self._advance(real - since)
        if self._loop is not None and not self._stands and (self._work or unseen_work):
            self._flowing_since = real

    def _take_on(self) -> Callable[..., None]:
        """Real work begins; the answer is to be called when it has ended."""
        work, token = self._work, object()  # the set of this entry: what ends after the clock was left changes nothing
        if not self._stands:  # else it is the stand's; its last steps after the stand must not make time pass
            work.add(token)
        self._settle()

        def release(*_: object) -> None:
            work.discard(token)
            self._settle()

        return release

    def _select(self, timeout: float | None) -> Any:
        """Stands for the selector's `select`; the loop asks for a timeout other than 0 only if nothing is ready."""
        if self._flowing_since is not None:
            self._settle()
        ready = self._real_select(0)
        if ready or timeout == 0:
            return ready
        if self._stands:
            return self._real_select(None)
        if self._work or any(_is_at_work(thread, self._loop) for thread in threading.enumerate()):
            self._settle(unseen_work=True)
            ready = self._real_select(timeout)
            self._settle()
            return ready
        seconds = self._seconds_to_next_timer(timeout)
        if seconds is None:
            return self._stall()
        self.last_jump = seconds
        if seconds > self.notice_after:
            self.explanation = f"nothing else could have happened: {self._description()}"
        self._advance(seconds)
        return ready

    def _seconds_to_next_timer(self, timeout: float | None) -> float | None:
        """The wait that the loop really means; None if it never ends (`sleep(inf)` is asked for day by day)."""
        if timeout is None or timeout < _LONGEST_SELECT_SECONDS:
            return timeout
        seconds = float(self._loop._scheduled[0].when()) - self._now  # noqa: SLF001 - the loop has no door for it
        return seconds if seconds < _CENTURY_SECONDS else None

    def _stall(self) -> Any:
        """Ends the session's task; never raises while there is hope, since an error here kills the loop."""
        if self._has_foreign_threads() and (ready := self._real_select(_GRACE_SECONDS)):
            return ready
        self._stall_text = self._stall_text or (
            f"stalled after {self._now:.3f} s of virtual time: nothing is ready, scheduled or pending, so nothing can "
            f"happen any more: {self._description()}; if a thread of yours is at work, wrap it in `with clock.hold():`"
        )
        if self._cancels < _CANCELS_MAX and not self._task.done():
            self._cancels += 1
            _cancel(self._task)
            return []
        self._undo.close()
        raise Stalled(f"{self._stall_text} (cancelled {self._cancels} times, and it still waits)")

    def _description(self) -> str:
        try:
            return self.describe() if self.describe else _place(self._task)
        except Exception as error:  # raised inside select it would kill the loop
            return f"{_place(self._task)}; describe() raised {type(error).__name__}: {error}"

    def _has_foreign_threads(self) -> bool:
        executor = self._loop._default_executor  # noqa: SLF001 - its idle workers stay, and must cost no grace
        known = {*self._threads_before, *getattr(executor, "_threads", ())}
        return any(thread not in known and not hasattr(thread, "idle_workers") for thread in threading.enumerate())

    def _run_in_executor(self, executor: Any, function: Any, *arguments: Any) -> Any:
        with self.hold():  # the thread may be at work before we get its job
            job = self._real_run_in_executor(executor, function, *arguments)
            job.add_done_callback(self._take_on())
        return job

    async def _start_child(self, *arguments: Any, **options: Any) -> Any:
        """Counts the child until its exit is seen and its pipes are done; by 3.12's watcher the exit comes first."""
        with self.hold():
            transport = await self._real_start_child(*arguments, **options)
            release = self._take_on()
        connection_lost = transport._call_connection_lost  # noqa: SLF001 - nothing public tells when both are done

        def done(error: BaseException | None) -> None:
            release()
            connection_lost(error)

        transport._call_connection_lost = done  # noqa: SLF001
        if transport._finished:  # noqa: SLF001 - a child without pipes can be over before we are told of it
            release()
        return transport

    def __enter__(self) -> Self:
        loop, task = self._find_loop()
        with ExitStack() as undo:
            if self._frozen:
                from freezegun import freeze_time  # costs 0.1 s, and only the replay lane needs it

                frozen = freeze_time(self._start, real_asyncio=True, ignore=_NEVER_FROZEN)
                self._calendar = undo.enter_context(frozen)
            self._reset()
            undo.callback(setattr, self, "_loop", None)
            self._loop, self._task, self._cancelling_before = loop, task, task.cancelling()
            self._threads_before = set(threading.enumerate())
            real_time = loop.time
            _move_timers(loop, -real_time())
            undo.callback(lambda: _move_timers(loop, real_time() - self.time()))
            self._real_select = _shadow(undo, loop._selector, "select", self._select)  # noqa: SLF001
            self._real_run_in_executor = _shadow(undo, loop, "run_in_executor", self._run_in_executor)
            self._real_start_child = _shadow(undo, loop, "_make_subprocess_transport", self._start_child)
            _shadow(undo, loop, "time", self.time)
            _shadow(undo, loop, "_clock_resolution", _RESOLUTION_SECONDS)
            self._undo = undo.pop_all()
        return self

    def _find_loop(self) -> tuple[Any, asyncio.Task[Any]]:
        if self._loop is not None:
            raise UsageError("this virtual clock runs already; leave it before you enter it again")
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if task is None:
            raise UsageError("a virtual clock is entered by a task of a running event loop; use it in a coroutine")
        loop: Any = task.get_loop()
        selector = getattr(loop, "_selector", None)
        if selector is None:
            kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
            raise UsageError(
                f"the running loop, {kind}, has no selector, so its time can't be virtual; run these tests on "
                "asyncio's: let `pytest_asyncio_loop_factories` in conftest.py return "
                '{"asyncio": asyncio.SelectorEventLoop} for items with the `mala` mark'
            )
        if isinstance(getattr(selector.select, "__self__", None), VirtualClock):
            raise UsageError("another virtual clock runs on this loop; a loop has one time, so share that clock")
        return loop, task

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._undo.close()
        self._settle()
        for _ in range(self._cancels):
            self._task.uncancel()
        if not self._stall_text or isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            return
        if isinstance(error, asyncio.CancelledError) and self._task.cancelling() > self._cancelling_before:
            return  # somebody else wants the task to end as well
        raise Stalled(self._stall_text) from error


def _check_recorded(seconds: float | None) -> None:
    if seconds is not None and not 0 <= seconds < _CENTURY_SECONDS:
        raise UsageError(f"clock.stand: expected recorded seconds from 0 to a century, or None, got {seconds!r}")


def _shadow(undo: ExitStack, owner: Any, name: str, value: object) -> Any:
    """Sets an attribute on the instance until `undo` is closed; the answer is what was seen there before."""
    seen, is_shadowed = getattr(owner, name), name in vars(owner)
    setattr(owner, name, value)
    undo.callback(setattr, owner, name, seen) if is_shadowed else undo.callback(delattr, owner, name)
    return seen


def _move_timers(loop: Any, seconds: float) -> None:
    """Timers set before the clock was entered, or left over when it is left, keep their distance from now."""
    for handle in loop._scheduled:  # noqa: SLF001 - all move alike, so the heap stays one
        handle._when += seconds  # noqa: SLF001


def _is_at_work(thread: Any, loop: object) -> bool:
    """Whether this is one of anyio's threads and busy: anyio.to_thread passes by `run_in_executor`."""
    return thread in getattr(thread, "workers", ()) and thread not in thread.idle_workers and thread.loop is loop


def _cancel(task: Any) -> None:
    """Cancels a task, also one that waits for a task that waits for it: asyncio asks these in turn for ever."""
    asked = task.cancelling()
    try:
        task.cancel()
    except RecursionError:
        while task.cancelling() > asked + 1:
            task.uncancel()
        waiter, loop = task._fut_waiter, task.get_loop()  # noqa: SLF001 - there is no other way in
        cancelled = loop.create_future()
        cancelled.cancel()
        for wake, context in [entry for entry in waiter._callbacks if getattr(entry[0], "__self__", 0) is task]:  # noqa: SLF001
            waiter.remove_done_callback(wake)
            loop.call_soon(wake, cancelled, context=context)


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits: the innermost line of its own chain of coroutines."""
    waiting: Any = task.get_coro()
    while hasattr(waiting.cr_await, "cr_await"):
        waiting = waiting.cr_await
    frame = waiting.cr_frame
    place = f" at {Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {waiting.__qualname__}" if frame else ""
    return f"{task.get_name()} waits{place}"
