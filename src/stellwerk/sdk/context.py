"""Which run one is in."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from stellwerk.errors import DefinitionError
from stellwerk.model.identity import to_text


class RunContext:
    """Tell user code which run it is in. Read-only for users; `get_run_context()` gives the present one.

    Attributes:
        kind: `flow` or `task`.
        name: the run's name, such as `brave-otter`.
        flow_name: the name of the flow; empty for a task that was called outside any flow.
        task_name: the name of the task; empty in a flow run.
        attempt: the number of the present try, from 1.
        parameters: the arguments of the call by name.
        tags: the run's tags, sorted.
        parent: the context of the calling run; None for a root run.
    """

    __slots__ = ("attempt", "flow_name", "kind", "name", "parameters", "parent", "run_id_bytes", "tags", "task_name")

    kind: str
    name: str
    flow_name: str
    task_name: str
    attempt: int
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    parent: RunContext | None
    run_id_bytes: bytes

    @property
    def run_id(self) -> str:
        """Return the run's id as UUID text."""
        return to_text(self.run_id_bytes)

    def __repr__(self) -> str:
        what = f"task {self.task_name!r}" if self.task_name else f"flow {self.flow_name!r}"
        return f"<run {self.name} of {what}, attempt {self.attempt}>"


current: ContextVar[RunContext | None] = ContextVar("stellwerk_run", default=None)


def get_run_context() -> RunContext:
    """Return the context of the run that the caller is in.

    Raises:
        DefinitionError: the caller is in no run.
    """
    context = current.get()
    if context is None:
        raise DefinitionError(
            "There is no run here.", hint="Call get_run_context() inside a function decorated with @flow or @task."
        )
    return context
