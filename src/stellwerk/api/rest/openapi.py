"""The description of the HTTP API, made from the table of verbs. Source: OpenAPI 3.1.1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from stellwerk.api.answers import JSON, Problems, status_of
from stellwerk.api.rest.verbs import BYTES, Verb
from stellwerk.errors import Forbidden, ParameterError, StellwerkError, Unauthenticated
from stellwerk.model import __version__

REF = "#/components/schemas/{name}"
ABOUT = """Read what a Stellwerk server has recorded. Everything but `/health`, `/ready`, `/api/session` and `/api/proof`
needs a token: `STELLWERK_API_TOKEN`, the `secret` of the server's own file, or the token that a page got. An error is
always an object `error` with a stable `code`, a `message` for people, and a `hint` that says what to do next."""


def document(verbs: Sequence[Verb], root: str) -> dict[str, Any]:
    """Describe the verbs.

    Args:
        root: the path below which the server is reached, without a slash at its end.
    """
    types = [verb.returns for verb in verbs if not isinstance(verb.returns, str)]
    types += [verb.body for verb in verbs if verb.body is not None]
    schemas, components = msgspec.json.schema_components([*types, Problems], ref_template=REF)
    of_type = {repr(kind): schema for kind, schema in zip([*types, Problems], schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for verb in verbs:
        paths.setdefault(verb.path, {})[verb.method.lower()] = _operation(verb, of_type)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Stellwerk", "version": __version__, "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": f"{root}/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def parameters_of(verb: Verb) -> list[dict[str, Any]]:
    """Describe what a verb takes in its path and query."""
    in_path = set(re.findall(r"\{(\w+)\}", verb.path))
    # A schema of its own for each parameter: as a whole they are no object on the wire.
    (_, components) = msgspec.json.schema_components([verb.takes], ref_template=REF)
    fields = components[verb.takes.__name__]["properties"]
    required = components[verb.takes.__name__].get("required", [])
    found = []
    for name, schema in fields.items():
        described = dict(schema)
        about = described.pop("description", "")
        if "anyOf" in described:  # absent rather than null
            described = next(each for each in described["anyOf"] if each != {"type": "null"})
            about = described.pop("description", about)
            described.pop("default", None)
        place = "path" if name in in_path else "query"
        found.append(
            {"name": name, "in": place, "required": name in required, "description": about, "schema": described}
        )
    return found


def _operation(verb: Verb, of_type: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": verb.name,
        "summary": verb.summary,
        "description": f"For {_WHO[verb.audience]}.",
        "security": [] if verb.audience == "any" else [{"token": []}],
        "parameters": parameters_of(verb),
        "responses": _responses(verb, of_type),
    }
    if verb.has_etag:
        known = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
        operation["parameters"].append({**known, "description": "The ETag that is known already."})
    if verb.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": of_type[repr(verb.body)]}}}
    return operation


_WHO = {"any": "anybody", "page": "pages and processes", "process": "processes"}


def _responses(verb: Verb, of_type: dict[str, Any]) -> dict[str, Any]:
    if verb.returns == BYTES:
        content: dict[str, Any] = {BYTES: {"schema": {"type": "string", "format": "binary"}}}
    elif isinstance(verb.returns, str):
        content = {verb.returns.partition(";")[0]: {"schema": {"type": "string"}}}
    else:
        content = {JSON: {"schema": of_type[repr(verb.returns)]}}
    responses: dict[str, Any] = {"200": {"description": verb.summary, "content": content}}
    if verb.has_etag:
        responses["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        responses["304"] = {"description": "It is as it was under the ETag that was sent."}
    raises: list[type[StellwerkError]] = list(verb.raises)
    raises += [Unauthenticated] if verb.audience != "any" else []
    raises += [Forbidden]  # a foreign page, or a token that does not suffice
    raises += [ParameterError] if verb.body or msgspec.structs.fields(verb.takes) else []
    problem = {JSON: {"schema": of_type[repr(Problems)]}}
    for kind in raises:
        about = (kind.__doc__ or "").partition("\n")[0]
        responses[str(status_of(kind("")))] = {"description": about, "content": problem}
    if verb.may_be_too_many:
        about = "Too many wrong guesses; `Retry-After` says when to try again."
        responses["429"] = {"description": about, "content": problem}
    responses["default"] = {"description": "Any other error.", "content": problem}
    return responses
