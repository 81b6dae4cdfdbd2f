"""The invariants: a sound run has no fault, and each fault is found and named."""

from __future__ import annotations

import msgspec
import pytest

from stellwerk.core.check import violations
from stellwerk.model.records import AttemptRecord, RunRecord, StoryRecord

ID = b"i" * 16
ABSENT = dict.fromkeys(RunRecord.__struct_fields__[: RunRecord.__struct_fields__.index("state")])
PLAIN = RunRecord(
    **ABSENT | {"id": ID, "root_id": ID, "kind": "flow", "name": "n", "flow": "f", "created_at": 1},
    state="completed",
    attempts=1,
    started_at=2,
    ended_at=3,
)
RETRIED = msgspec.structs.replace(PLAIN, attempts=2, story_rows=2)
FIRST = AttemptRecord(ID, 1, "failed", None, "user_error", None, None, 2, 3)
SECOND = AttemptRecord(ID, 2, "completed", None, None, None, None, 4, 5)
STORY = [
    StoryRecord(3, "retried", "running", "scheduled", None),
    StoryRecord(4, "cached", "scheduled", "completed", None),
]
replace = msgspec.structs.replace


def test_sound_runs_have_no_faults() -> None:
    assert violations(PLAIN, []) == []
    assert violations(RETRIED, [FIRST, SECOND], STORY) == []
    assert violations(replace(PLAIN, state="scheduled", attempts=0, started_at=None, ended_at=None), []) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"state": "derailed"}, "is not one"),
        ({"ended_at": None}, "has ended_at None"),
        ({"state": "running"}, "a run that is running has ended_at 3"),
        ({"started_at": None}, "has started_at None"),
        ({"label": "Nonsense"}, "label 'Nonsense' is not documented"),
        ({"state": "failed", "cause": "nonsense"}, "cause 'nonsense' is not documented"),
        ({"error": "{}"}, "has a cause or an error"),
        ({"root_id": b"r" * 16}, "belongs to another root"),
        ({"task": "t"}, "names a task"),
        ({"attempts": 2}, "have no rows"),
        ({"story_rows": 1}, "have no rows"),
        ({"state": "scheduled", "ended_at": None}, "still folded"),
        ({"state": "running", "ended_at": None, "attempts": 0, "started_at": None}, "without an attempt"),
    ],
)
def test_faults_of_a_run(changes: dict[str, object], fault: str) -> None:
    found = violations(replace(PLAIN, **changes), [])
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ({"number": 3}, {}, "are numbered [3, 2]"),
        ({"number": 2}, {}, "are numbered [2, 2]"),
        ({}, {"state": "running", "ended_at": None}, "running rests in a run that is completed"),
        ({"state": "running", "ended_at": None}, {}, "attempt 1 is running, but not the latest"),
        ({"run_id": b"r" * 16}, {}, "another run's"),
        ({"state": "derailed"}, {}, "of attempt 1 is not one"),
        ({"ended_at": None}, {}, "attempt 1 is failed, but has ended_at None"),
        ({"cause": None}, {}, "failed without a cause"),
        ({"cause": "nonsense"}, {}, "of attempt 1 is not documented"),
    ],
)
def test_faults_of_attempts(first: dict[str, object], second: dict[str, object], fault: str) -> None:
    found = violations(RETRIED, [replace(FIRST, **first), replace(SECOND, **second)], STORY)
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    ("story", "fault"),
    [
        (STORY[:1], "the story has 1 rows"),
        ([STORY[0], replace(STORY[1], event="granted")], "tells of 'granted'"),
        ([STORY[1], STORY[0]], "breaks between completed and running"),
        ([STORY[1], STORY[0]], "ends with scheduled, but the run is completed"),
    ],
)
def test_faults_of_a_story(story: list[StoryRecord], fault: str) -> None:
    found = violations(RETRIED, [FIRST, SECOND], story)
    assert any(fault in each for each in found), found
