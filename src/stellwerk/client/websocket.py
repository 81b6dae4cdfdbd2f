"""One WebSocket as its client: opened with a time limit, then used without ever waiting.

The protocol is the `websockets` package's, without its I/O; the socket is ours. Used by one thread.
Source: RFC 6455.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.uri import WebSocketURI

from stellwerk.client.road import Address
from stellwerk.client.translate import lost, unreachable
from stellwerk.errors import ConfigError, UnavailableError

__all__ = ["NoUpgrade", "WebSocket", "connect"]

CONNECT_SECONDS = 5.0  # to a connected socket
OPEN_SECONDS = 10.0  # to an open WebSocket
READ_BYTES = 256 << 10
MOST_BYTES = 64 << 20  # of a message that comes in
_quiet = logging.getLogger("stellwerk.websocket")
_quiet.setLevel(logging.CRITICAL + 1)  # the protocol logs each frame; what matters is raised


class NoUpgrade(Exception):
    """Say that a whole HTTP answer came instead of a WebSocket."""

    def __init__(self, status: int, kind: str, maker: str, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.kind = kind
        self.maker = maker
        self.body = body


class _Place(NamedTuple):
    host: str
    port: int
    is_secure: bool
    path: str


class WebSocket:
    """An open WebSocket. `put`, `ping` and `close` buffer; `write` sends what the socket takes; `read` gives messages.

    Attributes:
        heard_at: when anything came last, on the monotonic clock.
        is_closed: whether the other side has closed it, or the connection is lost.
        why: why it is closed, in a few words.
    """

    def __init__(self, connected: socket.socket, protocol: ClientProtocol, first: Sequence[Event] = ()) -> None:
        self.heard_at = time.monotonic()
        self.is_closed = False
        self.why = ""
        self._socket = connected
        self._protocol = protocol
        self._out: deque[memoryview] = deque()
        self._parts: list[bytes] = []
        self._ready: list[bytes] = []  # messages that came together with the answer that opened it
        self._take_in(self._ready, first)

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Say whether something is buffered."""
        return bool(self._out)

    def put(self, message: bytes, is_text: bool = False) -> None:
        """Buffer a message; one for a connection that the other side is closing is lost with it."""
        if self._protocol.state is not State.OPEN:
            return
        if is_text:
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        self._take_out()

    def ping(self) -> None:
        """Buffer a ping; its answer counts as heard."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._take_out()

    def close(self) -> None:
        """Say goodbye, as far as the socket takes it at once, and close the socket."""
        if not self.is_closed and self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._take_out()
            self.write()
        self.is_closed = True
        self._socket.close()

    def drop(self) -> None:
        """Close the socket alone: in a forked child, where the connection is the parent's."""
        self._socket.close()

    def write(self) -> None:
        """Send what the socket takes without waiting."""
        out = self._out
        try:
            while out:
                sent = self._socket.send(out[0])
                if sent == len(out[0]):
                    out.popleft()
                else:
                    out[0] = out[0][sent:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as problem:
            self._lose(problem)

    def read(self) -> list[bytes]:
        """Return the whole messages that have come; empty when there is none yet, or `is_closed`."""
        messages, self._ready = self._ready, []
        while not self.is_closed:
            try:
                data = self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as problem:
                self._lose(problem)
                break
            self.heard_at = time.monotonic()
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
                self._end("it broke off the connection")
            self._take_in(messages, self._protocol.events_received())
            # TLS may hold more than it gave; what the kernel holds will show in the next poll.
            if len(data) < READ_BYTES and not isinstance(self._socket, ssl.SSLSocket):
                break
        return messages

    def _take_in(self, messages: list[bytes], events: Sequence[Event]) -> None:
        for event in events:
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.CLOSE:
                told = self._protocol.close_rcvd
                self._end(f"it closed the connection ({told})" if told is not None else "it closed the connection")
            elif event.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
                    self._parts = []
        self._take_out()
        if self._out:
            self.write()
        if self._protocol.parser_exc is not None and not self.is_closed:
            self._end("what it sends is no WebSocket")

    def _take_out(self) -> None:
        self._out.extend(memoryview(data) for data in self._protocol.data_to_send() if data)

    def _lose(self, problem: OSError) -> None:
        self._end(str(getattr(lost("", problem), "facts", {}).get("reason") or problem))

    def _end(self, why: str) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.why = why


def connect(address: Address, path: str) -> WebSocket:
    """Open a WebSocket below a server's root.

    Raises:
        NoUpgrade: a whole HTTP answer came instead.
        UnavailableError: nothing answers, or the connection broke off.
        ConfigError: the URL or a certificate has to be mended, or what answers does not speak HTTP.
    """
    place = _place(address.url, path)
    try:
        connected = _open_socket(place)
    except OSError as problem:
        raise lost(address.url, problem) from problem
    try:
        protocol, first = _shake_hands(connected, place, address)
        connected.setblocking(False)
        return WebSocket(connected, protocol, first)
    except OSError as problem:
        connected.close()
        raise lost(address.url, problem) from problem
    except BaseException:
        connected.close()
        raise


def _place(url: str, path: str) -> _Place:
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    try:
        port = parts.port
    except ValueError as problem:
        raise ConfigError(f"The port of {url} is not a number.", hint="Correct the URL.", server=url) from problem
    return _Place(parts.hostname or "", port or (443 if is_secure else 80), is_secure, parts.path + path)


def _open_socket(place: _Place) -> socket.socket:
    connected = socket.create_connection((place.host, place.port), CONNECT_SECONDS)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.is_secure:
            return ssl.create_default_context().wrap_socket(connected, server_hostname=place.host)
    except BaseException:
        connected.close()
        raise
    return connected


def _shake_hands(connected: socket.socket, place: _Place, address: Address) -> tuple[ClientProtocol, list[Event]]:
    """Open the WebSocket; the second is what came with the answer already, such as the end of it."""
    uri = WebSocketURI(place.is_secure, place.host, place.port, place.path, "")
    protocol = ClientProtocol(uri, max_size=MOST_BYTES, logger=_quiet)
    request = protocol.connect()
    if address.token:
        request.headers["Authorization"] = f"Bearer {address.token}"
    protocol.send_request(request)
    end, first = time.monotonic() + OPEN_SECONDS, b""
    for data in protocol.data_to_send():
        connected.sendall(data)
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        rest = end - time.monotonic()
        if rest <= 0:
            raise TimeoutError
        connected.settimeout(rest)
        data = connected.recv(READ_BYTES)
        first = first or data
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        events = protocol.events_received()
        for event in events:
            if isinstance(event, Response) and protocol.handshake_exc is not None:
                raise _no_upgrade(event)
        if not data:
            break
    if protocol.handshake_exc is None and data:
        return protocol, events
    if first.startswith(b"HTTP/"):
        raise NoUpgrade(0, "", "", b"")  # by an HTTP that the protocol does not read, such as 1.0
    raise _not_opened(protocol, address)


def _no_upgrade(answer: Response) -> NoUpgrade:
    headers = answer.headers
    kind, maker = (next(iter(headers.get_all(name)), "") for name in ("Content-Type", "Server"))
    return NoUpgrade(answer.status_code, kind, maker, bytes(answer.body or b""))


def _not_opened(protocol: ClientProtocol, address: Address) -> ConfigError | UnavailableError:
    problem = protocol.handshake_exc
    cause = problem.__cause__ if problem is not None else None
    if problem is None or isinstance(cause, EOFError):
        return unreachable(address.url, "it broke off the connection")
    return ConfigError(
        f"{address.url} answers, but not by HTTP: {cause or problem}.", hint="Correct the URL.", server=address.url
    )
