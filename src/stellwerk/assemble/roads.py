"""Roads, made: which transport a root run gets, and the line to a server that all runs of a process share.

Theory of operation: the road is chosen anew for each root run, so that a long-lived process goes on recording when a
local server comes or goes. But once runs of a process were recorded in one database, no later one goes to another
without a word: it waits for the server that keeps the first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk.client.process import this_process
from stellwerk.client.road import Embedded, Remote, Road, find_road, local_server, read_file
from stellwerk.client.transport import Transport
from stellwerk.config import Config
from stellwerk.execute import progress
from stellwerk.execute.signals import exposed
from stellwerk.model import __version__

if TYPE_CHECKING:
    from stellwerk.client.remote import RemoteTransport
    from stellwerk.model.messages import Holder

__all__ = ["Roads", "open_remote", "open_watcher_line", "say"]


class Roads:
    """Give each root run its transport.

    Args:
        config: the settings.
        embedded: opens the database directly, at a durability.
        database_id: names that database; empty while there is none.
    """

    def __init__(self, config: Config, embedded: Callable[[str], Transport], database_id: Callable[[], str]) -> None:
        self._config = config
        self._embedded = embedded
        self._database_id = database_id
        self._remote: RemoteTransport | None = None
        self._said: set[str] = set()

    def transport(self, durability: str) -> Transport:
        """Choose the road for a root run that begins now.

        Raises:
            UnavailableError: the server can't be reached, and none has let this process in before.
            ConfigError: what answers is not a Stellwerk server, or one of another version.
            Unauthenticated: it does not know our token.
        """
        road = find_road(self._config, self._database_id)
        remote = self._remote
        if remote is not None and remote.line.pid != os.getpid():
            remote = self._remote = None  # the line is the parent's
        if remote is not None and self._is_kept(remote, road):
            return remote
        if isinstance(road, Embedded):
            self._say_once(road.note)
            return self._embedded(durability)
        return self._connect(road) or self.transport(durability)

    def _connect(self, road: Remote) -> RemoteTransport | None:
        """Open the line of this process; None when the local server has ended, so that there is another road."""
        remote = open_remote(road, this_process(), say)
        try:
            if not remote.open(self._config.lease_seconds, lambda: road.home is not None and self._is_over()):
                remote.close()
                return None
        except BaseException:
            remote.close()
            raise
        self._remote = remote
        return remote

    def _is_over(self) -> bool:
        return isinstance(find_road(self._config, self._database_id), Embedded)

    def _is_kept(self, remote: RemoteTransport, road: Road) -> bool:
        if isinstance(road, Embedded):
            return self._database_id() != remote.line.database_id
        return True

    def _say_once(self, note: str) -> None:
        if note and note not in self._said:
            self._said.add(note)
            say(note)


def open_remote(road: Remote, holder: Holder | None, say: Callable[[str], None]) -> RemoteTransport:
    """Make the transport to a server; it connects when it is first used.

    Args:
        holder: the process whose runs are told of; None for who tells of none.
        say: tells the user a line.
    """
    from stellwerk.client.remote import RemoteTransport  # 60 ms of WebSocket, which runs without a server do without

    return RemoteTransport(road, __version__, holder, say, exposed)


def open_watcher_line(config: Config, database_id: str) -> RemoteTransport | None:
    """Open the line by which a watcher renews; None where that is to be done in the database.

    Args:
        database_id: of the local server that the watched process reports to; empty for any other road.
    """
    home = Path(config.home)
    if database_id:
        file, _ = read_file(home)
        return open_remote(local_server(home, file.url if file else f"of {home}", database_id), None, _say_nothing)
    road = find_road(config, str) if config.api_url is not None else Embedded()
    return open_remote(road, None, _say_nothing) if isinstance(road, Remote) else None


def say(text: str) -> None:
    """Tell the user a line on stderr, where there is one."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        progress.write(progress.harmless(text, breaks=True))


def _say_nothing(text: str) -> None:
    """Be the voice of a process that nobody looks at."""
