"""The line of a process to its server, against a real one: what it holds, and what it makes of a server that goes."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import SECONDS, House
from wire import HOLDER, Root

from stellwerk.assemble.roads import open_remote
from stellwerk.client.live import LiveFeed
from stellwerk.client.remote import RemoteTransport
from stellwerk.client.road import Remote
from stellwerk.client.transport import Unanswered
from stellwerk.client.websocket import connect
from stellwerk.errors import UnavailableError
from stellwerk.model.messages import Ack, Batch


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house


def send(transport: RemoteTransport, batch: Batch) -> Ack:
    """Wait for an answer as an owner does."""
    while True:
        try:
            return transport.send(batch)
        except Unanswered:
            continue


def test_a_server_that_closes_at_once_is_asked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    transport = open_remote(Remote(house.url, house.secret), HOLDER, said.append)
    root = Root()
    going = threading.Event()
    monkeypatch.setattr(house.app.state.channel, "_is_going", True)
    noted = transport.line.outage.note

    def note(trouble: UnavailableError, since: float = 0.0) -> None:
        noted(trouble, since)
        going.set()

    monkeypatch.setattr(transport.line.outage, "note", note)
    answers: list[Ack] = []
    sender = threading.Thread(target=lambda: answers.append(send(transport, root.batch(*root.begin(), root.end()))))
    sender.start()
    assert going.wait(SECONDS)
    assert "closed the connection (1012" in str(transport.line.outage.trouble)
    monkeypatch.setattr(house.app.state.channel, "_is_going", False)
    sender.join(SECONDS)
    assert answers == [Ack(1)]
    transport.close()


def test_what_comes_with_the_answer_that_opens_it_is_not_lost(house: House) -> None:
    house.parts.watch.close()  # the feed says so at once and closes
    socket = connect(Remote(house.url, house.secret).address(), "/api/live")
    socket.put(b"{}", is_text=True)  # nobody reads it any more, and that is no mistake
    feed = LiveFeed(Remote(house.url, house.secret), ["runs"])
    assert not feed.wait(SECONDS)
    feed.close()
    socket.close()


def test_lines_that_never_came_about_leave_no_file_open() -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    for _ in range(10):
        transport = open_remote(Remote("http://127.0.0.1:1"), None, lambda _: None)
        with pytest.raises(UnavailableError):
            transport.open(0.0)
        transport.close()
        del transport
    assert open_files() <= before
