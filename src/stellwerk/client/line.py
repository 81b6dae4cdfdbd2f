"""The line to a server: one connection a process, kept by one thread, over which any thread asks.

Theory of operation: who asks leaves a `Question` and wakes the thread, which alone touches the connection; the answer
releases the lock that the question holds. So a thread that is stopped while it asks or waits (by a time limit, by a
signal) breaks nothing. The connection is made when it is first needed, and made again, with growing delays, whenever
it is lost; what was asked and not answered is then asked again, which is safe: a batch is applied once (fence, seq).

The way is a WebSocket; where something on the way refuses those, questions are put to the server by HTTP.

Until a server has let us in for the first time, an error that somebody has to mend ends the attempt, and is raised to
all who wait. After that the line waits without limit of time, says so once, and says when it is back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

import msgspec

from stellwerk.client.http import Answer, Http
from stellwerk.client.outage import Outage
from stellwerk.client.question import Asking, Question
from stellwerk.client.road import Address, Remote
from stellwerk.client.translate import away, error_of, http_error, nonsense, not_ours, other_version
from stellwerk.client.websocket import NoUpgrade, WebSocket, connect
from stellwerk.errors import ConfigError, StellwerkError, Unauthenticated, UnavailableError
from stellwerk.model.messages import Holder
from stellwerk.model.wire import (
    GREETING_SECONDS,
    MEDIA_TYPE,
    PROTOCOL,
    Acked,
    Done,
    Down,
    Failed,
    Going,
    Hello,
    Refused,
    Renewed,
    Stop,
    Welcome,
)

__all__ = ["Line"]

PATH = "/api/channel"
SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 2.0  # between two attempts to connect
PING_SECONDS = 5.0  # of silence, after which a server is asked for a sign of life
SILENT_SECONDS = 15.0  # after which it counts as gone
AGAIN_SECONDS = 0.2  # after which a question is put again that the server could not answer just then
ANSWER_SECONDS = 60.0  # of silence by HTTP, while a database is busy
REFUSALS = 3  # of a WebSocket that gets no answer at all, before HTTP is tried
MUTE = ("no answer in time", "it broke off the connection")
IDLE_SECONDS = 5.0  # between two questions by HTTP whether there are commands
MOST_POSTED = 60  # questions in one request
POSTED_BYTES = 32 << 20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Down).decode
_decode_all = msgspec.msgpack.Decoder(list[Down]).decode


class Line:
    """Keep one connection to a server.

    Args:
        remote: the road to it.
        version: ours.
        holder: the process whose runs are told of; None for who tells of none.
        say: tells the user a line.
        stop: called, on the line's thread, with each command to stop a run.

    Attributes:
        database_id: the record's, once it is known; the line is never connected to another.
        is_connected: whether a server has let us in and is there, as far as is known.
        has_been: whether one has ever let us in; `welcomed` is set then.
        outage: why it is not connected, or why what is asked is not answered.
    """

    def __init__(
        self,
        remote: Remote,
        version: str,
        holder: Holder | None,
        say: Callable[[str], None],
        stop: Callable[[Stop], None],
    ) -> None:
        self.remote = remote
        self.database_id = remote.database_id
        self.is_connected = False
        self.has_been = False
        self.outage = Outage(say)
        self.pid = os.getpid()
        self._version = version
        self._holder = holder
        self._stop = stop
        self._numbers = itertools.count(1)
        self._asked: deque[Question] = deque()  # the thread has not seen these
        self._open: dict[int, Question] = {}  # the thread's own
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._in, self._out = os.pipe()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        # When nobody has the line any more, its thread neither, which may outlive `close` in the middle of a connection.
        self._close_pipe = weakref.finalize(self, _close_all, self._in, self._out)
        self._close_pipe.atexit = False
        self._way: WebSocket | None = None
        self._http = Http(remote)
        self._by_http = False  # as long as the process lives: what refused a WebSocket once does so again
        self._refusals = 0
        self._is_closed = False
        self.welcomed = threading.Event()
        _lines.add(self)

    # ── for those who ask ────────────────────────────────────────────────────────────────────────────────────────────
    def ask(self, make: Callable[[int], Asking]) -> Question:
        """Put a question; never waits.

        Raises:
            ConfigError: it is larger than a frame may be.
        """
        question = Question.make(next(self._numbers), make)
        self._asked.append(question)
        self.wake()
        return question

    def wake(self) -> None:
        """See that the thread runs and looks at what was asked."""
        if self.pid != os.getpid():
            return  # a child's numbers may mean other files by now
        if self._thread is None or not self._thread.is_alive():
            self._start()
        with contextlib.suppress(BlockingIOError):  # it is full of wakes
            os.write(self._out, b"!")

    def _start(self) -> None:
        with self._start_lock:
            if self._is_closed or (self._thread is not None and self._thread.is_alive()):
                return
            self.outage.trouble = None
            self._thread = threading.Thread(target=self._work, name="stellwerk-line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the connection and the thread; questions stay unanswered."""
        self._is_closed = True
        if self._thread is not None and self._thread.is_alive():
            self.wake()
            self._thread.join(1.0)

    def drop(self) -> None:
        """Close what a forked child has of the line; it is of no use there."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            if self._way is not None:
                self._way.drop()
        self._close_pipe()

    # ── the thread ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _work(self) -> None:
        attempt = 0
        while not self._is_closed:
            try:
                self._connect()
            except StellwerkError as problem:
                self._hang_up()
                if self._is_final(problem):
                    self._refuse(problem)
                    return
                self.outage.note(problem)
                self._tell()
                delay = min(LONGEST_SECONDS, SHORTEST_SECONDS * 2**attempt)
                attempt = min(attempt + 1, 10)
                self._rest(delay * random.uniform(0.5, 1.0))
                continue
            attempt = 0
            try:
                self._serve()
            except StellwerkError as problem:
                self.outage.note(problem)
                self._tell()
                self._rest(SHORTEST_SECONDS * random.uniform(0.5, 1.0))
            finally:
                self._hang_up()

    def _hang_up(self) -> None:
        self.is_connected = False
        way, self._way = self._way, None
        if way is not None:
            way.close()

    def _is_final(self, problem: StellwerkError) -> bool:
        return not self.has_been and not isinstance(problem, UnavailableError)

    def _refuse(self, problem: StellwerkError) -> None:
        """Answer all questions by an error; the next one begins from the start."""
        self.outage.note(problem)
        self._take_asked()
        for number in list(self._open):
            self._open.pop(number).settle(None, problem)

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt; when somebody asks meanwhile, it is made soon."""
        end = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        if poll.poll(seconds * 1000):
            self._drain()
            time.sleep(min(max(0.0, end - time.monotonic()), SHORTEST_SECONDS))
        self._take_asked()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._in, 65_536)

    def _take_asked(self) -> list[Question]:
        taken = []
        while self._asked:
            question = self._asked.popleft()
            self._open[question.n] = question
            taken.append(question)
        return taken

    def _tell(self) -> None:
        """Say that what runs waits, if it does; before the first welcome, those who wait say so themselves."""
        if self.has_been and (self._open or self._asked):
            self.outage.tell()

    # ── connecting ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _connect(self) -> None:
        address = self.remote.address()
        if self._by_http:
            self._greet_by_http(address)
            return
        try:
            self._way = connect(address, PATH)
        except NoUpgrade as refused:
            if refused.status in (401, 403, 421):
                told = http_error(
                    refused.status, refused.kind, refused.maker, refused.body, address.url, self.remote.remedy
                )
                if not isinstance(told, ConfigError):
                    raise self._softened(told, address) from None
            self._greet_by_http(address)
        except UnavailableError as problem:
            # A proxy may swallow what it does not understand; where nobody listens there is no proxy.
            self._refusals += problem.facts.get("reason") in MUTE
            if self._refusals < REFUSALS:
                raise
            self._refusals = 0
            self._greet_by_http(address)
        else:
            self._refusals = 0
            self._greet(self._way, address)

    def _greet(self, way: WebSocket, address: Address) -> None:
        way.put(_encode(self._hello(address.token)))
        way.write()
        poll = select.poll()
        end = time.monotonic() + GREETING_SECONDS
        while True:
            poll.register(way, select.POLLIN | (select.POLLOUT if way.wants_write else 0))
            poll.poll(max(0.0, end - time.monotonic()) * 1000)
            messages = way.read()
            if messages:
                self._welcome(self._read(messages[0]), address)
                for message in messages[1:]:
                    self._take(self._read(message))
                return
            if way.is_closed or time.monotonic() >= end:
                raise away(address.url, way.why or "no answer in time")
            way.write()

    def _hello(self, token: str) -> Hello:
        return Hello(PROTOCOL, self._version, token, self._holder)

    def _welcome(self, answer: Down, address: Address) -> None:
        if isinstance(answer, Refused):
            raise self._refusal(answer, address)
        if not isinstance(answer, Welcome):
            raise nonsense(address.url)
        if answer.protocol != PROTOCOL:
            raise other_version(address.url, answer.version, answer.protocol, self._version)
        if self.database_id and answer.database_id != self.database_id:
            raise UnavailableError(
                f"The server {address.url} keeps another database now than the one that the record was begun in.",
                hint=f"Start the server that keeps the database {self.database_id}.",
                server=address.url,
                is_passing=True,
            )
        self.database_id = answer.database_id
        if not self.is_connected:
            self.has_been = self.is_connected = True
            self.welcomed.set()
            self.outage.end()

    def _refusal(self, answer: Refused, address: Address) -> StellwerkError:
        problem = error_of(answer.code, answer.message, answer.hint, address.url, self.remote.remedy)
        return self._softened(problem, address)

    def _softened(self, problem: StellwerkError, address: Address) -> StellwerkError:
        if isinstance(problem, Unauthenticated) and self.remote.home is not None:
            # Its secret changed between our look into its file and the connection.
            return away(address.url, "it has just been started anew")
        return problem

    def _read(self, frame: bytes) -> Down:
        try:
            told: Down = _decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise nonsense(self.remote.url) from problem
        return told

    # ── by WebSocket ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _serve(self) -> None:
        if self._way is None:
            self._serve_http()
            return
        way = self._way
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        self._take_asked()
        for question in list(self._open.values()):
            question.again_at = 0.0
            if question.is_dropped:
                del self._open[question.n]
            else:
                way.put(question.frame)
        pinged_at = 0.0
        while not self._is_closed:
            if way.wants_write:
                way.write()
            poll.register(way, select.POLLIN | (select.POLLOUT if way.wants_write else 0))
            ready = poll.poll(1000 if self._open else PING_SECONDS * 1000)
            if ready:
                self._drain()
                for question in self._take_asked():
                    way.put(question.frame)
                if way.wants_write:
                    way.write()
                for message in way.read():
                    self._take(self._read(message))
            if way.is_closed:
                raise away(self.remote.url, way.why)
            if len(ready) < 2:
                pinged_at = self._keep_alive(way, pinged_at)
                self._ask_again(way)

    def _keep_alive(self, way: WebSocket, pinged_at: float) -> float:
        """Ask a silent server for a sign of life.

        Counted from our own ping: a process that was stopped itself, or in which C code held the interpreter's lock,
        has not heard anything for a while either.
        """
        now = time.monotonic()
        if now - way.heard_at < PING_SECONDS:
            return 0.0
        if not pinged_at:
            way.ping()
            return now
        if now - pinged_at >= SILENT_SECONDS - PING_SECONDS:
            problem = away(self.remote.url, f"not a word for {SILENT_SECONDS:g} s")
            self.outage.note(problem, way.heard_at)
            raise problem
        return pinged_at

    def _ask_again(self, way: WebSocket) -> None:
        now = time.monotonic()
        for question in self._open.values():
            if question.again_at and question.again_at <= now:
                question.again_at = 0.0
                way.put(question.frame)

    def _take(self, frame: Down) -> None:
        if isinstance(frame, (Acked, Renewed, Done)):
            question = self._open.pop(frame.n, None)
            if question is not None:
                question.settle(frame)
            if self.outage.trouble is not None:
                self.outage.end()
        elif isinstance(frame, Failed):
            self._take_failed(frame)
        elif isinstance(frame, Stop):
            self._stop(frame)
        elif isinstance(frame, Refused):
            problem = error_of(frame.code, frame.message, frame.hint, self.remote.url, self.remote.remedy)
            raise away(self.remote.url, problem.message)
        elif isinstance(frame, Going):
            self.is_connected = False

    def _take_failed(self, frame: Failed) -> None:
        problem = error_of(frame.code, frame.message, frame.hint, self.remote.url, self.remote.remedy, frame.is_passing)
        if not frame.is_passing:
            question = self._open.pop(frame.n, None)
            if question is not None:
                question.settle(None, problem)
            return
        self.outage.note(problem)
        question = self._open.get(frame.n)
        if question is not None and question.is_dropped:
            del self._open[frame.n]
        elif question is not None:
            question.again_at = time.monotonic() + AGAIN_SECONDS
        self._tell()

    # ── by HTTP, where no WebSocket gets through ─────────────────────────────────────────────────────────────────────
    def _greet_by_http(self, address: Address) -> None:
        self._post([])
        self._by_http = True

    def _post(self, questions: list[Question]) -> None:
        """Put questions in one request, and take what is answered."""
        address = self.remote.address()
        frames = [_encode(self._hello(address.token)), *(question.frame for question in questions)]
        # An array of msgpack: 0xdd, and the number of items in 32 bits.
        body = b"".join((b"\xdd", len(frames).to_bytes(4, "big"), *frames))
        try:
            answer = self._http.ask("POST", PATH, body, MEDIA_TYPE, patience=ANSWER_SECONDS)
        except StellwerkError as problem:
            raise self._softened(problem, address) from problem
        told = self._read_all(answer)
        self._welcome(told[0], address)
        for frame in told[1:]:
            self._take(frame)

    def _read_all(self, answer: Answer) -> list[Down]:
        try:
            told: list[Down] = _decode_all(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise not_ours(self.remote.url, answer.status, answer.kind) from problem
        if not told:
            raise nonsense(self.remote.url)
        return told

    def _serve_http(self) -> None:
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        for question in self._open.values():
            question.again_at = 0.0
        asked_at = time.monotonic()
        while not self._is_closed:
            self._take_asked()
            ready = self._ready()
            if not ready and time.monotonic() - asked_at < IDLE_SECONDS:
                poll.poll((AGAIN_SECONDS if self._open else IDLE_SECONDS) * 1000)
                self._drain()
                continue
            asked_at = time.monotonic()
            self._post(ready)
            self._tell()

    def _ready(self) -> list[Question]:
        """Choose the questions that are to be put now, as many as fit one request."""
        now, size = time.monotonic(), 0
        ready: list[Question] = []
        for question in list(self._open.values()):
            if question.is_dropped:
                del self._open[question.n]
            elif question.again_at <= now:
                size += len(question.frame)
                if ready and (size > POSTED_BYTES or len(ready) >= MOST_POSTED):
                    break
                ready.append(question)
        return ready


def _close_all(*numbers: int) -> None:
    for number in numbers:
        os.close(number)


_lines: weakref.WeakSet[Line] = weakref.WeakSet()


def _after_fork() -> None:
    # The connection is the parent's: it must end with the parent, whatever its children do.
    for line in list(_lines):
        line.drop()


os.register_at_fork(after_in_child=_after_fork)
