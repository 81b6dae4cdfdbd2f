"""The table of verbs: each is documented, typed, and known for whom it is; REST and its description follow from it."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final, get_args

import msgspec
import pytest

from stellwerk.api import app, guard
from stellwerk.api.rest import openapi, routes, shapes
from stellwerk.api.rest.verbs import VERBS, Audience, Verb

DOCUMENT: Final[dict[str, Any]] = openapi.document(VERBS, "")
OWN_DOORS: Final = {
    "/api/channel",
    "/api/blobs/{digest}",
    "/api/runs/{id}/blobs/{digest}",
    "/api/openapi.json",
    "/api/live",
}
WINDOW: Final = {"/graphql", "/graphql/{path:path}"}

each_verb = pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])


@each_verb
def test_a_verb_is_documented(verb: Verb) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", verb.summary), "a sentence"
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", verb.name)
    assert verb.audience in get_args(Audience)
    for field in msgspec.structs.fields(verb.takes):
        told = next(each for each in openapi.parameters_of(verb) if each["name"] == field.name)
        assert told["description"].endswith("."), field.name
        assert told["schema"].get("type") in ("string", "integer", "boolean"), field.name


@each_verb
def test_a_verb_has_types(verb: Verb) -> None:
    assert issubclass(verb.takes, msgspec.Struct)
    in_path = set(re.findall(r"\{(\w+)\}", verb.path))
    fields = {field.name: field for field in msgspec.structs.fields(verb.takes)}
    assert in_path <= fields.keys()
    assert all(fields[name].required for name in in_path)
    assert (verb.body is not None) is (verb.method == "POST")
    for kind in (verb.takes, verb.body):
        assert kind is None or kind.__struct_config__.forbid_unknown_fields, kind
    if isinstance(verb.returns, str):
        assert "/" in verb.returns
    else:
        msgspec.json.schema(verb.returns)
    # What bounds a parameter is also what the error says of it.
    for name, field in routes._fields(verb.takes).items():
        assert "None" not in field.allowed, name


@each_verb
def test_who_may_use_a_verb_is_what_the_guard_lets_in(verb: Verb) -> None:
    assert guard.is_open(verb.method, verb.path) is (verb.audience == "any")
    operation = DOCUMENT["paths"][verb.path][verb.method.lower()]
    assert (operation["security"] == []) is (verb.audience == "any")
    assert ("401" in operation["responses"]) is (verb.audience != "any" or verb.name == "create_session")


def test_every_verb_is_there_once() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS)
    assert len({(verb.method, verb.path) for verb in VERBS}) == len(VERBS)
    told = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert told == {(verb.method, verb.path) for verb in VERBS}


def test_every_door_is_a_verb_or_named_here() -> None:
    source = inspect.getsource(app.make_app) + inspect.getsource(routes.routes)
    paths = set(re.findall(r'Route\("([^"]+)"', source)) | OWN_DOORS
    assert paths - {verb.path for verb in VERBS} <= OWN_DOORS | WINDOW


def test_every_shape_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema.get("description") or "enum" in schema, name
    used = {kind for kind in vars(shapes).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    for kind in used:
        assert (kind.__doc__ or "").strip().endswith("."), kind
