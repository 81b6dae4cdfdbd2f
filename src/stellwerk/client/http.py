"""Requests to a server over HTTP: JSON for commands, bytes for blobs and for the run channel where there is no WebSocket.

Connections are kept for the next request. A request is made again when a kept connection turns out to be dead; all
that is asked here may be asked twice.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from stellwerk.client.road import Address, Remote
from stellwerk.client.translate import http_error, lost, not_ours, other_version, unreachable
from stellwerk.model.wire import PROTOCOL

__all__ = ["Answer", "Http"]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
KEPT = 8  # idle connections
JSON = "application/json"


class Answer(NamedTuple):
    """Hold an answer whose status is a good one."""

    status: int
    kind: str
    body: bytes


class Http:
    """Ask one server, from any thread.

    Args:
        remote: the road to it.
        answer_seconds: how long it may be silent.
    """

    def __init__(self, remote: Remote, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.remote = remote
        self._answer_seconds = answer_seconds
        self._idle: deque[tuple[Address, http.client.HTTPConnection]] = deque()
        self._pid = os.getpid()

    def json(self, path: str, query: Mapping[str, object] | None = None, body: object = None) -> Any:
        """Ask for JSON; `body` makes it a POST.

        Raises:
            UnavailableError: the server can't be reached, or can't answer just now.
            ConfigError: what answers is not Stellwerk.
            StellwerkError: what the server answered instead.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given, quote_via=quote)}" if given else path
        data = None if body is None else msgspec.json.encode(body)
        answer = self.ask("GET" if data is None else "POST", target, data, JSON)
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise not_ours(self.remote.url, answer.status, answer.kind) from problem

    def check(self, version: str) -> None:
        """See that it is a Stellwerk server, of a version that we understand.

        Args:
            version: ours.

        Raises:
            ConfigError: it is not.
            StellwerkError: as for `json`.
        """
        told = self.json("/api/server")
        if not isinstance(told, dict) or not isinstance(told.get("protocol"), int):
            raise not_ours(self.remote.url, 200, JSON)
        if told["protocol"] != PROTOCOL:
            raise other_version(self.remote.url, str(told.get("version")), told["protocol"], version)

    def ask(self, method: str, target: str, data: bytes | None = None, kind: str = "", patience: float = 0.0) -> Answer:
        """Make one request below the server's root.

        Args:
            target: path and query, beginning with a slash.
            kind: the content type of `data`.
            patience: seconds of silence more than usual that are no fault.

        Raises:
            StellwerkError: as for `json`.
        """
        if self._pid != os.getpid():
            self._idle.clear()  # the connections are the parent's
            self._pid = os.getpid()
        while True:
            address, connection = self._connection()
            is_new = connection.sock is None
            try:
                answer, maker = self._exchange(address, connection, method, target, data, kind, patience)
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError) as problem:
                connection.close()
                if is_new:
                    raise lost(address.url, problem) from problem
            except http.client.HTTPException as problem:
                connection.close()
                raise unreachable(address.url, f"its answer is not HTTP: {type(problem).__name__}") from problem
            except OSError as problem:
                connection.close()
                raise lost(address.url, problem) from problem
            except BaseException:
                connection.close()  # in the middle of something
                raise
            else:
                if 200 <= answer.status < 300:
                    return answer
                raise http_error(answer.status, answer.kind, maker, answer.body, address.url, self.remote.remedy)

    def _connection(self) -> tuple[Address, http.client.HTTPConnection]:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        address = self.remote.address()
        parts = urlsplit(address.url)
        place = parts.hostname or ""
        try:
            port = parts.port
        except ValueError as problem:
            raise unreachable(address.url, "its port is not a number") from problem
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return address, http.client.HTTPSConnection(place, port, timeout=CONNECT_SECONDS, context=context)
        return address, http.client.HTTPConnection(place, port, timeout=CONNECT_SECONDS)

    def _exchange(
        self,
        address: Address,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        data: bytes | None,
        kind: str,
        patience: float,
    ) -> tuple[Answer, str]:
        """Put a request over a connection, and keep that for the next one; the second is the `Server` header.

        A connection that is kept is open: one that had to be opened again would go to an address that was read before,
        where somebody else may listen by now.
        """
        headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        if data is not None:
            headers["Content-Type"] = kind
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(self._answer_seconds + patience)
        connection.request(method, urlsplit(address.url).path + target, data, headers)
        response = connection.getresponse()
        body = response.read()
        answer = Answer(response.status, response.headers.get("Content-Type", ""), body)
        if not response.will_close and len(self._idle) < KEPT:
            self._idle.append((address, connection))
        else:
            connection.close()
        return answer, response.headers.get("Server", "")

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[1].close()
