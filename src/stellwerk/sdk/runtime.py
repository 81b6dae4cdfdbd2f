"""The port to whoever runs flows and tasks. Filled by assemble at the first call, never at import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from stellwerk.errors import InternalError

if TYPE_CHECKING:
    from stellwerk.sdk.flow import Flow
    from stellwerk.sdk.futures import Future, Futures
    from stellwerk.sdk.task import Task


class Runtime(Protocol):
    """Run what users call."""

    def call_task(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a task in place and return its value; a coroutine or a generator where its function gives one."""

    def submit_task(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        wait_for: Iterable[Any] | None,
    ) -> Future[Any]:
        """Hand a task to the flow's task runner."""

    def map_task(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        wait_for: Iterable[Any] | None,
    ) -> Futures[Any]:
        """Hand a task to the flow's task runner once an item."""

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a flow in place: a root run, or a child of the run that calls it."""


_factory: Callable[[], Runtime] | None = None
_runtime: Runtime | None = None


def set_factory(factory: Callable[[], Runtime]) -> None:
    """Say who makes the runtime when the first flow or task is called."""
    global _factory
    _factory = factory


def install(runtime: Runtime | None) -> Runtime | None:
    """Put a runtime in place (None: made anew at the next call) and return the one before."""
    global _runtime
    before, _runtime = _runtime, runtime
    return before


def get() -> Runtime:
    """Return the runtime, made at the first call."""
    global _runtime
    if _runtime is None:
        if _factory is None:
            raise InternalError("No runtime was assembled.", hint="Import `stellwerk`, not a module inside it.")
        _runtime = _factory()
    return _runtime
