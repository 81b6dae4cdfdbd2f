"""The run channel: owners in other processes report here (`/api/channel`), over a WebSocket or by POST.

Theory of operation: a line greets first, within `GREETING_SECONDS`, and is let in by the secret of `server.json` or by
`STELLWERK_API_TOKEN`, never by a page's token. After that each frame is one request. It is handed to the intake, whose
one thread writes; the answer comes back to the event loop, with all answers that are ready by then in one call, and goes
to the line that asked. A line with `MOST_UNANSWERED` requests under way is not read any further, nor is any line while
the intake is full: so a sender is slowed by its own socket, and memory stays bounded. An answer counts as given only
when it has been written to the socket, so a line that does not read is not read either.

Nonsense (a frame that is no message, a second greeting, text) ends the line with one `Refused` that says why, after what
it had asked before is answered. A line that ends takes nothing back: its owner connects again and sends anew what was
not answered, and what was applied already is known by its number.

Commands go to the lines of the process that they are for. What it misses is kept a while and told when it greets again.

The application takes the routes of `Channel.routes` and keeps the channel as `app.state.channel`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from stellwerk.api import guard
from stellwerk.api.answers import problem
from stellwerk.api.connections import Greetings, let_in
from stellwerk.api.parts import Parts
from stellwerk.engine import apply
from stellwerk.engine.tick import Swept
from stellwerk.errors import Conflict, StellwerkError, UnavailableError
from stellwerk.model import __version__
from stellwerk.model.messages import Ack, Batch, Ended, Holder, Logged, Sourced, Submitted
from stellwerk.model.wire import (
    GREETING_SECONDS,
    MEDIA_TYPE,
    MOST_FRAME_BYTES,
    PROTOCOL,
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
    Up,
    Welcome,
)

MOST_UNANSWERED = 64  # requests of a line; an owner has one batch under way, and its watcher a renewal
MOST_UNGREETED = 256  # lines that have not greeted yet
LATEST = 253_402_300_799_999_999  # the last µs of the year 9999, beyond which nobody can write a time down
MOST_MISSED = 1_000  # processes whose commands are kept for when they are back
CLOSING_SECONDS = 5.0  # for what is still to be said to a line that ends
CLOSE_CODES = {"bad_frame": 4400, "unauthenticated": 4401, "version_mismatch": 4426}
GOING_CODE = 1012  # "service restart" of the IANA registry
STATUS = {"bad_frame": 400, "unauthenticated": 401, "version_mismatch": 426}

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Up)
_list_decoder = msgspec.msgpack.Decoder(list[Up])


class _Turned(Exception):
    """Turn a line away, and say why."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.refused = Refused(code, message, hint)


class _Line:
    """Hold one client: who it is, what it has asked and what it is to be told."""

    __slots__ = ("close_code", "holder", "is_open", "outbox", "room", "unanswered", "wake")

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        self.outbox: deque[Down] = deque()
        self.wake = asyncio.Event()
        self.room = asyncio.Event()
        self.unanswered = 0  # requests whose answer has not been written to the socket
        self.is_open = True
        self.close_code = 0

    def say(self, message: Down) -> None:
        """Add a message; on the event loop."""
        self.outbox.append(message)
        self.wake.set()


class Channel:
    """Serve the run channel of one server. Everything here happens on the server's event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lines: set[_Line] = set()
        self._greetings = Greetings()
        self._answers: deque[tuple[_Line, Down]] = deque()
        self._is_called = False
        self._is_going = False
        self._missed: OrderedDict[Holder, list[Stop]] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None

    def routes(self) -> list[BaseRoute]:
        """Give the WebSocket and its POST fallback."""
        return [
            WebSocketRoute("/api/channel", self._serve, name="channel"),
            Route("/api/channel", self._post, methods=["POST"], name="channel_post", include_in_schema=False),
        ]

    @property
    def count(self) -> int:
        """Count the lines that have greeted."""
        return len(self._lines)

    def stop_owners(self, lost: Iterable[Swept]) -> None:
        """Tell owners what they have lost; those who are away are told when they greet again."""
        for swept in lost:
            command = Stop(swept.run_id, swept.fence, swept.evidence)
            lines = [line for line in self._lines if line.holder == swept.holder]
            for line in lines:
                line.say(command)
            if not lines:
                self._missed.setdefault(swept.holder, []).append(command)
                self._missed.move_to_end(swept.holder)
                if len(self._missed) > MOST_MISSED:
                    self._missed.popitem(last=False)

    async def go(self, seconds: float) -> None:
        """Tell every line that the server goes, answer what was asked until now, and close them.

        Args:
            seconds: after which lines are closed with requests unanswered; those are sent again later.
        """
        self._is_going = True
        for line in self._lines:
            line.say(Going())
            line.room.set()  # its reader stops reading
        deadline = asyncio.get_running_loop().time() + seconds
        while self._lines and asyncio.get_running_loop().time() < deadline:
            for line in self._lines:
                if not line.unanswered:
                    self._end(line, GOING_CODE)
            await asyncio.sleep(0.01)
        for line in self._lines:
            self._end(line, GOING_CODE)

    # ── a line ───────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _serve(self, socket: WebSocket) -> None:
        await socket.accept()
        line = await self._let_in(socket)
        if line is None:
            return
        self._lines.add(line)
        writer = asyncio.create_task(self._write(socket, line))
        try:
            await self._read(socket, line)
        except _Turned as turned:
            await self._settle(line)
            line.say(turned.refused)
            self._end(line, CLOSE_CODES[turned.refused.code])
        finally:
            if not line.close_code:
                self._end(line, 1000)
            try:
                await asyncio.wait_for(writer, CLOSING_SECONDS)
            except TimeoutError:
                pass  # it does not read; the connection is cut
            finally:
                self._lines.discard(line)

    async def _let_in(self, socket: WebSocket) -> _Line | None:
        if self._is_going:
            await _close(socket, GOING_CODE)
            return None
        try:
            async with self._greetings.awaited(GREETING_SECONDS, MOST_UNGREETED):
                line = self._greet(_decode(await _receive(socket)))
                let_in(socket)
                return line
        except TimeoutError:
            await _say_and_close(socket, Refused("bad_frame", f"No greeting came within {GREETING_SECONDS:g} s."))
        except _Turned as turned:
            await _say_and_close(socket, turned.refused)
        except WebSocketDisconnect:
            pass
        return None

    def _greet(self, hello: Up) -> _Line:
        """Check a greeting; the line it opens, with its welcome in it.

        Raises:
            _Turned: it is none, or has no token of ours, or speaks another version.
        """
        if not isinstance(hello, Hello):
            raise _Turned("bad_frame", "The first frame must be a greeting.")
        if guard.grant_of(self._parts, hello.token) != "process":
            raise _Turned(
                "unauthenticated",
                "The server does not know the token that was sent.",
                "Set STELLWERK_API_TOKEN to the server's own; a page's token does not let runs report.",
            )
        if hello.protocol != PROTOCOL:
            raise _Turned(
                "version_mismatch",
                f"The server speaks protocol {PROTOCOL} (Stellwerk {__version__}), the client {hello.protocol} "
                f"(Stellwerk {hello.version}).",
                "Install the same version of Stellwerk on both sides.",
            )
        line = _Line(hello.holder)
        parts = self._parts
        line.say(Welcome(PROTOCOL, __version__, parts.store.database_id, parts.server_id))
        if hello.holder is not None:
            for command in self._missed.pop(hello.holder, ()):
                line.say(command)
        return line

    async def _read(self, socket: WebSocket, line: _Line) -> None:
        while not self._is_over(line):
            try:
                frame = await _receive(socket)
            except WebSocketDisconnect:
                return
            while line.unanswered >= MOST_UNANSWERED and not self._is_over(line):
                line.room.clear()
                await line.room.wait()
            if self._parts.intake.is_full:
                await self._room()
            if not self._is_over(line):  # else it stays unanswered and is sent again later
                self._ask(line, _decode(frame), len(frame))
        while line.is_open:  # the server goes, and has still to answer
            line.room.clear()
            await line.room.wait()

    async def _settle(self, line: _Line) -> None:
        """Wait a while until everything that was asked is answered."""
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                while line.unanswered and line.is_open:
                    line.room.clear()
                    await line.room.wait()
        except TimeoutError:
            pass  # it is asked again over another line

    def _is_over(self, line: _Line) -> bool:
        return self._is_going or not line.is_open

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        is_there = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(is_there.set)

        self._parts.intake.when_room(tell)
        await is_there.wait()

    async def _write(self, socket: WebSocket, line: _Line) -> None:
        try:
            while True:
                while line.outbox:
                    message = line.outbox.popleft()
                    await socket.send_bytes(_encoder.encode(message))
                    if isinstance(message, Acked | Renewed | Done | Failed):
                        line.unanswered -= 1
                        line.room.set()
                if line.close_code:
                    break
                line.wake.clear()
                await line.wake.wait()
            await _close(socket, line.close_code)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the client is gone
        finally:
            self._end(line, line.close_code or 1000)

    def _end(self, line: _Line, code: int) -> None:
        if line.is_open:
            line.is_open = False
            line.close_code = code
        line.wake.set()
        line.room.set()

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _ask(self, line: _Line, request: Up, size_bytes: int) -> None:
        """Hand a request to the intake; its answer comes into the line's outbox."""
        self._loop = asyncio.get_running_loop()
        intake = self._parts.intake
        if isinstance(request, Hello):
            raise _Turned("bad_frame", "A second greeting came.")
        line.unanswered += 1
        n = request.n
        if isinstance(request, Send):
            batch = request.batch
            wrong = _sense(batch)
            if wrong:
                line.say(Failed(n, Conflict.code, wrong, "Nothing of the batch was applied."))
                return
            intake.submit(batch, lambda answer: self._answer(line, n, answer), size_bytes)
        elif isinstance(request, Renew):
            holder = request.holder
            intake.run(lambda store: apply.renew(store, holder), lambda answer: self._answer(line, n, answer))
        else:
            told, at = request, time.time_ns() // 1000
            intake.run(
                lambda store: apply.crash(store, told.root_id, told.fence, at, told.cause, ""),
                lambda answer: self._answer(line, n, answer),
                (told.root_id,),
            )

    def _answer(self, line: _Line, n: int, answer: Ack | int | bool | StellwerkError) -> None:
        """Take an answer to the event loop. Called on the intake's thread."""
        message: Down
        if isinstance(answer, Ack):
            message = Acked(n, answer)
        elif isinstance(answer, bool):
            message = Done(n)
        elif isinstance(answer, int):
            message = Renewed(n, answer)
        else:
            is_passing = isinstance(answer, UnavailableError) and bool(answer.facts.get("is_passing"))
            message = Failed(n, answer.code, answer.message, answer.hint, is_passing)
        self._answers.append((line, message))
        # One call for all answers that come before the loop gets to it. It lowers the flag before it looks.
        if not self._is_called and self._loop is not None:
            self._is_called = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                pass  # the loop has ended: nobody is there any more who could be answered

    def _deliver(self) -> None:
        self._is_called = False
        while self._answers:
            line, message = self._answers.popleft()
            line.say(message)

    # ── the fallback, where a proxy lets no WebSocket through ────────────────────────────────────────────────────────
    async def _post(self, request: Request) -> Response:
        try:
            return await self._post_checked(request)
        except _Turned as turned:
            told = turned.refused
            return problem(STATUS[told.code], told.code, told.message, told.hint)
        except ClientDisconnect:
            return problem(400, "bad_frame", "The request ended too early.")

    async def _post_checked(self, request: Request) -> Response:
        if guard.grant_of(self._parts, guard.bearer_of(request.scope)) != "process":
            raise _Turned("unauthenticated", "The request has no token that the server knows.")
        if self._is_going:
            hint = "Send it again once it is back."
            return problem(503, UnavailableError.code, "The server is going away.", hint, {"Retry-After": "1"})
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_FRAME_BYTES:
                raise guard.too_large(MOST_FRAME_BYTES)
        try:
            asked = _list_decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
            raise _Turned("bad_frame", f"The body is no list of messages: {wrong}.") from None
        if not 1 <= len(asked) <= MOST_UNANSWERED:
            raise _Turned("bad_frame", f"A list of 1 to {MOST_UNANSWERED} messages was expected.")
        line = self._greet(asked[0])
        size_bytes = len(body) // len(asked)
        for each in asked[1:]:
            if self._parts.intake.is_full:
                await self._room()
            self._ask(line, each, size_bytes)
        while sum(isinstance(told, Acked | Renewed | Done | Failed) for told in line.outbox) < len(asked) - 1:
            line.wake.clear()
            await line.wake.wait()
        return Response(_encoder.encode(list(line.outbox)), media_type=MEDIA_TYPE)


def _sense(batch: Batch) -> str:
    """Say what is wrong with a batch that no owner of ours would send; empty when nothing is.

    What is checked here would be written and then stand in the way of whoever reads.
    """
    opening = batch.opening
    if len(batch.root_id) != 16:
        return "An id in it has not 16 bytes."
    if opening is not None and not 0 < opening.lease_seconds <= 86_400:
        return f"A lease of {opening.lease_seconds} s was asked for."
    for message in batch.messages:
        if isinstance(message, Logged):
            if not all(len(run_id) == 16 and 0 <= at <= LATEST for _, run_id, _, at, *_ in message.lines):
                return "A line in it is of no time or of no run."
            continue
        if isinstance(message, Sourced):
            continue
        if len(message.run_id) != 16:
            return "An id in it has not 16 bytes."
        if not 0 <= message.at <= LATEST or (isinstance(message, Ended) and message.until > LATEST):
            return "A time in it is none."
        if isinstance(message, Submitted):
            if len(message.parent_id) not in (0, 16) or any(len(each) != 16 for each in message.upstream):
                return "An id in it has not 16 bytes."
            if message.parameters:
                try:
                    msgspec.json.decode(message.parameters)
                except (msgspec.MsgspecError, ValueError, RecursionError):
                    return "The parameters of a run are not JSON."
    return ""


def _decode(frame: bytes) -> Up:
    try:
        message: Up = _decoder.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
        raise _Turned(
            "bad_frame", f"A frame is no message that the server knows: {wrong}.", "Use a client of the same version."
        ) from None
    return message


async def _receive(socket: WebSocket) -> bytes:
    """Wait for the next binary frame.

    Raises:
        WebSocketDisconnect: the client is gone.
        _Turned: it was text.
    """
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1006))
    frame: bytes | None = event.get("bytes")
    if frame is None:
        raise _Turned("bad_frame", "A text frame came, but the channel is binary.")
    return frame


async def _say_and_close(socket: WebSocket, refused: Refused) -> None:
    try:
        await asyncio.wait_for(socket.send_bytes(_encoder.encode(refused)), CLOSING_SECONDS)
    except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
        return
    await _close(socket, CLOSE_CODES[refused.code])


async def _close(socket: WebSocket, code: int) -> None:
    try:
        await socket.close(code)
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # the client was faster
