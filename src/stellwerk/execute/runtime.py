"""The runtime of this process: what a call of a flow or task does. Fills the port `sdk.runtime`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from typing import Any

from stellwerk.client.transport import Transport
from stellwerk.config import Config
from stellwerk.errors import DefinitionError
from stellwerk.execute import flows, tasks
from stellwerk.execute.flows import FlowCall, Root
from stellwerk.execute.maps import spread
from stellwerk.execute.plain import PlainRuntime
from stellwerk.execute.scope import Frame, timer
from stellwerk.execute.signals import Handlers, Terminated, die_of, guarded, shield
from stellwerk.execute.tasks import Call
from stellwerk.execute.threads import Pool
from stellwerk.sdk.context import current
from stellwerk.sdk.flow import Flow
from stellwerk.sdk.futures import Future, Futures
from stellwerk.sdk.task import Task


class LocalRuntime:
    """Run flows and tasks in this process and report them.

    A forked child of a run has no line to who keeps the record: there, they are plain functions.

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
        _refuse_ended(parent, f"{flow.name}()")
        if flow.is_async and isinstance(parent, Frame):
            return flows.run_child_async(self, flow, args, kwargs, parent)
        call = FlowCall(self, flow, args, kwargs, parent if isinstance(parent, Frame) else None)
        if flow.is_async:
            return flows.run_async(call)
        if flow.is_generator:
            return flows.iterate(call) if call.root is None else guarded(flows.iterate(call))
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
        _refuse_ended(parent, f"{task.name}()")
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
        for index, item in enumerate(items):
            with shield:
                futures.append(tasks.start(tasks.make(task, *item, parent, waited, index), launch))
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
        _refuse_ended(parent, f"{task.name}.{verb}()")
        return parent

    def _call_root_task(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        # A task outside any flow is a root run of its own.
        single = _Single(self, task, args, kwargs)
        if task.is_async:
            return single.run_async()
        if task.is_generator:
            return single.iterate()
        return single.iterate_async() if task.is_async_generator else single.run()


class _Single:
    """Run one task outside any flow, under an owner of its own."""

    def __init__(
        self, runtime: LocalRuntime, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._runtime = runtime
        self._task = task
        self._args = args
        self._kwargs = kwargs
        self._arguments = task.bind(args, kwargs)

    def _open(self) -> tuple[Root, Call]:
        root = Root(self._runtime, self._task, self._arguments, None)
        stand_in = Frame(root.scope, "flow", b"", "", "", "", {}, (), None)
        stand_in.pool = Pool(self._runtime.config.max_workers, f"stellwerk-{self._task.name}")
        call = tasks.make(self._task, self._args, self._kwargs, stand_in, None)
        call.run_id_bytes = root.run_id
        if self._runtime.config.recording:
            root.watch(call.name)
        return root, call

    def _close(self, root: Root, call: Call) -> None:
        if call.pool is not None:
            call.pool.close()
        root.finish("")

    def run(self) -> Any:
        """Run a sync task."""
        root, call = self._open()
        with shield, Handlers():
            try:
                try:
                    return tasks.run_here(call)
                except (KeyboardInterrupt, Terminated):
                    root.owner.hurry()
                    raise
                finally:
                    self._close(root, call)
            except Terminated as problem:
                die_of(problem.number)
                raise

    def iterate(self) -> Generator[Any, Any, Any]:
        """Run a generator task; nothing is recorded before its first item is asked for."""
        root, call = self._open()
        try:
            return (yield from guarded(tasks.iterate(call)))
        finally:
            self._close(root, call)

    async def run_async(self) -> Any:
        """Run an async task."""
        from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

        root, call = self._open()
        try:
            try:
                with asynchronous.signals_of(root.scope):
                    return await asynchronous.run_here(call)
            except BaseException:
                if root.scope.signalled:
                    root.owner.hurry()
                raise
            finally:
                self._close(root, call)
        except BaseException:
            stop = asynchronous.stop_of(root.scope)
            if isinstance(stop, Terminated):
                die_of(stop.number)
            if stop is not None:
                raise stop from None
            raise

    async def iterate_async(self) -> AsyncIterator[Any]:
        """Run an async generator task."""
        from stellwerk.execute import asynchronous  # asyncio is most of what starting costs

        root, call = self._open()
        try:
            async for item in asynchronous.iterate(call):
                yield item
        finally:
            self._close(root, call)


def _is_forked(frame: object) -> bool:
    return isinstance(frame, Frame) and frame.scope.owner.pid != os.getpid()


def _refuse_ended(parent: object, what: str) -> None:
    if isinstance(parent, Frame) and parent.closed:
        raise DefinitionError(
            f"{what} was called by {parent.name!r}, which has ended already.",
            hint="Code that goes on after its run, such as a thread of its own, can start nothing in it any more.",
        )


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
