"""PostgreSQL: one writer connection, a few readers, rows as arrays.

Theory of operation: a write transaction locks the lease row of each root run it writes for and nothing else until just
before its end, so owners never wait for each other; that two engines decide on one run at once is settled by that row.
READ COMMITTED is asked for by name: who waited for a lease must then see what the other one wrote. A connection that
died while it was idle is replaced without a word; one that dies in a transaction is an error, since nobody can tell
whether its commit was done, and the next call connects anew. Processes that start at once migrate one after another,
under an advisory lock, in one transaction.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stellwerk.errors import ConfigError, Conflict, InternalError, StellwerkError, UnavailableError
from stellwerk.store import port
from stellwerk.store.port import SCHEMA_VERSION, Row, Transaction, bind
from stellwerk.store.statements import migrations, statements

if TYPE_CHECKING:
    import psycopg

MIGRATION_LOCK = 0x5354454C4C574B  # "STELLWK": any number will do that nobody else locks
MIGRATION = "migration "
MOST_READERS = 4  # that are kept when nobody reads
FEW = 3
"""Up to so many rows a statement each is faster than arrays. Measured, rows of runs a second, statements : arrays:
1 row 5,300 : 1,900; 5 rows 4,200 : 2,600 to 7,500; 100 rows 7,600 : 27,000; 1,000 rows 7,900 : 51,000 (COPY: 40,000)."""
BOUNDS = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "tcp_user_timeout": "60000"}
"""How soon a silent network is noticed, seconds (the last: milliseconds), unless the URL says something else."""
# A process that is stopped in the middle of a transaction must not hold up those who would take its run over.
# A commit is on the disk when it is acknowledged, whatever the server's, the database's or the role's default; one that
# also waits for standbys to apply it is left so.
WRITER = (
    "SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'; "
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') <> 'remote_apply'"
)
# What is read here is small; compiling a plan (jit) costs more than running it.
READER = "SET default_transaction_read_only = on; SET jit = off"
COMPOSED = f"{READER}; SET statement_timeout = {{}}"  # ms
_graveyard: list[object] = []


class PostgresStore:
    """Keep rows in a PostgreSQL database, in the schema that its search path begins with.

    Args:
        url: `postgresql://user:password@host:port/database`, with libpq's options.
        durability: accepted as for SQLite; every commit is synced (`synchronous_commit`).

    Raises:
        ConfigError: psycopg is missing, the URL can't be read, or the database is not one of Stellwerk's, of a newer
            version, or not in UTF-8; nothing was written.
        UnavailableError: the server can't be reached or refuses the user.
    """

    dialect = "postgres"
    look_seconds = 0.25
    may_commit_late = True

    def __init__(self, url: str, durability: str = "strict") -> None:
        self._driver = _driver()
        self._conninfo, self.address = self._read_url(url)
        self._sql = statements("postgres")
        self._many = {sql: self._sql[f"{name}_many"] for name, sql in self._sql.items() if f"{name}_many" in self._sql}
        self._thread_lock = threading.Lock()
        self._looks = itertools.count(1)
        self._readers: list[psycopg.Connection[Row]] = []
        self._bounded: list[psycopg.Connection[Row]] = []  # for composed statements
        self._pid = os.getpid()
        self._writer: psycopg.Connection[Row] | None = self._connect(WRITER)
        try:
            self._refuse_other_encodings(self._writer)
            self.database_id = self._migrate(self._writer)
        except BaseException as problem:
            self._writer.close()
            if isinstance(problem, self._driver.Error):
                raise self._translate(problem) from problem
            raise

    def _read_url(self, url: str) -> tuple[str, str]:
        conninfo = self._driver.conninfo
        try:
            parts = conninfo.conninfo_to_dict(url)
        except self._driver.Error:
            # Its text may quote the URL, and with it the password.
            raise ConfigError(
                "The database URL can't be read.",
                hint="Set STELLWERK_DATABASE_URL to postgresql://user:password@host:5432/database; "
                "in a password write %40 for @ and %2F for /.",
            ) from None
        user = f"{parts['user']}@" if parts.get("user") else ""
        port = f":{parts['port']}" if parts.get("port") else ""
        address = f"postgresql://{user}{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or ''}"
        own = {"application_name": "stellwerk", **BOUNDS, **parts, "client_encoding": "utf8"}
        return conninfo.make_conninfo(**own), address

    def _connect(self, settings: str) -> psycopg.Connection[Row]:
        try:
            connection: psycopg.Connection[Row] = self._driver.connect(self._conninfo, autocommit=True)
            connection.execute(settings)
        except self._driver.Error as problem:
            said = str(problem).strip().splitlines() or ["no reason given"]
            raise UnavailableError(
                f"The database {self.address} can't be reached: {said[-1].strip()}",
                hint="Check that the server is running, and that host, user, password and database in "
                "STELLWERK_DATABASE_URL are right; then try again.",
                is_passing=True,
            ) from problem
        return connection

    def _refuse_other_encodings(self, connection: psycopg.Connection[Row]) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigError(
                f"The database {self.address} is encoded in {encoding}, which can't hold every text.",
                hint="Create one with: createdb --encoding=UTF8 --template=template0 NAME",
            )

    def _migrate(self, connection: psycopg.Connection[Row]) -> str:
        meta = self._meta(connection)
        if self._version(meta) != SCHEMA_VERSION:
            with connection.transaction():
                connection.execute(self._sql["meta_lock"], (MIGRATION_LOCK,))
                self._migrate_locked(connection)
            meta = self._meta(connection)
        return meta["database_id"]

    def _meta(self, connection: psycopg.Connection[Row]) -> dict[str, str]:
        """Read what the database says of itself; empty when there is nothing of ours yet."""
        present = [row[0] for row in connection.execute(self._sql["tables_present"], (["meta", "runs", "leases"],))]
        if not present:
            return {}
        foreign = ConfigError(
            f"The database {self.address} has tables named {', '.join(sorted(present))}, but not Stellwerk's.",
            hint="Give Stellwerk a database of its own, or a schema: …?options=-csearch_path%3Dstellwerk",
        )
        if "meta" not in present:
            raise foreign
        try:
            meta = {str(key): str(value) for key, value in connection.execute(self._sql["meta_all"])}
        except self._driver.errors.UndefinedColumn:
            raise foreign from None
        if "database_id" not in meta:
            raise foreign
        return meta

    def _version(self, meta: dict[str, str]) -> int:
        version = max((int(key.removeprefix(MIGRATION)) for key in meta if key.startswith(MIGRATION)), default=0)
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"The database {self.address} has schema version {version}; this Stellwerk knows version {SCHEMA_VERSION}.",
                hint="Install the newer Stellwerk that wrote it, or set STELLWERK_DATABASE_URL to another database.",
            )
        return version

    def _migrate_locked(self, connection: psycopg.Connection[Row]) -> None:
        version = self._version(self._meta(connection))
        for number, name, script in migrations("postgres"):
            if number > version:
                connection.execute(script.encode())
                connection.execute(self._sql["meta_insert"], (f"{MIGRATION}{number:04}", name))
        if version == 0:
            connection.execute(self._sql["meta_insert"], ("database_id", secrets.token_hex(16)))

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a write transaction: see `Store.write`."""
        with self._thread_lock:
            connection = self._begin()
            try:
                transaction = Transaction(self._sql, _executor(connection), _batch_executor(connection, self._many))
                yield transaction
                transaction.finish()
                connection.execute("COMMIT")
            except BaseException as problem:
                self._roll_back(connection)
                if isinstance(problem, self._driver.Error):
                    raise self._translate(problem) from problem
                raise

    def _begin(self) -> psycopg.Connection[Row]:
        """Begin a transaction; a connection that died since the last one is replaced, once."""
        for _attempt in range(2):
            fresh = self._writer is None
            connection = self._writer = self._writer or self._connect(WRITER)
            try:
                connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            except self._driver.Error as problem:
                self._drop_writer()
                if fresh or not connection.broken:
                    raise self._translate(problem) from problem
            except BaseException:
                self._drop_writer()
                raise
            else:
                return connection
        raise UnavailableError(
            f"The database {self.address} closes every connection.",
            hint="Look into its log, then try again.",
            is_passing=True,
        )

    def _roll_back(self, connection: psycopg.Connection[Row]) -> None:
        try:
            if connection.info.transaction_status != self._driver.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except BaseException as problem:
            self._drop_writer()
            if not isinstance(problem, self._driver.Error):
                raise

    def _drop_writer(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()

    def select(self, name: str, parameters: Sequence[Any] = (), listed: Sequence[Any] = ()) -> list[Row]:
        """Run a named statement that reads, on a connection of its own."""
        return self._read(*bind(self._sql[name], parameters, listed), self._readers, READER)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a composed statement that reads: see `Store.read`."""
        return self._read(sql, parameters, self._bounded, COMPOSED.format(int(port.READ_SECONDS * 1000)))

    def _read(
        self, sql: str, parameters: Sequence[Any], idle: list[psycopg.Connection[Row]], settings: str
    ) -> list[Row]:
        while True:
            try:
                reader, fresh = idle.pop(), False
            except IndexError:
                reader, fresh = self._connect(settings), True
            try:
                rows = reader.execute(sql.encode(), parameters, binary=True).fetchall()
            except BaseException as problem:
                broken = reader.broken
                reader.close()
                if not isinstance(problem, self._driver.Error):
                    raise
                if fresh or not broken:
                    raise self._translate(problem) from problem
                continue  # it died while idle, and others may have, too
            if len(idle) < MOST_READERS:
                idle.append(reader)
            else:
                reader.close()
            return rows

    def data_version(self) -> int:
        """Tell a new number each time, since nothing cheaper than looking would tell: see `Store.data_version`."""
        return next(self._looks)

    def close(self) -> None:
        """Close all connections; in a forked child only forget them, since closing would end the parent's."""
        readers = [*self._readers, *self._bounded]
        self._readers, self._bounded = [], []
        if os.getpid() != self._pid:
            _graveyard.extend([self._writer, readers])
            return
        with self._thread_lock:
            for connection in readers:
                connection.close()
            self._drop_writer()

    def _translate(self, problem: psycopg.Error) -> StellwerkError:
        errors = self._driver.errors
        said = (problem.diag.message_primary or str(problem) or "no reason given").strip().splitlines()[0].rstrip(".")
        if isinstance(problem, errors.IntegrityError):
            return Conflict(f"A row contradicts those in {self.address}: {said}.", hint="Nothing was changed.")
        if isinstance(problem, errors.InsufficientPrivilege):
            return ConfigError(
                f"The database {self.address} does not let us in: {said}.",
                hint="Grant the user the right to create and use tables in the schema, or name another user.",
            )
        if isinstance(problem, errors.QueryCanceled) and "statement timeout" in said:
            return port.too_long()
        if isinstance(problem, errors.DiskFull):
            return UnavailableError(
                f"The disk under the database {self.address} is full: nothing more can be recorded.",
                hint="Free some space on the database's machine, then try again.",
            )
        if isinstance(problem, (self._driver.ProgrammingError, self._driver.DataError)):
            return InternalError(f"The database {self.address} refused a statement: {said}.", hint="Please report it.")
        return UnavailableError(
            f"The database {self.address} can't be used just now: {said}.",
            hint="Check that the server is running, then try again.",
            is_passing=True,
        )


def _driver() -> Any:
    """Import psycopg: an optional extra, and not light."""
    try:
        import psycopg
    except ImportError as missing:
        raise ConfigError(
            f"PostgreSQL needs the package psycopg, which can't be imported: {missing}.",
            hint="Install it with: pip install 'stellwerk[postgres]'",
        ) from missing
    return psycopg


def _executor(connection: psycopg.Connection[Row]) -> Any:
    def execute(sql: str, parameters: Sequence[Any]) -> Any:
        return connection.execute(sql.encode(), parameters, binary=True)

    return execute


def _batch_executor(connection: psycopg.Connection[Row], many: dict[str, str]) -> Any:
    def executemany(sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) > FEW and sql in many:
            connection.execute(many[sql].encode(), [list(column) for column in zip(*rows, strict=True)])
        elif len(rows) == 1:
            connection.execute(sql.encode(), rows[0])
        else:
            connection.cursor().executemany(sql.encode(), rows)

    return executemany
