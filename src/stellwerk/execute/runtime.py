"""The runtime of this process: what a call of a flow or task does. Fills the port `sdk.runtime`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stellwerk.client.transport import Transport
from stellwerk.config import Config
from stellwerk.errors import DefinitionError
from stellwerk.execute import flows, tasks
from stellwerk.execute.flows import FlowCall, Root
from stellwerk.execute.maps import spread
from stellwerk.execute.plain import PlainRuntime
from stellwerk.execute.scope import Frame, timer
from stellwerk.execute.signals import Handlers, shield
from stellwerk.execute.tasks import Call
from stellwerk.sdk.context import current
from stellwerk.sdk.flow import Flow
from stellwerk.sdk.futures import Future, Futures
from stellwerk.sdk.task import Task


class LocalRuntime:
    """Run flows and tasks in this process and report them.

    Args:
        config: the settings.
        transport: opens the line to who keeps the record; called once a durability.
    """

    def __init__(self, config: Config, transport: Callable[[str], Transport]) -> None:
        self.config = config
        self.transport = transport
        self._plain = PlainRuntime()

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a flow in place: see `Runtime.call_flow`."""
        parent = current.get()
        if _is_forked(parent):
            return self._plain.call_flow(flow, args, kwargs)
        call = FlowCall(self, flow, args, kwargs, parent if isinstance(parent, Frame) else None)
        if flow.is_async:
            return flows.run_async(call)
        if flow.is_generator:
            return flows.iterate(call)
        if flow.is_async_generator:
            return flows.iterate_async(call)
        return flows.run_sync(call)

    def call_task(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a task in place: see `Runtime.call_task`."""
        parent = current.get()
        if not isinstance(parent, Frame):
            return self._call_root_task(task, args, kwargs)
        if _is_forked(parent):
            return self._plain.call_task(task, args, kwargs)
        call = tasks.make(task, args, kwargs, parent, None)
        if task.is_async or task.is_async_generator:
            from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

            return asynchronous.run_here(call) if task.is_async else asynchronous.iterate(call)
        if task.is_generator:
            return tasks.iterate(call)
        with shield:
            return tasks.run_here(call)

    def submit_task(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], wait_for: Iterable[Any] | None
    ) -> Future[Any]:
        """Hand a task to the pool or the loop: see `Runtime.submit_task`."""
        parent = self._parent(task, "submit")
        if parent is None:
            return self._plain.submit_task(task, args, kwargs, wait_for)
        with shield:
            return tasks.start(tasks.make(task, args, kwargs, parent, wait_for), _launcher(task))

    def map_task(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], wait_for: Iterable[Any] | None
    ) -> Futures[Any]:
        """Hand a task to the pool or the loop once an item: see `Runtime.map_task`."""
        parent = self._parent(task, "map")
        items = spread(task, args, kwargs)
        if parent is None:
            return Futures([self._plain.submit_task(task, *item, None) for item in items])
        waited = list(wait_for) if wait_for is not None else None
        launch = _launcher(task)
        futures = []
        for item in items:
            with shield:
                futures.append(tasks.start(tasks.make(task, *item, parent, waited), launch))
        return Futures(futures)

    def _parent(self, task: Task[..., Any], verb: str) -> Frame | None:
        parent = current.get()
        if not isinstance(parent, Frame):
            raise DefinitionError(
                f"{task.name}.{verb}() was called outside any flow.",
                hint=f"Call it inside a function decorated with @flow, or call {task.name}(…) directly.",
            )
        if _is_forked(parent):
            return None
        if parent.closed:
            raise DefinitionError(f"{task.name}.{verb}() was called by {parent.name!r}, which has ended already.")
        return parent

    def _call_root_task(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        # A task outside any flow is a root run of its own: a flow run that calls this one task, named after it.
        if task.is_async:
            return self._single(task).call_async(args, kwargs)
        return self._single(task).call(args, kwargs)

    def _single(self, task: Task[..., Any]) -> _Single:
        return _Single(self, task)


class _Single:
    """Run one task outside any flow, under an owner of its own."""

    def __init__(self, runtime: LocalRuntime, task: Task[..., Any]) -> None:
        self._runtime = runtime
        self._task = task

    def _open(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Root, Call]:
        root = Root(self._runtime, self._task, self._task.bind(args, kwargs), None)
        stand_in = Frame(root.scope, "flow", b"", "", "", "", {}, (), None)
        call = tasks.make(self._task, args, kwargs, stand_in, None)
        call.run_id_bytes = root.run_id
        return root, call

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a sync task."""
        root, call = self._open(args, kwargs)
        with Handlers():
            try:
                if self._task.is_generator:
                    return list(tasks.iterate(call))
                return tasks.run_here(call)
            finally:
                root.finish("")

    async def call_async(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run an async task."""
        from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

        root, call = self._open(args, kwargs)
        try:
            return await asynchronous.run_here(call)
        finally:
            root.finish("")


def _is_forked(frame: object) -> bool:
    return isinstance(frame, Frame) and frame.scope.owner.pid != os.getpid()


def _launcher(task: Task[..., Any]) -> Callable[[Call], None]:
    if task.is_async or task.is_async_generator:
        from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

        return asynchronous.launch
    return _launch


def _launch(call: Call) -> None:
    pool = call.pool
    assert pool is not None
    pool.put(lambda: tasks.run_job(call, _launch_later, pool.is_empty))


def _launch_later(call: Call, delay_seconds: float) -> None:
    timer.after(delay_seconds, lambda: _launch(call))
