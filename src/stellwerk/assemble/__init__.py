"""The only place that picks concrete classes and fills the ports: store, transport, runtime."""

from __future__ import annotations

import atexit
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk import config as settings
from stellwerk.assemble.roads import Roads
from stellwerk.client.process import condition
from stellwerk.client.transport import Nowhere, Unwatched
from stellwerk.config import Config
from stellwerk.engine import apply, tick
from stellwerk.errors import ConfigError, NotFound, UnavailableError
from stellwerk.execute.runtime import LocalRuntime
from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.states import Cause
from stellwerk.store.blobs import FolderBlobs
from stellwerk.store.port import Store
from stellwerk.store.sqlite import SqliteStore, network_file_system

if TYPE_CHECKING:
    from stellwerk.sdk.runtime import Runtime


class InProcess(Unwatched):
    """Be the transport of a run that has no server: the same `apply`, called here."""

    def __init__(self, store: Store, blobs: FolderBlobs) -> None:
        self._store = store
        self._blobs = blobs

    def send(self, batch: Batch) -> Ack:
        """Apply a batch: see `Transport.send`."""
        return apply.apply(self._store, [batch])[0]

    def abandon(self, root_id: bytes, fence: int, cause: Cause) -> None:
        """End a root run as crashed: see `Transport.abandon`."""
        apply.crash(self._store, root_id, fence, time.time_ns() // 1000, cause, "")

    def renew(self, holder: Holder) -> int:
        """Renew the leases of a process: see `Transport.renew`."""
        return apply.renew(self._store, holder)

    def put_blob(self, digest: bytes, data: bytes) -> None:
        """Store bytes: see `Transport.put_blob`."""
        self._blobs.put(digest, data)

    def get_blob(self, run_id: bytes, digest: bytes) -> bytes:
        """Fetch bytes: see `Transport.get_blob`."""
        if not self._store.select("blob_of", (run_id, digest) * 3):
            raise NotFound(
                f"The run {run_id.hex()} does not reference the blob {digest.hex()[:16]}….",
                hint="Ask for it through the run whose result it is.",
            )
        return self._blobs.get(digest)


class Engine:
    """Hold an open store with its blobs, for commands and for runs without a server."""

    def __init__(self, config: Config, durability: str = "strict") -> None:
        self.config = config
        home = prepare_home(config)
        self.store = open_store(config, home, durability)
        self.blobs = FolderBlobs(home / "blobs", durability)
        self.transport = InProcess(self.store, self.blobs)

    def sweep(self) -> list[tuple[str, str]]:
        """End runs whose owner on this host is gone; return (run name, what happened) of each."""
        told = []
        for swept in tick.sweep(self.store, condition):
            rows = self.store.select("run_by_id", (swept.run_id,))
            name = str(rows[0][5]) if rows else swept.run_id.hex()
            told.append((name, f"crashed: {swept.evidence}"))
        return told

    def close(self) -> None:
        """Give back connections and files."""
        self.store.close()


def open_engine(config: Config | None = None) -> Engine:
    """Open the database that the settings name, migrated to the present schema.

    Raises:
        ConfigError: the home or the database can't be used as it is.
        UnavailableError: the database can't be reached.
    """
    return Engine(config or settings.load())


def prepare_home(config: Config) -> Path:
    """Make the home folder, private to its user; the mode of one that is there already stays as its owner chose it.

    Raises:
        ConfigError: it can't be made, or lies where SQLite is unsafe.
    """
    home = Path(config.home)
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        raise ConfigError(
            f"The home folder {home} can't be used: {problem.strerror}.",
            hint="Set STELLWERK_HOME to a folder that you can write to.",
        ) from problem
    return home


def open_store(config: Config, home: Path, durability: str) -> Store:
    """Open SQLite in the home, or what `database_url` names."""
    url = config.database_url or ""
    if url.startswith(("postgresql://", "postgres://")):
        from stellwerk.store.postgres import PostgresStore  # psycopg is an optional extra

        return PostgresStore(url)
    path = _sqlite_path(url, home)
    kind = network_file_system(path.parent)
    if kind:
        raise ConfigError(
            f"{path.parent} lies on a network file system ({kind}), where SQLite's write-ahead log is unsafe.",
            hint="Set STELLWERK_HOME to a local folder, or STELLWERK_DATABASE_URL to a PostgreSQL database.",
        )
    if not path.parent.is_dir():
        raise UnavailableError(f"The folder {path.parent} of the database does not exist.", hint="Create it first.")
    return SqliteStore(path, durability)


def _sqlite_path(url: str, home: Path) -> Path:
    return Path(url.removeprefix("sqlite:///")) if url else home / "stellwerk.db"


def has_database(config: Config) -> bool:
    """Say whether the database that the settings name has been made; one that is not a file counts as made."""
    url = config.database_url or ""
    return url.startswith(("postgresql://", "postgres://")) or _sqlite_path(url, Path(config.home)).exists()


_engines: dict[tuple[str, str, str, int], Engine] = {}


def _engine(config: Config, durability: str) -> Engine:
    """Open the database of a runtime's settings, once a process and durability."""
    key = (config.home, config.database_url or "", durability, os.getpid())
    known = _engines.get(key)
    if known is not None:
        return known
    engine = Engine(config, durability)
    first = _engines.setdefault(key, engine)
    if first is not engine:  # another thread was faster
        engine.close()
    return first


# The last one to close an SQLite file writes its log back into it, so that the file alone is whole. Registered before
# anything that runs flows is imported, so that it is called after what that still has to write.
@atexit.register
def _close_engines() -> None:
    for engine in _engines.values():
        engine.close()


def make_runtime() -> Runtime:
    """Make the runtime that flows and tasks of this process are run by."""
    config = settings.load()
    if not config.recording:
        return LocalRuntime(config, lambda _: Nowhere())

    def embedded(durability: str) -> InProcess:
        return _engine(config, "power" if durability == "power" else "strict").transport

    def database_id() -> str:
        # Only to compare it, none is made.
        return _engine(config, "strict").store.database_id if has_database(config) else ""

    return LocalRuntime(config, Roads(config, embedded, database_id).transport)
