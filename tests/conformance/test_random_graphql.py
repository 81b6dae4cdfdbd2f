"""Random requests against a naive evaluator over the same rows: on SQLite and PostgreSQL, the same to the last byte."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest
from graphql import GraphQLError
from graphql.execution.values import get_variable_values
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from naive_graphql import Model
from random_graphql import Chooser, Written, is_filtered
from test_roads import roads
from wire import HOUR, NOW, OPENING, Root, accept, completed, new_id, open_store

from stellwerk.api.graphql.answer import Answers, Refused
from stellwerk.api.graphql.compile import Compiler
from stellwerk.api.graphql.document import read
from stellwerk.api.graphql.schema import OPERATORS, schema
from stellwerk.api.graphql.statement import EVERYTHING
from stellwerk.api.graphql.values import Given
from stellwerk.model.messages import Batch, Began, Ended, Logged, Message, Sourced
from stellwerk.store.catalogue import SOURCES
from stellwerk.store.port import Store

MOMENT = NOW + 2 * HOUR
ODD = [
    "",
    "a%b",
    "100%",
    "_",
    "it's",
    '"quoted"',
    "back\\slash",
    "line\nbreak\ttab",
    "Ünïcode é",
    "🚂🚃",
    "A",
    "a",
    "B",
    "[x]*?",
    "\x01",
]


def history() -> list[Batch]:
    """Make root runs on all roads, with odd names, values at the edges, and lines on every level."""
    chance = Random(7)
    batches = []
    for number in range(4):
        root = Root(at=NOW + 1000 * number)
        submitted, began = root.begin()
        flow = chance.choice(["night", "Night", "näht", "a'b"])
        tags = tuple(chance.sample(ODD, number))
        whole: dict[str, Any] = {"flow": flow, "name": chance.choice(ODD) or "x", "tags": tags}
        messages: list[Message] = [msgspec.structs.replace(submitted, **whole), began]
        messages += roads(root) if number < 2 else []
        child, inner = new_id(), new_id()
        messages += [root.task(child, kind="flow", task="", flow="child" + flow), root.task(inner, parent_id=child)]
        for place, odd in enumerate(ODD):
            task, given = new_id(), chance.choice([b"", b'{"n": 1, "text": "\\u00e9"}', b"{no json", b"[1, 2.5, null]"])
            index = chance.choice([-1, place, (1 << 53) + 1, 1 << 53])
            above = chance.choice([root.id, child, inner])
            messages.append(
                root.task(task, name=odd or "x", task=odd, parameters=given, item_index=index, parent_id=above)
            )
            if place % 3:
                messages.append(Began(task, NOW + 3 + place, 1))
            if place % 3 == 2:
                messages.append(completed(task, at=NOW + chance.randint(10, 10**7)))
        lines = [
            (
                n,
                chance.choice([root.id, child, inner]),
                1,
                NOW + n,
                chance.choice([10, 20, 30, 40, 50, 35]),
                chance.choice(ODD),
                odd,
            )
            for n, odd in enumerate(ODD, 1)
        ]
        messages += [Logged(lines), Sourced(b"c" * 32, "couple", "flow.py", "def couple(): ...\n")]
        if number % 2:
            messages.append(Ended(root.id, NOW + HOUR, "completed", 1, "returned"))
        batches.append(Batch(root.id, 1, 1, messages, OPENING))
    return batches


@pytest.fixture(scope="module")
def stores(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Fill one database of each kind with the same history."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE random_graphql TEMPLATE template0")
        urls = [
            str(tmp_path_factory.mktemp("random") / "stellwerk.db"),
            postgres_url.rpartition("/")[0] + "/random_graphql",
        ]
        stores = {url: open_store(url) for url in urls}
        batches = history()
        for store in stores.values():
            accept(store, *batches)
        yield stores
        for store in stores.values():
            store.close()
        connection.execute("DROP DATABASE random_graphql WITH (FORCE)")


@pytest.fixture(scope="module")
def models(stores: dict[str, Store]) -> list[Model]:
    return [Model(store, url, MOMENT) for url, store in stores.items()]


@pytest.fixture(scope="module")
def answers(stores: dict[str, Store]) -> list[Answers]:
    return [Answers(store, clock=lambda: MOMENT * 1000) for store in stores.values()]


def test_both_databases_hold_the_same(models: list[Model]) -> None:
    assert models[0].tables == models[1].tables
    assert len(models[0].runs) > 80


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 48))
def test_a_random_request_is_answered_as_the_model_answers_it(
    models: list[Model], answers: list[Answers], seed: int
) -> None:
    chance = Random(seed)
    fields = Chooser(chance, models[0]).request()
    written = Written(chance)
    document = written.write(fields)
    given_variables = json.loads(json.dumps(written.variables))
    told = []
    try:
        told += [each.answer(document, given_variables) for each in answers]
    except Refused as problem:
        if "too deep" not in str(problem):
            raise
        reject()
    assert told[0] == told[1], document
    # As texts, since the order of keys is promised, too.
    assert json.dumps(json.loads(told[0])["data"]) == json.dumps(models[0].answer(fields)), (document, given_variables)


def nested(path: str, document: str, variables: dict[str, Any]) -> None:
    """See that SQLite reads a statement within as many brackets more as its reckoned depth leaves of 100 symbols."""
    read_document = read(document)
    operation = read_document.operation(None)
    coerced = get_variable_values(schema(), operation.variable_definitions or (), variables)
    assert not isinstance(coerced, list)
    compiler = Compiler("sqlite", EVERYTHING, read_document.fragments, coerced.coerced)
    plan = compiler.plan(compiler.fields(operation))
    sql, parameters = plan.bind(Given(coerced.coerced, MOMENT))
    columns = re.split(r' AS "\d+"(?:, |$)', sql.removeprefix("SELECT "))[:-1]
    spare = 100 - plan.depth
    bracketed = ", ".join(f"{'(' * spare}{column}{')' * spare}" for column in columns)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"EXPLAIN SELECT {bracketed}", parameters)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 1 << 48))
def test_no_statement_nests_deeper_than_is_reckoned(stores: dict[str, Store], models: list[Model], seed: int) -> None:
    chance = Random(seed)
    chooser = Chooser(chance, models[0])
    written = Written(chance)
    document = written.write(chooser.request(depth=4))
    try:
        nested(next(iter(stores)), document, json.loads(json.dumps(written.variables)))
    except GraphQLError as problem:
        if "too deep" not in str(problem):
            raise
        reject()


@pytest.mark.parametrize("source", ["runs", "flows", "attempts", "story", "logs"])
def test_no_part_nests_deeper_than_is_reckoned(stores: dict[str, Store], source: str) -> None:
    path, ways = next(iter(stores)), {"_is_null": "true", "_contains": '["a"]'}
    for column in SOURCES[source].columns:
        if not column.is_shown:
            continue
        nested(path, f"{{ {source} {{ {column.name} }} }}", {})
        for operator in OPERATORS[column.kind] if is_filtered(column) else ():
            if operator in ("_is_null", "_contains", "_like", "_ilike"):
                value = ways.get(operator, '"a"')
                nested(path, f"{{ {source}(where: {{{column.name}: {{{operator}: {value}}}}}) {{ __typename }} }}", {})
        if column.kind not in ("json", "tags"):
            nested(path, f"{{ {source}(order_by: [{{{column.name}: asc}}]) {{ __typename }} }}", {})
    for relation in SOURCES[source].relations:
        columns = [column.name for column in SOURCES[relation.target].columns if column.is_shown]
        for column_name in columns:
            nested(path, f"{{ {source} {{ {relation.name} {{ {column_name} }} }} }}", {})
        if relation.has_aggregate:
            nested(path, f"{{ {source} {{ {relation.name}_aggregate {{ aggregate {{ count }} }} }} }}", {})
        if not relation.is_plain:
            nested(path, f"{{ {source}(where: {{{relation.name}: {{}}}}) {{ __typename }} }}", {})
            nested(
                path,
                f"{{ {source}_aggregate(where: {{_not: {{{relation.name}: {{}}}}}}) {{ aggregate {{ count }} }} }}",
                {},
            )
