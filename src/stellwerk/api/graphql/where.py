"""Conditions and orders: `where` and `order_by` as SQL.

Theory of operation: a condition is compiled once for each branch of a source, over that branch's own expressions. An
absent value makes a comparison neither true nor false, as in SQL; `_not` of it does not hold either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import GraphQLError

from stellwerk.api.graphql.limits import LONGEST_PATTERN, MOST_VALUES
from stellwerk.api.graphql.scalars import hex_of, microseconds_of, text_of
from stellwerk.api.graphql.statement import Row, Statement
from stellwerk.api.graphql.values import LOOKED_AT, Given, Order, Value
from stellwerk.store.catalogue import SOURCES, Column, Relation, Source, tag_texts

__all__ = ["condition", "order_of", "split_of"]

# What a parser holds while it reads what stands within these, or these (`limits.MOST_DEPTH`).
OR_DEPTH, NOT_DEPTH, EXISTS_DEPTH, EMPTY_DEPTH, COMPARED_DEPTH = 5, 4, 9, 4, 22
_SIGNS = {"_eq": "=", "_neq": "<>", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}
_CONVERTERS: dict[str, Any] = {"text": text_of, "hex": hex_of, "seconds": microseconds_of}


def condition(statement: Statement, source: Source, row: Row, value: Value, depth: int) -> str:
    """Write a condition on a row.

    Args:
        depth: at which it stands.

    Raises:
        GraphQLError: something in it is null, or there is too much of it.
    """
    statement.reach(depth + EMPTY_DEPTH)
    parts = []
    relations = {relation.name: relation for relation in source.relations}
    for name, inner in value.fields():
        if inner.is_null:
            raise GraphQLError(
                f"`{name}` can't be null in a condition; `_is_null` asks for absent values.", nodes=inner.node
            )
        if name in ("_and", "_or"):
            below = depth if name == "_and" else depth + OR_DEPTH
            all_of = [condition(statement, source, row, each, below) for each in inner.elements()]
            parts.append(_joined(all_of, name == "_and"))
        elif name == "_not":
            parts.append(f"NOT ({condition(statement, source, row, inner, depth + NOT_DEPTH)})")
        elif name in relations:
            parts.append(_exists(statement, relations[name], row, inner, depth))
        else:
            column = source.column(name)
            statement.reach(depth + COMPARED_DEPTH)
            parts.extend(_compared(statement, column, row[name], operator, each) for operator, each in inner.fields())
    return _joined(parts, True)


def _joined(parts: list[str], is_and: bool) -> str:
    """Join conditions; what comes of it stands by itself within AND, OR and NOT."""
    if len(parts) < 2:
        return parts[0] if parts else "1 = 1" if is_and else "1 = 0"
    return " AND ".join(parts) if is_and else f"({' OR '.join(parts)})"


def _exists(statement: Statement, relation: Relation, row: Row, value: Value, depth: int) -> str:
    target = SOURCES[relation.target]
    found = []
    depth += EXISTS_DEPTH + (OR_DEPTH if len(relation.ways) * len(target.branches) > 1 else 0)
    statement.reach(depth + relation.deepest(target))
    for way in relation.ways:
        for branch in target.branches:
            tables, inner, conditions = statement.open(target, branch, way, row)
            conditions.insert(0, condition(statement, target, inner, value, depth))
            found.append(f"EXISTS (SELECT 1 FROM {tables} WHERE {' AND '.join(conditions)})")
    return statement.measure(_joined(found, False))


def _compared(statement: Statement, column: Column, expression: str, operator: str, value: Value) -> str:
    statement.count_condition()
    if value.is_null:
        raise GraphQLError(f"`{operator}: null` fits nothing; `_is_null` asks for absent values.", nodes=value.node)
    if operator == "_is_null":
        return f"{expression} IS {'' if value.seen() else 'NOT '}NULL"
    if operator == "_contains":
        return _contains(statement, expression, value)
    if operator in ("_like", "_ilike"):
        return _like(statement, expression, operator == "_ilike", value)
    words = _words(column, operator, value)
    if operator in ("_in", "_nin"):
        if words is not None:
            return f"{expression} IN ({', '.join(words)})" if words else "1 = 0"
        marks = statement.value(_list_taker(column, value), column.kind, is_list=True)
        return statement.dialect.is_among(expression, marks, operator == "_nin")
    if words:
        return f"{expression} = {words[0]}"
    return f"{expression} {_SIGNS[operator]} {statement.value(_taker(column, value), column.kind)}"


def _words(column: Column, operator: str, value: Value) -> list[str] | None:
    """Return the literals that a column with choices is compared with, if they may stand in the statement."""
    if not column.choices or operator not in ("_eq", "_in"):
        return None
    asked = _few(value) if operator == "_in" else [value.seen()]
    if asked is None or (operator == "_eq" and asked[0] not in column.choices):
        return None
    return [f"'{word}'" for word in column.choices if word in asked]


def _few(value: Value) -> list[Any] | None:
    seen = value.seen()
    return seen if len(seen) <= LOOKED_AT else None


def _taker(column: Column, value: Value) -> Any:
    take, convert = value.taker(), _CONVERTERS.get(column.kind)
    if convert is None:
        return take
    return lambda given: convert(take(given))


def _list_taker(column: Column, value: Value) -> Any:
    take, convert = value.taker(), _CONVERTERS.get(column.kind)

    def listed(given: Given) -> list[Any]:
        values = take(given)
        if len(values) > MOST_VALUES:
            raise GraphQLError(f"A list has at most {MOST_VALUES:,} values.", nodes=value.node)
        return [convert(each) for each in values] if convert else values

    return listed


def _contains(statement: Statement, expression: str, value: Value) -> str:
    seen = _few(value)
    if seen is None:
        raise GraphQLError(f"`_contains` takes at most {LOOKED_AT} values.", nodes=value.node)
    parts = []
    for element in value.elements():
        marks = [statement.value(_tag_taker(element, place), "text") for place in range(2)]
        tags = f"COALESCE({expression}, '')"
        parts.append(_joined([statement.dialect.has_text(tags, mark) for mark in marks], False))
    return _joined(parts, True)


def _tag_taker(element: Value, place: int) -> Any:
    take = element.taker()
    return lambda given: tag_texts(text_of(take(given)))[place]


def _like(statement: Statement, expression: str, is_folding: bool, value: Value) -> str:
    take, write = value.taker(), statement.dialect.pattern

    def pattern(given: Given) -> str:
        text = text_of(take(given))
        if len(text) > LONGEST_PATTERN:
            raise GraphQLError(f"A pattern has at most {LONGEST_PATTERN:,} characters.", nodes=value.node)
        return write(list(_pattern_parts(text)), is_folding)

    return statement.dialect.is_like(expression, statement.value(pattern, "text"), is_folding)


def _pattern_parts(text: str) -> Iterator[str]:
    r"""Cut a pattern into `%`, `_`, literal `\%`, `\_`, `\`, and other characters."""
    characters, before = iter(text), ""
    for character in characters:
        part = character
        if character == "\\":
            escaped = next(characters, "\\")
            part = "\\" + escaped if escaped in "%_" else escaped
        if not (part == before == "%"):
            yield part
        before = part


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def order_of(source: Source, value: Value | None, default: tuple[tuple[str, bool], ...]) -> list[tuple[Column, bool]]:
    """Return the columns to order by, and whether descending; the default ones last, so that the order is total.

    Raises:
        GraphQLError: an element names no column or several.
    """
    chosen: dict[str, bool] = {}
    for element in value.elements() if value is not None else ():
        fields = list(element.fields())
        if len(fields) != 1 or fields[0][1].is_null:
            raise GraphQLError("Each element of `order_by` names one column and its direction.", nodes=element.node)
        name, direction = fields[0]
        chosen.setdefault(name, direction.seen() is Order.DESC)
    for name, is_descending in default:
        chosen.setdefault(name, is_descending)
    return [(source.column(name), is_descending) for name, is_descending in chosen.items()]


def split_of(source: Source, value: Value | None) -> list[str]:
    """Return the values to read one by one (`Source.split`), or none if that does not help.

    It does if root runs are asked for by several states: in the index each state has its own order.
    """
    if not source.split or value is None:
        return []
    has_no_parent, words = False, None
    for name, inner in _all_of(value):
        if inner.is_null:
            return []
        for operator, each in inner.fields() if name in ("parent_id", source.split) else ():
            if each.is_null:
                return []
            if name == "parent_id":
                has_no_parent = has_no_parent or (operator == "_is_null" and each.seen())
            elif operator == "_in":
                words = _words(source.column(source.split), "_in", each)
    return words if has_no_parent and words and len(words) > 1 else []


def _all_of(value: Value) -> Iterator[tuple[str, Value]]:
    """List what must hold, through `_and`."""
    for name, inner in value.fields():
        if name == "_and" and not inner.is_null:
            for each in inner.elements():
                yield from _all_of(each)
        else:
            yield name, inner
