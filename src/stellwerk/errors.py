"""Every public exception of Stellwerk.

The tree says whose fault it is, and so what to do::

    StellwerkError                 carries .code, .hint, .facts
    ├── UsageError                 your program or command
    │   ├── DefinitionError        a flow or task that cannot be defined, or is used in a wrong place
    │   ├── ParameterError         arguments that do not fit a flow's or task's parameters
    │   └── ConfigError            a setting, a home folder or a database that cannot be used as it is
    ├── RefusedError               the engine or server said no; nothing was changed
    │   ├── NotFound
    │   ├── Unauthenticated
    │   ├── Forbidden
    │   └── Conflict
    │       ├── IllegalTransition  an event that the state does not allow
    │       └── StaleFence         the sender no longer owns the run
    ├── UnavailableError           the world: database locked away, disk full; safe to retry
    ├── ResultError                a result that is missing, corrupt or cannot be loaded
    ├── RunError                   raised to who asks for a run's result
    │   ├── TaskTimedOut           also a TimeoutError
    │   ├── RunCrashed
    │   ├── RunCancelled
    │   └── UpstreamFailed
    └── InternalError              our bug; please report it

    Skip(Exception)                raised by user code to skip its own run; outside the tree
    Abandoned(BaseException)       raised in user code whose lease is lost or whose stop was asked
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "Abandoned",
    "ConfigError",
    "Conflict",
    "DefinitionError",
    "Forbidden",
    "IllegalTransition",
    "InternalError",
    "NotFound",
    "ParameterError",
    "RefusedError",
    "ResultError",
    "RunCancelled",
    "RunCrashed",
    "RunError",
    "Skip",
    "StaleFence",
    "StellwerkError",
    "TaskTimedOut",
    "Unauthenticated",
    "UnavailableError",
    "UpstreamFailed",
    "UsageError",
]


class StellwerkError(Exception):
    """Be the root of every error that Stellwerk raises.

    Args:
        message: what is wrong, naming the culprit and its value.
        hint: what to do next; empty when there is nothing to do.
        facts: the values behind the message, for programs.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.facts)


def _rebuild(kind: type[StellwerkError], message: str, hint: str, facts: dict[str, Any]) -> StellwerkError:
    return kind(message, hint=hint, **facts)


class UsageError(StellwerkError):
    """Report a mistake in the user's program or command."""

    code = "usage"


class DefinitionError(UsageError):
    """Report a flow or task that cannot be defined, or is used where it cannot work."""

    code = "definition"


class ParameterError(UsageError):
    """Report arguments that do not fit a flow's or task's parameters; nothing was recorded."""

    code = "parameters"


class ConfigError(UsageError):
    """Report a setting, home folder or database that cannot be used as it is."""

    code = "config"


class RefusedError(StellwerkError):
    """Report that the engine or server said no; nothing was changed."""

    code = "refused"


class NotFound(RefusedError):
    """Report that nothing has the id or name that was asked for."""

    code = "not_found"


class Unauthenticated(RefusedError):
    """Report that a request carried no valid token."""

    code = "unauthenticated"


class Forbidden(RefusedError):
    """Report that a token does not allow what was asked."""

    code = "forbidden"


class Conflict(RefusedError):
    """Report that what was asked does not fit the present state."""

    code = "conflict"


class IllegalTransition(Conflict):
    """Report an event that a run's or attempt's state does not allow."""

    code = "illegal_transition"


class StaleFence(Conflict):
    """Report that the sender no longer owns the run: it was taken over or closed."""

    code = "stale_fence"


class UnavailableError(StellwerkError):
    """Report that the world is not as it should be just now; retrying is safe."""

    code = "unavailable"


class ResultError(StellwerkError):
    """Report a result that is missing, corrupt, too large or cannot be loaded."""

    code = "result"


class RunError(StellwerkError):
    """Report how a run ended to who asked for its result."""

    code = "run"


class TaskTimedOut(RunError, TimeoutError):
    """Report that a task or flow ran longer than its `timeout_seconds`."""

    code = "timed_out"


class RunCrashed(RunError):
    """Report that the infrastructure under a run failed, not its code."""

    code = "crashed"


class RunCancelled(RunError):
    """Report that a run was cancelled."""

    code = "cancelled"


class UpstreamFailed(RunError):
    """Report that a task did not run because a task it needs has failed."""

    code = "upstream_failed"


class InternalError(StellwerkError):
    """Report a bug of Stellwerk's own."""

    code = "internal"


class Skip(Exception):
    """Skip the run that raises it: it ends `skipped`, and so do its dependants unless their `run_when` says otherwise."""


class Abandoned(BaseException):
    """Stop user code whose lease was lost or whose stop was asked; not an `Exception`, so that `except Exception` lets it pass."""
