"""A proxy in front of a server, as some networks have one: it lets no WebSocket through."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType


class Proxy:
    """Pass HTTP on to a server, but treat a WebSocket's handshake in a way of its own.

    Args:
        port: the server's.
        how: `refuses` answers 403 with a page of its own; `strips` passes it on without the Upgrade header; `swallows`
            closes the connection without an answer; `passes` lets it through.
    """

    def __init__(self, port: int, how: str) -> None:
        self._to = port
        self._how = how
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.handshakes = 0
        self.heads: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if b"upgrade: websocket" in head.lower():
            self.handshakes += 1
            if self._how == "refuses":
                page = b"<html>No WebSockets here.</html>"
                writer.write(
                    b"HTTP/1.1 403 Forbidden\r\nServer: Fence/1.0\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(page), page)
                )
                await writer.drain()
                return
            if self._how == "swallows":
                return
            if self._how == "strips":
                lines = head.split(b"\r\n")
                hop = (b"upgrade:", b"connection:", b"sec-websocket")
                head = b"\r\n".join(line for line in lines if not line.lower().startswith(hop))
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._to)
        server_writer.write(head)
        try:
            await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))
        finally:
            server_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
