"""The one function that moves a run: a subject and an event in, the new subject out, or an error and nothing changed."""

from __future__ import annotations

from typing import NamedTuple

from stellwerk.core.table import ATTEMPT, RESOLVE, RUN, WITH_ATTEMPT
from stellwerk.errors import IllegalTransition
from stellwerk.model.states import ABSENT, RUNNING


class Subject(NamedTuple):
    """Hold what a step needs to know of a run: its state, the state and number of its latest attempt."""

    run: str = ABSENT
    attempt: str = ABSENT
    number: int = 0


NOTHING = Subject()


def move(subject: Subject, event: str) -> Subject:
    """Apply a run event that touches no attempt.

    Raises:
        IllegalTransition: the table has no cell for it, or it would leave an attempt running in a run that is not, or
            a run running without an attempt that is.
    """
    try:
        state = RUN[event][subject.run]
    except KeyError:
        raise _illegal(subject, event) from None
    if state == RUNNING or (subject.attempt == RUNNING and state not in WITH_ATTEMPT):
        raise _illegal(subject, event)
    return Subject(state, subject.attempt, subject.number)


def begin(subject: Subject, number: int) -> Subject:
    """Begin attempt `number`; a scheduled run is granted first.

    Raises:
        IllegalTransition: the run is not waiting to run, or the number is not the next.
    """
    if subject.run == "scheduled":
        subject = move(subject, "granted")
    if number != subject.number + 1 or subject.attempt == RUNNING or subject.run not in RUN["began"]:
        raise _illegal(subject, f"began attempt {number}")
    return Subject(RUN["began"][subject.run], ATTEMPT["began"][ABSENT], number)


def end(subject: Subject, number: int, event: str, then: str) -> Subject:
    """End attempt `number` by `event` and resolve the run by `then`, as one step.

    Raises:
        IllegalTransition: the attempt is not running, or `RESOLVE` does not allow `then`.
    """
    try:
        attempt = ATTEMPT[event][subject.attempt]
        state = RUN[then][subject.run]
    except KeyError:
        raise _illegal(subject, f"{event}, {then}") from None
    if number != subject.number or then not in RESOLVE.get((subject.run, attempt), ()):
        raise _illegal(subject, f"{event} of attempt {number}, {then}")
    return Subject(state, attempt, number)


def _illegal(subject: Subject, event: str) -> IllegalTransition:
    run, attempt = subject.run or "absent", subject.attempt or "absent"
    return IllegalTransition(
        f"A run that is {run} (attempt {subject.number}: {attempt}) can't take the event {event!r}.",
        hint="Nothing was changed. `stellwerk runs show RUN` tells what happened to it.",
        run=subject.run,
        attempt=subject.attempt,
        event=event,
    )
