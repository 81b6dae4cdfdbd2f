"""SQLite: WAL, one writer connection, a pool of readers, and a lock file in which writers of all processes queue."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stellwerk.errors import ConfigError, Conflict, InternalError, StellwerkError, UnavailableError, UsageError
from stellwerk.store import port
from stellwerk.store.lock import WriteLock
from stellwerk.store.port import SCHEMA_VERSION, Row, Transaction, bind
from stellwerk.store.statements import migrations, statements

NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb2 smb3 smbfs afs ncpfs 9p fuse.sshfs fuse.s3fs fuse.gcsfuse lustre gpfs beegfs ceph glusterfs".split()
)
BUSY_SECONDS = 60.0
STEPS = 500_000  # of SQLite's machine, some 10 ms, between two looks at whether a reader may go on
MOST_ANSWER_BYTES = 256 << 20  # of one value that is read, so also of the answer to a composed statement
BLOCK = 32  # rows a statement; 32 × 29 columns stay below 999 parameters, the least that SQLite was ever built with
_graveyard: list[object] = []


class SqliteStore:
    """Keep rows in one SQLite file.

    Args:
        path: the database file; its folder must exist.
        durability: with `power` every commit is synced to the disk; otherwise a power cut may take back the last
            moments, while the death of any process takes back nothing.

    Raises:
        ConfigError: the file is not a Stellwerk database, or of a newer version; nothing was written.
        UnavailableError: the disk is full or the file cannot be opened.
    """

    dialect = "sqlite"
    look_seconds = 0.05
    may_commit_late = False

    def __init__(self, path: Path, durability: str = "strict") -> None:
        self.address = str(path)
        self._path = path
        self._sql = statements("sqlite")
        self._thread_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._watcher: sqlite3.Connection | None = None
        self._pid = os.getpid()
        self._is_closed = False
        with _translated(path):
            _create_private(path)
            with contextlib.ExitStack() as undo:
                self._lock = WriteLock(path)
                undo.callback(self._lock.close)
                self._writer = self._connect("FULL" if durability == "power" else "NORMAL")
                undo.callback(self._writer.close)
                self.database_id = self._migrate()
                undo.pop_all()

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA temp_store = MEMORY")
            # Hot pages are written back once in 16 MB of log, not once in 4; the log is read a little longer.
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA cache_size = -16000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> str:
        connection = self._writer
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            self._lock.acquire()
            try:
                self._migrate_locked(connection)
            finally:
                self._lock.release()
        self._refuse_foreign(connection, SCHEMA_VERSION)
        found = connection.execute("SELECT value FROM meta WHERE key = 'database_id'").fetchone()
        return str(found[0])

    def _migrate_locked(self, connection: sqlite3.Connection) -> None:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        self._refuse_foreign(connection, version)
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"The database {self._path} has schema version {version}; this Stellwerk knows version {SCHEMA_VERSION}.",
                hint="Install the newer Stellwerk that wrote it, or set STELLWERK_HOME to another folder.",
            )
        if version == 0:
            # Before anything is written, and only then: later it would be a write transaction of its own.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
        for number, name, script in migrations("sqlite"):
            if number <= version:
                continue
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in _split(script):
                    connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES (?, ?)", (f"migration {number:04}", name))
                if number == 1:
                    connection.execute("INSERT INTO meta VALUES ('database_id', ?)", (secrets.token_hex(16),))
                connection.execute(f"PRAGMA user_version = {number}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _refuse_foreign(self, connection: sqlite3.Connection, version: int) -> None:
        """Raise if the tables are another program's: ours are all there from the first version on, and none before."""
        found = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if found and (version == 0 or not {"meta", "runs", "leases"} <= found):
            raise ConfigError(
                f"{self._path} is an SQLite database, but not one of Stellwerk's.",
                hint="Set STELLWERK_HOME or STELLWERK_DATABASE_URL to another place.",
            )

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a write transaction: see `Store.write`."""
        with self._thread_lock:
            if self._is_closed:
                raise self._closed()
            try:
                self._lock.acquire()
                try:
                    self._writer.execute("BEGIN IMMEDIATE")
                    transaction = Transaction(self._sql, self._writer.execute, self._execute_many)
                    yield transaction
                    transaction.finish()
                    self._writer.execute("COMMIT")
                except BaseException as problem:
                    with contextlib.suppress(sqlite3.Error):
                        if self._writer.in_transaction:
                            self._writer.execute("ROLLBACK")
                    if isinstance(problem, sqlite3.Error):
                        raise _translate(problem, self._path) from problem
                    raise
            finally:
                self._lock.release()

    def _execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write many rows, a block of them a statement where the statement lists values.

        The sqlite3 module lets other threads run at each step of a statement and has to win the interpreter lock back
        after it; with busy threads beside it, a step a row costs more than the row.
        """
        whole = len(rows) - len(rows) % BLOCK
        block = _block_of(sql) if whole else ""
        if not block:
            self._writer.executemany(sql, rows)
            return
        for start in range(0, whole, BLOCK):
            self._writer.execute(block, list(itertools.chain.from_iterable(rows[start : start + BLOCK])))
        if whole < len(rows):
            self._writer.executemany(sql, rows[whole:])

    def select(self, name: str, parameters: Sequence[Any] = (), listed: Sequence[Any] = ()) -> list[Row]:
        """Run a named statement that reads, on a connection of its own."""
        return self._read(*bind(self._sql[name], parameters, listed), math.inf)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a composed statement that reads: see `Store.read`."""
        return self._read(sql, parameters, time.monotonic() + port.READ_SECONDS)

    def _read(self, sql: str, parameters: Sequence[Any], end: float) -> list[Row]:
        try:
            reader = self._readers.pop()
        except IndexError:
            with _translated(self._path):
                reader = self._connect("NORMAL")
                reader.execute("PRAGMA query_only = ON")
                reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_ANSWER_BYTES)
        # Also what has no end may not outlive the store: a process ends only once its threads have.
        reader.set_progress_handler(lambda: self._is_closed or time.monotonic() > end, STEPS)
        try:
            with _translated(self._path):
                return reader.execute(sql, parameters).fetchall()
        except UsageError:
            if self._is_closed:
                raise self._closed() from None
            raise
        finally:
            self._readers.append(reader)

    def _closed(self) -> UnavailableError:
        return UnavailableError(f"The database {self._path} was closed.", hint="Open it again.")

    def data_version(self) -> int:
        """Tell whether anything was committed: see `Store.data_version`.

        Source: https://www.sqlite.org/pragma.html#pragma_data_version; comparable on one connection only.
        """
        with _translated(self._path):
            if self._watcher is None:
                self._watcher = self._connect("NORMAL")
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close all connections; in a forked child only forget them, since closing would touch the parent's files."""
        readers, self._readers = self._readers, []
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            readers.append(watcher)
        if os.getpid() != self._pid:
            _graveyard.extend([self._writer, readers])
            return
        with self._thread_lock:
            self._is_closed = True
            for connection in (*readers, self._writer):
                connection.close()
            self._lock.close()


@cache
def _block_of(sql: str) -> str:
    """Turn a statement that inserts one row of values into one that inserts a block; empty where it is no such one."""
    found = re.search(r"VALUES (\([?, ]+\))", sql)
    return sql.replace(found[0], "VALUES " + ", ".join([found[1]] * BLOCK)) if found else ""


def network_file_system(folder: Path, table: Path = Path("/proc/self/mounts")) -> str:
    """Name the network file system that a folder lies on; empty when it lies on a local one or nobody can tell.

    Args:
        table: what is mounted where, as Linux tells it (proc(5)).
    """
    try:
        mounts = table.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    where, best, kind = str(folder.resolve()), "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        point = fields[1].replace("\\040", " ")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind if kind in NETWORK_FILE_SYSTEMS else ""


def _create_private(path: Path) -> None:
    """Make the file before SQLite does: its mode, which the WAL inherits, is then ours and not the umask's."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _split(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise _translate(problem, path) from problem
    except OSError as problem:
        raise UnavailableError(
            f"The database {path} can't be opened: {problem.strerror}.",
            hint="Check that its folder exists, is writable and has space left, then try again.",
        ) from problem


def _translate(problem: sqlite3.Error, path: Path) -> StellwerkError:
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(f"A row contradicts those in {path}: {problem}.", hint="Nothing was changed.")
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(
            f"{path} is not a database.", hint="Move that file away, or set STELLWERK_HOME to another folder."
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return UnavailableError(
            f"The disk under {path} is full: nothing more can be recorded.",
            hint="Free some space, or set STELLWERK_HOME to a folder on another disk.",
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return ConfigError(
            f"The database {path} is damaged: {problem}.",
            hint="Restore it from a backup, or move it away to start with an empty one.",
        )
    if code == sqlite3.SQLITE_INTERRUPT:
        return port.too_long()
    if code == sqlite3.SQLITE_TOOBIG:
        return UsageError(
            f"What was asked of the database {path} is larger than {MOST_ANSWER_BYTES:,} bytes.", hint="Ask for less."
        )
    if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE):
        return InternalError(
            f"A statement does not fit the database {path}: {problem}.",
            hint="If another version of Stellwerk has changed that file, use that version; else please report this.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        # Not by one of us: those queue on the lock file.
        return UnavailableError(
            f"The database {path} is locked by another program: {problem}.",
            hint="End what else has that file open for writing, then try again.",
            is_passing=True,
        )
    return UnavailableError(
        f"The database {path} can't be used just now: {problem}.",
        hint="Check that the folder exists and is writable, then try again.",
    )


def _is_full(path: Path) -> bool:
    try:
        space = os.statvfs(path.parent)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < 1 << 20
