"""Flow runs: a root run opens an owner, a child run shares it; both wait for what they submitted before they end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from stellwerk.errors import Abandoned, RunCrashed, StellwerkError
from stellwerk.execute import logs, watcher
from stellwerk.execute.attempt import Outcome, call_here, let_go
from stellwerk.execute.identities import draw, new_id, new_name
from stellwerk.execute.owner import Owner, now
from stellwerk.execute.plan import plan_of
from stellwerk.execute.process import this_process
from stellwerk.execute.progress import Progress
from stellwerk.execute.results import clean, describe
from stellwerk.execute.scope import Frame, Scope, timer
from stellwerk.execute.signals import Handlers, Terminated, die_of, exposed, shield
from stellwerk.execute.threads import Pool
from stellwerk.execute.upstream import fill_value, find
from stellwerk.model import policy
from stellwerk.model.messages import Began, Ended, Message, Opening, Submitted
from stellwerk.model.states import Cause
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
        self.scope.open(frame)
        self.scope.owner.post(frame_message)

    def begin(self) -> Message:
        """Make the message of an attempt's beginning."""
        frame = self.frame
        frame.attempt += 1
        frame.attempt_running = True
        frame.calls.clear()
        frame.names.clear()
        frame.failed.clear()
        return Began(frame.run_id_bytes, now(), frame.attempt)

    def body(self) -> Callable[[], Any]:
        """Return the call of the user's function, followed by the wait for all it submitted."""
        return lambda: self.frame.join(self.enter())

    def enter(self) -> Any:
        """Call the flow's function: a coroutine or a generator where it gives one."""
        return self.flow.parameters.call(self.flow.fn, self.arguments)

    def end(self, outcome: Outcome, may_retry: bool = True) -> tuple[Message | None, float | None]:
        """Decide what follows an attempt.

        Returns: the message (None when the run was ended by somebody else) and the seconds until the next attempt.
        """
        frame, scope, options = self.frame, self.scope, self.flow.options
        result = error = None
        if outcome.problem is None:
            try:
                result = scope.record(frame, outcome.value, options.persist_result)
            except Exception as problem:
                outcome.fail(problem)
        if outcome.problem is not None:
            error = describe(outcome.problem)
        was_running, frame.attempt_running = frame.attempt_running, False
        at = now()
        may_retry = may_retry and was_running and outcome.then == "failed" and outcome.label != "Exited"
        delay = self._delay() if may_retry and frame.attempt <= options.retries else None
        if delay is not None:
            until = at + int(delay * 1_000_000)
            message = Ended(
                frame.run_id_bytes,
                at,
                "retried",
                frame.attempt,
                "raised",
                "AwaitingRetry",
                outcome.cause,
                error,
                None,
                until,
            )
            return (None if frame.closed else message), delay
        if self.root is not None:
            self._end_the_rest()
        if not scope.close(frame):
            return None, None
        if not was_running:
            return Ended(frame.run_id_bytes, at, outcome.then, label=outcome.label, cause=outcome.cause), None
        return (
            Ended(
                frame.run_id_bytes,
                at,
                outcome.then,
                frame.attempt,
                outcome.event,
                outcome.label,
                outcome.cause,
                error,
                result,
            ),
            None,
        )

    def _end_the_rest(self) -> None:
        # Nothing is left here unless the engine itself was hit: memory or the stack was used up in the midst of it.
        left = self.scope.below(self.frame)
        cause = Cause("agent_bug", "how it ended could not be recorded")
        for message in self.scope.stop(left, "crashed", "", cause, RunCrashed(cause.evidence)):
            self.scope.owner.post(message)

    def _delay(self) -> float | None:
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
        opening = Opening(this_process(), plan_of(definition, arguments), config.lease_seconds)
        self.owner = Owner(transport, self.run_id, opening)
        self.scope = Scope(self.owner, config, durability, logs.warn)
        self.is_over = False
        self._progress: Progress | None = None
        logs.install(config.log_level)
        timer.after(config.lease_seconds / 3, self._watch)

    def _watch(self) -> None:
        if not self.is_over and self.owner.pid == os.getpid():
            watcher.start(self.scope.config)

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
            if known is None:
                raise


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
                finally:
                    _close_root(call)
            except Terminated as problem:
                die_of(problem.number)
                raise


def _attempts(call: FlowCall) -> Any:
    owner = call.scope.owner
    call.submit()
    try:
        while True:
            owner.commit(call.begin())
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
    finally:
        call.leave()


def _end(call: FlowCall, outcome: Outcome) -> float | None:
    if isinstance(outcome.problem, Abandoned):
        raise outcome.problem
    message, delay = call.end(outcome)
    if message is not None:
        call.scope.owner.commit(message)
    return delay


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
            asynchronous.use_running_loop(frame)
            call.submit()
            while True:
                await asynchronous.committed(owner, call.begin())
                body = asynchronous.joining(frame, call.enter)
                outcome = await asynchronous.call_async(frame, body, call.flow.options.timeout_seconds)
                outcome = await asynchronous.let_go(frame, outcome)
                delay = _end(call, outcome)
                if delay is None:
                    if outcome.problem is not None:
                        raise outcome.problem
                    return outcome.value
                await asynchronous.sleep(delay)
    except BaseException as problem:
        stop = asynchronous.stop_of(call.scope.signalled) or problem
        _break_off(call, stop)
        if isinstance(stop, Terminated) and call.root is not None:
            _close_root(call)
            die_of(stop.number)
        raise stop from stop.__cause__
    finally:
        call.leave()
        _close_root(call)


def _break_off(call: FlowCall, problem: BaseException) -> None:
    # What stopped the engine between attempts, not in user code, ends the run all the same.
    if not call.frame.closed and call.scope.owner.problem is None:
        outcome = let_go(call.frame, Outcome(problem=problem))
        message, _ = call.end(outcome, may_retry=False)
        if message is not None:
            call.scope.owner.commit(message)


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
    sent: Any = None

    def step() -> Any:
        if not made:
            made.append(call.enter())
        return made[0].send(sent)

    def leave() -> Any:
        made[0].close()
        return frame.join(None)

    outcome = Outcome(None)
    try:
        with shield:
            call.submit()
            call.scope.owner.commit(call.begin())
        while True:
            outcome = call_here(frame, step, None)
            if outcome.problem is not None:
                break
            sent = yield outcome.value
        if isinstance(outcome.problem, StopIteration):
            value = outcome.problem.value
            outcome = call_here(frame, lambda: frame.join(value), None)
        if outcome.problem is not None:
            raise outcome.problem
        return outcome.value
    except GeneratorExit:
        outcome = call_here(frame, leave, None)
        raise
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
        await asynchronous.committed(call.scope.owner, call.begin())
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
        raise
    finally:
        _end_iteration(call, await asynchronous.let_go(frame, outcome))


def _end_iteration(call: FlowCall, outcome: Outcome) -> None:
    message, _ = call.end(outcome, may_retry=False)
    if message is not None:
        call.scope.owner.commit(message)
    call.leave()
    _close_root(call)
