"""One attempt: enter user code, leave it, and say how it ended."""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from stellwerk.errors import Abandoned, RunCancelled, Skip, TaskTimedOut
from stellwerk.execute.scope import Frame
from stellwerk.execute.signals import Terminated, exposed
from stellwerk.model.states import Cause
from stellwerk.sdk.context import current
from stellwerk.sdk.futures import blocking, patiently
from stellwerk.sdk.parameters import shown


class Outcome:
    """Tell how an attempt ended: the attempt's event, where the run goes, and the value or the exception."""

    __slots__ = ("cause", "event", "label", "problem", "then", "value")

    def __init__(self, value: Any = None, problem: BaseException | None = None) -> None:
        self.value = value
        self.problem = problem
        self.event, self.then, self.label = "returned", "completed", ""
        self.cause: Cause | None = None
        if problem is not None:
            self.fail(problem)

    def fail(self, problem: BaseException) -> None:
        """Turn this into the end by an exception."""
        self.value, self.problem = None, problem
        self.event, self.then, self.label, self.cause = classify(problem)

    def leave_early(self) -> None:
        """Turn this into the end of a generator whose caller asked for no more: its function did not return."""
        self.event, self.then = "stopped", "cancelled"
        self.cause = Cause("cancelled", "its caller asked for no more items")

    @property
    def is_stop(self) -> bool:
        """Say whether the whole process was asked to stop."""
        return isinstance(self.problem, (KeyboardInterrupt, Terminated, Abandoned))

    @property
    def is_forced(self) -> bool:
        """Say whether what the run called must not be waited for: a stop, a cancellation or a time-out."""
        return self.is_stop or self.then == "cancelled" or self.label == "TimedOut"


def classify(problem: BaseException) -> tuple[str, str, str, Cause | None]:
    """Map an exception that left user code to (attempt event, run event, label, cause)."""
    if isinstance(problem, Skip):
        return "skipped", "skipped", "", None
    if isinstance(problem, _OurTimeOut):
        return "raised", "failed", "TimedOut", Cause("timeout", str(problem.message))
    if isinstance(problem, SystemExit):
        return "raised", "failed", "Exited", Cause("exited", f"sys.exit({shown(problem.code)})")
    if isinstance(problem, KeyboardInterrupt):
        return "stopped", "cancelled", "Interrupted", Cause("cancelled", "Ctrl-C")
    if isinstance(problem, Terminated):
        return "lost", "crashed", "Interrupted", Cause("signal", str(problem))
    if type(problem).__name__ == "CancelledError" and type(problem).__module__.startswith("asyncio"):
        return "stopped", "cancelled", "", Cause("cancelled", "its asyncio task was cancelled")
    if isinstance(problem, Abandoned):
        return "lost", "crashed", "OwnerLost", Cause("lease_lost", str(problem))
    return "raised", "failed", "", Cause("user_error")


class _OurTimeOut(TaskTimedOut):
    """Tell our own time-out from one that user code raised."""


_OurTimeOut.__name__ = _OurTimeOut.__qualname__ = "TaskTimedOut"
_OurTimeOut.__module__ = TaskTimedOut.__module__


def timed_out(frame: Frame, seconds: float) -> TaskTimedOut:
    """Make the exception of an attempt that ran longer than it may."""
    return _OurTimeOut(f"{frame.name!r} ran longer than its timeout_seconds = {seconds:g}.", seconds=seconds)


def call_here(frame: Frame, body: Callable[[], Any], timeout_seconds: float | None) -> Outcome:
    """Run a sync body and say how it ended; with a time limit it runs in a thread of its own."""
    if timeout_seconds is not None:
        return _call_limited(frame, body, timeout_seconds)
    token = current.set(frame)
    me = frame.enter_body()
    frame.loop = None  # async tasks of a sync body run on our own loop: the flow's may be the one that is blocked here
    try:
        try:
            with exposed:
                value = body()
        finally:
            frame.leave_body(me)
        outcome = Outcome(value)
    except BaseException as problem:
        outcome = Outcome(problem=without_engine(problem))
    finally:
        current.reset(token)
    if os.getpid() != frame.scope.owner.pid:
        leave_child(outcome.problem)
    return outcome


def leave_child(problem: BaseException | None) -> NoReturn:
    """End a child process that user code forked and let run out of its task: what follows is the parent's alone."""
    status = 0
    if isinstance(problem, SystemExit):
        code = problem.code
        status = code if isinstance(code, int) else int(code is not None)
        if code is not None and not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
    elif problem is not None:
        status = 1
        sys.excepthook(type(problem), problem, problem.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or None
            stream.flush()
    os._exit(status & 0xFF)


def _call_limited(frame: Frame, body: Callable[[], Any], timeout_seconds: float) -> Outcome:
    outcomes: list[Outcome] = []
    done = threading.Lock()
    done.acquire()
    worker = getattr(blocking, "worker", None)
    context = contextvars.copy_context()

    def work() -> None:
        blocking.worker = worker
        try:
            outcomes.append(context.run(call_here, frame, body, None))
        finally:
            done.release()

    thread = threading.Thread(target=work, name=f"stellwerk-{frame.name}", daemon=True)
    thread.start()
    try:
        with exposed:
            is_done = patiently(lambda seconds: done.acquire(timeout=seconds), timeout_seconds)
    except BaseException as problem:
        with frame.lock:
            frame.stop_body()
        return Outcome(problem=problem)
    if is_done and outcomes:
        return outcomes[0]
    # The thread is abandoned: it may be in C code that cannot be stopped, so nobody waits for it.
    with frame.lock:
        frame.stop_body()
    return Outcome(problem=timed_out(frame, timeout_seconds))


def let_go(frame: Frame, outcome: Outcome) -> Outcome:
    """See to what a run called before its attempt ends, so that nothing of it goes on unseen.

    A stop or a time-out ends everything below; a failure waits for what was submitted.

    Returns: the outcome, or what stopped the wait.
    """
    if outcome.problem is not None:
        if not outcome.is_forced:
            try:
                with exposed:
                    for future in list(frame.pending):
                        future.wait()
            except BaseException as problem:
                outcome = Outcome(problem=problem)
        if outcome.is_forced:
            stop_below(frame, outcome)
    if frame.opened:
        close_opened(frame)
    return outcome


def stop_below(frame: Frame, outcome: Outcome) -> None:
    """End everything that a run called, directly or not, because of how the run itself ended."""
    problem = outcome.problem
    assert problem is not None
    if outcome.label == "TimedOut":
        then, label, cause = "cancelled", "", Cause("cancelled", f"its calling run {frame.name} timed out")
    else:
        then, label, cause = outcome.then, outcome.label, outcome.cause or Cause("cancelled")
    frame.scope.stop(frame.scope.below(frame), then, label, cause, problem)


def close_opened(frame: Frame) -> None:
    """End generators that a run called and did not use up."""
    opened, frame.opened = frame.opened, None
    cause = Cause("cancelled", f"its calling run {frame.name} ended before all items were asked for")
    frame.scope.stop(list(opened or ()), "cancelled", "", cause, RunCancelled(cause.evidence))


def without_engine(problem: BaseException) -> BaseException:
    # The user's traceback begins at the user's function, not at the engine that called it.
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None and _is_engine(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return problem.with_traceback(trace)


_PACKAGE = __file__.rsplit("execute", 1)[0]


def _is_engine(filename: str) -> bool:
    return filename.startswith(_PACKAGE)
