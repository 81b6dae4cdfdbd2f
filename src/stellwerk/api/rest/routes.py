"""From a request to its verb, and from what that returns to an answer.

Theory of operation: a path is one place, which knows the verbs that it has, by method. What a verb takes is read from
the path, the query and the body by its types, so that what it does never sees anything else; whatever is wrong is
refused before, with the parameter named and what is allowed.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any, NamedTuple

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from stellwerk.api import guard
from stellwerk.api.answers import JSON, Refusal, is_known, not_allowed, reading
from stellwerk.api.parts import Parts
from stellwerk.api.rest import openapi
from stellwerk.api.rest.verbs import VERBS, Ask, Doors, Raw, Verb
from stellwerk.errors import Forbidden, ParameterError

_WHOLE = re.compile(r"-?\d{1,30}")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def routes(parts: Parts, doors: Doors) -> list[BaseRoute]:
    """Make the routes of all verbs, and of their description."""
    places: dict[str, dict[str, Verb]] = {}
    for verb in VERBS:
        places.setdefault(verb.path, {})[verb.method] = verb
    root = str(parts.config.server_path or "")

    async def describe(request: Request) -> Response:
        return Response(await reading(_description, root), media_type=JSON)

    return [
        Route("/api/openapi.json", describe, methods=["GET"]),
        *(Route(path, _Place(parts, doors, verbs)) for path, verbs in places.items()),
    ]


@cache
def _description(root: str) -> bytes:
    return msgspec.json.encode(openapi.document(VERBS, root))


class _Place:
    """Answer the verbs of one path."""

    def __init__(self, parts: Parts, doors: Doors, verbs: dict[str, Verb]) -> None:
        self._parts = parts
        self._doors = doors
        self._verbs = verbs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        verb = self._verbs.get("GET" if request.method == "HEAD" else request.method)
        if verb is None:
            raise not_allowed(request.method, list(self._verbs))
        if verb.audience == "process" and scope[guard.GRANT] != "process":
            raise Forbidden(
                "A page's token does not allow this.", hint="Use STELLWERK_API_TOKEN, or run the command on the server."
            )
        takes = read_parameters(verb, request)
        body = await _read_body(verb, request) if verb.body is not None else None
        address = request.client.host if request.client else ""
        known = request.headers.get("if-none-match", "")
        ask = Ask(self._parts, self._doors, takes, body, address, known)
        if inspect.iscoroutinefunction(verb.does):
            response = _answer(verb, await verb.does(ask), known)
        else:
            response = await reading(_do, verb, ask)
        await response(scope, receive, send)


def _do(verb: Verb, ask: Ask) -> Response:
    """Do what a verb does and write its answer, which may be long: both on a thread of the pool."""
    return _answer(verb, verb.does(ask), ask.known)


def _answer(verb: Verb, value: Any, known: str) -> Response:
    if value is None:
        return Response(status_code=304)
    if not isinstance(value, Raw):
        return Response(msgspec.json.encode(value), media_type=JSON)
    headers = {"ETag": value.etag, "Cache-Control": "private, no-cache"} if value.etag else {}
    if value.etag and is_known(value.etag, known):
        return Response(status_code=304, headers=headers)
    return Response(value.data, 200, {**headers, "Content-Type": verb.returns})


class _Field(NamedTuple):
    type: Any
    kind: type
    allowed: str


@cache
def _fields(takes: type[msgspec.Struct]) -> dict[str, _Field]:
    return {field.name: _field(field.type) for field in msgspec.structs.fields(takes)}


def _field(annotated: Any) -> _Field:
    info = msgspec.inspect.type_info(annotated)
    if isinstance(info, msgspec.inspect.UnionType):  # that it may be absent is its default's matter
        info = next(each for each in info.types if not isinstance(each, msgspec.inspect.NoneType))
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.IntType):
        return _Field(annotated, int, f"a whole number from {info.ge} to {info.le}")
    if isinstance(info, msgspec.inspect.BoolType):
        return _Field(annotated, bool, "true or false")
    assert isinstance(info, msgspec.inspect.StrType)
    told = {r"^[^\x00]*$": "a text without NUL"}.get(
        info.pattern or "", f"like {info.pattern}" if info.pattern else "a text"
    )
    most = f", of at most {info.max_length:,} characters" if info.max_length else ""
    return _Field(annotated, str, told + most)


def read_parameters(verb: Verb, request: Request) -> msgspec.Struct:
    """Read what a verb takes from the path and the query.

    Raises:
        ParameterError: one is unknown, missing, given twice, or not allowed; the error names it and what is.
    """
    fields = _fields(verb.takes)
    given: dict[str, str] = {}
    for name, text in request.query_params.multi_items():
        if name not in fields or name in request.path_params:
            known = ", ".join(each for each in fields if each not in request.path_params)
            raise ParameterError(f"There is no parameter {name[:100]!r}.", hint=f"There are: {known}." if known else "")
        if name in given:
            raise ParameterError(f"The parameter {name} was given twice.", hint="Give it once.")
        given[name] = text
    values: dict[str, Any] = {}
    for name, text in {**given, **request.path_params}.items():
        values[name] = _value(name, text, fields[name])
    try:
        return msgspec.convert(values, verb.takes)
    except msgspec.ValidationError:
        missing = [
            field.name for field in msgspec.structs.fields(verb.takes) if field.required and field.name not in values
        ]
        raise ParameterError(
            f"The parameter {missing[0]} is missing.", hint=f"It is {fields[missing[0]].allowed}."
        ) from None


def _value(name: str, text: str, field: _Field) -> Any:
    value: Any = text
    if field.kind is int:
        value = int(text) if _WHOLE.fullmatch(text) else text
    elif field.kind is bool:
        value = _TRUTH.get(text.lower(), text)
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        shown = repr(text if len(text) <= 100 else text[:100] + "…")
        raise ParameterError(f"The parameter {name} is {shown}, but must be {field.allowed}.") from None


async def _read_body(verb: Verb, request: Request) -> msgspec.Struct:
    """Read a body.

    Raises:
        Refusal: it is not JSON.
        ParameterError: it has not the shape that the verb takes.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Refusal(415, "not_json", "The body must be JSON.", f"Send it with Content-Type: {JSON}.")
    assert verb.body is not None
    try:
        data = await request.body()
        return msgspec.json.decode(data, type=verb.body)
    except ClientDisconnect:
        raise Refusal(400, "bad_body", "The request ended too early.") from None
    except msgspec.ValidationError as problem:
        raise ParameterError(f"The body does not fit: {problem}.", hint="See /api/openapi.json.") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise Refusal(400, "bad_body", f"The body can't be read: {problem}.", "It must be JSON in UTF-8.") from None
