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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from stellwerk.errors import Abandoned
from stellwerk.execute import tasks
from stellwerk.execute.attempt import Outcome, timed_out, without_engine
from stellwerk.execute.owner import Owner, now
from stellwerk.execute.scope import Frame
from stellwerk.execute.tasks import Call
from stellwerk.execute.upstream import fill
from stellwerk.model.messages import Began, Message, Yielded
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
    token = current.set(frame)
    try:
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                return Outcome(await body())
        except TimeoutError as problem:
            if timeout_seconds is not None and limit.expired():
                return Outcome(problem=timed_out(frame, timeout_seconds))
            return Outcome(problem=without_engine(problem))
    except BaseException as problem:
        return Outcome(problem=without_engine(problem))
    finally:
        current.reset(token)


async def committed(owner: Owner, message: Message) -> None:
    """Report a message and wait for its commit without blocking the loop.

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
        loop.call_soon_threadsafe(wake)

    owner.post(message, tell)
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


async def sleep(seconds: float) -> None:
    """Sleep without blocking the loop."""
    await asyncio.sleep(seconds)


@contextlib.contextmanager
def termination(wanted: bool) -> Iterator[list[int]]:
    """Turn SIGTERM and SIGHUP into the cancellation of the running asyncio task, in the main thread.

    Yields: a list that holds the signal's number once it came.
    """
    came: list[int] = []
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if not wanted or task is None or threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number: int) -> None:
        came.append(number)
        task.cancel()

    added = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in added:
        loop.add_signal_handler(number, note, number)
    try:
        yield came
    finally:
        for number in added:
            loop.remove_signal_handler(number)


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
        loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await done


async def run_here(call: Call) -> Any:
    """Run an async task that was called directly; raise what it raised."""
    value = tasks.remembered(call)
    if not tasks.is_missing(value):
        return value
    if call.upstream is not None:
        for future in call.upstream.futures():
            await wait_for_future(future)
            call.upstream.count(future)
    tasks.submit_message(call)
    owner = call.scope.owner
    closed = tasks.close_undecided(call)
    if closed is not None:
        await committed(owner, closed.message)
        raise closed.error
    while True:
        outcome = await _attempt(call)
        ending = tasks.end(call, outcome)
        if ending.is_void:
            raise Abandoned("This run was ended by somebody else.") from outcome.problem
        if call.scope.is_relaxed or outcome.is_stop or outcome.then == "cancelled":
            owner.post(ending.message)
        else:
            await committed(owner, ending.message)
        if ending.delay_seconds is None:
            if outcome.problem is not None:
                raise outcome.problem
            return outcome.value
        await asyncio.sleep(ending.delay_seconds)


async def _attempt(call: Call) -> Outcome:
    waiting: list[Message] = []
    tasks.begin(call, waiting.append)
    if waiting:
        await committed(call.scope.owner, waiting[0])
    started = time.perf_counter()
    outcome = await call_async(call, _body(call), call.task.options.timeout_seconds)
    call.scope.durations[call.task_name] = time.perf_counter() - started
    return outcome


def _body(call: Call) -> Callable[[], Awaitable[Any]]:
    arguments = call.arguments
    if call.upstream is not None:
        arguments = fill(arguments, call.task.options.run_when != "all_succeeded")
    fn, parameters = call.task.fn, call.task.parameters
    if call.task.is_async_generator:

        async def gather() -> list[Any]:
            return [item async for item in parameters.call(fn, arguments)]

        return joining(call, gather)
    return joining(call, lambda: parameters.call(fn, arguments))


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
    tasks.submit_message(call)
    call.attempt, call.attempt_running = call.attempt + 1, True
    owner, scope = call.scope.owner, call.scope
    await committed(owner, Began(call.run_id_bytes, now(), call.attempt))
    arguments = call.arguments if call.upstream is None else fill(call.arguments, False)
    generator = call.task.parameters.call(call.task.fn, arguments)
    index = 0
    outcome = Outcome(None)
    try:
        while True:
            outcome = await call_async(call, generator.__anext__, None)
            if isinstance(outcome.problem, StopAsyncIteration):
                outcome = Outcome(None)
                break
            if outcome.problem is not None:
                break
            result = scope.record(call, outcome.value, call.task.options.persist_result)
            if result is not None:
                owner.post(Yielded(call.run_id_bytes, now(), index, result))
            index += 1
            yield outcome.value
    except GeneratorExit:
        await generator.aclose()
        ending = tasks.end(call, Outcome(None), may_retry=False)
        if not ending.is_void:
            owner.post(ending.message)
        raise
    ending = tasks.end(call, outcome, may_retry=False)
    if not ending.is_void:
        await committed(owner, ending.message)
    if outcome.problem is not None:
        raise outcome.problem
