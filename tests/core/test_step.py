"""The one function that moves a run: every cell, every state, and what is absent is illegal and changes nothing."""

from __future__ import annotations

import itertools

import pytest

from stellwerk.core.step import NOTHING, Subject, begin, end, move
from stellwerk.core.table import ATTEMPT, RESOLVE, RUN, WITH_ATTEMPT
from stellwerk.errors import IllegalTransition
from stellwerk.model.states import ABSENT, ATTEMPT_STATES, RUN_STATES, RUNNING

RUN_FROM = (ABSENT, *RUN_STATES)
ATTEMPT_FROM = (ABSENT, *ATTEMPT_STATES)


@pytest.mark.parametrize(("event", "state"), list(itertools.product(RUN, RUN_FROM)))
def test_every_cell_of_a_run(event: str, state: str) -> None:
    for attempt, number in ((ABSENT, 0), ("failed", 3)):
        subject = Subject(state, attempt, number)
        after = RUN[event].get(state)
        if after is None or after == RUNNING:  # no run is running without an attempt: `begin` is the way there
            with pytest.raises(IllegalTransition) as caught:
                move(subject, event)
            assert caught.value.facts == {"run": state, "attempt": attempt, "event": event}
            assert subject == Subject(state, attempt, number)
        else:
            assert move(subject, event) == Subject(after, attempt, number)


@pytest.mark.parametrize(("event", "state"), list(itertools.product(RUN, sorted(WITH_ATTEMPT))))
def test_a_run_is_not_moved_from_under_a_running_attempt(event: str, state: str) -> None:
    subject = Subject(state, RUNNING, 2)
    after = RUN[event].get(state)
    if after in WITH_ATTEMPT - {RUNNING}:
        assert move(subject, event) == Subject(after or "", RUNNING, 2)
    else:
        with pytest.raises(IllegalTransition):
            move(subject, event)


@pytest.mark.parametrize(("state", "attempt"), list(itertools.product(RUN_FROM, ATTEMPT_FROM)))
def test_every_way_to_begin(state: str, attempt: str) -> None:
    number = 2 if attempt else 0
    subject = Subject(state, attempt, number)
    for given in range(-1, 5):
        if state in ("scheduled", "pending") and attempt != RUNNING and given == number + 1:
            assert begin(subject, given) == Subject(RUNNING, RUNNING, given)
        else:
            with pytest.raises(IllegalTransition):
                begin(subject, given)


@pytest.mark.parametrize(("state", "attempt"), list(itertools.product(RUN_FROM, ATTEMPT_FROM)))
def test_every_way_to_end(state: str, attempt: str) -> None:
    subject = Subject(state, attempt, 1)
    for event, then, number in itertools.product(ATTEMPT, RUN, (0, 1, 2)):
        ended = ATTEMPT[event].get(attempt, ABSENT)
        if number == 1 and event != "began" and then in RESOLVE.get((state, ended), ()):
            assert end(subject, number, event, then) == Subject(RUN[then][state], ended, 1)
        else:
            with pytest.raises(IllegalTransition):
                end(subject, number, event, then)


def test_unknown_events_are_illegal() -> None:
    with pytest.raises(IllegalTransition, match="derailed"):
        move(NOTHING, "derailed")
    with pytest.raises(IllegalTransition, match="derailed"):
        end(Subject(RUNNING, RUNNING, 1), 1, "derailed", "failed")
    with pytest.raises(IllegalTransition, match="derailed"):
        end(Subject(RUNNING, RUNNING, 1), 1, "raised", "derailed")
