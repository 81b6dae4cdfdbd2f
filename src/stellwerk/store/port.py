"""The port of the store, and what both databases share.

Theory of operation: one writer a process. `write()` opens a short transaction that holds the database's write lock;
inside it the hallway reads what it decides on, so no decision rests on something another process may have changed.
SQLite locks the database, Postgres the lease row, before it reads any run of a batch. Rows that several owners write
(sources, counters) come last in a transaction and in one order, so that writers never wait for each other in a ring.
Readers use connections of their own and never wait for the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from stellwerk.errors import UsageError
from stellwerk.model.messages import Batch, Opening
from stellwerk.model.records import CHANGING, Changes, Known, RunRecord

Row = tuple[Any, ...]
CHUNK = 500  # parameters in one list; SQLite allows 32,766 and Postgres 65,535 in a statement
SCHEMA_VERSION = 2
READ_SECONDS = 10.0  # for a statement that somebody composed

_changing = CHANGING


class Transaction:
    """Write inside one transaction. Made by `Store.write`; not kept beyond it."""

    def __init__(
        self,
        sql: dict[str, str],
        execute: Callable[[str, Sequence[Any]], Any],
        executemany: Callable[[str, Sequence[Sequence[Any]]], Any],
    ) -> None:
        self._sql = sql
        self._execute = execute
        self._executemany = executemany
        self._sources: dict[bytes, Sequence[Any]] = {}
        self._counters: dict[tuple[str, int, str, str, str], int] = {}

    def select(self, name: str, parameters: Sequence[Any] = (), listed: Sequence[Any] = ()) -> list[Row]:
        """Run a named statement that reads; `listed` fills its `(??)`."""
        rows: list[Row] = self._execute(*bind(self._sql[name], parameters, listed)).fetchall()
        return rows

    def change(self, name: str, parameters: Sequence[Any] = ()) -> int:
        """Run a named statement that writes; return how many rows it changed."""
        count: int = self._execute(self._sql[name], parameters).rowcount
        return count

    def open_lease(self, root_id: bytes, fence: int, opening: Opening) -> None:
        """Open the lease of a root run; a second opening changes nothing."""
        holder = opening.holder
        parameters = (root_id, fence, 0, opening.lease_seconds, holder.host, holder.boot_id, holder.pid, holder.started)
        self._execute(self._sql["lease_open"], parameters)

    def lock(self, root_id: bytes) -> None:
        """Keep everybody else from writing for a root run until the transaction ends, before its runs are read.

        Cost: nothing on SQLite, where the transaction has locked the database; a statement on Postgres.
        """
        sql = self._sql.get("lease_lock")
        if sql is not None:
            self._execute(sql, (root_id,))

    def advance(self, batch: Batch) -> str:
        """Compare fence and seq and step on, in one statement.

        Returns: "next" when the batch is to be applied, "applied" when it was before, "stale" when the sender no
        longer owns the run or has left a gap.
        """
        parameters = (batch.seq, batch.root_id, batch.fence, batch.seq - 1)
        if self._execute(self._sql["lease_advance"], parameters).rowcount == 1:
            return "next"
        return self.seen(batch)

    def seen(self, batch: Batch) -> str:
        """Tell what `advance` would say of a batch, changing nothing."""
        row = self._execute(self._sql["lease_look"], (batch.root_id,)).fetchone()
        if not row and batch.opening is not None and batch.seq == 1:
            return "next"
        if not row or row[0] != batch.fence or row[1] < batch.seq - 1:
            return "stale"
        return "applied" if row[1] >= batch.seq else "next"

    def load(self, ids: Sequence[bytes]) -> dict[bytes, Known]:
        """Read runs with the state of their latest attempt; unknown ids are left out."""
        known: dict[bytes, Known] = {}
        for start in range(0, len(ids), CHUNK):
            for row in self.select("runs_load", (), ids[start : start + CHUNK]):
                record = RunRecord(*row[:-2])
                started_at = row[-1] or (record.started_at if record.attempts == 1 else None)
                known[record.id] = Known(record, row[-2], started_at)
        return known

    def put(self, changes: Changes) -> None:
        """Write rows, table by table; shared ones (sources, counters) are kept until `finish`."""
        many, sql = self._executemany, self._sql
        if changes.plan:
            self._execute(sql["plans_insert"], changes.plan)
        if changes.runs:
            many(sql["runs_insert"], [msgspec.structs.astuple(run) for run in changes.runs])
        if changes.updated:
            many(
                sql["runs_update"],
                [(*(getattr(run, column) for column in _changing), run.id) for run in changes.updated],
            )
        if changes.attempts:
            many(sql["attempts_put"], _latest(changes.attempts))
        if changes.story:
            many(sql["story_insert"], changes.story)
        if changes.edges:
            many(sql["edges_insert"], changes.edges)
        if changes.items:
            many(sql["items_put"], _latest(changes.items))
        if changes.logs:
            many(sql["logs_insert"], changes.logs)
        for source in changes.sources:
            self._sources[source[0]] = source
        for key, count in changes.counters.items():
            self._counters[key] = self._counters.get(key, 0) + count

    def finish(self) -> None:
        """Write what owners share. The store calls it just before it commits.

        Cost: two statements at most, however many batches were applied.
        """
        if self._sources:
            self._executemany(self._sql["sources_insert"], [self._sources[key] for key in sorted(self._sources)])
        if len(self._counters) == 1:
            ((key, count),) = self._counters.items()
            self._execute(self._sql["counters_add"], (*key, count))
        elif self._counters:
            counted = [(*key, self._counters[key]) for key in sorted(self._counters)]
            self._executemany(self._sql["counters_add"], counted)


class Store(Protocol):
    """Keep rows. Implemented by SQLite and Postgres; one conformance suite holds both to it."""

    dialect: str
    address: str
    database_id: str
    look_seconds: float
    """How long to wait between two looks for what other processes committed, so that they cost next to nothing."""
    may_commit_late: bool
    """Whether a row with a smaller `seq` may be committed after one with a greater `seq`."""

    def write(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction: commits on leaving, rolls back on an exception.

        Raises:
            UnavailableError: the disk is full, the database is away or stays locked. Nothing was written, or, if it
                went away during the commit itself, perhaps all of it; sending the same again is safe (`seq`).
            Conflict: the rows contradict those that are there; nothing was written.
        """

    def select(self, name: str, parameters: Sequence[Any] = (), listed: Sequence[Any] = ()) -> list[Row]:
        """Run a named statement that reads, outside the writer."""

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement that reads, outside the writer: one that was composed from the store's catalogue.

        What somebody composes may cost anything, so it is ended after `READ_SECONDS`.

        Raises:
            UnavailableError: the database can't be asked just now, or the store is being closed.
            UsageError: it takes too long, or its answer is too large.
        """

    def data_version(self) -> int:
        """Tell a number that differs from the last one told if anything was committed since, by whomever.

        Where the database can't tell cheaply, it differs always. Asked by one thread.
        """

    def close(self) -> None:
        """Give back connections and files. Idempotent."""


def too_long() -> UsageError:
    """Refuse a question that has taken too long."""
    return UsageError(
        f"The question takes longer than {READ_SECONDS:g} s to answer.",
        hint="Ask for less: fewer levels, a smaller `limit`, a narrower `where`.",
    )


def bind(sql: str, parameters: Sequence[Any], listed: Sequence[Any] = ()) -> tuple[str, Sequence[Any]]:
    """Fill the list of a statement that has one: SQLite takes a parameter an element, Postgres one array."""
    if "(??)" in sql:
        return sql.replace("(??)", "(" + ",".join("?" * len(listed)) + ")"), (*parameters, *listed)
    if "ANY(%s)" in sql:
        return sql, (*parameters, list(listed))
    return sql, parameters


def _latest(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    """Keep the last row of each (run, number): a statement of Postgres may not touch a row twice."""
    return list({(row[0], row[1]): row for row in rows}.values())


def in_chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut a list of ids into pieces that fit one statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
