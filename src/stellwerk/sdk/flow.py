"""`@flow`: a function that calls tasks, and whose runs are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from stellwerk.errors import DefinitionError
from stellwerk.model import policy
from stellwerk.sdk import runtime
from stellwerk.sdk.definition import Definition, checked_seconds, checked_text

P = ParamSpec("P")
R = TypeVar("R")
DURABILITIES = ("relaxed", "strict", "power")


class ThreadPoolTaskRunner(msgspec.Struct, frozen=True):
    """Run submitted tasks in threads of the flow's own process.

    Args:
        max_workers: how many at once; the setting `max_workers` by default.
    """

    max_workers: int | None = None

    def __post_init__(self) -> None:
        count: Any = self.max_workers
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise DefinitionError(f"max_workers={count!r} must be a whole number, 1 or more.")


class FlowOptions(msgspec.Struct, frozen=True):
    """Hold the checked options of a flow; `flow()` documents them."""

    version: str | None = None
    description: str = ""
    flow_run_name: str | Callable[..., str] | None = None
    retries: int = 0
    retry_delay_seconds: Any = None
    timeout_seconds: float | None = None
    log_prints: bool | None = None
    validate_parameters: bool = True
    task_runner: ThreadPoolTaskRunner | None = None
    durability: str | None = None
    persist_result: bool = True


class Flow(Definition, Generic[P, R]):
    """Hold a function whose runs are recorded. Made by `flow`.

    Attributes:
        fn: the plain function.
        name: the flow's name.
        tags: sorted.
        options: what was asked for.
    """

    def __init__(self, fn: Callable[P, R], name: str | None, tags: Iterable[str], options: FlowOptions) -> None:
        self._define(fn, "flow", name, tags)
        self.options = options

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the flow here and return its value; an async flow gives a coroutine.

        Raises:
            ParameterError: the arguments do not fit; every bad one is named, and nothing was recorded.
            BaseException: what its function raised, or the exception of a failed task that nobody handled.
        """
        return cast("R", runtime.get().call_flow(self, args, kwargs))

    def with_options(self, **changes: Any) -> Flow[P, R]:
        """Return the same flow with some options changed; takes what `flow` takes.

        Raises:
            DefinitionError: an option is unknown or has a wrong value.
        """
        unknown = changes.keys() - _KNOWN
        if unknown:
            raise _unknown_option(sorted(unknown)[0])
        options = {**msgspec.structs.asdict(self.options), "name": self.name, "tags": self.tags, **changes}
        made = _make(self.fn, **options)
        made.replaces(self)
        return cast("Flow[P, R]", made)

    def __get__(self, instance: object, owner: type | None = None) -> Flow[..., R]:
        return cast("Flow[..., R]", self.found_on(instance, owner))

    def __repr__(self) -> str:
        return f"<flow {self.name}>"


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    version: str | None = None,
    flow_run_name: str | Callable[..., str] | None = None,
    retries: int = 0,
    retry_delay_seconds: float | list[float] | Callable[[int], float] | None = None,
    timeout_seconds: float | None = None,
    log_prints: bool | None = None,
    validate_parameters: bool = True,
    task_runner: ThreadPoolTaskRunner | None = None,
    durability: str | None = None,
    persist_result: bool = True,
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function (sync, async, generator, method) into a flow.

    Args:
        name: shown everywhere; the function's name by default.
        description: one sentence for people; the docstring by default.
        tags: words to find its runs by.
        version: shown with its runs.
        flow_run_name: template such as `"nightly-{date}"`, or a callable of the arguments.
        retries: how often it starts again after the user's code failed; completed tasks do not run again.
        retry_delay_seconds: a number, a list (its last one repeats) or a callable from 1, 2, … to seconds.
        timeout_seconds: longest duration of one attempt.
        log_prints: record what the flow and its tasks print as log lines.
        validate_parameters: check and convert the arguments by their annotations.
        task_runner: where submitted tasks run; threads by default.
        durability: `strict` (default): what depends on a task starts after its completion is committed; `relaxed`:
            completions are committed soon; `power`: strict, and every commit survives a power cut.
        persist_result: False keeps no result.

    Raises:
        DefinitionError: an option is unknown or has a wrong value.
    """
    if fn is not None:
        return _make(fn, **options)
    unknown = options.keys() - _KNOWN
    if unknown:
        raise _unknown_option(sorted(unknown)[0])
    return lambda function: _make(function, **options)


_KNOWN = frozenset({*FlowOptions.__struct_fields__, "name", "tags"})


def _make(fn: Callable[..., Any], name: str | None = None, tags: Iterable[str] = (), **options: Any) -> Flow[..., Any]:
    made = Flow(fn, name, tags, FlowOptions())
    what = f"flow {made.name!r}"
    policy.checked_retry(options.get("retries", 0), options.get("retry_delay_seconds"), None)
    options["timeout_seconds"] = checked_seconds(what, "timeout_seconds", options.get("timeout_seconds"))
    durability = options.get("durability")
    if durability is not None and durability not in DURABILITIES:
        raise DefinitionError(f"durability={durability!r} of {what} must be one of {', '.join(DURABILITIES)}.")
    runner = options.get("task_runner")
    if runner is not None and not isinstance(runner, ThreadPoolTaskRunner):
        raise DefinitionError(f"task_runner={runner!r} of {what} must be a ThreadPoolTaskRunner(…).")
    if options.get("flow_run_name") == "":
        raise DefinitionError(f"flow_run_name of {what} is empty.", hint="Leave it out for a random name.")
    for field in ("version", "flow_run_name"):
        if options.get(field) is not None and not callable(options[field]):
            checked_text(what, field, options[field])
    options["description"] = options.get("description") or ""
    made.options = FlowOptions(**options)
    return made


def _unknown_option(name: str) -> DefinitionError:
    return DefinitionError(f"A flow has no option {name!r}.", hint=f"There are: {', '.join(sorted(_KNOWN))}.")
