"""Assembling a server: the lock and the file of its home, its socket, its parts and its application."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from stellwerk.api.app import make_app
from stellwerk.api.channel import Channel
from stellwerk.api.parts import Parts
from stellwerk.api.serve import bind, is_loopback, serve, url_of
from stellwerk.api.sessions import Sessions
from stellwerk.assemble import open_store, prepare_home
from stellwerk.client.process import condition, this_process
from stellwerk.client.road import FILE, ServerFile, read_file
from stellwerk.config import Config
from stellwerk.engine.intake import Intake
from stellwerk.engine.tick import Observer
from stellwerk.engine.watch import Watch
from stellwerk.errors import ConfigError, Conflict, UnavailableError
from stellwerk.model import __version__
from stellwerk.store.blobs import FolderBlobs
from stellwerk.store.port import Store

LOCK = "server.lock"
TOKEN_LENGTH = 16  # characters of the shared token at least, where others can reach the server
DRAIN_SECONDS = 3.0
PAGE_KEY = "page_key"


class Server:
    """Be a server that listens already; made by `make_server`.

    Attributes:
        parts: what it is made of.
        url: by which this machine reaches it.
        home: the folder that its file lies in.
    """

    def __init__(self, parts: Parts, home: Path, listener: socket.socket, undo: contextlib.ExitStack) -> None:
        self.parts = parts
        self.url = url_of(listener)
        self.home = home
        self._app = make_app(parts)
        self._listener = listener
        self._undo = undo

    def serve(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, then go away in order; from the main thread.

        Args:
            on_ready: called once requests are answered and scripts of this user find the server.

        Writes: `server.json`, which goes with the server.
        """
        parts = self.parts
        channel: Channel = self._app.state.channel
        observer = Observer(parts.store, condition, parts.intake.call, lambda: parts.intake.lag_seconds)

        def publish() -> None:
            self._undo.callback(self._remove_file)
            write_file(self.home, self._file())

        serve(self._app, channel, observer, parts.watch.close, self._listener, publish, on_ready)

    def page_link(self) -> str:
        """Make a link to the page that lets one browser in."""
        sessions: Sessions = self._app.state.sessions
        return sessions.link().url

    def close(self) -> None:
        """Write what still waits, and give back files, connections and the socket. Idempotent."""
        self._undo.close()

    def _file(self) -> ServerFile:
        here, parts = this_process(), self.parts
        return ServerFile(
            self.url,
            here.pid,
            here.started,
            here.boot_id,
            here.host,
            parts.store.database_id,
            parts.secret,
            __version__,
        )

    def _remove_file(self) -> None:
        file, _ = read_file(self.home)
        if file is not None and file.secret == self.parts.secret:
            with contextlib.suppress(OSError):
                (self.home / FILE).unlink()


def make_server(config: Config, host: str | None = None, port: int | None = None) -> Server:
    """Bind the socket, open the database and make a server of them.

    Args:
        host: where to listen; the setting `server_host` by default.
        port: the setting `server_port` by default; 0 takes any that is free.

    Raises:
        Conflict: a server of this home runs already.
        ConfigError: the port is taken, or others could reach the server and no token is set, or the home or the
            database can't be used as it is.
        UnavailableError: the database can't be reached.
        Whatever is raised, nothing is left behind.
    """
    host = config.server_host if host is None else host
    with contextlib.ExitStack() as undo:
        home = prepare_home(config)
        _refuse_foreign_files(home)
        undo.callback(os.close, lock_home(home))
        listener = bind(host, config.server_port if port is None else port)
        undo.callback(listener.close)
        if not is_loopback(listener):
            _refuse_open_door(config, host)
        parts = _make_parts(config, home, host, int(listener.getsockname()[1]), undo)
        return Server(parts, home, listener, undo.pop_all())


def _refuse_foreign_files(home: Path) -> None:
    """Refuse a home or a database that others can change: in it lie the keys by which people get in.

    A folder that its group may write to is its owner's choice, as volumes of containers often are.
    """
    for path in (home, home / "stellwerk.db"):
        try:
            found = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            continue
        is_ours = found.st_uid in (0, os.geteuid()) and (path == home or not stat.S_ISLNK(found.st_mode))
        if found.st_mode & 0o002 or not is_ours:
            raise ConfigError(
                f"{path} can be changed by other users of this machine (mode {found.st_mode & 0o777:03o}, owner {found.st_uid}).",
                hint=f"Make it yours alone: chmod go-w {path}, and chown it if another user made it.",
            )


def _make_parts(config: Config, home: Path, host: str, port: int, undo: contextlib.ExitStack) -> Parts:
    durability = "power" if config.durability == "power" else "strict"
    store = open_store(config, home, durability)
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(store.close)
        page_key = keep_page_key(store)
        watch = Watch(store)
        intake = Intake(store, watch.noticed)
        unfinished.pop_all()
    undo.callback(_end, intake, watch, store)
    return Parts(
        config=config,
        store=store,
        blobs=FolderBlobs(home / "blobs", durability),
        intake=intake,
        watch=watch,
        server_id=secrets.token_hex(8),
        secret=secrets.token_urlsafe(32),
        page_key=page_key,
        host=host,
        port=port,
        started_at=time.time_ns() // 1000,
    )


def _end(intake: Intake, watch: Watch, store: Store) -> None:
    watch.close()
    # A writer that is still waiting for the database holds the store; the end of the process closes both.
    if intake.close(DRAIN_SECONDS):
        store.close()


def lock_home(home: Path) -> int:
    """Be the only server of a home for as long as the descriptor that is returned stays open.

    The lock, not the file, decides: the kernel gives it back when a process dies, and it is also right for a server in
    another container, of which nothing else can be known.

    Raises:
        Conflict: another server has it.
    """
    try:
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as problem:
        raise ConfigError(
            f"The home folder {home} can't be written to: {problem.strerror}.",
            hint="Set STELLWERK_HOME to a folder that you can write to.",
        ) from problem
    has_lock = has_locks = True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        has_lock, has_locks = False, problem.errno in (errno.EWOULDBLOCK, errno.EACCES)
    file, _ = read_file(home)
    state = condition(file.holder) if file is not None else "gone"
    # Where a file system has no locks, the file decides alone.
    is_free = state in ("gone", "elsewhere") if has_lock else not has_locks and state == "gone"
    if is_free:
        return descriptor
    os.close(descriptor)
    if file is None or state == "gone":
        raise Conflict(f"A server of {home} is just being started.", hint="See how it goes: stellwerk server status.")
    raise Conflict(
        f"A server is running already: {file.url}, process {file.pid} on {file.host}.",
        hint="Use it, or end it first: stellwerk server stop. Another one needs a STELLWERK_HOME of its own.",
        url=file.url,
        pid=file.pid,
    )


def write_file(home: Path, file: ServerFile) -> None:
    """Write `server.json`, readable by its user alone, and at once in whole."""
    part = home / f".{FILE}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
            os.fchmod(opened.fileno(), 0o600)  # whatever the umask
            opened.write(msgspec.json.format(msgspec.json.encode(file), indent=2))
        os.replace(part, home / FILE)
    except OSError as problem:
        raise UnavailableError(
            f"{home / FILE} can't be written, by which scripts find the server: {problem.strerror}.",
            hint="Check that the folder is writable and has space left, then start again.",
        ) from problem


def keep_page_key(store: Store) -> bytes:
    """Give the key by which the tokens of pages are signed: the database's own, made when it is first asked for."""
    rows = store.select("meta_get", (PAGE_KEY,))
    if not rows:
        with store.write() as transaction:
            transaction.change("meta_keep", (PAGE_KEY, secrets.token_hex(32)))
        rows = store.select("meta_get", (PAGE_KEY,))
    return bytes.fromhex(str(rows[0][0]))


def _refuse_open_door(config: Config, host: str) -> None:
    token = config.api_token or ""
    if len(token) >= TOKEN_LENGTH:
        return
    said = f"STELLWERK_API_TOKEN has only {len(token)} characters" if token else "STELLWERK_API_TOKEN is not set"
    raise ConfigError(
        f"On {host} other machines could reach the server, and {said}.",
        hint=f"Set it to {TOKEN_LENGTH} characters or more, or listen on this machine alone: --host 127.0.0.1.",
    )
