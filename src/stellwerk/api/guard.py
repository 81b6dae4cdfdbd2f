"""The guard: what every request and every WebSocket has to pass, before any route is looked at.

Theory of operation: the name by which a browser asks (`Host`) must be one of the server's own, so that a hostile name
that was bound to our address (DNS rebinding) gets nothing. The page that asks (`Origin`, sent by browsers alone) must
be the server's own. Whoever asks for anything but static files, health and readiness needs a token, also another user
of this machine; a WebSocket brings it in its first frame, which its route checks. What comes is bounded, and what goes
carries headers that keep it from being framed, sniffed, cached or told to others.

The path below which a proxy shows the server (`server_path`) is taken away here, whether or not the proxy did that.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stellwerk.api import sessions
from stellwerk.api.answers import Refusal, answer_of
from stellwerk.api.connections import Greetings
from stellwerk.api.parts import Parts
from stellwerk.errors import Forbidden, Unauthenticated
from stellwerk.model.wire import MOST_FRAME_BYTES

GRANT = "stellwerk.grant"
"""Where in the scope stands what the request's token allows: `process`, `page` or None."""

BODY_BYTES = 1 << 20  # of a request, unless its route takes more
STRANGERS_ASK = ("/api/session", "/api/proof")  # before there is a token to show
"""The one place where somebody without a token may bring something: a code or a token, to get in by."""
STRANGER_SECONDS = 10.0  # within which such a body comes
MOST_STRANGERS = 64  # whose body is under way
CSP = (
    "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; "
    "form-action 'none'; object-src 'none'; frame-ancestors 'none'"
)
"""What the page may load and who may frame it. Source: https://www.w3.org/TR/CSP3/, the page's own needs."""
BARE_CSP = "default-src 'none'; frame-ancestors 'none'"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def grant_of(parts: Parts, token: str) -> str | None:
    """Say what a token allows.

    Returns: `process` for the secret of `server.json` and for `api_token`, which may do everything; `page` for a page's
        token, which may read; None for any other. Takes equally long for all that are wrong.
    """
    given = token.encode(errors="replace")
    own = hmac.compare_digest(given, parts.secret.encode())
    shared = hmac.compare_digest(given, (parts.config.api_token or "").encode())
    if (own and parts.secret) or (shared and parts.config.api_token):
        return "process"
    return "page" if sessions.is_valid(parts.page_key, token, time.time()) else None


def bearer_of(scope: Scope) -> str:
    """Read the token of a request; empty when it brings none."""
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Guard:
    """Wrap the application: see the module."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts
        config = parts.config
        self._path = str(config.server_path or "")
        self._names = frozenset(name for name in str(config.server_names or "").split(",") if name)
        self._is_loopback = is_loopback(parts.host)
        machine = socket.gethostname().lower()
        self._strangers = Greetings()
        self._machine = frozenset((machine, machine.partition(".")[0], "localhost"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": self._inner(scope["path"]), "root_path": ""}
        if scope["type"] == "http":
            await self._http(scope, receive, send)
            return
        try:
            self._check_origin(scope, self._check_host(scope))
        except (Refusal, Forbidden) as refused:
            await answer_of(refused, "WebSocket")(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        has_begun = False
        headers = _headers_for(path)

        async def dressed(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": _merged(message.get("headers", []), headers)}
            await send(message)

        try:
            host = self._check_host(scope)
            self._check_origin(scope, host)
            self._check_token(scope)
            receive = _bounded(scope, receive, self._most_bytes(scope))
            if scope["path"] in STRANGERS_ASK:
                receive = await self._soon(receive)
            await self._app(scope, receive, dressed)
        except Exception as problem:
            if has_begun:
                raise  # too late for an answer: the connection is cut
            await answer_of(problem, f"{scope['method']} {path}")(scope, receive, dressed)

    # ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _check_host(self, scope: Scope) -> str:
        """Refuse names that are not the server's; return the one that was asked for."""
        told = [value for name, value in scope["headers"] if name == b"host"]
        text = told[0].decode("latin-1") if len(told) == 1 else ""
        match = _HOST.fullmatch(text)
        if match is None or not self._is_own(match[1].lower()):
            raise Refusal(
                421,
                "misdirected",
                f"The server does not go by the name {text[:100]!r}.",
                "Ask for it by its address, or add the name to STELLWERK_SERVER_NAMES on the server.",
            )
        return text.lower()

    def _is_own(self, host: str) -> bool:
        if host in self._names:
            return True
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            if self._is_loopback:
                return host == "localhost" or host.endswith(".localhost")  # RFC 6761: never asked of a name server
            return host in self._machine
        # An address is no name that somebody could have bound to ours.
        return address.is_loopback or not self._is_loopback

    def _check_origin(self, scope: Scope, host: str) -> None:
        """Refuse what another site's page asks for.

        Source: RFC 6454; `null` is what sandboxed frames and local files send.
        """
        told = [value for name, value in scope["headers"] if name == b"origin"]
        if not told:
            return
        text = told[0].decode("latin-1") if len(told) == 1 else ""
        try:
            origin = urlsplit(text.lower())
            port = _DEFAULT_PORTS.get(origin.scheme, "") if origin.port is None else str(origin.port)
            name = origin.hostname or ""
        except ValueError:
            name = ""
        if not name or origin.scheme not in _DEFAULT_PORTS or origin.path or origin.query or origin.username:
            raise _foreign(text)
        if name in self._names:
            return
        match = _HOST.fullmatch(host)
        own_port = (match[2] if match else "") or _DEFAULT_PORTS[origin.scheme]
        if match is None or (match[1].strip("[]"), own_port) != (name, port):
            raise _foreign(text)

    def _check_token(self, scope: Scope) -> None:
        """Refuse who has no token where one is needed; leave in the scope what it allows."""
        scope[GRANT] = None
        if is_open(scope["method"], scope["path"]):
            return
        token = bearer_of(scope)
        scope[GRANT] = grant_of(self._parts, token)
        if scope[GRANT] is None:
            raise Unauthenticated(
                "The server does not know the token that was sent." if token else "A token is needed here.",
                hint="Send it as `Authorization: Bearer TOKEN`; `stellwerk open` lets a browser in.",
            )

    async def _soon(self, receive: Receive) -> Receive:
        """Take the body of a stranger: the whole of it comes soon, or not at all."""
        told: list[Message] = []
        try:
            async with self._strangers.awaited(STRANGER_SECONDS, MOST_STRANGERS):
                while not told or told[-1].get("more_body"):
                    told.append(await receive())
        except TimeoutError:
            raise Refusal(408, "too_slow", "The body did not come in time.", "Send it again.") from None
        told.reverse()

        async def again() -> Message:
            return told.pop() if told else await receive()

        return again

    # ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────
    def _inner(self, path: str) -> str:
        """Take the server's path away, if it is there."""
        if self._path and (path == self._path or path.startswith(self._path + "/")):
            return path[len(self._path) :] or "/"
        return path

    def _most_bytes(self, scope: Scope) -> int:
        """Tell how much a request may bring; refuse what says that it is more."""
        path, most = scope["path"], BODY_BYTES
        if path == "/api/channel":
            most = MOST_FRAME_BYTES
        elif path.startswith("/api/blobs/"):
            most = int(self._parts.config.result_limit_bytes)
        length = _header(scope, b"content-length")
        if length.isdecimal() and int(length) > most:
            raise too_large(most)
        return most


def is_open(method: str, path: str) -> bool:
    """Say whether a path needs no token: static files, health and readiness, and the way to a token."""
    if path in STRANGERS_ASK:
        return method == "POST"
    return not (path in ("/api", "/graphql", "/metrics") or path.startswith(("/api/", "/graphql/")))


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def too_large(most: int) -> Refusal:
    """Refuse a body that is too large."""
    return Refusal(413, "too_large", f"The body is larger than {most:,} bytes.", "Send less at once.")


def _foreign(origin: str) -> Forbidden:
    return Forbidden(
        f"A page of {origin[:100]!r} may not use this server.",
        hint="If a proxy shows the server by that name, add it to STELLWERK_SERVER_NAMES on the server.",
    )


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def _headers_for(path: str) -> dict[bytes, bytes]:
    headers = {
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"cross-origin-resource-policy": b"same-origin",
        b"content-security-policy": CSP.encode(),
    }
    if not is_open("", path):
        headers[b"content-security-policy"] = BARE_CSP.encode()
        headers[b"cache-control"] = b"no-store"
    return headers


def _merged(own: Any, added: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Add headers that an answer does not set itself."""
    present = {bytes(name).lower() for name, _ in own}
    return [*own, *((name, value) for name, value in added.items() if name not in present)]


def _bounded(scope: MutableMapping[str, Any], receive: Receive, most: int) -> Callable[[], Any]:
    """Count what comes, and refuse the request when it is too much."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > most:
                raise too_large(most)
        return message

    return bounded
