"""Large results on their way: owners put them here before the batch that refers to them, and fetch them again.

They travel by their BLAKE2b-256 digest, which is checked, and are read through a run that refers to them, never by the
digest alone. What is under way at once is bounded: each waits until there is room for all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stellwerk.api import guard, views
from stellwerk.api.answers import Refusal, reading
from stellwerk.api.parts import Parts
from stellwerk.api.rest.verbs import BYTES
from stellwerk.errors import Forbidden, NotFound, ParameterError
from stellwerk.model.identity import from_text

MOST_BYTES = 256 << 20  # of all that are under way; a larger one is alone
STALLED_SECONDS = 60.0
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class BlobDoor:
    """Serve blobs. Everything here happens on the server's event loop but what touches files."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way = 0
        self._room = asyncio.Condition()

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        return [
            Route("/api/blobs/{digest}", self._put, methods=["PUT"]),
            Route("/api/runs/{id}/blobs/{digest}", self._get, methods=["GET"]),
        ]

    async def _put(self, request: Request) -> Response:
        if request.scope[guard.GRANT] != "process":
            raise Forbidden("A page's token does not let results be put.")
        digest = _digest(request)
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise Refusal(411, "length_required", "A blob comes with its Content-Length.")
        async with self._admitted(int(length)):
            data = await _receive(request)
            await reading(_keep, self._parts, digest, data)
        return Response(status_code=204)

    async def _get(self, request: Request) -> Response:
        digest = _digest(request)
        run_id = from_text(request.path_params["id"])
        data = await reading(_fetch, self._parts, run_id, digest)
        return Response(data, media_type=BYTES)

    @contextlib.asynccontextmanager
    async def _admitted(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait until there is room."""
        async with self._room:
            await self._room.wait_for(lambda: not self._under_way or self._under_way + size_bytes <= MOST_BYTES)
            self._under_way += size_bytes
        try:
            yield
        finally:
            self._under_way -= size_bytes
            async with self._room:
                self._room.notify_all()


async def _receive(request: Request) -> bytearray:
    """Read a body; who sends nothing for a while gives its room to others."""
    data, pieces = bytearray(), request.stream()
    try:
        while True:
            async with asyncio.timeout(STALLED_SECONDS):
                piece = await anext(pieces, None)
            if piece is None:
                return data
            data += piece
    except ClientDisconnect:
        raise Refusal(400, "bad_body", "The request ended too early.") from None
    except TimeoutError:
        raise Refusal(408, "too_slow", f"Nothing came for {STALLED_SECONDS:g} s.", "Send it again.") from None


def _digest(request: Request) -> bytes:
    text = request.path_params["digest"]
    if not _DIGEST.fullmatch(text):
        raise ParameterError(
            f"{text[:100]!r} is no digest.", hint="It has 64 hexadecimal digits: BLAKE2b with 256 bits."
        )
    return bytes.fromhex(text)


def _keep(parts: Parts, digest: bytes, data: bytearray) -> None:
    if hashlib.blake2b(data, digest_size=32).digest() != digest:
        raise Refusal(
            400, "bad_body", "The bytes do not match their digest: they were changed on their way.", "Send again."
        )
    parts.blobs.put(digest, bytes(data))


def _fetch(parts: Parts, run_id: bytes, digest: bytes) -> bytes:
    if not views.has_blob(parts.store, run_id, digest):
        raise NotFound(
            f"The run {run_id.hex()} does not reference the blob {digest.hex()[:16]}….",
            hint="Ask for it through the run whose result it is.",
        )
    return parts.blobs.get(digest)
