"""Futures: the handle of a submitted call.

A future is resolved once, after its end is committed. Reading its state, its error or its result tells the engine
that a failure was seen; a failure that nobody saw fails the flow.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload

from stellwerk.errors import DefinitionError
from stellwerk.model.identity import to_text
from stellwerk.model.states import State

R = TypeVar("R")
T = TypeVar("T")

blocking = threading.local()
"""`blocking.worker`, set in the threads of a pool, gives up the thread's place while it waits: no pool can deadlock."""


def patiently(acquire: Callable[[float], bool], timeout: float | None) -> bool:
    """Wait in steps of a second at most.

    A signal that arrives just before a thread falls asleep in C code is noticed only when it wakes (CPython looks for
    signals between steps of Python code), so nobody sleeps for long.

    Args:
        acquire: waits for that many seconds; returns whether it got what it waits for.
        timeout: seconds in all; None for as long as it takes.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        rest = 1.0 if end is None else min(1.0, end - time.monotonic())
        if acquire(max(0.0, rest)):
            return True
        if end is not None and time.monotonic() >= end:
            return False


class Future(Generic[R]):
    """Hold the place of a value that a submitted call will give.

    Attributes:
        task_name: the name of the task (or flow).
        name: the run's name.
    """

    __slots__ = (
        "_callbacks",
        "_error",
        "_lock",
        "_loop_thread",
        "_settled",
        "_state",
        "_value",
        "call_key",
        "handled",
        "name",
        "run_id_bytes",
        "task_name",
        "upstream",
    )

    def __init__(self, run_id: bytes, name: str, task_name: str, call_key: bytes = b"") -> None:
        self.run_id_bytes = run_id
        self.name = name
        self.task_name = task_name
        self.call_key = call_key
        self.upstream: tuple[Future[Any], ...] = ()
        self.handled = False
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[Future[R]], None]] = []
        self._settled = False
        self._state: State | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._loop_thread = 0

    @property
    def run_id(self) -> str:
        """Return the run's id as UUID text."""
        return to_text(self.run_id_bytes)

    @property
    def state(self) -> State:
        """Return where the run stands, without waiting; a failure counts as handled once its state was read."""
        state = self._state
        if self._settled:
            self.handle()
        return state if state is not None else State("pending")

    def done(self) -> bool:
        """Say whether the run has ended, without counting as handling it."""
        return self._settled

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Wait for the run to end and return what its function returned.

        Args:
            timeout: seconds to wait; None waits as long as it takes.
            raise_on_failure: when False, return the exception instead of raising it.

        Raises:
            TimeoutError: it has not ended within `timeout`; the run goes on.
            BaseException: what the function raised, or `Skip`, `TaskTimedOut`, `RunCrashed`, `RunCancelled`,
                `UpstreamFailed`.
        """
        if not self._settled:
            self._wait(timeout)
        self.handle()
        if self._error is None:
            return cast("R", self._value)
        if raise_on_failure:
            raise self._error
        return cast("R", self._error)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run to end; return whether it has. Does not raise what the run raised."""
        if not self._settled:
            try:
                self._wait(timeout)
            except TimeoutError:
                return False
        return True

    def handle(self) -> None:
        """Mark a failure, and those above it in a chain of failed upstreams, as seen."""
        todo: list[Future[Any]] = [self]
        while todo:
            future = todo.pop()
            if not future.handled:
                future.handled = True
                if future._state is not None and future._state.label == "UpstreamFailed":
                    todo.extend(future.upstream)

    def add_done_callback(self, function: Callable[[Future[R]], None]) -> None:
        """Call `function(future)` once the run has ended, at once if it has; on whatever thread ends it."""
        with self._lock:
            if not self._settled:
                self._callbacks.append(function)
                return
        function(self)

    def settle(self, state: State, value: Any = None, error: BaseException | None = None) -> None:
        """Resolve the future; the engine calls this once, after the end was committed. Idempotent: the first counts."""
        with self._lock:
            if self._settled:
                return
            self._state, self._value, self._error = state, value, error
            self._settled = True
            callbacks, self._callbacks = self._callbacks, []
        if self.handled and state.label == "UpstreamFailed":
            for above in self.upstream:
                above.handle()
        for callback in callbacks:
            try:
                callback(self)
            except BaseException as problem:  # one who listens must not keep the others from hearing
                sys.excepthook(type(problem), problem, problem.__traceback__)

    def note(self, state: State) -> None:
        """Tell where the run stands before it ends."""
        if not self._settled:
            self._state = state

    def outcome(self) -> tuple[str, Any, BaseException | None]:
        """Return (state name, value, error) of an ended run, without counting as handling it."""
        return (self._state.name if self._state else "pending"), self._value, self._error

    def bind_to_loop(self, thread: int) -> None:
        """Remember the thread whose event loop runs this call; blocking that thread would wait for ever."""
        self._loop_thread = thread

    def refuse_to_block(self) -> None:
        """Check that waiting in this thread would not block the event loop that is to run this call or its upstream.

        Raises:
            DefinitionError: it would wait for ever.

        Cost: linear in the unfinished upstream.
        """
        thread, seen, todo = threading.get_ident(), {self}, [self]
        while todo:
            future = todo.pop()
            if future._settled:
                continue
            if future._loop_thread == thread:
                raise DefinitionError(
                    f"Waiting here for {self.name!r} would block the event loop that runs {future.name!r}.",
                    hint="Write `await future`, also for several at once; `asyncio.as_completed` takes futures as well.",
                )
            todo += [above for above in future.upstream if above not in seen]
            seen.update(future.upstream)

    def _wait(self, timeout: float | None) -> None:
        self.refuse_to_block()
        waiter = threading.Lock()
        waiter.acquire()
        self.add_done_callback(lambda _: waiter.release())
        worker = getattr(blocking, "worker", None)
        if worker is not None:
            worker.give_up()
        try:
            if not patiently(lambda seconds: waiter.acquire(timeout=seconds), timeout):
                raise TimeoutError(f"{self.name!r} has not ended within {timeout} s; it goes on.")
        finally:
            if worker is not None:
                worker.come_back()

    def __await__(self) -> Generator[Any, None, R]:
        if not self._settled:
            import asyncio  # asyncio costs 100 ms to import, and whoever awaits has it

            loop = asyncio.get_running_loop()
            waiter = loop.create_future()

            def wake() -> None:
                if not waiter.done():
                    waiter.set_result(None)

            def tell(_: Future[R]) -> None:
                with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                    loop.call_soon_threadsafe(wake)

            self.add_done_callback(tell)
            yield from waiter
        return self.result()

    def __repr__(self) -> str:
        return f"<future {self.name}: {self._state or 'pending'}>"


class Futures(Sequence[Future[R]]):
    """Hold the futures of a map, in the order of its items."""

    def __init__(self, futures: list[Future[R]]) -> None:
        self._futures = futures

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> list[R]:
        """Wait for all items and return their values in order.

        Raises:
            TimeoutError: not all have ended within `timeout` seconds.
            BaseException: what the first failed item, in order, raised.
        """
        end = None if timeout is None else time.monotonic() + timeout
        return [
            future.result(None if end is None else end - time.monotonic(), raise_on_failure) for future in self._futures
        ]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all items to end; return whether they have."""
        return not wait(self._futures, timeout).not_done

    @overload
    def __getitem__(self, index: int) -> Future[R]: ...
    @overload
    def __getitem__(self, index: slice) -> Futures[R]: ...
    def __getitem__(self, index: int | slice) -> Future[R] | Futures[R]:
        if isinstance(index, slice):
            return Futures(self._futures[index])
        return self._futures[index]

    def __len__(self) -> int:
        return len(self._futures)

    def __iter__(self) -> Iterator[Future[R]]:
        return iter(self._futures)

    def __repr__(self) -> str:
        return f"<{len(self._futures)} futures>"


class DoneAndNotDone(NamedTuple):
    """Hold the futures that have ended and those that have not."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


def wait(futures: Iterable[Future[Any]], timeout: float | None = None) -> DoneAndNotDone:
    """Wait until all futures have ended, or `timeout` seconds have passed; failures are not raised.

    Returns: two sets, those that have ended and those that have not.
    """
    wanted = list(futures)
    end = None if timeout is None else time.monotonic() + timeout
    for future in wanted:
        if not future.wait(None if end is None else max(0.0, end - time.monotonic())):
            break
    return DoneAndNotDone({future for future in wanted if future.done()}, {f for f in wanted if not f.done()})


def as_completed(futures: Iterable[Future[T]], timeout: float | None = None) -> Iterator[Future[T]]:
    """Yield futures as they end, the earliest first; failures are not raised.

    Raises:
        TimeoutError: not all have ended within `timeout` seconds.
    """
    wanted = list(futures)
    for future in wanted:
        future.refuse_to_block()
    ended: list[Future[T]] = []
    ready = threading.Semaphore(0)

    def note(future: Future[T]) -> None:
        ended.append(future)
        ready.release()

    for future in wanted:
        future.add_done_callback(note)
    end = None if timeout is None else time.monotonic() + timeout
    worker = getattr(blocking, "worker", None)
    for number in range(len(wanted)):
        if worker is not None:
            worker.give_up()
        try:
            rest = None if end is None else end - time.monotonic()
            got = patiently(lambda seconds: ready.acquire(timeout=seconds), rest)
        finally:
            if worker is not None:
                worker.come_back()
        if not got:
            raise TimeoutError(f"{len(wanted) - number} of {len(wanted)} futures have not ended within {timeout} s.")
        yield ended[number]


class unmapped(Generic[T]):  # noqa: N801 - users write it as a function, as in Prefect
    """Pass a value whole to every item of a map, although it could be iterated over."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class allow_failure(Generic[T]):  # noqa: N801 - users write it as a function, as in Prefect
    """Let a call run although this upstream failed; it then gets the exception (or the `Skip`) in its place."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def is_future(value: object) -> bool:
    """Say whether a value is a future, or one that may fail."""
    return isinstance(value, (Future, allow_failure))
