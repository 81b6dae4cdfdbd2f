"""How a page gets in: one-time codes, and the tokens that they are exchanged for.

Theory of operation: a process of the server's own user asks for a code, which travels in the fragment of a link (and so
reaches no server and no log) and is worth a token once, within an hour. Codes are kept in memory, by their hash: a
restart ends them. A page's token is stateless: when it ends, and a random number, signed with a key that is kept with
the database. So tabs outlive a restart of the server, and two servers of one database know each other's pages.

A page that has lost its server does not know who answers next: when a server has died, any user of its machine may take
the port. So the page sends what its token says, but not the signature, with a number of its own; who has the key can make
the signature, and proves it by a digest of the number under it. Only then does the page send the token itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from stellwerk.api.answers import Refusal
from stellwerk.api.parts import Parts
from stellwerk.errors import Unauthenticated

CODE_SECONDS = 3_600.0
MOST_CODES = 100
TOKEN_SECONDS = 7 * 86_400
WRONG_GUESSES = 20  # of one address within a minute; then it waits
GUESS_SECONDS = 60.0
MOST_GUESSERS = 1_000
_PREFIX = "swp1"  # tells a page's token from others, and its version


class Link(msgspec.Struct):
    """Lead a person to the page, once. `url` carries the code in its fragment; times are seconds since the epoch."""

    url: str
    code: str
    expires_at: int


class Session(msgspec.Struct):
    """Let a page in: its token, and when that ends, in seconds since the epoch."""

    token: str
    expires_at: int


class Proof(msgspec.Struct):
    """Prove to a page that this server could have signed its token."""

    proof: str


class Sessions:
    """Give out codes and tokens for the pages of one server.

    Args:
        parts: the server's.
        grant: what a token allows: see `guard.grant_of`.
        clock: seconds since the epoch.
    """

    def __init__(
        self, parts: Parts, grant: Callable[[Parts, str], str | None], clock: Callable[[], float] = time.time
    ) -> None:
        self._parts = parts
        self._grant = grant
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: OrderedDict[bytes, float] = OrderedDict()  # hash → when it ends
        self._guesses: OrderedDict[str, tuple[float, int]] = OrderedDict()  # address → since when, how many wrong ones

    def link(self, path: str = "/") -> Link:
        """Make a link with a new code; of too many that nobody has used the oldest ends.

        Args:
            path: the place of the page, from its root.
        """
        code = secrets.token_urlsafe(24)
        expires_at = self._clock() + CODE_SECONDS
        with self._lock:
            self._codes[_hash(code)] = expires_at
            while len(self._codes) > MOST_CODES:
                self._codes.popitem(last=False)
        return Link(f"{page_url(self._parts)}{path}#code={code}", code, int(expires_at))

    def open(self, code: str, token: str, address: str) -> Session:
        """Exchange a code, or a token that lets processes in, for a page's token.

        Args:
            address: who asks; wrong guesses are counted by it.

        Raises:
            Unauthenticated: neither is valid. A code that was valid is used up by asking.
            Refusal: too many wrong guesses came from there within a minute. A code that is right gets in all the same:
                nobody guesses one, and who shares an address (the users of one machine, of one proxy) must not be able
                to keep each other out.
        """
        now = self._clock()
        with self._lock:
            if code and self._codes.pop(_hash(code), 0.0) > now:
                return make_token(self._parts.page_key, now)
            since, wrong = self._guesses.get(address, (now, 0))
            if now - since >= GUESS_SECONDS:
                since, wrong = now, 0
            if wrong >= WRONG_GUESSES:
                wait = str(int(since + GUESS_SECONDS - now) + 1)
                raise Refusal(
                    429, "too_many", "Too many wrong codes or tokens.", f"Wait {wait} s.", {"Retry-After": wait}
                )
            is_known = bool(token) and self._grant(self._parts, token) == "process"
            if not is_known:
                self._guesses[address] = (since, wrong + 1)
                self._guesses.move_to_end(address)
                while len(self._guesses) > MOST_GUESSERS:
                    self._guesses.popitem(last=False)
        if not is_known:
            raise Unauthenticated(
                "The code has been used, has ended, or never was one." if code else "The token is not the server's.",
                hint="`stellwerk open` makes a new link.",
            )
        return make_token(self._parts.page_key, now)


def make_token(key: bytes, now: float) -> Session:
    """Make a page's token, valid for 7 days."""
    expires_at = int(now) + TOKEN_SECONDS
    body = f"{_PREFIX}.{expires_at}.{secrets.token_urlsafe(9)}"
    return Session(f"{body}.{_sign(key, body)}", expires_at)


def is_valid(key: bytes, token: str, now: float) -> bool:
    """Say whether a page's token was made with this key and has not ended."""
    body, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(signature.encode(), _sign(key, body).encode()):
            return False
        prefix, expires_at, _ = body.split(".")
        return prefix == _PREFIX and int(expires_at) > now
    except ValueError:
        return False


def prove(key: bytes, unsigned: str, nonce: str) -> Proof:
    """Prove that the key which signs tokens is here, without telling a signature.

    Args:
        unsigned: a token up to its last dot.
        nonce: a number of the page's own.

    Source: challenge and response by HMAC (RFC 2104), as in RFC 5802, section 3, which proves a server to its client.
    """
    digest = hmac.digest(_sign(key, unsigned).encode(), b"stellwerk server proof\0" + nonce.encode(), hashlib.sha256)
    return Proof(digest.hex())


def page_url(parts: Parts) -> str:
    """Give the page's URL without a slash at its end, as this machine reaches it; others put their own name there."""
    host = parts.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        if address.is_unspecified:
            host = socket.gethostname()
        elif address.version == 6:
            host = f"[{host}]"
    return f"http://{host}:{parts.port}{parts.config.server_path}"


def _sign(key: bytes, body: str) -> str:
    digest = hmac.digest(key, b"stellwerk page token\0" + body.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
