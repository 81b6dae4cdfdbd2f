"""Async tasks: on the loop of an async flow, else on one loop of our own in a background thread.

Imported when the first async function is called, since asyncio is most of what `import stellwerk` would cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from stellwerk.errors import Abandoned
from stellwerk.execute import attempt, tasks
from stellwerk.execute.attempt import Outcome, leave_child, timed_out, without_engine
from stellwerk.execute.owner import Owner
from stellwerk.execute.scope import Frame, Scope
from stellwerk.execute.signals import NUMBERS, ForkMask, Terminated
from stellwerk.execute.tasks import Call
from stellwerk.sdk.context import current
from stellwerk.sdk.futures import Future

_background: list[asyncio.AbstractEventLoop] = []
_lock = threading.Lock()
_running: set[asyncio.Task[None]] = set()
os.register_at_fork(after_in_child=_background.clear)


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop on which async tasks of sync flows run, started at first use."""
    with _lock:
        if not _background:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="stellwerk-loop", daemon=True).start()
            _background.append(loop)
        return _background[0]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def call_async(frame: Frame, body: Callable[[], Awaitable[Any]], timeout_seconds: float | None) -> Outcome:
    """Run an async body on the running loop and say how it ended."""
    outcome = await _call_async(frame, body, timeout_seconds)
    if os.getpid() != frame.scope.owner.pid:
        leave_child(outcome.problem)
    return outcome


async def _call_async(frame: Frame, body: Callable[[], Awaitable[Any]], timeout_seconds: float | None) -> Outcome:
    token = current.set(frame)
    try:
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                return Outcome(await body())
        except TimeoutError as problem:
            if timeout_seconds is not None and limit.expired():
                return Outcome(problem=timed_out(frame, timeout_seconds))
            return Outcome(problem=without_engine(problem))
    except CancelledError as problem:
        return Outcome(problem=stop_of(frame.scope) or problem)
    except BaseException as problem:
        return Outcome(problem=without_engine(problem))
    finally:
        current.reset(token)


async def committed(owner: Owner) -> None:
    """Wait for the commit of all that was reported so far, without blocking the loop.

    Raises:
        UnavailableError: it could not be written.
        Abandoned: the run is no longer ours.
    """
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    owner.put(None, tell)
    await done
    owner.check()


def use_running_loop(frame: Frame) -> None:
    """Let async tasks of a flow run on the loop that the flow itself runs on."""
    frame.loop = asyncio.get_running_loop()


def joining(frame: Frame, coroutine: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """Return an async body: the user's coroutine, then the wait for all it submitted, then the judgement."""

    async def body() -> Any:
        value = await coroutine()
        await wait_for_all(frame.pending)
        return frame.judge(value)

    return body


async def wait_for_all(pending: set[Future[Any]]) -> None:
    """Wait until nothing is pending any more."""
    while pending:
        for future in list(pending):
            await wait_for_future(future)


async def let_go(frame: Frame, outcome: Outcome) -> Outcome:
    """Do what `attempt.let_go` does, without blocking the loop."""
    if outcome.problem is not None and not outcome.is_forced:
        try:
            await wait_for_all(frame.pending)
        except BaseException as problem:
            outcome = Outcome(problem=problem)
    return attempt.let_go(frame, outcome)


async def sleep(seconds: float) -> None:
    """Sleep without blocking the loop."""
    await asyncio.sleep(seconds)


def stop_of(scope: Scope) -> BaseException | None:
    """Give the exception that stands for what asked a root run to stop, a signal or the loss of it; else None."""
    if scope.lost:
        return Abandoned(scope.lost)
    if not scope.signalled:
        return None
    return KeyboardInterrupt() if scope.signalled == signal.SIGINT else Terminated(scope.signalled)


def upwards(scope: Scope, problem: BaseException) -> BaseException:
    """Give what an inner run raises: a signal stays the loop's cancellation until it reaches the root run.

    Raised in any other asyncio task, a KeyboardInterrupt would break out of the loop past all that still has to end.
    """
    return CancelledError() if scope.signalled and isinstance(problem, (KeyboardInterrupt, Terminated)) else problem


@contextlib.contextmanager
def signals_of(scope: Scope) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into the cancellation of the asyncio tasks of all root runs on the loop.

    In the main thread only, and only where the user has no handler; asyncio's own for Ctrl-C does not count as one.
    """
    task = asyncio.current_task()
    if task is None:
        yield
        return
    scope.cancel = partial(_cancel, asyncio.get_running_loop(), task)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _rooted.append((scope, task))
    if len(_rooted) == 1:
        _take_signals(asyncio.get_running_loop())
    try:
        yield
    finally:
        _rooted.remove((scope, task))
        if not _rooted:
            _give_signals_back(asyncio.get_running_loop())


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed: the run has ended
        loop.call_soon_threadsafe(task.cancel)


_rooted: list[tuple[Scope, asyncio.Task[Any]]] = []
_replaced: dict[int, Any] = {}


def _after_fork() -> None:
    # The child shares the pipe by which signals reach its parent's loop: one sent to it would arrive there.
    if _replaced:
        with contextlib.suppress(ValueError):  # not in what is the main thread here
            signal.set_wakeup_fd(-1)
            for number, old in _replaced.items():
                signal.signal(number, old)
    _replaced.clear()
    _rooted.clear()
    _mask.unblock()


_mask = ForkMask(lambda: bool(_replaced))
os.register_at_fork(before=_mask.block, after_in_parent=_mask.unblock_in_parent, after_in_child=_after_fork)


def _take_signals(loop: asyncio.AbstractEventLoop) -> None:
    for number in NUMBERS:
        old = signal.getsignal(number)
        is_asyncio = getattr(getattr(old, "func", None), "__name__", "") == "_on_sigint"
        if is_asyncio or old in (signal.SIG_DFL, signal.default_int_handler):
            loop.add_signal_handler(number, _note_signal, number)
            _replaced[number] = old


def _note_signal(number: int) -> None:
    for scope, task in _rooted:
        scope.signalled = number
        task.cancel()


def _give_signals_back(loop: asyncio.AbstractEventLoop) -> None:
    for number, old in _replaced.items():
        loop.remove_signal_handler(number)
        signal.signal(number, old)
    _replaced.clear()


async def wait_for_future(future: Future[Any]) -> None:
    """Wait for a future without raising what it raised and without counting as handling it."""
    if future.done():
        return
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def tell(_: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await done


async def run_here(call: Call) -> Any:
    """Run an async task that was called directly; raise what it raised."""
    known = tasks.remembered(call)
    if known is not None:
        return known[0]
    await _admit(call)
    try:
        while True:
            outcome = await _attempt(call)
            ending = tasks.end(call, outcome)
            if ending.is_void:
                raise Abandoned("This run was ended by somebody else.") from outcome.problem
            if not call.scope.is_relaxed and not outcome.is_forced:
                await committed(call.scope.owner)
            if ending.delay_seconds is None:
                if outcome.problem is not None:
                    raise upwards(call.scope, outcome.problem)
                return outcome.value
            await asyncio.sleep(ending.delay_seconds)
    except CancelledError as problem:
        tasks.break_off(call, stop_of(call.scope) or problem)
        raise
    except BaseException as problem:
        tasks.break_off(call, problem)
        raise


async def _admit(call: Call) -> None:
    if call.upstream is not None:
        for future in call.upstream.futures():
            await wait_for_future(future)
            call.upstream.count(future)
    tasks.submit_message(call)
    closed = tasks.close_undecided(call)
    if closed is not None:
        await committed(call.scope.owner)
        raise closed.error


async def _begin(call: Call) -> None:
    if tasks.begin(call):
        await committed(call.scope.owner)


async def _attempt(call: Call) -> Outcome:
    await _begin(call)
    started = time.perf_counter()
    outcome = await call_async(call, _body(call), call.task.options.timeout_seconds)
    if outcome.problem is not None or call.opened:
        outcome = await let_go(call, outcome)
    call.scope.durations[call.task_name] = time.perf_counter() - started
    return outcome


def _body(call: Call) -> Callable[[], Awaitable[Any]]:
    async def body() -> Any:
        returned = call.enter()
        return [item async for item in returned] if call.task.is_async_generator else await returned

    return joining(call, body)


def launch(call: Call) -> None:
    """Start a submitted async call on the loop of its flow, or on our own."""
    parent = call.parent
    assert isinstance(parent, Frame)
    assert call.future is not None
    loop = parent.loop or background_loop()
    if running_loop() is loop:
        call.future.bind_to_loop(threading.get_ident())
        _spawn(call)
    else:
        loop.call_soon_threadsafe(_spawn, call)


def _spawn(call: Call) -> None:
    task = asyncio.get_running_loop().create_task(_job(call))
    # A loop keeps only weak references to its tasks.
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _job(call: Call) -> None:
    if call.closed:
        return
    try:
        outcome = await _attempt(call)
        tasks.settle(call, outcome, _launch_later)
    except BaseException as problem:
        tasks.fail(call, problem)


def _launch_later(call: Call, delay_seconds: float) -> None:
    asyncio.get_running_loop().call_later(delay_seconds, _spawn, call)


async def iterate(call: Call) -> AsyncIterator[Any]:
    """Run an async generator task that was called directly; its items are recorded as they are handed out."""
    await _admit(call)
    await _begin(call)
    tasks.open_iteration(call)
    generator: AsyncGenerator[Any, None] = call.enter()
    index = 0
    while True:
        outcome = await call_async(call, generator.__anext__, None)
        if outcome.problem is not None:
            break
        tasks.yielded(call, index, outcome.value)
        index += 1
        try:
            yield outcome.value
        except GeneratorExit:
            outcome = await call_async(call, generator.aclose, None)
            if outcome.problem is None:
                outcome.leave_early()
            tasks.close_iteration(call, await let_go(call, outcome))
            raise
    if isinstance(outcome.problem, StopAsyncIteration):
        outcome = await call_async(call, joining(call, nothing), None)
    outcome = await let_go(call, outcome)
    tasks.close_iteration(call, outcome)
    await committed(call.scope.owner)
    if outcome.problem is not None:
        raise upwards(call.scope, outcome.problem)


async def nothing() -> None:
    """Be the body of which only the wait for what was submitted is left."""
