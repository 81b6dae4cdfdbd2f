"""Task calls: from the arguments of a call to its recorded end.

A call is a `Frame` of its own. Called directly, it runs in the caller's thread; submitted, on the flow's pool; an async
task runs on an event loop. The steps are the same: submitted, begun, ended (or begun again after a delay).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any

from xxhash import xxh3_128_digest

from stellwerk.errors import Abandoned, RunCancelled, RunCrashed, Skip
from stellwerk.execute.attempt import Outcome, call_here, let_go
from stellwerk.execute.identities import draw, new_id
from stellwerk.execute.owner import now
from stellwerk.execute.results import clean, describe
from stellwerk.execute.scope import Frame
from stellwerk.execute.signals import exposed, shield
from stellwerk.execute.upstream import Upstream, fill, find, upstream_failed
from stellwerk.model import policy
from stellwerk.model.messages import Began, Ended, Granted, Message, Result, Submitted, Yielded
from stellwerk.model.states import Cause, Error, State
from stellwerk.sdk import fingerprint
from stellwerk.sdk.futures import Future
from stellwerk.sdk.parameters import jsonable, run_name, shown
from stellwerk.sdk.task import Task

QUICK_SECONDS = 0.005
"""A task that took less, last time, is reported as begun together with its end; others before they begin."""
_MISSING = object()


class Call(Frame):
    """Hold one call of a task."""

    __slots__ = ("arguments", "call_key", "code_hash", "is_decided", "item_index", "n", "task", "upstream")

    def __init__(
        self, task: Task[..., Any], arguments: dict[str, Any], parent: Frame, upstream: Upstream | None
    ) -> None:
        number = parent.count_name(task.name)
        template = task.options.task_run_name
        name = f"{task.name}-{number}" if template is None else run_name(template, arguments)
        tags = tuple(sorted({*parent.tags, *task.tags})) if task.tags else parent.tags
        super().__init__(
            parent.scope, "task", new_id(), clean(name), parent.flow_name, task.name, arguments, tags, parent
        )
        if task.options.log_prints is not None:
            self.print_logs = task.options.log_prints
        self.task = task
        self.arguments = arguments
        self.upstream = upstream
        self.is_decided = False
        self.item_index = -1
        self.code_hash = parent.scope.code(task, task.options.version)
        self.call_key = _call_key(self)
        self.n = parent.count_key(self.call_key) if self.call_key else 0

    def submitted(self) -> Submitted:
        """Make the message that brings the run into being."""
        parent = self.parent
        assert isinstance(parent, Frame)
        upstream = self.upstream
        return Submitted(
            self.run_id_bytes,
            now(),
            "task",
            self.name,
            self.flow_name,
            self.task_name,
            parent.run_id_bytes,
            self.call_key,
            self.n,
            self.item_index,
            self.code_hash,
            self.tags,
            _parameters(self.arguments),
            tuple(future.run_id_bytes for future in upstream.futures()) if upstream else (),
            upstream is None,
        )

    def enter(self) -> Any:
        """Call the user's function with values in the place of futures; return what it returns at once."""
        arguments = self.arguments
        if self.upstream is not None:
            arguments = fill(arguments, self.task.options.run_when != "all_succeeded")
        return self.task.parameters.call(self.task.fn, arguments)

    def body(self) -> Any:
        """Call the user's function and wait for what it submitted."""
        value = self.enter()
        if self.task.is_generator:
            value = list(value)
        return self.join(value) if self.pending or self.failed or isinstance(value, Future) else value


def make(
    task: Task[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    parent: Frame,
    wait_for: Iterable[Any] | None,
    item_index: int = -1,
) -> Call:
    """Make a call, its key and its name; nothing is recorded yet.

    Args:
        item_index: its place in a map, from 0; -1 when it is no item of one.

    Raises:
        ParameterError: the arguments do not fit.
    """
    arguments = task.bind(args, kwargs)
    call = Call(task, arguments, parent, find(arguments, wait_for))
    call.item_index = item_index
    return call


def submit_message(call: Call) -> None:
    """Report that a call came into being."""
    with shield:
        if call.future is not None and call.upstream is None:
            call.scope.owner.announce(call.submitted())
        else:
            call.scope.owner.post(call.submitted())
        call.scope.open(call)
        call.scope.tally.move(call.task_name, "", "pending")


def remembered(call: Call) -> Any:
    """Return what an equal call gave in an earlier attempt of the flow; `is_missing` tells that there is none."""
    parent = call.parent
    assert isinstance(parent, Frame)
    if parent.memo is None or not call.call_key:
        return _MISSING
    return parent.memo.get((call.call_key, call.n), _MISSING)


def is_missing(value: Any) -> bool:
    """Say whether `remembered` found nothing."""
    return value is _MISSING


def run_here(call: Call) -> Any:
    """Run a call in the caller's thread; raise what it raised."""
    value = remembered(call)
    if value is not _MISSING:
        return value
    _admit(call)
    try:
        while True:
            outcome = _attempt(call)
            ending = end(call, outcome)
            if ending.is_void:
                raise Abandoned("This run was ended by somebody else.") from outcome.problem
            if outcome.is_stop or call.scope.is_relaxed:
                call.scope.owner.post(ending.message)
            else:
                call.scope.owner.commit(ending.message)
            if ending.delay_seconds is None:
                if outcome.problem is not None:
                    raise outcome.problem
                return outcome.value
            with exposed:
                time.sleep(ending.delay_seconds)
    except BaseException as problem:
        break_off(call, problem)
        raise


def _admit(call: Call) -> None:
    if call.upstream is not None:
        with exposed:
            for future in call.upstream.futures():
                future.wait()
                call.upstream.count(future)
    submit_message(call)
    closed = close_undecided(call)
    if closed is not None:
        call.scope.owner.commit(closed.message)
        raise closed.error


def _attempt(call: Call) -> Outcome:
    begin(call)
    started = time.perf_counter()
    outcome = call_here(call, call.body, call.task.options.timeout_seconds)
    if outcome.problem is not None or call.opened:
        outcome = let_go(call, outcome)
    call.scope.durations[call.task_name] = time.perf_counter() - started
    return outcome


def break_off(call: Call, problem: BaseException) -> None:
    """End a call that something stopped between its attempts; does nothing when it has ended."""
    if not call.closed and call.scope.owner.problem is None:
        ending = end(call, Outcome(problem=problem), may_retry=False)
        if not ending.is_void:
            call.scope.owner.post(ending.message)


def start(call: Call, launch: Callable[[Call], None]) -> Future[Any]:
    """Submit a call; `launch` is called once it may run.

    Returns: its future, settled after its end was committed.
    """
    future: Future[Any] = Future(call.run_id_bytes, call.name, call.task_name, call.call_key and _keyed(call))
    call.future = future
    value = remembered(call)
    if value is not _MISSING:
        future.settle(State("completed", "Cached"), value)
        return future
    parent = call.parent
    assert isinstance(parent, Frame)
    parent.add(future)
    submit_message(call)
    if call.upstream is None:
        launch(call)
        return future
    future.upstream = tuple(call.upstream.futures())
    for above in future.upstream:
        above.add_done_callback(lambda ended: decide(call, launch, ended))
    return future


def decide(call: Call, launch: Callable[[Call], None], ended: Future[Any]) -> None:
    """See whether a waiting call may run now that one more of its upstream has ended, or never will."""
    assert call.upstream is not None
    call.upstream.count(ended)
    with call.upstream.lock:  # several may end at once, on several threads
        if call.is_decided or call.closed or call.upstream.decide(call.task.options.run_when) == "wait":
            return
        call.is_decided = True
    closed = close_undecided(call)
    if closed is None:
        call.scope.owner.post(Granted(call.run_id_bytes, now()))
        launch(call)
        return
    future = call.future
    assert future is not None
    if not closed.is_void:
        call.scope.owner.post(closed.message, partial(future.settle, closed.state, None, closed.error))


class Closed:
    """Hold the end of a call that never began."""

    __slots__ = ("error", "is_void", "message", "state")

    def __init__(self, message: Message, state: State, error: BaseException, is_void: bool) -> None:
        self.message = message
        self.state = state
        self.error = error
        self.is_void = is_void


def close_undecided(call: Call) -> Closed | None:
    """End a call whose upstream keeps it from running; None when it may run."""
    upstream, options = call.upstream, call.task.options
    if upstream is None:
        return None
    decision = upstream.decide(options.run_when)
    if decision == "run":
        if options.run_when != "all_succeeded":
            for future in upstream.futures():
                if future.done():
                    future.handle()
        for future in upstream.allowed():
            future.handle()
        return None
    is_void = not call.scope.close(call)
    if decision == "upstream_failed":
        error: BaseException = upstream_failed(call.name, upstream)
        told = describe(error)
        call.scope.tally.move(call.task_name, "pending", "failed")
        message = Ended(call.run_id_bytes, now(), "failed", label="UpstreamFailed", error=told)
        return Closed(message, State("failed", "UpstreamFailed", None, told), error, is_void)
    is_skipped = options.run_when == "all_succeeded"
    label = "UpstreamSkipped" if is_skipped else "ConditionUnmet"
    reason = "a task it needs was skipped" if is_skipped else f"its run_when={options.run_when!r} can no longer hold"
    error = Skip(f"{call.name!r} was skipped: {reason}.")
    call.scope.tally.move(call.task_name, "pending", "skipped")
    message = Ended(call.run_id_bytes, now(), "skipped", label=label)
    return Closed(message, State("skipped", label), error, is_void)


def run_job(call: Call, launch_later: Callable[[Call, float], None], flush_when: Callable[[], bool]) -> None:
    """Run one attempt of a submitted call on a pool thread. Never raises."""
    if call.closed:
        return
    scope = call.scope
    try:
        settle(call, _attempt(call), launch_later)
        if flush_when():
            scope.owner.flush()
    except BaseException as problem:
        fail(call, problem)


def settle(call: Call, outcome: Outcome, launch_later: Callable[[Call, float], None]) -> None:
    """Report the end of a submitted call's attempt, and resolve its future once that is committed."""
    future, scope = call.future, call.scope
    assert future is not None
    ending = end(call, outcome)
    if ending.is_void:
        return
    if ending.delay_seconds is not None:
        future.note(ending.state)
        scope.owner.post(ending.message)
        launch_later(call, ending.delay_seconds)
        return
    if scope.is_relaxed:
        scope.owner.post(ending.message)
        _resolve(call, ending.state, outcome)
        return
    scope.owner.post(ending.message, partial(_resolve, call, ending.state, outcome))


def _resolve(call: Call, state: State, outcome: Outcome) -> None:
    future, problem = call.future, call.scope.owner.problem
    assert future is not None
    if problem is not None:
        future.settle(State("crashed"), None, problem)
    elif outcome.then == "cancelled":
        # Whoever asks for the result was not cancelled, which asyncio's own exception would make of it.
        error = RunCancelled(f"{call.name!r} was cancelled: {outcome.cause.evidence if outcome.cause else ''}.")
        error.__cause__ = outcome.problem
        future.settle(state, None, error)
    else:
        future.settle(state, outcome.value, outcome.problem)


def fail(call: Call, problem: BaseException) -> None:
    """Resolve a call that the engine itself could not carry through, and record that if anything can be recorded."""
    scope = call.scope
    if scope.owner.problem is None:
        cause = Cause("agent_bug", f"{type(problem).__name__}: {shown(problem)}")
        for message in scope.stop([call], "crashed", "", cause, problem):
            scope.owner.post(message)
    scope.close(call)
    if call.future is not None:
        error = problem if not isinstance(problem, Abandoned) else RunCrashed(str(problem))
        call.future.settle(State("crashed"), None, error)


def begin(call: Call, commit: Callable[[Message], None] | None = None) -> None:
    """Report that an attempt enters user code: before it does, unless the task is known to be quick."""
    scope = call.scope
    call.attempt += 1
    call.attempt_running = True
    scope.tally.move(call.task_name, "pending", "running")
    message = Began(call.run_id_bytes, now(), call.attempt)
    if scope.is_relaxed or scope.durations.get(call.task_name, QUICK_SECONDS) < QUICK_SECONDS:
        scope.owner.post(message)
    else:
        (commit or scope.owner.commit)(message)


class Ending:
    """Hold the message of an attempt's end, the state it leads to, and how long to wait for the next one, if any."""

    __slots__ = ("delay_seconds", "is_void", "message", "state")

    def __init__(self, message: Message, state: State, delay_seconds: float | None, is_void: bool = False) -> None:
        self.message = message
        self.state = state
        self.delay_seconds = delay_seconds
        self.is_void = is_void


def end(call: Call, outcome: Outcome, may_retry: bool = True) -> Ending:
    """Decide what follows an attempt: the end, or another attempt."""
    scope, options = call.scope, call.task.options
    result: Result | None = None
    error: Error | None = None
    if outcome.problem is None:
        try:
            result = scope.record(call, outcome.value, options.persist_result)
        except Exception as problem:
            outcome.fail(problem)
    if outcome.problem is not None:
        error = describe(outcome.problem)
    at = now()
    was_running, call.attempt_running = call.attempt_running, False
    if may_retry and was_running and outcome.then == "failed" and outcome.label != "Exited":
        delay = retry_delay(call, outcome, error)
        if delay is not None:
            until = at + int(delay * 1_000_000)
            scope.tally.move(call.task_name, "running", "pending")
            message = Ended(
                call.run_id_bytes,
                at,
                "retried",
                call.attempt,
                "raised",
                "AwaitingRetry",
                outcome.cause,
                error,
                None,
                until,
            )
            return Ending(message, State("scheduled", "AwaitingRetry", outcome.cause, error), delay, call.closed)
    is_void = not scope.close(call)
    scope.tally.move(call.task_name, "running", outcome.then)
    if outcome.then == "completed":
        parent = call.parent
        if isinstance(parent, Frame) and parent.memo is not None and call.call_key:
            parent.memo[call.call_key, call.n] = outcome.value
    if not was_running:
        message = Ended(call.run_id_bytes, at, outcome.then, label=outcome.label, cause=outcome.cause)
        return Ending(message, State(outcome.then, outcome.label, outcome.cause), None, is_void)
    message = Ended(
        call.run_id_bytes, at, outcome.then, call.attempt, outcome.event, outcome.label, outcome.cause, error, result
    )
    return Ending(message, State(outcome.then, outcome.label, outcome.cause, error), None, is_void)


def retry_delay(call: Call, outcome: Outcome, error: Error | None) -> float | None:
    """Return the seconds until the next attempt, or None when there is none."""
    options = call.task.options
    if call.attempt > options.retries:
        return None
    condition = options.retry_condition_fn
    if condition is not None:
        state = State("failed", outcome.label, outcome.cause, error)
        try:
            if not condition(call.task, call, state):
                return None
        except Exception as problem:
            call.scope.warn_once(
                call,
                f"retry_condition_fn of task {call.task_name!r} raised {type(problem).__name__}: {problem}; no retry.",
            )
            return None
    try:
        return policy.retry_delay(options.retry_delay_seconds, call.attempt, options.retry_jitter_factor, draw())
    except Exception as problem:
        call.scope.warn_once(call, f"retry_delay_seconds of task {call.task_name!r} failed: {problem}; no retry.")
        return None


def iterate(call: Call) -> Generator[Any, Any, Any]:
    """Run a generator task that was called directly: its items are recorded as they are handed out."""
    with shield:
        _admit(call)
        begin(call)
        open_iteration(call)
    made: list[Generator[Any, Any, Any]] = []
    sent: Any = None

    def step() -> Any:
        if not made:
            made.append(call.enter())
        return made[0].send(sent)

    index = 0
    while True:
        with shield:
            outcome = call_here(call, step, None)
            if outcome.problem is not None:
                break
            yielded(call, index, outcome.value)
        index += 1
        try:
            sent = yield outcome.value
        except GeneratorExit:
            with shield:
                outcome = call_here(call, made[0].close, None)
                _end_iteration(call, outcome)
            if outcome.problem is not None:
                raise outcome.problem from None
            raise
    with shield:
        if isinstance(outcome.problem, StopIteration):
            value = outcome.problem.value
            outcome = call_here(call, lambda: call.join(value), None)
        _end_iteration(call, outcome)
    if outcome.problem is not None:
        raise outcome.problem
    return outcome.value


def open_iteration(call: Call) -> None:
    """Remember that a generator is open: the run that called it ends it if nobody uses it up."""
    parent = call.parent
    assert isinstance(parent, Frame)
    if parent.opened is None:
        parent.opened = set()
    parent.opened.add(call)


def yielded(call: Call, index: int, value: Any) -> None:
    """Report an item that a generator handed out."""
    result = call.scope.record(call, value, call.task.options.persist_result)
    if result is not None and not call.closed:
        call.scope.owner.post(Yielded(call.run_id_bytes, now(), index, result))


def close_iteration(call: Call, outcome: Outcome) -> Message | None:
    """Decide how a generator's run ends; None when something else has ended it."""
    parent = call.parent
    if isinstance(parent, Frame) and parent.opened is not None:
        parent.opened.discard(call)
    # Items were handed out already: a second try would hand them out again.
    ending = end(call, outcome, may_retry=False)
    return None if ending.is_void else ending.message


def _end_iteration(call: Call, outcome: Outcome) -> None:
    message = close_iteration(call, let_go(call, outcome))
    if message is not None:
        call.scope.owner.commit(message)


def _call_key(call: Call) -> bytes:
    task = call.task
    key = task.options.key
    if key is None:
        inputs = fingerprint.call_inputs(call.arguments)
        if inputs is None:
            culprit = next(
                (f"{name}={kind}" for name, value in call.arguments.items() if (kind := fingerprint.obstacle(value))),
                "?",
            )
            call.scope.warn_once(
                call,
                f"Calls of task {task.name!r} can't be recognised again on resume, because of the argument {culprit}. "
                "They will run again; give the task key=… if something else identifies the call.",
            )
            return b""
    else:
        chosen = task.parameters.call(key, call.arguments) if callable(key) else key
        inputs = fingerprint.fingerprint(chosen)
        if inputs is None:
            return b""
    # The code's hash and the inputs' have a fixed length, so the name in front is told apart.
    return xxh3_128_digest(task.name.encode() + call.code_hash + inputs)


def _keyed(call: Call) -> bytes:
    return call.call_key + call.n.to_bytes(4, "big")


def _parameters(arguments: dict[str, Any]) -> bytes:
    return jsonable({name: _named(value) for name, value in arguments.items()}) if arguments else b""


def _named(value: Any) -> Any:
    if isinstance(value, Future):
        return f"<result of {value.name}>"
    return value


fingerprint.register(Future, lambda future: future.call_key or None)
