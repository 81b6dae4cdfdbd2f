"""Connections: how much somebody may cost who has not shown yet that he may be here.

Theory of operation: uvicorn's two protocols, with bounds that they lack. Until a request's head is complete nobody knows
who asks, so a head is small and comes within a few seconds, and of connections on which nothing is asked the oldest is
given up when there are too many: so whoever opens thousands and is silent neither takes all files of the process nor
keeps others out, who ask at once. A WebSocket may send only a small frame until its route has let it in (`let_in`), and
who does not read the answers to his pings is cut off, since nothing else would bound them.

Everything here happens on the server's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.transports import BaseTransport
from collections import OrderedDict
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.websockets import WebSocket
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

HEAD_BYTES = 64 << 10  # of a request's first line and headers
HEAD_SECONDS = 10.0  # within which they come
MOST_IDLE = 256  # connections on which nothing is asked
GREETING_BYTES = 256 << 10  # of a message on a WebSocket that was not let in
PONG_BYTES = 256 << 10  # that wait to be read by somebody who sends pings
_LET_IN = "stellwerk.let_in"


def protocols(most_frame_bytes: int) -> dict[str, Any]:
    """Give uvicorn's settings for the two protocols.

    Args:
        most_frame_bytes: of a message on a WebSocket that was let in.
    """
    return {
        "http": partial(_Http, OrderedDict()),
        "ws": _Socket,
        "ws_max_size": most_frame_bytes,
        "ws_per_message_deflate": False,  # a few bytes could stand for very many
    }


def let_in(socket: WebSocket) -> None:
    """Let a WebSocket send large messages: it has shown that it may."""
    tell = socket.scope.get("state", {}).get(_LET_IN)
    if tell is not None:
        tell()


class Greetings:
    """Bound the sockets of one route that have not greeted yet, and how long each may take.

    Of too many the one that has been silent for longest is given up: who means it greets at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Timeout, None] = {}  # in the order in which they came

    @property
    def count(self) -> int:
        """Count those that are waited for."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def awaited(self, seconds: float, most: int) -> AsyncIterator[None]:
        """Be the time in which one socket greets.

        Args:
            most: of all that are waited for.

        Raises:
            TimeoutError: it is over, or others need the place.
        """
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                self._waiting[limit] = None
                if len(self._waiting) > most:
                    oldest = next(iter(self._waiting))
                    del self._waiting[oldest]
                    with contextlib.suppress(RuntimeError):  # its time is over just now
                        oldest.reschedule(0.0)
                yield
        finally:
            self._waiting.pop(limit, None)


class _Http(HttpToolsProtocol):
    def __init__(self, idle: OrderedDict[_Http, None], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._idle = idle
        self._is_in_head = True
        self._head_bytes = self._counted_bytes = 0
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # narrower there
        self._limit = self.loop.call_later(HEAD_SECONDS, self._give_up)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_in_head or self.transport.is_closing():
            return
        # What is still not a whole head. (One that is, and all that belongs to it, has been counted line by line.)
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")
        elif self._limit is None:
            self._limit = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def handle_websocket_upgrade(self) -> None:
        self._leave()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = self._counted_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._leave()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._rest()

    def _count(self, size_bytes: int) -> None:
        self._counted_bytes += size_bytes
        if self._counted_bytes > HEAD_BYTES:
            raise ValueError("the head is too large")  # the parser makes it an error of its own: 400

    def _rest(self) -> None:
        """Count as idle; of too many the one that has been so for longest is given up."""
        self._idle[self] = None
        self._idle.move_to_end(self)
        if len(self._idle) > MOST_IDLE:
            oldest, _ = self._idle.popitem(last=False)
            oldest._give_up()

    def _leave(self) -> None:
        self._idle.pop(self, None)
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        self._limit = None
        self.transport.abort()


class _Socket(WebSocketsSansIOProtocol):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._most_bytes = GREETING_BYTES
        self._fragment_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # What is there of a message that is not whole yet. Its own limit the parser has set before it was let in.
        if len(self.conn.reader.buffer) + self._fragment_bytes > self._most_bytes:
            self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:
            self.scope["state"][_LET_IN] = self._let_in

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.transport.get_write_buffer_size() > PONG_BYTES:
            self.transport.abort()

    def handle_text(self, event: Frame) -> None:
        self._fragment_bytes = 0 if event.fin else len(event.data)
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._fragment_bytes = 0 if event.fin else len(event.data)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        self._fragment_bytes = 0 if event.fin else self._fragment_bytes + len(event.data)
        if event.data or event.fin:  # of empty ones there might be any number
            super().handle_cont(event)

    def _let_in(self) -> None:
        self._most_bytes = self.config.ws_max_size
