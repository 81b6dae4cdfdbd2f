"""The compiler: an operation and the shape of its variables become one SQL statement whose JSON the database builds.

Theory of operation: each root field is one column of the statement, a JSON text. A list reads, sorts and cuts its rows
in an inner query that takes only the columns which its fields need; the outer one writes each row as JSON. A relation
is such a query again, correlated with the row above. A source with several branches reads from each as many rows as the
whole list may have, in order, and merges them. Nothing that a request says becomes SQL text but response names, which
GraphQL limits to letters, digits and underscores, and words of closed lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from stellwerk.api.graphql.dialect import balanced
from stellwerk.api.graphql.limits import DEFAULT_ROWS, MOST_ROWS
from stellwerk.api.graphql.schema import schema
from stellwerk.api.graphql.statement import Plan, Row, Sight, Statement
from stellwerk.api.graphql.values import Given, Value
from stellwerk.api.graphql.where import condition, order_of, split_of
from stellwerk.store.catalogue import SOURCES, Branch, Column, Relation, Source, Way

__all__ = ["Compiler", "is_introspection"]

_HIGHEST_INT = (1 << 31) - 1
# What a parser holds while it reads what stands within these (`limits.MOST_DEPTH`).
ROOT_DEPTH, LIST_DEPTH, ONE_DEPTH, VALUE_DEPTH = 8, 13, 10, 20
INNER_DEPTH, MERGED_DEPTH, WHERE_DEPTH, ORDER_DEPTH, COUNT_DEPTH, LATE_DEPTH = 12, 8, 5, 25, 4, 7
Fields = Mapping[str, Sequence[FieldNode]]
_ROOTS = {source.name: source for source in SOURCES.values() if source.is_root}
_KEYS = {source.key[0]: source for source in _ROOTS.values() if source.key}


def is_introspection(node: FieldNode) -> bool:
    """Whether a root field is about the schema or a type's name, and no question to the database."""
    return node.name.value.startswith("__")


class Compiler:
    """Compile one operation.

    Args:
        dialect: `sqlite` or `postgres`.
        sight: what may be seen.
        fragments: those of the document.
        variables: coerced; only what `shape_of` tells of them is looked at.
    """

    def __init__(
        self, dialect: str, sight: Sight, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self._statement = Statement(dialect, sight)
        self._dialect = self._statement.dialect
        self._fragments = fragments
        self._variables = variables
        self._types = schema().type_map

    def fields(self, operation: OperationDefinitionNode) -> dict[str, list[FieldNode]]:
        """Collect the root fields of an operation by response name, in order."""
        return self._collect([operation.selection_set])

    def plan(self, fields: Fields) -> Plan:
        """Compile root fields that ask the database.

        Raises:
            GraphQLError: a limit is passed, or a value can't be taken.
        """
        return self._statement.finish([(name, self._root(nodes)) for name, nodes in fields.items()])

    # ── selections ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _collect(self, selections: Sequence[SelectionSetNode | None]) -> dict[str, list[FieldNode]]:
        found: dict[str, list[FieldNode]] = {}
        for selection in selections:
            if selection is not None:
                self._collect_into(found, selection.selections, set())
        return found

    def _collect_into(
        self, found: dict[str, list[FieldNode]], selections: Sequence[SelectionNode], seen: set[str]
    ) -> None:
        for node in selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                self._collect_into(found, node.selection_set.selections, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                self._collect_into(found, self._fragments[node.name.value].selection_set.selections, seen)

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            argument = directive.arguments[0] if directive.arguments else None
            if argument is None or directive.name.value not in ("skip", "include"):
                continue
            kind = schema().get_directive(directive.name.value).args["if"].type  # type: ignore[union-attr]  # specified
            if bool(Value(kind, argument.value, self._variables).seen()) == (directive.name.value == "skip"):
                return False
        return True

    def _below(self, nodes: Sequence[FieldNode]) -> dict[str, list[FieldNode]]:
        return self._collect([node.selection_set for node in nodes])

    def _arguments(self, parent: str, node: FieldNode) -> dict[str, Value]:
        """Read the arguments of a field that are there and not null."""
        kind = self._types[parent]
        assert isinstance(kind, GraphQLObjectType)
        types = kind.fields[node.name.value].args
        found = {
            argument.name.value: Value(types[argument.name.value].type, argument.value, self._variables)
            for argument in node.arguments or ()
        }
        return {name: value for name, value in found.items() if not value.is_absent and not value.is_null}

    # ── root fields ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _root(self, nodes: Sequence[FieldNode]) -> str:
        node, fields = nodes[0], self._below(nodes)
        name = node.name.value
        arguments = self._arguments("Query", node)
        if name in _KEYS:
            source = _KEYS[name]
            assert source.key is not None
            column = source.column(source.key[1])
            mark = self._statement.value(arguments[column.name].taker(), column.kind)
            return self._one(source, fields, None, None, lambda row: f"{row[column.name]} = {mark}", ROOT_DEPTH)
        if name in _ROOTS:
            return self._many(_ROOTS[name], fields, arguments, None, None, ROOT_DEPTH)
        return self._aggregate(_ROOTS[name.removesuffix("_aggregate")], fields, arguments, None, None, ROOT_DEPTH)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _branches(self, source: Source, relation: Relation | None) -> list[tuple[Branch, Way | None]]:
        ways: Sequence[Way | None] = relation.ways if relation is not None else (None,)
        return [(branch, way) for way in ways for branch in source.branches]

    def _one(
        self,
        source: Source,
        fields: Fields,
        relation: Relation | None,
        above: Row | None,
        also: Callable[[Row], str] | None,
        depth: int,
    ) -> str:
        """Write the query of one row or null."""
        deepest = relation.deepest(source) if relation else source.depth
        self._statement.reach(depth + ONE_DEPTH + deepest + (LATE_DEPTH if self._late(source, fields) else 0))
        ((branch, way),) = self._branches(source, relation)
        tables, row, conditions = self._statement.open(source, branch, way, above)
        if also is not None:
            conditions.append(also(row))
        name = self._statement.alias()
        inner = f"SELECT {self._columns(source, fields, row)} FROM {tables}{_where(conditions)}"
        inner = self._with_late(source, fields, inner)
        whole = f"(SELECT {self._object(source, fields, name, depth + ONE_DEPTH)} FROM ({inner}) {name})"
        return self._statement.measure(f"COALESCE({whole}, 'null')")

    def _many(
        self,
        source: Source,
        fields: Fields,
        arguments: Mapping[str, Value],
        relation: Relation | None,
        above: Row | None,
        depth: int,
    ) -> str:
        """Write the query of a list."""
        limit, offset, reach = self._cut(arguments)
        inner = self._inner(source, fields, arguments, relation, above, depth + INNER_DEPTH, reach)
        inner = self._with_late(source, fields, f"{inner} LIMIT {limit}{offset}")
        name = self._statement.alias()
        element = self._object(source, fields, name, depth + LIST_DEPTH)
        array = f"(SELECT {self._dialect.array(element)} FROM ({inner}) {name})"
        return self._statement.measure(f"'[' || COALESCE({array}, '') || ']'")

    def _inner(
        self,
        source: Source,
        fields: Fields,
        arguments: Mapping[str, Value],
        relation: Relation | None,
        above: Row | None,
        depth: int,
        reach: str,
    ) -> str:
        """Write the query that finds and sorts the rows of a list, from each branch at most as many as it reaches."""
        is_newest_first = relation is None or relation.is_newest_first
        order = order_of(source, arguments.get("order_by"), source.newest if is_newest_first else source.natural)
        where = arguments.get("where")
        is_by_index = relation is None and [column.name for column, _ in order] == [name for name, _ in source.newest]
        split = split_of(source, where) if is_by_index else []
        parts = [(branch, way, word) for branch, way in self._branches(source, relation) for word in split or [""]]
        depth += (MERGED_DEPTH if len(parts) > 1 else 0) + (LATE_DEPTH if self._late(source, fields) else 0)
        self._statement.reach(depth + (relation.deepest(source) if relation else source.depth))
        if "order_by" in arguments:
            self._statement.reach(depth + ORDER_DEPTH)
        merged = []
        for branch, way, word in parts:
            tables, row, conditions = self._statement.open(source, branch, way, above)
            if where is not None:
                conditions.insert(0, condition(self._statement, source, row, where, depth + WHERE_DEPTH))
            if word:
                conditions.append(f"{row[source.split]} = {word}")
            columns, rest = (
                self._columns(source, fields, row),
                f"FROM {tables}{_where(conditions)} ORDER BY {_order(order, row)}",
            )
            if len(parts) == 1:
                return f"SELECT {columns} {rest}"
            keys = ", ".join(f'{row[column.name]} AS "o{place}"' for place, (column, _) in enumerate(order))
            merged.append(f"SELECT * FROM (SELECT {columns}, {keys} {rest} LIMIT {reach}) {self._statement.alias()}")
        keyed = {column.name: f'"o{place}"' for place, (column, _) in enumerate(order)}
        return f"{' UNION ALL '.join(merged)} ORDER BY {_order(order, keyed)}"

    def _late(self, source: Source, fields: Fields) -> list[Column]:
        asked = {nodes[0].name.value for nodes in fields.values()}
        return [column for column in source.columns if column.late and column.name in asked]

    def _with_late(self, source: Source, fields: Fields, inner: str) -> str:
        """Add late columns to the rows that are answered, each computed once."""
        late = self._late(source, fields)
        if not late:
            return inner
        name = self._statement.alias()
        row = {column.name: f'{name}."{column.name}"' for column in source.columns}
        columns = [f'{row[each]} AS "{each}"' for each in self._needed(source, fields)]
        columns += [f'{self._statement.late(column, row)} AS "{column.name}"' for column in late]
        # The limit, which leaves out none, keeps the planner from computing them where they are used, again and again.
        return f"SELECT {', '.join(columns)} FROM ({inner}) {name} LIMIT {MOST_ROWS}"

    def _cut(self, arguments: Mapping[str, Value]) -> tuple[str, str, str]:
        """Write `LIMIT`'s value, the `OFFSET`, and how many rows from the first on that reaches."""
        limit, offset = arguments.get("limit"), arguments.get("offset")

        def rows(given: Given) -> int:
            return _number(limit, given, DEFAULT_ROWS, MOST_ROWS, "limit")

        def left_out(given: Given) -> int:
            return _number(offset, given, 0, _HIGHEST_INT, "offset")

        value = self._statement.value
        most = value(rows, "bigint") if limit is not None else str(DEFAULT_ROWS)
        if offset is None:
            return most, "", most
        reach = value(lambda given: rows(given) + left_out(given), "bigint")
        return most, f" OFFSET {value(left_out, 'bigint')}", reach

    def _aggregate(
        self,
        source: Source,
        fields: Fields,
        arguments: Mapping[str, Value],
        relation: Relation | None,
        above: Row | None,
        depth: int,
    ) -> str:
        inside = depth + COUNT_DEPTH
        self._statement.reach(inside + (relation.deepest(source) if relation else source.depth))
        counts = []
        for branch, way in self._branches(source, relation):
            tables, row, conditions = self._statement.open(source, branch, way, above)
            if "where" in arguments:
                where = condition(self._statement, source, row, arguments["where"], inside + WHERE_DEPTH)
                conditions.insert(0, where)
            counts.append(f"(SELECT COUNT(*) FROM {tables}{_where(conditions)})")
        count = f"({' + '.join(counts)})"
        parts: list[tuple[str, str]] = []
        for name, nodes in fields.items():
            inner = [
                (below, _literal('"aggregate_fields"') if each[0].name.value == "__typename" else count)
                for below, each in self._below(nodes).items()
            ]
            is_name = nodes[0].name.value == "__typename"
            parts.append((name, _literal(f'"{source.name}_aggregate"') if is_name else self._brace(inner)))
        return self._statement.measure(self._brace(parts))

    # ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _columns(self, source: Source, fields: Fields, row: Row) -> str:
        """Write the columns that an inner query takes."""
        return ", ".join(f'{row[name]} AS "{name}"' for name in self._needed(source, fields)) or '1 AS "one"'

    def _needed(self, source: Source, fields: Fields) -> dict[str, None]:
        """Name the columns that fields, their relations and late columns need."""
        columns = {column.name: column for column in source.columns}
        relations = _relations(source)
        needed: dict[str, None] = {}
        for nodes in fields.values():
            name = nodes[0].name.value
            if name in relations:
                needed |= dict.fromkeys(relations[name][0].needs)
            elif name in columns:
                needed |= dict.fromkeys(columns[name].needs if columns[name].late else (name,))
        return needed

    def _object(self, source: Source, fields: Fields, alias: str, depth: int) -> str:
        row = {column.name: f'{alias}."{column.name}"' for column in source.columns}
        parts = [(name, self._field(source, nodes, row, depth)) for name, nodes in fields.items()]
        return self._brace(parts)

    def _field(self, source: Source, nodes: Sequence[FieldNode], row: Row, depth: int) -> str:
        node = nodes[0]
        name = node.name.value
        if name == "__typename":
            return _literal(f'"{source.name}"')
        found = _relations(source).get(name)
        if found is None:
            column = source.column(name)
            self._statement.reach(depth + VALUE_DEPTH)
            return self._dialect.json(column, row[name])
        relation, is_aggregate = found
        target, fields = SOURCES[relation.target], self._below(nodes)
        if not relation.is_many:
            return self._one(target, fields, relation, row, None, depth)
        arguments = self._arguments(source.name, node)
        if is_aggregate:
            return self._aggregate(target, fields, arguments, relation, row, depth)
        return self._many(target, fields, arguments, relation, row, depth)

    def _brace(self, parts: Sequence[tuple[str, str]]) -> str:
        """Write the text of a JSON object."""
        pieces: list[str] = []
        for place, (name, sql) in enumerate(parts):
            pieces += [_literal(f'{"," if place else "{"}"{name}":'), sql]
        return balanced([*pieces, _literal("}" if parts else "{}")])


def _relations(source: Source) -> dict[str, tuple[Relation, bool]]:
    """Find the relations of a source by field, and whether the field is its aggregate."""
    found = {relation.name: (relation, False) for relation in source.relations}
    return found | {f"{each.name}_aggregate": (each, True) for each in source.relations if each.has_aggregate}


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _order(order: Sequence[tuple[Column, bool]], row: Row) -> str:
    # Absent values come last; where there are none, saying so would keep an index from serving the order.
    return ", ".join(
        f"{row[column.name]}{' DESC' if down else ''}{' NULLS LAST' if column.is_null else ''}"
        for column, down in order
    )


def _literal(text: str) -> str:
    return f"'{text}'"


def _number(value: Value | None, given: Given, default: int, most: int, name: str) -> int:
    number = value.taker()(given) if value is not None else default
    if not isinstance(number, int):
        return default
    if not 0 <= number <= most:
        raise GraphQLError(
            f"`{name}` is a number from 0 to {most:,}, not {number:,}.", nodes=value.node if value else None
        )
    return number
