"""The HTTP routes of the GraphQL window.

Theory of operation: `POST /graphql` takes one JSON object `{query, variables, operationName}`, `GET /graphql` the same
as parameters. A request is answered whole or not at all: 200 with `data`, 400 with `errors` when it is at fault, 503
when the database can't be asked. (The application imports this module with the first request, since graphql-core costs
0.1 s and some memory, which a server that nobody looks at need not have.)

Source: GraphQL over HTTP, https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stellwerk.api.answers import JSON, RETRY_SECONDS, asking, status_of
from stellwerk.api.graphql.answer import Answers
from stellwerk.api.graphql.document import Refused
from stellwerk.api.graphql.limits import MOST_BYTES
from stellwerk.api.parts import Parts
from stellwerk.errors import InternalError, StellwerkError
from stellwerk.store.port import Store

__all__ = ["Request", "Window", "routes"]

GRAPHQL_JSON = "application/graphql-response+json"
_NOTHING: Mapping[str, Any] = {}
_log = logging.getLogger(__name__)


class Request(msgspec.Struct, frozen=True, rename={"operation": "operationName"}):
    """Hold what a client asks."""

    query: str
    variables: dict[str, Any] | None = None
    operation: str | None = None
    extensions: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Request).decode
_decode_variables = msgspec.json.Decoder(dict[str, Any] | None).decode


class BadRequest(Exception):
    """Raised when what came is no GraphQL request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def routes(parts: Parts) -> list[BaseRoute]:
    """Make the routes of the window: GET and POST of `/graphql`."""
    window = Window(parts.store)
    return [Route("/graphql", window.ask, methods=["GET", "POST"], include_in_schema=False)]


class Window:
    """Answer HTTP requests from one store. The statements run on the pool of threads that read."""

    def __init__(self, store: Store) -> None:
        self._answers = Answers(store)

    async def ask(self, http: HttpRequest) -> Response:
        """Answer one HTTP request."""
        media = GRAPHQL_JSON if GRAPHQL_JSON in http.headers.get("accept", "") else JSON
        try:
            request = _from_url(http) if http.method == "GET" else await _from_body(http)
        except BadRequest as problem:
            return _errors(problem.status, [{"message": problem.message}], media)
        try:
            status, body = await asking(self._answer, request)
        except Exception as problem:
            return _failed(problem, media)
        return Response(body, status, media_type=media)

    def _answer(self, request: Request) -> tuple[int, bytes]:
        try:
            return 200, self._answers.answer(request.query, request.variables or _NOTHING, request.operation)
        except Refused as problem:
            return 400, msgspec.json.encode({"errors": [error.formatted for error in problem.errors]})


async def _from_body(http: HttpRequest) -> Request:
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, GRAPHQL_JSON):
        raise BadRequest(415, f"A request is JSON: send it with Content-Type: {JSON}.")
    body = await http.body()
    if len(body) > MOST_BYTES:
        raise BadRequest(413, f"A request has at most {MOST_BYTES:,} bytes.")
    if body.lstrip()[:1] == b"[":
        raise BadRequest(400, "Several requests in one are not taken: ask for several fields in one.")
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise BadRequest(400, f"This is no GraphQL request: {problem}.") from None


def _from_url(http: HttpRequest) -> Request:
    taken = http.query_params
    if "query" not in taken:
        raise BadRequest(400, "The parameter `query` is missing.")
    try:
        variables = _decode_variables(taken.get("variables") or "null")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise BadRequest(400, f"The parameter `variables` is no JSON object: {problem}.") from None
    return Request(taken["query"], variables, taken.get("operationName") or None)


def _failed(problem: Exception, media: str) -> Response:
    """Answer for what is not the asker's fault; what is our own is logged under a request id."""
    if not isinstance(problem, StellwerkError):
        request_id = secrets.token_hex(8)
        _log.error("/graphql: request %s failed", request_id, exc_info=problem)
        told = {"code": InternalError.code, "hint": f"The server's log has the details under request {request_id}."}
        return _errors(500, [{"message": "The server made a mistake.", "extensions": told}], media)
    status = status_of(problem)
    _log.log(logging.WARNING if status == 503 else logging.ERROR, "/graphql: %s", problem.message)
    told = {"code": problem.code, "hint": problem.hint}
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    return _errors(status, [{"message": problem.message, "extensions": told}], media, headers)


def _errors(
    status: int, errors: Sequence[Mapping[str, Any]], media: str, headers: Mapping[str, str] = _NOTHING
) -> Response:
    return Response(msgspec.json.encode({"errors": errors}), status, dict(headers), media)
