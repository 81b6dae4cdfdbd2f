"""`@task`: a function whose calls are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from stellwerk.errors import DefinitionError
from stellwerk.model import policy
from stellwerk.model.states import State
from stellwerk.sdk import runtime
from stellwerk.sdk.definition import Definition, checked_seconds, checked_text
from stellwerk.sdk.futures import Future, Futures

P = ParamSpec("P")
R = TypeVar("R")
RetryCondition = Callable[["Task[..., Any]", Any, State], bool]


class TaskOptions(msgspec.Struct, frozen=True):
    """Hold the checked options of a task; `task()` documents them."""

    version: str | None = None
    key: str | Callable[..., Any] | None = None
    description: str = ""
    task_run_name: str | Callable[..., str] | None = None
    retries: int = 0
    retry_delay_seconds: Any = None
    retry_jitter_factor: float | None = None
    retry_condition_fn: RetryCondition | None = None
    timeout_seconds: float | None = None
    log_prints: bool | None = None
    run_when: str = "all_succeeded"
    persist_result: bool = True


class Task(Definition, Generic[P, R]):
    """Hold a function whose calls are recorded. Made by `task`.

    Attributes:
        fn: the plain function, for unit tests and for calls that should leave no record.
        name: the task's name.
        tags: sorted.
        options: what was asked for.
    """

    def __init__(self, fn: Callable[P, R], name: str | None, tags: Iterable[str], options: TaskOptions) -> None:
        self._define(fn, "task", name, tags)
        self.options = options

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task here and return its value; an async task gives a coroutine, a generator task a generator."""
        return cast("R", runtime.get().call_task(self, args, kwargs))

    def submit(self, /, *args: Any, wait_for: Iterable[Any] | None = None, **kwargs: Any) -> Future[R]:
        """Hand the call to the flow's task runner.

        Args:
            args, kwargs: the task's arguments; futures among them, also inside lists, tuples, dicts and dataclasses,
                are waited for and replaced by their values.
            wait_for: futures to wait for although their values are not needed.

        Raises:
            ParameterError: the arguments do not fit; nothing was recorded.
            DefinitionError: the caller is in no flow or task run.
        """
        return runtime.get().submit_task(self, args, kwargs, wait_for)

    def map(self, /, *args: Any, wait_for: Iterable[Any] | None = None, **kwargs: Any) -> Futures[R]:
        """Hand the task to the task runner once for each item of its iterable arguments.

        Args:
            args, kwargs: iterables of one length, walked side by side; texts, bytes, other values that can't be
                iterated over and `unmapped(…)` go to every item whole. A future of a list is waited for first.
            wait_for: futures that every item waits for.

        Returns: the items' futures in order; none for an empty iterable.

        Raises:
            ParameterError: the iterables differ in length, none is iterable, or the arguments do not fit.
        """
        return runtime.get().map_task(self, args, kwargs, wait_for)

    def with_options(self, **changes: Any) -> Task[P, R]:
        """Return the same task with some options changed; takes what `task` takes.

        Raises:
            DefinitionError: an option is unknown or has a wrong value.
        """
        unknown = changes.keys() - _KNOWN
        if unknown:
            raise _unknown_option(sorted(unknown)[0])
        options = {**msgspec.structs.asdict(self.options), "name": self.name, "tags": self.tags, **changes}
        made = _make(self.fn, **options)
        made.replaces(self)
        return cast("Task[P, R]", made)

    def __get__(self, instance: object, owner: type | None = None) -> Task[..., R]:
        return cast("Task[..., R]", self.found_on(instance, owner))

    def __repr__(self) -> str:
        return f"<task {self.name}>"


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    version: str | None = None,
    key: str | Callable[..., Any] | None = None,
    task_run_name: str | Callable[..., str] | None = None,
    retries: int = 0,
    retry_delay_seconds: float | list[float] | Callable[[int], float] | None = None,
    retry_jitter_factor: float | None = None,
    retry_condition_fn: RetryCondition | None = None,
    timeout_seconds: float | None = None,
    log_prints: bool | None = None,
    run_when: str = "all_succeeded",
    persist_result: bool = True,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function (sync, async, generator, method) into a task.

    Args:
        name: shown everywhere; the function's name by default.
        description: one sentence for people; the docstring by default.
        tags: words to find its runs by.
        version: stands for the code in the call key in place of the source.
        key: text, or a callable of the arguments, that stands for the inputs in the call key.
        task_run_name: template such as `"train-{model}"`, or a callable of the arguments.
        retries: how often it starts again after the user's code failed.
        retry_delay_seconds: a number, a list (its last one repeats) or a callable from 1, 2, … to seconds.
        retry_jitter_factor: f draws each delay d uniformly from [d, d·(1 + f)].
        retry_condition_fn: `(task, run, state) -> bool`; False ends the retries.
        timeout_seconds: longest duration of one attempt.
        log_prints: record what it prints as log lines; the flow's choice by default.
        run_when: `all_succeeded`, `all_finished`, `any_failed`, `any_succeeded`, `all_failed` or `at_least(n)` of
            the tasks it depends on.
        persist_result: False keeps no result, so that it runs again on resume.

    Raises:
        DefinitionError: an option is unknown or has a wrong value.
    """
    if fn is not None:
        return _make(fn, **options)
    unknown = options.keys() - _KNOWN
    if unknown:
        raise _unknown_option(sorted(unknown)[0])
    return lambda function: _make(function, **options)


_KNOWN = frozenset({*TaskOptions.__struct_fields__, "name", "tags"})


def _make(fn: Callable[..., Any], name: str | None = None, tags: Iterable[str] = (), **options: Any) -> Task[..., Any]:
    made = Task(fn, name, tags, TaskOptions())
    what = f"task {made.name!r}"
    policy.checked_retry(
        options.get("retries", 0), options.get("retry_delay_seconds"), options.get("retry_jitter_factor")
    )
    options["timeout_seconds"] = checked_seconds(what, "timeout_seconds", options.get("timeout_seconds"))
    if "run_when" in options:
        options["run_when"] = policy.checked_condition(options["run_when"])
    for field in ("version", "key", "task_run_name"):
        if options.get(field) is not None and not callable(options[field]):
            checked_text(what, field, options[field])
    condition = options.get("retry_condition_fn")
    if condition is not None and not callable(condition):
        raise DefinitionError(f"retry_condition_fn={condition!r} of {what} must be a function.")
    options["description"] = options.get("description") or ""
    made.options = TaskOptions(**options)
    return made


def _unknown_option(name: str) -> DefinitionError:
    return DefinitionError(f"A task has no option {name!r}.", hint=f"There are: {', '.join(sorted(_KNOWN))}.")
