"""The live feed of a server, for commands that follow a run: they are told that something changed, and look again."""

from __future__ import annotations

import select
import time

import msgspec

from stellwerk.client.http import Http
from stellwerk.client.road import Remote
from stellwerk.client.translate import away
from stellwerk.client.websocket import NoUpgrade, WebSocket, connect
from stellwerk.errors import StellwerkError

__all__ = ["LiveFeed"]

PATH = "/api/live"
AGAIN_SECONDS = 2.0  # after which a feed that broke off is opened again
POLL_SECONDS = 20.0  # that a long poll waits at most


class LiveFeed:
    """Wait for changes of topics: by WebSocket, or by long polls where something refuses those.

    Args:
        remote: the road to the server.
        topics: what is followed: `runs`, or `run:` and the id of a root run.
    """

    def __init__(self, remote: Remote, topics: list[str]) -> None:
        self._remote = remote
        self._topics = topics
        self._http = Http(remote)
        self._socket: WebSocket | None = None
        self._by_polls = False
        self._cursor = ""
        self._failed_at = 0.0

    def wait(self, seconds: float) -> bool:
        """Wait until something changes, or for so long.

        Returns: False when there is no feed just now; then nothing was waited for.
        """
        if self._failed_at and time.monotonic() - self._failed_at < AGAIN_SECONDS:
            return False
        try:
            if not self._by_polls:
                self._listen(seconds)
            else:
                self._poll(seconds)
        except NoUpgrade:
            self._by_polls = True
            return self.wait(seconds)
        except StellwerkError:
            self._failed_at = time.monotonic()
            self.close()
            return False
        self._failed_at = 0.0
        return True

    def _listen(self, seconds: float) -> None:
        if self._socket is None:
            address = self._remote.address()
            self._socket = connect(address, PATH)
            self._socket.put(msgspec.json.encode({"token": address.token}), is_text=True)
            self._socket.put(msgspec.json.encode({"subscribe": self._topics}), is_text=True)
        socket, end = self._socket, time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            socket.write()
            poll = select.poll()
            poll.register(socket, select.POLLIN | (select.POLLOUT if socket.wants_write else 0))
            poll.poll(rest * 1000)
            if any(b'"changed"' in message for message in socket.read()):
                return
            if socket.is_closed:
                raise away(self._remote.url, socket.why)

    def _poll(self, seconds: float) -> None:
        query = {"topics": ",".join(self._topics), "cursor": self._cursor, "wait": int(min(seconds, POLL_SECONDS))}
        told = self._http.json(PATH, query)
        self._cursor = str(told.get("cursor", "")) if isinstance(told, dict) else ""

    def close(self) -> None:
        """End it."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
        self._http.close()
