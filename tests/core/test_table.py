"""The tables: every cell is listed here by hand once more, and what they promise as a whole holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
import pytest

from stellwerk.core.check import RESTING
from stellwerk.core.step import NOTHING, Subject, begin, end, move
from stellwerk.core.table import ATTEMPT, RESOLVE, RUN, WITH_ATTEMPT
from stellwerk.errors import IllegalTransition
from stellwerk.model.states import (
    ABSENT,
    ATTEMPT_STATES,
    CAUSES,
    LABELS,
    RUN_STATES,
    RUNNING,
    TERMINAL,
    UNFINISHED,
    Cause,
    State,
)

# Event: from → to, in words, so that a change of the table has to be written twice.
RUN_CELLS = """
submitted:    → scheduled
granted:      scheduled → pending
began:        pending → running
completed:    running → completed
cached:       scheduled → completed, pending → completed
failed:       running → failed, scheduled → failed
retried:      running → scheduled
skipped:      running → skipped, scheduled → skipped
paused:       running → paused, scheduled → paused, pending → paused
continued:    paused → scheduled
cancel_asked: scheduled → cancelling, pending → cancelling, running → cancelling, paused → cancelling
cancelled:    scheduled → cancelled, pending → cancelled, running → cancelled, paused → cancelled, cancelling → cancelled
crashed:      scheduled → crashed, pending → crashed, running → crashed, paused → crashed, cancelling → crashed
resumed:      failed → scheduled, crashed → scheduled, cancelled → scheduled
"""
ATTEMPT_CELLS = """
began:     → running
returned:  running → completed
raised:    running → failed
skipped:   running → skipped
stopped:   running → cancelled
lost:      running → crashed
suspended: running → suspended
"""
RESOLVE_CELLS = """
running completed:    completed
running failed:       failed retried
running crashed:      crashed retried
running cancelled:    cancelled
running skipped:      skipped
running suspended:    paused
cancelling completed: cancelled
cancelling failed:    cancelled
cancelling crashed:   cancelled crashed
cancelling cancelled: cancelled
cancelling skipped:   cancelled
cancelling suspended: cancelled
"""


def cells(text: str) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in text.strip().splitlines():
        event, _, row = line.partition(":")
        steps = (cell.split("→") for cell in row.split(","))
        table[event] = {before.strip(): after.strip() for before, after in steps}
    return table


def test_the_tables_are_as_written() -> None:
    assert cells(RUN_CELLS) == RUN
    assert cells(ATTEMPT_CELLS) == ATTEMPT
    lines = (line.partition(":") for line in RESOLVE_CELLS.strip().splitlines())
    assert {tuple(pair.split()): tuple(events.split()) for pair, _, events in lines} == RESOLVE


def steps(subject: Subject) -> Iterator[Subject]:
    """Yield all that one step makes of a subject; attempt numbers are kept at 0 and 1, since more says no more."""
    tries = [lambda event=event: move(subject, event) for event in RUN]
    tries += [lambda pair=pair: end(subject, subject.number, *pair) for pair in itertools.product(ATTEMPT, RUN)]
    tries += [lambda: begin(subject, subject.number + 1)._replace(number=1)]
    for attempt in tries:
        try:
            yield attempt()
        except IllegalTransition:
            pass


def reachable() -> set[Subject]:
    found, fresh = {NOTHING}, [NOTHING]
    while fresh:
        for subject in steps(fresh.pop()):
            if subject not in found:
                found.add(subject)
                fresh.append(subject)
    return found


def test_exactly_what_can_be_reached_may_rest() -> None:
    pairs = {(subject.run, subject.attempt) for subject in reachable()} - {(ABSENT, ABSENT)}
    assert pairs == {(run, attempt) for run, attempts in RESTING.items() for attempt in attempts}
    for run, attempt in pairs:
        assert (run == RUNNING) <= (attempt == RUNNING)
        assert (attempt == RUNNING) <= (run in WITH_ATTEMPT)


def test_whatever_an_attempt_comes_to_is_resolved() -> None:
    """Each pair that may arise inside a step has a way out, and leads to one that may rest."""
    ends = {state for event in ATTEMPT for before, state in ATTEMPT[event].items() if before == RUNNING}
    assert {(run, attempt) for run in WITH_ATTEMPT for attempt in ends} == set(RESOLVE)
    for (run, attempt), events in RESOLVE.items():
        assert events
        for event in events:
            assert attempt in RESTING[RUN[event][run]]


def test_nothing_is_completed_once_a_stop_was_asked() -> None:
    seen, fresh = set(), ["cancelling"]
    while fresh:
        state = fresh.pop()
        if state not in seen and state not in TERMINAL:
            seen.add(state)
            fresh += [row[state] for event, row in RUN.items() if state in row]
            assert all("completed" not in RESOLVE.get((state, attempt), ()) for attempt in ATTEMPT_STATES)
    assert seen == {"cancelling"}


def test_only_a_resume_leaves_a_terminal_state() -> None:
    for event, row in RUN.items():
        for state in TERMINAL & set(row):
            assert event == "resumed", (event, state)
    assert not TERMINAL - {"completed", "skipped"} - set(RUN["resumed"])


@pytest.mark.parametrize("state", sorted(UNFINISHED))
def test_every_run_can_end(state: str) -> None:
    for attempt in RESTING[state]:
        subject = Subject(state, attempt, 1 if attempt else 0)
        assert any(after.run in TERMINAL for after in steps(subject)), subject
        # The owner may die at any moment, and a person may ask it to stop.
        if attempt == RUNNING:
            assert end(subject, 1, "lost", "crashed").run == "crashed"
            assert end(subject, 1, "stopped", "cancelled").run == "cancelled"
        else:
            assert move(subject, "crashed").run == "crashed"
            assert move(subject, "cancelled").run == "cancelled"


def test_states_are_a_partition() -> None:
    assert set(RUN_STATES) == TERMINAL | UNFINISHED
    assert not TERMINAL & UNFINISHED
    assert set(RESTING) == set(RUN_STATES)
    assert {state for row in RUN.values() for state in row.values()} == set(RUN_STATES)
    assert {state for row in ATTEMPT.values() for state in row.values()} == set(ATTEMPT_STATES)


@pytest.mark.parametrize("words", [LABELS, CAUSES], ids=["labels", "causes"])
def test_words_are_explained(words: dict[str, str]) -> None:
    for word, sentence in words.items():
        assert sentence, word
        assert sentence[0].islower(), word
        assert not sentence.endswith("."), word
    assert len(set(words.values())) == len(words)


def test_a_state_equals_its_name_and_a_cause_its_word() -> None:
    cause = Cause("timeout", "it ran longer than 2 s")
    assert cause == "timeout"
    assert cause != "signal"
    assert cause in {"timeout"}
    assert cause == Cause("timeout", "it ran longer than 2 s") != Cause("timeout")
    assert cause != 3
    assert hash(cause) == hash("timeout")
    state = State("failed", "TimedOut", cause)
    assert state == "failed"
    assert state == State("failed", "TimedOut", Cause("timeout", "it ran longer than 2 s"))
    assert state != State("failed", "TimedOut", Cause("timeout"))
    assert msgspec.json.decode(msgspec.json.encode(cause), type=Cause) == cause
