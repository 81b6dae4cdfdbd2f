"""PostgreSQL as the world treats it: connections that die, wrong passwords, foreign tables, processes that fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from wire import NOW, Root, accept, change, check_all, completed, everything, new_id, query, runs_of

from stellwerk.engine.apply import apply, apply_one
from stellwerk.errors import ConfigError, UnavailableError
from stellwerk.model.messages import Ack, Began
from stellwerk.store.port import SCHEMA_VERSION
from stellwerk.store.postgres import PostgresStore
from stellwerk.store.sqlite import SqliteStore
from stellwerk.store.statements import statements

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stellwerk'"


@pytest.fixture
def url(postgres_database: str) -> str:
    """Name an empty database."""
    return postgres_database


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """Open it."""
    store = PostgresStore(url)
    yield store
    store.close()


def kill_connections(url: str) -> None:
    """End the store's connections as a restart of the server would, and wait until they are gone."""
    count = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'stellwerk'"
    query(url, KILL)
    deadline = time.monotonic() + 30
    while query(url, count) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.01)  # the server tells nobody when a backend is gone


def test_connections_that_died_idle_are_replaced(store: PostgresStore, url: str) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    assert store.select("run_by_id", (root.id,))
    kill_connections(url)
    assert store.select("run_by_id", (root.id,))
    accept(store, root.batch(root.end()))
    kill_connections(url)
    assert "completed" in store.select("run_by_id", (root.id,))[0]


def test_a_connection_that_dies_in_a_transaction_is_an_error_once(store: PostgresStore, url: str) -> None:
    root = Root()
    batch = root.batch(*root.begin())

    def interrupted() -> None:
        with store.write() as transaction:
            kill_connections(url)
            transaction.change("lease_close", (root.id,))

    with pytest.raises(UnavailableError, match="can't be used just now"):
        interrupted()
    accept(store, batch)
    accept(store, batch)  # whoever got no answer sends again
    assert runs_of(url)[root.id].state == "running"


def test_an_error_in_the_middle_changes_nothing(store: PostgresStore, url: str) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    before = everything(url)

    def mistaken() -> None:
        with store.write() as transaction:
            transaction.change("lease_close", (root.id,))
            _ = 1 // 0

    with pytest.raises(ZeroDivisionError):
        mistaken()
    assert everything(url) == before
    accept(store, root.batch(root.end()))


def test_owners_do_not_wait_for_each_other(store: PostgresStore, url: str) -> None:
    """A take-over stays open: another owner goes on, the old owner's batch waits for it and is then refused."""
    slow, quick, others = Root(), Root(), [PostgresStore(url), PostgresStore(url)]
    accept(store, slow.batch(*slow.begin()), quick.batch(*quick.begin()))
    acks: list[Ack] = []
    late = threading.Thread(target=lambda: acks.extend(apply(others[0], [slow.batch(slow.end())])))
    with store.write() as transaction:
        transaction.change("lease_take", (slow.id, 1))
        accept(others[1], quick.batch(quick.end()))
        late.start()
        wait_for_lock(url)
        assert not acks
    late.join(30)
    assert [ack.code for ack in acks] == ["stale_fence"]
    assert {run.id: run.state for run in runs_of(url).values()} == {slow.id: "running", quick.id: "completed"}
    for other in others:
        other.close()


def test_a_batch_is_folded_from_what_the_one_before_it_left(store: PostgresStore, url: str) -> None:
    """Its predecessor is not committed yet, since its acknowledgement was lost on the way: it waits before it reads."""
    root, task, other = Root(), new_id(), PostgresStore(url)
    accept(store, root.batch(*root.begin()))
    first = root.batch(root.task(task), Began(task, NOW + 3, 1))
    second = root.batch(completed(task))
    acks: list[Ack] = []
    late = threading.Thread(target=lambda: acks.extend(apply(other, [second])))
    with store.write() as transaction:
        assert not apply_one(transaction, first).code
        late.start()
        wait_for_lock(url)
    late.join(30)
    assert acks == [Ack(second.seq)]
    assert runs_of(url)[task].state == "completed"
    check_all(url)
    other.close()


@pytest.mark.parametrize(("default", "used"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_every_commit_is_synced(url: str, default: str, used: str) -> None:
    change(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = {default}")
    store = PostgresStore(url)
    with store.write():
        pass
    assert store._writer is not None
    assert store._writer.execute("SHOW synchronous_commit").fetchone() == (used,)
    store.close()


def wait_for_lock(url: str) -> None:
    """Wait until some connection waits for a lock."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if query(url, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != [(0,)]:
            return
        time.sleep(0.01)  # the server tells nobody who waits
    raise AssertionError("nobody waits")


def test_a_newer_database_is_left_alone(url: str) -> None:
    PostgresStore(url).close()
    change(url, f"INSERT INTO meta VALUES ('migration {SCHEMA_VERSION + 1:04}', 'from the future')")
    with pytest.raises(ConfigError, match=f"version {SCHEMA_VERSION + 1}") as caught:
        PostgresStore(url)
    assert "newer Stellwerk" in caught.value.hint


@pytest.mark.parametrize(
    "table",
    ["runs (marathon TEXT)", "meta (name TEXT)", "meta (key TEXT, value TEXT)", "leases (house TEXT)"],
)
def test_foreign_tables_are_left_alone(url: str, table: str) -> None:
    change(url, f"CREATE TABLE {table}")
    with pytest.raises(ConfigError, match="but not Stellwerk's") as caught:
        PostgresStore(url)
    assert "search_path" in caught.value.hint
    assert query(url, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(1,)]


def test_a_schema_of_its_own_lives_beside_foreign_tables(url: str) -> None:
    change(url, "CREATE TABLE runs (marathon TEXT)", "CREATE SCHEMA stellwerk")
    store, root = PostgresStore(f"{url}?options=-csearch_path%3Dstellwerk"), Root()
    accept(store, root.batch(*root.begin()))
    store.close()
    assert query(url, "SELECT COUNT(*) FROM stellwerk.runs") == [(1,)]
    assert query(url, "SELECT COUNT(*) FROM runs") == [(0,)]


def test_another_encoding_is_refused(postgres_url: str) -> None:
    change(postgres_url, "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
    try:
        with pytest.raises(ConfigError, match="encoded in LATIN1") as caught:
            PostgresStore(postgres_url.rpartition("/")[0] + "/latin")
        assert "createdb" in caught.value.hint
    finally:
        change(postgres_url, "DROP DATABASE latin WITH (FORCE)")


def test_order_does_not_depend_on_the_locale(url: str) -> None:
    PostgresStore(url).close()
    compared = """SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"""
    free = {f"{table}.{column}" for table, column in query(url, compared)}
    indexed = """SELECT c.relname || '.' || a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) WHERE c.relnamespace = 'public'::regnamespace"""
    assert not free & {row[0] for row in query(url, indexed)}


def test_both_schemas_have_the_same_columns(store: PostgresStore, url: str, tmp_path: Path) -> None:
    path = str(tmp_path / "stellwerk.db")
    SqliteStore(Path(path)).close()
    sqlite = query(
        path,
        'SELECT m.name, c.name, c."notnull" OR c.pk > 0 FROM sqlite_master m, pragma_table_info(m.name) c '
        "WHERE m.type = 'table' ORDER BY m.name, c.cid",
    )
    postgres = query(
        url,
        "SELECT table_name::text, column_name::text, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END "
        "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name COLLATE \"C\", ordinal_position",
    )
    assert postgres == sqlite
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    made = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
    assert {row[0] for row in query(path, indexes)} <= {row[0] for row in query(url, made)}
    assert set(statements("sqlite")) <= set(statements("postgres"))


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError) as caught:
        PostgresStore("postgresql://ann:s3cret@127.0.0.1:1/trains")
    told = str(caught.value)
    assert "postgresql://ann@127.0.0.1:1/trains" in told
    assert "Check that the server is running" in told
    assert "s3cret" not in told


def test_a_database_that_is_not_there_is_named(postgres_url: str) -> None:
    with pytest.raises(UnavailableError, match='"nowhere" does not exist'):
        PostgresStore(postgres_url.rpartition("/")[0] + "/nowhere")


@pytest.mark.parametrize(
    "broken", ["postgresql://ann:s3cret@host:port/x", "postgresql://ann:s3cret@[::1/x", "postgresql://h/?s3cret"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(broken: str) -> None:
    with pytest.raises((ConfigError, UnavailableError)) as caught:
        PostgresStore(broken)
    assert "s3cret" not in str(caught.value)
    assert "STELLWERK_DATABASE_URL" in caught.value.hint


def test_a_wrong_password_is_refused_without_being_told(postgres_url: str) -> None:
    """The server trusts everybody on the loopback; one user is made for whom it does not."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        (path,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = connection.execute("SELECT pg_read_file(%s)", (path,)).fetchone()
        assert rules is not None
        try:
            with open(path, "w") as file:
                file.write("host all locked all scram-sha-256\n" + rules[0])
            connection.execute("SELECT pg_reload_conf()")
            wait_until_strict(postgres_url.replace("postgres@", "locked:wrong@"))
            with pytest.raises(UnavailableError, match="password authentication failed") as caught:
                PostgresStore(postgres_url.replace("postgres@", "locked:wrong@"))
            assert "wrong" not in str(caught.value)
            assert "password" in caught.value.hint
            # Let in, but not allowed to make tables.
            with pytest.raises(ConfigError, match="permission denied") as refused:
                PostgresStore(postgres_url.replace("postgres@", "locked:right@"))
            assert "Grant" in refused.value.hint
        finally:
            with open(path, "w") as file:
                file.write(rules[0])
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE locked")


def wait_until_strict(url: str) -> None:
    """Wait until the server asks for the password."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.01)  # a reload is not acknowledged


def test_without_psycopg_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from stellwerk.errors import ConfigError
from stellwerk.store.postgres import PostgresStore
try:
    PostgresStore("postgresql://localhost/x")
except ConfigError as problem:
    print(problem.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'stellwerk[postgres]'" in done.stdout


def test_a_forked_child_leaves_the_parents_connections_alone(store: PostgresStore, url: str) -> None:
    root = Root()
    accept(store, root.batch(*root.begin()))
    assert store.select("run_by_id", (root.id,))
    child = os.fork()
    if child == 0:
        store.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert store.select("run_by_id", (root.id,))
    accept(store, root.batch(root.end()))
    check_all(url)
