"""A database of an older version is brought up to date when it is opened, with all that is in it."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
import psycopg
import pytest
from wire import NOW, Root, accept, check_all, everything, new_id, open_store, query, rows

from stellwerk.api import views
from stellwerk.model.messages import Began
from stellwerk.model.records import RunRecord
from stellwerk.store.port import SCHEMA_VERSION
from stellwerk.store.sqlite import _split
from stellwerk.store.statements import migrations, statements


def make_first(url: str, runs: list[RunRecord]) -> None:
    """Make a database as the first version did, with some runs."""
    dialect = "postgres" if "://" in url else "sqlite"
    (number, name, script), *_ = migrations(dialect)
    assert number == 1
    values = [msgspec.structs.astuple(run) for run in runs]
    if dialect == "postgres":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script.encode())
            meta = [("migration 0001", name), ("database_id", "d" * 32)]
            connection.cursor().executemany("INSERT INTO meta VALUES (%s, %s)", meta)
            connection.cursor().executemany(statements(dialect)["runs_insert"].encode(), values)
        return
    old = sqlite3.connect(url, isolation_level=None)
    old.execute("PRAGMA journal_mode = WAL")
    for statement in _split(script):
        old.execute(statement)
    old.executemany("INSERT INTO meta VALUES (?, ?)", [("migration 0001", name), ("database_id", "d" * 32)])
    old.executemany(statements(dialect)["runs_insert"], values)
    old.execute("PRAGMA user_version = 1")
    old.close()


def flow_run() -> RunRecord:
    run_id = new_id()
    absent: dict[str, Any] = dict.fromkeys(RunRecord.__struct_fields__[: RunRecord.__struct_fields__.index("state")])
    given = {"id": run_id, "root_id": run_id, "project": "default", "kind": "flow", "name": "otter", "flow": "night"}
    return RunRecord(**absent | given | {"n": 0, "created_at": NOW}, state="running", attempts=1, started_at=NOW)


def version_of(url: str) -> int:
    if "://" in url:
        return len(query(url, "SELECT 1 FROM meta WHERE key LIKE 'migration %'"))
    return int(query(url, "PRAGMA user_version")[0][0])


def test_a_first_version_is_brought_up_to_date_with_its_rows(url: str) -> None:
    runs = [flow_run() for _ in range(3)]
    make_first(url, runs)
    before = rows(url, "runs")
    assert version_of(url) == 1
    store = open_store(url)
    try:
        assert store.database_id == "d" * 32
        assert version_of(url) == SCHEMA_VERSION
        assert rows(url, "runs") == before
        assert len(views.recent_runs(store, 10)) == 3
        root = Root()
        accept(store, root.batch(*root.begin(), root.task(task := new_id()), Began(task, NOW + 3, 1)))
        assert len(views.recent_runs(store, 10)) == 4
    finally:
        store.close()
    told = everything(url)
    open_store(url).close()  # a second time there is nothing to do
    assert everything(url) == told
    check_all(url)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_migrations_are_numbered_without_a_gap(dialect: str) -> None:
    assert [number for number, _, _ in migrations(dialect)] == list(range(1, SCHEMA_VERSION + 1))


def test_a_migrated_database_has_the_new_indexes(url: str) -> None:
    make_first(url, [])
    open_store(url).close()
    of = "SELECT indexname FROM pg_indexes" if "://" in url else "SELECT name FROM sqlite_master"
    assert {"runs_roots", "runs_roots_by_state", "runs_of_flow", "counters_of_flow"} <= {
        row[0] for row in query(url, of)
    }
