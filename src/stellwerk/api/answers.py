"""Answers that every door gives alike: errors as JSON, and work that must not hold up the event loop."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from starlette.responses import Response

from stellwerk.errors import (
    ConfigError,
    Conflict,
    Forbidden,
    InternalError,
    NotFound,
    ParameterError,
    RefusedError,
    ResultError,
    RunError,
    StellwerkError,
    Unauthenticated,
    UnavailableError,
    UsageError,
)

T = TypeVar("T")

JSON = "application/json"
READERS = 3  # threads that read: each takes a connection to the database with its cache
ASKERS = 3  # threads that answer what somebody composed: whatever that costs, the others are not held up
RETRY_SECONDS = 1
STATUS: tuple[tuple[type[StellwerkError], int], ...] = (
    (NotFound, 404),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Conflict, 409),
    (RefusedError, 400),
    (ConfigError, 500),  # the server's settings, not the asker's
    (ParameterError, 422),
    (UsageError, 400),
    (UnavailableError, 503),
    (ResultError, 409),
    (RunError, 409),
)
"""The status of an error: that of the first class in this order that it belongs to."""

_log = logging.getLogger(__name__)
_pools: dict[str, ThreadPoolExecutor] = {}


class Problem(msgspec.Struct):
    """Say what is wrong and what to do next. `code` is stable; `request_id` is in the server's log, too."""

    code: str
    message: str
    hint: str
    request_id: str | msgspec.UnsetType = msgspec.UNSET


class Problems(msgspec.Struct):
    """Hold an error: the body of every answer that is one."""

    error: Problem


class Refusal(Exception):
    """Answer a request by an error that only HTTP knows."""

    def __init__(self, status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] = {}) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = dict(headers)


async def reading(function: Callable[..., T], *arguments: object) -> T:
    """Call what reads from the database or from files on a thread of a small pool, and wait for it."""
    return await _on_pool("stellwerk-read", READERS, function, *arguments)


async def asking(function: Callable[..., T], *arguments: object) -> T:
    """Call what may take long since somebody composed it, such as a query, on a thread of a pool of its own."""
    return await _on_pool("stellwerk-ask", ASKERS, function, *arguments)


async def _on_pool(name: str, threads: int, function: Callable[..., T], *arguments: object) -> T:
    if name not in _pools:
        _pools[name] = ThreadPoolExecutor(threads, name)
    return await asyncio.get_running_loop().run_in_executor(_pools[name], function, *arguments)


def not_allowed(method: str, allowed: list[str]) -> Refusal:
    """Refuse a method that a path does not have; `Allow` names those that it has."""
    headers = {"Allow": ", ".join([*allowed, *(["HEAD"] if "GET" in allowed else [])])}
    return Refusal(405, "method_not_allowed", f"{method} is not allowed here.", f"Use {' or '.join(allowed)}.", headers)


def is_known(etag: str, told: str) -> bool:
    """Say whether a client has what stands under an ETag.

    Args:
        told: its `If-None-Match`; empty when there is none. Source: RFC 9110, section 13.1.2.
    """
    return told.strip() == "*" or etag in [each.strip().removeprefix("W/") for each in told.split(",")]


def status_of(problem: StellwerkError) -> int:
    """Give the HTTP status of an error."""
    return next((status for kind, status in STATUS if isinstance(problem, kind)), 500)


def problem(
    status: int,
    code: str,
    message: str,
    hint: str = "",
    headers: Mapping[str, str] | None = None,
    request_id: str = "",
) -> Response:
    """Make the answer of an error."""
    body = msgspec.json.encode(Problems(Problem(code, message, hint, request_id or msgspec.UNSET)))
    sent = dict(headers or {})
    if request_id:
        sent["X-Request-Id"] = request_id
    return Response(body, status, sent, JSON)


def answer_of(raised: Exception, place: str) -> Response:
    """Turn whatever a handler raised into an answer; what is our own fault is logged under a request id.

    Args:
        place: method and path, for the log.
    """
    if isinstance(raised, Refusal):
        return problem(raised.status, raised.code, raised.message, raised.hint, raised.headers)
    if isinstance(raised, StellwerkError):
        status = status_of(raised)
        if status < 500:
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            return problem(status, raised.code, raised.message, raised.hint, headers)
        if isinstance(raised, UnavailableError):
            _log.warning("%s: %s", place, raised.message)
            return problem(503, raised.code, raised.message, raised.hint, {"Retry-After": str(RETRY_SECONDS)})
    request_id = secrets.token_hex(8)
    _log.error("%s: request %s failed", place, request_id, exc_info=raised)
    if isinstance(raised, StellwerkError):
        return problem(500, raised.code, raised.message, raised.hint, request_id=request_id)
    return problem(
        500,
        InternalError.code,
        "The server made a mistake.",
        f"Its log has the details under request {request_id}; please report it.",
        request_id=request_id,
    )
