"""Task calls: from the arguments of a call to its recorded end.

A call is a `Frame` of its own. Called directly, it runs in the caller's thread; submitted, on the flow's pool; an async
task runs on an event loop. The steps are the same: submitted, begun, ended (or begun again after a delay).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any

from xxhash import xxh3_128_digest

from stellwerk.errors import Abandoned, RunCancelled, RunCrashed, Skip, StellwerkError
from stellwerk.execute.attempt import Outcome, call_here, let_go
from stellwerk.execute.identities import draw, new_id
from stellwerk.execute.owner import now
from stellwerk.execute.results import clean, describe
from stellwerk.execute.scope import Frame
from stellwerk.execute.signals import exposed, shield
from stellwerk.execute.upstream import Upstream, fill, find, upstream_failed
from stellwerk.model import policy
from stellwerk.model.messages import Began, Ended, Granted, Result, Submitted, Yielded
from stellwerk.model.states import Cause, Error, State
from stellwerk.sdk import fingerprint
from stellwerk.sdk.futures import Future, allow_failure
from stellwerk.sdk.parameters import jsonable, run_name, shown
from stellwerk.sdk.task import Task

QUICK_SECONDS = 0.005
"""A task that took less, last time, is reported as begun together with its end; others before they begin."""


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
    with shield, call.lock:
        call.scope.open(call)
        if call.future is not None and call.upstream is None:
            call.scope.owner.announce(call.submitted())
        else:
            call.scope.owner.put(call.submitted())
    call.scope.tally.move(call.task_name, "", "pending")


def remembered(call: Call) -> tuple[Any, bytes] | None:
    """Return the value and the run of an equal call in an earlier attempt of the flow; None when there was none."""
    parent = call.parent
    assert isinstance(parent, Frame)
    if parent.memo is None or not call.call_key:
        return None
    return parent.memo.get((call.call_key, call.n))


def run_here(call: Call) -> Any:
    """Run a call in the caller's thread; raise what it raised."""
    known = remembered(call)
    if known is not None:
        return known[0]
    _admit(call)
    try:
        while True:
            outcome = _attempt(call)
            ending = end(call, outcome)
            if ending.is_void:
                raise Abandoned("This run was ended by somebody else.") from outcome.problem
            if not outcome.is_stop and not call.scope.is_relaxed:
                call.scope.owner.flush()
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
        call.scope.owner.flush()
        raise closed.error


def _attempt(call: Call) -> Outcome:
    if begin(call):
        call.scope.owner.flush()
    started = time.perf_counter()
    outcome = call_here(call, call.body, call.task.options.timeout_seconds)
    if outcome.problem is not None or call.opened:
        outcome = let_go(call, outcome)
    call.scope.durations[call.task_name] = time.perf_counter() - started
    return outcome


def break_off(call: Call, problem: BaseException) -> None:
    """End a call that something stopped between its attempts; does nothing when it has ended."""
    if not call.closed and call.scope.owner.problem is None:
        end(call, Outcome(problem=problem), may_retry=False)


def start(call: Call, launch: Callable[[Call], None]) -> Future[Any]:
    """Submit a call; `launch` is called once it may run.

    Returns: its future, settled after its end was committed.
    """
    known = remembered(call)
    run_id = call.run_id_bytes if known is None else known[1]
    future: Future[Any] = Future(run_id, call.name, call.task_name, call.call_key and _keyed(call))
    call.future = future
    if known is not None:
        future.settle(State("completed", "Cached"), known[0])
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
    """See whether a waiting call may run now that one more of its upstream has ended, or never will. Never raises."""
    upstream, future = call.upstream, call.future
    assert upstream is not None
    assert future is not None
    try:
        upstream.count(ended)
        with upstream.lock:  # several may end at once, on several threads
            if call.is_decided or call.closed or upstream.decide(call.task.options.run_when) == "wait":
                return
            call.is_decided = True
        if close_undecided(call) is not None:
            return
        with call.lock:
            if not call.closed:
                call.scope.owner.put(Granted(call.run_id_bytes, now()))
        launch(call)
    except BaseException as problem:
        fail(call, problem)


class Closed:
    """Hold the end of a call that never began."""

    __slots__ = ("error", "state")

    def __init__(self, state: State, error: BaseException) -> None:
        self.state = state
        self.error = error


def close_undecided(call: Call) -> Closed | None:
    """End a call whose upstream keeps it from running; None when it may run."""
    upstream, run_when = call.upstream, call.task.options.run_when
    if upstream is None:
        return None
    decision = upstream.decide(run_when)
    if decision == "run":
        # A failure that this call takes as it comes is handled, whether it came already or comes yet.
        for future in upstream.futures() if run_when != "all_succeeded" else upstream.allowed():
            future.handle()
        return None
    if decision == "upstream_failed":
        error: BaseException = upstream_failed(call.name, upstream)
        closed = Closed(State("failed", "UpstreamFailed", None, describe(error)), error)
    else:
        is_skipped = run_when == "all_succeeded"
        reason = "a task it needs was skipped" if is_skipped else f"its run_when={run_when!r} can no longer hold"
        label = "UpstreamSkipped" if is_skipped else "ConditionUnmet"
        closed = Closed(State("skipped", label), Skip(f"{call.name!r} was skipped: {reason}."))
    _close(call, closed)
    return closed


def _close(call: Call, closed: Closed) -> None:
    state, future = closed.state, call.future
    if future is None and call.upstream is not None:
        # Called directly, so the error goes straight to the caller: whether it is caught is seen there.
        for above in call.upstream.futures():
            above.handle()
    callback = None if future is None else partial(future.settle, state, None, closed.error)
    with call.lock:
        if not call.scope.close(call):
            return
        call.scope.owner.put(
            Ended(call.run_id_bytes, now(), state.name, label=state.label, error=state.error), callback
        )
    call.scope.tally.move(call.task_name, "pending", state.name)


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
    ending = end(call, outcome, resolve=None if scope.is_relaxed else partial(_resolve, call, outcome))
    if ending.is_void:
        return
    if ending.delay_seconds is not None:
        future.note(ending.state)
        launch_later(call, ending.delay_seconds)
    elif scope.is_relaxed:
        _resolve(call, outcome, ending.state)
    scope.owner.relieve()


def _resolve(call: Call, outcome: Outcome, state: State) -> None:
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
        with contextlib.suppress(StellwerkError, Abandoned):  # there is a problem by now; the future tells it
            scope.stop([call], "crashed", "", cause, problem)
    with call.lock:
        scope.close(call)
    if call.future is not None:
        error = problem if not isinstance(problem, Abandoned) else RunCrashed(str(problem))
        call.future.settle(State("crashed"), None, error)


def begin(call: Call) -> bool:
    """Report that an attempt enters user code.

    Returns: whether that must be committed before it does: always, unless the task is known to be quick.

    Raises:
        Abandoned: something else has ended the run.
    """
    scope = call.scope
    with call.lock:
        if call.closed:
            raise Abandoned("This run was ended by somebody else.")
        call.attempt += 1
        call.attempt_running = True
        scope.owner.put(Began(call.run_id_bytes, now(), call.attempt))
    scope.tally.move(call.task_name, "pending", "running")
    return not scope.is_relaxed and scope.durations.get(call.task_name, QUICK_SECONDS) >= QUICK_SECONDS


class Ending:
    """Hold the state that an attempt's end leads to, and how long to wait for the next one, if any.

    It is void when something else has ended the run before.
    """

    __slots__ = ("delay_seconds", "is_void", "state")

    def __init__(self, state: State, delay_seconds: float | None = None, is_void: bool = False) -> None:
        self.state = state
        self.delay_seconds = delay_seconds
        self.is_void = is_void


def end(call: Call, outcome: Outcome, may_retry: bool = True, resolve: Callable[[State], None] | None = None) -> Ending:
    """Decide what follows an attempt, the end or another attempt, and report it.

    Args:
        resolve: called with the final state once that is committed.
    """
    scope = call.scope
    result: Result | None = None
    error: Error | None = None
    if outcome.then == "completed":
        try:
            result = scope.record(call, outcome.value, call.task.options.persist_result)
        except Exception as problem:
            outcome.fail(problem)
    if outcome.problem is not None:
        error = describe(outcome.problem)
    delay: float | None = None
    if may_retry and call.attempt_running and outcome.then == "failed" and outcome.label != "Exited":
        delay = retry_delay(call, outcome, error)
    at, number, cause = now(), call.attempt, outcome.cause
    with call.lock:
        if call.closed:
            return Ending(State(outcome.then), None, is_void=True)
        was_running, call.attempt_running = call.attempt_running, False
        if delay is not None:
            state = State("scheduled", "AwaitingRetry", cause, error)
            until = at + int(delay * 1_000_000)
            scope.owner.put(
                Ended(call.run_id_bytes, at, "retried", number, "raised", outcome.label, cause, error, None, until)
            )
        else:
            state = State(outcome.then, outcome.label, cause, error)
            scope.close(call)
            if was_running:
                ended = Ended(
                    call.run_id_bytes, at, outcome.then, number, outcome.event, outcome.label, cause, error, result
                )
            else:
                ended = Ended(call.run_id_bytes, at, outcome.then, label=outcome.label, cause=cause)
            scope.owner.put(ended, partial(resolve, state) if resolve is not None else None)
    scope.tally.move(
        call.task_name, "running" if was_running else "pending", "pending" if delay is not None else state.name
    )
    if outcome.then == "completed" and call.call_key:
        parent = call.parent
        if isinstance(parent, Frame) and parent.memo is not None:
            parent.memo[call.call_key, call.n] = (outcome.value, call.run_id_bytes)
    return Ending(state, delay)


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
    if not call.scope.config.recording:
        return 0.0  # a unit test is not to wait
    try:
        return policy.retry_delay(options.retry_delay_seconds, call.attempt, options.retry_jitter_factor, draw())
    except Exception as problem:
        call.scope.warn_once(call, f"retry_delay_seconds of task {call.task_name!r} failed: {problem}; no retry.")
        return None


def iterate(call: Call) -> Generator[Any, Any, Any]:
    """Run a generator task that was called directly: its items are recorded as they are handed out."""
    with shield:
        _admit(call)
        try:
            if begin(call):
                call.scope.owner.flush()
        except BaseException as problem:
            break_off(call, problem)
            raise
        open_iteration(call)
    made: list[Generator[Any, Any, Any]] = []

    def start_body() -> Any:
        made.append(call.enter())
        return next(made[0])

    step: Callable[[], Any] = start_body
    index = 0
    while True:
        with shield:
            outcome = call_here(call, step, None)
            if outcome.problem is not None:
                break
            yielded(call, index, outcome.value)
        index += 1
        try:
            step = partial(made[0].send, (yield outcome.value))
        except GeneratorExit:
            with shield:
                outcome = call_here(call, made[0].close, None)
                if outcome.problem is None:
                    outcome.leave_early()
                _end_iteration(call, outcome)
            if outcome.problem is not None:
                raise outcome.problem from None
            raise
        except BaseException as problem:
            step = partial(made[0].throw, problem)
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


def close_iteration(call: Call, outcome: Outcome) -> None:
    """Report how a generator's run ends, unless something else has ended it."""
    parent = call.parent
    if isinstance(parent, Frame) and parent.opened is not None:
        parent.opened.discard(call)
    # Items were handed out already: a second try would hand them out again.
    end(call, outcome, may_retry=False)


def _end_iteration(call: Call, outcome: Outcome) -> None:
    outcome = let_go(call, outcome)
    close_iteration(call, outcome)
    if not outcome.is_stop:
        call.scope.owner.flush()


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
    if isinstance(value, allow_failure):
        value = value.value
    if isinstance(value, Future):
        return f"<result of {value.name}>"
    return value


fingerprint.register(Future, lambda future: future.call_key or None)
