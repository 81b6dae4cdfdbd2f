"""The doors of a server, open in a thread of the test: the real application, uvicorn and database on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from wire import open_store

from stellwerk import config
from stellwerk.api import app, serve
from stellwerk.api.connections import protocols
from stellwerk.api.page import static
from stellwerk.api.parts import Parts
from stellwerk.engine.intake import Intake
from stellwerk.engine.watch import Watch
from stellwerk.model.wire import MOST_FRAME_BYTES
from stellwerk.store.blobs import FolderBlobs

SECONDS = 30  # until what should have come counts as lost


class Answer:
    """Hold what was answered."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Give the code of the error that was answered."""
        return str(self.json["error"]["code"])


class House:
    """Be a server in a thread."""

    def __init__(
        self,
        folder: Path,
        database: str = "",
        host: str = "127.0.0.1",
        page: Path = static.FOLDER,
        page_key: bytes = b"k" * 32,
        **settings: str,
    ) -> None:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        given = {f"STELLWERK_{name.upper()}": value for name, value in settings.items()}
        loaded = config.load({"STELLWERK_HOME": str(home), **given}, folder)
        listener = serve.bind("127.0.0.1", 0)
        self.port = int(listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database or str(home / "stellwerk.db")
        store = open_store(self.database)
        watch = Watch(store)
        self.parts = Parts(
            config=loaded,
            store=store,
            blobs=FolderBlobs(home / "blobs"),
            intake=Intake(store, watch.noticed),
            watch=watch,
            server_id=secrets.token_hex(8),
            secret=secrets.token_urlsafe(32),
            page_key=page_key,
            host=host,
            port=self.port,
            started_at=time.time_ns() // 1000,
        )
        self.app = app.make_app(self.parts, page)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                **protocols(MOST_FRAME_BYTES),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        self._listener = listener

    def close(self) -> None:
        """End it as a server ends: what waits is answered, then all is closed."""
        self.parts.watch.close()
        self._server.should_exit = True
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        assert self.parts.intake.close(SECONDS)
        self.parts.store.close()
        self._listener.close()

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def secret(self) -> str:
        """Give what processes of the same user get in by."""
        return self.parts.secret

    def page_token(self) -> str:
        """Let a page in, as the one-time link does."""
        link = self.app.state.sessions.link()
        return str(self.post("/api/session", {"code": link.code}, token="").json["token"])

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for something; with the secret, unless another token (or an empty one) is given.

        Args:
            headers: with _ for -; an `host` replaces the server's own.
        """
        token = self.secret if token is None else token
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent.setdefault("authorization", f"Bearer {token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> Answer:
        """Send JSON."""
        headers.setdefault("content_type", "application/json")
        return self.ask(path, "POST", json.dumps(body).encode(), token, **headers)

    def upgrade(self, path: str, **headers: str) -> Answer:
        """Ask for a WebSocket, and read no more than what is answered to that: 101 is success."""
        sent = {"host": f"127.0.0.1:{self.port}", "upgrade": "websocket", "connection": "Upgrade"}
        sent |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13", **headers}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as wire:
            wire.sendall("\r\n".join(lines).encode())
            answer = http.client.HTTPResponse(wire)
            answer.begin()
            return Answer(answer.status, answer.headers, b"" if answer.status == 101 else answer.read())


class Page:
    """Be a page that listens to the live feed."""

    def __init__(self, house: House, token: str | None = None, path: str = "/api/live", **options: Any) -> None:
        self.socket = open_socket(house, path, **options)
        self.say({"token": house.secret if token is None else token})

    def __enter__(self) -> Page:
        self.welcome = self.hear()["welcome"]
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def say(self, message: Any) -> None:
        """Send a frame."""
        self.socket.send(json.dumps(message))

    def hear(self, seconds: float = SECONDS) -> Any:
        """Wait for the next frame."""
        return json.loads(self.socket.recv(seconds))

    def subscribe(self, *topics: str) -> dict[str, int]:
        """Say what is watched; the versions that are told then."""
        self.say({"subscribe": topics})
        return self.changed()

    def changed(self, seconds: float = SECONDS) -> dict[str, int]:
        """Wait for the next change."""
        while True:
            message = self.hear(seconds)
            if "changed" in message:
                changed: dict[str, int] = message["changed"]
                return changed

    def end(self) -> tuple[Any, int]:
        """Wait until the server closes; the last frame and the code of the close."""
        last = None
        with contextlib.suppress(ConnectionClosed):
            while True:
                last = self.hear()
        code = self.socket.close_code
        assert code is not None
        return last, code


def open_socket(house: House, path: str = "/api/live", **options: Any) -> ClientConnection:
    """Connect a WebSocket."""
    address = f"ws://127.0.0.1:{house.port}{path}"
    # Versions of the library differ in what `connect` returns, not in what entering that gives.
    return connect(address, compression=None, proxy=None, **options).__enter__()


@contextlib.contextmanager
def several(*houses: House) -> Iterator[tuple[House, ...]]:
    """Have several servers at once."""
    with contextlib.ExitStack() as undo:
        for house in houses:
            undo.enter_context(house)
        yield houses
