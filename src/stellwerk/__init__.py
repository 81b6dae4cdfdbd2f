"""Stellwerk: a self-hosted orchestrator for Python work.

`@task` and `@flow` turn functions into recorded ones; they run the same on a laptop and on a cluster.
Nothing heavy is imported here: what runs flows is assembled at the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.errors import (
    Abandoned,
    ConfigError,
    Conflict,
    DefinitionError,
    Forbidden,
    IllegalTransition,
    InternalError,
    NotFound,
    ParameterError,
    RefusedError,
    ResultError,
    RunCancelled,
    RunCrashed,
    RunError,
    Skip,
    StaleFence,
    StellwerkError,
    TaskTimedOut,
    Unauthenticated,
    UnavailableError,
    UpstreamFailed,
    UsageError,
)
from stellwerk.model import __version__
from stellwerk.model.policy import at_least, exponential_backoff
from stellwerk.model.states import State
from stellwerk.sdk import runtime as _runtime
from stellwerk.sdk.context import RunContext, get_run_context
from stellwerk.sdk.flow import Flow, ThreadPoolTaskRunner, flow
from stellwerk.sdk.futures import Future, Futures, allow_failure, as_completed, unmapped, wait
from stellwerk.sdk.logging import get_run_logger
from stellwerk.sdk.task import Task, task

if TYPE_CHECKING:
    from stellwerk.sdk.runtime import Runtime

__all__ = [
    "Abandoned",
    "ConfigError",
    "Conflict",
    "DefinitionError",
    "Flow",
    "Forbidden",
    "Future",
    "Futures",
    "IllegalTransition",
    "InternalError",
    "NotFound",
    "ParameterError",
    "RefusedError",
    "ResultError",
    "RunCancelled",
    "RunContext",
    "RunCrashed",
    "RunError",
    "Skip",
    "StaleFence",
    "State",
    "StellwerkError",
    "Task",
    "TaskTimedOut",
    "ThreadPoolTaskRunner",
    "Unauthenticated",
    "UnavailableError",
    "UpstreamFailed",
    "UsageError",
    "__version__",
    "allow_failure",
    "as_completed",
    "at_least",
    "exponential_backoff",
    "flow",
    "get_run_context",
    "get_run_logger",
    "task",
    "unmapped",
    "wait",
]


def _assemble() -> Runtime:
    from stellwerk.assemble import make_runtime  # the engine: needed at the first call, not at import

    return make_runtime()


_runtime.set_factory(_assemble)
