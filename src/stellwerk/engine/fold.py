"""Fold a batch of messages into rows, each step decided by the core's tables.

A run that is submitted, begins and ends within one batch becomes one inserted row; its first attempt and its story are
folded into that row as long as it stays on the plain road (submitted, granted, began, ended). What leaves that road
(a retry, a stop, a pause) gets attempt and story rows of its own from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from stellwerk.core.step import NOTHING, Subject, begin, end, move
from stellwerk.errors import IllegalTransition
from stellwerk.model.messages import (
    Batch,
    Began,
    Ended,
    Granted,
    Logged,
    Result,
    Sourced,
    Submitted,
    Yielded,
)
from stellwerk.model.records import Changes, Known, RunRecord
from stellwerk.model.states import RUNNING, TERMINAL

HOUR = 3_600_000_000
_encode = msgspec.json.encode


class Fold:
    """Fold one batch. Pure: reads go through `load`, writes are left in `changes`."""

    def __init__(self, batch: Batch, load: Callable[[list[bytes]], dict[bytes, Known]]) -> None:
        self.changes = Changes()
        self.ended_root = False
        self._root_id = batch.root_id
        self._explicit: set[bytes] = set()
        created: set[bytes] = set()
        touched: set[bytes] = set()
        for message in batch.messages:
            if isinstance(message, Submitted):
                created.add(message.run_id)
            elif not isinstance(message, (Logged, Sourced)) and message.run_id not in created:
                touched.add(message.run_id)
        self._known = load(list(touched)) if touched else {}
        handlers = self._handlers
        for message in batch.messages:
            handlers[type(message)](self, message)
        for known in self._known.values():
            if known.is_new:
                self.changes.runs.append(known.record)
            elif known.is_changed:
                self.changes.updated.append(known.record)

    def _find(self, run_id: bytes) -> Known:
        try:
            known = self._known[run_id]
        except KeyError:
            raise IllegalTransition(f"Run {run_id.hex()} was never submitted.") from None
        if known.record.root_id != self._root_id:
            raise IllegalTransition(f"Run {run_id.hex()} belongs to another owner.")
        return known

    def _submitted(self, message: Submitted) -> None:
        if message.run_id in self._known:
            raise IllegalTransition(f"Run {message.run_id.hex()} was submitted twice.")
        if not message.parent_id and message.run_id != self._root_id:
            raise IllegalTransition(f"Run {message.run_id.hex()} was called by no run, and is not the root run.")
        subject = move(NOTHING, "submitted")
        if message.ready:
            subject = move(subject, "granted")
        record = RunRecord(
            message.run_id,
            "default",
            message.kind,
            message.parent_id or None,
            self._root_id,
            message.name,
            message.flow or None,
            message.task or None,
            message.call_key or None,
            message.n,
            message.item_index if message.item_index >= 0 else None,
            message.code_hash or None,
            _encode(message.tags).decode() if message.tags else None,
            message.parameters.decode() if message.parameters else None,
            message.at,
            subject.run,
            "AwaitingUpstream" if not message.ready else None,
        )
        self._known[message.run_id] = Known(record, is_new=True)
        if message.upstream:
            self.changes.edges.extend((message.run_id, upstream) for upstream in message.upstream)

    def _granted(self, message: Granted) -> None:
        known = self._find(message.run_id)
        self._move(known, "granted", message.at)

    def _move(self, known: Known, event: str, at: int, label: str | None = None) -> None:
        record = known.record
        after = move(Subject(record.state, known.attempt_state, record.attempts), event)
        self._tell(record, at, event, after.run, label)
        record.state, record.label = after.run, label
        known.is_changed = True

    def _began(self, message: Began) -> None:
        known = self._find(message.run_id)
        record = known.record
        if record.state == "scheduled":
            self._move(known, "granted", message.at)
        after = begin(Subject(record.state, known.attempt_state, record.attempts), message.attempt)
        self._tell(record, message.at, "began", after.run, None)
        record.state, record.label, record.due_at = after.run, None, None
        record.cause = record.evidence = record.error = None
        record.attempts = after.number
        if record.started_at is None:
            record.started_at = message.at
        known.attempt_state, known.attempt_started_at, known.is_changed = RUNNING, message.at, True
        if record.story_rows:
            self._put_attempt(known, RUNNING, message.at, None)

    def _ended(self, message: Ended) -> None:
        known = self._find(message.run_id)
        record = known.record
        subject = Subject(record.state, known.attempt_state, record.attempts)
        if message.event:
            after = end(subject, message.attempt, message.event, message.then)
        else:
            after = move(subject, message.then)
        terminal = after.run in TERMINAL
        if not terminal:
            self._leave_plain_road(known)
        if record.ended_at is not None:  # resumed: it counts again when it ends again
            self._count(record, record.ended_at, -1)
            record.ended_at = None
        # The message's label is the attempt's; a run that goes on says what it waits for.
        label = "AwaitingRetry" if message.then == "retried" else message.label or None
        self._tell(record, message.at, message.then, after.run, label)
        record.state = after.run
        record.label = label
        record.cause = message.cause.kind if message.cause else None
        record.evidence = (message.cause.evidence or None) if message.cause else None
        record.error = _encode(message.error).decode() if message.error else None
        if message.event:
            known.attempt_state = after.attempt
            if record.story_rows:
                self._put_attempt(known, after.attempt, message.at, message)
        record.due_at = message.until or None
        if terminal:
            record.ended_at = message.at
            self._count(record, message.at)
        if record.id == self._root_id:
            self.ended_root = terminal
        if message.result is not None:
            record.result_hash, record.result_size, record.result, record.preview = _columns(message.result)
        known.is_changed = True

    def _yielded(self, message: Yielded) -> None:
        self._find(message.run_id)
        self.changes.items.append((message.run_id, message.index, message.at, *_columns(message.result)))

    def _logged(self, message: Logged) -> None:
        root_id = self._root_id
        self.changes.logs.extend([(root_id, *line) for line in message.lines])

    def _sourced(self, message: Sourced) -> None:
        self.changes.sources.append((message.hash, message.name, message.file or None, message.text))

    def _leave_plain_road(self, known: Known) -> None:
        record = known.record
        if record.story_rows or record.id in self._explicit:
            return
        self._explicit.add(record.id)
        if record.attempts == 1:
            # On the plain road the run's columns are its attempt's.
            told = (record.label, record.cause, record.evidence, record.error)
            row = (record.id, 1, known.attempt_state, *told, record.started_at, record.ended_at)
            self.changes.attempts.append(row)

    def _tell(self, record: RunRecord, at: int, event: str, to_state: str, label: str | None) -> None:
        if not record.story_rows and record.id not in self._explicit:
            return
        record.story_rows += 1
        self.changes.story.append((record.id, record.story_rows, at, event, record.state, to_state, label))

    def _put_attempt(self, known: Known, state: str, at: int, message: Ended | None) -> None:
        record = known.record
        ended_at = at if message else None
        self.changes.attempts.append(
            (
                record.id,
                record.attempts,
                state,
                (message.label or None) if message else None,
                record.cause if message else None,
                record.evidence if message else None,
                record.error if message else None,
                known.attempt_started_at or at,
                ended_at,
            )
        )

    def _count(self, record: RunRecord, at: int, by: int = 1) -> None:
        key = (record.project, at // HOUR, record.flow or "", record.kind, record.state)
        counters = self.changes.counters
        counters[key] = counters.get(key, 0) + by

    _handlers: ClassVar[dict[type, Callable[..., None]]] = {
        Submitted: _submitted,
        Granted: _granted,
        Began: _began,
        Ended: _ended,
        Yielded: _yielded,
        Logged: _logged,
        Sourced: _sourced,
    }


def _columns(result: Result) -> tuple[bytes | None, int, bytes | None, str]:
    return result.hash or None, result.size_bytes, result.data, result.preview
