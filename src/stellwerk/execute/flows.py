"""Flow runs: a root run opens an owner, a child run shares it; both wait for what they submitted before they end."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import sys
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from xxhash import xxh3_128_digest

from stellwerk.client.process import this_process
from stellwerk.errors import Abandoned, StaleFence, StellwerkError, UnavailableError
from stellwerk.execute import logs, progress, watcher
from stellwerk.execute.attempt import Outcome, call_here, let_go
from stellwerk.execute.identities import draw, new_id, new_name
from stellwerk.execute.owner import Owner, now
from stellwerk.execute.plan import plan_of
from stellwerk.execute.progress import Progress
from stellwerk.execute.results import clean, describe
from stellwerk.execute.scope import Frame, Scope, timer
from stellwerk.execute.signals import Handlers, Terminated, die_of, exposed, shield
from stellwerk.execute.threads import Pool
from stellwerk.execute.upstream import fill_value, find
from stellwerk.model import policy
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Ended, Opening, Submitted
from stellwerk.model.states import Cause
from stellwerk.sdk import fingerprint
from stellwerk.sdk.definition import Definition
from stellwerk.sdk.flow import Flow
from stellwerk.sdk.futures import is_future
from stellwerk.sdk.parameters import jsonable, run_name

if TYPE_CHECKING:
    from stellwerk.execute.runtime import LocalRuntime


class FlowCall:
    """Hold one call of a flow, from its checked arguments to its end."""

    def __init__(
        self,
        runtime: LocalRuntime,
        flow: Flow[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        parent: Frame | None,
    ) -> None:
        arguments = flow.bind(args, kwargs)
        if parent is not None:
            arguments = {name: fill_value(value) for name, value in arguments.items()}
        if flow.options.validate_parameters:
            arguments = flow.parameters.validate(arguments, is_future=is_future)
        self.flow = flow
        self.arguments = arguments
        self.root = None if parent is not None else Root(runtime, flow, arguments, flow.options.durability)
        scope = parent.scope if parent is not None else self._root().scope
        self.scope = scope
        template = flow.options.flow_run_name
        name = new_name() if template is None else clean(run_name(template, arguments))
        run_id = new_id() if self.root is None else self.root.run_id
        tags = tuple(sorted({*flow.tags, *(parent.tags if parent else ())}))
        self.frame = Frame(scope, "flow", run_id, name, flow.name, "", arguments, tags, parent)
        if flow.options.log_prints is not None:
            self.frame.print_logs = flow.options.log_prints
        if parent is None or flow.options.task_runner is not None:
            size = (
                flow.options.task_runner.max_workers if flow.options.task_runner else None
            ) or scope.config.max_workers
            self.frame.pool = Pool(size, f"stellwerk-{name}")
        if flow.options.retries:
            self.frame.memo = {}
        self.memo_key = self._key(parent)

    def _root(self) -> Root:
        assert self.root is not None
        return self.root

    def submit(self) -> None:
        """Report that the run came into being; a root run is committed before its code begins."""
        frame = self.frame
        parent_id = frame.parent.run_id_bytes if isinstance(frame.parent, Frame) else b""
        frame_message = Submitted(
            frame.run_id_bytes,
            now(),
            "flow",
            frame.name,
            frame.flow_name,
            parent_id=parent_id,
            code_hash=self.scope.code(self.flow, self.flow.options.version),
            tags=frame.tags,
            parameters=jsonable(self.arguments) if self.arguments else b"",
        )
        with frame.lock:
            self.scope.open(frame)
            self.scope.owner.put(frame_message)
        if self.root is not None and self.scope.config.recording:
            self.root.watch(self.frame.name)

    def begin(self) -> None:
        """Report that an attempt begins.

        Raises:
            Abandoned: something else has ended the run.
        """
        frame = self.frame
        with frame.lock:
            if frame.closed:
                raise Abandoned("This run was ended by somebody else.")
            frame.attempt += 1
            frame.attempt_running = True
            frame.calls.clear()
            frame.names.clear()
            frame.failed.clear()
            self.scope.owner.put(Began(frame.run_id_bytes, now(), frame.attempt))

    def body(self) -> Callable[[], Any]:
        """Return the call of the user's function, followed by the wait for all it submitted."""
        return lambda: self.frame.join(self.enter())

    def enter(self) -> Any:
        """Call the flow's function: a coroutine or a generator where it gives one."""
        return self.flow.parameters.call(self.flow.fn, self.arguments)

    def end(self, outcome: Outcome, may_retry: bool = True) -> float | None:
        """Decide what follows an attempt and report it.

        Returns: the seconds until the next attempt; None when there is none.
        """
        frame, scope, options = self.frame, self.scope, self.flow.options
        result = error = None
        if outcome.then == "completed":
            try:
                result = scope.record(frame, outcome.value, options.persist_result)
            except Exception as problem:
                outcome.fail(problem)
        if outcome.problem is not None:
            error = describe(outcome.problem)
        may_retry = may_retry and frame.attempt_running and frame.attempt <= options.retries
        may_retry = may_retry and outcome.then == "failed" and outcome.label != "Exited"
        delay = self._delay() if may_retry else None
        run_id, at, number, cause = frame.run_id_bytes, now(), frame.attempt, outcome.cause
        with frame.lock:
            if frame.closed:
                return None
            was_running, frame.attempt_running = frame.attempt_running, False
            if delay is not None:
                until = at + int(delay * 1_000_000)
                ended = Ended(run_id, at, "retried", number, "raised", outcome.label, cause, error, None, until)
            elif was_running:
                ended = Ended(run_id, at, outcome.then, number, outcome.event, outcome.label, cause, error, result)
            else:
                ended = Ended(run_id, at, outcome.then, label=outcome.label, cause=cause)
            if delay is None:
                scope.close(frame)
            scope.owner.put(ended)
        if self.root is not None and outcome.label == "Exited" and cause is not None:
            self.root.last_words = _exited(frame, cause, scope.config.recording)
        if outcome.then == "completed" and self.memo_key is not None:
            self._remember(outcome.value)
        return delay

    def remembered(self) -> tuple[Any, bytes] | None:
        """Return the value and the run of an equal child flow in an earlier attempt of the calling flow, if any."""
        parent = self.frame.parent
        if self.memo_key is None or not isinstance(parent, Frame) or parent.memo is None:
            return None
        return parent.memo.get(self.memo_key)

    def _remember(self, value: Any) -> None:
        parent = self.frame.parent
        if self.memo_key is not None and isinstance(parent, Frame) and parent.memo is not None:
            parent.memo[self.memo_key] = (value, self.frame.run_id_bytes)

    def _key(self, parent: Frame | None) -> tuple[bytes, int] | None:
        inputs = fingerprint.call_inputs(self.arguments) if parent is not None and parent.memo is not None else None
        if parent is None or inputs is None:
            return None
        code = self.scope.code(self.flow, self.flow.options.version)
        key = xxh3_128_digest(b"flow " + self.flow.name.encode() + code + inputs)
        return key, parent.count_key(key)

    def _delay(self) -> float | None:
        if not self.scope.config.recording:
            return 0.0  # a unit test is not to wait
        try:
            return policy.retry_delay(self.flow.options.retry_delay_seconds, self.frame.attempt, None, draw())
        except Exception as problem:  # of the user's callable
            self.scope.warn_once(
                self.frame, f"retry_delay_seconds of flow {self.flow.name!r} failed: {problem}; no retry."
            )
            return None

    def leave(self) -> None:
        """Let go of what the run held."""
        parent = self.frame.parent
        if self.frame.pool is not None and not (isinstance(parent, Frame) and parent.pool is self.frame.pool):
            self.frame.pool.close()


class Root:
    """Hold what a root run has besides its frame: the owner, the signal handlers and the watcher."""

    def __init__(
        self, runtime: LocalRuntime, definition: Definition, arguments: Mapping[str, Any], durability: str | None
    ) -> None:
        config = runtime.config
        self.run_id = new_id()
        durability = durability or config.durability
        transport = runtime.transport(durability)
        opening = Opening(this_process(), plan_of(definition, arguments, transport), config.lease_seconds)
        self.owner = Owner(transport, self.run_id, opening)
        self.scope = Scope(self.owner, config, durability, logs.warn)
        self.is_over = False
        self.last_words = ""
        self._progress: Progress | None = None
        logs.install(config.log_level)
        close_given_up()

    def watch(self, name: str) -> None:
        """See, every third of a lease for as long as the run lasts, that a watcher renews the lease."""
        self._tell_page(name)
        root = weakref.ref(self)

        def look() -> None:
            living = root()
            if living is not None and not living.is_over and living.owner.pid == os.getpid():
                watcher.start(living.scope.config, living.owner.transport)
                timer.after(living.scope.config.lease_seconds / 3, look)

        timer.after(self.scope.config.lease_seconds / 3, look)

    def _tell_page(self, name: str) -> None:
        """Say where the run can be watched; of a script with many root runs, only of the first."""
        url = self.owner.transport.page_url(self.run_id)
        if not url or _shown or self.scope.config.progress == "off":
            return
        _shown.append(url)
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stderr
            progress.write(f"{progress.harmless(name)} · {url}")

    def show(self, title: str) -> None:
        """Show progress on a terminal, if wanted."""
        wanted = self.scope.config.progress
        if wanted == "off" or (wanted == "auto" and not _is_terminal(sys.stderr)):
            return
        self._progress = Progress(self.scope.tally, title)
        self._progress.start()

    def finish(self, final: str) -> None:
        """Send the rest and end the owner's thread."""
        self.is_over = True
        if self._progress is not None:
            self._progress.stop(final)
        known = self.owner.problem
        try:
            self.owner.close()
        except (StellwerkError, Abandoned):
            if known is None and not self.owner.is_hurried:
                raise
        finally:
            if self.owner.is_hurried and isinstance(self.owner.problem, UnavailableError):
                _say_untold(self.run_id, self.owner.problem)
            if self.owner.problem is not None and not isinstance(self.owner.problem, StaleFence):
                _given_up.append(self.owner)
                close_given_up()
        if self.last_words and self.owner.problem is None and progress.leaves_summary:
            with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stderr (any more)
                progress.write(self.last_words)


def _exited(frame: Frame, cause: Cause, is_recorded: bool) -> str:
    """Say that a run failed where Python itself says nothing: it exits by the number alone, which may be 0."""
    name = shlex.quote(frame.name) if frame.name.isprintable() else to_text(frame.run_id_bytes)
    more = f" `stellwerk runs show {name}` tells more." if is_recorded else ""
    return f"Run {frame.name!r} failed: its code called {cause.evidence}.{more}"


def _say_untold(run_id: bytes, problem: UnavailableError) -> None:
    """Say that the record does not know how a run ended, and what it will make of that."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no stderr (any more)
        progress.write(
            f"{problem.message} It could not be told how run {to_text(run_id)} ended: it counts as running until the "
            "server is back and finds this process gone, and then as crashed."
        )


_shown: list[str] = []  # the page that this process has named
_given_up: list[Owner] = []
os.register_at_fork(after_in_child=_given_up.clear)


def close_given_up() -> None:
    """Tell the record of runs that could not be recorded to their end: they crashed. Tried again until it is done."""
    for owner in list(_given_up):
        with contextlib.suppress(StellwerkError):
            owner.give_up()
            _given_up.remove(owner)


atexit.register(close_given_up)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def run_sync(call: FlowCall) -> Any:
    """Run a flow in the caller's thread and return its value; raise what it raised."""
    with shield:
        if call.root is None:
            return _attempts(call)
        with Handlers():
            try:
                try:
                    call.root.show(f"{call.frame.name} · {call.flow.name}")
                    return _attempts(call)
                except (KeyboardInterrupt, Terminated):
                    call.root.owner.hurry()
                    raise
                finally:
                    _close_root(call)
            except Terminated as problem:
                die_of(problem.number)
                raise


def _attempts(call: FlowCall) -> Any:
    known = call.remembered()
    if known is not None:
        return known[0]
    owner = call.scope.owner
    call.submit()
    try:
        while True:
            call.begin()
            owner.flush()
            outcome = call_here(call.frame, call.body(), call.flow.options.timeout_seconds)
            outcome = let_go(call.frame, outcome)
            delay = _end(call, outcome)
            if delay is None:
                if outcome.problem is not None:
                    raise outcome.problem
                return outcome.value
            try:
                with exposed:
                    time.sleep(delay)
            except BaseException as problem:
                _end(call, let_go(call.frame, Outcome(problem=problem)))
                raise
    except BaseException as problem:
        _break_off(call, problem)
        raise
    finally:
        call.leave()


def _end(call: FlowCall, outcome: Outcome) -> float | None:
    owner = call.scope.owner
    if isinstance(outcome.problem, Abandoned) and (call.frame.closed or owner.problem is not None):
        raise Abandoned(str(owner.problem or outcome.problem)) from outcome.problem
    delay = call.end(outcome)
    _commit_end(call, outcome.problem)
    return delay


def _commit_end(call: FlowCall, problem: BaseException | None) -> None:
    """Wait for the commit of a run's end; when the process was asked to stop, only for the root's, and not for long."""
    owner = call.scope.owner
    if not isinstance(problem, (KeyboardInterrupt, Terminated)):
        owner.flush()
    elif call.root is not None:
        owner.hurry()
        with contextlib.suppress(UnavailableError):  # told when the root run is closed
            owner.flush()


def _close_root(call: FlowCall) -> None:
    if call.root is not None and not call.root.is_over:
        call.root.finish(f"{call.frame.name} · {call.flow.name}")


async def run_async(call: FlowCall) -> Any:
    """Run an async flow on the running loop and return its value; raise what it raised."""
    from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

    owner, frame = call.scope.owner, call.frame
    if call.root is not None:
        call.root.show(f"{frame.name} · {call.flow.name}")
    try:
        with contextlib.nullcontext() if call.root is None else asynchronous.signals_of(call.scope):
            known = call.remembered()
            if known is not None:
                return known[0]
            asynchronous.use_running_loop(frame)
            call.submit()
            while True:
                call.begin()
                await asynchronous.committed(owner)
                body = asynchronous.joining(frame, call.enter)
                outcome = await asynchronous.call_async(frame, body, call.flow.options.timeout_seconds)
                outcome = await asynchronous.let_go(frame, outcome)
                if outcome.is_forced:
                    delay = _end(call, outcome)
                else:
                    delay = call.end(outcome)
                    await asynchronous.committed(owner)
                if delay is None:
                    if outcome.problem is not None:
                        raise asynchronous.upwards(call.scope, outcome.problem)
                    return outcome.value
                await asynchronous.sleep(delay)
    except BaseException as problem:
        stop = asynchronous.stop_of(call.scope) or problem
        _break_off(call, stop)
        if call.root is None:
            raise
        if isinstance(stop, Terminated):
            _close_root(call)
            die_of(stop.number)
        raise stop from stop.__cause__
    finally:
        call.leave()
        _close_root(call)


def _break_off(call: FlowCall, problem: BaseException) -> None:
    # What stopped the engine between attempts, not in user code, ends the run all the same.
    if not call.frame.closed and call.scope.owner.problem is None:
        call.end(let_go(call.frame, Outcome(problem=problem)), may_retry=False)
        _commit_end(call, problem)


async def run_child_async(
    runtime: LocalRuntime, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], parent: Frame
) -> Any:
    """Run an async flow that another run called, once the futures among its arguments have ended."""
    from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

    upstream = find(flow.bind(args, kwargs), None)
    if upstream is not None:
        for future in upstream.futures():
            await asynchronous.wait_for_future(future)
    return await run_async(FlowCall(runtime, flow, args, kwargs, parent))


def iterate(call: FlowCall) -> Generator[Any, Any, Any]:
    """Run a generator flow: it goes on as far as its items are asked for."""
    frame = call.frame
    made: list[Generator[Any, Any, Any]] = []

    def start_body() -> Any:
        made.append(call.enter())
        return next(made[0])

    def leave() -> Any:
        made[0].close()
        return frame.join(None)

    step: Callable[[], Any] = start_body
    outcome = Outcome(None)
    try:
        with shield:
            call.submit()
            call.begin()
            call.scope.owner.flush()
        while True:
            outcome = call_here(frame, step, None)
            if outcome.problem is not None:
                break
            try:
                step = partial(made[0].send, (yield outcome.value))
            except GeneratorExit:
                outcome = call_here(frame, leave, None)
                if outcome.problem is None:
                    outcome.leave_early()
                raise
            except BaseException as problem:
                step = partial(made[0].throw, problem)
        if isinstance(outcome.problem, StopIteration):
            value = outcome.problem.value
            outcome = call_here(frame, lambda: frame.join(value), None)
        if outcome.problem is not None:
            raise outcome.problem
        return outcome.value
    finally:
        with shield:
            _end_iteration(call, let_go(frame, outcome))


async def iterate_async(call: FlowCall) -> AsyncIterator[Any]:
    """Run an async generator flow: it goes on as far as its items are asked for."""
    from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

    frame = call.frame
    asynchronous.use_running_loop(frame)
    outcome = Outcome(None)
    try:
        call.submit()
        call.begin()
        await asynchronous.committed(call.scope.owner)
        generator: AsyncGenerator[Any, None] = call.enter()
        while True:
            outcome = await asynchronous.call_async(frame, generator.__anext__, None)
            if outcome.problem is not None:
                break
            yield outcome.value
        if isinstance(outcome.problem, StopAsyncIteration):
            outcome = await asynchronous.call_async(frame, asynchronous.joining(frame, asynchronous.nothing), None)
        if outcome.problem is not None:
            raise outcome.problem
    except GeneratorExit:
        outcome = await asynchronous.call_async(frame, asynchronous.joining(frame, generator.aclose), None)
        if outcome.problem is None:
            outcome.leave_early()
        raise
    finally:
        _end_iteration(call, await asynchronous.let_go(frame, outcome))


def _end_iteration(call: FlowCall, outcome: Outcome) -> None:
    call.end(outcome, may_retry=False)
    _commit_end(call, outcome.problem)
    call.leave()
    _close_root(call)
