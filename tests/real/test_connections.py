"""What somebody without a token costs: endless heads, silent connections, large frames, pings that nobody answers for."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels import Line
from doors import SECONDS, House, open_socket
from wire import NOW, Root

from stellwerk.api import connections, guard
from stellwerk.model.messages import Ack, Logged

ENDLESS = 32 << 20  # bytes: far more than any bound, and than the system keeps for a socket
CONT, BINARY, PING = 0, 2, 9


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house


def connect(house: House) -> socket.socket:
    """Open a connection and say nothing."""
    return socket.create_connection(("127.0.0.1", house.port), SECONDS)


def upgrade(house: House, path: str) -> socket.socket:
    """Open a WebSocket whose frames are written by hand."""
    wire = connect(house)
    key = base64.b64encode(os.urandom(16)).decode()
    wire.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b" 101 " in wire.recv(65_536)
    return wire


def frame(opcode: int, data: bytes, is_last: bool = True) -> bytes:
    """Write a frame. Source: RFC 6455, section 5.2; the mask is zero."""
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xff" + struct.pack(">Q", len(data))
    return bytes([(0x80 if is_last else 0) | opcode]) + length + bytes(4) + data


def takes_no_end(wire: socket.socket, piece: bytes) -> bool:
    """Send a piece again and again; whether the server takes it for as long as we like."""
    try:
        for _ in range(ENDLESS // len(piece)):
            wire.sendall(piece)
    except ConnectionError:
        return False
    return True


def is_cut(wire: socket.socket) -> bool:
    """Wait until the server ends a connection."""
    with contextlib.suppress(ConnectionResetError):
        while wire.recv(65_536):
            pass
    return True


# ── heads ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"GET /", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n" * 10_000),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n" * 10_000),
    ],
)
def test_a_head_without_end_is_cut_off(house: House, beginning: bytes, piece: bytes) -> None:
    with connect(house) as wire:
        wire.sendall(beginning)
        assert not takes_no_end(wire, piece)
    assert house.ask("/api/runs").status == 200


def test_a_head_in_one_piece_is_bounded_too(house: House) -> None:
    with connect(house) as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n")
        wire.settimeout(SECONDS)
        assert b" 200 " not in wire.recv(65_536)


def test_a_head_of_a_browser_with_much_to_say_is_let_in(house: House) -> None:
    assert house.ask("/api/runs", cookie="c" * 30_000).status == 200


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HTTP/1.1\r\nHos", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET"]
)
def test_a_head_that_does_not_come_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    with connect(house) as wire:
        wire.sendall(beginning)
        assert is_cut(wire)


def test_of_too_many_silent_connections_the_first_goes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_IDLE", 3)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1_000.0)
    with contextlib.ExitStack() as undo:
        silent = [undo.enter_context(connect(house)) for _ in range(5)]
        assert all(is_cut(wire) for wire in silent[:2])
        for _ in range(5):  # whoever asks at once is let in all the same
            assert house.ask("/api/runs").status == 200


# ── bodies of strangers ──────────────────────────────────────────────────────────────────────────────────────────────
SLOW = b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"


def test_a_body_that_does_not_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRANGER_SECONDS", 0.1)
    with connect(house) as wire:
        wire.sendall(SLOW)
        assert b" 408 " in wire.recv(65_536)


def test_of_too_many_slow_bodies_the_first_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_STRANGERS", 2)
    monkeypatch.setattr(guard, "STRANGER_SECONDS", 1_000.0)
    with contextlib.ExitStack() as undo:
        slow = [undo.enter_context(connect(house)) for _ in range(3)]
        for wire in slow:
            wire.sendall(SLOW)
        assert b" 408 " in slow[0].recv(65_536)
        assert house.page_token()  # whoever sends it at once is let in all the same


# ── WebSockets ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", ["/api/channel", "/api/live"])
def test_who_has_not_greeted_sends_no_large_frame(house: House, path: str) -> None:
    with upgrade(house, path) as wire:
        wire.sendall(b"\x82\xff" + struct.pack(">Q", ENDLESS) + bytes(4))
        assert not takes_no_end(wire, b"a" * 65_536)
    with upgrade(house, path) as wire:
        wire.sendall(frame(BINARY, b"a", is_last=False))
        assert not takes_no_end(wire, frame(CONT, b"a" * 60_000, is_last=False))


def test_who_was_let_in_sends_large_frames(house: House) -> None:
    root = Root()
    line = (1, root.id, 0, NOW + 3, 20, "signal", "a" * (4 * connections.GREETING_BYTES))
    with Line(house.url, house.secret) as wire:
        assert wire.send(root.batch(*root.begin(), Logged([line]))) == Ack(1)


@pytest.mark.parametrize("path", ["/api/channel", "/api/live"])
def test_who_pings_and_does_not_read_is_cut_off(house: House, path: str) -> None:
    with upgrade(house, path) as wire:
        assert not takes_no_end(wire, frame(PING, b"p" * 125) * 500)
    assert house.ask("/api/runs").status == 200


def test_who_pings_and_reads_stays(house: House) -> None:
    with contextlib.closing(open_socket(house)) as wire:
        for _ in range(100):
            assert wire.ping().wait(SECONDS)
