"""Running the application: the socket, uvicorn, signals, and going away in order.

Theory of operation: the socket is bound before anything else is touched, so a port that is taken is one clear error. On
SIGTERM or SIGINT the server stops accepting, tells its channels that it goes, answers what it has received, closes all
connections and returns; a second SIGINT cuts that short. Whoever called then closes the intake and the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from stellwerk.api.channel import Channel
from stellwerk.api.connections import protocols
from stellwerk.engine.tick import LOOK_SECONDS, Observer
from stellwerk.errors import ConfigError, StellwerkError
from stellwerk.model.wire import MOST_FRAME_BYTES

if TYPE_CHECKING:
    from starlette.applications import Starlette

BACKLOG = 2_048
MOST_FILES = 65_536
CHANNEL_SECONDS = 4.0  # for answering what channels have asked, when the server goes
CONNECTION_SECONDS = 2  # for requests that are under way then
PING_SECONDS = 20.0
PONG_SECONDS = 120.0  # a client whose interpreter is held by C code for so long connects again
SWITCH_SECONDS = 0.001
"""How long one thread keeps the interpreter while another waits. The event loop and the writer hand each batch to and
fro; with Python's 5 ms one busy thread makes every hand-off wait that long."""

_log = logging.getLogger(__name__)


def bind(host: str, port: int) -> socket.socket:
    """Bind and listen, so that nobody else can have the port.

    Args:
        host: an address of this machine or a name that stands for one.
        port: 0 takes any that is free.

    Raises:
        ConfigError: the port is taken or not allowed, or the address is not this machine's; nothing was changed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        raise ConfigError(
            f"The server can't listen on {host!r}: nobody knows that name.",
            hint="Name an address of this machine, such as --host 127.0.0.1.",
        ) from problem
    # IPv4 first, so that `localhost` is where everybody looks for it.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as problem:
        listener.close()
        raise _refused(host, port, problem) from problem
    return listener


def _refused(host: str, port: int, problem: OSError) -> ConfigError:
    if problem.errno == errno.EADDRINUSE:
        following = port + 1 if port < 65_535 else port - 1
        return ConfigError(
            f"Port {port} of {host} is taken by another program.",
            hint=f"Choose another one: --port {following}, or --port 0 for any that is free.",
        )
    if problem.errno == errno.EACCES:
        return ConfigError(f"This user may not listen on port {port}.", hint="Choose one from 1024 up: --port 4711.")
    if problem.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"{host} is not an address of this machine.",
            hint="Name one that is, such as --host 127.0.0.1, or --host 0.0.0.0 for all.",
        )
    return ConfigError(f"The server can't listen on port {port} of {host}: {problem.strerror}.")


def is_loopback(listener: socket.socket) -> bool:
    """Say whether only this machine can reach a socket."""
    return ipaddress.ip_address(str(listener.getsockname()[0]).partition("%")[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """Give the URL by which this machine reaches a socket."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(str(host).partition("%")[0])
    if address.is_unspecified:
        return f"http://127.0.0.1:{port}"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"


def serve(
    app: Starlette,
    channel: Channel,
    observer: Observer,
    end_waits: Callable[[], None],
    listener: socket.socket,
    on_listening: Callable[[], None],
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then go away in order; from the main thread.

    Args:
        end_waits: ends what pages wait for; called when the server begins to go.
        on_listening: called before the first request is answered, when all are let in that come.
        on_ready: called once requests are answered.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_many_files()
    settings = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on them, and anybody may send them
        timeout_graceful_shutdown=CONNECTION_SECONDS,
        **protocols(MOST_FRAME_BYTES),
    )
    _Server(settings, channel, observer, end_waits, on_listening, on_ready).run([listener])


def _allow_many_files() -> None:
    """Each script and page that is connected is an open file; the usual soft limit of 1,024 is for `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    def __init__(
        self,
        settings: uvicorn.Config,
        channel: Channel,
        observer: Observer,
        end_waits: Callable[[], None],
        on_listening: Callable[[], None],
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(settings)
        self._end_waits = end_waits
        self._channel = channel
        self._observer = observer
        self._on_listening = on_listening
        self._on_ready = on_ready
        self._is_over = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_listening()
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._observe, args=(loop,), name="stellwerk-observer", daemon=True).start()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._is_over.set()
        waits = asyncio.create_task(asyncio.to_thread(self._end_waits))
        await self._channel.go(CHANNEL_SECONDS)
        await asyncio.wait([waits], timeout=CONNECTION_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Unlike uvicorn's own, this does not raise the signals again afterwards: there is still something to close.
        handled = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            handled.append(signal.SIGHUP)
        before = {each: signal.signal(each, self.handle_exit) for each in handled}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _observe(self, loop: asyncio.AbstractEventLoop) -> None:
        is_away = False
        while not self._is_over.is_set():
            try:
                lost = self._observer.look()
            except StellwerkError as problem:
                if not is_away and not self._is_over.is_set():
                    _log.warning("Owners can't be looked after just now: %s", problem)
                is_away = True
            except Exception:
                _log.exception("Owners can't be looked after")
            else:
                is_away = False
                for swept in lost:
                    _log.warning("Run %s lost its owner: %s", swept.run_id.hex(), swept.evidence)
                if lost:
                    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                        loop.call_soon_threadsafe(self._channel.stop_owners, lost)
            self._is_over.wait(LOOK_SECONDS)
