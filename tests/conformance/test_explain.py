"""Which index each hot statement uses: a growing table is never read from end to end.

Indexes that do not begin with a growing column, and why they may: runs_by_name (a person's words to a run),
runs_unfinished and leases_held (as small as the work in hand), runs_roots_by_state and runs_of_flow (flow runs only, what
pages list), counters_of_flow (a row an hour).
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stellwerk.api.graphql.answer import Answers
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
    ("timeline_new", (1, ID, ID, ID, 50), 0, "PRIMARY KEY", "runs_pkey"),
    ("timeline_open", (ID, ID, ID), 3, "PRIMARY KEY", "runs_pkey"),
    ("timeline_all", (ID, 1, 50), 0, "runs_children", "runs_children"),
    ("graph_edges", (ID, 50, 50), 0, "PRIMARY KEY", "edges_pkey"),
]
LISTED: dict[str, Any] = {"timeline_open": 1}  # what is listed, where it is no id
NAMED = {"runs_by_name", "runs_unfinished", "leases_held", "runs_roots_by_state", "runs_of_flow", "counters_of_flow"}
GROWTH = {"seq", "id", "root_id", "run_id", "parent_id", "downstream_id", "upstream_id", "hash", "hour", "map_id"}


def roots(fields: str, where: str = "") -> str:
    """Ask for root runs."""
    return f"{{ runs(where: {{parent_id: {{_is_null: true}} {where}}}) {{ {fields} }} }}"


# Request, and the indexes that it must use.
ASKED: dict[str, tuple[str, set[str]]] = {
    "newest": (roots("name"), {"runs_roots"}),
    "filtered": (roots("name", 'tags: {_contains: ["a"]}, duration_seconds: {_gt: 1}'), {"runs_roots"}),
    "count": (
        "{ runs_aggregate(where: {parent_id: {_is_null: true}}) { aggregate { count } } }",
        {"runs_roots"},
    ),
    "one state": (roots("name", 'state: {_eq: "failed"}'), {"runs_roots_by_state"}),
    "states": (roots("name", 'state: {_in: ["failed", "crashed"]}'), {"runs_roots_by_state"}),
    "states, as said": (
        '{ runs(where: {parent_id: {_is_null: true}, state: {_in: ["failed", "running"]}}, order_by: [{seq: desc}]) { id } }',
        {"runs_roots_by_state"},
    ),
    "flow": ('{ runs(where: {kind: {_eq: "flow"}, flow_name: {_eq: "night"}}) { name } }', {"runs_of_flow"}),
    "flows": ("{ flows { name run_count last_run_at runs { name } } }", {"runs_of_flow"}),
    "counts": ("{ flows { counts { state count } } }", {"runs_of_flow", "counters_of_flow"}),
    "one": ('{ run(id: "00000000-0000-7000-8000-000000000000") { name } }', {"runs_id"}),
    "children": (roots("children { name } tally { state count }"), {"runs_children"}),
    "attempts": (roots("attempts { number }"), {"attempts_key", "runs_id"}),
    "story": (roots("story { n }"), {"story_key", "attempts_key", "runs_id"}),
    "edges": (roots("upstream { name } downstream { name }"), {"edges_key", "edges_up", "runs_id"}),
    "logs": (roots("logs { n run { name } }"), {"logs_key", "logs_of_run", "runs_id"}),
    "code": (roots("source { text }"), {"sources_key"}),
    "all runs": ("{ runs { name } }", set()),
    "all lines": ("{ logs { n } }", set()),
}
WALKED = {"all runs", "all lines"}  # read in the order of their key, as far as the limit goes
# How SQLite names what the table above calls `…_key` and `runs_id`; in Postgres they are `…_pkey` and `runs_id_key`.
PLACES = {
    "attempts_key": "PRIMARY KEY",
    "story_key": "PRIMARY KEY",
    "edges_key": "PRIMARY KEY",
    "logs_key": "PRIMARY KEY",
}
PLACES |= {"sources_key": "PRIMARY KEY", "runs_id": "sqlite_autoindex_runs_1"}


@pytest.mark.parametrize(("name", "parameters", "listed", "index", "_"), HOT, ids=[row[0] for row in HOT])
def test_sqlite(tmp_path: Path, name: str, parameters: tuple[Any, ...], listed: int, index: str, _: str) -> None:
    store = SqliteStore(tmp_path / "stellwerk.db")
    sql, bound = bind(statements("sqlite")[name], parameters, [LISTED.get(name, ID)] * listed)
    connection = sqlite3.connect(tmp_path / "stellwerk.db")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bound)]
    connection.close()
    store.close()
    assert any(index in step for step in plan), plan
    assert not scans(plan, sql), plan


def test_postgres(postgres_database: str) -> None:
    PostgresStore(postgres_database).close()
    missed = []
    with psycopg.connect(postgres_database) as connection:
        # An empty table is cheapest to read whole; what is asked here is whether an index can serve.
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        for name, parameters, listed, _, index in HOT:
            sql, bound = bind(statements("postgres")[name], parameters, [LISTED.get(name, ID)] * listed)
            rows = connection.execute(f"EXPLAIN {sql}", bound).fetchall()
            plan = "\n".join(row[0] for row in rows)
            if index not in plan or "Seq Scan" in plan:
                missed.append(f"{name}: {index} is not used\n{plan}")
    assert not missed, "\n\n".join(missed)


class Silent:
    """Be a store that answers nothing and keeps what it was asked."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.asked: tuple[str, Sequence[Any]] = ("", ())

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[bytes]]:
        self.asked = (sql, parameters)
        return [(b"null",)]


def compiled(dialect: str, document: str) -> tuple[str, Sequence[Any]]:
    """Compile a request to a statement."""
    store = Silent(dialect)
    Answers(store).answer(document)  # type: ignore[arg-type]  # all that is asked of it
    return store.asked


@pytest.mark.parametrize("name", list(ASKED))
def test_sqlite_finds_what_pages_ask_by_index(tmp_path: Path, name: str) -> None:
    document, indexes = ASKED[name]
    SqliteStore(tmp_path / "stellwerk.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "stellwerk.db")) as connection:
        sql, parameters = compiled("sqlite", document)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    for index in indexes:
        assert any(PLACES.get(index, index) in step for step in plan), (index, plan)
    assert name in WALKED or not scans(plan, sql), plan
    assert name not in WALKED or not any("ORDER BY" in step for step in plan), plan


def scans(plan: Sequence[str], sql: str) -> list[str]:
    """Find the steps that read a growing table from end to end."""
    found = (step.split() for step in plan if step.startswith("SCAN") and "INDEX" not in step)
    return [alias for _, alias, *_ in found if alias in tables_of(sql)]


def tables_of(sql: str) -> set[str]:
    """Name the aliases under which a statement reads growing tables."""
    return {*GROWING, *(alias for table in GROWING for alias in re.findall(rf"\b{table} (\w+)", sql))}


def test_postgres_finds_what_pages_ask_by_index(postgres_database: str) -> None:
    PostgresStore(postgres_database).close()
    missed = []
    with psycopg.connect(postgres_database) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        for name, (document, indexes) in ASKED.items():
            sql, parameters = compiled("postgres", document)
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}".encode(), parameters))
            wanted = {re.sub("_key$", "_pkey", index) if index != "runs_id" else "runs_id_key" for index in indexes}
            missed += [f"{name}: {index} is not used\n{plan}" for index in wanted if index not in plan]
            if "Seq Scan" in plan:
                missed.append(f"{name}: a table is read whole\n{plan}")
    assert not missed, "\n\n".join(missed)


def test_every_index_begins_with_what_grows(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "stellwerk.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "stellwerk.db")) as connection:
        found = connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        culprits = []
        for name, table in found.fetchall():
            columns = [row[2] for row in connection.execute(f"PRAGMA index_info({name})")]
            first = columns[1] if columns[0] == "project" else columns[0]
            if name not in NAMED and first not in GROWTH:
                culprits.append(f"{table}.{name} {columns}")
    assert not culprits


def test_every_growing_table_is_named() -> None:
    text = " ".join(sql for sql in statements("sqlite").values())
    for table in GROWING:
        assert table in text
