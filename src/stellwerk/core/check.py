"""Invariants: what is true of every run at rest, whatever happened to it.

For tests, simulations and repairs: a store that a check finds fault with was written by something other than `step`.
Times are not compared: they are what clocks said, and clocks are set back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from stellwerk.core.table import RUN
from stellwerk.model.records import AttemptRecord, RunRecord, StoryRecord
from stellwerk.model.states import (
    ABSENT,
    ATTEMPT_STATES,
    CANCELLED,
    CANCELLING,
    CAUSES,
    COMPLETED,
    CRASHED,
    FAILED,
    LABELS,
    PAUSED,
    PENDING,
    RUN_STATES,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    SUSPENDED,
    TERMINAL,
)

_WAITING: Final = frozenset({ABSENT, COMPLETED, FAILED, CRASHED, CANCELLED, SKIPPED, SUSPENDED})
# A completed or skipped attempt can only lie behind a run that waits again if a stop had been asked before it ended:
# the run was cancelled by that, and resumed.

RESTING: Final[dict[str, frozenset[str]]] = {
    SCHEDULED: _WAITING,
    PENDING: _WAITING,
    RUNNING: frozenset({RUNNING}),
    PAUSED: _WAITING,
    CANCELLING: _WAITING | {RUNNING},
    COMPLETED: _WAITING,  # other than by its own attempt: from a cache, after an earlier try
    FAILED: _WAITING,  # other than by its own attempt: its upstream failed after it was resumed
    CRASHED: _WAITING,
    CANCELLED: _WAITING,
    SKIPPED: _WAITING,
}
"""Which states of its latest attempt may rest under each state of a run: an attempt runs in a run that runs or stops."""

_CAUSED: Final = frozenset({FAILED, CRASHED, CANCELLED})


def violations(run: RunRecord, attempts: Sequence[AttemptRecord], story: Sequence[StoryRecord] = ()) -> list[str]:
    """List what is not as it must be of a run at rest.

    Args:
        run: its row.
        attempts: its attempts by number. None when the first one is folded into the run's row.
        story: its transitions in order, from the moment at which it left the plain road.

    Returns: one sentence a violation; empty when all is well.
    """
    return [*_of_run(run), *_of_attempts(run, attempts), *_of_story(run, story)]


def _of_run(run: RunRecord) -> Iterator[str]:
    if run.state not in RUN_STATES:
        yield f"the run's state {run.state!r} is not one"
    if (run.ended_at is not None) != (run.state in TERMINAL):
        yield f"a run that is {run.state} has ended_at {run.ended_at}"
    if (run.started_at is not None) != (run.attempts > 0):
        yield f"a run with {run.attempts} attempts has started_at {run.started_at}"
    if run.label is not None and run.label not in LABELS:
        yield f"the label {run.label!r} is not documented"
    if run.cause is not None and run.cause not in CAUSES:
        yield f"the cause {run.cause!r} is not documented"
    if run.state == COMPLETED and (run.cause or run.error):
        yield f"a run that is {run.state} has a cause or an error"
    if run.parent_id is None and run.root_id != run.id:
        yield "a run without a parent belongs to another root"
    if run.kind == "flow" and run.task is not None:
        yield "a flow run names a task"


def _of_attempts(run: RunRecord, attempts: Sequence[AttemptRecord]) -> Iterator[str]:
    if not attempts:
        if run.attempts > 1 or (run.attempts == 1 and run.story_rows):
            yield f"the {run.attempts} attempts have no rows"
        if run.attempts == 1 and run.state not in ATTEMPT_STATES:
            yield f"a run that is {run.state} has an attempt, but is still folded"
        if run.state == RUNNING and run.attempts == 0:
            yield "the run is running without an attempt"
        return
    numbers = [attempt.number for attempt in attempts]
    if numbers != list(range(1, run.attempts + 1)):
        yield f"the attempts are numbered {numbers}, but the run counts {run.attempts}"
    latest = attempts[-1].state
    if latest not in RESTING.get(run.state, ()):
        yield f"an attempt that is {latest} rests in a run that is {run.state}"
    for attempt in attempts:
        yield from _of_attempt(run, attempt)
    for before, _after in itertools.pairwise(attempts):
        if before.state == RUNNING:
            yield f"attempt {before.number} is running, but not the latest"


def _of_attempt(run: RunRecord, attempt: AttemptRecord) -> Iterator[str]:
    name = f"attempt {attempt.number}"
    if attempt.run_id != run.id:
        yield f"{name} is another run's"
    if attempt.state not in ATTEMPT_STATES:
        yield f"the state {attempt.state!r} of {name} is not one"
    if (attempt.ended_at is None) != (attempt.state == RUNNING):
        yield f"{name} is {attempt.state}, but has ended_at {attempt.ended_at}"
    if attempt.cause is not None and attempt.cause not in CAUSES:
        yield f"the cause {attempt.cause!r} of {name} is not documented"
    if attempt.state in _CAUSED and attempt.cause is None:
        yield f"{name} is {attempt.state} without a cause"


def _of_story(run: RunRecord, story: Sequence[StoryRecord]) -> Iterator[str]:
    if len(story) != run.story_rows:
        yield f"the story has {len(story)} rows, but the run counts {run.story_rows}"
    for step in story:
        if RUN.get(step.event, {}).get(step.from_state) != step.to_state:
            yield f"the story tells of {step.event!r} from {step.from_state} to {step.to_state}"
    for before, after in itertools.pairwise(story):
        if before.to_state != after.from_state:
            yield f"the story breaks between {before.to_state} and {after.from_state}"
    if story and story[-1].to_state != run.state:
        yield f"the story ends with {story[-1].to_state}, but the run is {run.state}"
