"""Which road a run or a command takes: to a server by its URL, to this user's own server, or straight to the database.

What lives here: the decision, and reading `server.json`, by which a server tells the processes of its user where it
is. What does not: talking to a server.

Theory of operation: no port is ever probed. The file names the process that listens, and counts only while exactly
that process lives: whoever grabs the port of a dead server is never spoken to, and gets no secret. The secret is new at
each start of a server, so the file is read anew before each connection.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from stellwerk.client.process import condition
from stellwerk.config import Config
from stellwerk.errors import UnavailableError
from stellwerk.model.messages import Holder

__all__ = ["Address", "Embedded", "Remote", "Road", "ServerFile", "find_road", "living", "local_server", "read_file"]

FILE = "server.json"
MOST_BYTES = 64 << 10


class ServerFile(msgspec.Struct, frozen=True):
    """Say which process serves a home, where, and by which secret its user gets in."""

    url: str
    pid: int
    started_at: int  # of the process, in the terms of `Holder.started`
    boot_id: str
    host: str
    database_id: str
    secret: str
    version: str = ""

    @property
    def holder(self) -> Holder:
        """Name the process."""
        return Holder(self.host, self.boot_id, self.pid, self.started_at)


class Address(NamedTuple):
    """Say where to connect to, and what to be known by."""

    url: str
    token: str


class Remote(NamedTuple):
    """Be the road to a server.

    Attributes:
        url: the server's root, without a slash at its end.
        token: what the server knows us by; empty for a local server, whose secret is read when it is needed.
        database_id: the record behind it, where that is known before the server was asked.
        home: of a local server: the folder with its file; None for one that a URL names.
        remedy: what to do when the token is refused.
    """

    url: str
    token: str = ""
    database_id: str = ""
    home: Path | None = None
    remedy: str = ""

    def address(self) -> Address:
        """Give the present address; for a local server, from its file as it is now.

        Raises:
            UnavailableError: the local server does not run, or the one that does keeps another database.
        """
        if self.home is None:
            return Address(self.url, self.token)
        file, note = living(self.home)
        if file is None:
            raise UnavailableError(
                note or f"The server {self.url} is not running.", hint=START, server=self.url, is_passing=True
            )
        if file.database_id != self.database_id:
            raise UnavailableError(
                f"The server {file.url} keeps another database than the one that this record was begun in.",
                hint=f"Start the server that keeps the database {self.database_id}.",
                server=file.url,
                is_passing=True,
            )
        return Address(file.url, file.secret)


class Embedded(NamedTuple):
    """Be the road straight to the database; `note` says why where that may surprise, else it is empty."""

    note: str = ""


Road = Remote | Embedded
START = "`stellwerk server start` starts it."


def find_road(config: Config, database_id: Callable[[], str]) -> Road:
    """Decide which road runs and commands take.

    Args:
        config: the settings.
        database_id: opens the database that would be used without a server, and names it; empty while there is none.
            Called only where it decides.

    Cost: one call of the system where neither a URL is set nor a server has left its file.
    """
    if config.api_url is not None:
        return _by_url(config)
    home = Path(config.home)
    file, note = read_file(home)
    if file is None:
        return Embedded(note)
    lives = _lives(file)
    if lives and config.database_url is None:
        return local_server(home, file.url, file.database_id)
    if not lives and config.database_url is not None:
        return Embedded()
    if database_id() == file.database_id:
        return local_server(home, file.url, file.database_id) if lives else Embedded()
    if lives:
        return Embedded(
            f"The server {file.url} keeps another database than {config.shown('database_url')}, "
            "which is written to directly."
        )
    return Embedded(f"The server {file.url}, which kept another database than that of {home}, is not running any more.")


def local_server(home: Path, url: str, database_id: str) -> Remote:
    """Be the road to this user's own server for a database, whether it runs just now or not."""
    return Remote(url, "", database_id, home)


def _by_url(config: Config) -> Remote:
    assert config.api_url is not None
    if config.may_send_token():
        remedy = f"Correct STELLWERK_API_TOKEN (it comes from {config.source('api_token')})."
        return Remote(config.api_url, config.api_token or "", remedy=remedy)
    if config.api_token is None:
        return Remote(config.api_url, remedy="Set STELLWERK_API_TOKEN to the token that the server was started with.")
    remedy = (
        f"The token from {config.source('api_token')} is not sent to a URL that {config.source('api_url')} sets; "
        "set both in one place, or STELLWERK_API_URL in the environment."
    )
    return Remote(config.api_url, remedy=remedy)


def living(home: Path) -> tuple[ServerFile | None, str]:
    """Read the file of a home's server if that lives; the second is why a file that is there does not count."""
    file, note = read_file(home)
    return (file, note) if file is not None and _lives(file) else (None, note)


def _lives(file: ServerFile) -> bool:
    # One that is stopped still lives; of one elsewhere (a shared home, another container) nothing is known.
    return condition(file.holder) in ("alive", "stopped")


def read_file(home: Path) -> tuple[ServerFile | None, str]:
    """Read `server.json`, whether its process lives or not.

    Returns: None where there is none or it does not count, and then why: a file that somebody else could have written
        or read is not trusted.
    """
    path = home / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, ""
    except OSError as problem:
        return None, f"{path} is ignored: {problem.strerror}."
    try:
        distrust = _distrust(os.fstat(descriptor))
        data = b"" if distrust else os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)
    if distrust:
        return None, f"{path} is ignored: {distrust}."
    try:
        file = msgspec.json.decode(data, type=ServerFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, f"{path} is ignored: it does not name a server."
    if not 0 < file.pid < 1 << 31:  # what is below stands for many processes
        return None, f"{path} is ignored: {file.pid} is not the number of a process."
    if not file.url.startswith(("http://", "https://")):
        return None, f"{path} is ignored: {file.url!r} is not the URL of a server."
    return msgspec.structs.replace(file, url=file.url.rstrip("/")), ""


def _distrust(found: os.stat_result) -> str:
    """Say why an open file is not to be trusted; empty when it is."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & 0o077:
        return f"others may read it or write to it (mode {found.st_mode & 0o777:03o})"
    return ""
