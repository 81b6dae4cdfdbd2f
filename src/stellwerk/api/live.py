"""The live feed of pages (`/api/live`), over a WebSocket or by long polls: two skins of the watch engine.

Theory of operation: a page greets with its token, is welcomed, and says which topics it watches; it is told their
versions, and each change: the first at once, then at most four a second a topic. What it is told is only *that*
something changed; it then asks for what it shows. For a page that reads slowly the newest version of each topic is kept
and nothing else, so nothing grows; one that does not take a message for `SLOW_SECONDS` is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from stellwerk.api import guard
from stellwerk.api.connections import Greetings
from stellwerk.api.parts import Parts
from stellwerk.engine.watch import PAUSE_SECONDS, Listener, Topic, parse_topic, write_topic
from stellwerk.errors import StellwerkError, Unauthenticated, UnavailableError, UsageError
from stellwerk.model import __version__
from stellwerk.model.wire import GREETING_SECONDS

PING_SECONDS = 20.0
SLOW_SECONDS = 30.0
MOST_TOPICS = 100  # of one page
MOST_FRAME = 64 << 10  # characters that a page sends at once
MOST_SOCKETS = 1_000
MOST_UNGREETED = 256  # sockets that have not greeted yet: who has no token keeps nobody else out for long
NONSENSE_CODE, TOKEN_CODE, SLOW_CODE = 4400, 4401, 4408
GOING_CODE, BUSY_CODE = 1012, 1013  # "service restart", "try again later" of the IANA registry


class Changed(msgspec.Struct):
    """Tell what changed: topic → version. `cursor` is what to ask with next."""

    cursor: str
    changed: dict[str, int]


class _Greeting(msgspec.Struct, forbid_unknown_fields=True):
    token: str


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    subscribe: list[str]


_greeting = msgspec.json.Decoder(_Greeting)
_wish = msgspec.json.Decoder(_Wish)


class _Refused(Exception):
    """Close a socket, and say why."""

    def __init__(self, close_code: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.close_code = close_code
        self.told = {"error": {"code": code, "message": message, "hint": hint}}


class Live:
    """Serve the sockets of pages. Everything here happens on the server's event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.count = 0  # sockets that were let in
        self._greetings = Greetings()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until either side ends."""
        await socket.accept()
        if self._parts.watch.is_closed:
            await _close(socket, GOING_CODE)
            return
        if self.count >= MOST_SOCKETS:
            await _close(socket, BUSY_CODE)
            return
        try:
            await self._serve(socket)
        except _Refused as refused:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
                await _send(socket, refused.told)
            await _close(socket, refused.close_code)
        except TimeoutError:
            await _close(socket, SLOW_CODE)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # the page is gone

    async def _serve(self, socket: WebSocket) -> None:
        token = await self._greet(socket)
        self.count += 1
        try:
            await _send(socket, {"welcome": {"server_id": self._parts.server_id, "version": __version__}})
            await self._feed(socket, token)
        finally:
            self.count -= 1

    async def _feed(self, socket: WebSocket, token: str) -> None:
        async with _listening(self._parts) as (listener, wake):
            reader = asyncio.create_task(_read(socket, listener, wake))
            writer = asyncio.create_task(self._write(socket, token, listener, wake))
            try:
                done, _ = await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (reader, writer):
                    task.cancel()
                await asyncio.gather(reader, writer, return_exceptions=True)
        if self._parts.watch.is_closed:
            await _close(socket, GOING_CODE)

    async def _greet(self, socket: WebSocket) -> str:
        try:
            async with self._greetings.awaited(GREETING_SECONDS, MOST_UNGREETED):
                text = await _receive(socket)
        except TimeoutError:
            raise _Refused(NONSENSE_CODE, "bad_frame", f"No token came within {GREETING_SECONDS:g} s.") from None
        try:
            token = _greeting.decode(text).token
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise _nonsense(problem, 'The first frame is {"token": "…"}.') from None
        self._check(token)
        return token

    def _check(self, token: str) -> None:
        if guard.grant_of(self._parts, token) is None:
            raise _Refused(
                TOKEN_CODE,
                Unauthenticated.code,
                "The server does not know the token that was sent, or it has ended.",
                "`stellwerk open` makes a new link.",
            )

    async def _write(self, socket: WebSocket, token: str, listener: _Pages, wake: asyncio.Event) -> None:
        ping_at = time.monotonic() + PING_SECONDS
        while not self._parts.watch.is_closed:
            wake.clear()
            changed, wait = listener.take()
            if changed is not None:
                await _send(socket, {"changed": {write_topic(topic): version for topic, version in changed.items()}})
            now = time.monotonic()
            if now >= ping_at:
                self._check(token)  # it may have ended meanwhile
                await _send(socket, {"ping": int(time.time())})
                ping_at = now + PING_SECONDS
            until_ping = max(0.0, ping_at - time.monotonic())
            await _wait(wake, until_ping if wait is None else min(wait, until_ping))


class _Pages:
    """Be the listener of one page: after it has said what it watches, it is told all of it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._present: dict[Topic, int] | None = None

    def subscribe(self, topics: list[Topic]) -> None:
        self._present = self._listener.subscribe(topics)

    def take(self) -> tuple[dict[Topic, int] | None, float | None]:
        """Take what is to be told; None when there is nothing (an empty subscription is told, too)."""
        present, self._present = self._present, None
        changed, wait = self._listener.take()
        if present is not None:
            return present | changed, wait
        return changed or None, wait


@contextlib.asynccontextmanager
async def _listening(parts: Parts) -> AsyncIterator[tuple[_Pages, asyncio.Event]]:
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is there who could be told
            loop.call_soon_threadsafe(event.set)

    listener = parts.watch.listen(wake)
    try:
        yield _Pages(listener), event
    finally:
        listener.close()


async def _read(socket: WebSocket, listener: _Pages, wake: asyncio.Event) -> None:
    while True:
        text = await _receive(socket)
        try:
            topics = [parse_topic(each) for each in _wish.decode(text).subscribe]
        except (msgspec.MsgspecError, RecursionError, UsageError) as problem:
            raise _nonsense(problem, 'A frame is {"subscribe": ["runs", "run:…"]}.') from None
        if len(topics) > MOST_TOPICS:
            raise _Refused(
                NONSENSE_CODE, "bad_frame", f"{len(topics)} topics were asked for.", f"Ask for at most {MOST_TOPICS}."
            )
        listener.subscribe(topics)
        wake.set()


async def _receive(socket: WebSocket) -> str:
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1006))
    text: str | None = event.get("text")
    if text is None:
        raise _Refused(NONSENSE_CODE, "bad_frame", "A binary frame came, but the feed is JSON.")
    if len(text) > MOST_FRAME:
        raise _Refused(NONSENSE_CODE, "bad_frame", f"A frame of {len(text):,} characters came.")
    return text


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    """Send a message.

    Raises:
        TimeoutError: the page did not take it.
    """
    async with asyncio.timeout(SLOW_SECONDS):
        await socket.send_text(msgspec.json.encode(message).decode())


async def _close(socket: WebSocket, code: int) -> None:
    # One that does not read does not take this either; then the connection is cut.
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await socket.close(code)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _nonsense(problem: Exception, hint: str) -> _Refused:
    message = problem.message if isinstance(problem, StellwerkError) else f"The frame can't be read: {problem}."
    return _Refused(NONSENSE_CODE, "bad_frame", message, hint)


# ── the fallback, where a proxy lets no WebSocket through ────────────────────────────────────────────────────────────
async def poll(parts: Parts, topics_text: str, cursor: str, wait_seconds: float) -> Changed:
    """Wait until one of some topics changes, or the time is over.

    Args:
        topics_text: the topics, with commas between them.
        cursor: what the last answer gave. With an empty one, or one of another server, all topics are told at once.

    Raises:
        UsageError: a topic that there is not, or too many.
        UnavailableError: the server is going away.
    """
    topics = [parse_topic(text) for text in topics_text.split(",") if text]
    if len(topics) > MOST_TOPICS:
        raise UsageError(f"{len(topics)} topics were asked for.", hint=f"Ask for at most {MOST_TOPICS}.")
    watch = parts.watch
    server_id, _, number = cursor.rpartition(".")
    known = int(number) if server_id == parts.server_id and number.isdecimal() else -1
    began = time.monotonic()
    deadline = began + wait_seconds
    async with _listening(parts) as (listener, wake):
        listener.subscribe(topics)
        while True:
            wake.clear()
            listener.take()
            # The cursor is taken before what it stands for: a change in between is told twice rather than never.
            count = watch.count
            changed = watch.since(topics, known)
            now = time.monotonic()
            # Who was told something just now and asks again is not told more than four times a second.
            until = min(deadline, began + PAUSE_SECONDS) if changed and known >= 0 else deadline
            if now >= until or (changed and known < 0):
                break
            if watch.is_closed:
                raise UnavailableError("The server is going away.", hint="Ask again once it is back.")
            await _wait(wake, until - now)
    return Changed(f"{parts.server_id}.{count}", {write_topic(topic): version for topic, version in changed.items()})
