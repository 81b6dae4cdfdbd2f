"""A client of the run channel that speaks the wire and nothing else, for tests."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any, TypeVar

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stellwerk import __version__
from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.wire import PROTOCOL, Acked, Down, Hello, Refused, Send, Up, Welcome

M = TypeVar("M")
SECONDS = 30  # until an answer that should have come counts as lost
_decoder = msgspec.msgpack.Decoder(Down)


class Line:
    """One connection to a server's channel; greets when it is entered."""

    def __init__(self, url: str, token: str, holder: Holder | None = None, protocol: int = PROTOCOL) -> None:
        self.socket = open_socket(url)
        self._numbers = itertools.count(1)
        self.post(Hello(protocol, __version__, token, holder))

    def __enter__(self) -> Line:
        if not hasattr(self, "welcome"):
            self.welcome = self.expect(Welcome)
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def post(self, message: Up) -> None:
        """Send a message and wait for nothing."""
        self.socket.send(msgspec.msgpack.encode(message))

    def receive(self) -> Down:
        """Wait for the next message."""
        frame = self.socket.recv(SECONDS)
        assert isinstance(frame, bytes)
        message: Down = _decoder.decode(frame)
        return message

    def expect(self, kind: type[M]) -> M:
        """Wait for the next message, which must be of a kind."""
        message = self.receive()
        assert isinstance(message, kind), message
        return message

    def number(self) -> int:
        """Give a request its number."""
        return next(self._numbers)

    def send(self, batch: Batch) -> Ack:
        """Send a batch and wait until it is answered."""
        n = self.number()
        self.post(Send(n, batch))
        answer = self.expect(Acked)
        assert answer.n == n
        return answer.ack

    def refusal(self) -> tuple[str, int]:
        """Wait until the server turns us away; the code that it told and that of the WebSocket."""
        refused = self.expect(Refused)
        return refused.code, self.close_code()

    def close_code(self) -> int:
        """Wait until the server closes."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.socket.recv(SECONDS)
        code = self.socket.close_code
        assert code is not None
        return code


def open_socket(url: str) -> ClientConnection:
    """Connect without greeting."""
    address = f"ws{url.removeprefix('http')}/api/channel"
    # Versions of the library differ in what `connect` returns, not in what entering that gives.
    return connect(address, compression=None, max_size=None, proxy=None).__enter__()
