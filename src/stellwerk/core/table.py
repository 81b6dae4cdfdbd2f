"""What may happen to a run and to an attempt: the transitions, as data.

`RUN[event][from]` and `ATTEMPT[event][from]` give the new state; an absent cell is illegal. `RESOLVE` lists, for each
pair (run state, attempt state) that may arise inside a step, the run events of which one must be applied in the same
step, so that no such pair is ever committed. Everything that decides about states lives in this module.
"""

from __future__ import annotations

from typing import Final

from stellwerk.model.states import (
    ABSENT,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    SUSPENDED,
)

RUN: Final[dict[str, dict[str, str]]] = {
    "submitted": {ABSENT: SCHEDULED},
    "granted": {SCHEDULED: PENDING},
    "began": {PENDING: RUNNING},
    "completed": {RUNNING: COMPLETED},
    "cached": {SCHEDULED: COMPLETED, PENDING: COMPLETED},
    "failed": {RUNNING: FAILED, SCHEDULED: FAILED},
    "retried": {RUNNING: SCHEDULED},
    "skipped": {RUNNING: SKIPPED, SCHEDULED: SKIPPED},
    "paused": {RUNNING: PAUSED, SCHEDULED: PAUSED, PENDING: PAUSED},
    "continued": {PAUSED: SCHEDULED},
    "cancel_asked": {SCHEDULED: CANCELLING, PENDING: CANCELLING, RUNNING: CANCELLING, PAUSED: CANCELLING},
    "cancelled": {
        SCHEDULED: CANCELLED,
        PENDING: CANCELLED,
        RUNNING: CANCELLED,
        PAUSED: CANCELLED,
        CANCELLING: CANCELLED,
    },
    "crashed": {SCHEDULED: CRASHED, PENDING: CRASHED, RUNNING: CRASHED, PAUSED: CRASHED, CANCELLING: CRASHED},
    "resumed": {FAILED: SCHEDULED, CRASHED: SCHEDULED, CANCELLED: SCHEDULED},
}

ATTEMPT: Final[dict[str, dict[str, str]]] = {
    "began": {ABSENT: RUNNING},
    "returned": {RUNNING: COMPLETED},
    "raised": {RUNNING: FAILED},
    "skipped": {RUNNING: SKIPPED},
    "stopped": {RUNNING: CANCELLED},
    "lost": {RUNNING: CRASHED},
    "suspended": {RUNNING: SUSPENDED},
}

RESOLVE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    (RUNNING, COMPLETED): ("completed",),
    (RUNNING, FAILED): ("failed", "retried"),
    (RUNNING, CRASHED): ("crashed", "retried"),
    (RUNNING, CANCELLED): ("cancelled",),
    (RUNNING, SKIPPED): ("skipped",),
    (RUNNING, SUSPENDED): ("paused",),
    # Nothing becomes completed once a stop was asked.
    (CANCELLING, COMPLETED): ("cancelled",),
    (CANCELLING, FAILED): ("cancelled",),
    (CANCELLING, CRASHED): ("cancelled", "crashed"),
    (CANCELLING, CANCELLED): ("cancelled",),
    (CANCELLING, SKIPPED): ("cancelled",),
    (CANCELLING, SUSPENDED): ("cancelled",),
}

WITH_ATTEMPT: Final = frozenset({RUNNING, CANCELLING})
"""Run states in which an attempt may be running; in every other one no attempt is."""
