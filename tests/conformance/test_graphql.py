"""The GraphQL window: every field, operator and limit, hostile values, and one statement a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from naive_graphql import Field, Model
from random_graphql import Written
from test_roads import roads
from wire import HOUR, NOW, Root, accept, completed, new_id

from stellwerk.api.graphql.answer import Answers, Refused
from stellwerk.api.graphql.schema import OPERATORS, schema
from stellwerk.api.graphql.statement import Sight
from stellwerk.errors import UnavailableError
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Logged, Sourced
from stellwerk.store.catalogue import SOURCES, Source
from stellwerk.store.port import Row, Store

MOMENT = NOW + HOUR
ROOTS = [source for source in SOURCES.values() if source.is_root]


class Counted:
    """Be a store that counts what is asked of it; there is nothing else to ask."""

    def __init__(self, store: Store) -> None:
        self.dialect = store.dialect
        self.statements: list[str] = []
        self._store = store

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        self.statements.append(sql)
        return self._store.read(sql, parameters)


class Asker:
    """Ask one store, and see that each request is one statement."""

    def __init__(self, store: Store) -> None:
        self.store = Counted(store)
        self.answers = Answers(self.store, clock=lambda: MOMENT * 1000)  # type: ignore[arg-type]  # all that it asks

    def __call__(self, document: str, statements: int = 1, **variables: Any) -> Any:
        self.store.statements.clear()
        told = json.loads(self.answers.answer(document, variables))
        assert len(self.store.statements) == statements
        return told["data"]

    def refused(self, document: str, **variables: Any) -> str:
        """Tell why a request is refused, before anything is asked."""
        self.store.statements.clear()
        with pytest.raises(Refused) as problem:
            self.answers.answer(document, variables)
        assert not self.store.statements
        assert all(error.message for error in problem.value.errors)
        return str(problem.value)


@pytest.fixture
def ask(store: Store) -> Asker:
    return Asker(store)


@pytest.fixture
def root(store: Store) -> Root:
    root = Root()
    lines = [(n, root.id, 1, NOW + n, (10, 20, 30)[n % 3], "lib", f"line {n}") for n in range(1, 8)]
    source = Sourced(b"c" * 32, "couple", "flow.py", "def couple(): ...\n")
    accept(store, root.batch(*root.begin(), *roads(root), root.end(), source, Logged(lines)))
    return root


def everything(source: Source, depth: int) -> list[Field]:
    """Ask for every field of a source, and of what its relations lead to."""
    fields = [Field(column.name) for column in source.columns if column.is_shown] + [Field("__typename")]
    for relation in source.relations if depth else ():
        fields.append(Field(relation.name, "", {}, everything(SOURCES[relation.target], depth - 1)))
        if relation.has_aggregate:
            fields.append(Field(f"{relation.name}_aggregate", "", {}, [Field("aggregate", "", {}, [Field("count")])]))
    return fields


@pytest.mark.parametrize("source", ROOTS, ids=[source.name for source in ROOTS])
def test_every_field_and_relation(store: Store, url: str, root: Root, ask: Asker, source: Source) -> None:
    model = Model(store, url, MOMENT)
    asked = [Field(source.name, "", {}, everything(source, 2))]
    asked.append(Field(f"{source.name}_aggregate", "", {}, [Field("aggregate", "", {}, [Field("count")])]))
    told = ask(Written(NeverRandom()).write(asked))  # type: ignore[arg-type]  # chance that never strikes
    assert json.dumps(told) == json.dumps(model.answer(asked))
    assert told[source.name]


class NeverRandom:
    """Decide against every alternative."""

    def random(self) -> float:
        return 1.0


@pytest.mark.parametrize("source", ROOTS, ids=[source.name for source in ROOTS])
def test_every_order(store: Store, url: str, root: Root, ask: Asker, source: Source) -> None:
    model = Model(store, url, MOMENT)
    for column in source.columns:
        if column.is_shown and column.kind not in ("json", "tags"):
            for way in ("asc", "desc"):
                asked = [
                    Field(
                        source.name, "", {"order_by": [{column.name: way}]}, [Field(column.name), Field("__typename")]
                    )
                ]
                document = f"{{ {source.name}(order_by: [{{{column.name}: {way}}}]) {{ {column.name} __typename }} }}"
                assert ask(document) == model.answer(asked)


def test_every_operator_is_in_the_schema() -> None:
    for kind, operators in OPERATORS.items():
        for operator in operators:
            assert operator.startswith("_"), kind
    assert set(schema().type_map["String_comparison_exp"].fields) == set(OPERATORS["text"])  # type: ignore[attr-defined]


def test_one_row_by_its_key(root: Root, ask: Asker) -> None:
    run_id = to_text(root.id)
    for text in (run_id, run_id.upper(), run_id.replace("-", "")):
        assert ask("query($id: uuid!) { run(id: $id) { id } }", id=text) == {"run": {"id": run_id}}
    assert ask(f'{{ run(id: "{to_text(bytes(16))}") {{ id }} flow(name: "none") {{ name }} }}') == {
        "run": None,
        "flow": None,
    }
    assert ask('{ flow(name: "night") { name run_count counts { state count } } }') == {
        "flow": {"name": "night", "run_count": 1, "counts": [{"state": "completed", "count": 1}]}
    }


def test_roots_come_newest_first_and_relations_in_their_order(root: Root, ask: Asker) -> None:
    told = ask(
        "{ runs { seq } attempts { run_id } run: runs(limit: 1, offset: 7) { children { seq } logs { n } story { n } } }"
    )
    seqs = [run["seq"] for run in told["runs"]]
    assert seqs == sorted(seqs, reverse=True)
    ids = [attempt["run_id"] for attempt in told["attempts"]]
    assert ids == sorted(ids, reverse=True)
    (flow,) = told["run"]
    for relation, column in (("children", "seq"), ("logs", "n"), ("story", "n")):
        found = [each[column] for each in flow[relation]]
        assert found == sorted(found)
        assert found


def test_aliases_fragments_and_directives(root: Root, ask: Asker) -> None:
    document = """
        query Page($with: Boolean!, $id: uuid!) {
            one: run(id: $id) { ...Names id ... on runs { id other: id } error @include(if: $with) }
            two: runs_aggregate { aggregate { count } again: aggregate { n: count } }
            ...Rest
            __typename
        }
        fragment Names on runs { name children(limit: 1) { name } }
        fragment Rest on Query { one: run(id: $id) { children(limit: 1) { kind } @skip(if: true) state } }
    """.replace("{ kind } @skip(if: true)", "{ kind }")
    told = ask(document, **{"with": False, "id": to_text(root.id)})
    assert list(told) == ["one", "two", "__typename"]
    assert list(told["one"]) == ["name", "children", "id", "other", "state"]
    assert told["one"]["children"] == [{"name": "couple-0", "kind": "task"}]
    assert told["two"] == {"aggregate": {"count": 8}, "again": {"n": 8}}
    assert "error" in ask(document, **{"with": True, "id": to_text(root.id)})["one"]


def test_absent_variables_are_no_conditions(root: Root, ask: Asker) -> None:
    document = """query($s: [String!], $n: String, $w: runs_bool_exp, $o: [runs_order_by!], $l: Int) {
        runs(where: {state: {_in: $s}, _and: [{name: {_eq: $n}}]}, order_by: $o, limit: $l) { name state }
        runs_aggregate(where: $w) { aggregate { count } } }"""
    assert len(ask(document)["runs"]) == 8
    assert ask(document, w=None, o=None, l=None)["runs_aggregate"]["aggregate"]["count"] == 8
    told = ask(document, s=["failed"], w={"state": {"_in": ["failed", "skipped"]}}, o={"seq": "asc"}, l=1)
    assert [run["state"] for run in told["runs"]] == ["failed"]
    assert told["runs_aggregate"]["aggregate"]["count"] == 2
    assert "can't be null" in ask.refused(document, w={"state": None})
    assert "_is_null" in ask.refused(document, n=None)


def test_one_plan_serves_all_values_of_one_shape(root: Root, ask: Asker) -> None:
    document = "query($w: runs_bool_exp, $l: Int) { runs(where: $w, limit: $l) { name } }"
    for name in ("night train", "couple-0", "nobody"):
        ask(document, w={"name": {"_eq": name}}, l=len(name))
    assert len(ask.answers._plans) == 1
    ask(document, w={"name": {"_neq": "nobody"}})
    assert len(ask.answers._plans) == 2


# ── hostile and odd values ───────────────────────────────────────────────────────────────────────────────────────────
ODD = [
    "'", "''", '"', "\\", "%", "_", "*?[a]", "--", "/* */", "; DROP TABLE runs; --", "x' OR '1'='1", "{k}", "{c}", "%s", "?",
    "\x01\x02", "\x1f", "\n\r\t", "é", "🚂", "\u2028", "\ufeff", "ﬀ", "İ", "ß", "a" * 10_000,
]  # fmt: skip


def test_odd_texts_are_only_values(store: Store, ask: Asker) -> None:
    root, tasks = Root(), [new_id() for _ in ODD]
    messages = [
        root.task(run_id, name=odd, task=odd, tags=(odd, "tag")) for run_id, odd in zip(tasks, ODD, strict=True)
    ]
    accept(store, root.batch(*root.begin(), *messages))
    document = """query($t: String!, $p: String!, $q: String!) {
        eq: runs(where: {name: {_eq: $t}}) { name task tags }
        like: runs(where: {task: {_like: $p}}) { name }
        ilike: runs(where: {task: {_ilike: $q}}) { name }
        tag: runs(where: {tags: {_contains: [$t]}}) { name }
        others: runs_aggregate(where: {name: {_neq: $t}, kind: {_eq: "task"}}) { aggregate { count } } }"""
    for odd in ODD:
        pattern = "".join("\\" + each if each in "\\%_" else each for each in odd)
        told = ask(document, t=odd, p=pattern[:10_000], q=pattern[:10_000])
        assert told["eq"] == [{"name": odd, "task": odd, "tags": [odd, "tag"]}]
        assert told["like"] == told["ilike"] == told["tag"] == [{"name": odd}]
        assert told["others"]["aggregate"]["count"] == len(ODD) - 1
        literal = json.dumps(odd)
        assert ask(f"{{ runs(where: {{name: {{_eq: {literal}}}}}) {{ name }} }}") == {"runs": [{"name": odd}]}


@pytest.mark.parametrize(
    ("text", "pattern", "is_like", "is_ilike"),
    [
        ("Train", "train", False, True),
        ("Train", "T%n", True, True),
        ("Train", "_rai_", True, True),
        ("Train", "%%%%a%%", True, True),
        ("100%", r"100\%", True, True),
        ("100x", r"100\%", False, False),
        ("a_b", r"a\_b", True, True),
        ("axb", r"a\_b", False, False),
        ("back\\", "back\\", True, True),
        ("back\\", "back\\\\", True, True),
        ("Ünï", "ünï", False, False),
        ("ÜnI", "Üni", False, True),
        ("🚂🚃", "__", True, True),
        ("two\nlines", "two%lines", True, True),
        ("[x]", "[x]", True, True),
        ("x", "[x]", False, False),
        ("", "%", True, True),
    ],
)
def test_patterns(store: Store, ask: Asker, text: str, pattern: str, is_like: bool, is_ilike: bool) -> None:
    root, task = Root(), new_id()
    accept(store, root.batch(*root.begin(), root.task(task, task=text or "?", name=text)))
    document = 'query($p: String!) { a: runs(where: {name: {_like: $p}, kind: {_eq: "task"}}) { id }'
    document += ' b: runs(where: {name: {_ilike: $p}, kind: {_eq: "task"}}) { id } }'
    told = ask(document, p=pattern)
    assert (len(told["a"]) == 1, len(told["b"]) == 1) == (is_like, is_ilike)


def test_texts_are_ordered_by_code_point(store: Store, ask: Asker) -> None:
    names = ["a", "B", "é", "Z", "🚂", "ﬀ", "_", "~"]
    root = Root()
    accept(store, root.batch(*root.begin(), *(root.task(new_id(), name=name) for name in names)))
    for column in ("name",):
        told = ask(f'{{ runs(where: {{kind: {{_eq: "task"}}}}, order_by: [{{{column}: asc}}]) {{ {column} }} }}')
        assert [run[column] for run in told["runs"]] == sorted(names)
    assert len(ask('{ runs(where: {name: {_gt: "Z"}, kind: {_eq: "task"}}) { id } }')["runs"]) == 6


def test_big_numbers_times_and_json(store: Store, ask: Asker) -> None:
    root, tasks = Root(), [new_id() for _ in range(4)]
    indexes = [(1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1]
    given = [b'{"a": [1.5, null, "\\u00e9"]}', b"{no json", b"", b'"text"']
    messages = [
        root.task(run_id, item_index=index, parameters=text)
        for run_id, index, text in zip(tasks, indexes, given, strict=True)
    ]
    at = 253_402_300_799_999_999  # the last microsecond that has a name
    messages += [Began(tasks[0], at, 1), completed(tasks[0], at=at), Began(tasks[1], at + 1, 1)]
    messages += [Began(tasks[2], -1, 1), completed(tasks[2], at=999_999)]
    accept(store, root.batch(*root.begin(), *messages))
    told = ask(
        '{ runs(where: {kind: {_eq: "task"}}, order_by: [{seq: asc}]) { index parameters started_at duration_seconds } }'
    )
    assert [run["index"] for run in told["runs"]] == [indexes[0], indexes[1], str(indexes[2]), str(indexes[3])]
    assert [run["parameters"] for run in told["runs"]] == [{"a": [1.5, None, "é"]}, None, {}, "text"]
    assert [run["started_at"] for run in told["runs"]] == [
        "9999-12-31T23:59:59.999999Z",
        None,
        "1969-12-31T23:59:59.999999Z",
        None,
    ]
    assert [run["duration_seconds"] for run in told["runs"]] == [0, 0, 1, None]
    for index in indexes:
        for text in (index, str(index)):
            assert len(ask("query($i: bigint) { runs(where: {index: {_eq: $i}}) { id } }", i=text)["runs"]) == 1
    for text in ("1970-01-01T00:59:59.999999+01:00", "1969-12-31T23:59:59.999999", "1969-12-31T22:59:59.999999-01:00"):
        assert len(ask("query($t: timestamptz) { runs(where: {started_at: {_eq: $t}}) { id } }", t=text)["runs"]) == 1


def test_states_are_read_one_by_one_and_merged(store: Store, ask: Asker) -> None:
    ids = []
    for number in range(12):
        root = Root(at=NOW + number)
        accept(store, root.batch(*root.begin(), *([root.end()] if number % 2 else [])))
        ids.append((to_text(root.id), "completed" if number % 2 else "running"))
    document = """query($s: [String!], $l: Int, $o: Int) {
        runs(where: {parent_id: {_is_null: true}, state: {_in: $s}}, limit: $l, offset: $o) { id } }"""
    newest = [run_id for run_id, _ in reversed(ids)]
    assert [run["id"] for run in ask(document, s=["running", "completed", "no state"])["runs"]] == newest
    assert [run["id"] for run in ask(document, s=["running", "completed"], l=3, o=4)["runs"]] == newest[4:7]
    assert ask.store.statements[0].count("UNION ALL") == 1
    ordered = document.replace("limit: $l", "order_by: [{seq: asc}], limit: $l")
    assert [run["id"] for run in ask(ordered, s=["running", "completed"])["runs"]] == newest[::-1]
    assert ask.store.statements[0].count("UNION ALL") == 1
    assert ask(document, s=["no state"]) == ask(document, s=[]) == {"runs": []}


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("document", "variables", "told"),
    [
        ("", {}, "Syntax Error"),
        ("{", {}, "Syntax Error"),
        ("{ runs }", {}, "must have a selection"),
        ("{ runs { password } }", {}, "Cannot query field"),
        ("{ runs(wher: {}) { id } }", {}, "Unknown argument"),
        ("{ runs(where: {nam: {}}) { id } }", {}, "nam"),
        ("{ runs(where: {name: {_regex: \"a\"}}) { id } }", {}, "_regex"),
        ("mutation { x }", {}, "mutation"),
        ("subscription { runs { id } }", {}, "subscription"),
        ("query A { __typename } query B { __typename }", {}, "operationName"),
        ("query($x: Int) { runs { id } }", {"x": 1}, "never used"),
        ("query($id: uuid!) { run(id: $id) { id } }", {}, "$id"),
        ("query($id: uuid!) { run(id: $id) { id } }", {"id": "x"}, "not a UUID"),
        ("query($id: uuid!) { run(id: $id) { id } }", {"id": 7}, "text is expected"),
        ("query($n: Int) { runs(limit: $n) { id } }", {"n": 1001}, "1,000"),
        ("query($n: Int) { runs(limit: $n) { id } }", {"n": -1}, "limit"),
        ("query($n: Int) { runs(limit: $n) { id } }", {"n": 1 << 40}, "32-bit"),
        ("query($n: Int) { runs(limit: $n) { id } }", {"n": "5"}, "Int"),
        ("{ runs(offset: -1) { id } }", {}, "offset"),
        ("{ runs(order_by: [{}]) { id } }", {}, "one column"),
        ("{ runs(order_by: [{seq: asc, id: asc}]) { id } }", {}, "one column"),
        ("{ runs(order_by: [{seq: down}]) { id } }", {}, "down"),
        ("{ runs(where: {name: {_eq: null}}) { id } }", {}, "_is_null"),
        ("{ runs(where: {_or: null}) { id } }", {}, "null"),
        ('{ runs(where: {name: {_eq: "a\\u0000b"}}) { id } }', {}, "NUL"),
        ("query($s: String) { runs(where: {name: {_eq: $s}}) { id } }", {"s": "\0"}, "NUL"),
        ("query($s: String) { runs(where: {name: {_like: $s}}) { id } }", {"s": "\ud83d"}, "surrogate"),
        ("query($s: [String!]) { runs(where: {tags: {_contains: $s}}) { id } }", {"s": ["\0"]}, "NUL"),
        ("query($s: String) { runs(where: {name: {_like: $s}}) { id } }", {"s": "%" * 10_001}, "10,000"),
        ("query($s: String) { runs(where: {name: {_eq: $s}}) { id } }", {"s": "a" * 100_001}, "100,000"),
        ("query($s: [String!]) { runs(where: {name: {_in: $s}}) { id } }", {"s": ["a"] * 1001}, "1,000"),
        ("query($s: [String!]) { runs(where: {tags: {_contains: $s}}) { id } }", {"s": ["a"] * 21}, "20"),
        ("query($t: timestamptz) { runs(where: {due_at: {_eq: $t}}) { id } }", {"t": "yesterday"}, "not a time"),
        ("query($t: bigint) { runs(where: {seq: {_eq: $t}}) { id } }", {"t": 1 << 63}, "64 bits"),
        ("query($t: bigint) { runs(where: {seq: {_eq: $t}}) { id } }", {"t": 1.5}, "64 bits"),
        ("query($t: String) { runs(where: {call_key: {_eq: $t}}) { id } }", {"t": "xyz"}, "hexadecimal"),
        ("{ runs(where: {name: {" + "_eq: \"a\" " * 300 + "}}) { id } }", {}, "_eq"),
        ("{ runs(where: {_and: [" + '{name: {_eq: "a"}}' * 300 + "]}) { id } }", {}, "200 conditions"),
        ("{ runs { " + "children { " * 60 + "id" + " }" * 62, {}, "too deep"),
        ("{ runs { " + "children { " * 500 + "id" + " }" * 502, {}, "deep"),
        ("{ runs(where: " + "{_not: " * 60 + "{}" + "}" * 60 + ") { id } }", {}, "too deep"),
        ("{" * 100_000, {}, "Syntax Error"),
        (" " * 100_001, {}, "100,000 characters"),
        ("{ " + "a " * 6_000 + "}", {}, "5000 tokens"),
        ("{ " + "runs { id } " * 600 + "}", {}, "same names"),
        ("{ runs { " + " ".join(f"a{n}: story {{ n run {{ story {{ n }} }} }}" for n in range(120)) + " } }", {}, "at once"),
    ],
)  # fmt: skip
def test_refused(ask: Asker, document: str, variables: dict[str, Any], told: str) -> None:
    assert told in ask.refused(document, **variables)


def test_nested_variables_do_not_exhaust_the_stack(ask: Asker) -> None:
    nested: dict[str, Any] = {}
    for _ in range(5_000):
        nested = {"_not": nested}
    assert "deep" in ask.refused("query($w: runs_bool_exp) { runs(where: $w) { id } }", w=nested)


@pytest.mark.parametrize("query", [
    "{ runs { children { children { children { children { created_at } } } } } }",
    "{ runs { children { children { story { event at } } } } }",
    "{ flows { runs { flow { runs { id } } } } }",
    "{ runs { " + " ".join(f"f{n}: created_at" for n in range(300)) + " } }",
        '{ runs(where: {_not: {_or: [{children: {_not: {story: {event: {_eq: "a"}}}}}, {}]}}) { id } }',
])  # fmt: skip
def test_what_is_not_too_deep_is_answered(root: Root, ask: Asker, query: str) -> None:
    assert ask(query)


# ── the schema, and what goes wrong ──────────────────────────────────────────────────────────────────────────────────
def test_introspection_asks_no_database(ask: Asker) -> None:
    from graphql import build_client_schema, get_introspection_query, print_schema

    told = ask(get_introspection_query(schema_description=True), statements=0)
    assert print_schema(build_client_schema(told)) == print_schema(schema())
    mixed = ask("query($n: String!) { a: __type(name: $n) { name } runs { id } __typename }", n="runs")
    assert mixed == {"a": {"name": "runs"}, "runs": [], "__typename": "Query"}
    assert ask("{ __typename }", statements=0) == {"__typename": "Query"}


def test_another_project_is_out_of_sight(store: Store, root: Root) -> None:
    answers = Answers(store, Sight("other's"))
    document = "{ runs { id } runs_aggregate { aggregate { count } } flows { name }"
    document += f' run(id: "{to_text(root.id)}") {{ id }} }}'
    told = json.loads(answers.answer(document))["data"]
    assert told == {"runs": [], "runs_aggregate": {"aggregate": {"count": 0}}, "flows": [], "run": None}
    seen = json.loads(answers.answer("{ runs { id } }", sight=Sight()))["data"]
    assert len(seen["runs"]) == 8


def test_a_database_that_is_away_is_told(store: Store, ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise UnavailableError("It is away.", hint="Wait.")

    monkeypatch.setattr(ask.store, "read", fail)
    with pytest.raises(UnavailableError):
        ask.answers.answer("{ runs { id } }")
