"""Which index each hot statement uses: a growing table is never read from end to end."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stellwerk.store.port import bind
from stellwerk.store.postgres import PostgresStore
from stellwerk.store.sqlite import SqliteStore
from stellwerk.store.statements import statements

ID = bytes(16)
GROWING = ("runs", "attempts", "story", "edges", "items", "logs", "leases", "plans", "sources", "counters")

# Statement, parameters, and the index it must use: in SQLite, in Postgres (a primary key has another name there).
HOT: list[tuple[str, tuple[Any, ...], int, str, str]] = [
    ("runs_load", (), 3, "sqlite_autoindex_runs_1", "runs_id_key"),
    ("runs_recent", ("default", 50), 0, "runs_roots", "runs_roots"),
    ("run_by_id", (ID,), 0, "sqlite_autoindex_runs_1", "runs_id_key"),
    ("runs_by_prefix", (ID, ID), 0, "sqlite_autoindex_runs_1", "runs_id_key"),
    ("runs_by_name", ("default", "brave-otter"), 0, "runs_by_name", "runs_by_name"),
    ("run_children", (ID, 50), 0, "runs_children", "runs_children"),
    ("runs_unfinished_of", (ID,), 0, "runs_unfinished", "runs_unfinished"),
    ("leases_held", (), 0, "leases_held", "leases_held"),
    ("leases_watched", (), 0, "leases_held", "leases_held"),
    ("roots_newest", ("default",), 0, "runs_roots", "runs_roots"),
    ("roots_since", ("default", 5, 1000), 0, "runs_roots", "runs_roots"),
    ("runs_unfinished_states", (), 0, "runs_unfinished", "runs_unfinished"),
    ("lease_advance", (1, ID, 1, 0), 0, "PRIMARY KEY", "leases_pkey"),
    ("lease_take_silent", (ID, 1, 0, 0), 0, "PRIMARY KEY", "leases_held"),
    ("lease_fences", (), 3, "PRIMARY KEY", "leases_pkey"),
    ("logs_of_root", (ID, 0, 50), 0, "PRIMARY KEY", "logs_pkey"),
    ("logs_found_of_root", (ID, 0, 0, "%x%", 50), 0, "PRIMARY KEY", "logs_pkey"),
    ("logs_found_of_root_tail", (ID, 0, "%x%", 50), 0, "PRIMARY KEY", "logs_pkey"),
    ("logs_of_run", (ID, 0, 50), 0, "logs_of_run", "logs_of_run"),
    ("attempts_of", (), 3, "PRIMARY KEY", "attempts_pkey"),
    ("story_of", (ID,), 0, "PRIMARY KEY", "story_pkey"),
    ("upstream_of", (), 3, "PRIMARY KEY", "edges_pkey"),
    ("items_of", (ID, 50), 0, "PRIMARY KEY", "items_pkey"),
    ("result_of", (ID,), 0, "sqlite_autoindex_runs_1", "runs_id_key"),
    ("plan_of", (ID,), 0, "PRIMARY KEY", "plans_pkey"),
    ("blob_of", (ID, ID) * 3, 0, "plans", "plans_pkey"),
    ("source_of", (ID,), 0, "PRIMARY KEY", "sources_pkey"),
    ("runs_update", (*[None] * 14, ID), 0, "sqlite_autoindex_runs_1", "runs_id_key"),
]


@pytest.mark.parametrize(("name", "parameters", "listed", "index", "_"), HOT, ids=[row[0] for row in HOT])
def test_sqlite(tmp_path: Path, name: str, parameters: tuple[Any, ...], listed: int, index: str, _: str) -> None:
    store = SqliteStore(tmp_path / "stellwerk.db")
    sql, bound = bind(statements("sqlite")[name], parameters, [ID] * listed)
    connection = sqlite3.connect(tmp_path / "stellwerk.db")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bound)]
    connection.close()
    store.close()
    assert any(index in step for step in plan), plan
    scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step and "CONSTANT" not in step]
    assert not scans, plan


def test_postgres(postgres_database: str) -> None:
    PostgresStore(postgres_database).close()
    missed = []
    with psycopg.connect(postgres_database) as connection:
        # An empty table is cheapest to read whole; what is asked here is whether an index can serve.
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        for name, parameters, listed, _, index in HOT:
            sql, bound = bind(statements("postgres")[name], parameters, [ID] * listed)
            rows = connection.execute(f"EXPLAIN {sql}", bound).fetchall()
            plan = "\n".join(row[0] for row in rows)
            if index not in plan or "Seq Scan" in plan:
                missed.append(f"{name}: {index} is not used\n{plan}")
    assert not missed, "\n\n".join(missed)


def test_every_growing_table_is_named() -> None:
    text = " ".join(sql for sql in statements("sqlite").values())
    for table in GROWING:
        assert table in text
