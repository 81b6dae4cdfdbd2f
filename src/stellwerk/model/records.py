"""Records: rows as Python sees them. Field order is column order."""

from __future__ import annotations

import msgspec

from stellwerk.model.states import ABSENT, SCHEDULED


class RunRecord(msgspec.Struct):
    """Hold one row of `runs` (all columns but `seq`, the order of commit)."""

    id: bytes
    project: str
    kind: str
    parent_id: bytes | None
    root_id: bytes
    name: str
    flow: str | None
    task: str | None
    call_key: bytes | None
    n: int
    item_index: int | None
    code_hash: bytes | None
    tags: str | None
    parameters: str | None
    created_at: int
    state: str = SCHEDULED
    label: str | None = None
    cause: str | None = None
    evidence: str | None = None
    attempts: int = 0
    story_rows: int = 0
    due_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    error: str | None = None
    result_hash: bytes | None = None
    result_size: int | None = None
    result: bytes | None = None
    preview: str | None = None


RUN_COLUMNS = RunRecord.__struct_fields__
CHANGING = RUN_COLUMNS[RUN_COLUMNS.index("state") :]
"""Columns that change after a run was created."""


class AttemptRecord(msgspec.Struct):
    """Hold one row of `attempts`."""

    run_id: bytes
    number: int
    state: str
    label: str | None
    cause: str | None
    evidence: str | None
    error: str | None
    started_at: int
    ended_at: int | None


class StoryRecord(msgspec.Struct):
    """Hold one transition of a run, as `story` tells it."""

    at: int
    event: str
    from_state: str
    to_state: str
    label: str | None


class Known(msgspec.Struct):
    """Hold a run that the present transaction touches: its row, the state of its latest attempt, and what is new."""

    record: RunRecord
    attempt_state: str = ABSENT
    attempt_started_at: int | None = None
    is_new: bool = False
    is_changed: bool = False


class Changes(msgspec.Struct):
    """Collect the rows that a batch writes, table by table, in column order."""

    runs: list[RunRecord] = []
    updated: list[RunRecord] = []
    attempts: list[tuple[object, ...]] = []
    story: list[tuple[object, ...]] = []
    edges: list[tuple[bytes, bytes]] = []
    items: list[tuple[object, ...]] = []
    logs: list[tuple[object, ...]] = []
    sources: list[tuple[bytes, str, str | None, str]] = []
    counters: dict[tuple[str, int, str, str, str], int] = {}
    plan: tuple[object, ...] | None = None
