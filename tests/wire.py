"""What tests of the store share: messages as an owner sends them, and the whole store read back.

A database is named by a URL everywhere: the path of an SQLite file, or `postgresql://…`.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stellwerk.core.check import violations
from stellwerk.engine.apply import apply
from stellwerk.model.identity import uuid7
from stellwerk.model.messages import Ack, Batch, Began, Ended, Holder, Message, Opening, Plan, Result, Submitted
from stellwerk.model.records import RUN_COLUMNS, AttemptRecord, RunRecord, StoryRecord
from stellwerk.model.states import Cause, Error
from stellwerk.store.port import Store
from stellwerk.store.postgres import PostgresStore
from stellwerk.store.sqlite import SqliteStore

NOW = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000_000
HOLDER = Holder("signal-box", "boot-1", 4711, 99)
PLAN = Plan("/usr/bin/python3", "/srv/flows", "flow.py", "main", b"arguments", b"code")
OPENING = Opening(HOLDER, PLAN, 30.0)
USER_ERROR = Cause("user_error", "ValueError")
ERROR = Error("ValueError", "no such train", "Traceback …")
RESULT = Result(b"h" * 32, 5, "5", b"\x80\x05K\x05.")
TABLES = {
    "runs": "id",
    "attempts": "run_id, number",
    "story": "run_id, n",
    "edges": "downstream_id, upstream_id",
    "items": "run_id, n",
    "logs": "root_id, n",
    "plans": "run_id",
    "sources": "hash",
    "leases": "root_id",
    "counters": "project, hour, flow, kind, state",
}
COLUMNS = {"runs": ", ".join(RUN_COLUMNS)}
_ids = itertools.count(int.from_bytes(os.urandom(9), "big"))


def new_id() -> bytes:
    """Make an identity; those of one process are in order."""
    return uuid7(time.time_ns() // 1_000_000, next(_ids))


def open_store(url: str) -> Store:
    """Open the database that a URL names."""
    return PostgresStore(url) if "://" in url else SqliteStore(Path(url))


class Root:
    """Send the batches of one root flow run, numbered as its owner would."""

    def __init__(self, root_id: bytes | None = None, at: int = NOW) -> None:
        self.id = root_id or new_id()
        self.at = at
        self.fence = 1
        self.seq = 0

    def batch(self, *messages: Message) -> Batch:
        """Make the next batch; the first one opens the run."""
        self.seq += 1
        return Batch(self.id, self.fence, self.seq, list(messages), OPENING if self.seq == 1 else None)

    def begin(self) -> list[Message]:
        """Submit and begin the flow run itself."""
        submitted = Submitted(
            self.id, self.at, "flow", "night train", flow="night", parameters=b'{"n": 1}', tags=("a",)
        )
        return [submitted, Began(self.id, self.at + 1, 1)]

    def end(self) -> Message:
        """Complete the flow run."""
        return completed(self.id, at=self.at + 1000)

    def task(self, run_id: bytes, **fields: Any) -> Submitted:
        """Submit a task run of this flow run."""
        given: dict[str, Any] = {
            "kind": "task",
            "name": "couple-0",
            "flow": "night",
            "task": "couple",
            "parent_id": self.id,
        }
        given |= {"call_key": b"k" * 16, "code_hash": b"c" * 32} | fields
        return Submitted(run_id, self.at + 2, **given)


def completed(run_id: bytes, attempt: int = 1, at: int = NOW + 10) -> Ended:
    """End an attempt by a return."""
    return Ended(run_id, at, "completed", attempt, "returned", result=RESULT)


def failed(run_id: bytes, attempt: int = 1, at: int = NOW + 10) -> Ended:
    """End an attempt by an exception, and the run with it."""
    return Ended(run_id, at, "failed", attempt, "raised", cause=USER_ERROR, error=ERROR)


def retried(run_id: bytes, attempt: int = 1, at: int = NOW + 10) -> Ended:
    """End an attempt by an exception; another one follows."""
    return Ended(run_id, at, "retried", attempt, "raised", "", USER_ERROR, ERROR, until=at + 5)


def send(store: Store, batch: Batch) -> Ack:
    """Apply one batch."""
    return apply(store, [batch])[0]


def accept(store: Store, *batches: Batch) -> None:
    """Apply batches that must all be accepted."""
    for ack in apply(store, batches):
        assert not ack.code, ack


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement past the store."""
    if "://" in url:
        import psycopg  # writers that need it not start sooner

        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()
    connection = sqlite3.connect(url)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def change(url: str, *statements: str) -> None:
    """Run statements that write past the store."""
    if "://" in url:
        import psycopg  # writers that need it not start sooner

        with psycopg.connect(url, autocommit=True) as connection:
            for sql in statements:
                connection.execute(sql.encode())
        return
    connection = sqlite3.connect(url, isolation_level=None)
    try:
        for sql in statements:
            connection.execute(sql)
    finally:
        connection.close()


def rows(url: str, table: str, where: str = "") -> list[tuple[Any, ...]]:
    """Read a table in the order of its key, runs without `seq`."""
    condition = f" WHERE {where}" if where else ""
    return query(url, f"SELECT {COLUMNS.get(table, '*')} FROM {table}{condition} ORDER BY {TABLES[table]}")


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Read all tables."""
    return {table: rows(url, table) for table in TABLES}


def runs_of(url: str) -> dict[bytes, RunRecord]:
    """Read all runs."""
    return {row[0]: RunRecord(*row) for row in rows(url, "runs")}


def check_all(url: str) -> None:
    """Check the invariants of every run, and what is counted against what is there."""
    attempts: dict[bytes, list[AttemptRecord]] = {}
    for row in rows(url, "attempts"):
        attempts.setdefault(row[0], []).append(AttemptRecord(*row))
    story: dict[bytes, list[StoryRecord]] = {}
    for run_id, _n, *row in rows(url, "story"):
        story.setdefault(run_id, []).append(StoryRecord(*row))
    runs = runs_of(url)
    found = {run.id.hex(): violations(run, attempts.get(run.id, []), story.get(run.id, [])) for run in runs.values()}
    wrong = {name: told for name, told in found.items() if told}
    assert not wrong, wrong
    assert set(attempts) | set(story) <= set(runs)
    counted = {row[:5]: row[5] for row in rows(url, "counters") if row[5]}
    assert counted == recount(runs)


def recount(runs: dict[bytes, RunRecord]) -> Counter[tuple[Any, ...]]:
    """Count ended runs by hour, flow, kind and state."""
    return Counter(
        (run.project, run.ended_at // HOUR, run.flow or "", run.kind, run.state)
        for run in runs.values()
        if run.ended_at is not None
    )
