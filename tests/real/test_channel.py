"""The run channel of a real server, by clients that speak the wire and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import websockets
from channels import Line, open_socket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server
from websockets.exceptions import ConnectionClosed
from wire import HOLDER, NOW, PLAN, check_all, completed, new_id, rows, runs_of
from wire import Root as ShortRoot

from stellwerk import __version__
from stellwerk.api import channel
from stellwerk.api.sessions import make_token
from stellwerk.client.process import holder_of
from stellwerk.model.messages import Ack, Batch, Began, Holder, Logged, Message, Opening
from stellwerk.model.states import Cause
from stellwerk.model.wire import (
    MEDIA_TYPE,
    MOST_FRAME_BYTES,
    PROTOCOL,
    Abandon,
    Acked,
    Done,
    Down,
    Failed,
    Going,
    Hello,
    Refused,
    Renew,
    Renewed,
    Send,
    Stop,
    Welcome,
)

SECONDS = 30
encode = msgspec.msgpack.encode


class Root(ShortRoot):
    """A root run whose lease outlasts all tests: nobody renews it."""

    def batch(self, *messages: Message) -> Batch:
        made = super().batch(*messages)
        if made.opening is not None:
            made.opening = Opening(HOLDER, PLAN, 86_400.0)
        return made


class Place:
    """A running server, by whom it is reached, and its record."""

    def __init__(self, home: Path) -> None:
        self.server = Server(STELLWERK_HOME=str(home))
        self.server.start()
        self.database = str(home / "stellwerk.db")
        self.home = home

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def secret(self) -> str:
        return self.server.secret()

    def line(self, holder: Holder | None = HOLDER) -> Line:
        return Line(self.url, self.secret, holder)

    def is_well(self) -> bool:
        """Whether it still takes batches."""
        root = Root()
        with self.line() as line:
            return line.send(root.batch(*root.begin(), root.end())) == Ack(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server for all tests that leave it as it was; it must have had nothing to complain about."""
    place = Place(tmp_path_factory.mktemp("shared") / "home")
    yield place
    said = place.server.stop()
    assert said == ""
    check_all(place.database)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Place]:
    """A server of the test's own."""
    place = Place(tmp_path / "own")
    yield place
    place.server.kill()
    check_all(place.database)


def work(root: Root, tasks: int = 1) -> Batch:
    messages: list[Any] = [] if root.seq else root.begin()
    for _ in range(tasks):
        run_id = new_id()
        messages += [root.task(run_id), Began(run_id, NOW + 3, 1), completed(run_id)]
    return root.batch(*messages)


# ── greeting ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_client_is_welcomed(shared: Place) -> None:
    with shared.line() as line:
        welcome = line.welcome
    assert (welcome.protocol, welcome.version) == (PROTOCOL, __version__)
    file = json.loads((shared.home / "server.json").read_text(encoding="utf-8"))
    assert welcome.database_id == file["database_id"]
    with shared.line() as line:
        assert line.welcome.server_id == welcome.server_id


@pytest.mark.parametrize("token", ["", "wrong", "é" * 40, "x" * 100_000])
def test_a_wrong_token_is_refused(shared: Place, token: str) -> None:
    line = Line(shared.url, token)
    assert line.refusal() == ("unauthenticated", 4401)


def test_the_token_of_a_page_does_not_let_runs_report(shared: Place) -> None:
    key = bytes.fromhex(rows_of_meta(shared.database)["page_key"])
    token = make_token(key, time.time()).token
    assert Line(shared.url, token).refusal() == ("unauthenticated", 4401)


def rows_of_meta(database: str) -> dict[str, str]:
    connection = sqlite3.connect(database)
    try:
        return dict(connection.execute("SELECT key, value FROM meta").fetchall())
    finally:
        connection.close()


class Silent:
    """A client that connects and says nothing; what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.has_connected = asyncio.Event()

    async def accept(self) -> None:
        self.has_connected.set()

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(msgspec.msgpack.decode(data, type=Down))

    async def close(self, code: int) -> None:
        self.sent.append(code)


def test_who_does_not_greet_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "GREETING_SECONDS", 0.01)
    client = Silent()
    asyncio.run(channel.Channel(cast(Any, None))._serve(cast(Any, client)))
    assert client.sent == [Refused("bad_frame", "No greeting came within 0.01 s."), 4400]


def test_of_too_many_who_do_not_greet_the_first_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MOST_UNGREETED", 3)
    monkeypatch.setattr(channel, "GREETING_SECONDS", 1_000.0)
    clients = [Silent() for _ in range(5)]

    async def crowd() -> None:
        server = channel.Channel(cast(Any, None))
        tasks = []
        for client in clients:
            tasks.append(asyncio.create_task(server._serve(cast(Any, client))))
            await client.has_connected.wait()
        await asyncio.wait(tasks[:2])
        assert not any(task.done() for task in tasks[2:])
        for task in tasks[2:]:
            task.cancel()

    asyncio.run(crowd())
    assert [client.sent[-1:] for client in clients] == [[4400], [4400], [], [], []]


@pytest.mark.parametrize("protocol", [PROTOCOL + 1, PROTOCOL - 1, -(1 << 60)])
def test_another_version_is_refused_by_name(shared: Place, protocol: int) -> None:
    line = Line(shared.url, shared.secret, HOLDER, protocol)
    refused = line.expect(Refused)
    assert refused.code == "version_mismatch"
    assert f"protocol {PROTOCOL} (Stellwerk {__version__}), the client {protocol} (" in refused.message
    assert refused.hint
    assert line.close_code() == 4426


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_batches_are_acknowledged_and_recorded(shared: Place) -> None:
    root = Root()
    with shared.line() as line:
        for seq in range(1, 6):
            assert line.send(work(root)) == Ack(seq)
            assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == seq + 1
        assert line.send(root.batch(root.end())) == Ack(6)
    assert runs_of(shared.database)[root.id].state == "completed"


def test_a_batch_that_comes_twice_is_applied_once(shared: Place) -> None:
    root = Root()
    first, second = work(root), work(root)
    with shared.line() as line:
        assert line.send(first) == Ack(1)
        assert line.send(first) == Ack(1)
        assert line.send(second) == Ack(2)
    with shared.line() as line:  # and over another connection
        assert line.send(first) == Ack(1)
        assert line.send(second) == Ack(2)
        assert line.send(root.batch(root.end())) == Ack(3)
    assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == 3


def test_a_gap_is_refused(shared: Place) -> None:
    root = Root()
    first, second, third = work(root), work(root), work(root)
    with shared.line() as line:
        assert line.send(first) == Ack(1)
        assert line.send(third).code == "stale_fence"
        assert line.send(second) == Ack(2)
        assert line.send(third) == Ack(3)
        assert line.send(root.batch(root.end())) == Ack(4)
    assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == 4


def test_another_fence_is_refused(shared: Place) -> None:
    root = Root()
    with shared.line() as line:
        assert line.send(work(root)) == Ack(1)
        root.fence = 2
        assert line.send(work(root)).code == "stale_fence"


def test_what_the_tables_forbid_is_refused_and_the_line_goes_on(shared: Place) -> None:
    root = Root()
    with shared.line() as line:
        assert line.send(work(root)) == Ack(1)
        assert line.send(root.batch(completed(new_id()))).code == "illegal_transition"
        root.seq -= 1
        assert line.send(work(root)) == Ack(2)


def test_renewing_and_abandoning(shared: Place) -> None:
    holder = Holder("points", "boot-7", 12, 34)
    root = Root()
    opening = root.batch(*root.begin())
    opening.opening = Opening(holder, PLAN, 30.0)
    with shared.line(holder) as line:
        assert line.send(opening) == Ack(1)
        line.post(Renew(7, holder))
        assert line.expect(Renewed) == Renewed(7, 1)
        line.post(Abandon(8, root.id, 1, Cause("agent_bug", "it could not go on")))
        assert line.expect(Done) == Done(8)
        line.post(Renew(9, holder))
        assert line.expect(Renewed) == Renewed(9, 0)
    run = runs_of(shared.database)[root.id]
    assert (run.state, run.cause, run.evidence) == ("crashed", "agent_bug", "it could not go on")


def test_many_requests_at_once_are_answered_by_number(shared: Place) -> None:
    # Far more than may be under way: the line is not read meanwhile, and nothing gets lost.
    root = Root()
    batches = [work(root) for _ in range(300)]
    with shared.line() as line:
        for batch in batches:
            line.post(Send(batch.seq, batch))
        answers = [line.expect(Acked) for _ in batches]
    assert [(each.n, each.ack) for each in answers] == [(batch.seq, Ack(batch.seq)) for batch in batches]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda batch: batch.messages.insert(0, Root().task(b"short", parent_id=b"too short")),
        lambda batch: batch.messages.insert(0, Root().task(new_id(), parameters=b"{")),
        lambda batch: batch.messages.insert(0, Root().task(new_id(), parameters=b"\xff")),
        lambda batch: batch.messages.insert(0, Root().task(new_id(), upstream=(b"1",))),
        lambda batch: batch.messages.insert(0, Root().task(new_id(), parameters=b"[" * 20_000 + b"]" * 20_000)),
        lambda batch: batch.messages.insert(0, Root(at=1 << 62).task(new_id())),
        lambda batch: batch.messages.insert(0, Root(at=-(1 << 62)).task(new_id())),
        lambda batch: batch.messages.append(Began(new_id(), 1 << 62, 1)),
        lambda batch: batch.messages.append(Began(b"short", NOW, 1)),
        lambda batch: batch.messages.append(Logged([(1, batch.root_id, 0, 1 << 62, 20, "signal", "red")])),
        lambda batch: batch.messages.append(Logged([(1, b"short", 0, NOW, 20, "signal", "red")])),
        lambda batch: setattr(batch, "root_id", b"short"),
        lambda batch: setattr(batch, "opening", Opening(HOLDER, PLAN, float("nan"))),
        lambda batch: setattr(batch, "opening", Opening(HOLDER, PLAN, float("inf"))),
        lambda batch: setattr(batch, "opening", Opening(HOLDER, PLAN, -1.0)),
    ],
)
def test_what_would_stand_in_the_way_of_readers_is_not_written(shared: Place, spoil: Callable[[Batch], None]) -> None:
    root = Root()
    batch = work(root)
    spoil(batch)
    with shared.line() as line:
        line.post(Send(3, batch))
        failed = line.expect(Failed)
        assert (failed.n, failed.code, failed.is_passing) == (3, "conflict", False)
    assert root.id not in runs_of(shared.database)


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("senders", [2, 10, 100])
def test_many_senders_at_once_are_served_alike(shared: Place, senders: int) -> None:
    batches = 2_000 // senders
    roots = [Root() for _ in range(senders)]
    url, secret = shared.url, shared.secret
    when_first_was_done: list[int] = []

    async def owner(root: Root, start: asyncio.Event) -> None:
        address = f"ws{url.removeprefix('http')}/api/channel"
        async with websockets.connect(address, compression=None, proxy=None) as socket:
            await socket.send(encode(Hello(PROTOCOL, __version__, secret, HOLDER)))
            await socket.recv()
            await start.wait()
            for seq in range(1, batches + 1):
                await socket.send(encode(Send(seq, work(root))))
                answer = msgspec.msgpack.decode(await socket.recv(), type=Down)
                assert answer == Acked(seq, Ack(seq))
            if not when_first_was_done:
                when_first_was_done.extend(each.seq for each in roots)

    async def all_of_them() -> None:
        start = asyncio.Event()
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            for root in roots:
                group.create_task(owner(root, start))
            start.set()

    asyncio.run(all_of_them())
    for root in roots:
        assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == batches + 1
    # Each has one batch under way and they are taken in the order in which they come: nobody is far behind the first.
    assert min(when_first_was_done) >= batches * 0.5


# ── nonsense ─────────────────────────────────────────────────────────────────────────────────────────────────────────
NONSENSE = {
    "empty": b"",
    "zeros": bytes(1000),
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "no message": encode({"type": "unknown"}),
    "a list": encode([1, 2, 3]),
    "a number": encode(1),
    "deep": b"\x91" * 100_000 + b"\xc0",
    "long claim": b"\xdd\xff\xff\xff\xff",
    "half a message": encode(Renew(1, HOLDER))[:-3],
    "more than one": encode(Renew(1, HOLDER)) * 2,
    "another's answer": encode(Done(1)),
    "no batch": encode({"type": "send", "n": 1}),
    "a huge number": encode({"type": "send", "n": 1 << 63, "batch": None}),
    "a second greeting": encode(Hello(PROTOCOL, __version__, "x", None)),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_ends_the_line_and_nothing_else(shared: Place, name: str) -> None:
    with shared.line() as witness, shared.line() as line:
        line.socket.send(NONSENSE[name])
        assert line.refusal() == ("bad_frame", 4400)
        root = Root()
        assert witness.send(work(root)) == Ack(1)


@pytest.mark.parametrize("name", [*sorted(NONSENSE.keys() - {"a second greeting"}), "a request"])
def test_nonsense_in_place_of_a_greeting(shared: Place, name: str) -> None:
    socket = open_socket(shared.url)
    socket.send(NONSENSE.get(name, encode(Renew(1, HOLDER))))
    refused = msgspec.msgpack.decode(bytes(socket.recv(SECONDS)), type=Down)
    assert isinstance(refused, Refused)
    assert refused.code == "bad_frame"
    with pytest.raises(ConnectionClosed):
        socket.recv(SECONDS)
    assert socket.close_code == 4400


def test_text_is_refused(shared: Place) -> None:
    with shared.line() as line:
        line.socket.send("hello")
        assert line.refusal() == ("bad_frame", 4400)


def test_what_was_asked_before_nonsense_is_answered_first(shared: Place) -> None:
    root = Root()
    with shared.line() as line:
        line.post(Send(1, work(root, 500)))
        line.socket.send(b"nonsense")
        assert line.expect(Acked) == Acked(1, Ack(1))
        assert line.refusal() == ("bad_frame", 4400)


def test_a_frame_that_is_too_large_ends_the_line(shared: Place) -> None:
    with shared.line() as line:
        with contextlib.suppress(ConnectionClosed):
            line.socket.send(bytes(MOST_FRAME_BYTES + 1))
        # "Message too big" (RFC 6455 7.4.1), unless the connection was cut while the client was still writing.
        assert line.close_code() in (1009, 1006)
    assert shared.is_well()


def test_a_large_frame_within_the_limit_is_taken(shared: Place) -> None:
    root = Root()
    batch = work(root, 30_000)
    assert 4 << 20 < len(encode(batch)) < MOST_FRAME_BYTES
    with shared.line() as line:
        assert line.send(batch) == Ack(1)
        assert line.send(root.batch(root.end())) == Ack(2)
    assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == 30_001


@pytest.mark.parametrize("part", [1, 6, 50, -1])
def test_half_a_frame_then_cut(shared: Place, part: int) -> None:
    root = Root()
    frame = encode(Send(1, work(root)))
    with shared.line() as line:
        raw = line.socket.socket
        # A masked binary frame with its length in two bytes (RFC 6455 5.2), the mask being zero.
        whole = b"\x82" + bytes([0x80 | 126]) + len(frame).to_bytes(2, "big") + bytes(4) + frame
        raw.sendall(whole[:part])
        raw.close()
    assert shared.is_well()
    assert root.id not in runs_of(shared.database)


def test_an_answer_that_nobody_waits_for(shared: Place) -> None:
    root = Root()
    line = shared.line().__enter__()
    line.post(Send(1, work(root)))
    line.socket.socket.close()
    eventually(lambda: root.id in runs_of(shared.database))
    with shared.line() as again:
        assert again.send(root.batch(root.end())) == Ack(2)


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "never so"
        time.sleep(0.02)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TAGS = ("hello", "send", "renew", "abandon", "welcome", "acked", "stop", "going", "")
FIELDS = (
    "n",
    "batch",
    "holder",
    "root_id",
    "fence",
    "cause",
    "seq",
    "messages",
    "opening",
    "protocol",
    "token",
    "version",
)
SHAPED = st.builds(
    lambda tag, fields: encode({"type": tag, **fields}),
    st.sampled_from(TAGS),
    st.dictionaries(st.sampled_from(FIELDS), JSONISH),
)


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """A good frame with a few of its bytes changed, taken out or put in."""
    root = Root(bytes(range(16)))
    good = draw(st.sampled_from([encode(Send(1, root.batch(*root.begin(), root.end()))), encode(Renew(2, HOLDER))]))
    frame = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(frame) - 1))
        kind = draw(st.sampled_from("change out in".split()))
        if kind == "change":
            frame[at] = draw(st.integers(0, 255))
        elif kind == "out" and len(frame) > 1:
            del frame[at]
        else:
            frame.insert(at, draw(st.integers(0, 255)))
    return bytes(frame)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(frames=st.lists(st.binary(max_size=200) | JSONISH.map(encode) | SHAPED | mutilated(), min_size=1, max_size=4))
def test_any_frame_gets_an_answer_and_harms_nobody(own_fuzzed: Place, frames: list[bytes]) -> None:
    with own_fuzzed.line() as line:
        try:
            for frame in frames:
                line.socket.send(frame)
            for _ in frames:
                answer = line.receive()
                assert isinstance(answer, Acked | Renewed | Done | Failed | Refused)
                if isinstance(answer, Refused):
                    assert answer.code == "bad_frame"
                    break
        except ConnectionClosed:
            assert line.socket.close_code == 4400


@pytest.fixture(scope="module")
def own_fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("fuzzed") / "home")
    yield place
    assert place.is_well()
    said = place.server.stop()
    # What can't be written is our own error, told with its traceback, but never one of the channel's.
    assert "api/channel.py" not in said
    assert "uvicorn" not in said
    check_all(place.database)


# ── a database that is held up ───────────────────────────────────────────────────────────────────────────────────────
def test_while_nothing_can_be_written_senders_wait_and_nothing_is_lost(own: Place) -> None:
    lines, batches = 40, 100  # more than may wait in the server
    roots = [Root() for _ in range(lines)]
    with contextlib.ExitStack() as stack:
        opened_lines = [stack.enter_context(own.line()) for _ in roots]
        blocker = sqlite3.connect(own.database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        for line, root in zip(opened_lines, roots, strict=True):
            for _ in range(batches):
                batch = work(root)
                line.post(Send(batch.seq, batch))
        assert own.server.is_healthy()
        assert not any(root.id in runs_of(own.database) for root in roots)
        blocker.execute("ROLLBACK")
        blocker.close()
        for line in opened_lines:
            assert [line.expect(Acked).ack.seq for _ in range(batches)] == list(range(1, batches + 1))
    for root in roots:
        assert len(rows(own.database, "runs", f"root_id = x'{root.id.hex()}'")) == batches + 1


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def opened(root: Root, holder: Holder, lease_seconds: float) -> Batch:
    batch = root.batch(*root.begin())
    batch.opening = Opening(holder, PLAN, lease_seconds)
    return batch


def test_who_lets_its_lease_lapse_is_told_to_stop(own: Place) -> None:
    holder, root = Holder("far-away", "boot-1", 5, 6), Root()
    other = Holder("far-away", "boot-1", 7, 8)
    with own.line(holder) as line, own.line(other) as bystander:
        assert line.send(opened(root, holder, 0.5)) == Ack(1)
        stop = line.expect(Stop)
        assert (stop.root_id, stop.fence) == (root.id, 1)
        assert stop.reason == "nobody renewed the lease of process 5 on far-away for 0.5 s"
        assert line.send(work(root)).code == "stale_fence"
        assert bystander.send(work(Root())) == Ack(1)
    run = runs_of(own.database)[root.id]
    assert (run.state, run.label, run.cause, run.evidence) == ("crashed", "OwnerLost", "lease_lost", stop.reason)


def test_who_was_away_is_told_when_it_is_back(own: Place) -> None:
    holder, root = Holder("far-away", "boot-1", 5, 6), Root()
    with own.line(holder) as line:
        assert line.send(opened(root, holder, 0.5)) == Ack(1)
    eventually(lambda: runs_of(own.database)[root.id].state == "crashed")
    with own.line(holder) as line:
        assert line.expect(Stop).root_id == root.id
    with own.line(holder) as line:
        assert line.send(work(Root())) == Ack(1)  # once


def test_who_renews_keeps_its_run(own: Place) -> None:
    holder, root = Holder("far-away", "boot-1", 5, 6), Root()
    lost = Root()
    stranger = Holder("far-away", "boot-1", 9, 9)
    with own.line(holder) as line:
        assert line.send(opened(root, holder, 1.5)) == Ack(1)
        with own.line(stranger) as other:
            assert other.send(opened(lost, stranger, 1.5)) == Ack(1)
        end = time.monotonic() + SECONDS
        while runs_of(own.database)[lost.id].state == "running":
            line.post(Renew(1, holder))
            assert line.expect(Renewed) == Renewed(1, 1)
            time.sleep(0.1)
            assert time.monotonic() < end
        assert line.send(root.batch(root.end())) == Ack(2)
    assert runs_of(own.database)[root.id].state == "completed"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this machine that owns runs as far as the server can tell."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as process:
        yield process
        process.kill()


def test_a_process_that_is_stopped_loses_its_lease(own: Place, sleeper: subprocess.Popen[bytes]) -> None:
    holder, root = holder_of(sleeper.pid), Root()
    with own.line(holder) as line:
        assert line.send(opened(root, holder, 0.5)) == Ack(1)
        sleeper.send_signal(signal.SIGSTOP)
        stop = line.expect(Stop)
        assert stop.root_id == root.id
        assert "is stopped and was not heard for 0.5 s" in stop.reason
    assert runs_of(own.database)[root.id].cause == "lease_lost"


def test_a_process_that_is_killed_loses_it_at_once(own: Place, sleeper: subprocess.Popen[bytes]) -> None:
    holder, root = holder_of(sleeper.pid), Root()
    with own.line(holder) as line:
        assert line.send(opened(root, holder, 86_400.0)) == Ack(1)
        sleeper.kill()
        assert line.expect(Stop) == Stop(root.id, 1, f"process {sleeper.pid} on {holder.host} is gone")
    assert runs_of(own.database)[root.id].state == "crashed"


# ── the server goes, or dies ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_server_that_goes_answers_what_it_took(own: Place) -> None:
    root = Root()
    batches = [work(root, 200) for _ in range(40)]
    with own.line() as line:
        for batch in batches:
            line.post(Send(batch.seq, batch))
        assert line.expect(Acked).ack == Ack(1)
        stopper = threading.Thread(target=own.server.stop)
        stopper.start()
        acked, has_said_so = 1, False
        try:
            while True:
                answer = line.receive()
                if isinstance(answer, Going):
                    has_said_so = True
                else:
                    assert answer == Acked(acked + 1, Ack(acked + 1))
                    acked += 1
        except ConnectionClosed:
            pass
        assert has_said_so
        assert line.socket.close_code == 1012
        stopper.join(SECONDS)
    found = len(rows(own.database, "runs", f"root_id = x'{root.id.hex()}'"))
    assert found == acked * 200 + 1  # all that was taken is answered, and nothing else is there
    own.server.start()
    with own.line() as line:
        for batch in batches:
            assert line.send(batch) == Ack(batch.seq)
        assert line.send(root.batch(root.end())) == Ack(len(batches) + 1)
    assert len(rows(own.database, "runs", f"root_id = x'{root.id.hex()}'")) == 40 * 200 + 1


def test_a_server_that_is_killed_loses_and_doubles_nothing(own: Place) -> None:
    senders, batches = 4, 150
    roots = [Root() for _ in range(senders)]
    acknowledged = [0] * senders

    def connect() -> Line:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return own.line().__enter__()
            except (OSError, ValueError, websockets.exceptions.WebSocketException, AssertionError):
                # It is dead just now, or another one already than the file tells.
                assert time.monotonic() < end
                time.sleep(0.02)

    def owner(number: int) -> None:
        root = roots[number]
        batch = work(root)
        while acknowledged[number] < batches:
            with contextlib.suppress(OSError, ConnectionClosed), connect() as line:
                while acknowledged[number] < batches:
                    assert line.send(batch) == Ack(batch.seq)
                    acknowledged[number] = batch.seq
                    batch = work(root)

    threads = [threading.Thread(target=owner, args=(number,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for share in (0.2, 0.4, 0.6, 0.8):
        eventually(lambda share=share: sum(acknowledged) >= share * senders * batches)  # type: ignore[misc]
        own.server.kill()
        before = list(acknowledged)
        found = [len(rows(own.database, "runs", f"root_id = x'{root.id.hex()}'")) - 1 for root in roots]
        assert all(each in (known, known + 1) for each, known in zip(found, before, strict=True))
        own.server.start()
    for thread in threads:
        thread.join(2 * SECONDS)
    assert acknowledged == [batches] * senders
    for root in roots:
        assert len(rows(own.database, "runs", f"root_id = x'{root.id.hex()}'")) == batches + 1


# ── by POST ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def post(place: Place, body: bytes, token: str | None = None, path: str = "/api/channel") -> tuple[int, Any]:
    request = urllib.request.Request(f"{place.url}{path}", body, {"Content-Type": MEDIA_TYPE})
    given = place.secret if token is None else token
    if given:
        request.add_header("Authorization", f"Bearer {given}")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            assert answer.headers["Content-Type"] == MEDIA_TYPE
            return answer.status, msgspec.msgpack.decode(answer.read(), type=list[Down])
    except urllib.error.HTTPError as problem:
        return problem.code, json.loads(problem.read())["error"]


def hello(place: Place, holder: Holder | None = HOLDER, protocol: int = PROTOCOL) -> Hello:
    return Hello(protocol, __version__, place.secret, holder)


def test_the_same_by_post(shared: Place) -> None:
    root = Root()
    first, second = work(root), work(root)
    status, answers = post(shared, encode([hello(shared), Send(1, first), Send(2, second), Renew(3, HOLDER)]))
    assert status == 200
    assert isinstance(answers[0], Welcome)
    assert answers[1:3] == [Acked(1, Ack(1)), Acked(2, Ack(2))]
    assert isinstance(answers[3], Renewed)
    status, answers = post(shared, encode([hello(shared), Send(1, second), Send(2, root.batch(root.end()))]))
    assert answers[1:] == [Acked(1, Ack(2)), Acked(2, Ack(3))]
    assert len(rows(shared.database, "runs", f"root_id = x'{root.id.hex()}'")) == 3
    assert post(shared, encode([hello(shared)]))[0] == 200


def test_commands_come_by_post_too(own: Place) -> None:
    holder, root = Holder("far-away", "boot-1", 5, 6), Root()
    _, answers = post(own, encode([hello(own, holder), Send(1, opened(root, holder, 0.5))]))
    assert answers[1] == Acked(1, Ack(1))
    eventually(lambda: runs_of(own.database)[root.id].state == "crashed")
    commands: list[Any] = []

    def is_told() -> bool:
        commands.extend(post(own, encode([hello(own, holder)]))[1][1:])
        return bool(commands)

    eventually(is_told)
    assert [each.root_id for each in commands] == [root.id]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_frame"),
        (b"\x91" * 100_000, 400, "bad_frame"),
        (encode([]), 400, "bad_frame"),
        (encode([Renew(1, HOLDER)]), 400, "bad_frame"),
        (encode([{"type": "hello", "protocol": 99, "version": "9", "token": ""}]), 401, "unauthenticated"),
        (encode("text"), 400, "bad_frame"),
    ],
)
def test_nonsense_by_post(shared: Place, body: bytes, status: int, code: str) -> None:
    answered, error = post(shared, body)
    assert (answered, error["code"]) == (status, code)
    assert error["message"]


def test_what_a_post_must_be(shared: Place) -> None:
    assert post(shared, encode([hello(shared, protocol=PROTOCOL + 1)]))[0] == 426
    assert post(shared, encode([hello(shared), hello(shared)]))[0] == 400
    assert post(shared, encode([hello(shared), *(Renew(n, HOLDER) for n in range(100))]))[0] == 400
    for token in ("", "wrong"):
        status, error = post(shared, encode([hello(shared)]), token)
        assert (status, error["code"]) == (401, "unauthenticated")


def test_a_post_that_is_too_large(shared: Place) -> None:
    place = shared.url.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=SECONDS)
    connection.putrequest("POST", "/api/channel")
    connection.putheader("Authorization", f"Bearer {shared.secret}")
    connection.putheader("Content-Length", str(MOST_FRAME_BYTES + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "too_large"
    connection.close()
    assert shared.is_well()


def test_random_bodies_by_post(shared: Place) -> None:
    choice = random.Random(20261124)
    good = encode([hello(shared), Renew(1, HOLDER)])
    for _ in range(100):
        body = bytearray(good)
        for _ in range(choice.randint(1, 5)):
            body[choice.randrange(len(body))] = choice.randrange(256)
        status, answer = post(shared, bytes(body))
        assert status in (200, 400, 401, 426), answer
    assert os.path.exists(shared.home / "server.json")
