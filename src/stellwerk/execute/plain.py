"""The runtime of a forked child, which has no line to who keeps the record: flows and tasks are the functions they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stellwerk.errors import Skip
from stellwerk.execute.identities import new_id
from stellwerk.execute.maps import spread
from stellwerk.execute.upstream import fill
from stellwerk.model.states import State
from stellwerk.sdk.flow import Flow
from stellwerk.sdk.futures import Future, Futures
from stellwerk.sdk.task import Task


class PlainRuntime:
    """Call functions in place; a submitted call runs at once and gives a future that has ended."""

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the flow's function."""
        arguments = fill(flow.bind(args, kwargs), False)
        return flow.parameters.call(flow.fn, flow.parameters.validate(arguments))

    def call_task(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the task's function."""
        return task.parameters.call(task.fn, fill(task.bind(args, kwargs), False))

    def submit_task(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], wait_for: Iterable[Any] | None
    ) -> Future[Any]:
        """Call the task's function and return a future that has ended."""
        future: Future[Any] = Future(new_id(), task.name, task.name)
        try:
            value = self.call_task(task, args, kwargs)
            if task.is_async:
                import asyncio  # most of what starting costs

                value = asyncio.run(value)
            future.settle(State("completed"), list(value) if task.is_generator else value)
        except Skip as skip:
            future.settle(State("skipped"), None, skip)
        except Exception as problem:
            future.settle(State("failed"), None, problem)
        return future

    def map_task(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], wait_for: Iterable[Any] | None
    ) -> Futures[Any]:
        """Call the task's function once an item."""
        return Futures([self.submit_task(task, *item, wait_for) for item in spread(task, args, kwargs)])
