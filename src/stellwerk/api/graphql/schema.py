"""The schema: types, generated from the store's catalogue and named as in Hasura.

Theory of operation: a source makes an object type of its own name, `…_bool_exp`, `…_order_by` and `…_aggregate`; a root
source also makes the fields of the query type. What each field is to the compiler is told by its name alone, which it
looks up in the catalogue again; the types hold no functions.
"""

from __future__ import annotations

from functools import cache

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLField,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    print_schema,
)

from stellwerk.api.graphql.limits import DEFAULT_ROWS, MOST_ROWS
from stellwerk.api.graphql.scalars import BIGINT, JSON, TIME, UUID
from stellwerk.api.graphql.values import Order
from stellwerk.store.catalogue import SOURCES, Column, Relation, Source

__all__ = ["OPERATORS", "as_text", "schema"]

_OUT = {
    "text": GraphQLString,
    "hex": GraphQLString,
    "uuid": UUID,
    "time": TIME,
    "bigint": BIGINT,
    "seconds": GraphQLFloat,
    "json": JSON,
}
_COMPARISONS = {
    "text": "String_comparison_exp",
    "hex": "hex_comparison_exp",
    "uuid": "uuid_comparison_exp",
    "time": "timestamptz_comparison_exp",
    "bigint": "bigint_comparison_exp",
    "seconds": "Float_comparison_exp",
    "json": "json_comparison_exp",
    "tags": "String_array_comparison_exp",
}
_EQUAL = ("_eq", "_neq", "_in", "_nin", "_is_null")
_ORDERED = ("_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_in", "_nin", "_is_null")
OPERATORS = {
    "text": (*_ORDERED, "_like", "_ilike"),
    "hex": _EQUAL,
    "uuid": _ORDERED,
    "time": _ORDERED,
    "bigint": _ORDERED,
    "seconds": _ORDERED,
    "json": ("_is_null",),
    "tags": ("_contains",),
}
"""What a column of each kind can be compared by."""

_OPERATORS_ABOUT = {
    "_eq": "Is equal to.",
    "_neq": "Is there and not equal to.",
    "_gt": "Is greater than; texts are compared by code point.",
    "_gte": "Is greater than or equal to.",
    "_lt": "Is less than.",
    "_lte": "Is less than or equal to.",
    "_in": "Is one of.",
    "_nin": "Is there and none of.",
    "_is_null": "Is absent (true) or there (false).",
    "_like": r"Matches a pattern: % stands for any text, _ for any character, \% and \_ for themselves.",
    "_ilike": "Matches a pattern as _like does, whether letters from A to Z are capital or small.",
    "_contains": "Has all of these.",
}


@cache
def schema() -> GraphQLSchema:
    """Build the schema. Cost: some 10 ms, once a process, at the first request."""
    return GraphQLSchema(
        query=_Builder().query(),
        description="Stellwerk's record: what ran, how, and what came of it. One request is answered by one SQL statement.",
    )


def as_text() -> str:
    """Print the schema in the schema definition language, ending in a line break."""
    return print_schema(schema()) + "\n"


class _Builder:
    def __init__(self) -> None:
        self._direction = GraphQLEnumType(
            "order_by",
            {
                "asc": GraphQLEnumValue(Order.ASC, description="Ascending; absent values last."),
                "desc": GraphQLEnumValue(Order.DESC, description="Descending; absent values last."),
            },
            description="A direction.",
        )
        self._comparisons = {kind: self._comparison(kind) for kind in _COMPARISONS}
        self._filters = {name: self._filter(source) for name, source in SOURCES.items()}
        self._orders = {name: self._order(source) for name, source in SOURCES.items()}
        self._count = GraphQLObjectType(
            "aggregate_fields",
            {"count": GraphQLField(GraphQLNonNull(GraphQLInt), description="How many rows there are.")},
            description="What is computed over all rows that match.",
        )
        self._objects = {name: self._object(source) for name, source in SOURCES.items()}
        self._aggregates = {name: self._aggregate(source) for name, source in SOURCES.items()}

    def query(self) -> GraphQLObjectType:
        fields: dict[str, GraphQLField] = {}
        for source in SOURCES.values():
            if not source.is_root:
                continue
            rows = f"{DEFAULT_ROWS} unless `limit`, at most {MOST_ROWS:,}"
            order = ", ".join(f"{name} {'desc' if down else 'asc'}" for name, down in source.newest)
            fields[source.name] = GraphQLField(
                self._many(source.name),
                args=self._arguments(source.name),
                description=f"{source.about} {rows}, by {order} unless `order_by`.",
            )
            fields[f"{source.name}_aggregate"] = GraphQLField(
                GraphQLNonNull(self._aggregates[source.name]),
                args=self._where(source.name),
                description=f"Counts over {source.name}.",
            )
            if source.key:
                name, column = source.key
                kind = _OUT[source.column(column).kind]
                fields[name] = GraphQLField(
                    self._objects[source.name],
                    args={column: GraphQLArgument(GraphQLNonNull(kind), description=source.column(column).about)},
                    description=f"One of {source.name}, or null.",
                )
        return GraphQLObjectType("Query", fields, description="Where questions begin.")

    def _object(self, source: Source) -> GraphQLObjectType:
        def fields() -> dict[str, GraphQLField]:
            found = {column.name: self._column(column) for column in source.columns if column.is_shown}
            for relation in source.relations:
                found |= self._relation(relation)
            return found

        return GraphQLObjectType(source.name, fields, description=source.about)

    def _column(self, column: Column) -> GraphQLField:
        if column.kind == "tags":
            texts = GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString)))
            return GraphQLField(texts, description=column.about)
        kind: GraphQLScalarType = _OUT[column.kind]
        return GraphQLField(kind if column.is_null else GraphQLNonNull(kind), description=column.about)

    def _relation(self, relation: Relation) -> dict[str, GraphQLField]:
        if not relation.is_many:
            return {relation.name: GraphQLField(self._objects[relation.target], description=relation.about)}
        arguments = {} if relation.is_plain else self._arguments(relation.target)
        fields = {
            relation.name: GraphQLField(self._many(relation.target), args=arguments, description=relation.about),
        }
        if relation.has_aggregate:
            fields[f"{relation.name}_aggregate"] = GraphQLField(
                GraphQLNonNull(self._aggregates[relation.target]),
                args=self._where(relation.target),
                description=f"Counts over its {relation.name}.",
            )
        return fields

    def _many(self, name: str) -> GraphQLNonNull[GraphQLList[GraphQLNonNull[GraphQLObjectType]]]:
        return GraphQLNonNull(GraphQLList(GraphQLNonNull(self._objects[name])))

    def _aggregate(self, source: Source) -> GraphQLObjectType:
        return GraphQLObjectType(
            f"{source.name}_aggregate",
            {"aggregate": GraphQLField(GraphQLNonNull(self._count), description="Over all rows that match.")},
            description=f"Counts over {source.name}.",
        )

    def _where(self, name: str) -> dict[str, GraphQLArgument]:
        return {"where": GraphQLArgument(self._filters[name], description="Which rows; all unless given.")}

    def _arguments(self, name: str) -> dict[str, GraphQLArgument]:
        return self._where(name) | {
            "order_by": GraphQLArgument(
                GraphQLList(GraphQLNonNull(self._orders[name])),
                description="One column an element, the first one first.",
            ),
            "limit": GraphQLArgument(
                GraphQLInt, description=f"How many rows at most: {DEFAULT_ROWS} unless given, up to {MOST_ROWS:,}."
            ),
            "offset": GraphQLArgument(GraphQLInt, description="How many rows to leave out first."),
        }

    def _filter(self, source: Source) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            own = self._filters[source.name]
            found = {
                "_and": GraphQLInputField(GraphQLList(GraphQLNonNull(own)), description="All of these hold."),
                "_or": GraphQLInputField(GraphQLList(GraphQLNonNull(own)), description="At least one of these holds."),
                "_not": GraphQLInputField(own, description="This does not hold."),
            }
            for column in source.columns:
                if column.is_shown and not (column.kind == "json" and column.missing != "null"):
                    found[column.name] = GraphQLInputField(self._comparisons[column.kind], description=column.about)
            for relation in source.relations:
                if not relation.is_plain:
                    about = relation.about if not relation.is_many else f"At least one of these: {relation.about}"
                    found[relation.name] = GraphQLInputField(self._filters[relation.target], description=about)
            return found

        return GraphQLInputObjectType(
            f"{source.name}_bool_exp", fields, description=f"A condition on {source.name}; all that is said must hold."
        )

    def _order(self, source: Source) -> GraphQLInputObjectType:
        fields = {
            column.name: GraphQLInputField(self._direction, description=column.about)
            for column in source.columns
            if column.is_shown and column.kind not in ("json", "tags")
        }
        return GraphQLInputObjectType(
            f"{source.name}_order_by", fields, description=f"One column of {source.name} and its direction."
        )

    def _comparison(self, kind: str) -> GraphQLInputObjectType:
        value = GraphQLString if kind == "tags" else _OUT[kind]
        types: dict[str, GraphQLInputType] = {
            "_is_null": GraphQLBoolean,
            "_in": GraphQLList(GraphQLNonNull(value)),
            "_nin": GraphQLList(GraphQLNonNull(value)),
            "_contains": GraphQLList(GraphQLNonNull(value)),
        }
        fields = {
            name: GraphQLInputField(types.get(name, value), description=_OPERATORS_ABOUT[name])
            for name in OPERATORS[kind]
        }
        about = "A comparison; all that is said must hold. An absent value fits none but _is_null."
        return GraphQLInputObjectType(_COMPARISONS[kind], fields, description=about)
