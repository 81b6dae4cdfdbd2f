"""States, labels and causes: the closed lists.

A *state* drives behaviour, a *label* explains it to a person and never drives anything, a *cause* says why an
attempt did not complete.
"""

from __future__ import annotations

from typing import Final

import msgspec

ABSENT: Final = ""
"""The state of a run or attempt that does not exist yet."""

SCHEDULED: Final = "scheduled"  # not admitted: a time, upstream, slot or agent is outstanding
PENDING: Final = "pending"  # granted to an owner, user code not begun
RUNNING: Final = "running"
PAUSED: Final = "paused"
CANCELLING: Final = "cancelling"
COMPLETED: Final = "completed"
FAILED: Final = "failed"  # the user's code
CRASHED: Final = "crashed"  # the infrastructure
CANCELLED: Final = "cancelled"
SKIPPED: Final = "skipped"
SUSPENDED: Final = "suspended"  # attempts only: gave up its slot to wait

RUN_STATES: Final = (
    SCHEDULED,
    PENDING,
    RUNNING,
    PAUSED,
    CANCELLING,
    COMPLETED,
    FAILED,
    CRASHED,
    CANCELLED,
    SKIPPED,
)
ATTEMPT_STATES: Final = (RUNNING, COMPLETED, FAILED, CRASHED, CANCELLED, SKIPPED, SUSPENDED)
TERMINAL: Final = frozenset({COMPLETED, FAILED, CRASHED, CANCELLED, SKIPPED})
UNFINISHED: Final = frozenset(RUN_STATES) - TERMINAL

LABELS: Final = {
    "AwaitingRetry": "its last attempt did not complete; the next one starts at the time shown",
    "AwaitingUpstream": "waits for tasks it depends on",
    "Cached": "its result was taken from an earlier call with the same key",
    "TimedOut": "ran longer than its timeout_seconds",
    "UpstreamFailed": "did not run because a task it needs has failed",
    "UpstreamSkipped": "did not run because a task it needs was skipped",
    "ConditionUnmet": "its run_when can no longer hold",
    "Exited": "its code called sys.exit",
    "OwnerLost": "the process that owned it is gone",
    "Interrupted": "a signal ended the process that owned it",
}
"""Every label, with the sentence that explains it."""

CAUSES: Final = {
    "user_error": "the user's code raised an exception",
    "timeout": "it ran longer than its timeout_seconds",
    "cancelled": "a person or another run asked it to stop",
    "oom": "the kernel killed it for memory",
    "evicted": "the cluster evicted it",
    "node_lost": "the machine under it is gone",
    "image_pull": "its image could not be pulled",
    "unschedulable": "no machine fits it",
    "signal": "a signal that Stellwerk did not send ended it",
    "exited": "its process or code exited by itself",
    "code_load": "its code could not be loaded",
    "lease_lost": "nobody renewed its lease",
    "agent_bug": "the agent failed",
}
"""Every cause of a failed, crashed or cancelled attempt, with its meaning."""


class Cause(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """Say why an attempt did not complete: a word from `CAUSES` and the evidence.

    Equal to its own word, so `state.cause == "timeout"` reads as it should.
    """

    kind: str
    evidence: str = ""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.kind == other
        if isinstance(other, Cause):
            return (self.kind, self.evidence) == (other.kind, other.evidence)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.kind)


class Error(msgspec.Struct, frozen=True):
    """Describe an exception as text: it outlives the class that raised it."""

    type: str
    message: str
    traceback: str


class State(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """Tell where a run stands.

    Equal to its own name, so `future.state == "completed"` reads as it should.
    """

    name: str
    label: str = ""
    cause: Cause | None = None
    error: Error | None = None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.name == other
        if isinstance(other, State):
            return (self.name, self.label, self.cause, self.error) == (
                other.name,
                other.label,
                other.cause,
                other.error,
            )
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return f"{self.name} ({self.label})" if self.label else self.name

    def is_completed(self) -> bool:
        """Say whether the function returned."""
        return self.name == COMPLETED

    def is_failed(self) -> bool:
        """Say whether the user's code failed."""
        return self.name == FAILED

    def is_terminal(self) -> bool:
        """Say whether the run has ended."""
        return self.name in TERMINAL
